//! What the operations do all at once.

use std::sync::Weak;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;

use super::*;

#[test]
fn no_update_is_lost() {
    const THREADS: u32 = 4;
    const ROUNDS: u32 = 2000;
    let (registry, _) = timed();
    registry.insert("a", child(0));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..ROUNDS {
                    let count = |child: &mut Child<_, u32>| {
                        let pid = child.pid_on("here").copied().unwrap();
                        child.bind("here", pid + 1);
                    };
                    registry.update("a", count).unwrap();
                }
            });
        }
    });
    assert_eq!(registry.get_pid("a"), Some(THREADS * ROUNDS));
    assert_eq!(registry.lookup("a").unwrap().version(), u64::from(THREADS * ROUNDS) + 1);
}

#[test]
fn leases_that_are_renewed_in_time_are_always_there() {
    let registry: Plain = Registry::new("here");
    let over = AtomicBool::new(false);
    for id in ["a", "b", "c"] {
        registry.insert(id, child(1).tag("t").ttl(Duration::from_secs(600)));
    }
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..20_000_u64 {
                for id in ["a", "b", "c"] {
                    let ttl = Duration::from_secs(600 - round % 7);
                    registry.update(id, |child| child.set_ttl(ttl)).unwrap();
                }
            }
            over.store(true, SeqCst);
        });
        scope.spawn(|| {
            while !over.load(SeqCst) {
                registry.insert("short", child(1).tag("t").ttl(Duration::from_micros(50)));
                assert!(registry.delete_if("a", |_| false).is_none());
                registry.purge_expired();
            }
        });
        while !over.load(SeqCst) {
            let met = registry.match_tag("t").into_iter().filter(|(id, _)| *id != "short");
            assert_eq!(met.count(), 3);
            let dump = registry.dump();
            assert!(["a", "b", "c"].iter().all(|id| dump.contains_key(*id)));
            assert!(registry.contains("b"));
        }
    });
    registry.clear_all();
    assert_eq!((registry.len(), registry.len_all()), (0, 0));
}

#[test]
fn quiet_after_a_storm_everything_agrees() {
    const IDS: u32 = 16;
    let registry: Plain = Registry::new("here");
    thread::scope(|scope| {
        for seed in 0..4 {
            let registry = &registry;
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(seed);
                for _ in 0..20_000 {
                    let id = ChildId::from(format!("id-{}", random.u32(..IDS)));
                    let ttl = Duration::from_nanos(random.u64(..200_000));
                    let node = ["here", "x", "y"][random.usize(..3)];
                    match random.u8(..12) {
                        0 => drop(registry.insert(&id, child(1).tag(node))),
                        1 => drop(registry.insert(&id, child(1).tag("t").ttl(ttl))),
                        2 => drop(registry.delete(&id)),
                        3 => drop(registry.update(&id, |child| child.set_ttl(ttl))),
                        4 => drop(registry.update(&id, Child::make_permanent)),
                        5 => registry.bulk_insert([(&id, Child::new("b").on(node, 2).tag("t"))]),
                        6 => registry.bulk_delete([(&id, [node])]),
                        7 => drop(registry.rebind(&id, node, 3)),
                        8 => drop(registry.try_insert(&id, child(4))),
                        9 => drop(registry.remove_node("y")),
                        10 => drop(registry.purge_expired()),
                        _ => drop(registry.compute(&id, |_| Decision::Put(child(5).ttl(ttl)))),
                    }
                }
            });
        }
    });
    thread::sleep(Duration::from_millis(1));
    registry.purge_expired();
    let all = registry.dump_all();
    assert_eq!(registry.len_all(), all.len());
    assert_eq!(registry.len(), registry.dump().len());
    for tag in ["t", "here", "x", "y"] {
        let carrying = all.values().filter(|e| !e.is_empty() && e.has_tag(tag)).count();
        assert_eq!((registry.tag_len(tag), registry.match_tag(tag).len()), (carrying, carrying));
    }
    for node in ["here", "x", "y"] {
        let bound = all.values().filter(|entry| entry.pid_on(node).is_some()).count();
        assert_eq!((registry.node_len(node), registry.children_on(node).len()), (bound, bound));
    }
    // Only tombstones are left to expire, each with an item.
    let leased = all.values().filter(|entry| entry.deadline().is_some()).count();
    assert!(items(&registry) >= leased, "{} items for {leased}", items(&registry));
    registry.clear_all();
    assert_eq!((registry.len(), registry.len_all()), (0, 0));
    assert!(registry.tags().is_empty() && registry.nodes().is_empty());
}

/// A destructor that writes would free in its turn, run another destructor, and so on.
#[test]
fn destructors_that_write_do_not_nest() {
    use std::cell::Cell;

    thread_local! {
        static DEPTH: Cell<u32> = const { Cell::new(0) };
        static DEEPEST: Cell<u32> = const { Cell::new(0) };
    }

    struct Chain(Weak<Registry<Chain, u32, (), u32>>, u32);

    impl Drop for Chain {
        fn drop(&mut self) {
            let depth = DEPTH.get() + 1;
            DEPTH.set(depth);
            DEEPEST.set(DEEPEST.get().max(depth));
            if let Some(registry) = self.0.upgrade() {
                registry.delete(&(self.1 + 1));
            }
            DEPTH.set(depth - 1);
        }
    }

    let registry = Arc::new(Registry::<Chain, u32, (), u32>::new("here"));
    for id in 0..20_000 {
        let chain = Chain(Arc::downgrade(&registry), id);
        registry.insert(id, Child::new(chain).on("here", id));
    }
    registry.delete(&0);
    while !registry.is_empty() {
        registry.collect();
        std::thread::yield_now();
    }
    assert_eq!(DEEPEST.get(), 1);
}
