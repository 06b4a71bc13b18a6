//! Bulk operations and hooks, while handlers come and go and deadlines pass.
//!
//! Handlers are modelled, too: which are called, in which order, and which are refused.

use std::sync::{Arc, Mutex, PoisonError};

use arbitrary::Arbitrary;
use process_registry::{Event, Handler, HookKey, Hooks, ManualClock, WriteOptions};

use crate::support::Heard;
use crate::support::oracle::{Fired, Kind, Wish};
use crate::vocabulary::{Few, Hash, Id, NodeName, Offer, Small, Time};
use crate::world::{World, registry};

/// What the fuzzer makes up for this target.
#[derive(Arbitrary, Debug)]
pub struct Input {
    hash: Hash,
    steps: Vec<Step>,
}

#[derive(Arbitrary, Debug)]
enum Step {
    BulkInsert(Few<(Id, Offer), 5>),
    BulkInsertBy(Few<(Id, Offer), 5>),
    BulkInsertWith(Few<(Id, Offer), 5>),
    BulkInsertByWith(Few<(Id, Offer), 5>),
    BulkDelete(Few<(Id, Few<NodeName>), 5>),
    BulkDeleteWith(Few<(Id, Few<NodeName>), 5>),
    RemoveNode(NodeName),
    Retain(Small),
    ClearAll,
    Insert(Id, Offer),
    InsertFor(Id, Offer, Time),
    TryInsert(Id, Offer),
    Delete(Id),
    Rebind(Id, NodeName, Small),
    Pass(Time),
    PassMore(Time),
    PurgeExpired,
    DeleteIfExpired(Id),
    Register(Key, New),
    RegisterAll(Key, Few<New>),
    Cancel(Key, Name),
}

/// A hook's key.
#[derive(Arbitrary, Clone, Copy, Debug)]
struct Key(bool);

impl Key {
    fn get(self) -> HookKey {
        if self.0 { HookKey::ChildRegistered } else { HookKey::ChildUnregistered }
    }
}

/// The id of a handler.
#[derive(Arbitrary, Clone, Copy, Debug)]
struct Name(u8);

impl Name {
    fn get(self) -> &'static str {
        ["a", "b", "c", "d"][usize::from(self.0) % 4]
    }
}

/// A handler to be registered.
#[derive(Arbitrary, Clone, Copy, Debug)]
struct New {
    name: Name,
    priority: i8,
    /// Cancels itself when it is called.
    once: bool,
}

/// What was heard: by which handler, and what.
type Log = Arc<Mutex<Vec<(&'static str, Heard<u64>)>>>;

/// The handlers, and the plain lists of what they ought to be.
struct Listeners {
    hooks: Arc<Hooks<u32, u64>>,
    log: Log,
    /// Of each key, in the order they are called.
    lists: [Vec<New>; 2],
}

impl Listeners {
    fn new() -> Self {
        Self { hooks: Arc::new(Hooks::new()), log: Log::default(), lists: Default::default() }
    }

    fn handler(&self, key: HookKey, new: New) -> Handler<u32, u64> {
        let (log, hooks, name) =
            (Arc::clone(&self.log), Arc::downgrade(&self.hooks), new.name.get());
        let note = move |event: &Event<'_, u32, u64>| {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            log.push((name, Heard::of(event)));
            if let (true, Some(hooks)) = (new.once, hooks.upgrade()) {
                assert!(hooks.cancel(key, name), "it is there: it was called");
            }
        };
        Handler::new(name, note).priority(new.priority.into())
    }

    fn list(&mut self, key: Key) -> &mut Vec<New> {
        &mut self.lists[usize::from(key.0)]
    }

    fn register(&mut self, key: Key, new: &[New]) {
        let handlers: Vec<_> = new.iter().map(|new| self.handler(key.get(), *new)).collect();
        let result = match (new, handlers.as_slice()) {
            ([_], [handler]) => self.hooks.register(key.get(), handler.clone()),
            _ => self.hooks.register_all(key.get(), handlers),
        };
        let list = self.list(key);
        let mut duplicates: Vec<&str> = Vec::new();
        for (at, one) in new.iter().enumerate() {
            let name = one.name.get();
            let taken = list.iter().chain(&new[..at]).any(|other| other.name.get() == name);
            if taken && !duplicates.contains(&name) {
                duplicates.push(name);
            }
        }
        match result {
            Ok(()) => assert_eq!(duplicates, [""; 0], "duplicates were accepted"),
            Err(refused) => {
                assert_eq!(refused.ids(), duplicates, "duplicates");
                assert_eq!((refused.key(), refused.handlers().len()), (key.get(), new.len()));
                return;
            }
        }
        for one in new {
            // Behind all of the same priority or a higher one.
            let at = list.iter().take_while(|other| other.priority >= one.priority).count();
            list.insert(at, *one);
        }
    }

    /// Checks that what is due was heard, by whom it concerns, in order.
    fn check(&mut self, world: &mut World<'_, u64>, fired: &[Fired]) {
        let log = std::mem::take(&mut *self.log.lock().unwrap_or_else(PoisonError::into_inner));
        let mut heard = log.iter();
        for fired in fired {
            let list = self.list(Key(fired.kind == Kind::Registered));
            for new in list.iter() {
                let (name, event) = heard.next().expect("an event that is due");
                assert_eq!(*name, new.name.get(), "the order of the handlers");
                world.heard(event, fired);
            }
            list.retain(|new| !new.once);
        }
        assert_eq!(heard.next(), None, "an event that is not due");
        for key in [Key(false), Key(true)] {
            let names: Vec<_> = self.list(key).iter().map(|new| new.name.get()).collect();
            assert_eq!(self.hooks.handlers(key.get()), names, "handlers()");
        }
    }
}

/// Runs an input. Panics where the registry and the model do not agree.
pub fn run(input: &Input) {
    let clock = ManualClock::new();
    let registry = registry(input.hash.get(), 0, &clock);
    let mut world = World::new(&registry, &clock);
    let mut listeners = Listeners::new();
    for step in input.steps.iter().take(40) {
        match step {
            Step::Register(key, new) => listeners.register(*key, &[*new]),
            Step::RegisterAll(key, new) => listeners.register(*key, &new.0),
            Step::Cancel(key, name) => {
                let list = listeners.list(*key);
                let before = list.len();
                list.retain(|new| new.name.get() != name.get());
                let want = list.len() < before;
                assert_eq!(listeners.hooks.cancel(key.get(), name.get()), want, "cancel");
            }
            _ => operate(step, &mut world, &listeners.hooks),
        }
        world.check();
        let fired = world.oracle.take_fired();
        listeners.check(&mut world, &fired);
    }
}

fn wishes(children: &[(Id, Offer)]) -> Vec<(u32, Wish)> {
    children.iter().map(|(id, offer)| (id.number(), offer.wish())).collect()
}

fn operate(step: &Step, world: &mut World<'_, u64>, hooks: &Hooks<u32, u64>) {
    let World { registry, oracle, relations, .. } = world;
    let key = |id: &Id| u64::from(id.number());
    let child = |(id, offer): &(Id, Offer)| (key(id), offer.child());
    match step {
        Step::BulkInsert(children) => {
            oracle.bulk_insert(&wishes(&children.0), false);
            registry.bulk_insert(children.0.iter().map(child));
        }
        Step::BulkInsertBy(children) => {
            oracle.bulk_insert(&wishes(&children.0), false);
            registry.bulk_insert_by(children.0.iter().map(child), |a, b| a == b);
        }
        Step::BulkInsertWith(children) => {
            oracle.bulk_insert(&wishes(&children.0), true);
            registry.bulk_insert_with(children.0.iter().map(child), hooks);
        }
        Step::BulkInsertByWith(children) => {
            oracle.bulk_insert(&wishes(&children.0), true);
            registry.bulk_insert_by_with(children.0.iter().map(child), |a, b| a == b, hooks);
        }
        Step::BulkDelete(children) | Step::BulkDeleteWith(children) => {
            let hooked = matches!(step, Step::BulkDeleteWith(_));
            let nodes = |few: &Few<NodeName>| few.0.iter().map(|n| n.get().to_owned()).collect();
            let plain: Vec<(u32, Vec<String>)> =
                children.0.iter().map(|(id, few)| (id.number(), nodes(few))).collect();
            oracle.bulk_delete(&plain, hooked);
            let keys: Vec<_> = children.0.iter().map(|(id, _)| key(id)).collect();
            let given = keys.iter().zip(plain.iter().map(|(_, nodes)| nodes));
            if hooked {
                registry.bulk_delete_with(given, hooks);
            } else {
                registry.bulk_delete(given);
            }
        }
        Step::RemoveNode(node) => {
            let changed = registry.remove_node(node.get());
            let mut got: Vec<u64> = changed.into_iter().collect();
            got.sort_unstable();
            let want = oracle.remove_node(node.get());
            assert!(got.iter().copied().eq(want.into_iter().map(u64::from)), "remove_node");
        }
        Step::Retain(spec) => {
            oracle.retain(|row| row.spec != spec.get());
            registry.retain(|entry| *entry.spec() != spec.get());
        }
        Step::ClearAll => {
            oracle.clear_all();
            registry.clear_all();
        }
        Step::Insert(id, offer) => {
            let want = oracle.insert(id.number(), &offer.wish(), true);
            let options = WriteOptions::new().hooks(hooks);
            let got = registry.insert_with(key(id), offer.child(), options);
            relations.maybe("insert_with", got.as_deref(), want.as_ref());
        }
        Step::InsertFor(id, offer, ttl) => {
            let life = crate::support::oracle::Life::For(ttl.get());
            let want = oracle.insert(id.number(), &Wish { life, ..offer.wish() }, true);
            let options = WriteOptions::new().hooks(hooks).ttl(ttl.get());
            let got = registry.insert_with(key(id), offer.child(), options);
            relations.maybe("insert_with", got.as_deref(), want.as_ref());
        }
        Step::TryInsert(id, offer) => {
            let want = oracle.try_insert(id.number(), &offer.wish(), true);
            let options = WriteOptions::new().hooks(hooks);
            let got = registry.try_insert_with(key(id), offer.child(), options);
            assert_eq!(got.is_ok(), want.is_ok(), "try_insert_with");
        }
        Step::Delete(id) => {
            let want = oracle.delete(id.number(), true);
            let got = registry.delete_with(&key(id), hooks);
            relations.maybe("delete_with", got.as_deref(), want.as_ref());
        }
        Step::Rebind(id, node, pid) => {
            let want = oracle.rebind(id.number(), node.get(), pid.get(), true);
            let got = registry.rebind_with(&key(id), node.get(), pid.get(), hooks);
            assert_eq!(got.ok(), want, "rebind_with");
        }
        Step::Pass(time) | Step::PassMore(time) => world.pass(time.get()),
        Step::PurgeExpired => {
            assert_eq!(registry.purge_expired(), oracle.purge_expired(), "purge_expired");
        }
        Step::DeleteIfExpired(id) => {
            let want = oracle.delete_if_expired(id.number());
            let got = registry.delete_if_expired(&key(id));
            relations.maybe("delete_if_expired", got.as_deref(), want.as_ref());
        }
        Step::Register(..) | Step::RegisterAll(..) | Step::Cancel(..) => {
            unreachable!("not an operation of the registry")
        }
    }
}
