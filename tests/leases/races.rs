//! Leases under concurrency.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use crate::support::race::{race, until_seen, watched};
use crate::support::{Hashing, counts_match_a_walk, from_env};
use crate::{SECOND, World, worker};

/// Rounds of a test whose threads stay. Those that start threads in every round make a tenth.
fn rounds() -> u32 {
    3000 * u32::try_from(from_env("STRESS", 1)).expect("small")
}

/// Whose id is whose, as the threads themselves see it.
#[test]
fn an_id_has_one_holder_at_a_time() {
    const THREADS: usize = 4;
    const IDS: [&str; 3] = ["a", "b", "c"];
    for hashing in [Hashing::Normal, Hashing::Constant] {
        let world = World::new(hashing);
        let held: [AtomicBool; 3] = Default::default();
        let wins = AtomicU64::new(0);
        race(THREADS, |thread| {
            let mut random = fastrand::Rng::with_seed(thread as u64);
            for round in 0..rounds() {
                let at = random.usize(..IDS.len());
                match world.registry.register(IDS[at], worker(round).tag("held")) {
                    Ok(lease) => {
                        assert!(!held[at].swap(true, Ordering::SeqCst), "two hold {}", IDS[at]);
                        wins.fetch_add(1, Ordering::Relaxed);
                        if random.bool() {
                            lease.rebind("there", round).expect("nobody takes it away");
                            thread::yield_now();
                        }
                        assert_eq!(lease.entry().expect("held").pid(), Some(&round));
                        assert!(held[at].swap(false, Ordering::SeqCst));
                        if random.bool() { drop(lease) } else { drop(lease.release()) }
                    }
                    Err(taken) => {
                        assert_eq!(taken.holder().id(), IDS[at]);
                        let (_, child, _) = taken.into_parts();
                        assert_eq!(child.pids().next(), Some(&round));
                    }
                }
            }
        });
        assert!(wins.into_inner() >= 3);
        assert_eq!(world.shot().len(), 2, "{hashing:?}");
        counts_match_a_walk(&world.registry);
    }
}

/// One ends its lease while another takes the id, by force or as soon as it is free.
#[test]
fn a_drop_never_hits_the_next_holder() {
    let world = World::new(Hashing::Normal);
    for round in 0..rounds() / 10 {
        let first = std::sync::Mutex::new(Some(world.register()));
        let next = AtomicU64::new(0);
        race(3, |thread| match thread {
            0 => drop(first.lock().expect("sound").take()),
            1 if round % 2 == 0 => {
                world.registry.insert("id", worker(7));
                let incarnation = world.registry.lookup("id").expect("inserted").incarnation();
                next.store(incarnation, Ordering::SeqCst);
            }
            1 => loop {
                if let Ok(lease) = world.registry.register("id", worker(7)) {
                    next.store(lease.incarnation(), Ordering::SeqCst);
                    assert!(lease.is_current());
                    break drop(lease.detach());
                }
                thread::yield_now();
            },
            // Meanwhile somebody changes whatever is there.
            _ => drop(world.registry.rebind("id", "there", round)),
        });
        let left = world.registry.delete("id").expect("the next holder's");
        assert_eq!(left.incarnation(), next.into_inner(), "{round}");
        assert_eq!(left.pid(), Some(&7), "{round}");
    }
    assert_eq!(world.shot().len(), 2);
    counts_match_a_walk(&world.registry);
}

/// A lease is dropped while others change the child: theirs or not, it goes.
#[test]
fn a_drop_wins_against_updates() {
    let world = World::new(Hashing::Normal);
    for round in 0..rounds() / 10 {
        let lease = std::sync::Mutex::new(Some(world.register()));
        race(3, |thread| {
            if thread == 0 {
                drop(lease.lock().expect("sound").take());
                assert!(!world.registry.entry_exists("id"));
            } else {
                let mut pid = 0;
                while world.registry.rebind("id", "there", pid).is_ok() {
                    pid += 1;
                }
            }
        });
        assert!(!world.registry.entry_exists("id"), "{round}");
    }
    counts_match_a_walk(&world.registry);
}

/// Time passes, everybody wants the id, and the holder renews: as long as that succeeds nobody else has it.
#[test]
fn no_renewal_succeeds_after_another_registration() {
    let world = World::new(Hashing::Normal);
    let latest = AtomicU64::new(0);
    let (renewed, lapsed) = (AtomicU64::new(0), AtomicU64::new(0));
    // Either outcome, and more than by chance.
    let both = || renewed.load(Ordering::Relaxed).min(lapsed.load(Ordering::Relaxed)) >= 100;
    let hold = |thread: usize| {
        until_seen(rounds().into(), both, |round| {
            let child = worker(round as u32).ttl(3 * SECOND);
            let Ok(lease) = world.registry.register("id", child) else {
                return thread::yield_now();
            };
            let mine = lease.incarnation();
            latest.fetch_max(mine, Ordering::SeqCst);
            for _ in 0..20 {
                if round % 8 == 0 {
                    // A slow one: it is about now that its time is over.
                    thread::yield_now();
                }
                let seen = latest.load(Ordering::SeqCst);
                if lease.renew(3 * SECOND).is_ok() {
                    assert!(seen <= mine, "renewed after {seen} had the id of {mine}");
                    renewed.fetch_add(1, Ordering::Relaxed);
                } else {
                    lapsed.fetch_add(1, Ordering::Relaxed);
                    assert!(!lease.is_current() && lease.renew(SECOND).is_err(), "lost for good");
                    break;
                }
            }
            if thread == 0 {
                drop(lease);
            } else {
                // Left to expire.
                lease.detach();
            }
        });
    };
    let passes = AtomicU64::new(0);
    let pass = |_| {
        // Now and then a holder that is between two renewals has no time left, not even for the next.
        let leaps = passes.fetch_add(1, Ordering::Relaxed).is_multiple_of(4);
        world.clock.advance(if leaps { 3 * SECOND } else { SECOND });
        world.registry.purge_expired();
        thread::yield_now();
    };
    watched(3, hold, 1, pass);
    assert!(both());
    world.clock.advance(4 * SECOND);
    world.registry.purge_expired();
    assert_eq!(world.shot().len(), 2);
    counts_match_a_walk(&world.registry);
}

/// The registry goes while its leases do.
#[test]
fn leases_and_the_registry_end_together() {
    for _ in 0..rounds() / 10 {
        let world = World::new(Hashing::Normal);
        let leases: Vec<_> = (0..3)
            .map(|number| world.registry.register(format!("{number}"), worker(1)).expect("free"))
            .map(|lease| std::sync::Mutex::new(Some(lease)))
            .collect();
        let registry = std::sync::Mutex::new(Some(world.registry));
        race(4, |thread| match leases.get(thread) {
            Some(lease) => {
                let lease = lease.lock().expect("sound").take().expect("once");
                let _ = lease.rebind("there", 7);
                drop(lease);
            }
            None => drop(registry.lock().expect("sound").take().map(Arc::into_inner)),
        });
    }
}
