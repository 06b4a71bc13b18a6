//! The rows: what is measured of the registry and of one hand-built one at a time.

use std::hint::black_box;
use std::io;

use fastrand::Rng;
use process_registry::{ChildId, Node, Tag};

use super::{Dash, HandBuilt, OneLock, Ours, Papaya, Pid, Reads, Scc};
use crate::keys::{Key, numbered};
use crate::report::Role;
use crate::run::{Case, Run};
use crate::threads::together;

/// How many nanoseconds the two timed sections of a pair take at least, taken together.
const PAIR: f64 = 40e6;

/// The registries as they are while nothing is measured.
const FULL: Size = Size { entries: 1_000_000, tags: 1000, nodes: 100 };

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Insert,
    Update,
    Remove,
    Lookup,
    MatchTag,
    Children,
    Purge,
}

/// One row: the work, how many threads do it, and the ratio that is asked for.
#[derive(Clone, Copy, Debug)]
struct Row {
    work: Work,
    threads: usize,
    bar: Option<f64>,
}

const fn row(work: Work, threads: usize, bar: Option<f64>) -> Row {
    Row { work, threads, bar }
}

const ROWS: [Row; 11] = [
    row(Work::Lookup, 1, None),
    row(Work::Lookup, 2, None),
    row(Work::Insert, 1, Some(1.0)),
    row(Work::Insert, 2, Some(1.0)),
    row(Work::Update, 1, Some(1.5)),
    row(Work::Update, 2, Some(1.5)),
    row(Work::Remove, 1, Some(1.0)),
    row(Work::Remove, 2, Some(1.0)),
    row(Work::MatchTag, 1, Some(5.0)),
    row(Work::Children, 1, Some(5.0)),
    row(Work::Purge, 1, Some(2.0)),
];

/// Against whom a quick run measures.
const CONTENDERS: [&str; 4] = [Dash::NAME, Scc::NAME, Papaya::NAME, OneLock::NAME];

impl Row {
    /// Queries are counted by the member, all else by the operation.
    fn case(&self) -> Case {
        let name = match self.work {
            Work::Insert => "insert into 1M",
            Work::Update => "update of a pid among 1M",
            Work::Remove => "remove from 1M",
            Work::Lookup => "lookup among 1M (pin per operation)",
            Work::MatchTag => "match_tag of 1K of 1M (per member)",
            Work::Children => "children of a node with 10K of 1M (per member)",
            Work::Purge => "purge of a node with 10K of 1M (per member)",
        };
        Case {
            threads: self.threads,
            quick: true,
            contenders: &CONTENDERS,
            bar: self.bar,
            ..Case::new("registries", name, ChildId::NAME)
        }
    }
}

/// How much there is of everything. Each tag and each node has as many entries as any other.
#[derive(Clone, Copy, Debug)]
struct Size {
    entries: u64,
    tags: u64,
    nodes: u64,
}

/// The names that all registries share.
#[derive(Debug)]
struct World {
    size: Size,
    ids: Vec<ChildId>,
    tags: Vec<Tag>,
    nodes: Vec<Node>,
}

/// One child: its number and its id. Tag, node and first pid follow from the number.
type Numbered = (u64, ChildId);

impl World {
    fn new(size: Size) -> Self {
        Self {
            size,
            ids: numbered(0..size.entries),
            tags: (0..size.tags).map(|tag| Tag::from(format!("tag-{tag}"))).collect(),
            nodes: (0..size.nodes).map(|node| Node::from(format!("node-{node}"))).collect(),
        }
    }

    fn tag(&self, number: u64) -> &Tag {
        &self.tags[(number % self.size.tags) as usize]
    }

    fn node(&self, number: u64) -> &Node {
        &self.nodes[(number / self.size.tags % self.size.nodes) as usize]
    }

    fn child(&self, number: u64) -> Numbered {
        (number, self.ids[number as usize].clone())
    }

    #[inline]
    fn insert<R: HandBuilt>(&self, registry: &R, (number, id): Numbered) -> bool {
        let binding = (self.node(number).clone(), number);
        registry.insert(id, R::value(number, [binding], [self.tag(number).clone()]))
    }

    /// A registry with everything in it, inserted in random order, so that what belongs together
    /// does not lie together.
    fn fill<R: HandBuilt>(&self) -> R {
        let registry = R::with_capacity(self.ids.len());
        for child in self.some(self.ids.len(), &mut Rng::with_seed(1)) {
            assert!(self.insert(&registry, child), "filled twice");
        }
        registry
    }

    /// So many of the children, each at most once, in random order.
    fn some(&self, count: usize, rng: &mut Rng) -> Vec<Numbered> {
        let mut numbers: Vec<u64> = (0..self.size.entries).collect();
        for at in 0..count {
            let other = rng.usize(at..numbers.len());
            numbers.swap(at, other);
        }
        numbers[..count].iter().map(|number| self.child(*number)).collect()
    }

    /// So many children that are in no registry and never were, in random order.
    fn fresh(&self, count: usize, rng: &mut Rng) -> Vec<Numbered> {
        let first = rng.u64(self.size.entries..100_000_000_000);
        let numbers = first..first + count as u64;
        let mut fresh: Vec<_> = numbers.map(|number| (number, ChildId::numbered(number))).collect();
        rng.shuffle(&mut fresh);
        fresh
    }

    /// Does a piece of work of about `count` operations and leaves the registry with the children
    /// it had.
    fn perform<R: HandBuilt>(
        &self,
        registry: &R,
        work: Work,
        threads: usize,
        count: usize,
        rng: &mut Rng,
    ) -> Timed {
        match work {
            Work::Insert => {
                let fresh = self.fresh(count, rng);
                let took = timed(threads, fresh.clone(), |part| {
                    part.drain(..).all(|child| self.insert(registry, child))
                });
                assert!(fresh.iter().all(|(_, id)| registry.remove(id)), "inserted");
                Timed { took, operations: count }
            }
            Work::Update => {
                let drawn: Vec<(Numbered, Pid)> = (0..count)
                    .map(|_| (self.child(rng.u64(..self.size.entries)), rng.u64(..)))
                    .collect();
                let took = timed(threads, drawn, |part| {
                    part.iter().all(|((number, id), pid)| {
                        registry.update_pid(id, self.node(*number), *pid)
                    })
                });
                Timed { took, operations: count }
            }
            Work::Remove => {
                let count = count.min(self.ids.len() / 2);
                let some = self.some(count, rng);
                let took = timed(threads, some.clone(), |part| {
                    part.iter().all(|(_, id)| registry.remove(id))
                });
                self.restore(registry, some);
                Timed { took, operations: count }
            }
            Work::Lookup => {
                let drawn: Vec<ChildId> =
                    (0..count).map(|_| self.child(rng.u64(..self.size.entries)).1).collect();
                // Those that lock do so for each; so the others pin for each, too.
                let took = timed(threads, drawn, |part| {
                    part.iter().all(|id| black_box(registry.reader().lookup(id)).is_some())
                });
                Timed { took, operations: count }
            }
            Work::MatchTag => {
                let tags: Vec<&Tag> =
                    (0..count).map(|_| &self.tags[rng.usize(..self.tags.len())]).collect();
                let members = self.ids.len() / self.tags.len();
                let took = timed(threads, tags, |part| {
                    part.iter().all(|tag| tagged(&registry.reader(), tag) == members)
                });
                Timed { took, operations: count * members }
            }
            Work::Children => {
                let nodes: Vec<&Node> =
                    (0..count).map(|_| &self.nodes[rng.usize(..self.nodes.len())]).collect();
                let members = self.ids.len() / self.nodes.len();
                let took = timed(threads, nodes, |part| {
                    part.iter().all(|node| bound(&registry.reader(), node) == members)
                });
                Timed { took, operations: count * members }
            }
            Work::Purge => {
                let count = count.min(self.nodes.len() / 2);
                let mut nodes: Vec<u64> = (0..self.size.nodes).collect();
                rng.shuffle(&mut nodes);
                nodes.truncate(count);
                let members = self.ids.len() / self.nodes.len();
                let names = nodes.iter().map(|node| &self.nodes[*node as usize]).collect();
                let took = timed(threads, names, |part: &mut Vec<&Node>| {
                    part.iter().all(|node| registry.purge_node(node) == members)
                });
                let mut gone: Vec<Numbered> = (0..self.size.entries)
                    .filter(|number| nodes.contains(&(number / self.size.tags % self.size.nodes)))
                    .map(|number| self.child(number))
                    .collect();
                rng.shuffle(&mut gone);
                self.restore(registry, gone);
                Timed { took, operations: count * members }
            }
        }
    }

    fn restore<R: HandBuilt>(&self, registry: &R, children: Vec<Numbered>) {
        for child in children {
            assert!(self.insert(registry, child), "removed");
        }
    }
}

/// How many nanoseconds so many operations took.
#[derive(Clone, Copy, Debug)]
struct Timed {
    took: f64,
    operations: usize,
}

impl Timed {
    /// What one operation took, as the thread that did it sees it.
    fn nanos(self, threads: usize) -> f64 {
        self.took * threads as f64 / self.operations as f64
    }
}

/// Takes what a query visits, and reads a word of each entry.
#[derive(Default)]
struct Seen {
    members: usize,
    sum: u64,
}

impl Seen {
    #[inline]
    fn take(&mut self, bindings: &[(Node, Pid)]) {
        self.members += 1;
        self.sum = self.sum.wrapping_add(bindings[0].1);
    }

    /// How many there were.
    fn members(self) -> usize {
        black_box(self.sum);
        self.members
    }
}

fn tagged(reader: &impl Reads, tag: &Tag) -> usize {
    let mut seen = Seen::default();
    reader.match_tag(tag, |_, bindings| seen.take(bindings));
    seen.members()
}

fn bound(reader: &impl Reads, node: &Node) -> usize {
    let mut seen = Seen::default();
    reader.children(node, |_, bindings| seen.take(bindings));
    seen.members()
}

/// Lets that many threads do all of it, each an equal part; the nanoseconds from the first start to
/// the last end. What the parts are made of is freed afterwards.
///
/// # Panics
///
/// If an operation says that it found something else than is there.
fn timed<T: Send>(threads: usize, all: Vec<T>, work: impl Fn(&mut Vec<T>) -> bool + Sync) -> f64 {
    let share = all.len().div_ceil(threads);
    let mut all = all.into_iter();
    let parts: Vec<Vec<T>> = (0..threads).map(|_| all.by_ref().take(share).collect()).collect();
    let (done, took) = together(parts, |mut part| (work(&mut part), part));
    assert!(
        done.iter().all(|(right, _)| *right),
        "an operation found something else than is there"
    );
    took
}

/// How many operations take so long, or the most there can be.
fn enough(section: f64, mut perform: impl FnMut(usize) -> Timed) -> usize {
    let mut count = 1;
    let mut before = 0;
    loop {
        let Timed { mut took, operations } = perform(count);
        // A thread that was kept waiting makes any number of operations seem enough, but hardly
        // three times.
        for _ in 0..2 {
            if took >= section {
                took = took.min(perform(count).took);
            }
        }
        if took >= section || operations == before {
            return count;
        }
        before = operations;
        // A little more than seems to be enough, and never much more than what was measured.
        count = (count as f64 * (1.2 * section / took).clamp(1.5, 16.0)).ceil() as usize;
    }
}

/// Measures all rows against every hand-built registry.
///
/// Each registry holds the same million children throughout; what a section adds or removes is put
/// right after it, outside the time. Ours is filled once; of the others one is alive at a time.
///
/// # Errors
///
/// If the file for the rows cannot be written.
pub fn run(run: &mut Run) -> io::Result<()> {
    let mut ours = None;
    against::<Dash>(run, &mut ours)?;
    against::<Scc>(run, &mut ours)?;
    against::<Papaya>(run, &mut ours)?;
    against::<OneLock>(run, &mut ours)
}

/// Ours, and what all registries are filled with.
struct Home {
    world: World,
    ours: Ours,
}

/// Measures all rows against one.
fn against<R: HandBuilt>(run: &mut Run, home: &mut Option<Home>) -> io::Result<()> {
    let wanted = ROWS.map(|row| run.wants(&row.case(), R::NAME));
    if !wanted.contains(&true) {
        return Ok(());
    }
    let Home { world, ours } = &*home.get_or_insert_with(|| {
        let world = World::new(FULL);
        let ours = world.fill();
        Home { world, ours }
    });
    let peer: R = world.fill();
    for (row, wanted) in ROWS.into_iter().zip(wanted) {
        let Row { work, threads, .. } = row;
        if !wanted {
            continue;
        }
        let for_ours = |count, rng: &mut Rng| world.perform(ours, work, threads, count, rng);
        let for_peer = |count, rng: &mut Rng| world.perform(&peer, work, threads, count, rng);
        // Of one count for both: with two, what follows from the same seed would differ.
        let mut rng = Rng::with_seed(2);
        let count = enough(PAIR, |count| {
            let Timed { took, operations } = for_ours(count, &mut rng.clone());
            Timed { took: took + for_peer(count, &mut rng).took, operations }
        });
        run.compare(
            &row.case(),
            [Ours::NAME, R::NAME],
            Role::Peer,
            |rng| for_ours(count, rng).nanos(threads),
            |rng| for_peer(count, rng).nanos(threads),
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Size = Size { entries: 600, tags: 10, nodes: 4 };

    /// Every piece of work does what it says and leaves behind what was there.
    fn leaves_everything_in_place<R: HandBuilt>() {
        let world = World::new(SMALL);
        let registry: R = world.fill();
        for (seed, row) in ROWS.into_iter().enumerate() {
            let mut rng = Rng::with_seed(seed as u64);
            let Row { work, threads, .. } = row;
            let done = world.perform(&registry, work, threads, 2, &mut rng);
            let each = match work {
                Work::MatchTag => 60,
                Work::Children | Work::Purge => 150,
                _ => 1,
            };
            assert_eq!(done.operations, 2 * each, "{row:?}");
            assert!(done.took > 0.0);

            let reader = registry.reader();
            for number in 0..SMALL.entries {
                assert!(reader.lookup(&world.ids[number as usize]).is_some(), "{row:?}");
            }
            for (tag, number) in world.tags.iter().zip(0..) {
                reader.match_tag(tag, |id, _| {
                    let member = (0..SMALL.entries).find(|at| world.ids[*at as usize] == *id);
                    assert_eq!(member.expect("one of them") % SMALL.tags, number, "{row:?}");
                });
                assert_eq!(tagged(&reader, tag), 60, "{row:?}");
            }
            for node in &world.nodes {
                assert_eq!(bound(&reader, node), 150, "{row:?}");
            }
        }
    }

    #[test]
    fn ours_is_left_as_it_was() {
        leaves_everything_in_place::<Ours>();
    }

    #[test]
    fn a_peer_is_left_as_it_was() {
        leaves_everything_in_place::<Dash>();
    }

    #[test]
    #[should_panic(expected = "something else than is there")]
    fn work_on_what_is_not_there_is_found_out() {
        let world = World::new(SMALL);
        let empty = Ours::with_capacity(0);
        world.perform(&empty, Work::Lookup, 1, 1, &mut Rng::with_seed(1));
    }

    #[test]
    fn a_section_is_long_enough_unless_there_is_no_more() {
        let took = |count: usize| Timed { took: 10.0 * count as f64, operations: count };
        let count = enough(20_000.0, took);
        assert!((2000..4000).contains(&count), "{count}");
        let at_most = |count: usize| took(count.min(100));
        assert!(enough(20_000.0, at_most) >= 100);
        // Once in a while the machine does something else.
        let mut calls = 0;
        let count = enough(20_000.0, |count| {
            calls += 1;
            let late = if calls % 3 == 1 { 1e6 } else { 0.0 };
            Timed { took: took(count).took + late, operations: count }
        });
        assert!((2000..4000).contains(&count), "{count}");
    }

    #[test]
    fn fresh_children_are_new_and_some_are_distinct() {
        let world = World::new(SMALL);
        let mut rng = Rng::with_seed(3);
        let fresh = world.fresh(100, &mut rng);
        assert!(fresh.iter().all(|(number, id)| *number >= 600 && !world.ids.contains(id)));
        let mut some: Vec<u64> = world.some(600, &mut rng).into_iter().map(|some| some.0).collect();
        assert!(!some.is_sorted());
        some.sort_unstable();
        assert!(some.into_iter().eq(0..600));
    }
}
