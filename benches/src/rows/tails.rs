//! Tail latencies: how long the slowest lookups and insertions take while the map grows, and while
//! entries come and go.
//!
//! One thread inserts and another looks up what is there, each operation with everything it needs,
//! its pin included, and timed on its own; both start together, and the reader goes on until the
//! writer is done. A round does that once with ours and once with each peer, in an order that
//! rotates, and compares the quantiles within the round. A clock that is read twice with nothing in
//! between takes some twenty nanoseconds (told at the beginning of a run), which are part of every
//! latency here, ours and a peer's alike. Keys are `str`; choosing one is not timed.
//!
//! The clock is that of the standard library, which lets what comes before finish (on x86-64 by an `lfence`).
//! The processor's counter by itself is read as soon as its turn to be issued comes, and that is while an
//! operation of few instructions still waits for its misses: an insertion seemed to take 70 ns that took 350.

use std::io;
use std::ops::Range;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;
use hdrhistogram::Histogram;
use process_registry::ChildId;
use test_support::return_free_memory;

use crate::keys::{Key, numbered};
use crate::maps::{Bound, Dash, Map, Papaya, SccMap};
use crate::paired::Ratio;
use crate::payload::Payload;
use crate::report::{Role, Row};
use crate::run::{Case, Run};

/// What the rows of this workload have as their group.
pub(crate) const GROUP: &str = "tails";

/// The quantiles that are reported; 1 is the slowest operation of all.
pub(crate) const QUANTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999), ("max", 1.0)];
/// The one that is judged.
const JUDGED: usize = 2;
/// By how much ours may exceed the best peer there,
const ALLOWED: f64 = 1.2;
/// in so many rounds of so many.
const ENOUGH: (usize, usize) = (7, 9);

/// How much is measured.
#[derive(Clone, Copy, Debug)]
struct Scale {
    /// How often each map is measured.
    rounds: usize,
    /// To how many entries it grows.
    grown: usize,
    /// How many there are while some come and go, and how many come.
    churned: usize,
}

/// Some minutes.
const FULL: Scale = Scale { rounds: 9, grown: 5_000_000, churned: 1_000_000 };
/// Less than half a minute.
const QUICK: Scale = Scale { rounds: 3, grown: 1_000_000, churned: 250_000 };

/// One round of a workload on one map.
type Round = fn(&[ChildId], usize) -> Latencies;

/// A map by its name, and how it is measured while it grows and under churn.
#[derive(Clone, Copy)]
struct Subject {
    name: &'static str,
    growing: Round,
    churning: Round,
}

type RoundOf = fn(&Subject) -> Round;

const fn subject<M: Map<ChildId>>() -> Subject {
    Subject { name: M::NAME, growing: growing::<M>, churning: churning::<M> }
}

const OURS: Subject = subject::<Bound<ChildId>>();
const PEERS: [Subject; 3] =
    [subject::<Papaya<ChildId>>(), subject::<SccMap<ChildId>>(), subject::<Dash<ChildId>>()];

/// Measures both workloads, and reports the quantiles against each peer, and the bars.
///
/// # Errors
///
/// If the results cannot be written.
pub fn run(run: &mut Run) -> io::Result<()> {
    let scale = if run.quick() { QUICK } else { FULL };
    let workloads: [(String, usize, RoundOf); 2] = [
        (format!("growing to {}", shown(scale.grown)), scale.grown, |subject| subject.growing),
        (format!("churn at {}", shown(scale.churned)), scale.churned, |subject| subject.churning),
    ];
    for (workload, entries, round) in workloads {
        let case = Case { threads: 2, quick: true, ..Case::new(GROUP, workload, ChildId::NAME) };
        let peers = PEERS.iter().filter(|peer| run.wants(&case, peer.name));
        let subjects: Vec<&Subject> = [&OURS].into_iter().chain(peers).collect();
        if subjects.len() == 1 {
            continue;
        }
        tell_overhead();
        let keys: Vec<ChildId> = numbered(0..2 * entries as u64);
        let outcome = rounds(scale.rounds, subjects.len(), |subject| {
            round(subjects[subject])(&keys, entries)
        });
        let names: Vec<&str> = subjects.iter().map(|subject| subject.name).collect();
        for row in rows(&case, run.allocator(), &names, &outcome) {
            run.push(row)?;
        }
    }
    Ok(())
}

/// Whose lookups ours must not exceed, by the median of the rounds,
const BEST_GET: &str = PEERS[0].name;
/// and whose insertions.
const BEST_INSERT: &str = PEERS[1].name;

/// The quantiles of the two operations, in nanoseconds, in one round of one map.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Latencies {
    get: [f64; QUANTILES.len()],
    insert: [f64; QUANTILES.len()],
}

impl Latencies {
    fn of(get: &Histogram<u64>, insert: &Histogram<u64>) -> Self {
        let quantiles = |histogram: &Histogram<u64>| {
            QUANTILES.map(|(_, quantile)| histogram.value_at_quantile(quantile) as f64)
        };
        Self { get: quantiles(get), insert: quantiles(insert) }
    }
}

/// Measures each map in each round; another one goes first every time. A round before them all does not
/// count. Each map gets its memory from the system, as in a program that has just begun: else what it takes to
/// grow would hang on what the allocator has kept of the map before, and that on the size of its entries.
fn rounds(
    count: usize,
    subjects: usize,
    measure: impl Fn(usize) -> Latencies,
) -> Vec<Vec<Latencies>> {
    let round = |round: usize| {
        let first = round % subjects;
        let mut all: Vec<Latencies> = (0..subjects)
            .map(|at| {
                return_free_memory();
                measure((first + at) % subjects)
            })
            .collect();
        all.rotate_right(first);
        all
    };
    (0..=count).map(round).skip(1).collect()
}

/// A key after the other into a map that has room for nothing.
fn growing<M: Map<ChildId>>(keys: &[ChildId], entries: usize) -> Latencies {
    let (map, keys) = (M::filled(0, &[]), &keys[..entries]);
    side_by_side(
        &map,
        keys,
        |inserted| 0..inserted,
        |timed| {
            for (key, at) in keys.iter().zip(0..) {
                assert!(timed.insert(key), "a new key");
                timed.publish(at + 1);
            }
        },
    )
}

/// So many keys inserted one after the other, and as many removed, among as many that are there.
fn churning<M: Map<ChildId>>(keys: &[ChildId], entries: usize) -> Latencies {
    let (there, coming) = keys.split_at(entries);
    let map = M::filled(entries, there);
    // Of those that are there the oldest are about to go; the reader keeps clear of them.
    let margin = entries / 8;
    side_by_side(
        &map,
        keys,
        |inserted| inserted + margin..entries + inserted,
        |timed| {
            timed.publish(0);
            for (at, key) in coming[..entries].iter().enumerate() {
                assert!(timed.insert(key), "a new key");
                assert!(map.remove(&keys[at]), "one that is there");
                timed.publish(at + 1);
            }
        },
    )
}

/// What the writer has in hand.
struct Timed<'a, M> {
    map: &'a M,
    latencies: Histogram<u64>,
    published: &'a AtomicUsize,
}

impl<M: Map<ChildId>> Timed<'_, M> {
    fn insert(&mut self, key: &ChildId) -> bool {
        let begun = Instant::now();
        let new = self.map.insert(key, Payload::new(1));
        record(&mut self.latencies, begun.elapsed());
        new
    }

    /// Tells the reader how many keys are in.
    fn publish(&self, inserted: usize) {
        // Release: pairs with the reader's Acquire; a key it draws has been inserted.
        self.published.store(inserted, Ordering::Release);
    }
}

/// Not a number of keys: the writer has published none yet.
const NOTHING: usize = usize::MAX;

/// Runs the writer, and beside it a reader that looks up keys of `present`, which says what is there
/// for certain when so many have been published.
fn side_by_side<M: Map<ChildId>>(
    map: &M,
    keys: &[ChildId],
    present: impl Fn(usize) -> Range<usize> + Sync,
    write: impl FnOnce(&mut Timed<'_, M>) + Send,
) -> Latencies {
    let (published, done) = (AtomicUsize::new(NOTHING), AtomicBool::new(false));
    let together = Barrier::new(2);
    let (get, insert) = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let latencies = histogram();
            let mut timed = Timed { map, latencies, published: &published };
            // Set even if the writer panics: the reader would look up for ever.
            let _finally = SetOnDrop(&done);
            together.wait();
            write(&mut timed);
            timed.latencies
        });
        let mut rng = Rng::with_seed(1);
        let mut latencies = histogram();
        together.wait();
        loop {
            // Asked first: the reader has a look at the end, whatever happens.
            let last = done.load(Ordering::Acquire);
            // Acquire: as in `publish`.
            let inserted = published.load(Ordering::Acquire);
            if inserted != NOTHING {
                // A copy: fetching the key is no part of the lookup.
                let key = keys[rng.usize(present(inserted))].clone();
                let begun = Instant::now();
                let found = map.get(&key);
                record(&mut latencies, begun.elapsed());
                // A reader that was stopped for long may be too late for its key.
                if found.is_none() {
                    let now = present(published.load(Ordering::Acquire));
                    assert!(keys[..now.start.min(keys.len())].contains(&key), "{key} is there");
                }
            }
            if last {
                break;
            }
        }
        (latencies, writer.join().expect("the writer is done"))
    });
    Latencies::of(&get, &insert)
}

struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        // Release: pairs with the reader's Acquire; it sees all that was published before.
        self.0.store(true, Ordering::Release);
    }
}

/// To two digits, from a nanosecond to some minutes.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 1 << 38, 2).expect("these bounds are fine")
}

fn record(latencies: &mut Histogram<u64>, took: Duration) {
    let nanos = u64::try_from(took.as_nanos()).expect("less than centuries");
    latencies.saturating_record(nanos.max(1));
}

/// Tells what the clock alone takes.
fn tell_overhead() {
    let mut latencies = histogram();
    for _ in 0..1_000_000 {
        let begun = Instant::now();
        record(&mut latencies, begun.elapsed());
    }
    let [median, tail] = [0.5, 0.999].map(|quantile| latencies.value_at_quantile(quantile));
    eprintln!("tails: reading the clock twice takes {median} ns (p99.9: {tail} ns)");
}

fn shown(count: usize) -> String {
    if count.is_multiple_of(1_000_000) {
        format!("{}M", count / 1_000_000)
    } else {
        format!("{}K", count / 1000)
    }
}

/// The quantiles of a workload, and whether the bars are met. Ours is the first of the maps.
fn rows(case: &Case, allocator: &str, names: &[&str], rounds: &[Vec<Latencies>]) -> Vec<Row> {
    let row = |name: String, peer: &str, ratio, bar| Row {
        group: case.group.into(),
        name,
        keys: case.keys.into(),
        threads: case.threads,
        allocator: allocator.into(),
        ours: names[0].into(),
        peer: peer.into(),
        role: Role::Peer,
        unit: case.unit.into(),
        ratio,
        bar,
    };
    type Operation = fn(&Latencies) -> &[f64; QUANTILES.len()];
    let operations: [(&str, Operation, &str); 2] = [
        ("get", |latencies| &latencies.get, BEST_GET),
        ("insert", |latencies| &latencies.insert, BEST_INSERT),
    ];
    let workload = &case.name;
    let mut rows = Vec::new();
    for (operation, of, reference) in operations {
        let pairs = |quantile: usize, peer: usize| -> Vec<(f64, f64)> {
            rounds.iter().map(|all| (of(&all[0])[quantile], of(&all[peer])[quantile])).collect()
        };
        for (quantile, (called, _)) in QUANTILES.iter().enumerate() {
            for (peer, name) in names.iter().enumerate().skip(1) {
                let ratio = Ratio::of(&pairs(quantile, peer), 1);
                rows.push(row(format!("{operation} {called} {workload}"), name, ratio, None));
            }
        }
        let judged = format!("{operation} {} {workload}", QUANTILES[JUDGED].0);
        if let Some(peer) = names.iter().position(|name| *name == reference) {
            let ratio = Ratio::of(&pairs(JUDGED, peer), 1);
            let name = format!("{judged}; no worse than {reference} by median");
            rows.push(row(name, reference, ratio, Some(1.0)));
        }
        let best: Vec<(f64, f64)> = rounds
            .iter()
            .map(|all| {
                let best = all[1..].iter().map(|peer| of(peer)[JUDGED]).min_by(f64::total_cmp);
                (of(&all[0])[JUDGED], best.expect("there are peers"))
            })
            .collect();
        let (ratio, enough) = reached(&best);
        let name = format!("{judged}; in {enough} of {} rounds", best.len());
        rows.push(row(name, "best of the round", ratio, Some(1.0 / ALLOWED)));
    }
    rows
}

/// The ratio that enough rounds reach, and how many that are. It is a count of rounds and not an
/// estimate: its interval is itself.
fn reached(pairs: &[(f64, f64)]) -> (Ratio, usize) {
    let enough = (pairs.len() * ENOUGH.0).div_ceil(ENOUGH.1);
    let mut ratios: Vec<f64> = pairs.iter().map(|(ours, peer)| peer / ours).collect();
    ratios.sort_by(|a, b| b.total_cmp(a));
    let ratio = ratios[enough - 1];
    (Ratio { median: ratio, low: ratio, high: ratio, ..Ratio::of(pairs, 1) }, enough)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_map_is_measured_once_a_round_and_another_goes_first() {
        let order = std::cell::RefCell::new(Vec::new());
        let outcome = rounds(5, 4, |map| {
            order.borrow_mut().push(map);
            Latencies { get: [map as f64; 5], insert: [1.0; 5] }
        });
        for all in &outcome {
            let maps: Vec<f64> = all.iter().map(|latencies| latencies.get[0]).collect();
            assert_eq!(maps, [0.0, 1.0, 2.0, 3.0]);
        }
        let order = order.into_inner();
        let first: Vec<usize> = order.chunks(4).map(|round| round[0]).collect();
        assert_eq!((first, order.len(), outcome.len()), (vec![0, 1, 2, 3, 0, 1], 24, 5));
    }

    #[test]
    fn the_bar_of_seven_rounds_of_nine_is_exact() {
        // Ratios of 1 in seven rounds, and of a tenth in two.
        let mut pairs = vec![(10.0, 10.0); 7];
        pairs.extend([(100.0, 10.0); 2]);
        assert_eq!(reached(&pairs).1, 7);
        assert_eq!(reached(&pairs).0.median, 1.0);
        pairs[0] = (100.0, 10.0);
        assert_eq!(reached(&pairs).0.high, 0.1, "in six of nine only");
        assert_eq!(reached(&pairs[..3]).1, 3);
    }

    #[test]
    fn both_workloads_time_every_insertion() {
        let keys: Vec<ChildId> = numbered(0..4000);
        let plausible = |latencies: Latencies| {
            for quantiles in [latencies.get, latencies.insert] {
                assert!(quantiles[0] >= 1.0 && quantiles.is_sorted(), "{quantiles:?}");
            }
        };
        plausible(growing::<Bound<ChildId>>(&keys, 4000));
        plausible(growing::<Dash<ChildId>>(&keys, 4000));
        plausible(churning::<Bound<ChildId>>(&keys, 2000));
        plausible(churning::<SccMap<ChildId>>(&keys, 2000));
    }

    #[test]
    fn all_quantiles_and_both_bars_are_reported() {
        let latencies = |ns: f64| Latencies { get: [ns; 5], insert: [ns; 5] };
        let round = [10.0, 9.0, 20.0, 30.0].map(latencies).to_vec();
        let case = Case::new(GROUP, "growing to 1M", "str");
        let names = ["ours", "papaya", "scc-map", "dashmap"];
        let rows = rows(&case, "system", &names, &vec![round; 9]);
        assert_eq!(rows.len(), 2 * (5 * 3 + 2));
        let met: Vec<(&str, bool)> =
            rows.iter().filter_map(|row| Some((row.name.as_str(), row.met()?))).collect();
        assert_eq!(
            met,
            [
                ("get p99.9 growing to 1M; no worse than papaya by median", false),
                ("get p99.9 growing to 1M; in 7 of 9 rounds", true),
                ("insert p99.9 growing to 1M; no worse than scc-map by median", true),
                ("insert p99.9 growing to 1M; in 7 of 9 rounds", true),
            ]
        );
    }
}
