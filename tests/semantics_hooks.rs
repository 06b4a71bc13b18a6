//! Section 3 of the rules: hooks.

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use process_registry::{Decision, Event, Handler, HookKey, Hooks, Registry, WriteOptions};

use support::Heard;
use support::oracle::Kind;
use support::world::{Small, Spec, World, bound, child};

const REGISTERED: HookKey = HookKey::ChildRegistered;
const UNREGISTERED: HookKey = HookKey::ChildUnregistered;

type Log = Arc<Mutex<Vec<String>>>;

/// A handler that writes its name down.
fn named(log: &Log, name: &'static str) -> Handler<u32> {
    let log = Arc::clone(log);
    Handler::new(name, move |_: &Event<'_, u32>| log.lock().unwrap().push(name.into()))
}

fn take(log: &Log) -> Vec<String> {
    std::mem::take(&mut *log.lock().unwrap())
}

/// Fires one registration.
fn fire(hooks: &Hooks<u32>) {
    let registry: Registry<Spec, u32, u32> = Registry::new("here");
    registry.insert_with("id", child(&[("a", 1)]), WriteOptions::new().hooks(hooks));
}

// ---- 3.1 ------------------------------------------------------------------------------------------

#[test]
fn row_3_1_an_event_carries_id_bindings_incarnation_and_version() {
    let world = World::new();
    let registry = &world.registry;
    registry.insert_with("id", child(&[("a", 1), ("b", 2)]), world.hooked());
    let incarnation = world.incarnation("id");
    registry.update("id", |_| ()).expect("live");
    registry.rebind_with("id", "b", 3, world.hooks()).expect("live");
    registry.bulk_delete_with([("id", ["a"])], world.hooks());
    registry.delete_with("id", world.hooks());
    let heard = |kind, bindings: &[(&str, u32)], version| Heard {
        kind,
        id: "id".into(),
        bindings: bound(bindings),
        incarnation,
        version,
    };
    let want = [
        heard(Kind::Registered, &[("a", 1), ("b", 2)], 1),
        heard(Kind::Registered, &[("b", 3)], 3),
        heard(Kind::Unregistered, &[("a", 1)], 4),
        heard(Kind::Unregistered, &[("b", 3)], 4),
    ];
    assert_eq!(world.heard(), want);
}

#[test]
fn row_3_1_keys_are_apart() {
    let log = Log::default();
    let hooks = Hooks::new();
    hooks.register(UNREGISTERED, named(&log, "gone")).expect("new");
    let registry: Small = Registry::new("here");
    let options = WriteOptions::new().hooks(&hooks);
    registry.insert_with("id", child(&[("a", 1)]), options);
    assert!(take(&log).is_empty());
    registry.delete_with("id", &hooks);
    assert_eq!(take(&log), ["gone"]);
}

// ---- 3.2 ------------------------------------------------------------------------------------------

#[test]
fn row_3_2_higher_priority_first_and_ties_in_registration_order() {
    let log = Log::default();
    let hooks = Hooks::new();
    let given =
        [("a", 0), ("b", 5), ("c", -3), ("d", 5), ("e", 0), ("f", i32::MAX), ("g", i32::MIN)];
    for (name, priority) in given {
        hooks.register(REGISTERED, named(&log, name).priority(priority)).expect("new");
    }
    fire(&hooks);
    let want = ["f", "b", "d", "a", "e", "c", "g"];
    assert_eq!(take(&log), want);
    assert_eq!(hooks.handlers(REGISTERED), want);
    // One that comes later, or again, is the last of its priority.
    assert!(hooks.cancel(REGISTERED, "b"));
    hooks.register(REGISTERED, named(&log, "b").priority(5)).expect("free again");
    let more = [named(&log, "h"), named(&log, "i").priority(5)];
    hooks.register_all(REGISTERED, more).expect("new");
    fire(&hooks);
    assert_eq!(take(&log), ["f", "d", "b", "i", "a", "e", "h", "c", "g"]);
}

// ---- 3.3 ------------------------------------------------------------------------------------------

#[test]
fn row_3_3_a_taken_id_is_an_error_and_changes_nothing() {
    let (log, other) = (Log::default(), Log::default());
    let hooks = Hooks::new();
    hooks.register(REGISTERED, named(&log, "a")).expect("new");
    let error = hooks.register(REGISTERED, named(&other, "a").priority(9)).expect_err("taken");
    assert_eq!(error.ids(), ["a"]);
    assert_eq!(error.handlers().len(), 1, "handed back");
    fire(&hooks);
    assert_eq!((take(&log), take(&other)), (vec!["a".to_owned()], vec![]));
    // Under the other key the id is free.
    hooks.register(UNREGISTERED, named(&other, "a")).expect("another key");
}

#[test]
fn row_3_3_several_at_once_are_all_or_nothing() {
    let log = Log::default();
    let hooks = Hooks::new();
    hooks.register_all(REGISTERED, [named(&log, "a"), named(&log, "b")]).expect("new");
    let given = ["x", "b", "y", "a", "x", "z"].map(|name| named(&log, name));
    let error = hooks.register_all(REGISTERED, given).expect_err("duplicates");
    let (mut ids, handlers) = error.into_parts();
    ids.sort();
    assert_eq!(ids, ["a", "b", "x"], "every duplicate, those among the given too");
    let back: Vec<&str> = handlers.iter().map(Handler::id).collect();
    assert_eq!(back, ["x", "b", "y", "a", "x", "z"]);
    assert_eq!(hooks.handlers(REGISTERED), ["a", "b"]);
    fire(&hooks);
    assert_eq!(take(&log), ["a", "b"]);
}

#[test]
fn row_3_3_cancel_by_id_and_an_unknown_one_is_no_error() {
    let log = Log::default();
    let hooks = Hooks::new();
    hooks.register_all(REGISTERED, [named(&log, "a"), named(&log, "b")]).expect("new");
    assert!(!hooks.cancel(REGISTERED, "c"));
    assert!(!hooks.cancel(UNREGISTERED, "a"));
    assert!(hooks.cancel(REGISTERED, "a"));
    assert!(!hooks.cancel(REGISTERED, "a"));
    fire(&hooks);
    assert_eq!(take(&log), ["b"]);
}

// ---- 3.4 ------------------------------------------------------------------------------------------

#[test]
fn row_3_4_handlers_run_in_the_calling_thread_after_the_write_and_before_the_return() {
    let registry: Arc<Small> = Arc::new(Registry::new("here"));
    let hooks = Arc::new(Hooks::new());
    let caller = std::thread::current().id();
    let (log, seen) = (Log::default(), Arc::downgrade(&registry));
    for key in [REGISTERED, UNREGISTERED] {
        let (log, seen) = (Arc::clone(&log), Weak::clone(&seen));
        let look = move |event: &Event<'_, u32>| {
            assert_eq!(std::thread::current().id(), caller);
            let visible = seen.upgrade().expect("in use").contains(event.id());
            log.lock().unwrap().push(format!("{visible}"));
        };
        hooks.register(key, Handler::new("look", look)).expect("new");
    }
    registry.insert_with("id", child(&[("a", 1)]), WriteOptions::new().hooks(&hooks));
    assert_eq!(take(&log), ["true"]);
    registry.delete_with("id", &hooks);
    assert_eq!(take(&log), ["false"]);
}

#[test]
fn row_3_4_a_handler_may_call_anything_on_the_registry_and_the_hooks() {
    let registry: Arc<Small> = Arc::new(Registry::new("here"));
    let hooks: Arc<Hooks<u32>> = Arc::new(Hooks::new());
    let (weak, own) = (Arc::downgrade(&registry), Arc::downgrade(&hooks));
    let follow = move |event: &Event<'_, u32>| {
        let (registry, hooks) = (weak.upgrade().expect("in use"), own.upgrade().expect("in use"));
        if event.id() == "id" {
            assert!(hooks.cancel(REGISTERED, "later"), "takes effect from the next dispatch on");
            registry.rebind(event.id(), "b", 2).expect("live");
            registry.update(event.id(), |child| child.set_metadata(7)).expect("live");
            let options = WriteOptions::new().hooks(&hooks);
            registry.insert_with("from a hook", child(&[("a", 1)]), options);
            registry.collect();
        }
    };
    hooks.register(REGISTERED, Handler::new("follow", follow).priority(1)).expect("new");
    let log = Log::default();
    hooks.register(REGISTERED, named(&log, "later")).expect("new");
    registry.insert_with("id", child(&[("a", 1)]), WriteOptions::new().hooks(&hooks));
    // The list was read before the cancellation, once for this dispatch.
    assert_eq!(take(&log), ["later"]);
    assert_eq!(hooks.handlers(REGISTERED), ["follow"]);
    assert_eq!(registry.get_pids("id"), [1, 2]);
    assert_eq!(*registry.lookup("id").expect("live").metadata(), 7);
    assert!(registry.contains("from a hook"));
}

// ---- 3.5 ------------------------------------------------------------------------------------------

#[test]
fn row_3_5_a_panic_reaches_the_caller_after_the_other_handlers_have_run() {
    let log = Log::default();
    let hooks = Hooks::new();
    let bang = |message: &'static str| {
        Handler::new(message, move |_: &Event<'_, u32>| resume_unwind(Box::new(message)))
    };
    hooks.register(REGISTERED, bang("first").priority(2)).expect("new");
    hooks.register(REGISTERED, bang("second").priority(1)).expect("new");
    hooks.register(REGISTERED, named(&log, "last")).expect("new");
    let registry: Small = Registry::new("here");
    for round in 1..=3 {
        let options = WriteOptions::new().hooks(&hooks);
        let write = || registry.insert_with("id", child(&[("a", round)]), options);
        let panic = catch_unwind(AssertUnwindSafe(write)).expect_err("reaches the caller");
        assert_eq!(panic.downcast_ref(), Some(&"first"), "the first of them");
        assert_eq!(take(&log), ["last"]);
        assert_eq!(registry.get_pid("id"), Some(round), "the write stays");
    }
    let options = WriteOptions::new().hooks(&hooks);
    let write = || registry.try_insert_with("other", child(&[("a", 1)]), options).is_ok();
    assert!(catch_unwind(AssertUnwindSafe(write)).is_err());
    assert!(registry.contains("other"));
}

// ---- 3.6 ------------------------------------------------------------------------------------------

#[test]
fn row_3_6_insert_fires_with_the_whole_list_and_not_without_bindings() {
    let world = World::new();
    let registry = &world.registry;
    registry.insert_with("id", child(&[("a", 1), ("b", 2)]), world.hooked());
    let whole = (true, "id".to_owned(), bound(&[("a", 1), ("b", 2)]));
    let once = [whole];
    assert_eq!(world.events(), once);
    // Again the whole list, although nothing is new in it.
    registry.insert_with("id", child(&[("a", 1), ("b", 2)]), world.hooked());
    assert_eq!(world.events(), once);
    registry.insert_with("id", child(&[]), world.hooked());
    assert!(world.events().is_empty(), "nor for what it replaced");
    registry.pin().insert_with("id", child(&[("c", 1)]), world.hooked());
    assert_eq!(world.events(), [(true, "id".to_owned(), bound(&[("c", 1)]))]);
}

#[test]
fn row_3_6_try_insert_fires_if_it_stores() {
    let world = World::new();
    let store = |pid| {
        let stored = world.registry.try_insert_with("id", child(&[("a", pid)]), world.hooked());
        stored.is_ok()
    };
    assert!(store(1));
    assert!(!store(2));
    assert_eq!(world.events(), [(true, "id".to_owned(), bound(&[("a", 1)]))]);
}

#[test]
fn row_3_6_delete_fires_only_when_bindings_went_and_names_them() {
    let world = World::new();
    world.registry.insert("live", child(&[("a", 1), ("b", 2)]));
    world.registry.insert("pending", child(&[]));
    world.bury("tombstone", child(&[("a", 1)]));
    for id in ["pending", "tombstone", "absent", "live", "live"] {
        world.registry.delete_with(id, world.hooks());
    }
    let want = (false, "live".to_owned(), bound(&[("a", 1), ("b", 2)]));
    assert_eq!(world.events(), [want]);
}

#[test]
fn row_3_6_delete_if_fires_if_it_removes() {
    let world = World::new();
    world.registry.insert("id", child(&[("a", 1)]));
    world.registry.delete_if_with("id", |_| false, world.hooks());
    assert!(world.events().is_empty());
    world.registry.delete_if_with("id", |_| true, world.hooks());
    assert_eq!(world.events(), [(false, "id".to_owned(), bound(&[("a", 1)]))]);
}

#[test]
fn row_3_6_rebind_fires_with_that_one_binding() {
    let world = World::new();
    world.registry.insert("id", child(&[("a", 1), ("b", 2)]));
    world.registry.rebind_with("id", "b", 3, world.hooks()).expect("live");
    world.registry.rebind_with("id", "c", 4, world.hooks()).expect("live");
    let (b, c) = (bound(&[("b", 3)]), bound(&[("c", 4)]));
    assert_eq!(world.events(), [(true, "id".to_owned(), b), (true, "id".to_owned(), c)]);
}

#[test]
fn row_3_6_nothing_fires_without_being_handed_hooks() {
    let world = World::new();
    let registry = &world.registry;
    registry.insert("id", child(&[("a", 1)]));
    registry.insert_with("id", child(&[("a", 1)]), WriteOptions::new());
    registry.update("id", |child| child.bind("b", 1)).expect("live");
    registry.compute("id", |_| Decision::Put(child(&[("c", 1)])));
    registry.rebind("id", "d", 1).expect("live");
    registry.bulk_insert([("id", child(&[("e", 1)]))]);
    registry.bulk_delete([("id", ["e"])]);
    registry.remove_node("d");
    registry.retain(|_| false);
    registry.insert("id", child(&[("a", 1)]).ttl(Duration::from_secs(1)));
    world.pass(2);
    registry.purge_expired();
    registry.clear_all();
    assert!(world.events().is_empty());
}
