//! Each kind of event, with its figures, and where there is none.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use process_registry::{
    Child, Clock, Handler, HookKey, Hooks, Janitor, ManualClock, Registry, WriteOptions,
};
use tracing::Level;

use crate::support::Hashing;
use crate::support::race::race;
use crate::{Jobs, Records, TICK, fill, resizes, wait_until};

#[test]
fn growth_is_told_table_by_table() {
    let records = Records::of("growth");
    let registry: Jobs = Registry::new("growth");
    for id in 0..1000 {
        let child = Child::new(()).on(format!("node-{id}"), id).tag(format!("tag-{id}"));
        registry.insert(id, child);
    }
    // The last migration of the table of children is finished by this; those of the others by writes
    // to come.
    registry.reserve(100_000);
    let mut told = records.take();
    for table in ["tags", "nodes"] {
        let last = told.iter().rposition(|told| told.field("table") == table).unwrap();
        if told[last].message == "resize began" {
            told.remove(last);
        }
    }
    for table in ["tags", "nodes", "children"] {
        let resizes = resizes(&told, table);
        assert!(resizes.len() > 3, "{table}: {resizes:?}");
        // A small table may happen to be crowded when it is not full, and is rebuilt.
        let grows = |(from, to, _): &(usize, usize, usize)| to == from || *to == 2 * from;
        assert!(resizes.iter().all(grows), "{table}: {resizes:?}");
        let steps = resizes.windows(2);
        assert!(steps.clone().all(|pair| pair[0].1 == pair[1].0), "{table}: {resizes:?}");
        assert!(steps.clone().all(|pair| pair[0].2 <= pair[1].2), "{table}: {resizes:?}");
        if table == "children" {
            let (_, to, len) = resizes[resizes.len() - 1];
            assert_eq!((4 * to, len), (registry.capacity(), 1000));
        }
    }
    assert!(told.iter().all(|told| told.field("node") == "growth"));
}

#[test]
fn halving_is_told_at_once() {
    let records = Records::of("halving");
    let registry: Jobs = Registry::builder("halving").capacity(4 * 64).build();
    fill(&registry, 0..10);
    assert_eq!(records.take(), []);
    registry.shrink_to_fit();
    assert_eq!(
        resizes(&records.take(), "children"),
        [(64, 32, 10), (32, 16, 10), (16, 8, 10), (8, 4, 10)]
    );
}

#[test]
fn a_rebuild_is_told() {
    let records = Records::of("rebuild");
    let builder = Registry::<(), u32, (), u32>::builder("rebuild");
    let registry = builder.capacity(4 * 64).hasher(Hashing::Constant).build();
    for id in 0..100 {
        registry.insert(id, Child::new(()).on("here", id));
    }
    let told = records.take();
    let first = told.first().expect("more than eight overflow buckets");
    assert_eq!(
        (&*first.message, first.number("from"), first.number("to")),
        ("resize began", 64, 64)
    );
    assert!((64..100).contains(&first.number("len")));
}

#[test]
fn reads_and_ordinary_writes_tell_nothing() {
    let records = Records::of("quiet");
    let registry: Jobs = Registry::builder("quiet").capacity(10_000).build();
    for round in 0..3 {
        fill(&registry, 0..1000);
        for id in 0..1000 {
            assert_eq!(registry.get_pid(&id), Some(id));
            registry.update(&id, |child| child.bind("here", round)).unwrap();
            assert!(registry.pin().lookup(&id).is_some());
        }
        assert_eq!(registry.pin().children_on("here").count(), 1000);
        (0..1000).for_each(|id| drop(registry.delete(&id)));
        registry.collect();
    }
    assert_eq!(records.take(), []);
}

#[test]
fn what_happens_under_a_pin_is_told_after_it() {
    let records = Records::of("pinned");
    let registry: Jobs = Registry::new("pinned");
    let reader = registry.pin();
    fill(&registry, 0..1000);
    registry.reserve(2000);
    registry.purge_expired();
    // That is no noted fact: it is told where it happens, and the pin is the caller's own.
    assert_eq!(records.messages(), ["purged"]);
    drop(reader);
    // A pin that has not written does nothing at its end.
    assert_eq!(records.take(), []);
    registry.delete(&0);
    assert!(resizes(&records.take(), "children").len() > 3);

    // One that has tells of what it has done, and so does a refresh.
    let mut writer = registry.pin();
    for id in 0..8000 {
        writer.insert(id, Child::new(()).on("here", id));
    }
    assert_eq!(records.take(), []);
    writer.refresh();
    let told = records.take();
    assert_eq!((&*told[0].message, told[0].field("table")), ("resize began", "children"));
    for id in 8000..30_000 {
        writer.insert(id, Child::new(()).on("here", id));
    }
    assert_eq!(records.take(), []);
    drop(writer);
    assert!(!records.take().is_empty());
}

#[test]
fn every_resize_of_a_race_is_told_once() {
    let records = Records::of("race");
    let registry: Jobs = Registry::new("race");
    race(4, |thread| fill(&registry, thread as u32 * 5000..(thread as u32 + 1) * 5000));
    registry.reserve(100_000);
    // Two threads may tell of a beginning and of its end in either order.
    let told = records.take();
    let sorted = |message: &str| {
        let of_it = told.iter().filter(|told| told.message == message);
        let mut sizes: Vec<_> =
            of_it.map(|told| (told.number("from"), told.number("to"))).collect();
        sizes.sort_unstable();
        sizes
    };
    let began = sorted("resize began");
    assert_eq!((&began, told.len()), (&sorted("resize ended"), 2 * began.len()));
    let mut buckets = began[0].0;
    for (from, to) in began {
        assert!(from == buckets && (to == from || to == 2 * from), "{from} to {to}");
        buckets = to;
    }
    assert_eq!(4 * buckets, registry.capacity());
}

#[test]
fn a_purge_tells_how_many_were_swept() {
    let records = Records::of("purge");
    let clock = ManualClock::new();
    let registry: Jobs = Registry::builder("purge").clock(Clock::Manual(clock.clone())).build();
    for id in 0..5 {
        registry.insert(id, Child::new(()).on("here", id).ttl(TICK * id));
    }
    clock.advance(TICK * 2);
    assert_eq!(registry.purge_expired(), 3);
    assert_eq!(registry.purge_expired(), 0);
    let told = records.take();
    assert_eq!(told.iter().map(|told| told.number("swept")).collect::<Vec<_>>(), [3, 0]);
    assert!(told.iter().all(|told| told.message == "purged" && told.level == Level::DEBUG));
}

#[test]
fn a_panic_of_a_handler_is_told() {
    let records = Records::of("panicking");
    let others = Records::of("calm");
    let registry: Jobs = Registry::new("handlers");
    let hooks = Hooks::new();
    let key = HookKey::ChildUnregistered;
    hooks.register(key, Handler::new("panicking", |_| panic!("no"))).unwrap();
    hooks.register(key, Handler::new("calm", |_| {})).unwrap();
    let options = WriteOptions::new().hooks(&hooks);
    registry.insert_with(1, Child::new(()).on("here", 1), options);
    assert_eq!(records.take(), []);

    let caught = catch_unwind(AssertUnwindSafe(|| registry.delete_with(&1, &hooks)));
    assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"no"));
    let [told] = &records.take()[..] else { panic!("one event") };
    assert_eq!((&*told.message, told.level), ("handler panicked", Level::ERROR));
    assert_eq!((told.field("key"), told.field("panic")), ("ChildUnregistered", "no"));
    assert_eq!(others.take(), []);
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("boom");
    }
}

#[test]
fn a_janitor_tells_of_its_life() {
    let records = Records::of("janitor");
    let registry: Arc<Jobs<Option<Bomb>>> = Arc::new(Registry::new("janitor"));
    registry.insert(1, Child::new(None).on("here", 1).ttl(Duration::ZERO));
    registry.insert(2, Child::new(None).on("here", 1).ttl(Duration::ZERO));
    let janitor = Janitor::spawn(Arc::clone(&registry), TICK);
    wait_until(|| registry.len_all() == 0);
    registry.insert(3, Child::new(Some(Bomb)).on("here", 1).ttl(Duration::ZERO));
    wait_until(|| janitor.last_panic().is_some());
    assert_eq!(janitor.stop().as_deref(), Some("boom"));

    let told = records.take();
    let messages: Vec<&str> = told.iter().map(|told| &*told.message).collect();
    assert_eq!((messages[0], messages[messages.len() - 1]), ("janitor began", "janitor ended"));
    assert_eq!(told[0].field("interval"), "1ms");
    let sum = |message: &str| {
        let of_it = told.iter().filter(|told| told.message == message);
        of_it.map(|told| told.number("swept")).sum::<usize>()
    };
    // A sweep that ends in a panic has no result; what it purged had been told by then.
    assert_eq!(sum("purged"), 3);
    assert!((2..=3).contains(&sum("janitor swept")));
    let panics: Vec<_> = told.iter().filter(|told| told.message == "janitor panicked").collect();
    let [panic] = panics[..] else { panic!("{panics:?}") };
    assert_eq!((panic.field("panic"), panic.level), ("boom", Level::ERROR));
    assert!(told.iter().all(|told| told.field("node") == "janitor"));
}

#[test]
fn a_janitor_whose_registry_is_gone_tells_of_its_end() {
    let records = Records::of("orphan");
    let registry: Arc<Jobs> = Arc::new(Registry::new("orphan"));
    let janitor = Janitor::spawn(registry, TICK);
    wait_until(|| !janitor.is_running());
    let messages = records.messages();
    assert_eq!((&*messages[0], &*messages[messages.len() - 1]), ("janitor began", "janitor ended"));
}
