//! Lookups among 100,000 entries, for a look at single operations: a group for each kind of
//! lookup, with ours and its peers. One thread, short `str` keys, drawn at random.
//!
//! Criterion measures one map after the other: on a busy machine take the ratios of `cargo xtask
//! bench` instead.
#![allow(missing_docs, reason = "a program; and criterion's macros make items without")]

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use fastrand::Rng;
use process_registry::ChildId;
use process_registry_benches::keys::{drawn, numbered};
use process_registry_benches::maps::{
    Bare, Bound, Dash, Flurry, Locked, Lookup, Papaya, Read, SccIndex, SccMap, Unbound,
};

const ENTRIES: u64 = 100_000;
/// More than a branch predictor learns.
const DRAWN: usize = 1 << 16;
const BATCH: usize = 16;

/// What is looked up: keys that are there, and keys that are not.
struct Keys {
    all: Vec<ChildId>,
    hits: Vec<ChildId>,
    misses: Vec<ChildId>,
}

impl Keys {
    fn new() -> Self {
        let (all, absent) = (numbered(0..ENTRIES), numbered::<ChildId>(ENTRIES..2 * ENTRIES));
        let mut rng = Rng::with_seed(1);
        Self { hits: drawn(&all, DRAWN, &mut rng), misses: drawn(&absent, DRAWN, &mut rng), all }
    }
}

type Group<'c> = BenchmarkGroup<'c, WallTime>;

/// Calls a function for each map.
macro_rules! each_map {
    ($call:ident($group:expr, $keys:expr)) => {
        $call::<Bound<ChildId>>($group, $keys);
        $call::<Unbound<ChildId>>($group, $keys);
        $call::<Papaya<ChildId>>($group, $keys);
        $call::<SccIndex<ChildId>>($group, $keys);
        $call::<SccMap<ChildId>>($group, $keys);
        $call::<Dash<ChildId>>($group, $keys);
        $call::<Flurry<ChildId>>($group, $keys);
        $call::<Locked<ChildId>>($group, $keys);
        $call::<Bare<ChildId>>($group, $keys);
    };
}

fn reader_reused<M: Lookup<ChildId>>(group: &mut Group<'_>, keys: &Keys) {
    let map = M::filled(keys.all.len(), &keys.all);
    let mut next = keys.hits.iter().cycle();
    let reader = map.reader();
    group.bench_function(M::NAME, |bencher| {
        bencher.iter(|| black_box(reader.get(next.next().expect("endless"))));
    });
}

fn reader_each<M: Lookup<ChildId>>(group: &mut Group<'_>, keys: &Keys) {
    let map = M::filled(keys.all.len(), &keys.all);
    let mut next = keys.hits.iter().cycle();
    group.bench_function(M::NAME, |bencher| {
        bencher.iter(|| black_box(map.get(next.next().expect("endless"))));
    });
}

fn miss<M: Lookup<ChildId>>(group: &mut Group<'_>, keys: &Keys) {
    let map = M::filled(keys.all.len(), &keys.all);
    let mut next = keys.misses.iter().cycle();
    let reader = map.reader();
    group.bench_function(M::NAME, |bencher| {
        bencher.iter(|| black_box(reader.get(next.next().expect("endless"))));
    });
}

/// Ours, whose cache misses overlap.
fn batch(group: &mut Group<'_>, keys: &Keys) {
    let map = Bound::filled(keys.all.len(), &keys.all);
    let mut next = keys.hits.as_chunks::<BATCH>().0.iter().cycle();
    let pinned = map.reader();
    group.bench_function("ours, get_many", |bencher| {
        bencher.iter(|| black_box(pinned.get_many(next.next().expect("endless").each_ref())));
    });
}

/// As all the others have to.
fn one_by_one<M: Lookup<ChildId>>(group: &mut Group<'_>, keys: &Keys) {
    let map = M::filled(keys.all.len(), &keys.all);
    let mut next = keys.hits.as_chunks::<BATCH>().0.iter().cycle();
    let reader = map.reader();
    group.bench_function(M::NAME, |bencher| {
        bencher.iter(|| {
            let keys: &[ChildId; BATCH] = next.next().expect("endless");
            black_box(keys.each_ref().map(|key| reader.get(key)))
        });
    });
}

fn lookup(criterion: &mut Criterion) {
    let keys = Keys::new();
    let group =
        |criterion: &mut Criterion, name: &str, elements: u64, run: fn(&mut Group<'_>, &Keys)| {
            let mut group = criterion.benchmark_group(name);
            group.throughput(Throughput::Elements(elements));
            run(&mut group, &keys);
            group.finish();
        };
    group(criterion, "lookup/hit, reader reused", 1, |group, keys| {
        each_map!(reader_reused(group, keys));
    });
    group(criterion, "lookup/hit, reader for each", 1, |group, keys| {
        each_map!(reader_each(group, keys));
    });
    group(criterion, "lookup/miss, reader reused", 1, |group, keys| {
        each_map!(miss(group, keys));
    });
    group(criterion, "lookup/16 hits at once, reader reused", BATCH as u64, |group, keys| {
        batch(group, keys);
        each_map!(one_by_one(group, keys));
    });
}

fn short() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .sample_size(30)
}

criterion_group! {
    name = benches;
    config = short();
    targets = lookup
}
criterion_main!(benches);
