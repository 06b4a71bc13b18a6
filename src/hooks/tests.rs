use std::mem;
use std::panic::{catch_unwind, panic_any};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::HookKey::{ChildRegistered, ChildUnregistered};
use super::*;

type Log = Arc<Mutex<Vec<String>>>;

/// A handler that writes its id into the log.
fn logging(log: &Log, id: &str) -> Handler<u32> {
    let (log, name) = (Arc::clone(log), id.to_owned());
    Handler::new(id, move |_| log.lock().unwrap().push(name.clone()))
}

fn quiet(id: &str) -> Handler<u32> {
    Handler::new(id, |_| {})
}

fn fire(hooks: &Hooks<u32>, kind: HookKey) {
    let bindings = [("a".into(), 1)];
    hooks.dispatch(&Event::new(kind, &"x".into(), &bindings, 7, 3));
}

fn taken(log: &Log) -> Vec<String> {
    mem::take(&mut log.lock().unwrap())
}

#[test]
fn higher_priority_first_and_ties_in_registration_order() {
    let (hooks, log) = (Hooks::new(), Log::default());
    let order = [("a", 0), ("b", 5), ("c", -5), ("d", 0), ("e", 5), ("f", i32::MIN)];
    for (id, priority) in order {
        hooks.register(ChildRegistered, logging(&log, id).priority(priority)).unwrap();
    }
    let more = [("g", 0), ("h", i32::MAX), ("i", 5), ("j", 0)];
    let more = more.map(|(id, priority)| logging(&log, id).priority(priority));
    hooks.register_all(ChildRegistered, more).unwrap();

    let expected = ["h", "b", "e", "i", "a", "d", "g", "j", "c", "f"];
    assert_eq!(hooks.handlers(ChildRegistered), expected);
    fire(&hooks, ChildRegistered);
    assert_eq!(taken(&log), expected);

    // Cancelling and registering anew goes to the end of its peers.
    assert!(hooks.cancel(ChildRegistered, "b"));
    hooks.register(ChildRegistered, logging(&log, "b").priority(5)).unwrap();
    fire(&hooks, ChildRegistered);
    assert_eq!(taken(&log), ["h", "e", "i", "b", "a", "d", "g", "j", "c", "f"]);
}

#[test]
fn keys_are_apart() {
    let (hooks, log) = (Hooks::new(), Log::default());
    hooks.register(ChildRegistered, logging(&log, "same")).unwrap();
    fire(&hooks, ChildUnregistered);
    assert_eq!(taken(&log), [] as [&str; 0]);
    hooks.register(ChildUnregistered, logging(&log, "same")).unwrap();
    assert!(hooks.cancel(ChildRegistered, "same"));
    assert_eq!(hooks.handlers(ChildUnregistered), ["same"]);
    fire(&hooks, ChildRegistered);
    assert_eq!(taken(&log), [] as [&str; 0]);
    fire(&hooks, ChildUnregistered);
    assert_eq!(taken(&log), ["same"]);
}

#[test]
fn a_taken_id_changes_nothing_and_the_handler_comes_back() {
    let (hooks, log) = (Hooks::new(), Log::default());
    hooks.register(ChildRegistered, logging(&log, "a")).unwrap();
    let error = hooks.register(ChildRegistered, quiet("a").priority(9)).unwrap_err();
    assert_eq!(error.ids(), ["a"]);
    assert_eq!(error.key(), ChildRegistered);
    let (ids, handlers) = error.into_parts();
    assert_eq!((ids, handlers.len()), (vec!["a".to_owned()], 1));
    assert_eq!(handlers[0].priority, 9);
    fire(&hooks, ChildRegistered);
    assert_eq!(taken(&log), ["a"]);
}

#[test]
fn all_or_nothing_with_every_duplicate_listed_once() {
    let hooks = Hooks::new();
    hooks.register_all(ChildRegistered, ["a", "b", "c"].map(quiet)).unwrap();
    let given = ["x", "c", "y", "x", "a", "x", "c", "z"];
    let error = hooks.register_all(ChildRegistered, given.map(quiet)).unwrap_err();
    assert_eq!(error.ids(), ["c", "x", "a"]);
    assert!(error.handlers().iter().map(Handler::id).eq(given));
    assert_eq!(error.to_string(), r#"duplicate handler ids for ChildRegistered: "c", "x", "a""#);
    assert_eq!(hooks.handlers(ChildRegistered), ["a", "b", "c"]);

    // Repeated within the list alone.
    let error = hooks.register_all(ChildRegistered, ["p", "p"].map(quiet)).unwrap_err();
    assert_eq!(error.ids(), ["p"]);
    assert_eq!(hooks.handlers(ChildRegistered), ["a", "b", "c"]);
    hooks.register_all(ChildRegistered, []).unwrap();
}

#[test]
fn cancelling_an_unknown_id_is_no_error() {
    let hooks = Hooks::new();
    hooks.register(ChildRegistered, quiet("a")).unwrap();
    assert!(!hooks.cancel(ChildRegistered, "b"));
    assert!(!hooks.cancel(ChildUnregistered, "a"));
    assert!(hooks.cancel(ChildRegistered, "a"));
    assert!(!hooks.cancel(ChildRegistered, "a"));
    assert_eq!(hooks.handlers(ChildRegistered), [] as [&str; 0]);
}

#[test]
fn the_event_tells_all() {
    let hooks = Hooks::new();
    let seen = Log::default();
    let log = Arc::clone(&seen);
    let handler = Handler::new("h", move |event: &Event<'_, u32>| {
        let copy = *event;
        log.lock().unwrap().push(format!("{copy:?}"));
        assert_eq!((copy.kind(), copy.id().as_str()), (ChildRegistered, "x"));
        assert_eq!(copy.bindings(), [("a".into(), 1)]);
        assert_eq!((copy.incarnation(), copy.version()), (7, 3));
    });
    hooks.register(ChildRegistered, handler).unwrap();
    fire(&hooks, ChildRegistered);
    assert_eq!(
        taken(&seen),
        ["Event { kind: ChildRegistered, id: \"x\", bindings: [(\"a\", 1)], \
          incarnation: 7, version: 3 }"]
    );
}

#[test]
fn after_a_panic_the_rest_runs_and_the_first_panic_goes_on() {
    let (hooks, log) = (Hooks::new(), Log::default());
    let panicking =
        |id, payload: &'static str| Handler::new(id, move |_: &Event<'_, u32>| panic_any(payload));
    hooks
        .register_all(
            ChildRegistered,
            [
                logging(&log, "before"),
                panicking("one", "first"),
                logging(&log, "between"),
                panicking("two", "second"),
                logging(&log, "after"),
            ],
        )
        .unwrap();
    for _ in 0..2 {
        let payload = catch_unwind(AssertUnwindSafe(|| fire(&hooks, ChildRegistered)));
        assert_eq!(payload.unwrap_err().downcast_ref(), Some(&"first"));
        assert_eq!(taken(&log), ["before", "between", "after"]);
    }
}

#[test]
fn a_payload_that_panics_when_dropped_stops_nobody() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic_any(Bomb);
        }
    }
    let (hooks, log) = (Hooks::new(), Log::default());
    let bomb = |id| Handler::new(id, |_: &Event<'_, u32>| panic_any(Bomb));
    hooks.register(ChildRegistered, Handler::new("first", |_| panic_any(1_u8))).unwrap();
    hooks.register_all(ChildRegistered, [bomb("a"), bomb("b")]).unwrap();
    hooks.register(ChildRegistered, logging(&log, "last")).unwrap();
    let payload = catch_unwind(AssertUnwindSafe(|| fire(&hooks, ChildRegistered)));
    assert_eq!(payload.unwrap_err().downcast_ref(), Some(&1_u8));
    assert_eq!(taken(&log), ["last"]);
}

#[test]
fn a_dispatch_goes_by_the_list_it_began_with() {
    let (hooks, log) = (Arc::new(Hooks::new()), Log::default());
    let weak = Arc::downgrade(&hooks);
    let inner = Arc::clone(&log);
    let meddler = Handler::new("meddler", move |_: &Event<'_, u32>| {
        let hooks = weak.upgrade().unwrap();
        assert!(hooks.cancel(ChildRegistered, "meddler"));
        assert!(hooks.cancel(ChildRegistered, "victim"));
        hooks.register(ChildRegistered, logging(&inner, "new")).unwrap();
        inner.lock().unwrap().push("meddler".to_owned());
    });
    hooks.register(ChildRegistered, meddler).unwrap();
    hooks.register(ChildRegistered, logging(&log, "victim")).unwrap();
    fire(&hooks, ChildRegistered);
    assert_eq!(taken(&log), ["meddler", "victim"]);
    fire(&hooks, ChildRegistered);
    assert_eq!(taken(&log), ["new"]);
}

#[test]
fn dispatches_may_nest_deeply() {
    let hooks = Arc::new(Hooks::new());
    let depth = Arc::new(AtomicUsize::new(0));
    let (weak, count) = (Arc::downgrade(&hooks), Arc::clone(&depth));
    let handler = Handler::new("again", move |_: &Event<'_, u32>| {
        if count.fetch_add(1, Relaxed) < 50 {
            fire(&weak.upgrade().unwrap(), ChildRegistered);
        }
    });
    hooks.register(ChildRegistered, handler).unwrap();
    fire(&hooks, ChildRegistered);
    assert_eq!(depth.load(Relaxed), 51);
}

#[test]
fn of_threads_that_want_one_id_one_gets_it() {
    const THREADS: usize = 4;
    for _ in 0..50 {
        let hooks = Hooks::<u32>::new();
        let won = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let (hooks, won) = (&hooks, &won);
                scope.spawn(move || {
                    let own = quiet(&format!("own-{thread}"));
                    hooks.register(ChildRegistered, own).unwrap();
                    let pair = [quiet("shared"), quiet(&format!("with-{thread}"))];
                    if hooks.register_all(ChildRegistered, pair).is_ok() {
                        won.fetch_add(1, Relaxed);
                    }
                });
            }
        });
        assert_eq!(won.into_inner(), 1);
        assert_eq!(hooks.handlers(ChildRegistered).len(), THREADS + 2);
    }
}

#[test]
fn cancelled_handlers_are_dropped() {
    let hooks = Hooks::new();
    let token = Arc::new(());
    let held = Arc::clone(&token);
    let handler = Handler::new("h", move |_: &Event<'_, u32>| drop(Arc::clone(&held)));
    hooks.register(ChildRegistered, handler).unwrap();
    fire(&hooks, ChildRegistered);
    assert_eq!(Arc::strong_count(&token), 2);
    assert!(hooks.cancel(ChildRegistered, "h"));
    assert_eq!(Arc::strong_count(&token), 1);
}

#[test]
fn asks_nothing_of_pid_and_id() {
    struct Plain;
    fn shared<T: Send + Sync>(_: &T) {}
    let hooks: Hooks<Plain, Plain> = Hooks::default();
    hooks.register(ChildRegistered, Handler::new(String::from("a"), |_| {})).unwrap();
    hooks.dispatch(&Event::new(ChildRegistered, &Plain, &[("n".into(), Plain)], 1, 1));
    shared(&hooks);
    assert!(format!("{hooks:?}").contains("\"a\""));

    let options = WriteOptions::default().ttl(Duration::from_secs(1)).hooks(&hooks);
    let copy = options;
    assert_eq!(copy.ttl, options.ttl);
    assert!(copy.hooks.is_some_and(|held| std::ptr::eq(held, &raw const hooks)));
    let none = WriteOptions::<'_, Plain, Plain>::new();
    assert!(none.ttl.is_none() && none.hooks.is_none());

    // What it borrows need not live for ever either.
    let text = String::from("pid");
    let hooks: Hooks<&str, u8> = Hooks::new();
    hooks.dispatch(&Event::new(ChildUnregistered, &1, &[("n".into(), &text)], 1, 1));
}
