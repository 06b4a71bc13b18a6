//! Deadlines, and what the index of them holds.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use super::*;
use crate::expiry::Due;
use crate::probe;

/// How many items there are in the deadline index.
pub(super) fn items(registry: &Plain) -> usize {
    let (mut last, mut count) = (None, 0);
    loop {
        let batch = registry.deadlines.due(last, Due::LAST);
        let Some((due, _)) = batch.last() else { return count };
        last = Some(*due);
        count += batch.len();
    }
}

#[test]
fn a_lease_lasts_to_its_deadline_and_counts_until_swept() {
    let (registry, time) = timed();
    registry.insert_with("a", child(1), WriteOptions::new().ttl(TTL));
    time.advance(TTL - Duration::from_nanos(1));
    assert!(registry.contains("a"));
    time.advance(Duration::from_nanos(1));
    assert!(!registry.contains("a") && !registry.entry_exists("a"));
    assert_eq!((registry.len(), registry.node_len("here")), (1, 1));
    assert!(registry.update("a", |_| panic!("must not run")).is_err());
    assert_eq!(registry.purge_expired(), 1);
    assert_eq!((registry.len(), registry.node_len("here"), items(&registry)), (0, 0, 0));
    assert_eq!(registry.purge_expired(), 0);

    registry.insert("b", child(1).ttl(Duration::MAX));
    time.advance(Duration::from_secs(1 << 32));
    assert!(registry.contains("b"));
}

#[test]
fn renewals_leave_the_index_alone_and_shortenings_do_not() {
    let (registry, time) = timed();
    registry.insert("a", child(1).ttl(TTL));
    for _ in 0..10 {
        time.advance(TTL / 2);
        registry.update("a", |child| child.set_ttl(TTL)).unwrap();
        assert_eq!(items(&registry), 1);
    }
    // Due by its item, renewed by its entry: filed anew.
    assert_eq!((registry.purge_expired(), items(&registry)), (0, 1));
    registry.update("a", |child| child.set_ttl(TTL / 2)).unwrap();
    time.advance(TTL / 2);
    assert_eq!(registry.purge_expired(), 1);
    time.advance(TTL);
    assert_eq!((registry.purge_expired(), items(&registry)), (0, 0));
}

#[test]
fn what_became_permanent_or_was_revived_stays() {
    let (registry, time) = timed();
    registry.insert("permanent", child(1).ttl(TTL));
    registry.update("permanent", Child::make_permanent).unwrap();
    registry.insert("replaced", child(1).ttl(TTL));
    registry.insert("replaced", child(2));
    registry.insert("revived", child(1));
    registry.bulk_delete([("revived", ["here"])]);
    registry.bulk_insert([("revived", child(2))]);
    assert_eq!(items(&registry), 0);
    time.advance(TTL * 10);
    assert_eq!((registry.purge_expired(), items(&registry), registry.len()), (0, 0, 3));
    registry.update("permanent", |child| child.set_ttl(TTL)).unwrap();
    time.advance(TTL);
    assert_eq!((registry.purge_expired(), registry.len()), (1, 2));
}

#[test]
fn only_what_has_expired_is_deleted_as_such() {
    let (registry, time) = timed();
    registry.insert("a", child(1).ttl(TTL));
    registry.insert("b", child(2));
    time.advance(TTL);
    assert_eq!(registry.delete_if_expired("a").unwrap().pid(), Some(&1));
    assert!(registry.delete_if_expired("a").is_none());
    assert!(registry.delete_if_expired("b").is_none() && registry.contains("b"));
}

#[test]
fn an_item_goes_with_its_deadline() {
    let (registry, _) = timed();
    for _ in 0..3 {
        registry.insert("a", child(1).ttl(Duration::MAX));
        registry.update("a", Child::make_permanent).unwrap();
        assert_eq!(items(&registry), 0);
        registry.update("a", |child| child.set_ttl(Duration::MAX)).unwrap();
        assert_eq!(items(&registry), 1);
        registry.update("a", |child| child.set_ttl(TTL)).unwrap();
        assert_eq!(items(&registry), 1);
        registry.delete("a");
        assert_eq!(items(&registry), 0);
    }
}

#[test]
fn a_deadline_that_goes_up_and_down_costs_sweeps_no_more_than_it_moved() {
    const TIMES: usize = 2_000;
    let (registry, time) = timed();
    let set = |ttl| registry.update("a", |child| child.set_ttl(ttl)).unwrap();
    registry.insert("a", child(1).ttl(2 * TTL));
    for _ in 0..TIMES {
        set(TTL);
        set(2 * TTL);
    }
    assert_eq!(items(&registry), 1);
    for _ in 0..TIMES {
        set(TTL);
        time.advance(Duration::from_micros(1));
        set(2 * TTL);
    }
    set(10 * TTL);
    time.advance(3 * TTL);
    probe::take(probe::Event::ItemRead);
    assert_eq!((registry.purge_expired(), items(&registry)), (0, 1));
    let read = probe::take(probe::Event::ItemRead);
    assert!((TIMES..3 * TIMES).contains(&read), "{read}");
    assert_eq!((registry.purge_expired(), items(&registry)), (0, 1));
    assert!(probe::take(probe::Event::ItemRead) < 5);
    time.advance(10 * TTL);
    assert_eq!((registry.purge_expired(), items(&registry)), (1, 0));
}

/// Does something when it is dropped.
struct Last<F: FnMut()>(F);

impl<F: FnMut()> Drop for Last<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn destructors_that_panic_do_not_end_a_sweep() {
    const CHILDREN: usize = 500;
    let (time, dropped) = (ManualClock::new(), Arc::new(AtomicUsize::new(0)));
    let registry: Registry<Box<dyn Send + Sync>, u32> =
        Registry::builder("here").clock(Clock::Manual(time.clone())).build();
    for id in 0..CHILDREN {
        let dropped = Arc::clone(&dropped);
        let spec = Last(move || {
            dropped.fetch_add(1, SeqCst);
            // Tells nobody: there would be a great many backtraces.
            resume_unwind(Box::new(id));
        });
        registry.insert(id.to_string(), Child::new(Box::new(spec) as _).on("here", 1).ttl(TTL));
    }
    time.advance(TTL);
    // Pins of other tests may put the destructors off.
    let _ = catch_unwind(AssertUnwindSafe(|| registry.purge_expired()));
    assert_eq!(registry.len_all(), 0);
    while dropped.load(SeqCst) < CHILDREN {
        let _ = catch_unwind(AssertUnwindSafe(|| registry.collect()));
    }
    assert_eq!(registry.purge_expired(), 0);
}

#[test]
fn a_sweep_leaves_what_is_made_while_it_runs() {
    type Endless = Registry<Box<dyn Send + Sync>, u32>;
    fn brief(registry: &Arc<Endless>, made: &Arc<AtomicUsize>) -> Child<Box<dyn Send + Sync>, u32> {
        let (again, count) = (Arc::downgrade(registry), Arc::clone(made));
        let spec = Last(move || {
            if let Some(registry) = again.upgrade() {
                let id = count.fetch_add(1, SeqCst).to_string();
                registry.insert(id, brief(&registry, &count));
            }
        });
        Child::new(Box::new(spec) as _).on("here", 1).ttl(Duration::ZERO)
    }
    let made = Arc::new(AtomicUsize::new(0));
    let clock = Clock::Manual(ManualClock::new());
    let registry: Arc<Endless> = Arc::new(Registry::builder("here").clock(clock).build());
    for id in 0..10 {
        registry.insert(format!("first {id}"), brief(&registry, &made));
    }
    // However often: each leaves what the destructors make. Pins of other tests may put those off.
    while made.load(SeqCst) < 50 {
        assert!(registry.purge_expired() <= 10);
        assert!(registry.len_all() <= 10);
    }
}

#[test]
fn what_is_filed_while_its_entry_goes_is_taken_off() {
    let (registry, _) = timed();
    let store = || drop(registry.insert("a", child(1).ttl(Duration::MAX)));
    std::thread::scope(|scope| {
        scope.spawn(|| (0..8_000).for_each(|_| store()));
        (0..8_000).for_each(|_| {
            store();
            registry.delete("a");
        });
    });
    registry.delete("a");
    assert_eq!((registry.len_all(), items(&registry)), (0, 0));
}
