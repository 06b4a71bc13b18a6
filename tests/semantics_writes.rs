//! Section 2 of the rules, the operations that write one entry: insert, delete, update, compute,
//! rebind.

mod support;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use process_registry::{Child, Decision, NoChild, UpdateError, WriteOptions};

use support::world::{Spec, World, bound, child};
use support::{counts_match_a_walk, plain, tags_of};

const SECOND: Duration = Duration::from_secs(1);
type Editable = Child<Spec, u32, u32>;

// ---- insert ---------------------------------------------------------------------------------------

#[test]
fn row_2_insert_replaces_the_whole_entry_and_merges_nothing() {
    let world = World::new();
    let old = child(&[("a", 1), ("b", 2)]).tag("x").metadata(7).ttl(SECOND);
    world.registry.insert("id", old);
    world.registry.insert("id", Child::new("new").metadata(0).on("c", 3));
    let entry = world.registry.lookup("id").expect("live");
    assert_eq!(*entry.spec(), "new");
    assert_eq!(plain(entry.bindings()), bound(&[("c", 3)]));
    assert!(entry.tags().is_empty());
    assert_eq!(*entry.metadata(), 0);
    assert_eq!(entry.deadline(), None, "permanent");
    assert_eq!(entry.version(), 1);
    drop(entry);
    counts_match_a_walk(&world.registry);
}

#[test]
fn row_2_insert_returns_what_it_replaced() {
    let World { registry, .. } = &World::new();
    assert!(registry.insert("id", child(&[("a", 1)])).is_none());
    let old = registry.insert("id", child(&[])).expect("replaced");
    assert_eq!(old.pid(), Some(&1));
    let old = registry.insert("id", child(&[("a", 2)])).expect("replaced");
    assert!(old.bindings().is_empty(), "an empty entry too");
    let pin = registry.pin();
    let old = pin.insert("id", child(&[])).expect("replaced");
    assert_eq!(old.pid(), Some(&2));
}

#[test]
fn row_2_insert_is_permanent_unless_a_ttl_is_given() {
    let world = World::new();
    let now = world.clock.now();
    let deadline = |id: &str| world.registry.lookup(id).expect("live").deadline();
    let given = || child(&[("a", 1)]);
    world.registry.insert("permanent", given());
    world.registry.insert("own", given().ttl(SECOND));
    let options = WriteOptions::new().ttl(2 * SECOND);
    world.registry.insert_with("given", given(), options);
    world.registry.insert_with("both", given().ttl(SECOND), options);
    assert_eq!(deadline("permanent"), None);
    assert_eq!(deadline("own"), Some(now + SECOND));
    assert_eq!(deadline("given"), Some(now + 2 * SECOND));
    assert_eq!(deadline("both"), Some(now + 2 * SECOND), "options win");
}

#[test]
fn row_2_insert_with_a_ttl_that_overflows_the_clock_saturates() {
    let world = World::new();
    for (id, ttl) in [("max", Duration::MAX), ("large", Duration::from_secs(1 << 62))] {
        world.registry.insert(id, child(&[("a", 1)]).ttl(ttl));
        let options = WriteOptions::new().ttl(ttl);
        world.registry.insert_with(format!("{id}, options"), child(&[("a", 1)]), options);
        let updated = world.registry.update(id, |child| child.set_ttl(ttl));
        assert_eq!(updated, Ok(()));
    }
    let century = Duration::from_secs(100 * 365 * 24 * 3600);
    world.clock.advance(century);
    assert_eq!(world.registry.purge_expired(), 0);
    assert_eq!(world.registry.dump().len(), 4);
}

#[test]
fn row_2_try_insert_takes_absent_and_empty_ids() {
    let world = World::new();
    world.registry.insert("pending", child(&[]).metadata(5));
    world.bury("tombstone", child(&[("a", 1)]));
    for id in ["absent", "pending", "tombstone"] {
        let entry = world.registry.try_insert(id, child(&[("b", 2)]).tag("x"));
        let entry = entry.expect("not taken");
        assert_eq!((entry.version(), entry.deadline()), (1, None), "{id}");
        assert_eq!(*entry.metadata(), 0);
    }
    counts_match_a_walk(&world.registry);
}

#[test]
fn row_2_try_insert_hands_back_what_it_could_not_store() {
    let World { registry, .. } = &World::new();
    registry.insert("id", child(&[("a", 1)]));
    let offered = || child(&[("b", 2)]).tag("x").metadata(3);
    let taken = registry.try_insert("id", offered()).expect_err("taken");
    assert_eq!(taken.holder().pid(), Some(&1));
    let (id, given, _) = taken.into_parts();
    assert_eq!((id.as_str(), given), ("id", offered()));

    let pin = registry.pin();
    let occupied = pin.try_insert("id", offered()).expect_err("taken");
    assert_eq!(occupied.current().pid(), Some(&1));
    let (id, given, _) = occupied.into_parts();
    assert_eq!((id.as_str(), given), ("id", offered()));
    assert_eq!(registry.lookup("id").expect("live").version(), 1);
}

#[test]
fn row_2_get_or_insert_with_makes_a_child_only_where_none_is_live() {
    let world = World::new();
    let made = Cell::new(0);
    let make = || {
        made.set(made.get() + 1);
        child(&[("a", 10 + made.get())])
    };
    assert_eq!(world.registry.get_or_insert_with("id", make).pid(), Some(&11));
    assert_eq!(world.registry.get_or_insert_with("id", make).pid(), Some(&11));
    assert_eq!(made.get(), 1);
    world.bury("tombstone", child(&[("b", 1)]));
    assert_eq!(world.registry.get_or_insert_with("tombstone", make).pid(), Some(&12));
}

// ---- delete ---------------------------------------------------------------------------------------

#[test]
fn row_2_delete_removes_an_entry_of_any_kind_at_once_without_a_tombstone() {
    let world = World::new();
    world.registry.insert("live", child(&[("a", 1)]).tag("x"));
    world.registry.insert("pending", child(&[]));
    world.bury("tombstone", child(&[("a", 1)]));
    for id in ["live", "pending", "tombstone"] {
        let gone = world.registry.delete(id).expect("was there");
        assert_eq!(gone.id(), id, "returns what it removed");
        assert!(!world.registry.entry_exists(id));
    }
    assert_eq!(world.registry.len_all(), 0);
    counts_match_a_walk(&world.registry);
}

#[test]
fn row_2_delete_of_an_unknown_id_is_no_error() {
    let world = World::new();
    assert!(world.registry.delete("id").is_none());
    assert!(world.registry.pin().delete("id").is_none());
    assert!(world.registry.delete_with("id", world.hooks()).is_none());
    assert!(world.events().is_empty());
}

#[test]
fn row_2_delete_if_removes_only_what_the_predicate_takes() {
    let World { registry, .. } = &World::new();
    registry.insert("id", child(&[("a", 1)]));
    assert!(registry.delete_if("id", |entry| entry.pid() == Some(&2)).is_none());
    assert!(registry.pin().delete_if("id", |entry| entry.pid() == Some(&2)).is_none());
    assert!(registry.contains("id"));
    let gone = registry.delete_if("id", |entry| entry.pid() == Some(&1));
    assert_eq!(gone.expect("taken").version(), 1);
    assert!(registry.delete_if("id", |_| panic!("not asked")).is_none());
}

// ---- update ---------------------------------------------------------------------------------------

#[test]
fn row_2_update_edits_everything_and_returns_what_the_closure_returns() {
    let world = World::new();
    world.registry.insert("id", child(&[("a", 1), ("b", 2)]).tag("x"));
    let first = world.incarnation("id");
    let answer = world.registry.update("id", |child| {
        assert_eq!(*child.spec(), "spec");
        child.set_spec("new");
        child.unbind("a");
        child.bind("c", 3);
        child.add_tag("y");
        child.remove_tag("x");
        child.set_metadata(9);
        "answer"
    });
    assert_eq!(answer, Ok("answer"));
    let entry = world.registry.lookup("id").expect("live");
    assert_eq!(*entry.spec(), "new");
    assert_eq!(plain(entry.bindings()), bound(&[("b", 2), ("c", 3)]));
    assert_eq!(tags_of(&entry), ["y"]);
    assert_eq!(*entry.metadata(), 9);
    assert_eq!((entry.incarnation(), entry.version()), (first, 2));
    drop(entry);
    assert!(world.registry.match_tag("x").is_empty());
    assert!(world.registry.children_on("a").is_empty());
    counts_match_a_walk(&world.registry);
}

#[test]
fn row_2_update_of_nothing_live_is_no_child_and_does_not_run() {
    let world = World::new();
    world.registry.insert("pending", child(&[]));
    world.bury("tombstone", child(&[("a", 1)]));
    world.registry.insert("expired", child(&[("a", 1)]).ttl(SECOND));
    world.pass(2);
    for id in ["absent", "pending", "tombstone", "expired"] {
        let run = |_: &mut Editable| panic!("not run");
        assert!(matches!(world.registry.update(id, run), Err(NoChild { .. })), "{id}");
        let run = |_: &mut Editable| -> Result<(), u8> { panic!("not run") };
        let error = world.registry.try_update(id, run).expect_err(id);
        assert!(matches!(error, UpdateError::NoChild));
    }
}

#[test]
fn row_2_update_keeps_a_lease_a_lease() {
    let world = World::new();
    world.registry.insert("id", child(&[("a", 1)]).ttl(5 * SECOND));
    let deadline = world.clock.now() + 5 * SECOND;
    world.pass(3);
    world.registry.update("id", |child| child.bind("b", 1)).expect("live");
    world.registry.rebind("id", "c", 1).expect("live");
    world.registry.bulk_insert([("id", child(&[("d", 1)]))]);
    world.registry.compute("id", |_| Decision::Put(child(&[("e", 1)])));
    assert_eq!(world.registry.lookup("id").expect("live").deadline(), Some(deadline));
    world.pass(3);
    assert!(!world.registry.contains("id"));
}

#[test]
fn row_2_update_sets_and_clears_a_deadline_if_the_closure_does() {
    let world = World::new();
    world.registry.insert("id", child(&[("a", 1)]));
    world.registry.update("id", |child| child.set_ttl(SECOND)).expect("live");
    let deadline = world.registry.lookup("id").expect("live").deadline();
    assert_eq!(deadline, Some(world.clock.now() + SECOND));
    world.registry.update("id", Child::make_permanent).expect("live");
    assert_eq!(world.registry.lookup("id").expect("live").deadline(), None);
    world.pass(100);
    assert_eq!(world.registry.purge_expired(), 0);
    assert!(world.registry.contains("id"));
}

#[test]
fn row_2_update_that_takes_all_bindings_leaves_a_pending_entry() {
    let World { registry, .. } = &World::new();
    registry.insert("id", child(&[("a", 1), ("b", 2)]).tag("x").metadata(4));
    assert_eq!(registry.update("id", |child| child.unbind_all().len()), Ok(2));
    assert!(!registry.contains("id") && registry.entry_exists("id"));
    let entry = &registry.dump_all()["id"];
    assert_eq!((entry.deadline(), *entry.metadata()), (None, 4));
    assert_eq!((registry.len(), registry.len_all()), (0, 1));
    counts_match_a_walk(registry);
}

#[test]
fn row_2_try_update_that_fails_changes_nothing_and_hands_its_error_on() {
    let World { registry, .. } = &World::new();
    registry.insert("id", child(&[("a", 1)]).tag("x"));
    let before = registry.get_owned("id").expect("live");
    let failed = registry.try_update("id", |child| {
        child.unbind_all();
        child.clear_tags();
        Err::<(), _>("no")
    });
    assert!(matches!(failed, Err(UpdateError::Failed("no"))));
    let after = registry.get_owned("id").expect("live");
    assert!(std::ptr::eq(&*before, &*after), "the very same entry");
    let done = registry.try_update("id", |child| Ok::<_, ()>(child.bind("a", 2)));
    assert_eq!(done.ok(), Some(Some(1)));
    counts_match_a_walk(registry);
}

#[test]
fn row_2_update_whose_closure_panics_changes_and_poisons_nothing() {
    let World { registry, .. } = &World::new();
    registry.insert("id", child(&[("a", 1)]).tag("x"));
    for _ in 0..20 {
        let run = || {
            registry.update("id", |child| {
                child.unbind_all();
                std::panic::resume_unwind(Box::new("rigged"))
            })
        };
        let caught = catch_unwind(AssertUnwindSafe(|| {
            let _: Result<(), NoChild> = run();
        }));
        assert!(caught.is_err());
    }
    assert_eq!(registry.lookup("id").expect("live").version(), 1);
    registry.update("id", |child| child.bind("a", 2)).expect("not poisoned");
    counts_match_a_walk(registry);
}

#[test]
fn row_2_update_runs_again_on_the_newer_value_after_a_conflict() {
    let World { registry, .. } = &World::new();
    registry.insert("id", child(&[("a", 1)]));
    let mut runs = Vec::new();
    let answer = registry.update("id", |child| {
        runs.push(child.pid_on("a").copied());
        if runs.len() <= 3 {
            // The same id, from within: this attempt is lost.
            let pid = 10 * u32::try_from(runs.len()).expect("small");
            registry.rebind("id", "a", pid).expect("live");
        }
        child.bind("b", 5);
        runs.len()
    });
    assert_eq!(answer, Ok(4));
    assert_eq!(runs, [Some(1), Some(10), Some(20), Some(30)]);
    let entry = registry.lookup("id").expect("live");
    assert_eq!(plain(entry.bindings()), bound(&[("a", 30), ("b", 5)]));
    assert_eq!(entry.version(), 5);
}

#[test]
fn row_2_update_may_delete_or_replace_its_own_id() {
    let World { registry, .. } = &World::new();
    registry.insert("id", child(&[("a", 1)]));
    let gone = registry.update("id", |_| drop(registry.delete("id")));
    assert!(gone.is_err());
    assert_eq!(registry.len_all(), 0);

    registry.insert("id", child(&[("a", 1)]).tag("x"));
    let mut runs = 0;
    let replaced = registry.update("id", |child| {
        runs += 1;
        if runs == 1 {
            registry.insert("id", child.clone().metadata(8));
        }
        child.bind("b", 2)
    });
    assert_eq!((replaced, runs), (Ok(None), 2));
    let entry = registry.lookup("id").expect("live");
    assert_eq!((*entry.metadata(), entry.version()), (8, 2));
    drop(entry);
    counts_match_a_walk(registry);
}

// ---- compute --------------------------------------------------------------------------------------

#[test]
fn row_2_compute_inserts_modifies_and_removes() {
    let world = World::new();
    let registry = &world.registry;
    let put = |pid| move |_: Option<&_>| Decision::Put(child(&[("a", pid)]).tag("x"));
    assert_eq!(registry.compute("id", put(1)).expect("put").version(), 1);
    let first = world.incarnation("id");
    let second = registry.compute("id", put(2)).expect("put");
    assert_eq!((second.version(), second.incarnation()), (2, first));
    let kept = registry.compute("id", |entry| {
        assert_eq!(entry.expect("shown").pid(), Some(&2));
        Decision::Keep
    });
    assert!(std::ptr::eq(&*kept.expect("kept"), &*second));
    assert!(registry.compute("id", |_| Decision::Remove).is_none());
    assert!(!registry.entry_exists("id"));
    assert!(registry.compute("id", |_| Decision::Remove).is_none());
    assert!(registry.compute("id", |_| Decision::Keep).is_none());
    counts_match_a_walk(registry);
}

#[test]
fn row_2_compute_over_an_empty_entry_is_a_new_incarnation() {
    let world = World::new();
    world.registry.insert("pending", child(&[]));
    world.bury("tombstone", child(&[("a", 1)]));
    for id in ["pending", "tombstone"] {
        let before = world.incarnation(id);
        let put = world.registry.compute(id, |entry| {
            assert!(entry.expect("shown").bindings().is_empty());
            Decision::Put(child(&[("a", 2)]))
        });
        let put = put.expect("put");
        assert_ne!(put.incarnation(), before, "{id}");
        assert_eq!((put.version(), put.deadline()), (1, None));
    }
}

#[test]
fn row_2_compute_keeps_a_deadline_unless_the_child_sets_one() {
    let world = World::new();
    let given = || child(&[("a", 1)]);
    world.registry.insert("id", given().ttl(SECOND));
    let deadline = |child: Editable| {
        let put = world.registry.compute("id", |_| Decision::Put(child.clone()));
        put.expect("put").deadline()
    };
    let now = world.clock.now();
    assert_eq!(deadline(given()), Some(now + SECOND));
    assert_eq!(deadline(given().ttl(3 * SECOND)), Some(now + 3 * SECOND));
    assert_eq!(deadline(given()), Some(now + 3 * SECOND));
    assert_eq!(deadline(given().permanent()), None);
    assert_eq!(deadline(given()), None);
}

// ---- rebind ---------------------------------------------------------------------------------------

#[test]
fn row_2_rebind_of_nothing_live_is_no_child() {
    let world = World::new();
    world.registry.insert("pending", child(&[]));
    world.bury("tombstone", child(&[("a", 1)]));
    for id in ["absent", "pending", "tombstone"] {
        let rebound = world.registry.rebind_with(id, "a", 1, world.hooks());
        assert!(matches!(rebound, Err(NoChild { .. })), "{id}");
    }
    assert!(world.events().is_empty());
}

#[test]
fn row_2_rebind_adds_a_node_to_the_index_at_once() {
    let World { registry, .. } = &World::new();
    registry.insert("id", child(&[("a", 1)]).tag("x"));
    assert_eq!(registry.rebind("id", "b", 2), Ok(None));
    assert_eq!(registry.children_on("b").len(), 1);
    assert_eq!(registry.match_tag("x").len(), 1);
    counts_match_a_walk(registry);
}
