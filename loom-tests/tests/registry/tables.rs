//! Tables that grow and shrink, and names that come and go, under readers of an entry that stays.

use crate::world::World;

/// Three writers of few ids; what stays is found exactly once by every way to look.
pub fn churn() {
    let world = World::new();
    world.fill([0]);
    world.at_once([
        |world| world.sees(0),
        |world| {
            world.insert(1, 11);
            world.registry.delete(&2);
            world.insert(2, 12);
        },
        |world| {
            world.insert(2, 22);
            world.registry.delete(&1);
            world.registry.delete(&2);
        },
        |world| {
            world.insert(0, 30);
            world.insert(1, 31);
            world.registry.delete(&1);
        },
    ]);
    let ids = world.check();
    assert!(ids.contains(&0), "what stays");
    world.end();
}

/// Three writers fill a table of one bucket beyond what it holds, twice; what stays is found.
pub fn growth() {
    let world = World::new();
    world.fill([0, 1]);
    world.at_once([
        |world| world.sees(0),
        |world| world.fill([2, 3]),
        |world| {
            world.fill([4]);
            world.insert(0, 40);
            assert!(world.registry.delete(&1).is_some(), "a delete misses");
        },
        |world| world.fill([6, 7, 8]),
    ]);
    assert_eq!(world.check(), [0, 2, 3, 4, 6, 7, 8]);
    world.end();
}

/// A table is halved in the middle of inserts and deletes.
pub fn halving() {
    let world = World::new();
    world.registry.reserve(8);
    world.fill([0, 1, 2]);
    world.at_once([
        |world| world.sees(0),
        |world| world.registry.shrink_to_fit(),
        |world| {
            assert!(world.registry.delete(&1).is_some(), "a delete misses");
            world.fill([4, 1]);
        },
        |world| {
            world.insert(0, 30);
            assert!(world.registry.delete(&2).is_some(), "a delete misses");
            world.fill([5]);
        },
    ]);
    assert_eq!(world.check(), [0, 1, 4, 5]);
    world.registry.delete(&4);
    world.registry.shrink_to_fit();
    assert_eq!(world.check(), [0, 1, 5]);
    world.end();
}

/// One thread makes the table larger and another smaller while a third writes.
pub fn up_and_down() {
    let world = World::new();
    world.fill([0, 1, 2]);
    world.at_once([
        |world| {
            world.sees(0);
            world.sees(0);
        },
        |world| world.registry.reserve(6),
        |world| {
            world.registry.shrink_to_fit();
            world.registry.shrink_to_fit();
        },
        |world| {
            assert!(world.registry.delete(&1).is_some(), "a delete misses");
            world.fill([3]);
            world.insert(0, 50);
            assert!(world.registry.delete(&3).is_some(), "a delete misses");
        },
    ]);
    assert_eq!(world.check(), [0, 2]);
    world.end();
}

/// All ids have one hash: one chain holds them, and one fingerprint tells nothing.
pub fn equal_hashes() {
    let world = World::hashed(u8::MAX);
    world.fill([0, 1]);
    world.at_once([
        |world| world.sees(0),
        |world| {
            world.fill([2]);
            assert!(world.registry.delete(&1).is_some(), "a delete misses");
        },
        |world| {
            world.fill([3]);
            assert!(world.registry.delete(&3).is_some(), "a delete misses");
        },
        |world| {
            world.insert(0, 40);
            world.fill([4]);
        },
    ]);
    assert_eq!(world.check(), [0, 2, 4]);
    world.end();
}

/// The only children with a tag, on a node, come and go, so that their sets do.
pub fn names_come_and_go() {
    fn round(world: &World, id: u8) {
        let child = world.bare(u32::from(id)).on("b", 0).tag("x");
        assert!(world.registry.insert(world.id(id), child).is_none());
        let found = world.registry.match_tag("x");
        let own = found.iter().filter(|(found, _)| found.number() == id);
        assert_eq!(own.count(), 1, "a query by tag of {id}");
        assert!(world.registry.delete(&id).is_some(), "a delete misses");
    }
    let world = World::new();
    world.at_once([
        |world| round(world, 1),
        |world| round(world, 2),
        |world| round(world, 3),
        |world| {
            let child = world.bare(4).on("b", 0).on("c", 0).tag("y").tag("x");
            world.registry.insert(world.id(4), child);
        },
    ]);
    assert_eq!(world.check(), [4]);
    let changed = world.registry.remove_node("c");
    assert_eq!(changed.len(), 1);
    drop(changed);
    assert_eq!(world.check(), [4]);
    world.end();
}
