//! Memory that a map needs beyond its entries: tables, indexes, what waits to be freed.
//!
//! What counts are the bytes that are allocated, as they were asked for, from before the map was
//! made; what an allocator adds to each block is not in it. *Beyond the entries* is all that less
//! what the entries themselves take, and what one entry takes is measured: the median of what
//! single insertions allocate in a map that has room. In ours and in papaya that is the block with
//! the key and the payload; in the others it is the box with the payload, and the key, which lies
//! in the table, is added.

use std::io;

use ahash::RandomState;
use dashmap::DashMap;
use process_registry::{Child, ChildId, Node, Registry};

use crate::keys::{Key, numbered};
use crate::paired::Ratio;
use crate::payload::Payload;
use crate::report::{Role, Row};
use crate::run::{Case, Run};

/// Where the calm map is weighed.
const CALM: usize = 1_000_000;
/// From this size on the worst one is looked for: below, what any map begins with is most of it.
const LEAST: usize = 1000;

/// Bytes beyond the entries that ours may need, for each: when calm,
const CALM_BAR: f64 = 20.0;
/// at any size while it grows,
const WORST_BAR: f64 = 45.0;
/// and of each former one, when all are gone and the table has been shrunk.
const LEFT_BAR: f64 = 1.0;

/// How many entries there are in the end.
const FULL: usize = 5_000_000;
/// The same, to be quick.
const QUICK: usize = CALM;

/// Weighs ours, with and without bindings, and the peers; reports both against each of them, and
/// the bars. `live` tells how many bytes are allocated.
///
/// # Errors
///
/// If the results cannot be written.
///
/// # Panics
///
/// If `live` tells of no bytes at all: the counting allocator is not installed.
pub fn run(run: &mut Run, live: &dyn Fn() -> usize) -> io::Result<()> {
    let grown = if run.quick() { QUICK } else { FULL };
    let measures = measures(grown);
    let against = PEERS.iter().map(|peer| peer.name).chain([ALLOWED]);
    let wanted: Vec<(&Measure, &str)> = measures
        .iter()
        .flat_map(|measure| against.clone().map(move |peer| (measure, peer)))
        .filter(|(measure, peer)| run.wants(&measure.case, peer))
        .collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let keys: Vec<ChildId> = numbered(0..grown as u64);
    assert!(live() >= size_of_val(keys.as_slice()), "the program has no counting allocator");
    let weigh = |kind: &Kind| {
        let weight = (kind.weigh)(&keys, live);
        let Weight { name, entry, worst, worst_at, .. } = weight;
        eprintln!("{name}: an entry takes {entry} bytes; worst at {worst_at}: {worst:.1} beyond");
        weight
    };
    let peers = PEERS.each_ref().map(weigh);
    for ours in OURS.each_ref().map(weigh) {
        for (measure, peer) in &wanted {
            if let Some(row) = row(measure, &ours, &peers, peer) {
                run.push(row)?;
            }
        }
    }
    Ok(())
}

/// Stands where a peer's name does, in the rows that compare with the bar.
const ALLOWED: &str = "what is allowed";

/// One of those that are weighed.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    weigh: fn(&[ChildId], &dyn Fn() -> usize) -> Weight,
}

const fn kind<S: Subject>() -> Kind {
    Kind { name: S::NAME, weigh: weigh::<S> }
}

const OURS: [Kind; 2] = [kind::<Bound>(), kind::<Unbound>()];
const PEERS: [Kind; 3] = [
    kind::<papaya::HashMap<ChildId, Payload, RandomState>>(),
    kind::<scc::HashMap<ChildId, Box<Payload>, RandomState>>(),
    kind::<DashMap<ChildId, Box<Payload>, RandomState>>(),
];

/// A value that is reported: its case, which part of the weight it is, and how much of it ours may
/// have.
struct Measure {
    case: Case,
    of: fn(&Weight) -> f64,
    allowed: Option<f64>,
}

fn measures(grown: usize) -> [Measure; 4] {
    let measure = |name: String, of, allowed| {
        let case = Case::new("memory", name, ChildId::NAME);
        Measure { case: Case { unit: "bytes", quick: true, ..case }, of, allowed }
    };
    let grown = grown / 1_000_000;
    [
        measure("all of it at 1M".into(), |weight| weight.all, None),
        measure("beyond the entries at 1M".into(), |weight| weight.calm, Some(CALM_BAR)),
        measure(
            format!("beyond the entries at the worst size up to {grown}M"),
            |weight| weight.worst,
            Some(WORST_BAR),
        ),
        measure(format!("left of each of {grown}M removed"), |weight| weight.left, Some(LEFT_BAR)),
    ]
}

/// What is weighed.
trait Subject {
    const NAME: &'static str;
    /// So many bytes of each entry lie in the table.
    const IN_TABLE: usize;

    fn with_room(entries: usize) -> Self;
    fn insert(&self, key: &ChildId);
    fn remove(&self, key: &ChildId);
    /// Frees what is due.
    fn settle(&self);
    /// Gives back what so few entries do not need, where that can be asked for.
    fn shrink(&self) {}
}

const NODE: Node = Node::from_static("node-a");

/// Children with one binding each, on the local node: the index of nodes is in use as well.
struct Bound(Registry<u64, u64>);

impl Subject for Bound {
    const NAME: &'static str = "ours";
    const IN_TABLE: usize = 0;

    fn with_room(entries: usize) -> Self {
        Self(Registry::builder(NODE).capacity(entries).build())
    }

    fn insert(&self, key: &ChildId) {
        self.0.insert(key.clone(), Child::new(1).on(NODE, 1));
    }

    fn remove(&self, key: &ChildId) {
        self.0.delete(key);
    }

    fn settle(&self) {
        // A few calls: each moves the epoch by one at most.
        (0..8).for_each(|_| self.0.collect());
    }

    fn shrink(&self) {
        self.0.shrink_to_fit();
    }
}

/// Children without bindings: the index by id alone.
struct Unbound(Registry<u64, u64>);

impl Subject for Unbound {
    const NAME: &'static str = "ours (no bindings)";
    const IN_TABLE: usize = 0;

    fn with_room(entries: usize) -> Self {
        Self(Registry::builder(NODE).capacity(entries).build())
    }

    fn insert(&self, key: &ChildId) {
        self.0.insert(key.clone(), Child::new(1));
    }

    fn remove(&self, key: &ChildId) {
        self.0.delete(key);
    }

    fn settle(&self) {
        (0..8).for_each(|_| self.0.collect());
    }

    fn shrink(&self) {
        self.0.shrink_to_fit();
    }
}

impl Subject for papaya::HashMap<ChildId, Payload, RandomState> {
    const NAME: &'static str = "papaya";
    const IN_TABLE: usize = 0;

    fn with_room(entries: usize) -> Self {
        Self::with_capacity_and_hasher(entries, RandomState::new())
    }

    fn insert(&self, key: &ChildId) {
        self.pin().insert(key.clone(), Payload::new(1));
    }

    fn remove(&self, key: &ChildId) {
        self.pin().remove(key);
    }

    fn settle(&self) {
        use papaya::Guard as _;
        self.guard().flush();
    }
}

impl Subject for scc::HashMap<ChildId, Box<Payload>, RandomState> {
    const NAME: &'static str = "scc-map";
    const IN_TABLE: usize = size_of::<ChildId>();

    fn with_room(entries: usize) -> Self {
        Self::with_capacity_and_hasher(entries, RandomState::new())
    }

    fn insert(&self, key: &ChildId) {
        let _ = self.insert_sync(key.clone(), Box::new(Payload::new(1)));
    }

    fn remove(&self, key: &ChildId) {
        self.remove_sync(key);
    }

    fn settle(&self) {
        // The collector works at the end of a guard, and moves on by one step each time.
        for _ in 0..64 {
            scc::Guard::new().accelerate();
        }
    }
}

impl Subject for DashMap<ChildId, Box<Payload>, RandomState> {
    const NAME: &'static str = "dashmap";
    const IN_TABLE: usize = size_of::<ChildId>();

    fn with_room(entries: usize) -> Self {
        Self::with_capacity_and_hasher(entries, RandomState::new())
    }

    fn insert(&self, key: &ChildId) {
        self.insert(key.clone(), Box::new(Payload::new(1)));
    }

    fn remove(&self, key: &ChildId) {
        self.remove(key);
    }

    fn settle(&self) {}

    fn shrink(&self) {
        self.shrink_to_fit();
    }
}

/// What came of weighing one of them, in bytes for each entry.
#[derive(Clone, Copy, Debug)]
struct Weight {
    name: &'static str,
    /// What an entry itself takes.
    entry: f64,
    /// Everything, at [`CALM`] entries.
    all: f64,
    /// Beyond the entries, there.
    calm: f64,
    /// The most there was beyond them at any size while it grew, and the size.
    worst: f64,
    worst_at: usize,
    /// What is left of each former entry.
    left: f64,
}

fn weigh<S: Subject>(keys: &[ChildId], live: &dyn Fn() -> usize) -> Weight {
    let entry = entry::<S>(&keys[..keys.len().min(10_000)], live);
    let before = live();
    let taken = || live().saturating_sub(before) as f64;
    let map = S::with_room(0);
    let (mut worst, mut worst_at) = (0.0, 0);
    let (mut all, mut calm) = (0.0, 0.0);
    for (key, entries) in keys.iter().zip(1_usize..) {
        map.insert(key);
        let beyond = |taken: f64| taken / entries as f64 - entry;
        if entries >= LEAST && beyond(taken()) > worst {
            (worst, worst_at) = (beyond(taken()), entries);
        }
        if entries == CALM.min(keys.len()) {
            map.settle();
            (all, calm) = (taken() / entries as f64, beyond(taken()));
        }
    }
    keys.iter().for_each(|key| map.remove(key));
    map.settle();
    map.shrink();
    map.settle();
    let left = taken() / keys.len() as f64;
    Weight { name: S::NAME, entry, all, calm, worst, worst_at, left }
}

/// What an entry takes: the median of what single insertions allocate in a map with room.
fn entry<S: Subject>(keys: &[ChildId], live: &dyn Fn() -> usize) -> f64 {
    let map = S::with_room(2 * keys.len());
    let mut sizes: Vec<usize> = keys
        .iter()
        .map(|key| {
            let before = live();
            map.insert(key);
            live().saturating_sub(before)
        })
        .collect();
    sizes.sort_unstable();
    (sizes[sizes.len() / 2] + S::IN_TABLE) as f64
}

/// A measure of ours against a peer, or against the bar if there is one.
fn row(measure: &Measure, ours: &Weight, peers: &[Weight], peer: &str) -> Option<Row> {
    let Measure { case, of, allowed } = measure;
    let (role, value, bar) = match peers.iter().find(|weight| weight.name == peer) {
        Some(weight) => (Role::Peer, of(weight), None),
        None => (Role::Limit, (*allowed)?, Some(1.0)),
    };
    Some(Row {
        group: case.group.into(),
        name: case.name.clone(),
        keys: case.keys.into(),
        threads: case.threads,
        allocator: "system".into(),
        ours: ours.name.into(),
        peer: peer.into(),
        role,
        unit: case.unit.into(),
        ratio: exact(of(ours), value),
        bar,
    })
}

/// The ratio of two values that are the same every time. Where ours is nothing at all it is
/// infinite.
fn exact(ours: f64, peer: f64) -> Ratio {
    let ratio = if ours == peer { 1.0 } else { peer / ours };
    Ratio { median: ratio, low: ratio, high: ratio, ours, peer, rounds: 1 }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::run::Options;

    /// A map that tells what it has "allocated": 100 bytes for an entry, a table that doubles, and
    /// a box that is never given back.
    struct Pretended;

    thread_local! {
        static LIVE: Cell<usize> = const { Cell::new(0) };
        static TABLE: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
    }

    fn grow(by: usize) {
        LIVE.set(LIVE.get() + by);
    }

    impl Subject for Pretended {
        const NAME: &'static str = "pretended";
        const IN_TABLE: usize = 0;

        fn with_room(entries: usize) -> Self {
            TABLE.set((0, entries));
            grow(16 * entries + 5000);
            Self
        }

        fn insert(&self, _: &ChildId) {
            let (entries, room) = TABLE.get();
            let needed = if entries == room { (2 * room).max(1) } else { room };
            grow(16 * (needed - room));
            TABLE.set((entries + 1, needed));
            grow(100);
        }

        fn remove(&self, _: &ChildId) {
            LIVE.set(LIVE.get() - 100);
        }

        fn settle(&self) {}

        fn shrink(&self) {
            LIVE.set(LIVE.get() - 16 * TABLE.get().1);
        }
    }

    #[test]
    fn weights_are_what_was_allocated() {
        let keys: Vec<ChildId> = numbered(0..5000);
        let weight = weigh::<Pretended>(&keys, &|| LIVE.get());
        assert_eq!(weight.entry, 100.0);
        // Just after growth: 1,025 entries in a table for 2,048, and 5,000 bytes.
        assert_eq!(weight.worst_at, 1025);
        assert!((weight.worst - (16.0 * 2048.0 + 5000.0) / 1025.0).abs() < 1e-9, "{weight:?}");
        assert!((weight.calm - (16.0 * 8192.0 + 5000.0) / 5000.0).abs() < 1e-9, "{weight:?}");
        assert!((weight.all - weight.calm - 100.0).abs() < 1e-9, "{weight:?}");
        assert_eq!(weight.left, 1.0);
    }

    #[test]
    fn a_bar_is_met_up_to_its_value() {
        let weight = |name, calm| {
            let (all, worst, worst_at, left) = (calm + 100.0, 45.0, 1025, 0.0);
            Weight { name, entry: 100.0, all, calm, worst, worst_at, left }
        };
        let met = |calm| {
            let (ours, peers) = (weight("ours", calm), [weight("peer", 30.0)]);
            let rows: Vec<Row> = measures(QUICK)
                .iter()
                .flat_map(|measure| ["peer", ALLOWED].map(|peer| (measure, peer)))
                .filter_map(|(measure, peer)| row(measure, &ours, &peers, peer))
                .collect();
            assert_eq!(rows.len(), 4 + 3);
            assert_eq!((&*rows[1].peer, rows[1].ratio.median), ("peer", 30.0 / calm));
            rows.iter().filter_map(Row::met).collect::<Vec<_>>()
        };
        assert_eq!(met(20.0), [true, true, true]);
        assert_eq!(met(20.1), [false, true, true]);
    }

    fn options(filter: &str) -> Options {
        let filter = Some(filter.to_owned());
        Options { quick: true, filter, peers: None, rounds: 15, csv: None, list: false }
    }

    #[test]
    fn nothing_is_weighed_that_nobody_wants() {
        let mut none = Run::new(options("lookup"), "system").expect("no file");
        run(&mut none, &|| panic!("nobody asks")).expect("no file");
        assert!(none.report().rows().is_empty());
    }

    #[test]
    #[should_panic(expected = "no counting allocator")]
    fn a_program_without_the_allocator_is_told_so() {
        let _ = run(&mut Run::new(options(""), "system").expect("no file"), &|| 0);
    }
}
