//! Recorded histories of real threads, checked for linearizability.
//!
//! A few threads do all operations there are on a few ids, and put down when each call began and ended
//! and what it told. What a call tells is taken apart into steps on single ids, and for each id a
//! checker looks for an order of its steps, each between the beginning and the end of its call, that a
//! sequential specification explains. Where there is none, the history is printed as a diagram.
//!
//! `HISTORIES` says how many histories each test makes, `HISTORIES_SEED` chooses the first seed. A seed
//! fixes what the threads do, not how they meet.

#[path = "histories/by_hand.rs"]
mod by_hand;
#[path = "histories/check.rs"]
mod check;
#[path = "histories/diagram.rs"]
mod diagram;
#[path = "histories/disturb.rs"]
mod disturb;
#[path = "histories/flaws.rs"]
mod flaws;
#[path = "histories/model.rs"]
mod model;
#[path = "histories/ops.rs"]
mod ops;
#[path = "histories/perform.rs"]
mod perform;
#[path = "histories/reads.rs"]
mod reads;
#[path = "histories/record.rs"]
mod record;
#[path = "histories/shaky.rs"]
mod shaky;
mod support;
#[path = "histories/value.rs"]
mod value;
#[path = "histories/writes.rs"]
mod writes;

use std::collections::BTreeMap;
use std::thread;

use fastrand::Rng;

use check::check;
use flaws::Flaw;
use ops::{Mix, Profile};
use perform::Call;
use record::record;
use support::{Hashing, from_env};

/// Every operation on entries by its name, but for those about time. The others with options, or shared instead
/// of borrowed, go by the same. Not among them is what tells nothing of single ids: counts, names of tags and
/// nodes, and `local_child_specs`; nor the changes by the owner of a lease, which are those of any other.
const NAMES: [&str; 39] = [
    "bulk_delete",
    "bulk_insert",
    "bulk_insert_by",
    "children_on",
    "clear_all",
    "compute",
    "contains",
    "contains_children",
    "delete",
    "delete_if",
    "dump",
    "dump_all",
    "entry_exists",
    "for_each",
    "for_each, pinned",
    "get_many",
    "get_many_iter",
    "get_or_insert_with",
    "get_pid",
    "get_pids",
    "insert",
    "iter",
    "local_children",
    "local_data",
    "local_pid",
    "lookup",
    "match_all",
    "match_tag",
    "process_list(Global)",
    "process_list(Local)",
    "rebind",
    "register",
    "registry",
    "release",
    "remove_node",
    "retain",
    "try_insert",
    "try_update",
    "update",
];

/// How many of a flawed registry's histories may be looked at before one is rejected.
const CAUGHT_WITHIN: u64 = 100;

#[derive(Debug, Default)]
struct Tally {
    histories: u64,
    steps: usize,
    /// Pairs of calls of two threads, one begun after the other and before its end.
    overlaps: usize,
    /// How often tables were replaced meanwhile.
    resized: usize,
    /// How many ids needed the relaxation about deadlines.
    relaxed: usize,
    calls: BTreeMap<&'static str, usize>,
}

/// Tells the seed if something goes wrong.
struct Seed(u64, Profile);

impl Drop for Seed {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("HISTORIES=1 HISTORIES_SEED={}, {:?}", self.0, self.1);
        }
    }
}

/// Records and checks so many histories, or as many as the environment asks for.
fn run(test: u64, histories: u64, profile: impl Fn(&mut Rng) -> Profile) -> Tally {
    let mut tally = Tally::default();
    let first = from_env("HISTORIES_SEED", test << 32);
    for seed in first..first + from_env("HISTORIES", histories) {
        let mut rng = Rng::with_seed(!seed);
        let seed = Seed(seed, profile(&mut rng));
        let recording = record(&seed.1, None, &mut rng);
        match check(&recording.calls, recording.keys) {
            Err(wrong) => panic!("{wrong}"),
            Ok(explained) => {
                tally.steps += explained.steps;
                tally.relaxed += explained.relaxed;
            }
        }
        tally.histories += 1;
        tally.resized += recording.resized;
        for call in &recording.calls {
            *tally.calls.entry(call.name).or_default() += 1;
        }
        let overlap =
            |pair: &&[Call]| pair[0].thread != pair[1].thread && pair[1].span.0 < pair[0].span.1;
        tally.overlaps += recording.calls.windows(2).filter(overlap).count();
    }
    let Tally { histories, steps, overlaps, resized, relaxed, .. } = tally;
    println!(
        "{histories} histories, {} calls, {steps} steps, {overlaps} overlaps, {resized} tables replaced, \
         {relaxed} ids with a write past a deadline it had looked at in time",
        tally.calls.values().sum::<usize>()
    );
    if histories >= 100 {
        assert!(overlaps > 0, "the threads never met");
        for name in NAMES {
            assert!(tally.calls.contains_key(name), "no {name}");
        }
    }
    tally
}

#[test]
fn all_operations() {
    run(1, 600, |rng| Profile::random(rng, Mix::ALL));
}

#[test]
fn leases_that_end() {
    let tally = run(2, 700, |rng| Profile::random(rng, Mix::LEASES));
    if tally.histories >= 100 {
        for name in ["advance", "delete_if_expired", "purge_expired"] {
            assert!(tally.calls.contains_key(name), "no {name}");
        }
    }
}

#[test]
fn while_the_table_grows_and_shrinks() {
    let profile = |rng: &mut Rng| Profile { fillers: 60, ..Profile::random(rng, Mix::ALL) };
    assert!(run(3, 500, profile).resized > 0);
}

#[test]
fn colliding_ids() {
    let profile = |rng: &mut Rng| Profile {
        hashing: Hashing::ALL[rng.usize(..Hashing::ALL.len())],
        fillers: [0, 40][rng.usize(..2)],
        ..Profile::random(rng, Mix::LEASES)
    };
    run(4, 400, profile);
}

#[test]
fn flawed_registries_are_caught() {
    for flaw in Flaw::ALL {
        let mut rng = Rng::with_seed(1);
        let rejected = (1..=CAUGHT_WITHIN).find_map(|number| {
            let profile = Profile::random(&mut rng, flaw.mix());
            let recording = record(&profile, Some(flaw), &mut rng);
            Some((number, check(&recording.calls, recording.keys).err()?))
        });
        let Some((number, wrong)) = rejected else {
            panic!("{flaw:?} was not caught in {CAUGHT_WITHIN} histories");
        };
        println!("{flaw:?}: caught at history {number}");
        if from_env("HISTORIES_SHOW", 0) > 0 {
            println!("{wrong}");
        }
    }
}
