//! Operations on many children, against each other and against those of one.

use crate::world::{TOMBSTONE, World, whole};

/// A node goes twice while children are bound to it and elsewhere: who was bound to it throughout
/// has lost it, and each change is reported by the one who made it.
pub fn remove_node() {
    let world = World::new();
    for id in [0, 1, 2] {
        let child = world.child(u32::from(id)).on("b", 70);
        world.registry.insert(world.id(id), child);
    }
    world.registry.insert(world.id(3), world.bare(3).on("b", 70).tag("t"));
    let changed = |world: &World| {
        let changed = world.registry.remove_node("b");
        changed.iter().map(|id| id.number()).collect::<Vec<_>>()
    };
    let [first, second, ..] = world.at_once([
        changed,
        changed,
        |world| {
            world.sees(0);
            world.registry.insert(world.id(4), world.bare(4).on("b", 80).tag("x"));
            vec![]
        },
        |world| {
            world.registry.rebind(&1, "c", 90).expect("it is there");
            // Before the node went, it stays without it; after that, it is no more.
            let _ = world.registry.rebind(&3, "c", 90);
            world.registry.delete(&2);
            vec![]
        },
    ]);
    for id in [0, 1, 2, 3] {
        let times = first.iter().chain(&second).filter(|changed| **changed == id).count();
        assert!(times == 1 || id == 2 && times == 0, "{id} has lost it {times} times");
        if let Some(one) = world.registry.lookup(&id) {
            assert!(one.pid_on("b").is_none(), "{id} has not lost it");
        }
    }
    let ids = world.check();
    let ids: Vec<_> = ids.into_iter().filter(|id| !matches!(id, 3 | 4)).collect();
    assert_eq!(ids, [0, 1]);
    assert_eq!(world.registry.get_owned(&1).and_then(|one| one.pid_on("c").copied()), Some(90));
    world.end();
}

/// Merges of different nodes into one child, and one node taken from it: nobody undoes another.
pub fn merge() {
    let world = World::new();
    world.fill([0]);
    let incarnation = |world: &World| world.registry.get_owned(&0).map(|one| one.incarnation());
    let before = incarnation(&world);
    world.at_once([
        |world| {
            world.registry.bulk_insert([
                (world.id(0), world.child(0).on("b", 1)),
                (world.id(1), world.child(1)),
            ]);
        },
        |world| {
            world.registry.bulk_insert([
                (world.id(1), world.child(1).on("b", 1)),
                (world.id(0), world.bare(0).on("c", 2).tag("t")),
            ]);
        },
        |world| {
            world.registry.bulk_delete([(&0, ["b"])]);
            world.fill([2]);
        },
        |world| world.sees(0),
    ]);
    assert_eq!(incarnation(&world), before, "a merge is no new child");
    let bound = |id: u8, node| {
        let one = world.registry.get_owned(&id).expect("it is there");
        one.pid_on(node).is_some()
    };
    assert!(bound(0, "a") && bound(0, "c") && bound(1, "a") && bound(1, "b"), "a merge is lost");
    assert_eq!(world.check(), [0, 1, 2]);
    world.end();
}

/// A child loses its last node, is revived, and its tombstone is swept, all at once.
pub fn revival() {
    let world = World::new();
    world.fill([0, 1]);
    world.at_once([
        |world| {
            world.registry.bulk_delete([(&0, ["a"]), (&1, ["a"])]);
            world.clock.advance(TOMBSTONE);
            world.registry.purge_expired();
        },
        |world| {
            world.registry.bulk_insert([(world.id(0), world.bare(0).on("b", 5).tag("x"))]);
        },
        |world| {
            world.registry.purge_expired();
            world.fill([2]);
        },
        |world| {
            if let Ok(one) = world.registry.try_insert(world.id(1), world.child(9)) {
                assert!(whole(&one), "a torn entry");
                // Nobody else may take it: its node went before.
                assert!(world.registry.contains(&1), "a revived child is swept");
            }
        },
    ]);
    // Merged before its node went, or revived after it: it is there, permanent, on the new one.
    let one = world.registry.get_owned(&0).expect("a revived child is swept");
    assert!(one.deadline().is_none(), "a revived child has a deadline");
    assert!(one.pid_on("b").is_some() && one.pid_on("a").is_none());
    drop(one);
    let ids = world.check();
    let ids: Vec<_> = ids.into_iter().filter(|id| *id != 1).collect();
    assert_eq!(ids, [0, 2]);
    world.clock.advance(TOMBSTONE);
    world.check();
    world.end();
}

/// All but some are removed while others come and what stays is updated.
pub fn retain() {
    let world = World::new();
    world.fill([0, 1, 2, 3]);
    world.at_once([
        |world| world.sees(0),
        |world| world.registry.retain(|one| one.id().number() % 2 == 0),
        |world| {
            world.insert(0, 20);
            world.insert(2, 22);
            world.fill([6]);
        },
        |world| {
            world.registry.retain(|one| one.id().number() != 1);
            world.insert(5, 5);
        },
    ]);
    let ids = world.check();
    let ids: Vec<_> = ids.into_iter().filter(|id| *id != 5).collect();
    assert_eq!(ids, [0, 2, 6]);
    world.end();
}

/// Everything is removed, twice, during inserts and updates: what was there before is gone.
pub fn clear_all() {
    let world = World::new();
    world.fill([0, 1, 2]);
    world.registry.bulk_delete([(&2, ["a"])]);
    world.at_once([
        |world| {
            world.registry.clear_all();
            false
        },
        |world| {
            world.registry.clear_all();
            world.registry.shrink_to_fit();
            false
        },
        |world| {
            world.fill([3, 4]);
            assert!(world.registry.match_tag("t").len() <= 4, "too many");
            false
        },
        |world| world.registry.rebind(&0, "b", 0).is_ok(),
        |world| {
            let first = world.registry.rebind(&0, "c", 0).is_ok();
            let second = world.registry.rebind(&0, "c", 1).is_ok();
            assert!(first || !second, "a removed child is back");
            first
        },
    ]);
    let ids = world.check();
    // What was there throughout goes, however often it was rebound meanwhile.
    let may_stay = |id: &u8| matches!(id, 3 | 4);
    assert!(ids.iter().all(may_stay), "what was there is gone");
    world.registry.clear_all();
    assert!(world.check().is_empty());
    assert!(world.registry.tags().is_empty() && world.registry.nodes().is_empty());
    world.end();
}
