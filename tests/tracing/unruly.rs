//! Subscribers that call the registry, panic, or look whether anything is held.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use process_registry::{
    Child, Clock, Handler, HookKey, Hooks, Janitor, ManualClock, Registry, WriteOptions,
};

use crate::support::counts_match_a_walk;
use crate::{Jobs, Records, TICK, Told, fill, listen, resizes, wait_until};

/// Ids of the subscriber's own.
const OWN: u32 = 1_000_000;

#[test]
fn one_that_calls_the_registry_changes_it_and_comes_to_an_end() {
    let clock = ManualClock::new();
    let registry: Arc<Jobs> =
        Arc::new(Registry::builder("calling").clock(Clock::Manual(clock.clone())).build());
    let records = Records::default();
    let (own, heard) = (records.clone(), Arc::new(AtomicUsize::new(0)));
    let (weak, count): (Weak<Jobs>, _) = (Arc::downgrade(&registry), Arc::clone(&heard));
    listen("calling", move |told| {
        let registry = weak.upgrade().expect("the test has it");
        let id = OWN + count.fetch_add(1, SeqCst) as u32;
        registry.insert(id, Child::new(()).on("here", id));
        assert_eq!(registry.get_pid(&id), Some(id));
        registry.update(&id, |child| child.bind("there", 1)).unwrap();
        registry.pin().insert(OWN - 1, Child::new(()));
        registry.delete(&(OWN - 1));
        // Each of these would be told, and that would purge again, and so on.
        registry.purge_expired();
        registry.shrink_to_fit();
        registry.collect();
        own.push(told);
    });

    fill(&registry, 0..1000);
    assert!(heard.load(SeqCst) > 6);
    registry.insert(OWN - 2, Child::new(()).on("here", 1).ttl(TICK));
    clock.advance(TICK);
    let before = heard.load(SeqCst);
    assert_eq!(registry.purge_expired(), 1);
    assert!(heard.load(SeqCst) > before);
    assert_eq!(registry.len(), 1000 + heard.load(SeqCst));
    counts_match_a_walk(&registry);
    records.take();

    // What it has caused itself is told as soon as it has returned: here, what it halves.
    let largest = |told: &[Told], from: &str, to: &str| {
        let steps = told.iter().filter(|told| 2 * told.number(from) == told.number(to));
        steps.map(|told| told.number(to)).max()
    };
    registry.reserve(100_000);
    let told = records.take();
    let doubled = largest(&told, "from", "to");
    assert_eq!(doubled, Some(32_768));
    assert!(largest(&told, "to", "from") < doubled, "{told:?}");
    registry.delete(&0);
    assert_eq!(largest(&records.take(), "to", "from"), doubled);
}

#[test]
fn one_that_panics_harms_nobody() {
    let told = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&told);
    let panicking = move |_| {
        count.fetch_add(1, SeqCst);
        panic!("a subscriber");
    };
    listen("throwing", panicking.clone());
    listen("thrown", panicking);
    let clock = ManualClock::new();
    let registry: Arc<Jobs> =
        Arc::new(Registry::builder("throwing").clock(Clock::Manual(clock.clone())).build());

    fill(&registry, 0..1000);
    registry.reserve(5000);
    registry.shrink_to_fit();
    counts_match_a_walk(&registry);
    assert_eq!(registry.len(), 1000);
    // Each of them is told, though the one before it has panicked.
    let resizes = told.swap(0, SeqCst);
    assert!(resizes > 10, "{resizes}");

    registry.insert(1, Child::new(()).on("here", 1).ttl(TICK));
    clock.advance(TICK);
    assert_eq!((registry.purge_expired(), told.swap(0, SeqCst)), (1, 1));

    // The caller gets the panic of the handler, and the other handlers are called.
    let hooks = Hooks::new();
    let called = Arc::new(AtomicUsize::new(0));
    let own = Arc::clone(&called);
    let handlers = [
        Handler::new("thrown", |_| panic!("a handler")),
        Handler::new("other", move |_| {
            own.fetch_add(1, SeqCst);
        }),
    ];
    hooks.register_all(HookKey::ChildRegistered, handlers).unwrap();
    let insert = || {
        let options = WriteOptions::new().hooks(&hooks);
        registry.insert_with(1, Child::new(()).on("here", 7), options);
    };
    let caught = catch_unwind(AssertUnwindSafe(insert)).unwrap_err();
    assert_eq!(caught.downcast_ref(), Some(&"a handler"));
    assert_eq!((registry.get_pid(&1), called.load(SeqCst), told.swap(0, SeqCst)), (Some(7), 1, 1));

    // A janitor goes on, and does not take it for the panic of a sweep.
    let janitor = Janitor::spawn(Arc::clone(&registry), TICK);
    wait_until(|| told.load(SeqCst) > 10);
    assert!(janitor.is_running());
    assert_eq!(janitor.stop(), None);
}

#[test]
fn one_that_panics_during_another_panic_ends_nothing_but_itself() {
    let told = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&told);
    listen("unwinding", move |_| {
        count.fetch_add(1, SeqCst);
        panic!("the second");
    });
    let registry: Jobs = Registry::new("unwinding");
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let pinned = registry.pin();
        for id in 0..1000 {
            pinned.insert(id, Child::new(()).on("here", id));
        }
        panic!("the first");
    }));
    assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"the first"));
    assert!(told.load(SeqCst) > 3);
    counts_match_a_walk(&registry);
}

/// Tells when it is dropped.
struct Dropped(Arc<AtomicUsize>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

#[test]
fn nothing_is_held_while_it_runs() {
    let registry: Arc<Jobs<Option<Dropped>>> = Arc::new(Registry::new("unheld"));
    let drops = Arc::new(AtomicUsize::new(0));
    let runs = Arc::new(AtomicUsize::new(0));
    let (weak, own, count) = (Arc::downgrade(&registry), Arc::clone(&drops), Arc::clone(&runs));
    listen("unheld", move |_| {
        let registry: Arc<Jobs<Option<Dropped>>> = weak.upgrade().expect("the test has it");
        // While this thread held a pin nothing would ever be dropped here.
        let before = own.load(SeqCst);
        registry.insert(OWN, Child::new(Some(Dropped(Arc::clone(&own)))));
        registry.delete(&OWN);
        wait_until(|| {
            registry.collect();
            own.load(SeqCst) > before
        });
        count.fetch_add(1, SeqCst);
    });
    for id in 0..300 {
        registry.insert(id, Child::new(None).on("here", id));
    }
    let pinned = registry.pin();
    for id in 300..600 {
        pinned.insert(id, Child::new(None).on("here", id));
    }
    drop(pinned);
    registry.purge_expired();
    assert!(runs.load(SeqCst) > 6);
    assert_eq!(drops.load(SeqCst), runs.load(SeqCst));
}

/// Writes when it is dropped, so that a resize is told from inside a destructor.
struct Writing {
    registry: Weak<Jobs<Option<Writing>>>,
    done: Arc<OnceLock<()>>,
}

impl Drop for Writing {
    fn drop(&mut self) {
        if let Some(registry) = self.registry.upgrade()
            && self.done.set(()).is_ok()
        {
            (0..1000).for_each(|id| drop(registry.insert(id, Child::new(None).on("here", id))));
            registry.reserve(10_000);
        }
    }
}

#[test]
fn resizes_of_a_destructor_are_told() {
    let records = Records::of("destructor");
    let registry: Arc<Jobs<Option<Writing>>> = Arc::new(Registry::new("destructor"));
    let done = Arc::default();
    let spec = Writing { registry: Arc::downgrade(&registry), done: Arc::clone(&done) };
    registry.insert(OWN, Child::new(Some(spec)).on("here", 1).ttl(Duration::ZERO));
    wait_until(|| {
        registry.purge_expired();
        done.get().is_some()
    });
    let told: Vec<_> = records.take().into_iter().filter(|told| told.message != "purged").collect();
    assert!(resizes(&told, "children").len() > 3);
    assert_eq!(registry.len(), 1000);
}
