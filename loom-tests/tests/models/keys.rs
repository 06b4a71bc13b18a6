//! The primary index: inserts, removals, replaces and lookups of a few keys in one table.

use process_registry::__model::{Key, LEASE, Toys};

use crate::checker::sync::atomic::{AtomicU64, Ordering::SeqCst};
use crate::harness::{at_once, check, end};

/// A key whose hash has these low bits, this preferred slot and a fingerprint of its own.
///
/// A model's fingerprints begin at bit 0, 2 or 4, by the size of the table, and their top bit says
/// which of the two slots is preferred.
pub const fn key(id: u8, bucket: u64, preferred: u64) -> Key {
    let preferred = preferred * (1 << 14 | 1 << 16 | 1 << 18);
    Key { id, hash: preferred | (id as u64) << 9 | bucket }
}

/// Keys that prefer slot 0, and one with the hash of `A`.
pub const A: Key = key(1, 0, 0);
pub const B: Key = key(2, 0, 0);
pub const A_TOO: Key = Key { id: 4, hash: A.hash };
/// Prefers slot 1.
pub const C: Key = key(3, 0, 1);

/// A store of one bucket of two slots.
pub fn one_bucket(preloaded: &[(Key, u64)]) -> Toys {
    let toys = Toys::new(0);
    for (key, number) in preloaded {
        assert!(toys.insert(*key, *number, &[]));
    }
    toys
}

/// Two inserts of one key: exactly one wins.
pub fn insert_insert() {
    let (toys, won) = at_once(one_bucket(&[]), [|t| t.insert(A, 1, &[]), |t| t.insert(A, 2, &[])]);
    assert!(won[0] != won[1], "one winner");
    check(&toys, &[(1, if won[0] { 1 } else { 2 })], &[]);
    end(toys);
}

/// The same where a slot becomes free between them, so that they publish in different slots.
pub fn insert_remove_b_insert() {
    let (toys, won) = at_once(
        one_bucket(&[(B, 9)]),
        [
            |t| t.insert(A, 1, &[]),
            |t| {
                assert_eq!(t.remove(B), Some(9));
                t.insert(A, 2, &[])
            },
        ],
    );
    assert!(won[0] != won[1], "one winner");
    check(&toys, &[(1, if won[0] { 1 } else { 2 })], &[]);
    end(toys);
}

/// The same with the removal in a thread of its own.
pub fn insert_insert_remove_b() {
    let (toys, won) = at_once(
        one_bucket(&[(B, 9)]),
        [|t| t.insert(A, 1, &[]), |t| t.insert(A, 2, &[]), |t| t.remove(B) == Some(9)],
    );
    assert!(won[0] != won[1] && won[2], "one winner");
    check(&toys, &[(1, if won[0] { 1 } else { 2 })], &[]);
    end(toys);
}

/// Three inserts of one key.
pub fn three_inserts() {
    let (toys, won) = at_once(
        one_bucket(&[]),
        [|t| t.insert(A, 1, &[]), |t| t.insert(A, 2, &[]), |t| t.insert(A, 3, &[])],
    );
    let winner = won.iter().position(|won| *won).expect("a winner");
    assert_eq!(won.iter().filter(|won| **won).count(), 1, "one winner");
    check(&toys, &[(1, winner as u64 + 1)], &[]);
    end(toys);
}

/// Three inserts, two of one key and one of another with the same hash.
pub fn three_inserts_of_two_keys() {
    let (toys, won) = at_once(
        one_bucket(&[]),
        [|t| t.insert(A, 1, &[]), |t| t.insert(A_TOO, 2, &[]), |t| t.insert(A, 3, &[])],
    );
    assert!(won[0] != won[2] && won[1], "one winner for each key");
    check(&toys, &[(1, if won[0] { 1 } else { 3 }), (4, 2)], &[]);
    end(toys);
}

/// Three inserts of different keys into two slots: one goes to an overflow bucket and starts a
/// growth.
pub fn three_inserts_overflow() {
    let (toys, won) = at_once(
        one_bucket(&[]),
        [|t| t.insert(A, 1, &[]), |t| t.insert(B, 2, &[]), |t| t.insert(C, 3, &[])],
    );
    assert_eq!(won, [true; 3]);
    check(&toys, &[(1, 1), (2, 2), (3, 3)], &[]);
    end(toys);
}

/// Two inserts of one key into a full bucket: both link an overflow bucket.
pub fn insert_insert_overflow() {
    let (toys, won) =
        at_once(one_bucket(&[(B, 8), (C, 9)]), [|t| t.insert(A, 1, &[]), |t| t.insert(A, 2, &[])]);
    assert!(won[0] != won[1], "one winner");
    check(&toys, &[(1, if won[0] { 1 } else { 2 }), (2, 8), (3, 9)], &[]);
    end(toys);
}

/// The same, and who is refused finds the other's: readers of the first bucket know by then that there
/// is something beyond it.
pub fn lookup_overflow() {
    let (toys, [first, second]) = at_once(
        one_bucket(&[(B, 8), (C, 9)]),
        [|t| (t.insert(A, 1, &[]), None), |t| (t.insert(A, 2, &[]), t.get(A))],
    );
    assert!(first.0 != second.0, "one winner");
    let number = if first.0 { 1 } else { 2 };
    assert_eq!(second.1, Some(number), "a miss of a key that is there by then");
    check(&toys, &[(1, number), (2, 8), (3, 9)], &[]);
    end(toys);
}

/// A key moves from the first bucket to an overflow bucket, for another takes its slot: it is missed only
/// between the two.
pub fn lookup_into_overflow() {
    let (toys, [_, seen]) = at_once(
        one_bucket(&[(A, 1), (C, 9)]),
        [
            |t| {
                assert_eq!(t.remove(A), Some(1));
                assert!(t.insert(B, 8, &[]));
                assert!(t.insert(A, 2, &[]));
                [None; 2]
            },
            |t| [t.get(A), t.get(A)],
        ],
    );
    let order = [Some(1), None, Some(2)].map(|one| (one == seen[0], one == seen[1]));
    let first = order.iter().position(|one| one.0).expect("one of them");
    assert!(order[first..].iter().any(|one| one.1), "back in time: {seen:?}");
    check(&toys, &[(1, 2), (2, 8), (3, 9)], &[]);
    end(toys);
}

/// Two keys of one hash, inserted at once.
pub fn equal_hashes() {
    let (toys, won) =
        at_once(one_bucket(&[]), [|t| t.insert(A, 1, &[]), |t| t.insert(A_TOO, 2, &[])]);
    assert_eq!(won, [true; 2]);
    check(&toys, &[(1, 1), (4, 2)], &[]);
    end(toys);
}

/// An insert against a removal.
pub fn insert_remove() {
    let (toys, [inserted, removed]) =
        at_once(one_bucket(&[]), [|t| Some(u64::from(t.insert(A, 1, &[]))), |t| t.remove(A)]);
    assert_eq!(inserted, Some(1));
    match removed {
        Some(1) => check(&toys, &[], &[]),
        None => check(&toys, &[(1, 1)], &[]),
        Some(_) => panic!("nothing else was there"),
    }
    end(toys);
}

/// An insert that a rival may commit and then remove: it must not insert again.
pub fn insert_insert_then_remove() {
    let (toys, [first, second]) = at_once(
        one_bucket(&[]),
        [|t| (t.insert(A, 1, &[]), None), |t| (t.insert(A, 2, &[]), t.remove(A))],
    );
    match (first.0, second.0, second.1) {
        // The first; the second failed and removed the first's.
        (true, false, Some(1)) => check(&toys, &[], &[]),
        // The second, which removed its own; the first before or after that.
        (false, true, Some(2)) => check(&toys, &[], &[]),
        (true, true, Some(2)) => check(&toys, &[(1, 1)], &[]),
        other => panic!("not linearizable: {other:?}"),
    }
    end(toys);
}

/// The same with the rivals in different slots: a slot becomes free between them.
pub fn insert_insert_then_remove_slots() {
    let (toys, [first, second]) = at_once(
        one_bucket(&[(B, 9)]),
        [
            |t| {
                t.remove(B);
                (t.insert(A, 1, &[]), None)
            },
            |t| (t.insert(A, 2, &[]), t.remove(A)),
        ],
    );
    match (first.0, second.0, second.1) {
        (true, false, Some(1)) | (false, true, Some(2)) => check(&toys, &[], &[]),
        (true, true, Some(2)) => check(&toys, &[(1, 1)], &[]),
        other => panic!("not linearizable: {other:?}"),
    }
    end(toys);
}

/// A removal and a new insert of the same key against an insert.
pub fn insert_against_remove_insert() {
    let (toys, [first, second]) = at_once(
        one_bucket(&[(A, 9)]),
        [|t| (None, t.insert(A, 1, &[])), |t| (t.remove(A), t.insert(A, 2, &[]))],
    );
    match (first.1, second.0, second.1) {
        (false, Some(9), true) => check(&toys, &[(1, 2)], &[]),
        (true, Some(9), false) => check(&toys, &[(1, 1)], &[]),
        other => panic!("not linearizable: {other:?}"),
    }
    end(toys);
}

/// A replace against a removal.
pub fn replace_remove() {
    let (toys, results) =
        at_once(one_bucket(&[(A, 1)]), [|t| t.replace(A, 2, &[]), |t| t.remove(A)]);
    assert!(
        matches!(results, [Some(1), Some(2)] | [None, Some(1)]),
        "not linearizable: {results:?}"
    );
    check(&toys, &[], &[]);
    end(toys);
}

/// Two upserts of a key that is there.
pub fn put_put() {
    let (toys, results) =
        at_once(one_bucket(&[(A, 1)]), [|t| t.put(A, 2, &[]), |t| t.put(A, 3, &[])]);
    match results {
        [Some(1), Some(2)] => check(&toys, &[(1, 3)], &[]),
        [Some(3), Some(1)] => check(&toys, &[(1, 2)], &[]),
        other => panic!("not linearizable: {other:?}"),
    }
    end(toys);
}

/// Two upserts of a key that is not there.
pub fn put_put_absent() {
    let (toys, results) = at_once(one_bucket(&[]), [|t| t.put(A, 2, &[]), |t| t.put(A, 3, &[])]);
    match results {
        [None, Some(2)] => check(&toys, &[(1, 3)], &[]),
        [Some(3), None] => check(&toys, &[(1, 2)], &[]),
        other => panic!("not linearizable: {other:?}"),
    }
    end(toys);
}

/// An upsert against a removal.
pub fn put_remove() {
    let (toys, results) = at_once(one_bucket(&[(A, 1)]), [|t| t.put(A, 2, &[]), |t| t.remove(A)]);
    match results {
        [Some(1), Some(2)] => check(&toys, &[], &[]),
        [None, Some(1)] => check(&toys, &[(1, 2)], &[]),
        other => panic!("not linearizable: {other:?}"),
    }
    end(toys);
}

/// Two removals of one key.
pub fn remove_remove() {
    let (toys, results) = at_once(one_bucket(&[(A, 1)]), [|t| t.remove(A), |t| t.remove(A)]);
    assert!(matches!(results, [Some(1), None] | [None, Some(1)]), "{results:?}");
    check(&toys, &[], &[]);
    end(toys);
}

/// Lookups of a key that is inserted and removed meanwhile. A freed element must not be read.
pub fn lookup_insert_remove() {
    let (toys, [_, (first, second)]) = at_once(
        one_bucket(&[(B, 9)]),
        [
            |t| {
                assert!(t.insert(A, 1, &[]));
                (t.remove(A), None)
            },
            |t| (t.get(A), t.get(A)),
        ],
    );
    assert!(first.is_none_or(|n| n == 1) && second.is_none_or(|n| n == 1));
    check(&toys, &[(2, 9)], &[]);
    end(toys);
}

/// Lookups of a key that is there throughout, while it is replaced: never a miss, never back.
pub fn lookup_replace() {
    let (toys, [_, (first, second)]) = at_once(
        one_bucket(&[(A, 1)]),
        [
            |t| {
                t.replace(A, 2, &[]);
                (t.replace(A, 3, &[]), None)
            },
            |t| (t.get(A), t.get(A)),
        ],
    );
    assert!(first.is_some() && first <= second, "{first:?}, then {second:?}");
    check(&toys, &[(1, 3)], &[]);
    end(toys);
}

/// A lookup of a key that is there throughout, while its neighbours come and go.
pub fn lookup_beside_others() {
    let (toys, found) = at_once(
        one_bucket(&[(B, 9), (A, 1)]),
        [
            |t| {
                t.remove(B);
                t.insert(C, 3, &[]);
                Some(1)
            },
            |t| t.get(A),
        ],
    );
    assert_eq!(found, [Some(1); 2], "a miss of a key that is there throughout");
    check(&toys, &[(1, 1), (3, 3)], &[]);
    end(toys);
}

/// A batch of lookups, of one key that is there throughout and is replaced, and one that comes.
pub fn lookup_batch() {
    let (toys, [_, [a, b]]) = at_once(
        one_bucket(&[(A, 1)]),
        [
            |t| {
                t.replace(A, 2, &[]);
                t.insert(B, 3, &[]);
                [None; 2]
            },
            |t| t.get_both([A, B]),
        ],
    );
    assert!(matches!(a, Some(1 | 2)) && matches!(b, None | Some(3)), "{a:?} {b:?}");
    check(&toys, &[(1, 2), (2, 3)], &[]);
    end(toys);
}

/// The same of a key in an overflow bucket, while its chain moves and it is replaced.
pub fn lookup_batch_overflow() {
    let (toys, [_, [a, b]]) = at_once(
        one_bucket(&[(B, 9), (C, 3), (A, 1)]),
        [
            |t| {
                t.finish_resize();
                t.replace(A, 2, &[]);
                [None; 2]
            },
            |t| t.get_both([A, B]),
        ],
    );
    assert!(matches!(a, Some(1 | 2)) && b == Some(9), "a miss of a key: {a:?} {b:?}");
    check(&toys, &[(1, 2), (2, 9), (3, 3)], &[]);
    end(toys);
}

/// An entry whose deadline is put off before the clock gets there never reads as expired.
pub fn deadline_put_off() {
    replaced_in_time(LEASE + 3);
}

/// Nor does one that becomes permanent: its word is another kind of word then.
pub fn deadline_taken_away() {
    replaced_in_time(3);
}

fn replaced_in_time(number: u64) {
    let clock = std::sync::Arc::new(AtomicU64::new(LEASE));
    let toys = std::sync::Arc::new(one_bucket(&[(A, LEASE + 1)]));
    let reader = {
        let (toys, clock) = (toys.clone(), clock.clone());
        crate::checker::thread::spawn(move || toys.get_unexpired(A, || clock.fetch_add(0, SeqCst)))
    };
    toys.replace(A, number, &[]);
    clock.fetch_add(2, SeqCst);
    let found = reader.join().expect("no panic");
    let seen = [Some(LEASE + 1), Some(number)].contains(&found);
    assert!(seen, "a miss of a key that is live throughout: {found:?}");
    end(std::sync::Arc::try_unwrap(toys).expect("the thread has ended"));
}

/// Three inserts of one key in three slots, one of them helped by another: two slots become free
/// at different times.
pub fn insert_insert_insert_slots() {
    let (toys, won) = at_once(
        one_bucket(&[(B, 9)]),
        [
            |t| t.insert(A, 1, &[]),
            |t| {
                t.remove(B);
                t.insert(A, 2, &[])
            },
            |t| t.insert(A, 3, &[]),
        ],
    );
    assert_eq!(won.iter().filter(|won| **won).count(), 1, "one winner");
    let winner = won.iter().position(|won| *won).expect("a winner");
    check(&toys, &[(1, winner as u64 + 1)], &[]);
    end(toys);
}

/// The programs in which a killed element, published again, may be committed by a stale helper.
pub fn stale_helper() {
    let (toys, won) = at_once(
        one_bucket(&[(B, 9)]),
        [
            |t| {
                t.remove(B);
                let first = t.insert(A, 1, &[]);
                t.remove(A);
                (first, t.insert(A, 4, &[]))
            },
            |t| (false, t.insert(A, 2, &[])),
            |t| (false, t.insert(A, 3, &[])),
        ],
    );
    let _ = won;
    assert_eq!(toys.walk().len(), 1, "one element of the key");
    assert_eq!(toys.len(), 1, "length");
    end(toys);
}

/// Three inserts of one key in three slots: the last one publishes first, in an overflow bucket,
/// and adopts the word of the second, which the first has not seen.
pub fn three_inserts_three_slots() {
    let (toys, won) = at_once(
        one_bucket(&[(B, 8), (C, 9)]),
        [
            |t| t.insert(A, 3, &[]),
            |t| {
                t.remove(C);
                t.insert(A, 2, &[])
            },
            |t| {
                t.remove(B);
                t.insert(A, 1, &[])
            },
        ],
    );
    assert_eq!(won.iter().filter(|won| **won).count(), 1, "one winner");
    let winner = won.iter().position(|won| *won).expect("a winner");
    check(&toys, &[(1, 3 - winner as u64)], &[]);
    end(toys);
}

/// Two inserts of one key and who reads meanwhile: nobody sees the one that is refused.
pub fn lookup_insert_insert() {
    let (toys, results) = at_once(
        one_bucket(&[]),
        [|t| t.insert(A, 1, &[]).then_some(1), |t| t.insert(A, 2, &[]).then_some(2), |t| t.get(A)],
    );
    let [first, second, found] = results;
    assert!(first.is_some() != second.is_some(), "one winner");
    let winner = first.or(second);
    assert!(found.is_none() || found == winner, "{found:?} of a key that is {winner:?}");
    check(&toys, &[(1, winner.expect("one of the two"))], &[]);
    end(toys);
}
