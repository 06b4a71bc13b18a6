//! What can happen to an id while its lease is held.

use process_registry::{Child, Decision};

use crate::{SECOND, TTL, World, worker};

/// Whose entry the id has then, live or empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    Own,
    Others,
    Nothing,
}

pub(crate) struct Fate {
    pub(crate) name: &'static str,
    pub(crate) befalls: fn(&World),
    pub(crate) left: Left,
    /// Whether the registration is current.
    pub(crate) current: bool,
    /// Whether other ids go as well.
    pub(crate) clears: bool,
}

const fn own(name: &'static str, befalls: fn(&World)) -> Fate {
    Fate { name, befalls, left: Left::Own, current: true, clears: false }
}

/// What is left is the registration's own, but empty.
const fn emptied(name: &'static str, befalls: fn(&World)) -> Fate {
    Fate { name, befalls, left: Left::Own, current: false, clears: false }
}

const fn others(name: &'static str, befalls: fn(&World)) -> Fate {
    Fate { name, befalls, left: Left::Others, current: false, clears: false }
}

const fn gone(name: &'static str, befalls: fn(&World)) -> Fate {
    Fate { name, befalls, left: Left::Nothing, current: false, clears: false }
}

fn bury(world: &World) {
    world.registry.bulk_delete([("id", ["here", "there"])]);
}

fn expire(world: &World) {
    world.clock.advance(TTL);
}

/// Grows the table, and halves it again.
fn migrate(world: &World) {
    let registry = &world.registry;
    for other in 0..300 {
        registry.insert(format!("other {other}"), worker(1));
    }
    registry.retain(|entry| !entry.id().starts_with("other"));
    registry.shrink_to_fit();
}

pub(crate) const FATES: &[Fate] = &[
    own("untouched", |_| {}),
    own("updated", |world| {
        world.registry.update("id", |child| child.add_tag("y")).expect("live");
    }),
    own("updated a hundred times", |world| {
        for pid in 0..100 {
            world.registry.update("id", |child| child.bind("here", pid)).expect("live");
        }
    }),
    own("rebound", |world| {
        world.registry.rebind("id", "here", 9).expect("live");
    }),
    own("computed anew", |world| {
        world.registry.compute("id", |_| Decision::Put(worker(9)));
    }),
    own("merged by bulk_insert", |world| world.registry.bulk_insert([("id", worker(9))])),
    own("unbound in part by bulk_delete", |world| {
        world.registry.bulk_delete([("id", ["there"])]);
    }),
    own("unbound in part by remove_node", |world| {
        assert_eq!(world.registry.remove_node("there"), ["id"]);
    }),
    own("renewed by another, past its deadline", |world| {
        world.registry.update("id", |child| child.set_ttl(3 * TTL)).expect("live");
        world.clock.advance(2 * TTL);
        world.registry.purge_expired();
    }),
    own("made permanent, past its deadline", |world| {
        world.registry.update("id", Child::make_permanent).expect("live");
        world.clock.advance(2 * TTL);
        world.registry.purge_expired();
    }),
    own("refused to others", |world| {
        assert!(world.registry.register("id", worker(9)).is_err());
        assert!(world.registry.try_insert("id", worker(9)).is_err());
    }),
    own("spared by delete_if and delete_if_expired", |world| {
        assert!(world.registry.delete_if("id", |_| false).is_none());
        assert!(world.registry.delete_if_expired("id").is_none());
    }),
    own("moved to other tables", migrate),
    emptied("made a tombstone", bury),
    emptied("emptied by an update", |world| {
        world.registry.update("id", Child::unbind_all).expect("live");
    }),
    emptied("emptied by compute", |world| {
        world.registry.compute("id", |_| Decision::Put(Child::new("empty")));
    }),
    others("a tombstone, revived by bulk_insert", |world| {
        bury(world);
        world.registry.bulk_insert([("id", worker(9))]);
    }),
    others("a tombstone, revived by compute", |world| {
        bury(world);
        world.registry.compute("id", |_| Decision::Put(worker(9)));
    }),
    others("a tombstone, registered by another", |world| {
        bury(world);
        world.registry.register("id", worker(9)).expect("free").detach();
    }),
    others("a tombstone, replaced by a pending one", |world| {
        bury(world);
        world.registry.insert("id", Child::new("pending"));
    }),
    others("pending, registered by another", |world| {
        world.registry.update("id", Child::unbind_all).expect("live");
        world.registry.register("id", worker(9)).expect("free").detach();
    }),
    gone("a tombstone, expired", |world| {
        bury(world);
        world.clock.advance(31 * SECOND);
    }),
    gone("deleted", |world| drop(world.registry.delete("id"))),
    gone("removed by compute", |world| drop(world.registry.compute("id", |_| Decision::Remove))),
    others("deleted and inserted", |world| {
        world.registry.delete("id");
        world.registry.insert("id", worker(9));
    }),
    others("deleted and inserted just as it was", |world| {
        world.registry.delete("id");
        world.registry.insert("id", worker(1).on("there", 2).tag("x").ttl(TTL));
    }),
    others("deleted and registered by another", |world| {
        world.registry.delete("id");
        world.registry.register("id", worker(9)).expect("free").detach();
    }),
    others("replaced", |world| drop(world.registry.insert("id", worker(9)))),
    others("replaced and updated", |world| {
        for pid in 9..12 {
            world.registry.insert("id", worker(pid));
        }
        world.registry.update("id", |child| child.add_tag("y")).expect("live");
    }),
    others("replaced and moved to other tables", |world| {
        world.registry.insert("id", worker(9));
        migrate(world);
    }),
    others("replaced and emptied", |world| {
        world.registry.insert("id", worker(9));
        world.registry.bulk_delete([("id", ["here"])]);
    }),
    gone("unbound by remove_node", |world| {
        world.registry.remove_node("here");
        world.registry.remove_node("there");
        for id in ["before", "after"] {
            world.registry.insert(id, worker(100));
        }
    }),
    Fate { clears: true, ..gone("cleared", |world| world.registry.clear_all()) },
    Fate {
        clears: true,
        ..others("cleared and inserted", |world| {
            world.registry.clear_all();
            world.registry.insert("id", worker(9));
        })
    },
    gone("expired", expire),
    gone("expired and purged", |world| {
        expire(world);
        assert_eq!(world.registry.purge_expired(), 1);
    }),
    others("expired and inserted", |world| {
        expire(world);
        world.registry.insert("id", worker(9));
    }),
    others("expired and registered by another", |world| {
        expire(world);
        world.registry.register("id", worker(9)).expect("free").detach();
    }),
    others("expired, purged, and registered by another with a ttl", |world| {
        expire(world);
        world.registry.purge_expired();
        world.registry.register("id", worker(9).ttl(TTL)).expect("free").detach();
    }),
    gone("registered by another, expired too", |world| {
        expire(world);
        world.registry.register("id", worker(9).ttl(TTL)).expect("free").detach();
        expire(world);
    }),
];
