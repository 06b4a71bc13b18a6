//! Writes to 100,000 entries, for a look at single operations: a group for each kind of write,
//! with ours and its peers. One thread, short `str` keys, drawn at random.
//!
//! Criterion measures one map after the other: on a busy machine take the ratios of `cargo xtask
//! bench` instead.
#![allow(missing_docs, reason = "a program; and criterion's macros make items without")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use fastrand::Rng;
use process_registry::ChildId;
use process_registry_benches::keys::{drawn, numbered};
use process_registry_benches::maps::{
    Bound, Dash, Flurry, Locked, Map, Papaya, SccIndex, SccMap, Unbound,
};
use process_registry_benches::payload::Payload;

const ENTRIES: u64 = 100_000;
/// More than a branch predictor learns.
const DRAWN: usize = 1 << 16;

struct Keys {
    /// In random order.
    all: Vec<ChildId>,
    drawn: Vec<ChildId>,
    /// Not there at first.
    absent: Vec<ChildId>,
}

impl Keys {
    fn new() -> Self {
        let mut rng = Rng::with_seed(1);
        let (mut all, mut absent) = (numbered(0..ENTRIES), numbered(ENTRIES..2 * ENTRIES));
        rng.shuffle(&mut all);
        rng.shuffle(&mut absent);
        Self { drawn: drawn(&all, DRAWN, &mut rng), all, absent }
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
    };
}

/// Fills a map that has room for nothing; its end is not timed.
fn fill<M: Map<ChildId>>(group: &mut Group<'_>, keys: &Keys) {
    group.bench_function(M::NAME, |bencher| {
        bencher.iter_custom(|rounds| {
            let mut time = Duration::ZERO;
            for _ in 0..rounds {
                let map = M::filled(0, &[]);
                let begun = Instant::now();
                for key in &keys.all {
                    black_box(map.insert(key, Payload::new(1)));
                }
                time += begun.elapsed();
                assert_eq!(map.len(), keys.all.len());
            }
            time
        });
    });
}

/// Inserts a key and removes another, among entries that stay.
fn come_and_go<M: Map<ChildId>>(group: &mut Group<'_>, keys: &Keys) {
    let map = M::filled(keys.all.len(), &keys.all);
    // What is inserted is removed half a turn later.
    let half = keys.absent.len() / 2;
    for key in &keys.absent[half..] {
        map.insert(key, Payload::new(1));
    }
    let mut comes = keys.absent.iter().cycle();
    let mut goes = keys.absent.iter().cycle().skip(half);
    group.bench_function(M::NAME, |bencher| {
        bencher.iter(|| {
            let came = map.insert(comes.next().expect("endless"), Payload::new(2));
            let went = map.remove(goes.next().expect("endless"));
            assert!(came && went);
        });
    });
}

fn update<M: Map<ChildId>>(group: &mut Group<'_>, keys: &Keys) {
    let map = M::filled(keys.all.len(), &keys.all);
    let mut next = keys.drawn.iter().cycle();
    group.bench_function(M::NAME, |bencher| {
        bencher.iter(|| {
            assert!(map.update(next.next().expect("endless"), Payload::new(3)));
        });
    });
}

fn write(criterion: &mut Criterion) {
    let keys = Keys::new();
    let group =
        |criterion: &mut Criterion, name: &str, elements: u64, run: fn(&mut Group<'_>, &Keys)| {
            let mut group = criterion.benchmark_group(name);
            group.throughput(Throughput::Elements(elements));
            run(&mut group, &keys);
            group.finish();
        };
    group(criterion, "write/insert, from empty", ENTRIES, |group, keys| {
        each_map!(fill(group, keys));
    });
    group(criterion, "write/insert one and remove another", 1, |group, keys| {
        each_map!(come_and_go(group, keys));
    });
    group(criterion, "write/update", 1, |group, keys| {
        each_map!(update(group, keys));
    });
}

fn short() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .sample_size(20)
}

criterion_group! {
    name = benches;
    config = short();
    targets = write
}
criterion_main!(benches);
