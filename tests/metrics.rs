//! Figures of a registry: exact at rest, honest about what waits, and harmless wherever they are read.

mod support;

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, OnceLock, Weak, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use process_registry::{
    Child, Clock, Event, Handler, HookKey, Hooks, ManualClock, Metrics, Registry, WriteOptions,
};

use support::race::{until_seen, watched};
use support::{Hashing, counts_match_a_walk};

type Jobs<S = ()> = Registry<S, u32, (), u32>;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);
const TICK: Duration = Duration::from_millis(5);

/// Collects until nothing is retired any more: other tests hold pins for a moment too.
#[track_caller]
fn drain<S>(registry: &Jobs<S>) {
    let start = Instant::now();
    while registry.metrics().retired > 0 {
        assert!(start.elapsed() < PATIENCE, "{:?}", registry.metrics());
        registry.collect();
    }
    let Metrics { retired, due, oldest_retired, .. } = registry.metrics();
    assert_eq!((retired, due, oldest_retired), (0, 0, None));
}

/// Runs `f` while another thread holds a pin of the registry.
fn with_pin_elsewhere<S: Send + Sync>(registry: &Jobs<S>, f: impl FnOnce()) {
    thread::scope(|scope| {
        let (pinned, when_pinned) = mpsc::channel();
        let (unpin, when_to_unpin) = mpsc::channel::<()>();
        scope.spawn(move || {
            let _pin = registry.pin();
            pinned.send(()).unwrap();
            // Also where `f` panics.
            let _ = when_to_unpin.recv();
        });
        when_pinned.recv().unwrap();
        let _unpin = unpin;
        f();
    });
}

/// Counts its drops.
#[derive(Clone)]
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

#[test]
fn counts_are_exact_at_rest() {
    let clock = ManualClock::new();
    let registry: Jobs = Registry::builder("here").clock(Clock::Manual(clock.clone())).build();
    let count = || {
        counts_match_a_walk(&registry);
        let now = registry.metrics();
        assert_eq!((now.entries, now.live_entries), (registry.len_all(), registry.len()));
        assert_eq!((now.tags, now.nodes), (registry.tags().len(), registry.nodes().len()));
        (now.entries, now.live_entries, now.tags, now.nodes)
    };
    assert_eq!(count(), (0, 0, 0, 0));
    for id in 0..100 {
        let child = Child::new(()).on(format!("node-{}", id % 7), id).tag(format!("tag-{id}"));
        registry.insert(id, child.tag("all"));
    }
    registry.insert(100, Child::new(()));
    assert_eq!(count(), (101, 100, 101, 7));
    registry.bulk_delete([(&0, ["node-0"])]);
    assert_eq!(count(), (101, 99, 100, 7), "a tombstone");
    (50..100).for_each(|id| drop(registry.delete(&id)));
    assert_eq!(count(), (51, 49, 50, 7));
    registry.clear_all();
    assert_eq!(count(), (0, 0, 0, 0));

    // What has expired counts until it is swept.
    registry.insert(1, Child::new(()).on("here", 1).ttl(TICK));
    clock.advance(TICK);
    assert_eq!(registry.metrics().live_entries, 1);
    registry.purge_expired();
    assert_eq!(registry.metrics().entries, 0);
}

#[test]
fn a_resize_is_seen_from_its_beginning_to_its_end() {
    let registry: Jobs = Registry::builder("here").capacity(1000).build();
    let first = registry.metrics();
    assert_eq!((first.capacity, first.overflow_buckets), (4 * first.buckets, 0));
    assert!(first.capacity >= 1000 && first.resizing_to.is_none());

    let mut during = 0;
    let mut overflow = None;
    for id in 0..5000 {
        registry.insert(id, Child::new(()).on("here", id));
        let now = registry.metrics();
        assert_eq!((now.capacity, now.entries), (registry.capacity(), id as usize + 1));
        if let Some(to) = now.resizing_to {
            assert_eq!(to, 2 * now.buckets);
            during += 1;
            overflow.get_or_insert(now.overflow_buckets);
        }
        if now.buckets > first.buckets {
            break;
        }
    }
    let grown = registry.metrics();
    assert_eq!((grown.buckets, grown.resizing_to), (2 * first.buckets, None));
    assert!(during > 1, "piece by piece");
    // One more than one for every five made it grow.
    assert_eq!(overflow, Some(first.buckets / 5 + 1));

    registry.clear_all();
    registry.shrink_to_fit();
    assert!(registry.metrics().buckets < first.buckets);
}

#[test]
fn colliding_ids_take_overflow_buckets() {
    let builder = Registry::<(), u32, (), u32>::builder("here");
    let registry = builder.capacity(1000).hasher(Hashing::Constant).build();
    for id in 0..70 {
        registry.insert(id, Child::new(()).on("here", id));
    }
    // Seven to a bucket, and the first of them is none of overflow.
    assert_eq!(registry.metrics().overflow_buckets, 9);
}

#[test]
fn a_pin_elsewhere_shows_in_what_waits_and_for_how_long() {
    const WRITES: usize = 1000;
    let registry: Jobs = Registry::new("here");
    registry.insert(1, Child::new(()).on("here", 0));
    drain(&registry);
    with_pin_elsewhere(&registry, || {
        let start = Instant::now();
        for pid in 0..WRITES {
            registry.insert(1, Child::new(()).on("here", pid as u32));
        }
        thread::sleep(TICK);
        let first = registry.metrics();
        assert_eq!((first.retired, first.due), (WRITES, 0), "every version there has been");
        let age = first.oldest_retired.expect("they wait");
        assert!(age >= TICK && age <= start.elapsed(), "{age:?}");

        // Collecting brings nothing, and the age is that of the first of all, in whatever batches they are.
        for round in 1..=3 {
            thread::sleep(TICK);
            registry.collect();
            registry.insert(1, Child::new(()).on("here", 0));
            let now = registry.metrics();
            assert_eq!((now.retired, now.due), (WRITES + round, 0));
            let older = now.oldest_retired.expect("they wait");
            assert!(older >= age + TICK * round as u32 && older <= start.elapsed(), "{older:?}");
        }
    });
    drain(&registry);
    assert_eq!(registry.metrics().entries, 1);
}

#[test]
fn a_single_thing_that_waits_is_seen_at_once() {
    let registry: Jobs = Registry::new("here");
    // Nobody to wait for, and yet it waits: nobody has looked.
    registry.insert(1, Child::new(()));
    registry.insert(1, Child::new(()));
    let now = registry.metrics();
    assert_eq!((now.retired, now.due), (1, 0));
    let age = now.oldest_retired.expect("it waits");
    thread::sleep(TICK);
    assert!(registry.metrics().oldest_retired.is_some_and(|older| older >= age + TICK));
    drain(&registry);
    // It does not get younger when its batch is closed.
    with_pin_elsewhere(&registry, || {
        registry.insert(1, Child::new(()));
        thread::sleep(4 * TICK);
        registry.collect();
        let now = registry.metrics();
        assert_eq!((now.retired, now.due), (1, 0));
        assert!(now.oldest_retired.is_some_and(|age| age >= 4 * TICK), "{now:?}");
    });
    drain(&registry);
    // The next one is young.
    thread::sleep(10 * TICK);
    let before = Instant::now();
    registry.insert(1, Child::new(()));
    let age = registry.metrics().oldest_retired.expect("it waits");
    assert!(age <= before.elapsed(), "{age:?}");
    drain(&registry);
}

#[test]
fn what_is_due_is_told_apart_and_looking_drops_nothing() {
    const ENTRIES: usize = 300;
    let drops = Arc::new(AtomicUsize::new(0));
    let registry: Jobs<Counted> = Registry::new("here");
    let other: Jobs = Registry::new("here");
    for id in 0..ENTRIES {
        registry.insert(id as u32, Child::new(Counted(Arc::clone(&drops))));
    }
    // A table that was outgrown would be among what is due, and stand for entries that are not.
    drain(&registry);
    with_pin_elsewhere(&registry, || {
        (0..ENTRIES).for_each(|id| drop(registry.delete(&(id as u32))));
        registry.collect();
        let now = registry.metrics();
        assert_eq!((now.retired, now.due), (ENTRIES, 0));
    });
    let start = Instant::now();
    while registry.metrics().due < ENTRIES {
        assert!(start.elapsed() < PATIENCE, "{:?}", registry.metrics());
        // Epochs pass for all registries, but this drops only what is its own.
        other.collect();
    }
    let now = registry.metrics();
    assert_eq!((now.due, now.oldest_retired), (now.retired, None));
    for _ in 0..100 {
        assert_eq!(registry.metrics().retired, now.retired);
    }
    assert_eq!(drops.load(SeqCst), 0);
    registry.collect();
    assert_eq!((drops.load(SeqCst), registry.metrics().retired), (ENTRIES, 0));
}

#[test]
fn works_under_a_pin_and_in_a_handler() {
    let registry: Arc<Jobs> = Arc::new(Registry::new("here"));
    let heard = Arc::new(AtomicUsize::new(0));
    let hooks = Hooks::new();
    let (own, count) = (Arc::clone(&registry), Arc::clone(&heard));
    let look = move |_: &Event<'_, u32, u32>| {
        count.fetch_add(own.metrics().entries, SeqCst);
    };
    hooks.register(HookKey::ChildRegistered, Handler::new("look", look)).unwrap();
    let options = || WriteOptions::new().hooks(&hooks);
    registry.insert_with(1, Child::new(()).on("here", 1), options());
    assert_eq!(heard.load(SeqCst), 1);
    let pinned = registry.pin();
    registry.insert_with(2, Child::new(()).on("here", 1), options());
    assert_eq!(heard.load(SeqCst), 3);
    assert_eq!(pinned.registry().metrics().entries, 2);
}

/// Looks at the registry when it is dropped.
struct Looking {
    registry: Weak<Jobs<Looking>>,
    seen: Arc<OnceLock<Metrics>>,
}

impl Drop for Looking {
    fn drop(&mut self) {
        if let Some(registry) = self.registry.upgrade() {
            let _ = self.seen.set(registry.metrics());
            // A write takes another shelf than the one that is being worked off.
            registry.delete(&99);
            assert!(registry.metrics().entries <= 2);
        }
    }
}

#[test]
fn works_in_a_destructor() {
    let registry: Arc<Jobs<Looking>> = Arc::new(Registry::new("here"));
    let seen = Arc::default();
    let spec = || Looking { registry: Arc::downgrade(&registry), seen: Arc::clone(&seen) };
    for id in 0..3 {
        registry.insert(id, Child::new(spec()).on("here", id));
    }
    registry.delete(&0);
    let start = Instant::now();
    while seen.get().is_none() {
        assert!(start.elapsed() < PATIENCE);
        registry.collect();
    }
    assert_eq!(seen.get().map(|metrics| (metrics.entries, metrics.live_entries)), Some((2, 2)));
    drain(&registry);
    assert_eq!(registry.metrics().entries, 2);
}

#[test]
fn looking_on_disturbs_no_writer() {
    const WRITERS: usize = 3;
    const ROUNDS: u64 = 3000;
    const IDS: u32 = 50;
    /// Of all watchers together, while every writer writes.
    const LOOKS: usize = 20;
    let drops = Arc::new(AtomicUsize::new(0));
    let registry: Jobs<Counted> = Registry::new("here");
    let child = || Child::new(Counted(Arc::clone(&drops))).on("here", 1).tag("all");
    for id in 0..IDS {
        registry.insert(id, child());
    }
    let (looks, writes) = (AtomicUsize::new(0), AtomicUsize::new(0));
    watched(
        WRITERS,
        |writer| {
            let enough = || looks.load(SeqCst) >= LOOKS;
            until_seen(ROUNDS, enough, |round| {
                registry.insert((writer as u64 + round) as u32 % IDS, child());
                writes.fetch_add(1, SeqCst);
            });
        },
        2,
        |_| {
            let now = registry.metrics();
            assert_eq!((now.entries, now.live_entries), (IDS as usize, IDS as usize));
            assert_eq!((now.tags, now.nodes), (1, 1));
            assert!(now.due <= now.retired);
            looks.fetch_add(1, SeqCst);
        },
    );
    drain(&registry);
    let writes = writes.into_inner();
    assert_eq!(drops.load(SeqCst), writes, "each version once, but for those that are there");
    drop(registry);
    assert_eq!(drops.load(SeqCst), writes + IDS as usize);
}
