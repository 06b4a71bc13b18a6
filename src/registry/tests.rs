//! What the operations do, one after the other.

mod clones;
mod cost;
mod expiry;
mod storm;

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use self::expiry::items;
use super::*;
use crate::amend::Decision;
use crate::child::Child;
use crate::clock::{Clock, ManualClock};
use crate::entry::{Entry, EntryRef, OwnedEntry};
use crate::error::{NoChild, UpdateError};
use crate::hooks::{Event, Handler, HookKey, Hooks, WriteOptions};
use crate::name::ChildId;
use crate::scope::{Global, Local};

type Plain = Registry<&'static str, u32>;
type Heard = Vec<(HookKey, String, Vec<(String, u32)>, u64)>;

const TTL: Duration = Duration::from_secs(10);

fn timed() -> (Plain, ManualClock) {
    let time = ManualClock::new();
    let clock = Clock::Manual(time.clone());
    (Registry::builder("here").clock(clock).build(), time)
}

fn child(pid: u32) -> Child<&'static str, u32> {
    Child::new("spec").on("here", pid)
}

/// A registry with one entry of each kind, named after it.
fn kinds() -> (Plain, ManualClock) {
    let (registry, time) = timed();
    registry.insert("expired", child(1).tag("t").ttl(TTL));
    time.advance(TTL);
    registry.insert("live", child(2).tag("t"));
    registry.insert("leased", child(3).tag("t").ttl(TTL));
    registry.insert("pending", Child::new("spec").tag("t"));
    registry.insert("tombstone", child(4).tag("t"));
    registry.bulk_delete([("tombstone", ["here"])]);
    (registry, time)
}

const KINDS: [&str; 5] = ["live", "leased", "pending", "tombstone", "expired"];

fn hears(kinds: [bool; 5]) -> HashSet<&'static str> {
    KINDS.into_iter().zip(kinds).filter(|(_, sees)| *sees).map(|(kind, _)| kind).collect()
}

fn recording() -> (Hooks<u32>, Arc<Mutex<Heard>>) {
    let heard = Arc::<Mutex<Heard>>::default();
    let hooks = Hooks::new();
    for key in [HookKey::ChildRegistered, HookKey::ChildUnregistered] {
        let heard = Arc::clone(&heard);
        let record = move |event: &Event<'_, u32>| {
            let bindings = event.bindings().iter();
            let bindings = bindings.map(|(node, pid)| (node.to_string(), *pid)).collect();
            let event = (event.kind(), event.id().to_string(), bindings, event.version());
            heard.lock().unwrap().push(event);
        };
        hooks.register(key, Handler::new("record", record)).unwrap();
    }
    (hooks, heard)
}

fn registered(id: &str, bindings: &[(&str, u32)], version: u64) -> Heard {
    let bindings = bindings.iter().map(|(node, pid)| (node.to_string(), *pid)).collect();
    vec![(HookKey::ChildRegistered, id.to_owned(), bindings, version)]
}

fn unregistered(id: &str, bindings: &[(&str, u32)], version: u64) -> Heard {
    let mut heard = registered(id, bindings, version);
    heard[0].0 = HookKey::ChildUnregistered;
    heard
}

fn take(heard: &Mutex<Heard>) -> Heard {
    std::mem::take(&mut heard.lock().unwrap())
}

#[test]
fn what_crosses_threads_is_decided_by_the_parameters() {
    fn sends<T: Send>() {}
    fn shares<T: Sync>() {}
    type Shared = Registry<String, u32, Vec<u8>, ChildId>;
    sends::<Shared>();
    shares::<Shared>();
    sends::<OwnedEntry<String, u32>>();
    shares::<OwnedEntry<String, u32>>();
    shares::<Entry<String, u32>>();
    sends::<Builder<*const u8, u32>>();
}

#[test]
fn borrowed_parameters_need_not_be_static() {
    let text = String::from("spec");
    let registry: Registry<&str, &str> = Registry::new("node");
    registry.insert("id", Child::new(text.as_str()).on("node", &text));
    let entry: EntryRef<'_, &str, &str> = registry.lookup("id").unwrap();
    assert_eq!(*entry.spec(), text);
}

#[test]
fn who_sees_which_kind() {
    let (registry, _) = kinds();
    let seen = |sees: &dyn Fn(&str) -> bool| {
        KINDS.into_iter().filter(|kind| sees(kind)).collect::<HashSet<_>>()
    };
    let most = hears([true, true, false, false, false]);
    let all = hears([true, true, true, true, false]);
    let pinned = registry.pin();

    assert_eq!(seen(&|id| registry.lookup(id).is_some()), most);
    assert_eq!(seen(&|id| registry.get_owned(id).is_some()), most);
    assert_eq!(seen(&|id| registry.contains(id)), most);
    assert_eq!(seen(&|id| registry.get_pid(id).is_some()), most);
    assert_eq!(seen(&|id| !registry.get_pids(id).is_empty()), most);
    assert_eq!(seen(&|id| registry.local_pid(id).is_some()), most);
    assert_eq!(seen(&|id| pinned.lookup(id).is_some()), most);
    assert_eq!(seen(&|id| pinned.get_many([id])[0].is_some()), most);
    assert_eq!(seen(&|id| registry.update(id, |_| ()).is_ok()), most);
    assert_eq!(seen(&|id| registry.rebind(id, "here", 9).is_ok()), most);
    assert_eq!(seen(&|id| registry.entry_exists(id)), all);
    assert_eq!(seen(&|id| pinned.entry_exists(id)), all);
    let mut shown = HashSet::new();
    for kind in KINDS {
        registry.compute(kind, |current| {
            shown.extend(current.map(|entry| entry.id().to_string()));
            Decision::Keep
        });
    }
    assert_eq!(shown, all.iter().map(|kind| kind.to_string()).collect());

    let ids = |ids: Vec<ChildId>| {
        let set: HashSet<String> = ids.iter().map(ToString::to_string).collect();
        assert_eq!(set.len(), ids.len());
        set
    };
    let most: HashSet<String> = most.iter().map(|kind| kind.to_string()).collect();
    let all: HashSet<String> = all.iter().map(|kind| kind.to_string()).collect();
    assert_eq!(ids(pinned.iter().map(|entry| entry.id().clone()).collect()), most);
    assert_eq!(ids(pinned.match_tag("t").map(|entry| entry.id().clone()).collect()), most);
    assert_eq!(ids(registry.match_tag("t").into_iter().map(|(id, _)| id).collect()), most);
    assert_eq!(ids(registry.match_all(&["t"]).into_iter().map(|(id, _)| id).collect()), most);
    assert_eq!(ids(registry.match_all(&[]).into_iter().map(|(id, _)| id).collect()), most);
    assert_eq!(ids(registry.children_on("here").iter().map(|e| e.id().clone()).collect()), most);
    assert_eq!(ids(registry.local_children().into_keys().collect()), most);
    assert_eq!(ids(registry.dump().into_keys().collect()), most);
    assert_eq!(ids(registry.dump_all().into_keys().collect()), all);
    assert_eq!(ids(registry.process_list(Global).into_iter().map(|(id, _)| id).collect()), most);
    assert_eq!(ids(registry.process_list(Local).into_iter().map(|(id, _)| id).collect()), most);
    assert_eq!(registry.contains_children(KINDS), ["live", "leased"]);
    let mut judged = HashSet::new();
    registry.retain(|entry| judged.insert(entry.id().to_string()));
    assert_eq!(judged, all);
    assert!(KINDS.iter().all(|kind| registry.delete(*kind).is_some() == (*kind != "expired")));
    assert_eq!((registry.len_all(), items(&registry)), (0, 0));
}

#[test]
fn inserting_over_each_kind() {
    let (registry, _) = kinds();
    for kind in KINDS {
        let taken = matches!(kind, "live" | "leased");
        let pid = registry.get_pid(kind);
        match registry.try_insert(kind, child(9).ttl(TTL)) {
            Ok(entry) => assert!(!taken && entry.version() == 1),
            Err(refused) => {
                assert!(taken);
                assert_eq!(refused.holder().pid().copied(), pid);
                let (id, given, _) = refused.into_parts();
                assert_eq!((id.as_str(), given), (kind, child(9).ttl(TTL)));
            }
        }
    }
    let (registry, _) = kinds();
    for kind in KINDS {
        let before = registry.pin().entry_exists(kind);
        let old = registry.insert(kind, child(8));
        assert_eq!(old.is_some(), before, "{kind}");
        let new = registry.get_owned(kind).unwrap();
        assert!(old.is_none_or(|old| old.incarnation() < new.incarnation()));
        assert_eq!((new.version(), new.deadline()), (1, None));
    }
    assert_eq!((registry.len(), registry.len_all(), items(&registry)), (5, 5, 0));
}

#[test]
fn an_update_runs_again_on_what_it_did_itself() {
    let (registry, _) = timed();
    registry.insert("a", child(1).ttl(TTL));
    let before = registry.get_owned("a").unwrap();
    let mut runs = 0;
    let result = registry.update("a", |child| {
        runs += 1;
        if runs == 1 {
            assert_eq!(registry.rebind("a", "there", 7), Ok(None));
        }
        child.bindings().len()
    });
    assert_eq!((result, runs), (Ok(2), 2));
    let after = registry.get_owned("a").unwrap();
    assert_eq!(after.incarnation(), before.incarnation());
    assert_eq!(after.deadline(), before.deadline());
    assert_eq!(after.version(), 3);
}

#[test]
fn an_update_that_is_overtaken_by_the_end_of_its_child_fails() {
    let (registry, time) = timed();
    registry.insert("a", child(1).ttl(TTL));
    assert_eq!(registry.update("a", |_| time.advance(TTL)), Err(NoChild));
    registry.insert("b", child(1));
    let deletes = registry.update("b", |_| drop(registry.delete("b")));
    assert_eq!(deletes, Err(NoChild));
    let moves_on = registry.try_update("c", |_| Ok::<_, ()>(()));
    assert_eq!(moves_on, Err(UpdateError::NoChild));
    assert_eq!(registry.update("b", |_| ()), Err(NoChild));
}

#[test]
fn an_update_that_panics_changes_nothing() {
    let (registry, _) = timed();
    registry.insert("a", child(1));
    let panics = catch_unwind(AssertUnwindSafe(|| {
        registry.update("a", |child| {
            child.bind("here", 2);
            panic!("on purpose");
        })
    }));
    assert!(panics.is_err());
    assert_eq!((registry.get_pid("a"), registry.lookup("a").unwrap().version()), (Some(1), 1));
    assert_eq!(registry.update("a", |child| child.bind("here", 3)), Ok(Some(1)));
}

#[test]
fn an_update_that_unbinds_all_leaves_a_pending_entry() {
    let (registry, _) = timed();
    registry.insert("a", child(1).tag("t"));
    registry.update("a", |child| child.unbind_all().len()).unwrap();
    assert!(!registry.contains("a") && registry.entry_exists("a"));
    assert_eq!((registry.len(), registry.len_all(), registry.tag_len("t")), (0, 1, 0));
    assert_eq!(registry.tags(), [] as [Tag; 0]);
}

#[test]
fn compute_carries_a_life_on_or_begins_one() {
    let (registry, time) = timed();
    let put = |pid| move |_: Option<&Entry<&'static str, u32>>| Decision::Put(child(pid));
    let first = registry.compute("a", put(1)).unwrap();
    let second = registry.compute("a", put(2)).unwrap();
    assert_eq!((second.incarnation(), second.version()), (first.incarnation(), 2));
    registry.bulk_delete([("a", ["here"])]);
    let third = registry.compute("a", put(3)).unwrap();
    assert!(third.incarnation() > first.incarnation() && third.deadline().is_none());

    registry.insert("b", child(1).ttl(TTL));
    let kept = registry.compute("b", put(2)).unwrap();
    assert!(kept.deadline().is_some());
    time.advance(TTL);
    let mut seen = true;
    assert!(
        registry
            .compute("b", |current| {
                seen = current.is_some();
                Decision::Keep
            })
            .is_none()
    );
    assert!(!seen);
    assert!(registry.compute("b", |_| Decision::Remove).is_none());
    assert!(registry.compute("a", |_| Decision::Remove).is_none());
    assert_eq!((registry.len_all(), items(&registry)), (0, 0));
}

#[test]
fn bulk_insert_merges_by_node() {
    let (registry, _) = timed();
    let (hooks, heard) = recording();
    registry.bulk_insert_with([("a", child(1).on("x", 2).tag("old"))], &hooks);
    assert_eq!(take(&heard), registered("a", &[("here", 1), ("x", 2)], 1));
    registry.update("a", |child| child.set_ttl(TTL)).unwrap();
    let before = registry.get_owned("a").unwrap();

    // The same set in another order: nothing is written.
    let same = Child::new("new").on("x", 2).on("here", 1);
    registry.bulk_insert_with([("a", same)], &hooks);
    assert_eq!((take(&heard), registry.lookup("a").unwrap().version()), (vec![], 2));

    let merged = Child::new("new").on("y", 3).on("x", 2).on("here", 4);
    registry.bulk_insert_with([("a", merged.tag("t"))], &hooks);
    assert_eq!(take(&heard), registered("a", &[("y", 3), ("here", 4)], 3));
    registry.bulk_insert_with([("a", Child::new("newer").on("z", 5))], &hooks);
    assert_eq!(take(&heard), registered("a", &[("z", 5)], 4));
    assert_eq!(registry.get_pids("a"), [3, 2, 4, 5]);
    let after = registry.get_owned("a").unwrap();
    assert_eq!((after.deadline(), after.incarnation()), (before.deadline(), before.incarnation()));
    assert_eq!((*after.spec(), after.tags().len()), ("newer", 0));

    registry.bulk_insert_with([("a", Child::new("bare"))], &hooks);
    assert_eq!((take(&heard), registry.get_pids("a")), (vec![], vec![3, 2, 4, 5]));
    assert_eq!(*registry.lookup("a").unwrap().spec(), "bare");

    registry.insert("pending", Child::new("spec"));
    registry.bulk_insert([("pending", child(6))]);
    assert_eq!(registry.lookup("pending").unwrap().version(), 1);
}

#[test]
fn bulk_delete_leaves_tombstones() {
    let (registry, time) = timed();
    let (hooks, heard) = recording();
    registry.insert("a", child(1).on("x", 2).on("y", 3).tag("t"));
    let incarnation = registry.lookup("a").unwrap().incarnation();
    registry.bulk_delete_with([("a", vec!["x", "z"]), ("nobody", vec!["x"])], &hooks);
    assert_eq!(take(&heard), unregistered("a", &[("x", 2)], 2));
    registry.bulk_delete_with([("a", ["z"])], &hooks);
    assert_eq!((take(&heard), registry.lookup("a").unwrap().version()), (vec![], 2));
    // The second sees what the first has left.
    registry.bulk_delete_with([("a", vec!["y"]), ("a", vec!["y", "here"])], &hooks);
    let mut both = unregistered("a", &[("y", 3)], 3);
    both.extend(unregistered("a", &[("here", 1)], 4));
    assert_eq!(take(&heard), both);
    registry.bulk_delete_with([("a", ["here"])], &hooks);
    assert_eq!(take(&heard), vec![]);

    let tombstone = registry.dump_all().remove("a").unwrap();
    assert_eq!((tombstone.incarnation(), tombstone.tags()), (incarnation, &["t".into()][..]));
    assert_eq!((registry.len(), registry.len_all(), registry.tag_len("t")), (0, 1, 0));
    time.advance(Duration::from_secs(30));
    assert_eq!((registry.entry_exists("a"), registry.purge_expired()), (false, 1));
}

#[test]
fn a_tombstone_is_due_before_the_lease_it_was() {
    let (registry, time) = timed();
    registry.insert("a", child(1).ttl(TTL * 100));
    registry.bulk_delete([("a", ["here"])]);
    time.advance(Duration::from_secs(30));
    assert_eq!(registry.purge_expired(), 1);
    time.advance(TTL * 100);
    assert_eq!((registry.purge_expired(), items(&registry)), (0, 0));
}

#[test]
fn remove_node_takes_bindings_and_what_has_no_others() {
    let (registry, _) = timed();
    registry.insert("both", child(1).on("x", 2));
    registry.insert("only", Child::new("spec").on("x", 3));
    registry.insert("other", child(4));
    let mut changed = registry.remove_node("x");
    changed.sort();
    assert_eq!(changed, ["both", "only"]);
    assert_eq!((registry.get_pids("both"), registry.entry_exists("only")), (vec![1], false));
    assert_eq!((registry.remove_node("x"), registry.nodes()), (vec![], vec!["here".into()]));
}

#[test]
fn clearing_leaves_nothing_and_retaining_what_it_should() {
    let (registry, _) = kinds();
    registry.retain(|entry| *entry.id() != "live");
    assert_eq!((registry.len_all(), registry.contains("live")), (3, false));
    registry.clear_all();
    assert_eq!((registry.len(), registry.len_all(), items(&registry)), (0, 0, 0));
    assert!(registry.tags().is_empty() && registry.nodes().is_empty());
}

#[test]
fn hooks_fire_for_what_they_should() {
    let (registry, time) = timed();
    let (hooks, heard) = recording();
    let options = WriteOptions::new().hooks(&hooks);
    registry.insert_with("a", child(1), options);
    registry.insert_with("a", Child::new("spec"), options);
    assert_eq!(take(&heard), registered("a", &[("here", 1)], 1));
    assert!(registry.try_insert_with("a", child(2), options).is_ok());
    assert!(registry.try_insert_with("a", child(3), options).is_err());
    assert_eq!(take(&heard), registered("a", &[("here", 2)], 1));
    registry.rebind_with("a", "here", 4, &hooks).unwrap();
    registry.rebind_with("a", "x", 5, &hooks).unwrap();
    assert_eq!(registry.rebind_with("b", "x", 5, &hooks), Err(NoChild));
    let mut both = registered("a", &[("here", 4)], 2);
    both.extend(registered("a", &[("x", 5)], 3));
    assert_eq!(take(&heard), both);
    assert!(registry.delete_if_with("a", |_| false, &hooks).is_none());
    registry.delete_with("a", &hooks);
    assert_eq!(take(&heard), unregistered("a", &[("here", 4), ("x", 5)], 3));
    registry.delete_with("a", &hooks);
    registry.insert("a", child(1).ttl(TTL));
    time.advance(TTL);
    registry.delete_with("a", &hooks);
    registry.insert("pending", Child::new("spec"));
    registry.delete_with("pending", &hooks);
    assert_eq!((take(&heard), registry.len_all()), (vec![], 0));

    let pinned = registry.pin();
    pinned.insert_with("p", child(1), options);
    assert!(pinned.try_insert_with("p", child(1), options).is_err());
    pinned.delete_with("p", &hooks);
    let mut both = registered("p", &[("here", 1)], 1);
    both.extend(unregistered("p", &[("here", 1)], 1));
    assert_eq!(take(&heard), both);
}

#[test]
fn a_handler_that_panics_leaves_the_write_and_the_counts() {
    let (registry, _) = timed();
    let hooks = Hooks::new();
    let panics = Handler::new("panics", |_: &Event<'_, u32>| panic!("on purpose"));
    hooks.register(HookKey::ChildRegistered, panics).unwrap();
    let options = WriteOptions::new().hooks(&hooks);
    for id in ["a", "b"] {
        let pinned = (id == "b").then(|| registry.pin());
        let result = catch_unwind(AssertUnwindSafe(|| match &pinned {
            Some(pinned) => pinned.insert_with(id, child(1).ttl(TTL), options).is_some(),
            None => registry.insert_with(id, child(1).ttl(TTL), options).is_some(),
        }));
        assert!(result.is_err());
    }
    assert_eq!((registry.len(), registry.len_all(), items(&registry)), (2, 2, 2));
}

#[test]
fn handlers_and_destructors_of_the_registry_run_unpinned() {
    struct Probe(Arc<AtomicUsize>);
    impl Drop for Probe {
        fn drop(&mut self) {
            assert!(!crate::sync::is_pinned());
            self.0.fetch_add(1, SeqCst);
        }
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    let hooks = Hooks::new();
    let unpinned = |_: &Event<'_, u32>| assert!(!crate::sync::is_pinned());
    hooks.register(HookKey::ChildRegistered, Handler::new("probe", unpinned)).unwrap();
    hooks.register(HookKey::ChildUnregistered, Handler::new("probe", unpinned)).unwrap();
    let registry: Registry<Probe, u32> = Registry::new("here");
    let new = || Child::new(Probe(Arc::clone(&dropped))).on("here", 1);
    for _ in 0..500 {
        registry.insert_with("a", new(), WriteOptions::new().hooks(&hooks));
        assert!(registry.try_insert("a", new()).is_err());
        registry.delete_with("a", &hooks);
    }
    // Other tests of this process pin the same collector now and then.
    for _ in 0..100_000 {
        registry.collect();
        if dropped.load(SeqCst) > 500 {
            break;
        }
        std::thread::yield_now();
    }
    assert!(dropped.load(SeqCst) > 500);
    drop(registry);
    assert_eq!(dropped.load(SeqCst), 1000);
}

#[test]
fn contained_children_come_once_and_in_order() {
    let (registry, _) = timed();
    let ids: Vec<String> = (0..100).map(|i| format!("id-{i}")).collect();
    for id in ids.iter().step_by(2) {
        registry.insert(id, child(1));
    }
    let asked: Vec<&str> = ids.iter().chain(&ids).rev().map(String::as_str).collect();
    let expected: Vec<&str> = ids.iter().step_by(2).rev().map(String::as_str).collect();
    assert_eq!(registry.contains_children(asked.iter().copied()), expected);

    let pinned = registry.pin();
    let found: Vec<bool> = pinned.get_many_iter(&ids).map(|entry| entry.is_some()).collect();
    assert!(found.iter().enumerate().all(|(at, found)| *found == (at % 2 == 0)));
    assert_eq!(found.len(), 100);
    let mut many = pinned.get_many_iter(&ids);
    assert_eq!((many.len(), many.next().is_some(), many.len()), (100, true, 99));
    assert_eq!(pinned.get_many_iter::<str, _>([]).count(), 0);
}

#[test]
fn a_refreshed_pin_lets_go() {
    let registry: Registry<Arc<()>, u32> = Registry::new("here");
    let spec = Arc::new(());
    let mut pinned = registry.pin();
    let mut write = || {
        pinned.insert("a", Child::new(Arc::clone(&spec)).on("here", 1));
        pinned.refresh();
        pinned.refresh();
    };
    (0..10_000).for_each(|_| write());
    // Other tests of this process pin the same collector now and then, so it may take a while.
    let end = Instant::now() + Duration::from_secs(60);
    while Arc::strong_count(&spec) > 1000 {
        assert!(Instant::now() < end, "{} are kept", Arc::strong_count(&spec));
        write();
        std::thread::yield_now();
    }
}

/// Destroyed after its thread can no longer tell whether it is pinned.
struct Late(&'static Registry<u32, u32>);

impl Drop for Late {
    fn drop(&mut self) {
        let mut pinned = self.0.pin();
        for round in 0..3 {
            pinned.insert("late", Child::new(round).on("here", 1));
            pinned.refresh();
        }
    }
}

#[test]
fn a_pin_is_refreshed_while_its_thread_ends() {
    thread_local! {
        static LATE: std::cell::RefCell<Option<Late>> = const { std::cell::RefCell::new(None) };
    }
    static REGISTRY: LazyLock<Registry<u32, u32>> = LazyLock::new(|| Registry::new("here"));
    let registry = &*REGISTRY;
    // Locals are destroyed in the reverse order of their making.
    let run = move || {
        LATE.with_borrow_mut(|late| *late = Some(Late(registry)));
        drop(registry.pin());
    };
    std::thread::spawn(run).join().expect("ends in peace");
    assert_eq!(registry.lookup("late").map(|entry| *entry.spec()), Some(2));
}

/// A specification whose destructor panics once it is told to.
struct Bomb(Arc<AtomicUsize>);

impl Drop for Bomb {
    fn drop(&mut self) {
        assert_ne!(self.0.swap(0, SeqCst), 1, "told to");
    }
}

#[test]
fn a_destructor_that_panics_in_a_refresh_leaves_the_pin_as_it_was() {
    let registry: Registry<Bomb, u32> = Registry::new("here");
    let armed = Arc::new(AtomicUsize::new(0));
    let mut pinned = registry.pin();
    let child = || Child::new(Bomb(Arc::clone(&armed))).on("here", 1);
    let mut write = || {
        pinned.insert("id", child());
        catch_unwind(AssertUnwindSafe(|| pinned.refresh())).is_err()
    };
    armed.store(1, SeqCst);
    let end = Instant::now() + Duration::from_secs(60);
    // Other tests of this process pin the same collector now and then.
    while !write() {
        assert!(Instant::now() < end, "nothing is dropped");
    }
    // It protects what it shows.
    let entry = pinned.lookup("id").expect("just inserted");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            registry.delete("id");
            registry.collect();
        });
    });
    assert_eq!((entry.id().as_str(), entry.pid()), ("id", Some(&1)));
}

/// What a lookup may take without a look at the clock is told by the word that leads there: each kind of
/// entry becomes each other one, and what each read shows is right before and after the deadlines.
#[test]
fn kinds_of_entries_change_while_the_table_grows() {
    let (registry, time) = timed();
    for round in 0..6 {
        let ids: Vec<String> = (0..(round + 1) * 700).map(|i| format!("id-{i}")).collect();
        for (at, id) in ids.iter().enumerate() {
            let child = match (at + round) % 3 {
                0 => child(1),
                1 => child(1).ttl(TTL),
                _ => Child::new("empty"),
            };
            registry.insert(id, child.tag("all"));
        }
        for shown in [[true, true, false], [true, false, false]] {
            let shown = |at: usize| shown[(at + round) % 3];
            let pinned = registry.pin();
            let expected: HashSet<&str> =
                ids.iter().enumerate().filter(|(at, _)| shown(*at)).map(|(_, id)| &**id).collect();
            for (at, id) in ids.iter().enumerate() {
                assert_eq!(registry.lookup(id).is_some(), shown(at), "{id} in round {round}");
                assert_eq!(pinned.lookup(id).is_some(), shown(at), "{id} in round {round}");
                let there = shown(at) || (at + round) % 3 == 2;
                assert_eq!(pinned.entry_exists(id), there, "{id} in round {round}");
            }
            let many = pinned.get_many_iter(&ids).flatten().map(|entry| &**entry.id());
            assert_eq!(many.collect::<HashSet<&str>>(), expected);
            let tagged = pinned.match_tag("all").map(|entry| &**entry.id());
            assert_eq!(tagged.collect::<HashSet<&str>>(), expected);
            let all = pinned.iter().map(|entry| &**entry.id());
            assert_eq!(all.collect::<HashSet<&str>>(), expected);
            drop(pinned);
            time.advance(TTL);
        }
    }
}

#[test]
fn extends_by_reference_and_by_value() {
    let (mut registry, _) = timed();
    registry.extend([("a", child(1))]);
    (&registry).extend([(String::from("b"), child(2))]);
    assert_eq!(registry.len(), 2);
    assert!(format!("{registry:?}").contains("len_all: 2"));
    assert!(format!("{:?}", registry.pin()).contains("len_all: 2"));
    assert!(format!("{:?}", registry.lookup("a")).contains("spec"));
}
