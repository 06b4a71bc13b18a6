//! The slot words by themselves: publishing, resolving, committing and killing in given slots of
//! one chain, without scans and growth around them, so that a deeper search is affordable.

use process_registry::__model::Toys;

use crate::harness::{at_once, end};
use crate::keys::A;

/// One key's chain of four vacant slots.
fn chain() -> Toys {
    let toys = Toys::new(0);
    toys.lengthen(A);
    toys
}

fn one_winner(toys: Toys, won: &[bool], numbers: &[u64]) {
    assert_eq!(won.iter().filter(|won| **won).count(), 1, "one winner");
    let winner = won.iter().position(|won| *won).expect("a winner");
    assert_eq!(toys.walk(), [(1, numbers[winner])], "one element of the key");
    end(toys);
}

/// Two rivals in neighbouring slots.
pub fn two_slots() {
    let (toys, won) = at_once(chain(), [|t| t.insert_at(A, 1, 0), |t| t.insert_at(A, 2, 1)]);
    one_winner(toys, &won, &[1, 2]);
}

/// Two rivals in two buckets of the chain.
pub fn two_buckets() {
    let (toys, won) = at_once(chain(), [|t| t.insert_at(A, 1, 3), |t| t.insert_at(A, 2, 0)]);
    one_winner(toys, &won, &[1, 2]);
}

/// Three rivals in three slots.
pub fn three_slots() {
    let (toys, won) = at_once(
        chain(),
        [|t| t.insert_at(A, 2, 1), |t| t.insert_at(A, 3, 2), |t| t.insert_at(A, 1, 0)],
    );
    one_winner(toys, &won, &[2, 3, 1]);
}

/// A rival that is removed as soon as it is committed, against two in higher slots.
pub fn slots_and_removal() {
    let (toys, won) = at_once(
        chain(),
        [
            |t| t.insert_at(A, 1, 1),
            |t| {
                let won = t.insert_at(A, 2, 0);
                let removed = t.remove(A);
                // What was there was removed, by nobody else.
                assert!(removed.is_some());
                won && removed == Some(1)
            },
        ],
    );
    // If the second won and removed the first's: the first came in after.
    let left = toys.walk();
    assert!(left.len() <= 1 && (left.is_empty() || left == [(1, 1)] && won[0]), "{left:?}");
    end(toys);
}

/// A stale helper in the highest slot, an element that may be killed in the middle, and one below
/// that comes, goes and comes again.
pub fn stale_helper() {
    let (toys, _) = at_once(
        chain(),
        [
            |t| t.insert_at(A, 2, 1),
            |t| t.insert_at(A, 3, 2),
            |t| {
                t.insert_at(A, 1, 0);
                t.remove(A);
                t.insert_at(A, 4, 0)
            },
        ],
    );
    assert_eq!(toys.walk().len(), 1, "one element of the key");
    end(toys);
}

/// The same as `three_slots` with the threads in another order.
pub fn three_slots_lowest_first() {
    let (toys, won) = at_once(
        chain(),
        [|t| t.insert_at(A, 2, 1), |t| t.insert_at(A, 1, 0), |t| t.insert_at(A, 3, 2)],
    );
    one_winner(toys, &won, &[2, 1, 3]);
}
