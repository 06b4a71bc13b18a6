//! The world of a scenario: a registry, a clock, and a ledger of every value ever made.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use process_registry::{__model, Child, Clock, Entry, ManualClock, OwnedEntry, Registry};

/// The registry under test. Specifications and ids are counted; a pid and the metadata say the same
/// number as the specification, so that a torn entry shows.
pub type Reg = Registry<Token, u32, u64, Id, Spread>;
pub type Owned = OwnedEntry<Token, u32, u64, Id>;
pub type One = Entry<Token, u32, u64, Id>;
pub type Draft = Child<Token, u32, u64>;

/// Ids that a scenario may use.
pub const IDS: u8 = 16;

/// How long a tombstone lasts.
pub const TOMBSTONE: Duration = Duration::from_secs(30);

/// Which values have been made and which of them dropped. A mutex of the standard library: no task
/// is switched while it is held.
#[derive(Default)]
struct Ledger(Mutex<Vec<bool>>);

/// A value that is dropped once.
pub struct Token {
    pub number: u32,
    place: usize,
    ledger: Arc<Ledger>,
}

impl Token {
    fn new(number: u32, ledger: &Arc<Ledger>) -> Self {
        let mut dropped = ledger.0.lock().unwrap_or_else(PoisonError::into_inner);
        dropped.push(false);
        Token { number, place: dropped.len() - 1, ledger: Arc::clone(ledger) }
    }
}

impl Clone for Token {
    fn clone(&self) -> Self {
        Token::new(self.number, &self.ledger)
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        let mut dropped = self.ledger.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut dropped[self.place], true);
        drop(dropped);
        assert!(!before, "a value is dropped twice");
    }
}

/// An id: a number and a value that is dropped once.
#[derive(Clone)]
pub struct Id {
    number: u8,
    _value: Token,
}

impl Id {
    pub fn number(&self) -> u8 {
        self.number
    }
}

impl PartialEq for Id {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}
impl Eq for Id {}

impl Hash for Id {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u8(self.number());
    }
}

impl Borrow<u8> for Id {
    fn borrow(&self) -> &u8 {
        &self.number
    }
}

/// A hasher that does the same in every execution: so many neighbouring ids share one hash.
#[derive(Clone, Copy)]
pub struct Spread(pub u8);

pub struct Spreading(u8, u64);

impl BuildHasher for Spread {
    type Hasher = Spreading;

    fn build_hasher(&self) -> Spreading {
        Spreading(self.0, 0)
    }
}

impl Hasher for Spreading {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.1 = self.1 << 8 | u64::from(byte / self.0));
    }

    fn finish(&self) -> u64 {
        // Odd, so that neighbours are in different buckets.
        self.1.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

/// What the threads of a scenario share.
pub struct World {
    pub registry: Arc<Reg>,
    pub clock: ManualClock,
    ledger: Arc<Ledger>,
}

impl World {
    /// A world with an empty registry of one bucket.
    pub fn new() -> Arc<Self> {
        Self::hashed(1)
    }

    /// The same; so many neighbouring ids share one hash.
    pub fn hashed(neighbours: u8) -> Arc<Self> {
        // Prepares the model of the epoch for this execution.
        assert_eq!(__model::blocks(), 0);
        let clock = ManualClock::new();
        let registry = Registry::builder("a")
            .hasher(Spread(neighbours))
            .clock(Clock::Manual(clock.clone()))
            .tombstone_ttl(TOMBSTONE)
            .build();
        Arc::new(World { registry: Arc::new(registry), clock, ledger: Arc::default() })
    }

    pub fn id(&self, number: u8) -> Id {
        Id { number, _value: Token::new(u32::from(number), &self.ledger) }
    }

    /// A child without bindings and tags.
    pub fn bare(&self, number: u32) -> Draft {
        Child::new(Token::new(number, &self.ledger)).metadata(u64::from(number))
    }

    /// A child on the local node that carries the tag `t`.
    pub fn child(&self, number: u32) -> Draft {
        self.bare(number).on("a", number).tag("t")
    }

    /// Inserts a child of that number on the local node, with the tag `t`.
    pub fn insert(&self, id: u8, number: u32) -> Option<Owned> {
        self.registry.insert(self.id(id), self.child(number))
    }

    /// Inserts children, numbered as their ids.
    pub fn fill(&self, ids: impl IntoIterator<Item = u8>) {
        ids.into_iter().for_each(|id| assert!(self.insert(id, u32::from(id)).is_none()));
    }

    /// Runs the operations at once, the first of them on this thread; returns what they returned.
    pub fn at_once<R: Send + 'static, const N: usize>(
        self: &Arc<Self>,
        operations: [fn(&World) -> R; N],
    ) -> [R; N] {
        let mut others = Vec::new();
        for operation in &operations[1..] {
            let (world, operation) = (Arc::clone(self), *operation);
            others.push(shuttle::thread::spawn(move || operation(&world)));
        }
        let mut results = vec![operations[0](self)];
        results.extend(others.into_iter().map(|other| other.join().expect("no panic")));
        let Ok(results) = results.try_into() else { unreachable!("as many as operations") };
        results
    }

    /// That every way to read many entries gives the one of that id exactly once.
    pub fn sees(&self, id: u8) {
        let pinned = self.registry.pin();
        assert!(pinned.lookup(&id).is_some_and(whole), "a lookup misses {id}");
        let [first, second] = pinned.get_many([&id, &200]);
        assert!(first.is_some() && second.is_none(), "a batch misses {id}");
        assert_eq!(times(pinned.match_tag("t"), id), 1, "a query by tag of {id}");
        assert_eq!(times(pinned.children_on("a"), id), 1, "a query by node of {id}");
        assert_eq!(times(pinned.iter(), id), 1, "an iteration over {id}");
    }

    /// All that is to hold at rest; what has expired is swept first. Returns which ids there are.
    pub fn check(&self) -> Vec<u8> {
        let registry = &self.registry;
        registry.purge_expired();
        let all: BTreeMap<u8, Owned> =
            registry.dump_all().into_values().map(|one| (one.id().number(), one)).collect();
        let live: BTreeMap<u8, &Owned> =
            all.iter().filter(|(_, one)| !one.is_empty()).map(|(id, one)| (*id, one)).collect();
        assert_eq!(registry.len_all(), all.len(), "the length of all");
        assert_eq!(registry.len(), live.len(), "the length");
        let ids: Vec<_> = live.keys().copied().collect();
        assert_eq!(numbers(registry.pin().iter()), ids, "a walk");
        let (mut tags, mut nodes) = (BTreeMap::new(), BTreeMap::new());
        for (id, one) in &live {
            for tag in one.tags() {
                tags.entry(tag.as_str()).or_insert_with(Vec::new).push(*id);
            }
            for (node, _) in one.bindings() {
                nodes.entry(node.as_str()).or_insert_with(Vec::new).push(*id);
            }
        }
        let mut names = registry.tags();
        names.sort();
        assert!(names.iter().map(|name| name.as_str()).eq(tags.keys().copied()), "the tags");
        let mut names = registry.nodes();
        names.sort();
        assert!(names.iter().map(|name| name.as_str()).eq(nodes.keys().copied()), "the nodes");
        for tag in ["t", "x", "y"] {
            let ids = tags.remove(tag).unwrap_or_default();
            assert_eq!(numbers(registry.pin().match_tag(tag)), ids, "members of {tag}");
            assert_eq!(registry.tag_len(tag), ids.len(), "how many carry {tag}");
        }
        for node in ["a", "b", "c"] {
            let ids = nodes.remove(node).unwrap_or_default();
            assert_eq!(numbers(registry.pin().children_on(node)), ids, "members of {node}");
            assert_eq!(registry.node_len(node), ids.len(), "how many are on {node}");
        }
        assert!(tags.is_empty() && nodes.is_empty(), "names that nobody asks for");
        for id in 0..IDS {
            assert_eq!(registry.entry_exists(&id), all.contains_key(&id), "{id} exists");
            let found = registry.get_owned(&id);
            let version = |one: &Owned| (one.incarnation(), one.version(), *one.metadata());
            let expected = live.get(&id).map(|one| version(one));
            assert_eq!(found.as_ref().map(version), expected, "a lookup of {id}");
        }
        all.into_keys().collect()
    }

    /// The end of an execution: the registry goes, and with it every value that nobody keeps.
    pub fn end(self: Arc<Self>) {
        self.end_with(());
    }

    /// The same while something is kept, which goes after the registry.
    pub fn end_with<K>(self: Arc<Self>, kept: K) {
        let world = Arc::into_inner(self).expect("the threads have ended");
        let registry = Arc::into_inner(world.registry).expect("nobody else has it");
        drop(registry);
        drop(kept);
        let dropped = world.ledger.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(dropped.iter().all(|dropped| *dropped), "values are lost");
        assert_eq!(__model::blocks(), 0, "memory is lost");
    }
}

/// That an entry is of one piece: made by [`World::child`] and changed as a whole.
pub fn whole(one: &One) -> bool {
    let number = u64::from(one.spec().number);
    one.pid_on("a").is_none_or(|pid| u64::from(*pid) == number) && *one.metadata() == number
}

/// How often the id comes, all of them being whole.
fn times<'e>(entries: impl Iterator<Item = &'e One>, id: u8) -> usize {
    let mut times = 0;
    for one in entries {
        assert!(whole(one), "a torn entry of {}", one.id().number());
        times += usize::from(one.id().number() == id);
    }
    times
}

/// The ids, sorted, as often as they come.
fn numbers<'e>(entries: impl Iterator<Item = &'e One>) -> Vec<u8> {
    let mut numbers: Vec<_> = entries.map(|one| one.id().number()).collect();
    numbers.sort_unstable();
    numbers
}
