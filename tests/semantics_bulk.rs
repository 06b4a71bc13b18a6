//! Section 2 of the rules, the operations on several entries: bulk writes, removal of a node,
//! retain, and the reads of many.

mod support;

use std::collections::HashMap;
use std::time::Duration;

use process_registry::{Child, ChildId, Global, Local, Node};

use support::world::{World, bound, child, sorted};
use support::{counts_match_a_walk, plain, tags_of};

const SECOND: Duration = Duration::from_secs(1);

// ---- bulk_insert ----------------------------------------------------------------------------------

#[test]
fn row_2_bulk_insert_stores_absent_ids_as_given() {
    let world = World::new();
    let given = child(&[("a", 1), ("b", 2)]).tag("x").metadata(3);
    let children = [("one", given), ("pending", child(&[]))];
    world.registry.bulk_insert_with(children, world.hooks());
    assert_eq!(world.bindings("one"), bound(&[("a", 1), ("b", 2)]));
    assert_eq!(*world.registry.lookup("one").expect("live").metadata(), 3);
    assert_eq!(world.registry.lookup("one").expect("live").deadline(), None);
    assert!(world.registry.entry_exists("pending"));
    let want = [(true, "one".to_owned(), bound(&[("a", 1), ("b", 2)]))];
    assert_eq!(world.events(), want);
}

#[test]
fn row_2_bulk_insert_revives_a_tombstone_for_good() {
    let world = World::new();
    world.bury("id", child(&[("a", 1)]).metadata(1));
    world.registry.insert("pending", child(&[]).metadata(1));
    for id in ["id", "pending"] {
        let revived = child(&[("a", 1)]).tag("x").metadata(2);
        world.registry.bulk_insert_with([(id, revived)], world.hooks());
        assert_eq!(world.events(), [(true, id.to_owned(), bound(&[("a", 1)]))]);
        assert_eq!(world.registry.dump()[id].deadline(), None);
        assert_eq!(*world.registry.dump()[id].metadata(), 2);
    }
    world.pass(100);
    assert_eq!(world.registry.purge_expired(), 0);
    assert_eq!(world.registry.len(), 2);
}

#[test]
fn row_2_bulk_insert_of_equal_bindings_writes_nothing_at_all() {
    let world = World::new();
    let lease = child(&[("a", 1), ("b", 2)]).tag("x").metadata(1).ttl(5 * SECOND);
    world.registry.insert("id", lease);
    let before = world.registry.get_owned("id").expect("live");
    let shuffled = Child::new("other").on("b", 2).on("a", 1).tag("y").metadata(2);
    world.registry.bulk_insert_with([("id", shuffled)], world.hooks());
    let after = world.registry.get_owned("id").expect("live");
    assert!(std::ptr::eq(&*before, &*after), "spec, metadata, deadline, version included");
    assert!(world.events().is_empty());
}

#[test]
fn row_2_bulk_insert_merges_by_node() {
    let world = World::new();
    let old = child(&[("a", 1), ("b", 2), ("c", 3)]).tag("x").metadata(1);
    world.registry.insert("id", old.ttl(5 * SECOND));
    let before = world.registry.get_owned("id").expect("live");
    let new = Child::new("new").on("d", 4).on("b", 5).on("a", 1).tag("y").metadata(2);
    world.registry.bulk_insert_with([("id", new)], world.hooks());
    let after = world.registry.get_owned("id").expect("live");
    let want = bound(&[("c", 3), ("d", 4), ("b", 5), ("a", 1)]);
    assert_eq!(plain(after.bindings()), want, "never removes a node");
    assert_eq!((*after.spec(), *after.metadata()), ("new", 2));
    assert_eq!(tags_of(&after), ["y"]);
    assert_eq!(after.incarnation(), before.incarnation());
    assert_eq!(after.deadline(), before.deadline());
    assert_eq!(after.version(), 2);
    // The diff, in input order: `a` has the pid it had.
    let want = [(true, "id".to_owned(), bound(&[("d", 4), ("b", 5)]))];
    assert_eq!(world.events(), want);
    counts_match_a_walk(&world.registry);
}

#[test]
fn row_2_bulk_insert_with_an_empty_diff_fires_nothing() {
    let world = World::new();
    world.registry.insert("id", child(&[("a", 1), ("b", 2)]));
    // A part of what is there: written, for it is not equal as a set, but nothing is new.
    let part = child(&[("a", 1)]).metadata(7);
    world.registry.bulk_insert_with([("id", part)], world.hooks());
    assert!(world.events().is_empty());
    assert_eq!(world.bindings("id"), bound(&[("b", 2), ("a", 1)]));
    assert_eq!(*world.registry.lookup("id").expect("live").metadata(), 7);
    assert_eq!(world.version("id"), 2);
}

#[test]
fn row_2_bulk_insert_of_no_bindings_keeps_those_of_a_live_entry() {
    let world = World::new();
    world.registry.insert("id", child(&[("a", 1)]).tag("x"));
    let empty = Child::new("new").metadata(7).tag("y");
    world.registry.bulk_insert_with([("id", empty)], world.hooks());
    let entry = world.registry.lookup("id").expect("live");
    assert_eq!(plain(entry.bindings()), bound(&[("a", 1)]));
    assert_eq!((*entry.spec(), *entry.metadata(), entry.version()), ("new", 7, 2));
    assert_eq!(tags_of(&entry), ["y"]);
    assert!(world.events().is_empty());
}

#[test]
fn row_2_bulk_insert_of_the_same_id_twice_sees_the_first() {
    let world = World::new();
    let children = [("id", child(&[("a", 1)])), ("id", child(&[("b", 2)]))];
    world.registry.bulk_insert_with(children, world.hooks());
    assert_eq!(world.bindings("id"), bound(&[("a", 1), ("b", 2)]));
    let (one, two) = (bound(&[("a", 1)]), bound(&[("b", 2)]));
    let want = [(true, "id".to_owned(), one), (true, "id".to_owned(), two)];
    assert_eq!(world.events(), want);
}

#[test]
fn row_2_bulk_insert_by_decides_what_the_same_pid_is() {
    /// A handle without equality.
    #[derive(Clone, Debug)]
    struct Handle(u32);

    let registry: process_registry::Registry<(), Handle> = process_registry::Registry::new("a");
    let given = |pid| [("id", Child::new(()).on("a", Handle(pid)))];
    let same = |a: &Handle, b: &Handle| a.0 % 10 == b.0 % 10;
    registry.bulk_insert_by(given(3), same);
    registry.bulk_insert_by(given(13), same);
    assert_eq!(registry.lookup("id").expect("live").version(), 1);
    registry.bulk_insert_by(given(14), same);
    assert_eq!(registry.get_pid("id").expect("live").0, 14);
}

// ---- bulk_delete ----------------------------------------------------------------------------------

#[test]
fn row_2_bulk_delete_takes_the_named_nodes_and_leaves_the_rest() {
    let world = World::new();
    let given = child(&[("a", 1), ("b", 2), ("c", 3)]).tag("x").metadata(4);
    world.registry.insert("id", given.ttl(5 * SECOND));
    let before = world.registry.get_owned("id").expect("live");
    let named = vec!["c", "nowhere", "a"];
    world.registry.bulk_delete_with([("id", named)], world.hooks());
    let after = world.registry.get_owned("id").expect("live");
    assert_eq!(plain(after.bindings()), bound(&[("b", 2)]));
    assert_eq!((*after.spec(), *after.metadata()), ("spec", 4));
    assert_eq!(tags_of(&after), ["x"]);
    assert_eq!(after.incarnation(), before.incarnation());
    assert_eq!(after.deadline(), before.deadline());
    let events = world.events();
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].0, events[0].1.as_str()), (false, "id"));
    // Those that really went.
    assert_eq!(sorted(events[0].2.clone()), bound(&[("a", 1), ("c", 3)]));
    counts_match_a_walk(&world.registry);
}

#[test]
fn row_2_bulk_delete_last_node_leaves_a_tombstone_for_30_seconds() {
    let world = World::new();
    world.registry.insert("id", child(&[("a", 1), ("b", 2)]).tag("x").metadata(4));
    let nodes = [Node::from("a"), Node::from("b")];
    world.registry.bulk_delete_with([("id", &nodes)], world.hooks());
    let want = (false, "id".to_owned(), bound(&[("a", 1), ("b", 2)]));
    assert_eq!(world.events(), [want]);
    assert!(!world.registry.contains("id") && world.registry.entry_exists("id"));
    let tombstone = &world.registry.dump_all()["id"];
    assert_eq!((*tombstone.spec(), *tombstone.metadata()), ("spec", 4));
    let end = world.clock.now() + 30 * SECOND;
    assert_eq!(tombstone.deadline(), Some(end));
    counts_match_a_walk(&world.registry);
    world.pass(29);
    assert!(world.registry.entry_exists("id"));
    world.pass(1);
    assert!(!world.registry.entry_exists("id"));
    assert_eq!(world.registry.purge_expired(), 1);
    assert_eq!(world.registry.len_all(), 0);
}

#[test]
fn row_2_bulk_delete_tombstones_of_a_lease_get_their_own_deadline() {
    let world = World::new();
    for (id, ttl) in [("short", 5), ("long", 500)] {
        world.bury(id, child(&[("a", 1)]).ttl(ttl * SECOND));
    }
    world.pass(29);
    assert_eq!(world.registry.purge_expired(), 0);
    assert!(world.registry.entry_exists("short") && world.registry.entry_exists("long"));
    world.pass(1);
    assert_eq!(world.registry.purge_expired(), 2);
}

#[test]
fn row_2_the_time_of_a_tombstone_is_configurable() {
    let clock = process_registry::ManualClock::new();
    let registry = process_registry::Registry::<(), u32>::builder("here")
        .clock(process_registry::Clock::Manual(clock.clone()))
        .tombstone_ttl(2 * SECOND)
        .build();
    registry.insert("id", Child::new(()).on("a", 1));
    registry.bulk_delete([("id", ["a"])]);
    clock.advance(Duration::from_millis(1999));
    assert!(registry.entry_exists("id"));
    clock.advance(Duration::from_millis(1));
    assert!(!registry.entry_exists("id"));
}

#[test]
fn row_2_bulk_delete_skips_unknown_empty_and_unbound() {
    let world = World::new();
    world.registry.insert("pending", child(&[]));
    world.bury("tombstone", child(&[("a", 1)]));
    world.registry.insert("elsewhere", child(&[("b", 1)]));
    let deadline = world.registry.dump_all()["tombstone"].deadline();
    world.pass(5);
    let ids = ["absent", "pending", "tombstone", "elsewhere"];
    world.registry.bulk_delete_with(ids.map(|id| (id, ["a"])), world.hooks());
    assert!(world.events().is_empty());
    assert_eq!(world.registry.dump_all()["tombstone"].deadline(), deadline);
    assert_eq!(world.registry.dump_all()["pending"].deadline(), None);
    assert_eq!(world.version("elsewhere"), 1);
    assert!(!world.registry.entry_exists("absent"));
}

#[test]
fn row_2_bulk_delete_of_the_same_id_twice_sees_the_first() {
    let world = World::new();
    world.registry.insert("id", child(&[("a", 1), ("b", 2), ("c", 3)]));
    let named = [("id", ["a", "b"]), ("id", ["b", "c"])];
    world.registry.bulk_delete_with(named, world.hooks());
    let first = (false, "id".to_owned(), bound(&[("a", 1), ("b", 2)]));
    let second = (false, "id".to_owned(), bound(&[("c", 3)]));
    assert_eq!(world.events(), [first, second]);
}

// ---- remove_node, retain, clear_all ---------------------------------------------------------------

#[test]
fn row_2_remove_node_takes_the_node_from_every_entry() {
    let world = World::new();
    world.registry.insert("alone", child(&[("a", 1)]).tag("x"));
    world.registry.insert("first", child(&[("a", 1), ("b", 2)]).ttl(9 * SECOND));
    world.registry.insert("last", child(&[("b", 1), ("a", 2)]).tag("x"));
    world.registry.insert("other", child(&[("b", 1)]));
    world.registry.insert("pending", child(&[]));
    let before = world.registry.get_owned("first").expect("live");
    let changed = world.registry.remove_node("a");
    let names = sorted(changed.iter().map(ChildId::as_str));
    assert_eq!(names, ["alone", "first", "last"]);
    assert!(!world.registry.entry_exists("alone"), "removed, no tombstone");
    assert_eq!(world.bindings("first"), bound(&[("b", 2)]));
    assert_eq!(world.bindings("last"), bound(&[("b", 1)]));
    let after = world.registry.get_owned("first").expect("live");
    assert_eq!(after.incarnation(), before.incarnation());
    assert_eq!((after.version(), after.deadline()), (2, before.deadline()));
    assert_eq!(world.version("other"), 1);
    assert_eq!(world.registry.node_len("a"), 0);
    assert!(world.registry.remove_node("a").is_empty());
    counts_match_a_walk(&world.registry);
}

#[test]
fn row_2_retain_asks_for_every_entry_once_and_keeps_what_it_is_told_to() {
    let world = World::new();
    for n in 0..40 {
        world.registry.insert(format!("{n}"), child(&[("a", n)]).tag("x"));
    }
    world.registry.insert("pending", child(&[]));
    let mut asked = Vec::new();
    world.registry.retain(|entry| {
        asked.push(entry.id().clone());
        entry.pid().is_some_and(|pid| pid % 2 == 0)
    });
    asked.sort();
    let before = asked.len();
    asked.dedup();
    assert_eq!((before, asked.len()), (41, 41));
    assert_eq!(world.registry.len_all(), 20);
    assert_eq!(world.version("2"), 1, "what stays is not written");
    counts_match_a_walk(&world.registry);
}

#[test]
fn row_2_clear_all_leaves_nothing() {
    let world = World::new();
    world.registry.insert("expired", child(&[("a", 1)]).tag("x").ttl(SECOND));
    world.pass(2);
    for n in 0..40 {
        world.registry.insert(format!("{n}"), child(&[("a", n), ("here", n)]).tag("x"));
    }
    world.bury("tombstone", child(&[("a", 1)]));
    world.registry.insert("pending", child(&[]));
    world.registry.clear_all();
    let registry = &world.registry;
    assert_eq!((registry.len(), registry.len_all()), (0, 0));
    assert!(registry.tags().is_empty() && registry.nodes().is_empty());
    assert_eq!(registry.dump_all().len(), 0);
    assert_eq!(registry.purge_expired(), 0);
    registry.insert("again", child(&[("a", 1)]).tag("x"));
    counts_match_a_walk(registry);
}

// ---- reads of many --------------------------------------------------------------------------------

#[test]
fn row_2_contains_children_keeps_the_order_and_drops_repetitions() {
    let World { registry, .. } = &World::new();
    for id in ["a", "b", "c", "d"] {
        registry.insert(id, child(&[("here", 1)]));
    }
    registry.insert("pending", child(&[]));
    let asked = ["d", "x", "a", "d", "pending", "c", "a", "y"];
    assert_eq!(registry.contains_children(asked), ["d", "a", "c"]);
    assert!(registry.contains_children::<str>([]).is_empty());
    // More than any batch.
    let many: Vec<String> = (0..100).map(|n| format!("{n}")).collect();
    for id in many.iter().step_by(3) {
        registry.insert(id, child(&[("here", 1)]));
    }
    let want: Vec<&String> = many.iter().step_by(3).collect();
    assert_eq!(registry.contains_children(&many), want);
}

#[test]
fn row_2_match_tag_returns_ids_and_bindings() {
    let World { registry, .. } = &World::new();
    registry.insert("one", child(&[("a", 1), ("b", 2)]).tag("x").tag("y"));
    registry.insert("two", child(&[("a", 3)]).tag("y"));
    registry.insert("three", child(&[("a", 4)]));
    let plain_pairs = |found: Vec<(ChildId, Vec<(Node, u32)>)>| {
        sorted(found.iter().map(|(id, list)| (id.as_str().to_owned(), plain(list))))
    };
    let one = ("one".to_owned(), bound(&[("a", 1), ("b", 2)]));
    let two = ("two".to_owned(), bound(&[("a", 3)]));
    let only = [one.clone()];
    assert_eq!(plain_pairs(registry.match_tag("x")), only);
    assert_eq!(plain_pairs(registry.match_tag("y")), [one, two]);
    assert_eq!(plain_pairs(registry.match_all(&["x", "y"])), only);
    assert_eq!(plain_pairs(registry.match_all(&["y", "y", "x"])), only);
    assert!(registry.match_all(&["x", "nothing"]).is_empty());
    assert!(registry.match_tag("nothing").is_empty());
}

#[test]
fn row_2_dump_and_registry_list_what_is_live() {
    let World { registry, .. } = &World::new();
    registry.insert("one", child(&[("a", 1)]).tag("x").metadata(5));
    registry.insert("pending", child(&[]));
    let dump = registry.dump();
    assert_eq!(dump.len(), 1);
    assert_eq!(*dump["one"].metadata(), 5);
    assert_eq!(registry.dump_all().len(), 2);
    #[expect(deprecated, reason = "deprecated from birth, and kept working")]
    let old_style = registry.registry();
    assert_eq!(old_style.len(), 1);
    assert_eq!(old_style["one"], ("spec", vec![("a".into(), 1)]));
}

#[test]
fn row_2_process_list_is_global_or_local() {
    let World { registry, .. } = &World::new();
    registry.insert("one", child(&[("a", 1), ("here", 2)]));
    registry.insert("two", child(&[("a", 3)]));
    assert_eq!(registry.process_list(Local), [("one".into(), 2)]);
    let global: HashMap<_, _> = registry.process_list(Global).into_iter().collect();
    assert_eq!(global.len(), 2);
    assert_eq!(plain(&global["one"]), bound(&[("a", 1), ("here", 2)]));
    assert_eq!(plain(&global["two"]), bound(&[("a", 3)]));
}

#[test]
fn row_2_children_on_serves_any_node() {
    let World { registry, .. } = &World::new();
    registry.insert("one", child(&[("a", 1), ("b", 2)]));
    registry.insert("two", child(&[("b", 3)]));
    let ids = |node| sorted(registry.children_on(node).iter().map(|e| e.id().as_str().to_owned()));
    assert_eq!(ids("a"), ["one"]);
    assert_eq!(ids("b"), ["one", "two"]);
    assert!(registry.children_on("c").is_empty());
    assert_eq!(registry.pin().children_on("b").count(), 2);
}

#[test]
fn row_2_get_many_answers_in_the_order_of_the_ids() {
    let World { registry, .. } = &World::new();
    registry.insert("a", child(&[("here", 1)]));
    registry.insert("b", child(&[("here", 2)]));
    let pin = registry.pin();
    let found = pin.get_many(["b", "x", "a", "b"]);
    let pids: Vec<Option<u32>> = found.iter().map(|e| e.and_then(|e| e.pid().copied())).collect();
    assert_eq!(pids, [Some(2), None, Some(1), Some(2)]);
    let none: [Option<&_>; 0] = pin.get_many::<str, 0>([]);
    assert!(none.is_empty());
    let found = pin.get_many_iter(["b", "x", "a"]);
    let pids: Vec<Option<u32>> = found.map(|e| e.and_then(|e| e.pid().copied())).collect();
    assert_eq!(pids, [Some(2), None, Some(1)]);
}

#[test]
fn row_2_one_shot_tags_leave_no_set_behind() {
    let World { registry, .. } = &World::new();
    for n in 0..2000 {
        let tag = format!("tag-{n}");
        registry.insert("id", child(&[("a", n)]).tag(tag.as_str()));
        assert_eq!(registry.tag_len(&tag), 1);
    }
    assert_eq!(registry.tags(), ["tag-1999"]);
    registry.delete("id");
    assert!(registry.tags().is_empty());
}
