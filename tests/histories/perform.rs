//! How operations are done on a registry, and what each tells of each id.

use std::cell::RefCell;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use process_registry::{
    Clock, Event, Handler, HookKey, Hooks, ManualClock, Node, Registry, WriteOptions,
};

use crate::flaws::Flaw;
use crate::model::{Edit, GRACE, Kind, Query, Told};
use crate::ops::{Op, Way};
use crate::shaky::{FILLERS, Id, Shaky, waver};
use crate::support::Hashing;
use crate::value::{Bindings, Item, NODES, Offspring, Seen, TAGS, Table, Tags, Wish};

/// One call of one thread, with what it tells of each id.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) thread: usize,
    /// When it began and ended, on one axis for all threads.
    pub(crate) span: (u64, u64),
    /// What the clock of the registry said after the one and before the other.
    pub(crate) clock: (u64, u64),
    pub(crate) name: &'static str,
    /// The steps, in the order in which those of one id were done.
    pub(crate) steps: Vec<(u8, Kind)>,
}

/// An event: which id, its bindings, incarnation and version.
type Heard = (Id, Bindings, (u64, u64));

thread_local! {
    /// The events that the calls of this thread have fired.
    static HEARD: RefCell<Vec<Heard>> = const { RefCell::new(Vec::new()) };
}

/// A registry and what belongs to a history on it.
pub(crate) struct World {
    pub(crate) registry: Arc<Table>,
    /// The time as it is, and the clock of the registry.
    time: ManualClock,
    clock: ManualClock,
    /// What the two said in the beginning.
    began: Instant,
    zero: Instant,
    /// By how much the late clock is late.
    late: AtomicU64,
    ticks: AtomicU64,
    pub(crate) hooks: Hooks<Shaky, Id>,
    pub(crate) keys: u8,
    /// The number of the first id.
    first: u32,
    pub(crate) flaw: Option<Flaw>,
}

impl World {
    pub(crate) fn new(hashing: Hashing, keys: u8, first: u32, flaw: Option<Flaw>) -> Self {
        let time = ManualClock::new();
        // The late clock stands where it is until it is told again.
        let clock = if flaw == Some(Flaw::LateClock) { ManualClock::new() } else { time.clone() };
        let builder = Registry::<Shaky, Shaky, u32, Id>::builder(NODES[0]).hasher(hashing);
        let registry = builder
            .clock(Clock::Manual(clock.clone()))
            .tombstone_ttl(Duration::from_secs(GRACE))
            .build();
        let hooks = Hooks::new();
        for kind in [HookKey::ChildRegistered, HookKey::ChildUnregistered] {
            let hear = |event: &Event<'_, Shaky, Id>| {
                let stamp = (event.incarnation(), event.version());
                let heard = (*event.id(), Bindings::of(event.bindings()), stamp);
                HEARD.with_borrow_mut(|all| all.push(heard));
            };
            hooks.register(kind, Handler::new("hear", hear)).expect("the first of its name");
        }
        Self {
            registry: Arc::new(registry),
            began: time.now(),
            zero: clock.now(),
            time,
            clock,
            late: AtomicU64::new(0),
            ticks: AtomicU64::new(0),
            hooks,
            keys,
            first,
            flaw,
        }
    }

    pub(crate) fn id(&self, key: u8) -> Id {
        Id(self.first + u32::from(key))
    }

    pub(crate) fn ids(&self) -> Vec<Id> {
        (0..self.keys).map(|key| self.id(key)).collect()
    }

    /// Which of the ids this is; `None` if it is a filler.
    pub(crate) fn key(&self, id: Id) -> Option<u8> {
        (id.0 < FILLERS).then(|| (id.0 - self.first) as u8)
    }

    pub(crate) fn seen(&self, entry: &Item) -> Seen {
        Seen::entry(entry, self.zero)
    }

    /// The time in seconds.
    fn now(&self) -> u64 {
        (self.time.now() - self.began).as_secs()
    }

    fn advance(&self, by: u64) {
        self.time.advance(Duration::from_secs(by));
        if self.flaw == Some(Flaw::LateClock) {
            let late = self.late.swap(by, Ordering::Relaxed);
            self.clock.advance(Duration::from_secs(late));
        }
    }

    fn tick(&self) -> u64 {
        self.ticks.fetch_add(1, Ordering::SeqCst)
    }

    /// Does an operation and puts down what it told.
    pub(crate) fn call(&self, thread: usize, op: &Op) -> Call {
        let began = self.tick();
        let from = self.now();
        let mut answers = Answers { world: self, steps: Vec::new() };
        let name = answers.perform(op);
        let steps = answers.steps;
        let to = self.now();
        HEARD.with_borrow(|all| assert!(all.is_empty(), "{op:?} fired {all:?}"));
        Call { thread, span: (began, self.tick()), clock: (from, to), name, steps }
    }
}

/// Makes the changes.
pub(crate) fn amend(child: &mut Offspring, edits: &[Edit]) {
    for edit in edits {
        match *edit {
            Edit::Spec(serial) => {
                child.set_spec(Shaky(serial));
                child.set_metadata(crate::value::data(serial));
            }
            Edit::Bind(node, pid) => drop(child.bind(NODES[usize::from(node)], Shaky(pid))),
            Edit::Unbind(node) => drop(child.unbind(NODES[usize::from(node)])),
            Edit::UnbindAll => drop(child.unbind_all()),
            Edit::AddTag(tag) => drop(child.add_tag(TAGS[usize::from(tag)])),
            Edit::RemoveTag(tag) => drop(child.remove_tag(TAGS[usize::from(tag)])),
            Edit::Ttl(ttl) => child.set_ttl(Duration::from_secs(ttl)),
            Edit::MakePermanent => child.make_permanent(),
        }
    }
}

/// The names of a set of nodes.
fn names(nodes: u8) -> Vec<&'static str> {
    (0..NODES.len()).filter(|node| nodes >> node & 1 == 1).map(|node| NODES[node]).collect()
}

/// What was heard of one id, in order.
pub(crate) fn heard(id: Id) -> impl FnMut() -> Told {
    let mut mine: Vec<Told> = Vec::new();
    HEARD.with_borrow_mut(|all| {
        all.retain(|(of, bindings, stamp)| {
            if *of == id {
                mine.push(Told::Event(*bindings, *stamp));
            }
            *of != id
        });
    });
    let mut mine = mine.into_iter();
    move || mine.next().unwrap_or(Told::Nothing)
}

/// The stamp of the entry that an insert made, if the hooks told it.
pub(crate) fn registered(id: Id, wish: &Wish, hooked: bool) -> Seen {
    match heard(id)() {
        Told::Event(bindings, stamp) => {
            assert!(hooked && !bindings.is_empty());
            Seen { stamp: Some(stamp), ..Seen::bindings(bindings) }
        }
        _ => {
            assert!(!hooked || wish.bindings.is_empty(), "no event of {wish:?}");
            Seen::default()
        }
    }
}

pub(crate) struct Answers<'w> {
    pub(crate) world: &'w World,
    steps: Vec<(u8, Kind)>,
}

impl Answers<'_> {
    pub(crate) fn put_down(&mut self, key: u8, kind: Kind) {
        self.steps.push((key, kind));
    }

    pub(crate) fn options(&self, way: &Way) -> WriteOptions<'_, Shaky, Id> {
        let options = WriteOptions::new();
        if way.hooked { options.hooks(&self.world.hooks) } else { options }
    }

    /// What a read of one id answered.
    pub(crate) fn answered(&mut self, key: u8, query: Query, seen: Option<Seen>) {
        self.put_down(key, seen.map_or(Kind::Miss(query), |seen| Kind::See(query, seen)));
    }

    /// What a read of many ids answered: every entry that satisfies the query all the time once; twice
    /// at most what did not satisfy it in between.
    pub(crate) fn listed(&mut self, query: Query, twice: bool, items: Vec<(Id, Seen)>) {
        for key in 0..self.world.keys {
            let mut times = 0;
            for (_, seen) in items.iter().filter(|(id, _)| self.world.key(*id) == Some(key)) {
                if times > 0 {
                    assert!(twice, "{key} is listed twice: {items:?}");
                    self.put_down(key, Kind::Miss(query));
                }
                self.put_down(key, Kind::See(query, *seen));
                times += 1;
            }
            if times == 0 {
                self.put_down(key, Kind::Miss(query));
            }
        }
    }

    /// What a scan meets, slowly.
    pub(crate) fn scanned<'g>(&mut self, query: Query, entries: impl Iterator<Item = &'g Item>) {
        let world = self.world;
        let seen = |entry: &Item| {
            waver();
            (*entry.id(), world.seen(entry))
        };
        self.listed(query, true, entries.map(seen).collect());
    }

    pub(crate) fn listed_bindings(&mut self, query: Query, items: Vec<(Id, Vec<(Node, Shaky)>)>) {
        let seen = |(id, bindings): (Id, Vec<_>)| (id, Seen::bindings(Bindings::of(&bindings)));
        self.listed(query, false, items.into_iter().map(seen).collect());
    }

    /// What a write that changes nothing or something was shown in vain, before its last attempt.
    pub(crate) fn shown(
        &mut self,
        key: u8,
        query: Query,
        runs: &mut Vec<Option<Seen>>,
    ) -> Option<Option<Seen>> {
        let last = runs.pop();
        for seen in mem::take(runs).into_iter().flatten() {
            self.put_down(key, Kind::See(query, seen));
        }
        last
    }

    fn perform(&mut self, op: &Op) -> &'static str {
        if let Some(name) = self.flawed(op) {
            return name;
        }
        let world = self.world;
        let registry = &world.registry;
        match op {
            Op::Insert(key, wish, way) => self.insert(*key, wish, way),
            Op::TryInsert(key, wish, way) => self.try_insert(*key, wish, way),
            Op::Delete(key, way) => self.delete(*key, way),
            Op::DeleteIf(key, way) => self.delete_if(*key, way),
            Op::Update(key, edits) => self.update(*key, edits),
            Op::TryUpdate(key, edits) => self.try_update(*key, edits),
            Op::Rebind(key, node, pid, way) => self.rebind(*key, *node, *pid, way),
            Op::Compute(key, wish, choice, way) => self.compute(*key, wish, *choice, way),
            Op::BulkInsert(children, way) => {
                let given = children.iter().map(|(key, wish)| (world.id(*key), wish.child()));
                if way.hooked {
                    registry.bulk_insert_with(given, &world.hooks);
                } else if way.variant == 0 {
                    registry.bulk_insert_by(given, |old, new| old.0 == new.0);
                } else {
                    registry.bulk_insert(given);
                }
                self.bulk(children, way.hooked, |wish, told| Kind::Merge(*wish, told));
                if way.hooked || way.variant > 0 { "bulk_insert" } else { "bulk_insert_by" }
            }
            Op::BulkDelete(children, way) => {
                let ids: Vec<_> = children.iter().map(|(key, _)| world.id(*key)).collect();
                let given = ids.iter().zip(children).map(|(id, (_, nodes))| (id, names(*nodes)));
                if way.hooked {
                    registry.bulk_delete_with(given, &world.hooks);
                } else {
                    registry.bulk_delete(given);
                }
                self.bulk(children, way.hooked, |nodes, told| Kind::Unbind(*nodes, told));
                "bulk_delete"
            }
            Op::Lookup(key, way) => self.lookup(*key, way),
            Op::Exists(key, way) => {
                let id = world.id(*key);
                let (query, there) = match (way.hooked, way.pinned) {
                    (true, false) => (Query::Any, registry.entry_exists(&id)),
                    (true, true) => (Query::Any, registry.pin().entry_exists(&id)),
                    (false, false) => (Query::Live, registry.contains(&id)),
                    (false, true) => (Query::Live, registry.pin().contains(&id)),
                };
                self.answered(*key, query, there.then(Seen::default));
                if way.hooked { "entry_exists" } else { "contains" }
            }
            Op::GetMany(way) => self.get_many(way),
            Op::MatchTag(tag, way) => {
                let (query, name) = (Query::Tagged(Tags(1 << tag)), TAGS[usize::from(*tag)]);
                if way.pinned {
                    self.scanned(query, registry.pin().match_tag(name));
                } else {
                    self.listed_bindings(query, registry.match_tag(name));
                }
                "match_tag"
            }
            Op::MatchAll(tags, way) => {
                let names: Vec<&str> = tags.names().collect();
                if way.pinned {
                    self.scanned(Query::Tagged(*tags), registry.pin().match_all(&names));
                } else {
                    self.listed_bindings(Query::Tagged(*tags), registry.match_all(&names));
                }
                "match_all"
            }
            Op::ChildrenOn(node, way) => self.children_on(*node, way),
            Op::All(way) => self.all(way),
            Op::Retain => {
                let mut judged = Vec::new();
                registry.retain(|entry| {
                    let keep = world.key(*entry.id()).is_none() || entry.spec().0 % 2 == 1;
                    judged.push((*entry.id(), world.seen(entry)));
                    waver();
                    keep
                });
                self.retained(&judged);
                "retain"
            }
            Op::ClearAll => {
                registry.clear_all();
                (0..world.keys).for_each(|key| self.put_down(key, Kind::Clear));
                "clear_all"
            }
            Op::RemoveNode(node) => {
                let changed = registry.remove_node(NODES[usize::from(*node)]);
                self.evicted(*node, &changed);
                "remove_node"
            }
            Op::Advance(by) => {
                world.advance(*by);
                (0..world.keys).for_each(|key| self.put_down(key, Kind::Advance(*by)));
                "advance"
            }
            Op::DeleteIfExpired(key) => {
                let swept = registry.delete_if_expired(&world.id(*key));
                let swept = swept.map(|entry| world.seen(&entry));
                self.put_down(*key, swept.map_or(Kind::NoSweep, Kind::Sweep));
                "delete_if_expired"
            }
            Op::Purge => {
                // What has expired is absent, swept or not: it tells nothing of any id.
                registry.purge_expired();
                "purge_expired"
            }
        }
    }
}
