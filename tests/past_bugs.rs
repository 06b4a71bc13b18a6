//! Bugs that maps of this kind have had: one test for each class that could be ours.

mod support;

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use process_registry::{Child, Clock, Decision, ManualClock, OwnedEntry, Registry};

use support::ledger::{Ledger, Token};
use support::race::{race, until_seen, watched};
use support::{Hashing, counts_match_a_walk, from_env};

type Numbers = Registry<u64, u64, u64, u64, Hashing>;

fn registry(hashing: Hashing) -> Numbers {
    Registry::<u64, u64, u64, u64>::builder("here").hasher(hashing).build()
}

fn child(n: u64) -> Child<u64, u64, u64> {
    Child::new(n).on("here", n).metadata(n)
}

fn scaled(length: u64) -> u64 {
    length * from_env("STRESS", 1)
}

/// Grows the table from nothing to `most` entries and empties it again, over and over.
fn breathe(registry: &Numbers, from: u64, most: u64, times: u64) {
    for _ in 0..times {
        for id in from..from + most {
            registry.insert(id, child(id));
        }
        for id in from..from + most {
            assert!(registry.delete(&id).is_some(), "{id} was lost");
        }
        registry.shrink_to_fit();
    }
}

/// Calls `body` with a fresh registry that grows under it while it runs.
fn while_growing(body: impl Fn(&Numbers, usize) + Sync) {
    for hashing in [Hashing::Normal, Hashing::Colliding] {
        let registry = registry(hashing);
        let most = if hashing == Hashing::Normal { 700 } else { 60 };
        race(4, |thread| match thread {
            0 => breathe(&registry, 1 << 40, most, scaled(6)),
            _ => body(&registry, thread),
        });
        counts_match_a_walk(&registry);
    }
}

// scc#176
#[test]
fn value_freed_while_it_is_read() {
    let rounds = scaled(4000);
    let ledger = Ledger::new(usize::try_from(rounds).unwrap() * 4);
    let registry: Registry<Token, u64, (), u64> = Registry::new("here");
    let work = |_| {
        for round in 0..rounds {
            registry.insert(round % 2, Child::new(ledger.token()).on("here", round));
            drop(registry.delete(&(round % 2)));
        }
    };
    watched(2, work, 2, |_| {
        for id in [0, 1] {
            if let Some(entry) = registry.lookup(&id) {
                entry.spec().sound();
                let owned = entry.share();
                drop(entry);
                owned.spec().sound();
            }
        }
    });
    drop(registry);
    ledger.closed();
}

// scc#22
#[test]
fn insert_against_remove_leaves_a_removed_id() {
    for hashing in [Hashing::Normal, Hashing::Constant] {
        let registry = registry(hashing);
        for round in 0..scaled(300) {
            race(3, |thread| match thread {
                0 => drop(registry.insert(1, child(round))),
                1 => drop(registry.delete(&1)),
                _ => drop(registry.insert(2, child(round))),
            });
            // Whatever the order was, a removal now is the last word.
            let there = registry.contains(&1);
            assert_eq!(registry.delete(&1).is_some(), there);
            assert!(!registry.contains(&1) && registry.delete(&1).is_none());
            assert!(registry.dump_all().keys().eq([&2]), "a copy was left behind");
            assert!(registry.delete(&2).is_some());
        }
        assert_eq!(registry.len_all(), 0);
    }
}

// scc#172
#[test]
fn entry_exists_and_then_reads_as_none() {
    while_growing(|registry, thread| {
        let id = thread as u64;
        registry.insert(id, child(0));
        for round in 0..scaled(2000) {
            assert!(registry.entry_exists(&id) && registry.contains(&id));
            let entry = registry.lookup(&id).expect("nobody else removes it");
            assert_eq!(*entry.spec(), round);
            drop(entry);
            registry.insert(id, child(round + 1)).expect("replaced");
            assert_eq!(registry.get_pid(&id), Some(round + 1));
        }
    });
}

// scc#121
#[test]
fn panic_after_retain() {
    for hashing in Hashing::ALL {
        let registry = registry(hashing);
        for round in 0..6 {
            for id in 0..120 {
                registry.insert(id, child(id).tag("x"));
            }
            registry.retain(|entry| entry.id() % 7 == round);
            let left: HashSet<u64> = registry.dump().into_keys().collect();
            assert_eq!(left, (0..120).filter(|id| id % 7 == round).collect());
            for id in 0..120 {
                assert_eq!(registry.insert(id, child(id)).is_some(), id % 7 == round);
            }
            registry.retain(|_| false);
            assert_eq!(registry.len_all(), 0);
            registry.shrink_to_fit();
        }
        counts_match_a_walk(&registry);
    }
}

// papaya#16, papaya#92: whoever finds a table in motion helps or goes on, nobody is waited for.
#[test]
fn resize_waits_for_a_thread_that_does_not_move() {
    let registry = registry(Hashing::Normal);
    registry.insert(0, child(0));
    // One thread stands still in the middle of an update, another holds a pin.
    let pin = registry.pin();
    let updated = registry.update(&0, |child| {
        race(3, |thread| {
            let from = 10_000 * (1 + thread as u64);
            breathe(&registry, from, 400, scaled(4));
        });
        child.bind("there", 1)
    });
    assert_eq!(updated, Ok(None));
    assert!(pin.contains(&0));
    drop(pin);
    counts_match_a_walk(&registry);
}

// papaya#95: what a slot says of an entry that is gone must not survive into the next one.
#[test]
fn traces_of_a_removed_entry_hide_the_next_one() {
    for hashing in [Hashing::UpperBits, Hashing::Colliding, Hashing::Constant] {
        let registry = registry(hashing);
        race(4, |thread| {
            for round in 0..scaled(800) {
                let id = 4 * (round % 5) + thread as u64;
                registry.insert(id, child(round));
                assert_eq!(registry.get_pid(&id), Some(round), "own id {id}");
                assert!(registry.delete(&id).is_some(), "own id {id}");
                assert!(!registry.entry_exists(&id));
            }
        });
        assert_eq!(registry.len_all(), 0);
        assert!(registry.dump_all().is_empty());
    }
}

// flurry#83
#[test]
fn moved_bucket_taken_for_a_plain_one() {
    while_growing(|registry, thread| {
        let from = 1000 * thread as u64;
        for round in 0..scaled(25) {
            for id in from..from + 40 {
                assert!(registry.insert(id, child(round)).is_none());
            }
            let pin = registry.pin();
            let mine = pin.iter().filter(|entry| (from..from + 40).contains(entry.id()));
            assert_eq!(mine.count(), 40, "own ids on a walk");
            drop(pin);
            for id in from..from + 40 {
                assert_eq!(registry.delete(&id).map(|entry| *entry.spec()), Some(round));
            }
        }
    });
}

// flurry#86
#[test]
fn count_runs_over_or_under() {
    let registry = registry(Hashing::Colliding);
    let work = |thread: usize| {
        for round in 0..scaled(2500) {
            if thread < 2 {
                registry.insert(round % 3, child(round).tag("x"));
            } else {
                registry.delete(&(round % 3));
            }
        }
    };
    watched(4, work, 1, |_| {
        for count in [registry.len(), registry.len_all(), registry.tag_len("x")] {
            assert!(count < usize::MAX / 2, "below zero");
        }
    });
    counts_match_a_walk(&registry);
    assert!(registry.len_all() <= 3);
}

// flurry#90
#[test]
fn try_insert_meets_the_unreachable() {
    while_growing(|registry, thread| {
        for round in 0..scaled(1500) {
            let id = round % 7;
            match registry.try_insert(id, child(thread as u64)) {
                Ok(entry) => assert_eq!(*entry.spec(), thread as u64),
                Err(taken) => {
                    assert_eq!(*taken.holder().id(), id);
                    let (back, offered, _) = taken.into_parts();
                    assert_eq!((back, *offered.spec()), (id, thread as u64));
                }
            }
            if round % 3 == 0 {
                registry.delete(&id);
            }
        }
    });
}

// dashmap#107
#[test]
fn crash_under_contended_insert() {
    for hashing in [Hashing::Normal, Hashing::Constant] {
        let registry: Registry<String, Vec<u64>, String, String, Hashing> =
            Registry::<String, Vec<u64>, String, String>::builder("here").hasher(hashing).build();
        race(4, |thread| {
            for round in 0..scaled(1500) {
                let text = format!("{thread}/{round}");
                let pids = vec![round; 3];
                let given = Child::new(text.clone()).metadata(text).on("here", pids);
                registry.insert(format!("{}", round % 4), given);
            }
        });
        assert_eq!(registry.len(), 4);
        for entry in registry.dump().values() {
            assert_eq!(entry.spec(), entry.metadata());
        }
    }
}

// RUSTSEC-2022-0002: that no reference outlives its pin is for the compiler to refuse; this is the
// other half, that the pin keeps what it lent.
#[test]
fn reference_outlives_its_guard() {
    let ledger = Ledger::new(4096);
    let registry: Registry<Token, u64, (), u64> = Registry::new("here");
    registry.insert(0, Child::new(ledger.token()).on("here", 0));
    let entry_ref = registry.lookup(&0).expect("live");
    let pin = registry.pin();
    let entry = pin.lookup(&0).expect("live");
    race(2, |_| {
        for n in 0..500 {
            registry.insert(n % 3, Child::new(ledger.token()).on("here", n));
            registry.collect();
        }
    });
    entry.spec().sound();
    drop(pin);
    for _ in 0..5 {
        registry.collect();
    }
    // One pin has ended, the other has not.
    entry_ref.spec().sound();
    drop(entry_ref);
    drop(registry);
    ledger.closed();
}

// crossbeam#672
#[test]
fn leak_on_concurrent_remove() {
    let rounds = scaled(60);
    let ledger = Ledger::new(usize::try_from(rounds).unwrap() * 1000);
    let registry: Registry<Token, u64, Token, u64> = Registry::new("here");
    for round in 0..rounds {
        for id in 0..30 {
            let given = Child::new(ledger.token()).metadata(ledger.token());
            registry.insert(id, given.on("here", round));
        }
        race(4, |thread| {
            for id in 0..30 {
                match thread {
                    0 => drop(registry.delete(&id)),
                    1 => drop(registry.delete_if(&id, |_| true)),
                    2 => drop(registry.compute(id, |_| Decision::Remove)),
                    _ => drop(registry.remove_node("here")),
                }
            }
        });
        assert_eq!(registry.len_all(), 0);
    }
    drop(registry);
    ledger.closed();
}

// folly#2097
#[test]
fn count_of_owners_overflows() {
    let ledger = Ledger::new(8);
    let registry: Registry<Token, u64> = Registry::new("here");
    registry.insert("id", Child::new(ledger.token()).on("here", 1));
    let first = registry.get_owned("id").expect("live");
    race(3, |_| {
        let held: Vec<OwnedEntry<Token, u64>> = (0..70_000).map(|_| first.clone()).collect();
        let shared: Vec<_> = held.iter().take(1000).map(|entry| entry.share()).collect();
        drop(held);
        shared.iter().for_each(|entry| entry.spec().sound());
    });
    drop(registry.delete("id"));
    drop(registry);
    assert_eq!(ledger.alive(), 1);
    first.spec().sound();
    drop(first);
    ledger.closed();
}

// leapfrog#22
#[test]
fn migration_loses_doubles_or_revives() {
    for hashing in [Hashing::Normal, Hashing::Crowded, Hashing::LowerBits] {
        let registry = registry(hashing);
        let ids = scaled(1500);
        race(4, |thread| {
            let first = ids * thread as u64;
            for id in first..first + ids {
                assert!(registry.insert(id, child(id)).is_none(), "{id} was there already");
                // Every other one goes at once, in the middle of whatever moves.
                if id % 2 == 1 {
                    assert_eq!(registry.delete(&id).map(|entry| *entry.spec()), Some(id));
                }
            }
        });
        let left: HashSet<u64> = registry.dump_all().into_keys().collect();
        let want: HashSet<u64> = (0..4 * ids).filter(|id| id % 2 == 0).collect();
        assert!(left == want, "{} of {}", left.len(), want.len());
        assert_eq!(registry.len_all(), want.len());
        assert_eq!(registry.pin().iter().count(), want.len());
    }
}

// junction#18, junction#49
#[test]
fn insert_or_find_finds_nothing_during_a_migration() {
    while_growing(|registry, thread| {
        for round in 0..scaled(2000) {
            let id = round % 50;
            let entry = registry.get_or_insert_with(id, || child(id));
            assert_eq!((*entry.id(), *entry.spec()), (id, id));
            let entry = registry.compute(id, |entry| match entry {
                Some(_) => Decision::Keep,
                None => Decision::Put(child(id)),
            });
            assert_eq!(*entry.expect("kept or put").spec(), id);
            if round % 5 == thread as u64 {
                registry.delete(&id);
            }
        }
    });
}

// xsync#111
#[test]
fn update_is_lost_in_a_resize() {
    for hashing in [Hashing::Normal, Hashing::Colliding] {
        let registry = registry(hashing);
        let most = if hashing == Hashing::Normal { 600 } else { 60 };
        registry.insert(0, child(0));
        race(4, |thread| match thread {
            0 => breathe(&registry, 1 << 40, most, scaled(8)),
            _ => {
                for _ in 0..scaled(1000) {
                    let more = |child: &mut Child<u64, u64, u64>| *child.metadata_mut() += 1;
                    registry.update(&0, more).expect("always there");
                }
            }
        });
        assert_eq!(*registry.lookup(&0).expect("there").metadata(), 3 * scaled(1000));
    }
}

// libcuckoo#51
#[test]
fn insert_is_lost_in_a_resize() {
    let registry = registry(Hashing::Normal);
    let next = AtomicU64::new(0);
    race(4, |thread| {
        if thread == 0 {
            for round in 0..scaled(60) {
                registry.reserve(usize::try_from(64 * (round % 20)).unwrap());
                registry.shrink_to_fit();
            }
            return;
        }
        for _ in 0..scaled(1200) {
            let id = next.fetch_add(1, Ordering::Relaxed);
            assert!(registry.insert(id, child(id)).is_none());
            assert!(registry.contains(&id), "own insert {id}");
        }
    });
    let all = next.into_inner();
    assert_eq!(registry.len() as u64, all);
    assert!((0..all).all(|id| registry.get_pid(&id) == Some(id)));
}

// bookkeeper#1607
#[test]
fn size_and_table_read_torn() {
    let registry = registry(Hashing::Normal);
    for id in 0..20 {
        registry.insert(id, child(id));
    }
    let work = |thread: usize| breathe(&registry, (1 + thread as u64) << 40, 500, scaled(5));
    watched(2, work, 2, |_| {
        for id in 0..20 {
            assert_eq!(registry.get_pid(&id), Some(id), "there all the time");
            assert!(!registry.contains(&(id + 20)), "never there");
        }
        let capacity = registry.capacity();
        assert!(capacity < 1 << 20, "capacity {capacity}");
    });
}

// parlayhash#14
#[test]
fn table_is_loaded_before_the_pin() {
    let registry = registry(Hashing::Normal);
    registry.insert(0, child(0));
    let looks = AtomicUsize::new(0);
    // Of both watchers together, and all of them while tables come and go.
    let enough = || looks.load(Ordering::Relaxed) >= 20;
    let work = |thread: usize| {
        let once = |_| breathe(&registry, (1 + thread as u64) << 40, 300, 1);
        until_seen(scaled(8), enough, once);
        registry.collect();
    };
    // Very many very short pins while tables are retired and freed.
    watched(2, work, 2, |_| {
        for _ in 0..50 {
            assert!(registry.pin().contains(&0));
            assert_eq!(registry.get_pid(&0), Some(0));
        }
        let mut pin = registry.pin();
        for _ in 0..50 {
            pin.refresh();
            assert!(pin.contains(&0));
        }
        looks.fetch_add(1, Ordering::Relaxed);
    });
}

// process-hub#16
#[test]
fn expiry_sweep_deletes_a_revived_entry() {
    let clock = ManualClock::new();
    let registry =
        Registry::<u64, u64, u64, u64>::builder("here").clock(Clock::Manual(clock.clone())).build();
    for round in 0..scaled(120) {
        for id in 0..20 {
            registry.insert(id, child(round));
            // A tombstone; some revive it in time, some when it is due.
            registry.bulk_delete([(&id, ["here"])]);
        }
        clock.advance(Duration::from_secs(if round % 2 == 0 { 29 } else { 31 }));
        race(3, |thread| match thread {
            0 => drop(registry.purge_expired()),
            1 => (0..20).for_each(|id| drop(registry.delete_if_expired(&id))),
            _ => registry.bulk_insert((0..20).map(|id| (id, child(round)))),
        });
        clock.advance(Duration::from_secs(100));
        assert_eq!(registry.purge_expired(), 0, "revived for good");
        let left = registry.dump();
        assert_eq!(left.len(), 20);
        assert!(left.values().all(|entry| *entry.spec() == round && entry.deadline().is_none()));
    }
}

// A removal under way moves what a walk is about to judge.
#[test]
fn expired_entry_outlives_the_removal_of_everything() {
    let time = ManualClock::new();
    for most in 1..300 {
        let registry: Numbers = Registry::<u64, u64, u64, u64>::builder("here")
            .hasher(Hashing::Colliding)
            .clock(Clock::Manual(time.clone()))
            .build();
        for id in 0..most {
            let child = child(id);
            let short = id % 2 == 0;
            registry.insert(id, if short { child.ttl(Duration::from_secs(1)) } else { child });
        }
        time.advance(Duration::from_secs(1));
        registry.clear_all();
        assert_eq!(registry.len_all(), 0, "of {most}");
    }
}
