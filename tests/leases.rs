//! Leases: a registration removes its own child and never anybody else's, whatever has happened to the id
//! before it ends and wherever it ends.

mod support;

#[path = "leases/fates.rs"]
mod fates;
#[path = "leases/races.rs"]
mod races;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use process_registry::{
    Child, Clock, Event, Handler, HookKey, Hooks, ManualClock, NoChild, OwnedEntry, Registration,
    Registry, UpdateError, WriteOptions,
};

use fates::{FATES, Left};
use support::ledger::Ledger;
use support::rigged::{Action, Id, Point, Value, rigged};
use support::{Hashing, Recorder, counts_match_a_walk, plain};

const SECOND: Duration = Duration::from_secs(1);
/// How long the leases of the table live unless they are renewed.
const TTL: Duration = Duration::from_secs(10);

type Names = Registry<&'static str, u32, (), String, Hashing>;
type Lease = Registration<&'static str, u32, (), String, Hashing>;

/// A registry with two entries that nothing here is about, and time of its own.
struct World {
    registry: Arc<Names>,
    clock: ManualClock,
}

impl World {
    fn new(hashing: Hashing) -> Self {
        let clock = ManualClock::new();
        let registry = Registry::<&str, u32, (), String>::builder("here")
            .hasher(hashing)
            .clock(Clock::Manual(clock.clone()))
            .build();
        for id in ["before", "after"] {
            registry.insert(id, worker(100).tag("bystander"));
        }
        Self { registry: Arc::new(registry), clock }
    }

    fn register(&self) -> Lease {
        let child = worker(1).on("there", 2).tag("x").ttl(TTL);
        self.registry.register("id", child).expect("free")
    }

    /// Id, incarnation, version and pids of all that is there, empty entries included.
    fn shot(&self) -> BTreeMap<String, (u64, u64, Vec<u32>)> {
        let all = self.registry.dump_all();
        let seen = |entry: &OwnedEntry<&str, u32, (), String>| {
            (entry.incarnation(), entry.version(), entry.pids().copied().collect())
        };
        all.iter().map(|(id, entry)| (id.clone(), seen(entry))).collect()
    }
}

fn worker(pid: u32) -> Child<&'static str, u32> {
    Child::new("spec").on("here", pid)
}

// ---- the table ------------------------------------------------------------------------------------

/// A way for a lease to end.
struct End {
    name: &'static str,
    by: fn(&World, Lease),
}

const ENDS: &[End] = &[
    End { name: "dropped", by: |_, lease| drop(lease) },
    End { name: "released", by: |_, lease| drop(lease.release()) },
    End {
        name: "dropped by another thread",
        by: |_, lease| thread::spawn(move || drop(lease)).join().expect("drops"),
    },
    End {
        name: "dropped under a pin",
        by: |world, lease| {
            let pinned = world.registry.pin();
            let entry = pinned.lookup("id");
            let pids = entry.map(|entry| entry.pids().copied().collect::<Vec<_>>());
            drop(lease);
            assert_eq!(entry.map(|entry| entry.pids().copied().collect()), pids);
        },
    },
    End {
        name: "dropped by a panic",
        by: |_, lease| {
            let panic = catch_unwind(AssertUnwindSafe(|| {
                let _lease = lease;
                resume_unwind(Box::new("bang"));
            }));
            assert!(panic.is_err());
        },
    },
    End {
        name: "dropped within a write of another id",
        by: |world, lease| {
            let mut lease = Some(lease);
            let keep = |_: &_| {
                drop(lease.take());
                false
            };
            assert!(world.registry.delete_if("before", keep).is_none());
        },
    },
    End {
        name: "dropped within a write of the id",
        by: |world, lease| {
            let mut lease = Some(lease);
            let refuse = |_: &mut Child<_, _>| {
                drop(lease.take());
                Err::<(), _>("refused")
            };
            assert!(world.registry.try_update("id", refuse).is_err());
        },
    },
    End {
        name: "dropped by the destructor of an entry",
        by: |_, lease| {
            let owner: Registry<Mutex<Lease>, u32> = Registry::new("elsewhere");
            owner.insert("owner", Child::new(Mutex::new(lease)).on("here", 1));
            owner.delete("owner");
            drop(owner);
        },
    },
];

#[test]
fn only_ones_own_registration_is_ever_removed() {
    assert!(FATES.len() >= 12);
    for hashing in [Hashing::Normal, Hashing::Constant] {
        for fate in FATES {
            for end in ENDS {
                let context = format!("{}, {}, {hashing:?}", fate.name, end.name);
                let world = World::new(hashing);
                let lease = world.register();
                (fate.befalls)(&world);

                let own = lease.incarnation();
                let before = world.shot();
                let expected: Left = match before.get("id") {
                    None => Left::Nothing,
                    Some((incarnation, ..)) if *incarnation == own => Left::Own,
                    Some(_) => Left::Others,
                };
                assert_eq!(fate.left, expected, "{context}");

                (end.by)(&world, lease);
                let mut after = before;
                after.retain(|_, (incarnation, ..)| *incarnation != own);
                assert_eq!(world.shot(), after, "{context}");
                assert_eq!(after.contains_key("id"), fate.left == Left::Others, "{context}");
                assert!(after.len() >= 2 || fate.clears, "{context}");
                world.registry.purge_expired();
                assert_eq!(world.shot(), after, "{context}");
                counts_match_a_walk(&world.registry);
            }
        }
    }
}

#[test]
fn a_lost_registration_says_so_and_changes_nothing() {
    for fate in FATES {
        let context = fate.name;
        let world = World::new(Hashing::Normal);
        let lease = world.register();
        (fate.befalls)(&world);
        let before = world.shot();
        assert_eq!(lease.is_current(), fate.current, "{context}");
        let incarnation = lease.entry().map(|entry| entry.incarnation());
        assert_eq!(incarnation, fate.current.then_some(lease.incarnation()), "{context}");

        let mut runs = 0;
        let changes: [Result<(), NoChild>; 4] = [
            lease.renew(TTL),
            lease.rebind("new", 77).map(|_| ()),
            lease.update(|_| runs += 1),
            lease.try_update(|_| Err::<(), _>("refused")).or_else(|error| match error {
                UpdateError::NoChild => Err(NoChild::from_lost()),
                _ => Ok(()),
            }),
        ];
        for (at, change) in changes.into_iter().enumerate() {
            assert_eq!(change.is_ok(), fate.current, "{context}: change {at}");
        }
        assert_eq!(runs, u32::from(fate.current), "{context}");
        if fate.current {
            assert_eq!(world.registry.get_pids("id").last(), Some(&77), "{context}");
        } else {
            assert_eq!(world.shot(), before, "{context}");
        }
        let left = world.shot().get("id").cloned();
        assert_eq!(lease.detach(), "id");
        assert_eq!(world.shot().get("id").cloned(), left, "{context}: detached");
    }
}

trait FromLost {
    fn from_lost() -> Self;
}

impl FromLost for NoChild {
    /// The only way to come by one outside the crate.
    fn from_lost() -> Self {
        Registry::<u8, u8>::new("here").update("nobody", |_| ()).unwrap_err()
    }
}

// ---- registering ----------------------------------------------------------------------------------

#[test]
fn a_live_id_is_refused_and_its_holder_named() {
    let world = World::new(Hashing::Normal);
    let lease = world.register();
    let refused = world.registry.register("id", worker(5).tag("y").ttl(SECOND)).unwrap_err();
    assert_eq!(refused.holder().incarnation(), lease.incarnation());
    let (id, child, holder) = refused.into_parts();
    assert_eq!((id.as_str(), &child), ("id", &worker(5).tag("y").ttl(SECOND)));
    assert_eq!(holder.pid(), Some(&1));
    drop(lease);
    let next = world.registry.register(id, child).expect("free");
    assert!(next.incarnation() > holder.incarnation());
    assert!(next.entry().expect("current").deadline().is_some());
}

#[test]
fn an_id_is_free_if_it_is_absent_expired_or_empty() {
    let world = World::new(Hashing::Normal);
    world.registry.insert("pending", Child::new("spec"));
    world.registry.insert("tombstone", worker(1));
    world.registry.bulk_delete([("tombstone", ["here"])]);
    world.registry.insert("expired", worker(1).ttl(SECOND));
    world.clock.advance(SECOND);
    for id in ["absent", "pending", "tombstone", "expired"] {
        let lease = world.registry.register(id, worker(2)).expect(id);
        assert!(lease.is_current(), "{id}");
        assert_eq!(lease.entry().expect(id).deadline(), None, "{id}");
    }
    assert_eq!(world.registry.len_all(), 2);
}

#[test]
fn a_pending_registration_holds_nothing_but_is_cleaned_up() {
    let world = World::new(Hashing::Normal);
    let pending = world.registry.register("id", Child::new("spec")).expect("free");
    assert!(!pending.is_current());
    assert!(pending.rebind("here", 1).is_err());
    assert!(world.registry.entry_exists("id"));
    let next = world.registry.register("id", Child::new("spec")).expect("free");
    drop(pending);
    assert!(world.registry.entry_exists("id"));
    assert!(next.release().is_some_and(|entry| entry.is_empty()));
    assert!(!world.registry.entry_exists("id"));
}

#[test]
fn hooks_hear_of_registering_rebinding_and_releasing_and_of_no_drop() {
    let registry: Arc<Registry<&str, u32, u32>> = Arc::new(Registry::new("here"));
    let recorder: Recorder<process_registry::ChildId> = Recorder::new();
    let hooks = &recorder.hooks;
    let child = |pid| Child::new("spec").metadata(0).on("here", pid).on("there", pid);
    let hooked = WriteOptions::new().hooks(hooks);
    let heard = || {
        let heard = recorder.take().into_iter();
        heard.map(|heard| (heard.incarnation, heard.version, heard.bindings)).collect::<Vec<_>>()
    };

    let lease = registry.register_with("id", child(1), hooked.ttl(SECOND)).expect("free");
    assert_eq!(heard(), [(lease.incarnation(), 1, plain(child(1).bindings()))]);
    assert!(registry.register_with("id", child(2), hooked).is_err());
    assert!(heard().is_empty());
    assert_eq!(lease.rebind_with("there", 7, hooks), Ok(Some(1)));
    assert_eq!(heard(), [(lease.incarnation(), 2, vec![("there".to_owned(), 7)])]);
    lease.rebind("there", 1).expect("current");
    lease.renew(SECOND).expect("current");
    drop(lease);
    assert!(heard().is_empty());

    let lease = registry.register_with("id", child(3), hooked).expect("free");
    let _ = heard();
    let incarnation = lease.incarnation();
    assert!(lease.release_with(hooks).is_some());
    assert_eq!(heard(), [(incarnation, 1, plain(child(3).bindings()))]);
    let lost = registry.register("id", child(4)).expect("free");
    registry.delete("id");
    assert!(lost.release_with(hooks).is_none());
    assert!(heard().is_empty());
}

// ---- time -----------------------------------------------------------------------------------------

#[test]
fn a_lease_lapses_by_itself_unless_it_is_renewed_in_time() {
    let world = World::new(Hashing::Normal);
    let lease = world.register();
    for _ in 0..5 {
        world.clock.advance(TTL - SECOND);
        assert_eq!(lease.renew(TTL), Ok(()));
        world.registry.purge_expired();
    }
    // Shorter than what is left.
    assert_eq!(lease.renew(SECOND), Ok(()));
    world.clock.advance(SECOND);
    assert!(!lease.is_current() && lease.entry().is_none());
    assert!(lease.renew(TTL).is_err() && lease.release().is_none());
    assert!(!world.shot().contains_key("id"));

    let lease = world.register();
    lease.update(Child::make_permanent).expect("current");
    world.clock.advance(100 * TTL);
    assert!(lease.is_current());
    lease.renew(Duration::MAX).expect("current");
    world.clock.advance(100 * TTL);
    assert_eq!(world.registry.purge_expired(), 0);
    assert!(lease.is_current());
    assert_eq!(lease.detach(), "id");
    assert!(world.registry.contains("id"));
}

// ---- panics and destructors -----------------------------------------------------------------------

type RiggedRegistry = Registry<Value, Value, Value, Id, Hashing>;

fn rigged_registry(ledger: &Ledger) -> Arc<RiggedRegistry> {
    let registry = Registry::<Value, Value, Value, Id>::builder("here").hasher(Hashing::Constant);
    let registry = registry.build();
    for number in 0..4 {
        registry.insert(Id::new(number, ledger), rigged_child(number, ledger));
    }
    Arc::new(registry)
}

fn rigged_child(number: u32, ledger: &Ledger) -> Child<Value, Value, Value> {
    let value = || Value::new(number, ledger);
    Child::new(value()).metadata(value()).on("here", value())
}

#[test]
fn a_drop_calls_no_code_of_ids_nor_of_values() {
    let ledger = Ledger::new(1000);
    for unwinding in [false, true] {
        for point in Point::ALL {
            if matches!(point, Point::DropId | Point::DropValue) {
                // The lease has an id of its own; values are dropped later.
                continue;
            }
            let registry = rigged_registry(&ledger);
            let lease = registry.register(Id::new(9, &ledger), rigged_child(9, &ledger));
            let alive = ledger.alive();
            let (tripped, _) = rigged(point, 1, Action::Panic, || {
                let lease = lease.expect("free");
                if unwinding {
                    let _ = catch_unwind(AssertUnwindSafe(|| {
                        let _lease = lease;
                        resume_unwind(Box::new(()));
                    }));
                }
            });
            assert!(!tripped, "{point:?}");
            assert_eq!(registry.len_all(), 4, "{point:?}");
            assert_eq!(ledger.alive(), alive - 1, "{point:?}");
        }
    }
    ledger.closed();
}

#[test]
fn the_child_goes_even_if_the_ids_destructor_panics() {
    let ledger = Ledger::new(100);
    for release in [false, true] {
        let registry = rigged_registry(&ledger);
        let lease = registry.register(Id::new(9, &ledger), rigged_child(9, &ledger)).expect("free");
        let (tripped, result) = rigged(Point::DropId, 1, Action::Panic, || {
            if release { drop(lease.release()) } else { drop(lease) }
        });
        assert!(tripped && result.is_err());
        assert_eq!(registry.len_all(), 4);
    }
    ledger.closed();
}

#[test]
fn a_panic_while_registering_leaves_nothing_behind() {
    let ledger = Ledger::new(5000);
    for point in Point::ALL {
        for nth in 1.. {
            let registry = rigged_registry(&ledger);
            let (child, id) = (rigged_child(9, &ledger), Id::new(9, &ledger));
            let (tripped, result) =
                rigged(point, nth, Action::Panic, || registry.register(id, child).expect("free"));
            assert_eq!(result.is_err(), tripped);
            assert_eq!(registry.len_all(), if tripped { 4 } else { 5 }, "{point:?} {nth}");
            drop(result);
            assert_eq!(registry.len_all(), 4);
            if !tripped {
                break;
            }
        }
    }
    ledger.closed();
}

#[test]
fn a_handler_that_panics_takes_the_registration_with_it() {
    let world = World::new(Hashing::Normal);
    let hooks: Hooks<u32, String> = Hooks::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (registry, note) = (Arc::clone(&world.registry), Arc::clone(&seen));
    let look = move |event: &Event<'_, u32, String>| {
        note.lock().expect("sound").push(registry.contains(event.id()));
        resume_unwind(Box::new("bang"));
    };
    hooks.register(HookKey::ChildRegistered, Handler::new("bang", look)).expect("new");
    let options = WriteOptions::new().hooks(&hooks);
    let register = || drop(world.registry.register_with("id", worker(1), options));
    assert!(catch_unwind(AssertUnwindSafe(register)).is_err());
    assert_eq!(*seen.lock().expect("sound"), [true]);
    assert!(!world.registry.entry_exists("id"));
}

#[test]
fn an_update_that_panics_changes_nothing() {
    let world = World::new(Hashing::Normal);
    let lease = world.register();
    let before = world.shot();
    let update = || lease.update(|_| resume_unwind(Box::new("bang")));
    assert!(catch_unwind(AssertUnwindSafe(update)).is_err());
    assert_eq!(lease.try_update(|_| Err::<(), _>(7)), Err(UpdateError::Failed(7)));
    assert_eq!(world.shot(), before);
    assert!(lease.is_current());
}

/// A spec that holds leases of the registry that it is in.
#[derive(Default)]
struct Owner(Mutex<Vec<Registration<Self, u32>>>);

#[test]
fn an_entry_may_own_leases_of_its_own_registry() {
    let registry: Arc<Registry<Owner, u32>> = Arc::new(Registry::new("here"));
    let child = |leases| Child::new(Owner(Mutex::new(leases))).on("here", 1);
    for round in 0..50 {
        let leases = (0..3).map(|leaf| {
            let id = format!("{round}.{leaf}");
            registry.register(id, child(Vec::new())).expect("free")
        });
        registry.insert("owner", child(leases.collect()));
    }
    let held = registry.lookup("owner").map(|owner| owner.spec().0.lock().expect("sound").len());
    assert_eq!(held, Some(3));
    registry.delete("owner");
    while registry.len_all() > 0 {
        registry.collect();
    }
    let lease = registry.register("leaf", child(Vec::new())).expect("free");
    registry.insert("owner", child(vec![lease]));
    drop(registry);
}

#[test]
fn the_registry_may_go_first() {
    let ledger = Ledger::new(100);
    let registry = rigged_registry(&ledger);
    let register = |number| {
        registry.register(Id::new(number, &ledger), rigged_child(number, &ledger)).expect("free")
    };
    let (dropped, released, detached, last) =
        (register(10), register(11), register(12), register(13));
    // The last `Arc` goes within a call: the registry is dropped at its end.
    let mut arc = Some(registry);
    last.update(|_| drop(arc.take())).expect("current");
    assert!(ledger.alive() <= 4, "but for the ids of the leases");
    assert!(!last.is_current() && last.entry().is_none());
    assert!(last.renew(TTL).is_err() && last.update(|_| ()).is_err());
    assert_eq!(last.try_update(|_| Err::<(), _>(1)), Err(UpdateError::NoChild));
    assert!(released.release().is_none());
    assert_eq!(detached.detach().number, 12);
    drop((dropped, last));
    ledger.closed();
}

#[test]
fn leases_and_registries_may_end_with_their_thread() {
    thread_local! {
        static KEPT: RefCell<Vec<(Lease, Option<Arc<Names>>)>> = const { RefCell::new(Vec::new()) };
    }
    // Locals are destroyed in the reverse order of their making.
    for first in [true, false] {
        for last in [true, false] {
            let world = World::new(Hashing::Normal);
            let other = (!last).then(|| Arc::clone(&world.registry));
            let run = move || {
                if first {
                    KEPT.with_borrow_mut(Vec::clear);
                }
                let leased = world.registry.register("leased", worker(1).ttl(TTL)).expect("free");
                let kept = world.registry.register("kept", worker(1)).expect("free");
                let arc = last.then_some(world.registry);
                KEPT.with_borrow_mut(|leases| leases.extend([(leased, None), (kept, arc)]));
            };
            thread::spawn(run).join().expect("ends in peace");
            assert_eq!(other.map_or(2, |other| other.len_all()), 2, "first: {first}");
        }
    }
}

// ---- async ----------------------------------------------------------------------------------------

/// Comes back once.
struct Yield(bool);

impl Future for Yield {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) { Poll::Ready(()) } else { Poll::Pending }
    }
}

async fn serve(registry: Arc<Names>) -> usize {
    let lease = registry.register("server", worker(1)).expect("free");
    let entry = lease.entry().expect("current");
    Yield(false).await;
    lease.rebind("here", 2).expect("current");
    let refused = registry.register("server", worker(3)).unwrap_err();
    Yield(false).await;
    [entry.pid(), refused.holder().pid()].iter().flatten().map(|pid| **pid as usize).sum()
}

fn sends<F: Future + Send + 'static>(future: F) -> F {
    future
}

#[test]
fn leases_and_entries_live_across_await_and_threads() {
    let world = World::new(Hashing::Normal);
    let mut task = Box::pin(sends(serve(Arc::clone(&world.registry))));
    // Every poll on another thread.
    let mut poll = || {
        let poll = || task.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        thread::scope(|scope| scope.spawn(poll).join().expect("polls"))
    };
    assert_eq!((poll(), world.registry.get_pid("server")), (Poll::Pending, Some(1)));
    assert_eq!((poll(), world.registry.get_pid("server")), (Poll::Pending, Some(2)));
    assert_eq!((poll(), world.registry.get_pid("server")), (Poll::Ready(3), None));
}

#[test]
fn a_task_that_is_dropped_loses_its_registration() {
    let world = World::new(Hashing::Normal);
    let mut context = Context::from_waker(Waker::noop());
    {
        let mut task = pin!(serve(Arc::clone(&world.registry)));
        assert!(task.as_mut().poll(&mut context).is_pending());
        assert!(world.registry.contains("server"));
    }
    assert!(!world.registry.entry_exists("server"));
}
