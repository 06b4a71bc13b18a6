//! Many threads, exact invariants: what writers do to each other.
//!
//! `STRESS` multiplies the length of every test.

mod support;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use process_registry::{
    Child, Clock, Decision, Event, Handler, HookKey, Hooks, ManualClock, OwnedEntry, Registry,
    WriteOptions,
};

use support::race::{race, watched};
use support::{Hashing, counts_match_a_walk, from_env};

type Numbers = Registry<u64, u64, u64, u64, Hashing>;

const THREADS: usize = 4;
const TAGS: [&str; 3] = ["red", "green", "blue"];
const NODES: [&str; 3] = ["here", "there", "elsewhere"];

fn registry(hashing: Hashing) -> Numbers {
    Registry::<u64, u64, u64, u64>::builder("here").hasher(hashing).build()
}

fn scaled(length: u64) -> u64 {
    length * from_env("STRESS", 1)
}

/// A child whose parts all say the same.
fn child(n: u64) -> Child<u64, u64, u64> {
    Child::new(n).on("here", n).metadata(n)
}

fn rng(thread: usize) -> fastrand::Rng {
    fastrand::Rng::with_seed(0xC0FFEE + thread as u64)
}

/// Gathers what threads collect, checking that nothing is collected twice.
#[derive(Debug, Default)]
struct Once<T>(Mutex<HashSet<T>>);

impl<T: std::hash::Hash + Eq + std::fmt::Debug> Once<T> {
    fn all(&self, items: impl IntoIterator<Item = T>) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for item in items {
            let text = format!("{item:?}");
            assert!(seen.insert(item), "{text} came twice");
        }
    }

    fn into_inner(self) -> HashSet<T> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

#[test]
fn every_id_is_deleted_exactly_once() {
    for hashing in [Hashing::Normal, Hashing::Crowded] {
        let registry = registry(hashing);
        let ids = scaled(4000);
        for id in 0..ids {
            registry.insert(id, child(id).tag("red"));
        }
        let deleted = Once::default();
        race(THREADS, |thread| {
            let mut order: Vec<u64> = (0..ids).collect();
            rng(thread).shuffle(&mut order);
            let mut mine = Vec::new();
            for id in order {
                let gone = match (id + thread as u64) % 4 {
                    0 => registry.delete(&id).is_some(),
                    1 => registry.delete_if(&id, |entry| *entry.spec() == id).is_some(),
                    2 => registry.pin().delete(&id).is_some(),
                    _ => {
                        let mut there = false;
                        registry.compute(id, |entry| {
                            there = entry.is_some();
                            Decision::Remove
                        });
                        there
                    }
                };
                mine.extend(gone.then_some(id));
            }
            deleted.all(mine);
        });
        assert_eq!(deleted.into_inner().len() as u64, ids);
        assert_eq!(registry.len_all(), 0);
        counts_match_a_walk(&registry);
    }
}

#[test]
fn every_incarnation_comes_back_exactly_once() {
    for hashing in [Hashing::Normal, Hashing::Colliding, Hashing::Constant] {
        let registry = registry(hashing);
        let rounds = scaled(4000);
        let made = AtomicU64::new(0);
        let back = Once::default();
        race(THREADS, |thread| {
            let mut rng = rng(thread);
            let mut mine = Vec::new();
            for round in 0..rounds {
                let id = rng.u64(..16);
                let offered = child(round).tag(TAGS[rng.usize(..3)]);
                let gone = match rng.u8(..5) {
                    0..2 => {
                        made.fetch_add(1, Ordering::Relaxed);
                        registry.insert(id, offered)
                    }
                    2 => {
                        let new = registry.try_insert(id, offered).is_ok();
                        made.fetch_add(new.into(), Ordering::Relaxed);
                        None
                    }
                    3 => registry.delete(&id),
                    _ => registry.delete_if(&id, |entry| entry.spec() % 2 == 0),
                };
                mine.extend(gone.map(|entry| entry.incarnation()));
            }
            back.all(mine);
        });
        back.all(registry.dump_all().values().map(|entry| entry.incarnation()));
        let back = back.into_inner().len() as u64;
        assert_eq!(back, made.into_inner(), "{hashing:?}");
        counts_match_a_walk(&registry);
    }
}

#[test]
fn try_insert_has_exactly_one_winner() {
    for hashing in [Hashing::Normal, Hashing::Constant] {
        let registry = registry(hashing);
        let ids = scaled(if hashing == Hashing::Normal { 3000 } else { 150 });
        let winners: Vec<AtomicUsize> = (0..ids).map(|_| AtomicUsize::new(0)).collect();
        race(THREADS, |thread| {
            for id in 0..ids {
                let offered = child(thread as u64).tag("red");
                let won = match (id + thread as u64) % 3 {
                    0 => registry.pin().try_insert(id, offered).is_ok(),
                    1 => registry.try_insert(id, offered).is_ok(),
                    _ => {
                        let current = registry.get_or_insert_with(id, || offered);
                        *current.spec() == thread as u64
                    }
                };
                if won {
                    winners[usize::try_from(id).unwrap()].fetch_add(1, Ordering::Relaxed);
                    assert_eq!(registry.get_pid(&id), Some(thread as u64));
                } else {
                    assert!(registry.contains(&id), "the loser sees the winner");
                }
            }
        });
        assert!(winners.iter().all(|count| count.load(Ordering::Relaxed) == 1));
        assert_eq!(registry.len() as u64, ids);
        counts_match_a_walk(&registry);
    }
}

#[test]
fn no_increment_is_lost() {
    for hashing in [Hashing::Normal, Hashing::Constant] {
        let registry = registry(hashing);
        let (ids, rounds) = (3, scaled(1500));
        for id in 0..ids {
            registry.insert(id, child(0));
        }
        race(THREADS, |thread| {
            for round in 0..rounds {
                let id = round % ids;
                let more = |child: &mut Child<u64, u64, u64>| {
                    *child.metadata_mut() += 1;
                    child.bind("there", round)
                };
                match (round + thread as u64) % 3 {
                    0 => drop(registry.update(&id, more).expect("live")),
                    1 => {
                        let more = |child: &mut _| Ok::<_, ()>(more(child));
                        registry.try_update(&id, more).expect("live");
                    }
                    _ => {
                        registry.compute(id, |entry| {
                            let more = entry.expect("live").metadata() + 1;
                            Decision::Put(child(id).metadata(more))
                        });
                    }
                }
            }
            // Others come and go, so that the table moves meanwhile.
            for id in 100..130 {
                registry.insert(id + 100 * thread as u64, child(id));
            }
        });
        let total: u64 = (0..ids).map(|id| *registry.lookup(&id).expect("live").metadata()).sum();
        assert_eq!(total, rounds * THREADS as u64);
        let published: u64 = (0..ids).map(|id| registry.lookup(&id).expect("live").version()).sum();
        assert_eq!(published, rounds * THREADS as u64 + ids, "one version for each change");
    }
}

#[test]
fn merges_of_many_threads_keep_every_node() {
    let registry = registry(Hashing::Colliding);
    let nodes: Vec<Vec<String>> =
        (0..THREADS).map(|thread| (0..12).map(|n| format!("{thread}/{n}")).collect()).collect();
    for _ in 0..scaled(15) {
        race(THREADS, |thread| {
            for (n, node) in nodes[thread].iter().enumerate() {
                for id in 0..6 {
                    let offered = Child::new(id).metadata(0).on(node.as_str(), n as u64);
                    registry.bulk_insert([(id, offered)]);
                }
            }
        });
        for id in 0..6 {
            let entry = registry.lookup(&id).expect("live");
            assert_eq!(entry.bindings().len(), THREADS * 12);
        }
        counts_match_a_walk(&registry);
        // And every binding goes exactly once.
        race(THREADS, |thread| {
            for node in &nodes[thread] {
                registry.bulk_delete([0, 1, 2].iter().map(|id| (id, [node])));
                let changed = registry.remove_node(node);
                let want: HashSet<u64> = [3, 4, 5].into();
                assert_eq!(changed.into_iter().collect::<HashSet<_>>(), want);
            }
        });
        assert_eq!((registry.len(), registry.len_all()), (0, 3), "three tombstones");
        counts_match_a_walk(&registry);
    }
}

/// One random operation of any kind.
fn any_operation<H: BuildHasher>(
    registry: &Registry<u64, u64, u64, u64, H>,
    rng: &mut fastrand::Rng,
    ids: u64,
) {
    let id = rng.u64(..ids);
    let (node, tag) = (NODES[rng.usize(..3)], TAGS[rng.usize(..3)]);
    let offered = Child::new(id).metadata(id).on(node, id).tag(tag);
    match rng.u8(..16) {
        0..3 => drop(registry.insert(id, offered)),
        3 => drop(registry.insert(id, Child::new(id).metadata(id).tag(tag))),
        4 => drop(registry.try_insert(id, offered)),
        5 | 6 => drop(registry.delete(&id)),
        7 => drop(registry.update(&id, |child| child.add_tag(tag))),
        8 => drop(registry.update(&id, |child| (child.remove_tag(tag), child.unbind(node)))),
        9 => drop(registry.rebind(&id, node, id)),
        10 => registry.bulk_insert([(id, offered.on(NODES[rng.usize(..3)], id))]),
        11 => registry.bulk_delete([(&id, [node])]),
        12 => drop(registry.compute(id, |_| Decision::Put(offered.clone()))),
        13 => drop(registry.compute(id, |entry| match entry {
            Some(entry) if entry.has_tag(tag) => Decision::Remove,
            _ => Decision::Keep,
        })),
        14 => drop(registry.get_or_insert_with(id, || offered)),
        _ => match rng.u8(..12) {
            0 => registry.retain(|entry| entry.id() % 2 == 0),
            1 => registry.clear_all(),
            2 => registry.shrink_to_fit(),
            3 => registry.collect(),
            4 => registry.reserve(50),
            _ => drop(registry.remove_node(node)),
        },
    }
}

#[test]
fn every_count_is_exact_when_nothing_is_running() {
    for (turn, hashing) in Hashing::ALL.into_iter().enumerate() {
        let registry = registry(hashing);
        for burst in 0..scaled(3) {
            let ids = [12, 40, 400][usize::try_from(burst % 3).unwrap()];
            race(THREADS, |thread| {
                let mut rng = rng(thread + 10 * turn);
                for _ in 0..1200 {
                    any_operation(&registry, &mut rng, ids);
                }
            });
            counts_match_a_walk(&registry);
        }
        registry.clear_all();
        assert!(registry.tags().is_empty() && registry.nodes().is_empty());
        assert_eq!((registry.len(), registry.len_all()), (0, 0));
    }
}

#[test]
fn no_count_wraps_while_writes_run() {
    let registry = registry(Hashing::Colliding);
    let work = |thread: usize| {
        for round in 0..scaled(3000) {
            let id = round % 8;
            match (round / 8 + thread as u64) % 2 {
                0 => drop(registry.insert(id, child(id).tag("red"))),
                _ => drop(registry.delete(&id)),
            }
        }
    };
    // Stripes are read one after another, so that only zero is a firm bound.
    let most = usize::MAX / 2;
    watched(THREADS, work, 1, |_| {
        assert!(registry.len() < most && registry.len_all() < most);
        assert!(registry.tag_len("red") < most && registry.node_len("here") < most);
    });
    counts_match_a_walk(&registry);
}

#[test]
fn colliding_ids_are_inserted_and_removed_by_all() {
    for hashing in [Hashing::Constant, Hashing::Colliding, Hashing::UpperBits] {
        let registry = registry(hashing);
        // Each thread owns some ids and knows exactly what is under them; all share the chains.
        race(THREADS, |thread| {
            let mut rng = rng(thread);
            let mut mine: HashMap<u64, u64> = HashMap::new();
            for round in 0..scaled(2500) {
                let id = THREADS as u64 * rng.u64(..6) + thread as u64;
                let want = mine.get(&id).copied();
                assert_eq!(registry.get_pid(&id), want, "own id {id}");
                if rng.bool() {
                    let old = registry.insert(id, child(round).tag("red"));
                    assert_eq!(old.map(|entry| *entry.spec()), want);
                    mine.insert(id, round);
                } else {
                    let old = registry.delete(&id);
                    assert_eq!(old.map(|entry| *entry.spec()), want);
                    mine.remove(&id);
                }
            }
            for (id, pid) in mine {
                assert_eq!(registry.get_pid(&id), Some(pid));
            }
        });
        counts_match_a_walk(&registry);
        registry.clear_all();
        registry.shrink_to_fit();
        assert!(registry.capacity() < 4096, "no unbounded growth");
    }
}

#[test]
fn remove_node_takes_all_that_was_there_and_spares_the_other_nodes() {
    let registry = registry(Hashing::Normal);
    for _ in 0..scaled(12) {
        for id in 0..200 {
            registry.insert(id, child(id).on("doomed", id));
        }
        let removed = Once::default();
        race(THREADS, |thread| match thread {
            0 | 1 => removed.all(registry.remove_node("doomed")),
            _ => {
                // Registrations that overlap the call, on other ids, and renewals on the same.
                for id in 0..200 {
                    registry.insert(1000 * thread as u64 + id, child(id).on("late", id));
                    registry.rebind(&id, "here", id + 1).expect("`here` stays bound");
                }
            }
        });
        assert_eq!(removed.into_inner(), (0..200).collect(), "each by one call");
        assert_eq!(registry.node_len("doomed"), 0);
        assert!(registry.children_on("doomed").is_empty());
        for id in 0..200 {
            assert_eq!(registry.get_pids(&id), [id + 1]);
        }
        counts_match_a_walk(&registry);
        registry.clear_all();
    }
}

#[test]
fn a_renewed_lease_is_never_swept() {
    const LEASE: Duration = Duration::from_secs(10);
    let clock = ManualClock::new();
    let registry =
        Registry::<u64, u64, u64, u64>::builder("here").clock(Clock::Manual(clock.clone())).build();
    let renewed = 0..8;
    for id in renewed.clone() {
        registry.insert(id, child(id).ttl(LEASE));
    }
    // The time moves on only when all eight were renewed for longer than it moves.
    let work = |thread: usize| match thread {
        0 => {
            for round in 0..scaled(400) {
                for id in renewed.clone() {
                    let way = |child: &mut Child<_, _, _>| child.set_ttl(LEASE);
                    if round % 2 == 0 {
                        registry.update(&id, way).expect("a lease that was renewed in time");
                    } else {
                        let before = registry.insert(id, child(id).ttl(LEASE));
                        assert!(before.is_some(), "renewed in time");
                    }
                }
                clock.advance(LEASE - Duration::from_secs(1));
            }
        }
        1 => {
            for round in 0..scaled(2000) {
                let id = 100 + round % 50;
                registry.insert(id, child(id).ttl(Duration::from_secs(1)));
            }
        }
        _ => {
            for round in 0..scaled(2000) {
                assert!(registry.delete_if_expired(&(round % 8)).is_none());
                registry.purge_expired();
            }
        }
    };
    watched(THREADS, work, 1, |_| {
        let pin = registry.pin();
        for id in renewed.clone() {
            assert!(pin.entry_exists(&id), "lease {id} is there all the time");
        }
    });
    clock.advance(LEASE);
    registry.purge_expired();
    assert_eq!(registry.len_all(), 0);
    counts_match_a_walk(&registry);
}

#[test]
fn an_expired_entry_is_swept_by_exactly_one() {
    let clock = ManualClock::new();
    let registry =
        Registry::<u64, u64, u64, u64>::builder("here").clock(Clock::Manual(clock.clone())).build();
    for _ in 0..scaled(15) {
        for id in 0..300 {
            registry.insert(id, child(id).tag("red").ttl(Duration::from_secs(1 + id % 3)));
        }
        clock.advance(Duration::from_secs(5));
        let swept = AtomicUsize::new(0);
        race(THREADS, |thread| {
            let mut mine = 0;
            if thread % 2 == 0 {
                mine += registry.purge_expired();
            } else {
                let one = |id: &u64| registry.delete_if_expired(id).is_some();
                mine += (0..300).filter(one).count();
            }
            swept.fetch_add(mine, Ordering::Relaxed);
        });
        assert_eq!(swept.into_inner(), 300);
        assert_eq!(registry.len_all(), 0);
        counts_match_a_walk(&registry);
    }
}

#[test]
fn hooks_hear_every_change_exactly_once() {
    let registry = registry(Hashing::Colliding);
    let hooks: Hooks<u64, u64> = Hooks::new();
    let heard: std::sync::Arc<Mutex<Vec<(HookKey, u64, u64)>>> = std::sync::Arc::default();
    for key in [HookKey::ChildRegistered, HookKey::ChildUnregistered] {
        let heard = std::sync::Arc::clone(&heard);
        let note = move |event: &Event<'_, u64, u64>| {
            let what = (event.kind(), event.incarnation(), event.version());
            heard.lock().unwrap().push(what);
        };
        hooks.register(key, Handler::new("note", note)).expect("new");
    }
    let (registered, unregistered) = (AtomicUsize::new(0), AtomicUsize::new(0));
    race(THREADS, |thread| {
        let mut rng = rng(thread);
        for round in 0..scaled(1500) {
            let id = rng.u64(..10);
            let done = match rng.u8(..4) {
                0 => {
                    let options = WriteOptions::new().hooks(&hooks);
                    let new = registry.try_insert_with(id, child(round), options);
                    (usize::from(new.is_ok()), 0)
                }
                1 => (usize::from(registry.rebind_with(&id, "there", round, &hooks).is_ok()), 0),
                _ => (0, usize::from(registry.delete_with(&id, &hooks).is_some())),
            };
            registered.fetch_add(done.0, Ordering::Relaxed);
            unregistered.fetch_add(done.1, Ordering::Relaxed);
        }
    });
    let heard = heard.lock().unwrap();
    let mut lives: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    let mut ends = HashSet::new();
    for (key, incarnation, version) in heard.iter() {
        match key {
            HookKey::ChildRegistered => lives.entry(*incarnation).or_default().push(*version),
            _ => assert!(ends.insert(*incarnation), "one end for each life"),
        }
    }
    assert_eq!(lives.values().map(Vec::len).sum::<usize>(), registered.into_inner());
    assert_eq!(ends.len(), unregistered.into_inner());
    for (incarnation, versions) in &mut lives {
        versions.sort_unstable();
        let want: Vec<u64> = (1..=versions.len() as u64).collect();
        assert_eq!(*versions, want, "every version of {incarnation} once");
    }
    let left = registry.dump_all();
    assert_eq!(lives.len(), ends.len() + left.len());
    let lived = |entry: &OwnedEntry<_, _, _, _>| lives.contains_key(&entry.incarnation());
    assert!(left.values().all(lived));
}
