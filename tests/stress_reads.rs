//! Many threads, exact invariants: what readers see while others write, and what becomes of values.
//!
//! `STRESS` multiplies the length of every test.

mod support;

use std::collections::HashSet;
use std::hash::{BuildHasher, Hash};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use process_registry::{Child, Decision, Entry, Global, Local, OwnedEntry, Registry};

use support::ledger::{Ledger, Token};
use support::race::{race, until_seen, watched};
use support::{Hashing, counts_match_a_walk, from_env};

type Numbers = Registry<u64, u64, u64, u64, Hashing>;

/// Ids that are there all the time, tagged `fixed` and bound to `rock`.
const FIXED: std::ops::Range<u64> = 0..60;

fn scaled(length: u64) -> u64 {
    length * from_env("STRESS", 1)
}

fn rng(thread: usize) -> fastrand::Rng {
    fastrand::Rng::with_seed(0xBEEF + thread as u64)
}

/// A child whose parts all say the same.
fn child(n: u64) -> Child<u64, u64, u64> {
    Child::new(n).on("here", n).metadata(n)
}

fn fixed(n: u64) -> Child<u64, u64, u64> {
    child(n).on("rock", n).tag("fixed").tag("all")
}

fn with_fixed(hashing: Hashing) -> Numbers {
    let builder = Registry::<u64, u64, u64, u64>::builder("here").hasher(hashing);
    let registry = builder.build();
    for id in FIXED {
        registry.insert(id, fixed(id));
    }
    registry
}

/// Checks that no part of an entry is of another version than the rest.
fn whole<K>(entry: &Entry<u64, u64, u64, K>) {
    let n = *entry.spec();
    assert_eq!(*entry.metadata(), n);
    assert!(entry.pids().all(|pid| *pid == n), "a torn entry");
}

/// Checks that the fixed ids are among these exactly once, and returns how many others there are.
#[track_caller]
fn fixed_once(what: &str, ids: impl IntoIterator<Item = u64>) -> usize {
    let mut seen = HashSet::new();
    let mut others = 0;
    for id in ids {
        if FIXED.contains(&id) {
            assert!(seen.insert(id), "{what} returns {id} twice");
        } else {
            others += 1;
        }
    }
    assert_eq!(seen.len(), FIXED.count(), "{what} misses some");
    others
}

#[track_caller]
fn all_once<T: Eq + Hash>(what: &str, ids: impl IntoIterator<Item = T>) {
    let mut seen = HashSet::new();
    assert!(ids.into_iter().all(|id| seen.insert(id)), "{what} returns an id twice");
}

/// Writes the fixed ids over and over without ever taking them away, and others that come and go.
fn churn(registry: &Numbers, thread: usize, rounds: u64, others: u64) {
    let mut rng = rng(thread);
    for round in 0..rounds {
        let id = rng.u64(FIXED);
        match rng.u8(..7) {
            0 => drop(registry.insert(id, fixed(round))),
            1 => {
                let new = |child: &mut Child<u64, u64, u64>| {
                    child.set_spec(round);
                    child.set_metadata(round);
                    child.bind("here", round);
                    child.bind("rock", round);
                    // Tags move about in the list.
                    child.remove_tag("all");
                    child.add_tag("extra");
                    child.add_tag("all");
                };
                registry.update(&id, new).expect("always there");
            }
            2 => drop(registry.compute(id, |_| Decision::Put(fixed(round).tag("more")))),
            _ => {
                let id = 1000 + rng.u64(..others);
                match rng.u8(..6) {
                    0..2 => drop(registry.insert(id, child(round).tag("all").tag("loose"))),
                    2 => drop(registry.insert(id, child(round).on("rock", round).tag("fixed"))),
                    3 => drop(registry.update(&id, |child| child.remove_tag("all"))),
                    _ => drop(registry.delete(&id)),
                }
            }
        }
    }
}

fn shown_to_for_each(registry: &Numbers) -> Vec<u64> {
    let mut shown = Vec::new();
    registry.for_each(|entry| {
        whole(entry);
        shown.push(*entry.id());
    });
    shown
}

fn watch_everything(registry: &Numbers) {
    let pin = registry.pin();
    let ids = |entry: &Entry<u64, u64, u64, u64>| {
        whole(entry);
        *entry.id()
    };
    for tag in ["fixed", "all"] {
        let found: Vec<_> = pin.match_tag(tag).collect();
        assert!(found.iter().all(|entry| entry.has_tag(tag)), "without the tag {tag}");
        fixed_once("ByTag", found.into_iter().map(ids));
        let found = registry.match_tag(tag);
        all_once("match_tag", found.iter().map(|(id, _)| *id));
        fixed_once("match_tag", found.into_iter().map(|(id, _)| id));
    }
    let found: Vec<_> = pin.match_all(&["all", "fixed"]).collect();
    assert!(found.iter().all(|entry| entry.has_tag("all") && entry.has_tag("fixed")));
    fixed_once("match_all", found.into_iter().map(ids));
    for node in ["here", "rock"] {
        let found: Vec<_> = pin.children_on(node).collect();
        assert!(found.iter().all(|entry| entry.pid_on(node).is_some()), "not on {node}");
        fixed_once("ByNode", found.into_iter().map(ids));
        let found = registry.children_on(node);
        all_once("children_on", found.iter().map(|entry| *entry.id()));
        fixed_once("children_on", found.iter().map(|entry| ids(entry)));
    }
    fixed_once("iter", pin.iter().map(ids));
    drop(pin);

    fixed_once("dump", registry.dump().into_keys());
    fixed_once("dump_all", registry.dump_all().values().map(|entry| ids(entry)));
    fixed_once("local_children", registry.local_children().into_keys());
    let listed = registry.process_list(Global);
    all_once("process_list", listed.iter().map(|(id, _)| *id));
    fixed_once("process_list", listed.into_iter().map(|(id, _)| id));
    fixed_once("process_list", registry.process_list(Local).into_iter().map(|(id, _)| id));
    fixed_once("for_each", shown_to_for_each(registry));

    let asked: Vec<u64> = FIXED.rev().collect();
    assert_eq!(registry.contains_children(&asked).len(), asked.len());
    let pin = registry.pin();
    assert!(pin.get_many_iter(&asked).all(|entry| entry.is_some_and(|entry| entry.has_tag("all"))));
    let four = pin.get_many([&5, &2000, &7, &9]);
    assert!(four[0].is_some() && four[1].is_none() && four[2].is_some() && four[3].is_some());
}

#[test]
fn every_query_finds_what_is_there_throughout_exactly_once() {
    for hashing in [Hashing::Normal, Hashing::Colliding, Hashing::UpperBits] {
        let registry = with_fixed(hashing);
        let work = |thread: usize| churn(&registry, thread, scaled(2500), 60);
        watched(3, work, 2, |_| watch_everything(&registry));
        counts_match_a_walk(&registry);
        for id in FIXED {
            whole(&registry.lookup(&id).expect("always there"));
        }
    }
}

/// The table grows, is rebuilt and halves all the time.
#[test]
fn walks_over_a_table_that_moves_miss_nothing_and_repeat_nothing() {
    for hashing in [Hashing::Normal, Hashing::LowerBits] {
        let registry = with_fixed(hashing);
        let work = |thread: usize| match thread {
            0 => {
                for round in 0..scaled(8) {
                    for id in 0..600 {
                        registry.insert(10_000 + id, child(round).tag("loose"));
                    }
                    for id in 0..600 {
                        registry.delete(&(10_000 + id));
                    }
                    registry.shrink_to_fit();
                }
            }
            1 => {
                // Fresh ids: what is gone fills the table.
                for id in 0..scaled(6000) {
                    registry.insert(1 << 32 | id, child(id));
                    registry.delete(&(1 << 32 | id.saturating_sub(20)));
                }
            }
            _ => {
                churn(&registry, thread, scaled(2000), 1000);
                registry.reserve(2000);
                registry.shrink_to_fit();
            }
        };
        watched(3, work, 2, |watcher| {
            if watcher == 0 {
                watch_everything(&registry);
            } else {
                for id in FIXED {
                    assert!(registry.contains(&id), "{id} is there all the time");
                }
                fixed_once("iter", registry.pin().iter().map(|entry| *entry.id()));
                let mut asked = Vec::new();
                registry.retain(|entry| {
                    asked.push(*entry.id());
                    true
                });
                fixed_once("retain", asked);
                let shown = shown_to_for_each(&registry);
                all_once("for_each", shown.iter().copied());
                fixed_once("for_each", shown);
            }
        });
        counts_match_a_walk(&registry);
    }
}

/// A walk may see an id again that was away meanwhile; what is collected has it once.
#[test]
fn collected_results_have_every_id_once() {
    let registry: Numbers = with_fixed(Hashing::Colliding);
    let work = |thread: usize| {
        for round in 0..scaled(3000) {
            let id = 100 + (round + thread as u64) % 12;
            registry.delete(&id);
            registry.insert(id, child(round).on("rock", round).tag("all"));
            registry.update(&id, |child| child.remove_tag("all")).ok();
            registry.update(&id, |child| child.add_tag("all")).ok();
        }
    };
    watched(2, work, 2, |_| {
        all_once("match_tag", registry.match_tag("all").into_iter().map(|(id, _)| id));
        all_once("match_all", registry.match_all(&["all"]).into_iter().map(|(id, _)| id));
        all_once("children_on", registry.children_on("rock").iter().map(|entry| *entry.id()));
        all_once("local_data", registry.local_data().iter().map(|entry| *entry.id()));
        all_once("Global", registry.process_list(Global).into_iter().map(|(id, _)| id));
        all_once("Local", registry.process_list(Local).into_iter().map(|(id, _)| id));
        let shown = shown_to_for_each(&registry);
        all_once("for_each", shown.iter().copied());
        fixed_once("for_each", shown);
    });
}

/// A node and a tag that always change together, in one write.
#[test]
fn an_entry_is_never_between_two_versions() {
    let registry = with_fixed(Hashing::Normal);
    let work = |thread: usize| {
        for round in 0..scaled(4000) {
            let id = (round + thread as u64) % 6;
            let (here, there) = if round % 2 == 0 { ("odd", "even") } else { ("even", "odd") };
            let swap = |child: &mut Child<u64, u64, u64>| {
                child.unbind_all();
                child.clear_tags();
                child.bind(here, round);
                child.add_tag(here);
                child.set_spec(round);
                child.set_metadata(round);
            };
            registry.update(&id, swap).expect("always there");
            let both = Child::new(round).metadata(round).on(there, round).tag(there);
            registry.insert(id, both);
        }
    };
    watched(2, work, 2, |_| {
        let pin = registry.pin();
        for name in ["odd", "even"] {
            for entry in pin.match_tag(name).chain(pin.children_on(name)) {
                whole(entry);
                assert_eq!((entry.tags().len(), entry.bindings().len()), (1, 1));
                assert!(entry.has_tag(name) && entry.pid_on(name).is_some());
            }
        }
    });
    counts_match_a_walk(&registry);
}

/// What one thread reads of one entry only ever gets newer.
#[test]
fn versions_never_go_back() {
    let registry = with_fixed(Hashing::Colliding);
    let latest: Vec<AtomicU64> = FIXED.map(|_| AtomicU64::new(0)).collect();
    let work = |thread: usize| {
        for round in 0..scaled(6000) {
            let id = (7 * round + thread as u64) % FIXED.end;
            registry.rebind(&id, "here", id).expect("always there");
        }
    };
    watched(2, work, 2, |_| {
        for id in FIXED {
            let latest = &latest[usize::try_from(id).unwrap()];
            // Seen by some thread before this read begins.
            let before = latest.load(Ordering::SeqCst);
            let version = registry.lookup(&id).expect("always there").version();
            assert!(version >= before, "version {version} of {id} after {before}");
            latest.fetch_max(version, Ordering::SeqCst);
        }
    });
    let total: u64 = FIXED.map(|id| registry.lookup(&id).expect("there").version() - 1).sum();
    assert_eq!(total, 2 * scaled(6000));
}

type Tracked = Registry<Token, u64, Token, u64, Hashing>;

fn tracked(ledger: &Ledger, n: u64) -> Child<Token, u64, Token> {
    Child::new(ledger.token()).metadata(ledger.token()).on("here", n).tag("all")
}

fn read<K>(entry: &Entry<Token, u64, Token, K>) {
    entry.spec().sound();
    entry.metadata().sound();
    assert!(entry.has_tag("all") && entry.pid_on("here").is_some());
}

#[test]
fn nothing_is_freed_while_it_can_be_read_and_all_is_freed_in_the_end() {
    for hashing in [Hashing::Normal, Hashing::Constant] {
        let rounds = scaled(5000);
        let ledger = Ledger::new(usize::try_from(rounds).unwrap() * 20);
        let registry: Tracked =
            Registry::<Token, u64, Token, u64>::builder("here").hasher(hashing).build();
        let work = |thread: usize| {
            let mut rng = rng(thread);
            for round in 0..rounds {
                let id = rng.u64(..10);
                match rng.u8(..8) {
                    0..3 => drop(registry.insert(id, tracked(&ledger, round))),
                    3 => drop(registry.delete(&id)),
                    4 => drop(registry.update(&id, |child| child.bind("here", round))),
                    5 => drop(registry.delete_if(&id, |entry| entry.version() > 1)),
                    6 => drop(registry.try_insert(id, tracked(&ledger, round))),
                    _ => drop(registry.compute(id, |_| Decision::Put(tracked(&ledger, round)))),
                }
            }
        };
        watched(2, work, 2, |_| {
            let pin = registry.pin();
            let first: Vec<_> = (0..10).map(|id| pin.lookup(&id)).collect();
            pin.match_tag("all").for_each(read);
            pin.children_on("here").for_each(read);
            pin.iter().for_each(read);
            // What was read first is still what it was, for the pin has not ended.
            first.into_iter().flatten().for_each(read);
        });
        drop(registry);
        ledger.closed();
    }
}

#[test]
fn every_value_is_dropped_exactly_once_owners_on_other_threads_included() {
    let rounds = scaled(4000);
    let ledger = Ledger::new(usize::try_from(rounds).unwrap() * 12);
    let registry: Tracked =
        Registry::<Token, u64, Token, u64>::builder("here").hasher(Hashing::Colliding).build();
    let (send, receive) = mpsc::channel::<OwnedEntry<Token, u64, Token, u64>>();
    let keeper = thread::spawn(move || {
        // Holds some while the registry lives, and some for longer.
        let mut held = Vec::new();
        for (n, entry) in receive.iter().enumerate() {
            read(&entry);
            held.push(entry);
            if n % 3 == 0 {
                let at = n % held.len();
                drop(held.swap_remove(at));
            }
        }
        held
    });
    race(3, |thread| {
        let mut rng = rng(thread);
        for round in 0..rounds {
            let id = rng.u64(..20);
            match rng.u8(..6) {
                0..2 => drop(registry.insert(id, tracked(&ledger, round))),
                2 => {
                    if let Some(gone) = registry.delete(&id) {
                        send.send(gone).expect("the keeper listens");
                    }
                }
                3 => {
                    if let Some(entry) = registry.get_owned(&id) {
                        send.send(entry.clone()).expect("the keeper listens");
                    }
                }
                4 => drop(registry.update(&id, |child| child.bind("here", round))),
                _ => registry.collect(),
            }
        }
    });
    drop(registry);
    drop(send);
    let held = keeper.join().expect("the keeper ends well");
    held.iter().for_each(|entry| read(entry));
    let distinct: HashSet<_> =
        held.iter().map(|entry| (entry.incarnation(), entry.version())).collect();
    assert_eq!(ledger.alive(), 2 * distinct.len());
    drop(held);
    ledger.closed();
}

/// Many tags and nodes that live for a moment, claimed and released by all at once.
#[test]
fn sets_that_come_and_go_are_never_lost_or_left_behind() {
    let registry = with_fixed(Hashing::Normal);
    let names = ["p", "q", "r"];
    let found = AtomicUsize::new(0);
    race(4, |thread| {
        let mut rng = rng(thread);
        let id = 500 + thread as u64;
        for round in 0..scaled(4000) {
            let name = names[rng.usize(..3)];
            registry.insert(id, Child::new(round).metadata(round).on(name, round).tag(name));
            let pin = registry.pin();
            assert!(pin.match_tag(name).any(|entry| *entry.id() == id), "own tag {name}");
            assert!(pin.children_on(name).any(|entry| *entry.id() == id), "own node {name}");
            found.fetch_add(1, Ordering::Relaxed);
            drop(pin);
            if rng.bool() {
                registry.delete(&id);
            }
        }
        registry.delete(&id);
    });
    assert_eq!(found.into_inner() as u64, 4 * scaled(4000));
    assert_eq!(registry.tags().len(), 2, "fixed and all");
    assert_eq!(registry.nodes().len(), 2, "here and rock");
    counts_match_a_walk(&registry);
}

/// One set that is opened, claimed and closed by all, over and over.
#[test]
fn a_set_that_closes_takes_no_other_with_it() {
    let registry = with_fixed(Hashing::Normal);
    race(3, |thread| {
        let id = 500 + thread as u64;
        for round in 0..scaled(12_000) {
            registry.insert(id, child(round).on("only", round).tag("only"));
            let pin = registry.pin();
            assert!(pin.match_tag("only").any(|entry| *entry.id() == id), "own tag");
            assert!(pin.children_on("only").any(|entry| *entry.id() == id), "own node");
            drop(pin);
            registry.delete(&id);
        }
    });
    assert_eq!(registry.tag_len("only") + registry.node_len("only"), 0);
    assert!(registry.match_tag("only").is_empty() && registry.children_on("only").is_empty());
    counts_match_a_walk(&registry);
}

/// All indexes change in one step: what a lookup has seen, every query finds from then on.
#[test]
fn what_a_lookup_has_seen_a_query_finds() {
    let registry = with_fixed(Hashing::Normal);
    // What is just being inserted, and how many ids were seen and stayed until they had been looked for.
    let (latest, looks) = (AtomicU64::new(0), AtomicU64::new(0));
    let work = |_| {
        let enough = || looks.load(Ordering::Relaxed) >= scaled(500);
        until_seen(scaled(6000), enough, |round| {
            let id = 1000 + round;
            // Relaxed, so that nothing but the registry tells the reader of the entry.
            latest.store(id, Ordering::Relaxed);
            // Fresh slots all the time: the members of five ids ago are gone.
            registry.insert(id, child(id).on("rock", id).tag("seen"));
            if id % 8 == 0 {
                registry.retain(|entry| *entry.id() < 1000 || *entry.id() + 5 > id);
            }
        });
    };
    let last = AtomicU64::new(0);
    watched(1, work, 1, |_| {
        let id = latest.load(Ordering::Relaxed);
        // Each id once, as soon as it can be seen.
        if last.swap(id, Ordering::Relaxed) == id {
            return std::hint::spin_loop();
        }
        let pin = registry.pin();
        // Bounded, for the id may have come and gone unseen.
        let seen = (0..200).any(|_| {
            pin.contains(&id) || {
                std::hint::spin_loop();
                false
            }
        });
        if seen {
            let tagged = pin.match_tag("seen").any(|entry| *entry.id() == id);
            let bound = pin.children_on("rock").any(|entry| *entry.id() == id);
            let there = pin.contains(&id);
            assert!(tagged && bound || !there, "{id} is there and not found");
            looks.fetch_add(u64::from(there), Ordering::Relaxed);
        }
    });
    counts_match_a_walk(&registry);
}

/// One registry's threads may end in the middle of another's life.
#[test]
fn registries_share_threads_and_nothing_else() {
    let rounds = scaled(60);
    let ledger = Ledger::new(usize::try_from(rounds).unwrap() * 4000);
    race(4, |thread| {
        for round in 0..rounds {
            let registry: Registry<Token, u64, Token> = Registry::new("here");
            for n in 0..40 {
                registry.insert(format!("{n}"), tracked(&ledger, round));
                if (n + thread) % 3 == 0 {
                    registry.delete(&format!("{}", n / 2));
                }
            }
            let kept = registry.get_owned("39").expect("just inserted");
            drop(registry);
            read(&kept);
        }
    });
    ledger.closed();
}

/// The hasher is asked for nothing but hashes: any will do.
#[test]
fn a_hasher_of_any_type_serves() {
    fn churn<H: BuildHasher + Sync>(registry: &Registry<u64, u64, u64, u64, H>) {
        race(3, |thread| {
            for n in 0..scaled(500) {
                registry.insert(n % 40, child(n));
                registry.delete(&((n + thread as u64) % 40));
            }
        });
    }
    let builder = || Registry::<u64, u64, u64, u64>::builder("here");
    churn(&builder().build());
    churn(&builder().hasher(std::hash::RandomState::new()).build());
    churn(&builder().hasher(Hashing::Constant).build());
}
