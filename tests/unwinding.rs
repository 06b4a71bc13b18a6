//! Destructors and clones that panic when a write is done, when its result is ready, or while a thread ends:
//! nothing leaks, no event is lost, and the process goes on.

use std::any::Any;
use std::cell::RefCell;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;
use std::{mem, thread};

use process_registry::{Child, Event, Handler, HookKey, Hooks, Registry};

/// A value whose destructor panics.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("told to");
    }
}

/// Whether it has panicked.
fn blown(f: impl FnOnce()) -> bool {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(()) => false,
        Err(panic) => {
            // Its destructor may panic as well.
            mem::forget(panic);
            true
        }
    }
}

#[test]
fn what_would_have_made_a_child_goes_before_the_result() {
    let spec = Arc::new(());
    let registry: Registry<Arc<()>, u32> = Registry::new("here");
    registry.insert("id", Child::new(Arc::clone(&spec)).on("here", 1));
    let (bomb, spare) = (Bomb, Arc::clone(&spec));
    let make = move || {
        let _bomb = &bomb;
        Child::new(Arc::clone(&spare))
    };
    assert!(blown(|| drop(registry.get_or_insert_with("id", make))));
    drop(registry);
    assert_eq!(Arc::strong_count(&spec), 1);
}

#[test]
fn the_closure_of_an_update_goes_before_the_result() {
    let spec = Arc::new(());
    let registry: Arc<Registry<Arc<()>, u32>> = Arc::new(Registry::new("here"));
    registry.insert("id", Child::new(Arc::clone(&spec)).on("here", 1));
    let closure = || {
        let (bomb, result) = (Bomb, Arc::clone(&spec));
        move |_: &mut Child<Arc<()>, u32>| {
            let _bomb = &bomb;
            Arc::clone(&result)
        }
    };
    let change = closure();
    assert!(blown(|| drop(registry.update("id", change))));
    let change = closure();
    assert!(blown(|| drop(registry.try_update("id", move |child| Ok::<_, ()>(change(child))))));
    let lease = registry.register("lease", Child::new(Arc::clone(&spec)).on("here", 1));
    let lease = lease.expect("free");
    let change = closure();
    assert!(blown(|| drop(lease.update(change))));
    drop(lease);
    drop(registry);
    assert_eq!(Arc::strong_count(&spec), 1);
}

#[test]
fn metadata_that_is_replaced_goes_before_the_child() {
    let spec = Arc::new(());
    let child = || Child::<_, u32>::new(Arc::clone(&spec)).on("here", 1).metadata(Bomb);
    assert!(blown(|| drop(child().metadata(1))));
    assert_eq!(Arc::strong_count(&spec), 1);
}

/// A pid of which so many clones can be made before one panics.
struct Pid(u32, Arc<AtomicUsize>);

impl Clone for Pid {
    fn clone(&self) -> Self {
        assert_ne!(self.1.fetch_sub(1, SeqCst), 0, "told to");
        Self(self.0, Arc::clone(&self.1))
    }
}

impl PartialEq for Pid {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

#[test]
fn a_merge_is_told_of_if_it_is_written_whichever_clone_panics() {
    for clones in 0.. {
        let left = Arc::new(AtomicUsize::new(usize::MAX));
        let pid = |number| Pid(number, Arc::clone(&left));
        let registry: Registry<(), Pid> = Registry::new("a");
        registry.insert("id", Child::new(()).on("a", pid(1)).on("b", pid(2)).on("c", pid(3)));
        let told = Arc::new(AtomicUsize::new(0));
        let hooks: Hooks<Pid> = Hooks::new();
        let count = Arc::clone(&told);
        let handler = Handler::new("count", move |event: &Event<'_, Pid>| {
            assert!(event.bindings().iter().all(|(node, pid)| *node == "b" && pid.0 == 4));
            count.fetch_add(event.bindings().len(), SeqCst);
        });
        assert!(hooks.register(HookKey::ChildRegistered, handler).is_ok());
        let given = Child::new(()).on("a", pid(1)).on("b", pid(4));
        left.store(clones, SeqCst);
        let panicked = blown(|| registry.bulk_insert_with([("id", given)], &hooks));
        left.store(usize::MAX, SeqCst);
        let written = registry.pin().lookup("id").expect("live").pid_on("b").expect("bound").0 == 4;
        assert_eq!(told.load(SeqCst), usize::from(written), "after {clones} clones");
        if !panicked {
            assert!(written && clones >= 2, "{clones} clones");
            break;
        }
    }
}

/// A specification whose destructor may panic, with a payload whose destructor panics in its turn.
struct Spec(#[allow(dead_code, reason = "counts")] Arc<()>, bool);

impl Drop for Spec {
    fn drop(&mut self) {
        if self.1 {
            panic_any(Bomb);
        }
    }
}

#[test]
fn a_registry_takes_all_along_though_payloads_of_panics_panic() {
    for retired in [false, true] {
        let count = Arc::new(());
        let registry: Registry<Spec, u32> = Registry::new("here");
        for id in 0..10 {
            let spec = Spec(Arc::clone(&count), id % 4 == 1);
            registry.insert(id.to_string(), Child::new(spec).on("here", 1));
        }
        if retired {
            // Under a pin nothing of it goes before the registry does. That one is this thread's for ever, and
            // holds nothing up but memory.
            let pinned = registry.pin();
            (0..10).for_each(|id| assert!(pinned.delete(&id.to_string()).is_some()));
            mem::forget(pinned);
        }
        assert!(blown(|| drop(registry)));
        assert_eq!(Arc::strong_count(&count), 1, "retired: {retired}");
    }
}

thread_local! {
    static KEPT: RefCell<Option<Box<dyn Any>>> = const { RefCell::new(None) };
}

/// Runs a thread that uses scc by itself, and in whose locals `kept` outlives what scc keeps there.
fn ends_after_scc(kept: impl Any + Send) {
    let run = || {
        KEPT.with_borrow_mut(|_| ());
        drop(scc::Guard::new());
        KEPT.set(Some(Box::new(kept)));
    };
    thread::spawn(run).join().expect("ends in peace");
}

#[test]
fn a_thread_that_uses_scc_by_itself_may_end_with_a_registry_or_a_lease() {
    let registry: Arc<Registry<(), u32>> = Arc::new(Registry::new("here"));
    let child = || Child::new(()).on("here", 1).ttl(Duration::from_secs(60));
    let lease = registry.register("lease", child()).expect("free");
    ends_after_scc(lease);
    assert!(!registry.contains("lease"));
    registry.insert("lease", child());
    ends_after_scc(registry);
    ends_after_scc(Registry::<(), u32>::new("here"));
}

#[test]
fn a_handler_that_panics_is_heard_of_in_a_destructor_during_unwinding() {
    struct Writes<'a>(&'a Registry<(), u32>, &'a Hooks<u32>, &'a mut bool);
    impl Drop for Writes<'_> {
        fn drop(&mut self) {
            let write = || self.0.bulk_insert_with([("id", Child::new(()).on("here", 1))], self.1);
            *self.2 = thread::panicking() && blown(write);
        }
    }
    let (registry, hooks, mut heard) = (Registry::new("here"), Hooks::new(), false);
    let handler = Handler::new("panics", |_: &Event<'_, u32>| panic!("told to"));
    assert!(hooks.register(HookKey::ChildRegistered, handler).is_ok());
    assert!(blown(|| {
        let _writes = Writes(&registry, &hooks, &mut heard);
        panic!("unwinds");
    }));
    assert!(heard && registry.contains("id"));
}

/// An id that collides with all others, and springs its trap at one of its comparisons.
#[derive(Clone)]
struct Trapped(u8, Arc<dyn Fn() + Send + Sync>);

impl Hash for Trapped {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl PartialEq for Trapped {
    fn eq(&self, other: &Self) -> bool {
        (self.1)();
        (other.1)();
        self.0 == other.0
    }
}

impl Eq for Trapped {}

/// Inserts id 1 next to id 0. At the comparison of that number another thread does its own insert of id 1, which
/// commits what it finds in the middle of one; then the comparison panics. Returns whether there was one, and
/// whether the other thread has found the id taken.
fn insert_trapped(
    at: usize,
    child: Child<Arc<()>, u32>,
    insert: impl FnOnce(&Arc<Registry<Arc<()>, u32, (), Trapped>>, Trapped, Child<Arc<()>, u32>),
) -> (bool, bool) {
    let registry = Arc::new(Registry::new("here"));
    let harmless: Arc<dyn Fn() + Send + Sync> = Arc::new(|| ());
    let other = Child::new(Arc::new(())).on("here", 0);
    registry.insert(Trapped(0, Arc::clone(&harmless)), other.clone());
    let taken = Arc::new(AtomicBool::new(false));
    let (left, inserting) = (AtomicUsize::new(at), thread::current().id());
    let spring = {
        let (registry, taken, harmless) =
            (Arc::downgrade(&registry), Arc::clone(&taken), Arc::clone(&harmless));
        move || {
            // The other thread compares its own id with this one.
            if thread::current().id() != inserting || left.fetch_sub(1, SeqCst) != 0 {
                return;
            }
            let registry = registry.upgrade().expect("in the middle of a call");
            let other = other.clone();
            let (id, taken) = (Trapped(1, Arc::clone(&harmless)), Arc::clone(&taken));
            let rival = thread::spawn(move || match registry.register(id, other) {
                Ok(lease) => drop(lease),
                Err(_) => taken.store(true, SeqCst),
            });
            rival.join().expect("it does not panic");
            panic!("told to");
        }
    };
    let spec = Arc::clone(child.spec());
    let sprung = blown(|| insert(&registry, Trapped(1, Arc::new(spring)), child));
    if sprung {
        assert!(!registry.contains(&Trapped(1, harmless)), "at comparison {at}");
        assert_eq!((registry.len(), registry.children_on("here").len()), (1, 1), "at {at}");
        assert_eq!(registry.match_tag("tag").len(), 0, "at {at}");
    }
    drop(registry);
    assert_eq!(Arc::strong_count(&spec), 1, "at {at}");
    (sprung, taken.load(SeqCst))
}

#[test]
fn what_others_have_committed_of_an_insert_that_unwinds_goes_again() {
    let child = || Child::new(Arc::new(())).on("here", 1).tag("tag");
    let leased = || child().ttl(Duration::from_secs(3600));
    let mut committed = 0;
    let mut sweep = |insert: &dyn Fn(usize) -> (bool, bool)| {
        let ends = (0..).map(insert).take_while(|end| end.0);
        committed += usize::from(ends.filter(|end| end.1).count() > 0);
    };
    sweep(&|at| insert_trapped(at, child(), |all, id, child| drop(all.register(id, child))));
    sweep(&|at| insert_trapped(at, leased(), |all, id, child| drop(all.register(id, child))));
    sweep(&|at| insert_trapped(at, child(), |all, id, child| drop(all.insert(id, child))));
    assert_eq!(committed, 3, "each met a comparison with its entry published");
}
