//! Random sequences of operations, done on the registry and on a plain model of it, with every
//! answer, every hook event and every read compared.
//!
//! `ORACLE_SEED` chooses the first seed, `ORACLE_SEQUENCES` how many sequences each test runs. A
//! failure prints the seed and the last operations.

#[path = "oracle/driver.rs"]
mod driver;
#[path = "oracle/making.rs"]
mod making;
#[path = "oracle/reads.rs"]
mod reads;
#[path = "oracle/relations.rs"]
mod relations;
mod support;
#[path = "oracle/trail.rs"]
mod trail;

use process_registry::ChildId;

use driver::{Driver, Profile};
use reads::Key;
use support::{Hashing, from_env};

/// Runs `sequences` of these, or as many as the environment asks for.
fn run<K: Key>(name: u64, sequences: u64, profile: impl Fn(&mut fastrand::Rng) -> Profile) {
    let first = from_env("ORACLE_SEED", name << 32);
    for seed in first..first + from_env("ORACLE_SEQUENCES", sequences) {
        let mut rng = fastrand::Rng::with_seed(!seed);
        Driver::<K>::new(seed, profile(&mut rng)).run();
    }
}

const TINY: Profile = Profile {
    hashing: Hashing::Normal,
    capacity: 0,
    keys: 8,
    fresh_ids: false,
    steps: 1200,
    compare_every: 1,
    nodes: 4,
    tags: 4,
};

#[test]
fn eight_ids_with_a_good_hash() {
    run::<ChildId>(1, 4, |_| TINY);
}

#[test]
fn eight_ids_with_one_hash() {
    let hashing = Hashing::Constant;
    run::<ChildId>(2, 4, |_| Profile { hashing, ..TINY });
}

#[test]
fn eight_ids_with_every_kind_of_hash_and_capacity() {
    run::<u64>(3, 6, |rng| Profile {
        hashing: Hashing::ALL[rng.usize(..Hashing::ALL.len())],
        capacity: [0, 1, 16, 3000][rng.usize(..4)],
        ..TINY
    });
}

/// Ids that never come back fill the table with what is gone: it is rebuilt at its size.
#[test]
fn fresh_ids_all_the_time() {
    run::<u64>(4, 3, |rng| Profile {
        hashing: [Hashing::Normal, Hashing::Crowded, Hashing::UpperBits][rng.usize(..3)],
        keys: 40,
        fresh_ids: true,
        steps: 6000,
        compare_every: 23,
        ..TINY
    });
}

/// Chains several buckets long, all in the way of each other.
#[test]
fn a_hundred_ids_that_collide() {
    run::<ChildId>(5, 3, |rng| Profile {
        hashing: [Hashing::Constant, Hashing::Colliding, Hashing::LowerBits][rng.usize(..3)],
        capacity: [0, 64][rng.usize(..2)],
        keys: 100,
        steps: 3000,
        compare_every: 37,
        ..TINY
    });
}

const LARGE: Profile =
    Profile { keys: 3000, steps: 24_000, compare_every: 2500, nodes: 9, tags: 30, ..TINY };

/// Grows from nothing through many tables, and back.
#[test]
fn thousands_of_ids_from_nothing() {
    run::<ChildId>(6, 1, |_| LARGE);
}

#[test]
fn thousands_of_ids_in_a_table_made_for_more() {
    let capacity = 8000;
    run::<u64>(7, 1, |_| Profile { capacity, ..LARGE });
}

#[test]
fn thousands_of_ids_that_collide() {
    run::<u64>(8, 1, |rng| Profile {
        hashing: [Hashing::Crowded, Hashing::LowerBits][rng.usize(..2)],
        keys: 1500,
        steps: 12_000,
        ..LARGE
    });
}
