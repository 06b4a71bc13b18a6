//! Section 1 of the rules: the model, and who sees which entry.

mod support;

use std::time::Duration;

use process_registry::{Child, ChildId, Decision, Entry, Global, Local, Registry};

use support::world::{Small, Spec, World, bound, child, sorted};
use support::{counts_match_a_walk, plain, tags_of};

type Shown = Entry<Spec, u32, u32>;

// ---- 1.1 ------------------------------------------------------------------------------------------

#[test]
fn row_1_1_an_entry_shows_all_that_was_given() {
    let world = World::new();
    let given = child(&[("a", 1), ("here", 2)]).tag("x").tag("y");
    let ttl = Duration::from_secs(7);
    world.registry.insert("id", given.metadata(42).ttl(ttl));
    let entry = world.registry.lookup("id").expect("inserted");
    assert_eq!(entry.id(), "id");
    assert_eq!(*entry.spec(), "spec");
    assert_eq!(plain(entry.bindings()), bound(&[("a", 1), ("here", 2)]));
    assert_eq!(tags_of(&entry), ["x", "y"]);
    assert!(entry.has_tag("x") && !entry.has_tag("z"));
    assert_eq!(*entry.metadata(), 42);
    assert_eq!(entry.deadline(), Some(world.clock.now() + ttl));
    assert_eq!(entry.version(), 1);
    assert_eq!(world.registry.local_node(), "here");
}

#[test]
fn row_1_1_every_insert_is_a_new_incarnation_never_used_before() {
    let world = World::new();
    let mut seen = std::collections::HashSet::new();
    for round in 0..50 {
        for id in ["a", "b"] {
            world.registry.insert(id, child(&[("here", round)]));
            assert!(seen.insert(world.incarnation(id)), "round {round}");
        }
        if round % 3 == 0 {
            world.registry.delete("a");
        }
    }
}

#[test]
fn row_1_1_updates_carry_the_incarnation_on() {
    let World { registry, .. } = &World::new();
    registry.insert("id", child(&[("a", 1), ("here", 1)]));
    let first = registry.get_owned("id").expect("inserted");
    registry.update("id", |child| child.bind("b", 2)).expect("live");
    registry.rebind("id", "b", 3).expect("live");
    registry.bulk_insert([("id", child(&[("b", 4)]))]);
    registry.bulk_delete([("id", ["b"])]);
    registry.compute("id", |_| Decision::Put(child(&[("a", 1), ("c", 2)])));
    registry.remove_node("a");
    let last = registry.get_owned("id").expect("live");
    assert_eq!(last.incarnation(), first.incarnation());
    assert_eq!(last.version(), 7);
    assert_eq!(plain(last.bindings()), bound(&[("c", 2)]));
}

#[test]
fn row_1_1_what_changes_nothing_has_no_version() {
    let World { registry, .. } = &World::new();
    registry.insert("id", child(&[("a", 1), ("b", 2)]));
    registry.bulk_insert([("id", child(&[("b", 2), ("a", 1)]).metadata(9))]);
    registry.bulk_delete([("id", ["nowhere"])]);
    registry.compute("id", |_| Decision::Keep);
    registry.remove_node("nowhere");
    registry.delete_if("id", |_| false);
    registry.retain(|_| true);
    let _ = registry.try_insert("id", child(&[]));
    let _ = registry.try_update("id", |_| Err::<(), _>(()));
    assert_eq!(registry.lookup("id").expect("live").version(), 1);
}

// ---- 1.2 ------------------------------------------------------------------------------------------

#[test]
fn row_1_2_get_pid_is_the_first_binding_not_the_local_one() {
    let World { registry, .. } = &World::new();
    registry.insert("id", child(&[("z", 9), ("here", 1), ("a", 5)]));
    assert_eq!(registry.get_pid("id"), Some(9));
    assert_eq!(registry.get_pids("id"), [9, 1, 5]);
    assert_eq!(registry.local_pid("id"), Some(1));
    assert_eq!(registry.pin().get_pid("id"), Some(&9));
}

#[test]
fn row_1_2_a_node_twice_keeps_its_first_place_and_last_pid() {
    let World { registry, .. } = &World::new();
    registry.insert("id", child(&[("a", 1), ("b", 2), ("a", 3), ("c", 4), ("b", 5)]));
    let want = bound(&[("a", 3), ("b", 5), ("c", 4)]);
    assert_eq!(plain(registry.lookup("id").expect("live").bindings()), want);
    assert_eq!(registry.node_len("a"), 1);
}

#[test]
fn row_1_2_binding_again_keeps_the_place() {
    let world = World::new();
    world.registry.insert("id", child(&[("a", 1), ("b", 2)]));
    assert_eq!(world.registry.rebind("id", "a", 7), Ok(Some(1)));
    assert_eq!(world.registry.update("id", |child| child.bind("b", 8)), Ok(Some(2)));
    assert_eq!(world.registry.rebind("id", "c", 9), Ok(None));
    assert_eq!(world.bindings("id"), bound(&[("a", 7), ("b", 8), ("c", 9)]));
}

// ---- 1.3 ------------------------------------------------------------------------------------------

#[test]
fn row_1_3_a_pending_entry_has_no_deadline_and_a_tombstone_has() {
    let world = World::new();
    world.registry.insert("pending", child(&[]));
    world.bury("tombstone", child(&[("a", 1)]));
    let all = world.registry.dump_all();
    assert_eq!(all["pending"].deadline(), None);
    let grace = Duration::from_secs(30);
    assert_eq!(all["tombstone"].deadline(), Some(world.clock.now() + grace));
}

#[test]
fn row_1_3_empty_entries_hold_no_tag_slots_but_keep_their_tags() {
    let world = World::new();
    world.registry.insert("pending", child(&[]).tag("x"));
    world.bury("tombstone", child(&[("a", 1)]).tag("x"));
    assert_eq!(world.registry.tag_len("x"), 0);
    assert!(world.registry.tags().is_empty());
    assert!(world.registry.nodes().is_empty());
    assert!(world.registry.match_tag("x").is_empty());
    for entry in world.registry.dump_all().values() {
        assert_eq!(tags_of(entry), ["x"], "metadata is kept");
    }
}

#[test]
fn row_1_3_an_entry_that_becomes_live_again_is_found_by_its_tags() {
    let world = World::new();
    world.bury("id", child(&[("a", 1)]).tag("x"));
    world.registry.bulk_insert([("id", child(&[("a", 2)]).tag("y"))]);
    assert!(world.registry.match_tag("x").is_empty());
    assert_eq!(world.registry.match_tag("y").len(), 1);
    counts_match_a_walk(&world.registry);
}

// ---- 1.4 ------------------------------------------------------------------------------------------

#[test]
fn row_1_4_a_lease_is_live_until_its_deadline_and_absent_from_then_on() {
    let world = World::new();
    let lease = || child(&[("here", 1)]).ttl(Duration::from_secs(5));
    world.registry.insert("id", lease());
    world.clock.advance(Duration::from_nanos(4_999_999_999));
    assert!(world.registry.contains("id"));
    world.clock.advance(Duration::from_nanos(1));
    assert!(!world.registry.contains("id"));
    assert!(!world.registry.entry_exists("id"));
    // Nobody swept it.
    assert_eq!(world.registry.len_all(), 1);
}

#[test]
fn row_1_4_every_read_sees_an_expired_entry_absent_swept_or_not() {
    let world = World::new();
    let lease = child(&[("here", 1)]).tag("x").ttl(Duration::from_secs(5));
    world.registry.insert("id", lease);
    world.bury("tombstone", child(&[("here", 1)]).tag("x"));
    world.pass(31);
    for _ in 0..2 {
        let (registry, pin) = (&world.registry, world.registry.pin());
        for id in ["id", "tombstone"] {
            assert!(!registry.entry_exists(id) && !pin.entry_exists(id));
            assert!(!registry.contains(id) && !pin.contains(id));
            assert!(registry.lookup(id).is_none() && pin.lookup(id).is_none());
            assert!(registry.get_owned(id).is_none());
            assert!(registry.get_pid(id).is_none() && registry.get_pids(id).is_empty());
            assert!(registry.local_pid(id).is_none());
            assert!(pin.get_many([id])[0].is_none());
            assert!(registry.contains_children([id]).is_empty());
        }
        assert!(registry.match_tag("x").is_empty() && registry.match_all(&["x"]).is_empty());
        assert!(registry.children_on("here").is_empty() && registry.local_data().is_empty());
        assert!(registry.local_children().is_empty());
        assert!(registry.local_child_specs().is_empty());
        assert!(registry.dump().is_empty() && registry.dump_all().is_empty());
        assert!(registry.process_list(Global).is_empty());
        assert!(registry.process_list(Local).is_empty());
        assert_eq!(pin.iter().count(), 0);
        registry.for_each(|_| panic!("nothing to visit"));
        drop(pin);
        registry.purge_expired();
    }
}

#[test]
fn row_1_4_every_write_sees_an_expired_entry_absent() {
    let lease = || child(&[("here", 1)]).ttl(Duration::from_secs(5));
    let expired = || {
        let world = World::new();
        world.registry.insert("id", lease());
        world.pass(6);
        world
    };
    let world = expired();
    assert!(world.registry.insert("id", child(&[("a", 2)])).is_none());
    assert_eq!(world.registry.len_all(), 1);
    assert!(expired().registry.delete("id").is_none());
    assert!(expired().registry.delete_if("id", |_| panic!("not asked")).is_none());
    assert!(expired().registry.update("id", |_| panic!("not run")).is_err());
    let run = |_: &mut Child<Spec, u32, u32>| -> Result<(), ()> { panic!("not run") };
    assert!(expired().registry.try_update("id", run).is_err());
    assert!(expired().registry.rebind("id", "here", 2).is_err());
    assert!(expired().registry.try_insert("id", child(&[("a", 2)])).is_ok());
    assert!(expired().registry.remove_node("here").is_empty());
    expired().registry.retain(|_| panic!("not asked"));
    let seen = |entry: Option<&Shown>| {
        assert!(entry.is_none());
        Decision::Put(child(&[("a", 2)]))
    };
    let put = expired().registry.compute("id", seen).expect("put");
    assert_eq!((put.version(), put.deadline()), (1, None));

    let world = expired();
    world.registry.bulk_delete_with([("id", ["here"])], world.hooks());
    assert!(world.events().is_empty());
    world.registry.delete_with("id", world.hooks());
    assert!(world.events().is_empty());
    world.registry.bulk_insert([("id", child(&[("a", 2)]))]);
    assert_eq!(world.bindings("id"), bound(&[("a", 2)]), "not merged");
    counts_match_a_walk(&world.registry);
}

#[test]
fn row_1_4_counts_include_what_expired_and_was_not_swept() {
    let world = World::new();
    let lease = child(&[("here", 1)]).tag("x").ttl(Duration::from_secs(5));
    world.registry.insert("id", lease);
    world.bury("tombstone", child(&[("here", 1)]));
    world.pass(31);
    let registry = &world.registry;
    assert_eq!((registry.len(), registry.len_all()), (1, 2));
    assert_eq!((registry.tag_len("x"), registry.node_len("here")), (1, 1));
    assert_eq!(registry.tags(), ["x"]);
    assert_eq!(registry.nodes(), ["here"]);
    assert_eq!(registry.purge_expired(), 2);
    assert_eq!((registry.len(), registry.len_all()), (0, 0));
    assert_eq!((registry.tag_len("x"), registry.node_len("here")), (0, 0));
    assert!(registry.tags().is_empty() && registry.nodes().is_empty());
}

// ---- 1.5, 1.6 on one thread -----------------------------------------------------------------------

#[test]
fn row_1_5_one_write_changes_primary_tags_and_nodes_together() {
    let World { registry, .. } = &World::new();
    registry.insert("id", child(&[("a", 1)]).tag("x"));
    registry.insert("id", child(&[("b", 1)]).tag("y"));
    let tags = sorted(registry.tags());
    assert_eq!(tags, ["y"]);
    assert_eq!(registry.nodes(), ["b"]);
    assert!(registry.match_tag("x").is_empty() && registry.children_on("a").is_empty());
    assert_eq!(registry.match_tag("y").len(), 1);
    assert_eq!(registry.children_on("b").len(), 1);
    counts_match_a_walk(registry);
}

#[test]
fn row_1_6_an_iteration_goes_on_over_a_registry_that_changes_under_it() {
    let registry: Registry<u32, u32, (), u32> = Registry::new("here");
    for id in 0..300 {
        registry.insert(id, Child::new(0).on("here", id).tag("all"));
    }
    // The even ones stay, updated and replaced all the time; the rest goes, others come.
    let pin = registry.pin();
    let walks: [(&str, Box<dyn Iterator<Item = u32>>); 3] = [
        ("iter", Box::new(pin.iter().map(|entry| *entry.id()))),
        ("match_tag", Box::new(pin.match_tag("all").map(|entry| *entry.id()))),
        ("children_on", Box::new(pin.children_on("here").map(|entry| *entry.id()))),
    ];
    for (what, walk) in walks {
        let mut seen = Vec::new();
        for (step, id) in walk.enumerate() {
            seen.push(id);
            let other = (id * 7 + 1) % 300;
            if other % 2 == 0 {
                registry.insert(other, Child::new(1).on("here", other).tag("all"));
                let _ = registry.update(&other, |child| child.add_tag("more"));
            } else {
                registry.delete(&other);
            }
            if step < 200 {
                let fresh = 1000 + u32::try_from(step).expect("small");
                registry.insert(fresh, Child::new(1).on("here", other).tag("all"));
            }
            if step == 50 {
                registry.shrink_to_fit();
            }
        }
        let even = seen.iter().filter(|id| **id % 2 == 0 && **id < 300).copied();
        let want: Vec<u32> = (0..300).filter(|id| id % 2 == 0).collect();
        assert_eq!(sorted(even), want, "{what}");
        for id in (1..300).step_by(2) {
            registry.insert(id, Child::new(0).on("here", id).tag("all"));
        }
        registry.retain(|entry| *entry.id() < 300);
    }
}

// ---- 1.7, 1.8 -------------------------------------------------------------------------------------

#[test]
fn row_1_8_len_counts_live_entries_and_len_all_all() {
    let world = World::new();
    let registry = &world.registry;
    assert!(registry.is_empty());
    registry.insert("pending", child(&[]));
    assert!(registry.is_empty(), "nothing live");
    assert_eq!((registry.len(), registry.len_all()), (0, 1));
    registry.insert("live", child(&[("a", 1)]));
    world.bury("tombstone", child(&[("a", 1)]));
    assert_eq!((registry.len(), registry.len_all()), (1, 3));
    assert!(!registry.is_empty());
    registry.insert("pending", child(&[("a", 1)]));
    registry.insert("live", child(&[]));
    assert_eq!((registry.len(), registry.len_all()), (1, 3));
    registry.clear_all();
    assert_eq!((registry.len(), registry.len_all()), (0, 0));
}

// ---- who sees which entry -------------------------------------------------------------------------

/// One entry of each kind, all tagged `x`, all but the empty ones bound to `here`.
fn one_of_each() -> World {
    let world = World::new();
    let given = || child(&[("here", 1)]).tag("x");
    world.registry.insert("expired", given().ttl(Duration::from_secs(1)));
    world.pass(2);
    world.registry.insert("live", given());
    world.registry.insert("lease", given().ttl(Duration::from_secs(9)));
    world.registry.insert("pending", child(&[]).tag("x"));
    world.bury("tombstone", given());
    world
}

const KINDS: [&str; 5] = ["expired", "lease", "live", "pending", "tombstone"];
const LIVE: [&str; 2] = ["lease", "live"];
const PRESENT: [&str; 4] = ["lease", "live", "pending", "tombstone"];

fn seen_by(see: impl Fn(&Small, &str) -> bool) -> Vec<&'static str> {
    let seen = KINDS.into_iter().filter(|kind| see(&one_of_each().registry, kind));
    seen.collect()
}

#[test]
fn table_1_reads_of_one_id() {
    assert_eq!(seen_by(|registry, id| registry.lookup(id).is_some()), LIVE);
    assert_eq!(seen_by(|registry, id| registry.contains(id)), LIVE);
    assert_eq!(seen_by(|registry, id| registry.get_pid(id).is_some()), LIVE);
    assert_eq!(seen_by(|registry, id| !registry.get_pids(id).is_empty()), LIVE);
    assert_eq!(seen_by(|registry, id| registry.local_pid(id).is_some()), LIVE);
    assert_eq!(seen_by(|registry, id| registry.pin().get_many([id])[0].is_some()), LIVE);
    assert_eq!(seen_by(|registry, id| !registry.contains_children([id]).is_empty()), LIVE);
    assert_eq!(seen_by(|registry, id| registry.entry_exists(id)), PRESENT);
}

#[test]
fn table_1_reads_of_many() {
    let registry = &one_of_each().registry;
    let names = |ids: Vec<ChildId>| sorted(ids.iter().map(|id| id.as_str().to_owned()));
    let firsts =
        |pairs: Vec<(ChildId, Vec<_>)>| names(pairs.into_iter().map(|pair| pair.0).collect());
    assert_eq!(names(registry.dump().into_keys().collect()), LIVE);
    assert_eq!(names(registry.dump_all().into_keys().collect()), PRESENT);
    assert_eq!(names(registry.local_children().into_keys().collect()), LIVE);
    assert_eq!(firsts(registry.match_tag("x")), LIVE);
    assert_eq!(firsts(registry.match_all(&["x"])), LIVE);
    assert_eq!(firsts(registry.process_list(Global)), LIVE);
    let local = registry.process_list(Local);
    assert_eq!(names(local.into_iter().map(|pair| pair.0).collect()), LIVE);
    let ids = |entries: Vec<process_registry::OwnedEntry<Spec, u32, u32>>| {
        names(entries.iter().map(|entry| entry.id().clone()).collect())
    };
    assert_eq!(ids(registry.children_on("here")), LIVE);
    assert_eq!(ids(registry.local_data()), LIVE);
    assert_eq!(registry.local_child_specs().len(), 2);
    assert_eq!(names(registry.pin().iter().map(|entry| entry.id().clone()).collect()), LIVE);
    #[expect(deprecated, reason = "deprecated from birth, and kept working")]
    let old_style = registry.registry();
    assert_eq!(names(old_style.into_keys().collect()), LIVE);
}

#[test]
fn table_1_local_reads_need_a_binding_to_the_local_node() {
    let World { registry, .. } = &World::new();
    registry.insert("away", child(&[("a", 1)]));
    registry.insert("both", child(&[("a", 1), ("here", 2)]));
    assert_eq!(registry.local_pid("away"), None);
    assert_eq!(registry.local_data().len(), 1);
    assert!(registry.local_children().contains_key("both"));
    assert_eq!(registry.local_child_specs(), ["spec"]);
    assert_eq!(registry.process_list(Local), [("both".into(), 2)]);
    let whole = bound(&[("a", 1), ("here", 2)]);
    assert_eq!(plain(registry.local_data()[0].bindings()), whole, "bindings elsewhere included");
}

#[test]
fn table_1_writes() {
    let updated = |registry: &Small, id: &str| registry.update(id, |_| ()).is_ok();
    assert_eq!(seen_by(updated), LIVE);
    assert_eq!(seen_by(|registry, id| registry.rebind(id, "here", 2).is_ok()), LIVE);
    assert_eq!(seen_by(|registry, id| registry.delete(id).is_some()), PRESENT);
    assert_eq!(seen_by(|registry, id| registry.delete_if(id, |_| true).is_some()), PRESENT);
    assert_eq!(seen_by(|registry, id| registry.insert(id, child(&[])).is_some()), PRESENT);
    let shown = |registry: &Small, id: &str| {
        let mut shown = false;
        registry.compute(id, |entry| {
            shown = entry.is_some();
            Decision::Keep
        });
        shown
    };
    assert_eq!(seen_by(shown), PRESENT);
    let mut asked = Vec::new();
    one_of_each().registry.retain(|entry| {
        asked.push(entry.id().as_str().to_owned());
        true
    });
    assert_eq!(sorted(asked), PRESENT);
}

#[test]
fn table_1_try_insert_is_refused_by_what_is_live() {
    let refused = |registry: &Small, id: &str| registry.try_insert(id, child(&[("a", 2)])).is_err();
    assert_eq!(seen_by(refused), LIVE);
    let refused =
        |registry: &Small, id: &str| registry.pin().try_insert(id, child(&[("a", 2)])).is_err();
    assert_eq!(seen_by(refused), LIVE);
}
