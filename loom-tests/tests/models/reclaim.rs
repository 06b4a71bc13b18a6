//! Retired memory: when it is freed, by whom, and who may still hold it.

use std::sync::Arc;

use process_registry::__model::Toys;

use crate::checker::thread;
use crate::harness::{at_once, check, end};
use crate::keys::{A, C, one_bucket};

/// A lookup against a removal whose memory is freed at once.
pub fn lookup_remove_free() {
    let (toys, [_, found]) = at_once(
        one_bucket(&[(A, 1)]),
        [
            |t| {
                let old = t.remove(A);
                t.reclaim();
                old
            },
            |t| t.get(A),
        ],
    );
    assert!(matches!(found, Some(1) | None));
    check(&toys, &[], &[]);
    end(toys);
}

/// A counted reference is taken while the element is removed and given up.
pub fn own_remove() {
    let (toys, [_, owned]) = at_once(
        one_bucket(&[(A, 1)]),
        [
            |t| {
                t.remove(A);
                t.reclaim();
                None
            },
            |t| t.own(A),
        ],
    );
    check(&toys, &[], &[]);
    toys.reclaim();
    assert_eq!(owned.as_ref().map_or(1, |owned| owned.number()), 1);
    drop(toys);
    assert_eq!(owned.as_ref().map_or(1, |owned| owned.number()), 1, "outlives the store");
    drop(owned);
    assert_eq!(process_registry::__model::blocks(), 0, "memory is lost");
}

/// Two counted references at once: no count is lost.
pub fn own_own() {
    let (toys, owned) = at_once(one_bucket(&[(A, 1)]), [|t| t.own(A), |t| t.own(A)]);
    toys.remove(A);
    toys.collect();
    let [first, second] = owned.map(|owned| owned.expect("it is there"));
    drop(first);
    assert_eq!(second.number(), 1);
    drop(second);
    end(toys);
}

/// The store goes on one thread, the last counted reference on another.
pub fn drop_drop() {
    let toys = one_bucket(&[(A, 1), (C, 3)]);
    let owned = toys.own(A).expect("it is there");
    toys.remove(C);
    let other = thread::spawn(move || {
        let again = owned.clone();
        drop(owned);
        assert_eq!(again.number(), 1);
    });
    drop(toys);
    other.join().expect("no panic");
    assert_eq!(process_registry::__model::blocks(), 0, "memory is lost");
}

/// Two writers with one shelf: one finds it gone and brings another.
pub fn one_shelf() {
    let (toys, removed) = at_once(
        one_bucket(&[(A, 1), (C, 3)]),
        [
            |t| {
                let old = t.remove(A);
                t.reclaim();
                old
            },
            |t| {
                let old = t.remove(C);
                t.reclaim();
                old
            },
        ],
    );
    assert_eq!(removed, [Some(1), Some(3)]);
    check(&toys, &[], &[]);
    end(toys);
}

/// A shelf with a batch on it goes from the thread that sealed it to one that only frees.
pub fn shelf_handed_on() {
    let (toys, [removed, _]) = at_once(
        one_bucket(&[(A, 1)]),
        [
            |t| t.remove(A),
            |t| {
                t.reclaim();
                None
            },
        ],
    );
    assert_eq!(removed, Some(1));
    check(&toys, &[], &[]);
    end(toys);
}

/// `collect` against a writer that retires.
pub fn collect_remove() {
    let (toys, _) = at_once(
        one_bucket(&[(A, 1)]),
        [
            |t| {
                t.collect();
                None
            },
            |t| {
                let old = t.remove(A);
                t.reclaim();
                old
            },
        ],
    );
    toys.collect();
    assert_eq!(process_registry::__model::blocks(), 3, "only the tables are left");
    end(toys);
}

/// A held pin keeps what was removed under it; `repin` lets go.
pub fn repin() {
    let toys = Arc::new(one_bucket(&[(A, 1)]));
    let reader = {
        let toys = Arc::clone(&toys);
        thread::spawn(move || {
            let mut pin = toys.pin();
            let first = toys.get(A);
            pin.repin();
            let second = toys.get(A);
            drop(pin);
            (first, second)
        })
    };
    toys.remove(A);
    toys.reclaim();
    let (first, second) = reader.join().expect("no panic");
    assert!(!(first.is_none() && second.is_some()), "it does not come back");
    end(Arc::try_unwrap(toys).expect("the thread has ended"));
}

/// A store goes while a pin from before holds its batch back; another store uses the flags.
pub fn flag_reuse() {
    let other = Arc::new(one_bucket(&[(C, 3)]));
    let toys = one_bucket(&[(A, 1)]);
    let reader = {
        let other = Arc::clone(&other);
        thread::spawn(move || other.get(C))
    };
    toys.remove(A);
    drop(toys);
    other.remove(C);
    other.reclaim();
    let found = reader.join().expect("no panic");
    assert!(matches!(found, Some(3) | None));
    end(Arc::try_unwrap(other).expect("the thread has ended"));
}

/// Everything at once under a pin that is held: what is retired under it waits for it.
pub fn nested_pins() {
    let (toys, [_, found]) = at_once(
        one_bucket(&[(A, 1)]),
        [
            |t: &Toys| {
                t.remove(A);
                t.reclaim();
                t.insert(A, 2, &[]);
                None
            },
            |t| {
                let _pin = t.pin();
                t.get(A).or(t.get(A))
            },
        ],
    );
    assert!(matches!(found, Some(1 | 2) | None));
    check(&toys, &[(1, 2)], &[]);
    end(toys);
}
