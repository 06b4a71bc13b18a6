//! Instructions of the hot operations, as callgrind counts them: the same on every run.
//!
//! Every benchmark touches 4,096 entries, one operation at a time or in groups, so that its count
//! divided by 4,096 is what an entry costs. What is set up before and dropped afterwards does not
//! count. `cargo xtask instructions` runs this and compares the counts with the recorded ones.
#![allow(missing_docs, reason = "a program; and gungraun's macros make items without")]

use std::hint::black_box;

use ahash::RandomState;
use gungraun::prelude::*;
use process_registry::{Child, Node, Registry, Tag};

const ENTRIES: u64 = 4096;
/// The ids of a batch.
const BATCH: usize = 16;
/// The members of a tag, and the children on a node.
const GROUP: u64 = 64;

const HERE: Node = Node::from_static("here");
const THERE: Node = Node::from_static("there");

type Jobs = Registry<u64, u32, (), u64, RandomState>;

/// What a benchmark works on. It is handed back, for what is dropped inside would count.
struct Stage {
    jobs: Jobs,
    /// `ENTRIES` of them, in no order of theirs.
    ids: Vec<u64>,
}

/// Different numbers for different numbers. (The mixer of SplitMix64.)
fn scramble(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn ids(numbers: std::ops::Range<u64>) -> Vec<u64> {
    numbers.map(scramble).collect()
}

fn child(pid: u32) -> Child<u64, u32> {
    Child::new(7).on(HERE, pid)
}

/// No entries, with room for so many. The hasher's seeds are fixed: the collisions of ids are to
/// be the same ones every time. This thread has used the registry before.
fn empty(capacity: u64) -> Jobs {
    let hasher = RandomState::with_seeds(1, 2, 3, 4);
    let jobs: Jobs = Registry::builder(HERE).capacity(capacity as usize).hasher(hasher).build();
    jobs.insert(u64::MAX, child(0).tag("first").tag("second"));
    jobs.delete(&u64::MAX);
    jobs
}

/// `ENTRIES` entries, and their ids in another order than that of insertion.
fn full() -> Stage {
    let stage = Stage { jobs: empty(ENTRIES), ids: ids(0..ENTRIES) };
    for (id, pid) in stage.ids.iter().zip(0..) {
        stage.jobs.insert(*id, child(pid));
    }
    let mut ids = stage.ids;
    ids.sort_unstable();
    Stage { ids, ..stage }
}

/// As `full`, and ids that are not there.
fn full_and_absent() -> Stage {
    Stage { ids: ids(ENTRIES..2 * ENTRIES), ..full() }
}

/// Room for all, and ids to insert.
fn roomy() -> Stage {
    Stage { jobs: empty(2 * ENTRIES), ids: ids(0..ENTRIES) }
}

/// No room, and ids to insert.
fn small() -> Stage {
    Stage { jobs: empty(0), ids: ids(0..ENTRIES) }
}

/// Entries in groups, each with a tag and a node of its own, and the names of those.
fn grouped() -> (Jobs, Vec<String>) {
    let jobs = empty(ENTRIES);
    let name = |group: u64| format!("group-{group}");
    for number in 0..ENTRIES {
        let group = name(number % (ENTRIES / GROUP));
        jobs.insert(scramble(number), Child::new(7).on(&*group, 1).tag(&*group));
    }
    (jobs, (0..ENTRIES / GROUP).map(name).collect())
}

#[library_benchmark]
#[bench::entries(full())]
fn lookup_hit_one_pin(stage: Stage) -> Stage {
    let pinned = stage.jobs.pin();
    for id in &stage.ids {
        black_box(pinned.lookup(black_box(id)));
    }
    drop(pinned);
    stage
}

#[library_benchmark]
#[bench::entries(full_and_absent())]
fn lookup_miss_one_pin(stage: Stage) -> Stage {
    let pinned = stage.jobs.pin();
    for id in &stage.ids {
        black_box(pinned.lookup(black_box(id)));
    }
    drop(pinned);
    stage
}

#[library_benchmark]
#[bench::entries(full())]
fn lookup_hit_pin_each(stage: Stage) -> Stage {
    for id in &stage.ids {
        black_box(stage.jobs.lookup(black_box(id)));
    }
    stage
}

#[library_benchmark]
#[bench::entries(full())]
fn get_many_of_16(stage: Stage) -> Stage {
    let pinned = stage.jobs.pin();
    for ids in stage.ids.as_chunks::<BATCH>().0 {
        black_box(pinned.get_many(black_box(ids).each_ref()));
    }
    drop(pinned);
    stage
}

#[library_benchmark]
#[bench::entries(roomy())]
fn insert_with_one_binding(stage: Stage) -> Stage {
    for id in &stage.ids {
        black_box(stage.jobs.insert(black_box(*id), child(1)));
    }
    stage
}

#[library_benchmark]
#[bench::entries(roomy())]
fn insert_with_two_tags(stage: Stage) -> Stage {
    let (first, second) = (Tag::from_static("first"), Tag::from_static("second"));
    for id in &stage.ids {
        let child = child(1).tag(first.clone()).tag(second.clone());
        black_box(stage.jobs.insert(black_box(*id), child));
    }
    stage
}

#[library_benchmark]
#[bench::entries(small())]
fn insert_while_growing(stage: Stage) -> Stage {
    for id in &stage.ids {
        black_box(stage.jobs.insert(black_box(*id), child(1)));
    }
    stage
}

#[library_benchmark]
#[bench::entries(full())]
fn upsert(stage: Stage) -> Stage {
    for id in &stage.ids {
        black_box(stage.jobs.insert(black_box(*id), child(2)));
    }
    stage
}

#[library_benchmark]
#[bench::entries(full())]
fn update_of_a_pid(stage: Stage) -> Stage {
    for id in &stage.ids {
        let updated = stage.jobs.update(black_box(id), |child| child.bind(HERE, 2));
        black_box(updated).expect("there");
    }
    stage
}

#[library_benchmark]
#[bench::entries(full())]
fn rebind_to_a_pid(stage: Stage) -> Stage {
    for id in &stage.ids {
        black_box(stage.jobs.rebind(black_box(id), HERE, 2)).expect("there");
    }
    stage
}

#[library_benchmark]
#[bench::entries(full())]
fn rebind_to_a_node(stage: Stage) -> Stage {
    for id in &stage.ids {
        black_box(stage.jobs.rebind(black_box(id), THERE, 2)).expect("there");
    }
    stage
}

#[library_benchmark]
#[bench::entries(full())]
fn delete(stage: Stage) -> Stage {
    for id in &stage.ids {
        black_box(stage.jobs.delete(black_box(id)));
    }
    stage
}

#[library_benchmark]
#[bench::entries(grouped())]
fn match_tag_of_64(stage: (Jobs, Vec<String>)) -> (Jobs, Vec<String>) {
    let pinned = stage.0.pin();
    for tag in &stage.1 {
        let found = pinned.match_tag(black_box(tag)).map(black_box).count();
        assert_eq!(found as u64, GROUP);
    }
    drop(pinned);
    stage
}

#[library_benchmark]
#[bench::entries(grouped())]
fn children_on_of_64(stage: (Jobs, Vec<String>)) -> (Jobs, Vec<String>) {
    let pinned = stage.0.pin();
    for node in &stage.1 {
        let found = pinned.children_on(black_box(node)).map(black_box).count();
        assert_eq!(found as u64, GROUP);
    }
    drop(pinned);
    stage
}

library_benchmark_group!(
    name = operations,
    benchmarks = [
        lookup_hit_one_pin,
        lookup_miss_one_pin,
        lookup_hit_pin_each,
        get_many_of_16,
        insert_with_one_binding,
        insert_with_two_tags,
        insert_while_growing,
        upsert,
        update_of_a_pid,
        rebind_to_a_pid,
        rebind_to_a_node,
        delete,
        match_tag_of_64,
        children_on_of_64,
    ]
);

main!(library_benchmark_groups = operations);
