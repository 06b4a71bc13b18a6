//! Changes of single ids: one winner, nothing lost, deadlines kept.

use std::time::Duration;

use process_registry::{Decision, OwnedEntry};

use crate::world::{World, whole};

const SHORT: Duration = Duration::from_secs(10);
const LONG: Duration = Duration::from_secs(1_000);

/// Four threads insert one absent id during growth: one wins, and all agree on who.
pub fn one_winner() {
    fn vie(world: &World, number: u32) -> (bool, u64) {
        let mine = match world.registry.try_insert(world.id(9), world.child(number)) {
            Ok(own) => (true, *own.metadata()),
            Err(taken) => (false, *taken.into_parts().2.metadata()),
        };
        world.fill([number as u8]);
        let late = world.registry.get_or_insert_with(world.id(9), || world.child(99));
        assert_eq!(*late.metadata(), mine.1, "another winner");
        mine
    }
    let world = World::new();
    let results = world.at_once([
        |world| vie(world, 1),
        |world| vie(world, 2),
        |world| vie(world, 3),
        |world| vie(world, 4),
    ]);
    assert_eq!(results.iter().filter(|(won, _)| *won).count(), 1, "one winner");
    assert!(results.iter().all(|(_, seen)| *seen == results[0].1), "one winner");
    assert_eq!(world.check(), [1, 2, 3, 4, 9]);
    world.end();
}

/// Updates by two threads during growth: none is lost, and a reader sees them in order.
pub fn counters() {
    fn add(world: &World) -> u64 {
        let mut last = 0;
        for _ in 0..3 {
            let updated = world.registry.update(&0, |child| {
                let next = *child.get_metadata() + 1;
                *child.metadata_mut() = next;
                child.spec_mut().number = next as u32;
                child.bind("a", next as u32);
                next
            });
            let next = updated.expect("it is there");
            assert!(next > last, "an update is lost");
            last = next;
        }
        0
    }
    let world = World::new();
    world.fill([0]);
    let incarnation = world.registry.get_owned(&0).map(|one| one.incarnation());
    world.at_once([
        add,
        add,
        |world| {
            world.fill([1, 2, 3, 4]);
            0
        },
        |world| {
            let mut last = 0;
            for _ in 0..3 {
                let one = world.registry.lookup(&0).expect("it is there");
                assert!(whole(&one) && *one.metadata() >= last, "an update is undone");
                assert_eq!(one.version(), *one.metadata() + 1, "versions count updates");
                last = *one.metadata();
            }
            world.sees(0);
            last
        },
    ]);
    let one = world.registry.get_owned(&0);
    let last = one.map(|one| (*one.metadata(), one.version(), Some(one.incarnation())));
    assert_eq!(last.map(|l| (l.0, l.1)), Some((6, 7)), "an update is lost");
    assert_eq!(last.and_then(|last| last.2), incarnation);
    assert_eq!(world.check(), [0, 1, 2, 3, 4]);
    world.end();
}

/// Computes, deletes and inserts of one id: what was put in is what came out and what is left.
pub fn compute() {
    fn count(one: Option<crate::world::Owned>) -> u64 {
        one.map_or(0, |one| *one.metadata())
    }
    fn add(world: &World) -> u64 {
        for _ in 0..2 {
            let after = world.registry.compute(world.id(0), |one| {
                let next = one.map_or(0, |one| *one.metadata()) + 1;
                Decision::Put(world.child(next as u32))
            });
            assert!(count(after) > 0);
        }
        0
    }
    let world = World::new();
    let out = world.at_once([
        add,
        |world| count(world.registry.delete(&0)) + count(world.registry.delete(&0)),
        |world| {
            let replaced = count(world.insert(0, 100));
            let removed = world.registry.delete_if(&0, |one| *one.metadata() >= 101);
            replaced + count(removed)
        },
        |world| {
            let mut taken = 0;
            world.registry.compute(world.id(0), |one| {
                taken = one.map_or(0, |one| *one.metadata());
                if taken >= 100 {
                    return Decision::Remove;
                }
                taken = 0;
                Decision::Keep
            });
            world.fill([1, 2]);
            taken
        },
    ]);
    let left = count(world.registry.get_owned(&0));
    assert_eq!(out.iter().sum::<u64>() + left, 102, "counts are lost");
    world.check();
    world.end();
}

/// A lease is put off before its time: nobody misses it and nobody sweeps it.
pub fn renewed_lease() {
    let world = World::new();
    world.registry.insert(world.id(0), world.child(0).ttl(SHORT));
    world.registry.insert(world.id(1), world.child(1).ttl(SHORT));
    let swept = world.at_once([
        |world| {
            world.sees(0);
            0
        },
        |world| {
            world.registry.update(&0, |child| child.set_ttl(LONG)).expect("it is there");
            world.clock.advance(2 * SHORT);
            world.registry.purge_expired()
        },
        |world| {
            assert!(world.registry.delete_if_expired(&0).is_none(), "a renewed lease is swept");
            world.registry.purge_expired()
        },
        |world| {
            world.fill([2]);
            for _ in 0..8 {
                assert!(world.registry.contains(&0), "a lookup misses 0");
            }
            0
        },
    ]);
    assert_eq!(swept.iter().sum::<usize>(), 1, "one lease has ended");
    assert_eq!(world.check(), [0, 2]);
    world.clock.advance(LONG);
    assert_eq!(world.registry.purge_expired(), 1);
    assert_eq!(world.check(), [2]);
    world.end();
}

/// Time passes while leases are inserted anew, renewed, swept and taken over: each ends once.
pub fn expiry() {
    let world = World::new();
    world.registry.insert(world.id(0), world.child(0).ttl(SHORT));
    let [passed, renewed, first, second] = world.at_once([
        |world| {
            world.clock.advance(2 * SHORT);
            usize::from(world.registry.contains(&0))
        },
        |world| usize::from(world.registry.update(&0, |child| child.set_ttl(LONG)).is_ok()),
        |world| world.registry.purge_expired(),
        |world| {
            let taken = world.registry.try_insert(world.id(0), world.child(7));
            usize::from(taken.is_ok())
        },
    ]);
    let left = world.registry.get_owned(&0).as_deref().map(|one| one.deadline().is_some());
    match (renewed, second) {
        // Put off in time: nobody may have taken it over.
        (1, 0) => assert_eq!((left, first), (Some(true), 0), "a renewed lease is swept"),
        // Taken over in the end, swept or not, and perhaps after that given a deadline.
        (renewed, 1) => assert_eq!(left, Some(renewed == 1), "one that was taken over"),
        (_, _) => assert_eq!(left, None, "nobody renewed it"),
    }
    assert!(passed == 0 || renewed + second > 0, "an expired lease is seen");
    let owned: Vec<OwnedEntry<_, _, _, _>> = world.registry.get_owned(&0).into_iter().collect();
    world.check();
    world.end_with(owned);
}
