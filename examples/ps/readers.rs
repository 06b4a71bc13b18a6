//! The readers: every kind of read, as fast as it goes, each one timed.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use hdrhistogram::Histogram;
use process_registry::{ChildId, Tag};

use crate::Processes;

/// The kinds of reads, in the order of the histograms.
pub(crate) const KINDS: [&str; 4] = ["lookup", "get_many", "match_tag", "children_on"];
const LOOKUP: usize = 0;
const BATCH: usize = 1;
const TAG: usize = 2;
const NODE: usize = 3;

/// Ids in one batch.
pub(crate) const BATCH_SIZE: usize = 16;

/// How often each kind is done under one pin. Short enough that a pin never holds back
/// reclamation for long.
const LOOKUPS: usize = 64;
const BATCHES: usize = 8;
const TAGS: usize = 4;

/// A read slower than this counts as this slow.
const SLOWEST_NS: u64 = 60_000_000_000;

/// What one reader, or all of them, did.
#[derive(Debug)]
pub(crate) struct Reads {
    /// Nanoseconds per call, by kind.
    histograms: [Histogram<u64>; 4],
    /// Ids looked up that were there, and that had gone since the reader fetched its list.
    pub(crate) hits: u64,
    pub(crate) misses: u64,
    /// Entries that do not satisfy the query that returned them.
    wrong: u64,
    lost_readers: u64,
}

impl Reads {
    pub(crate) fn new() -> Self {
        let histogram = || {
            Histogram::new_with_bounds(1, SLOWEST_NS, 3)
                .expect("1 to a minute at three digits is a valid range")
        };
        Self {
            histograms: [histogram(), histogram(), histogram(), histogram()],
            hits: 0,
            misses: 0,
            wrong: 0,
            lost_readers: 0,
        }
    }

    pub(crate) fn histogram(&self, kind: usize) -> &Histogram<u64> {
        &self.histograms[kind]
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (all, part) in self.histograms.iter_mut().zip(&other.histograms) {
            all.add(part).expect("all histograms have the same range");
        }
        self.hits += other.hits;
        self.misses += other.misses;
        self.wrong += other.wrong;
        self.lost_readers += other.lost_readers;
    }

    /// Notes a reader that panicked.
    pub(crate) fn lost_reader(&mut self) {
        self.lost_readers += 1;
    }

    /// What went wrong, one message each.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.wrong > 0 {
            faults.push(format!("{} answers to readers did not fit the question", self.wrong));
        }
        if self.lost_readers > 0 {
            faults.push(format!("{} readers panicked", self.lost_readers));
        }
        faults
    }

    fn record(&mut self, kind: usize, begun: Instant) {
        let nanos = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        // The clock may not have moved; 0 is outside the range.
        self.histograms[kind].saturating_record(nanos.max(1));
    }

    fn judge(&mut self, fits: Option<bool>) {
        match fits {
            Some(true) => self.hits += 1,
            Some(false) => self.wrong += 1,
            None => self.misses += 1,
        }
    }
}

/// Reads until `stop`. Each time includes one reading of the clock.
///
/// Both flags are relaxed: nothing is handed over with them, and the registry brings its own
/// order.
pub(crate) fn read(
    registry: &Processes,
    host: &str,
    generation: &AtomicU64,
    stop: &AtomicBool,
    seed: u64,
) -> Reads {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut reads = Reads::new();
    let mut seen = None;
    let mut ids: Vec<ChildId> = Vec::new();
    let mut tags: Vec<Tag> = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let now = generation.load(Ordering::Relaxed);
        if seen != Some(now) {
            seen = Some(now);
            ids = registry.pin().iter().map(|entry| entry.id().clone()).collect();
            tags = registry.tags();
        }
        if ids.is_empty() || tags.is_empty() {
            seen = None;
            thread::yield_now();
            continue;
        }

        let pinned = registry.pin();
        for _ in 0..LOOKUPS {
            let id = &ids[random.usize(..ids.len())];
            let begun = Instant::now();
            let found = pinned.lookup(id);
            reads.record(LOOKUP, begun);
            reads.judge(found.map(|entry| entry.id() == id));
        }
        for _ in 0..BATCHES {
            let batch: [&ChildId; BATCH_SIZE] =
                std::array::from_fn(|_| &ids[random.usize(..ids.len())]);
            let begun = Instant::now();
            let found = pinned.get_many(batch);
            reads.record(BATCH, begun);
            for (id, found) in batch.into_iter().zip(found) {
                reads.judge(found.map(|entry| entry.id() == id));
            }
        }
        for _ in 0..TAGS {
            let tag = &tags[random.usize(..tags.len())];
            let begun = Instant::now();
            let wrong = pinned.match_tag(tag).filter(|entry| !entry.has_tag(tag)).count();
            reads.record(TAG, begun);
            reads.wrong += wrong as u64;
        }
        let begun = Instant::now();
        let wrong = pinned.children_on(host).filter(|entry| entry.pid_on(host).is_none()).count();
        reads.record(NODE, begun);
        reads.wrong += wrong as u64;
    }
    reads
}
