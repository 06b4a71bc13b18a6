//! Migration: growing, rebuilding and halving while keys are inserted, removed, replaced, looked
//! up and walked. A model starts with a successor that nobody has moved anything to.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use process_registry::__model::{Key, LEASE, Toys};

use crate::checker::sync::atomic::AtomicU64;
use crate::harness::{at_once, check, end};
use crate::keys::{A, B, C, key};

/// Keys of the second bucket of two.
pub const D: Key = key(5, 1, 0);
pub const E: Key = key(6, 1, 0);

/// A store with a successor, `by` doublings larger.
fn growing(capacity: usize, by: i32, preloaded: &[(Key, u64)]) -> Toys {
    let toys = Toys::new(capacity);
    for (key, number) in preloaded {
        assert!(toys.insert(*key, *number, &[]));
    }
    toys.start_resize(by);
    toys
}

fn insert_insert(toys: Toys, others: &[(u8, u64)]) {
    let (toys, won) = at_once(toys, [|t| t.insert(A, 1, &[]), |t| t.insert(A, 2, &[])]);
    assert!(won[0] != won[1], "one winner");
    toys.finish_resize();
    let mut all = others.to_vec();
    all.insert(0, (1, if won[0] { 1 } else { 2 }));
    check(&toys, &all, &[]);
    end(toys);
}

/// Two inserts of one key while the table grows from one bucket to two.
pub fn grow_insert_insert() {
    insert_insert(growing(0, 1, &[(B, 9)]), &[(2, 9)]);
}

/// The same while it is rebuilt.
pub fn rebuild_insert_insert() {
    insert_insert(growing(0, 0, &[(B, 9)]), &[(2, 9)]);
}

/// The same while it is halved, with a key in each source.
pub fn halve_insert_insert() {
    insert_insert(growing(4, -1, &[(B, 8), (D, 9)]), &[(2, 8), (5, 9)]);
}

/// The successor is started between the insert's steps: a pending element is dropped and
/// published again.
pub fn start_insert_insert() {
    let (toys, won) = at_once(
        Toys::new(0),
        [
            |t| {
                t.start_resize(1);
                t.finish_resize();
                t.insert(A, 1, &[])
            },
            |t| t.insert(A, 2, &[]),
        ],
    );
    assert!(won[0] != won[1], "one winner");
    check(&toys, &[(1, if won[0] { 1 } else { 2 })], &[]);
    end(toys);
}

fn insert_remove(toys: Toys, others: &[(u8, u64)]) {
    let (toys, [_, removed]) = at_once(
        toys,
        [
            |t| {
                assert!(t.insert(A, 1, &[]));
                None
            },
            |t| t.remove(A),
        ],
    );
    toys.finish_resize();
    let mut all = others.to_vec();
    if removed.is_none() {
        all.insert(0, (1, 1));
    }
    check(&toys, &all, &[]);
    end(toys);
}

/// An insert against a removal while the table grows.
pub fn grow_insert_remove() {
    insert_remove(growing(0, 1, &[(B, 9)]), &[(2, 9)]);
}

/// The same while it is halved.
pub fn halve_insert_remove() {
    insert_remove(growing(4, -1, &[(D, 9)]), &[(5, 9)]);
}

fn replace_remove(toys: Toys, others: &[(u8, u64)]) {
    let (toys, results) = at_once(toys, [|t| t.replace(A, 2, &[]), |t| t.remove(A)]);
    assert!(matches!(results, [Some(1), Some(2)] | [None, Some(1)]), "{results:?}");
    toys.finish_resize();
    check(&toys, others, &[]);
    end(toys);
}

/// A replace against a removal while the table grows.
pub fn grow_replace_remove() {
    replace_remove(growing(0, 1, &[(A, 1)]), &[]);
}

/// The same while it is rebuilt.
pub fn rebuild_replace_remove() {
    replace_remove(growing(0, 0, &[(A, 1)]), &[]);
}

/// The same while it is halved.
pub fn halve_replace_remove() {
    replace_remove(growing(4, -1, &[(A, 1), (D, 9)]), &[(5, 9)]);
}

/// A replace of a key against the start and the whole of a growth.
pub fn start_replace() {
    let (toys, results) = at_once(
        Toys::new(0),
        [
            |t| {
                t.insert(A, 1, &[]);
                t.start_resize(1);
                t.finish_resize();
                t.get(A)
            },
            |t| t.replace(A, 2, &[]),
        ],
    );
    match results {
        [Some(1 | 2), Some(1)] => check(&toys, &[(1, 2)], &[]),
        [Some(1), None] => check(&toys, &[(1, 1)], &[]),
        other => panic!("not linearizable: {other:?}"),
    }
    end(toys);
}

fn lookup(toys: Toys, others: &[(u8, u64)]) {
    let (toys, [_, found]) = at_once(
        toys,
        [
            |t| {
                t.finish_resize();
                t.replace(A, 2, &[]);
                None
            },
            |t| t.get(A),
        ],
    );
    assert!(matches!(found, Some(1 | 2)), "a miss of a key that is there throughout");
    let mut all = others.to_vec();
    all.insert(0, (1, 2));
    check(&toys, &all, &[]);
    end(toys);
}

/// A lookup of a key that is there throughout a growth.
pub fn grow_lookup() {
    lookup(growing(0, 1, &[(A, 1)]), &[]);
}

/// The same throughout a rebuild.
pub fn rebuild_lookup() {
    lookup(growing(0, 0, &[(A, 1)]), &[]);
}

/// The same throughout a halving.
pub fn halve_lookup() {
    lookup(growing(4, -1, &[(A, 1), (D, 9)]), &[(5, 9)]);
}

/// The same where the other keys fill the first bucket of the smaller table, and this one comes into an
/// overflow bucket.
pub fn halve_lookup_overflow() {
    let (toys, [_, found]) = at_once(
        growing(4, -1, &[(A, 1), (B, 8), (D, 9)]),
        [
            |t| {
                t.finish_resize();
                t.replace(D, 2, &[]);
                None
            },
            |t| t.get(D),
        ],
    );
    assert!(matches!(found, Some(2 | 9)), "a miss of a key that is there throughout");
    check(&toys, &[(1, 1), (2, 8), (5, 2)], &[]);
    end(toys);
}

/// A bucket is migrated, the old table still the root: what is removed in the successor must not
/// be found in the old bucket.
pub fn window_lookup() {
    let (toys, [_, found]) = at_once(
        growing(4, 1, &[(A, 1), (D, 9)]),
        [
            |t| {
                assert_eq!(t.remove(A), Some(1));
                t.reclaim();
                t.get(A)
            },
            |t| t.get(A),
        ],
    );
    assert!(matches!(found, Some(1) | None));
    toys.finish_resize();
    check(&toys, &[(5, 9)], &[]);
    end(toys);
}

/// The same for what is inserted in the successor: the filter of the old bucket must not hide it.
pub fn window_insert() {
    let (toys, [own, others]) = at_once(
        growing(4, 1, &[(A, 1), (D, 9)]),
        [
            |t| {
                assert!(t.insert(B, 2, &[]));
                t.get(B)
            },
            |t| t.get(B),
        ],
    );
    assert_eq!(own, Some(2), "a miss of a key that is there by then");
    assert!(matches!(others, Some(2) | None));
    toys.finish_resize();
    check(&toys, &[(1, 1), (2, 2), (5, 9)], &[]);
    end(toys);
}

/// The same against an insert of that key.
pub fn window_remove_insert() {
    let (toys, [removed, inserted]) = at_once(
        growing(4, 1, &[(A, 1), (D, 9)]),
        [|t| t.remove(A) == Some(1), |t| t.insert(A, 2, &[])],
    );
    assert!(removed);
    toys.finish_resize();
    check(&toys, if inserted { &[(1, 2), (5, 9)] } else { &[(5, 9)] }, &[]);
    end(toys);
}

/// As [`window_lookup`], of the second of two buckets that are merged, while a helper may stand between the two,
/// the first MIGRATED and this one not: the key is removed in the successor, and read where it was.
pub fn halve_window_lookup() {
    let (toys, [_, _, found]) = at_once(
        growing(4, -1, &[(A, 1), (D, 9)]),
        [
            |t| {
                t.finish_resize();
                None
            },
            |t| {
                assert_eq!(t.remove(D), Some(9));
                t.reclaim();
                t.get(D)
            },
            |t| t.get(D),
        ],
    );
    assert!(matches!(found, Some(9) | None));
    check(&toys, &[(1, 1)], &[]);
    end(toys);
}

/// A helper that comes late to a migration that others have finished, and whose keys others have
/// removed in the successor.
pub fn late_helper() {
    let (toys, results) = at_once(
        growing(4, 1, &[(A, 1), (D, 9)]),
        [
            |t| {
                t.finish_resize();
                t.reclaim();
                None
            },
            |t| {
                let old = t.remove(A);
                t.reclaim();
                old
            },
            |t| t.remove(D),
        ],
    );
    assert_eq!(results, [None, Some(1), Some(9)], "what was removed");
    check(&toys, &[], &[]);
    end(toys);
}

/// Two helpers of a halving, each of which begins at a bucket of its own.
pub fn halve_helpers() {
    let (toys, results) =
        at_once(growing(4, -1, &[(A, 1), (D, 9)]), [|t| t.put(A, 2, &[]), |t| t.remove(D)]);
    assert_eq!(results, [Some(1), Some(9)]);
    toys.finish_resize();
    check(&toys, &[(1, 2)], &[]);
    end(toys);
}

/// Linking an overflow bucket against freezing: the key is in the successor, once.
pub fn overflow_freeze() {
    let (toys, _) = at_once(
        growing(0, 1, &[(B, 8), (C, 9)]),
        [
            |t| {
                t.finish_resize();
                true
            },
            |t| t.insert(A, 1, &[]),
        ],
    );
    check(&toys, &[(1, 1), (2, 8), (3, 9)], &[]);
    end(toys);
}

/// The same where the growth begins meanwhile.
pub fn overflow_start() {
    let (toys, won) = at_once(
        {
            let toys = Toys::new(0);
            toys.insert(B, 8, &[]);
            toys.insert(C, 9, &[]);
            toys
        },
        [
            |t| {
                t.start_resize(1);
                t.finish_resize();
                true
            },
            |t| t.insert(A, 1, &[]),
        ],
    );
    assert!(won[1]);
    check(&toys, &[(1, 1), (2, 8), (3, 9)], &[]);
    end(toys);
}

fn walk(toys: Toys) {
    let (toys, [_, met]) = at_once(
        toys,
        [
            |t| {
                t.finish_resize();
                Vec::new()
            },
            |t| t.walk(),
        ],
    );
    assert_eq!(met, [(1, 1), (5, 9)], "each exactly once");
    check(&toys, &[(1, 1), (5, 9)], &[]);
    end(toys);
}

/// A walk during a growth from two buckets to four.
pub fn grow_walk() {
    walk(growing(4, 1, &[(A, 1), (D, 9)]));
}

/// A walk during a growth from one bucket to two.
pub fn grow_walk_split() {
    walk(growing(0, 1, &[(A, 1), (D, 9)]));
}

/// A walk during a rebuild.
pub fn rebuild_walk() {
    walk(growing(4, 0, &[(A, 1), (D, 9)]));
}

/// A walk during a halving.
pub fn halve_walk() {
    walk(growing(4, -1, &[(A, 1), (D, 9)]));
}

/// A walk over two generations, up and down again.
pub fn walk_two_generations() {
    let (toys, [_, met]) = at_once(
        growing(0, 1, &[(A, 1), (D, 9)]),
        [
            |t| {
                t.finish_resize();
                t.start_resize(-1);
                t.finish_resize();
                Vec::new()
            },
            |t| t.walk(),
        ],
    );
    assert_eq!(met, [(1, 1), (5, 9)], "each exactly once");
    check(&toys, &[(1, 1), (5, 9)], &[]);
    end(toys);
}

/// A walk during a growth, while one key is replaced and another removed and inserted again.
pub fn walk_writes() {
    let (toys, [_, met]) = at_once(
        growing(0, 1, &[(A, 1), (D, 9)]),
        [
            |t| {
                t.replace(A, 2, &[]);
                t.remove(D);
                t.insert(D, 8, &[]);
                Vec::new()
            },
            |t| t.walk(),
        ],
    );
    let a = met.iter().filter(|one| one.0 == 1).count();
    let d = met.iter().filter(|one| one.0 == 5).count();
    assert!(a == 1 && d <= 1, "{met:?}");
    toys.finish_resize();
    check(&toys, &[(1, 2), (5, 8)], &[]);
    end(toys);
}

/// The whole table is retired while a reader is in it.
pub fn table_retired() {
    let (toys, [_, found]) = at_once(
        growing(0, 1, &[(A, 1)]),
        [
            |t| {
                t.finish_resize();
                t.reclaim();
                t.insert(E, 3, &[]);
                t.reclaim();
                None
            },
            |t| t.get(A),
        ],
    );
    assert_eq!(found, Some(1));
    check(&toys, &[(1, 1), (6, 3)], &[]);
    end(toys);
}

/// A key is removed and inserted again behind a walk: it may be met twice, and the end of the
/// walk tells.
pub fn walk_moves() {
    let (toys, [_, met]) = at_once(
        {
            let toys = Toys::new(0);
            toys.insert(A, 1, &[]);
            toys
        },
        [
            |t| {
                t.remove(A);
                t.insert(B, 8, &[]);
                t.insert(A, 2, &[]);
                Vec::new()
            },
            |t| t.walk(),
        ],
    );
    assert!(met.iter().filter(|one| one.0 == 1).count() <= 1, "{met:?}");
    check(&toys, &[(1, 2), (2, 8)], &[]);
    end(toys);
}

/// Two helpers of a halving come from different sources and meet keys in both.
pub fn halve_both_ways() {
    let (toys, results) = at_once(
        growing(4, -1, &[(A, 1), (D, 9)]),
        [|t| t.replace(A, 2, &[]), |t| t.replace(D, 8, &[])],
    );
    assert_eq!(results, [Some(1), Some(9)]);
    toys.finish_resize();
    check(&toys, &[(1, 2), (5, 8)], &[]);
    end(toys);
}

fn query(capacity: usize, by: i32) {
    let toys = Toys::new(capacity);
    assert!(toys.insert(A, 1, &["x"]) && toys.insert(D, 9, &["x"]));
    toys.start_resize(by);
    let (toys, [_, (named, batch)]) = at_once(
        toys,
        [
            |t| {
                t.finish_resize();
                t.replace(A, 2, &["x"]);
                (Vec::new(), [None; 2])
            },
            |t| (t.named("x"), t.get_both([A, D])),
        ],
    );
    assert!(matches!(named[..], [(1, 1 | 2), (5, 9)]), "each exactly once: {named:?}");
    assert!(matches!(batch, [Some(1 | 2), Some(9)]), "a miss of a key: {batch:?}");
    assert!(batch[0] >= Some(named[0].1), "back to the old one");
    check(&toys, &[(1, 2), (5, 9)], &[("x", &[1, 5])]);
    end(toys);
}

/// A query by name and a batch of lookups during a growth.
pub fn grow_query() {
    query(0, 1);
}

/// The same during a rebuild.
pub fn rebuild_query() {
    query(4, 0);
}

/// The same during a halving.
pub fn halve_query() {
    query(4, -1);
}

/// A node is removed during a rebuild, as the registry does it: a query, then a write for each.
pub fn rebuild_remove_node() {
    let toys = Toys::new(0);
    assert!(toys.insert(A, 1, &["x"]) && toys.insert(B, 2, &["x", "y"]));
    toys.start_resize(0);
    let (toys, _) = at_once(
        toys,
        [
            |t| t.finish_resize(),
            |t| {
                for (id, _) in t.named("x") {
                    let gone = if id == 1 { t.remove(A) } else { t.replace(B, 3, &["y"]) };
                    assert!(gone.is_some(), "a miss of a key");
                }
            },
        ],
    );
    check(&toys, &[(2, 3)], &[("x", &[]), ("y", &[2])]);
    end(toys);
}

/// A deadline is put off in time during a rebuild: it never reads as passed, neither in the old
/// table, whose frozen words change no more, nor in the new one.
pub fn rebuild_deadline_put_off() {
    let clock = Arc::new(AtomicU64::new(LEASE));
    let toys = Arc::new(growing(0, 0, &[(A, LEASE + 1)]));
    let reader = {
        let (toys, clock) = (toys.clone(), clock.clone());
        crate::checker::thread::spawn(move || toys.get_unexpired(A, || clock.fetch_add(0, SeqCst)))
    };
    // Moves its own chain first, then works in the successor.
    toys.replace(A, LEASE + 3, &[]);
    clock.fetch_add(2, SeqCst);
    let found = reader.join().expect("no panic");
    assert!(found.is_some(), "a miss of a key that is live throughout");
    toys.finish_resize();
    end(Arc::try_unwrap(toys).expect("the thread has ended"));
}
