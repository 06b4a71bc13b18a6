//! What memory comes back, by a counting allocator.

use std::time::Duration;

use process_registry::{Child, Registry};
use test_support::CountingAlloc;

#[global_allocator]
static ALLOC: CountingAlloc = CountingAlloc::new();

type Numbers = Registry<(), u32, (), u32>;

/// Frees all that can be freed. One test is one process here: nobody else pins.
fn settle(registry: &Numbers) -> usize {
    registry.shrink_to_fit();
    for _ in 0..4 {
        registry.collect();
    }
    ALLOC.live_bytes()
}

/// One test, so that nothing else allocates meanwhile.
#[test]
fn memory_comes_back() {
    let registry = Numbers::new("here");
    let empty = settle(&registry);

    // A set of 100,000 members that shrinks to 10.
    for id in 0..100_000 {
        registry.insert(id, Child::new(()).on("here", id).tag("a"));
    }
    let full = settle(&registry);
    assert!(full > empty + 100_000 * 64, "the counting allocator counts");
    registry.retain(|entry| entry.id() % 10_000 == 0);
    let few = settle(&registry);
    // Tables, chunks and entries are gone; what is left are the arrays of chunk pointers of one
    // tag and one node, and what is kept for reuse.
    assert!(few < empty + 300_000, "{} bytes for 10 entries", few - empty);
    assert_eq!(registry.match_tag("a").len(), 10);
    registry.clear_all();
    let none = settle(&registry);
    assert!(none < empty + 200_000, "{} bytes for no entries", none - empty);

    // One-shot tags and ids leave nothing behind, however many there are.
    let churn = |from: u32, count: u32| {
        for id in from..from + count {
            registry.insert(id, Child::new(()).on("here", id).tag(format!("tag-{id}")));
            registry.delete(&id);
        }
        settle(&registry)
    };
    let before = churn(0, 20_000);
    let after = churn(20_000, 100_000);
    assert!(after <= before + 20_000, "{} bytes more", after - before);
    assert!(registry.tags().is_empty() && registry.nodes().is_empty());

    // Neither many one-shot tags, nor many writes under each pin, outrun what writes free.
    let tags: Vec<_> = (0..8).collect();
    let many_tags = |from: u32, count: u32| {
        for id in from..from + count {
            let child = Child::new(()).on("here", id);
            registry.insert(id, child.tagged(tags.iter().map(|t| format!("tag-{id}-{t}"))));
            registry.delete(&id);
        }
        ALLOC.live_bytes()
    };
    let before = many_tags(0, 5_000);
    let after = many_tags(5_000, 20_000);
    assert!(after <= before + 1_000_000, "{} bytes more", after - before);
    let under_pins = |rounds: u32| {
        let mut pinned = registry.pin();
        for round in 0..rounds {
            for write in 0..64 {
                pinned.insert(1, Child::new(()).on("here", round * 64 + write));
            }
            pinned.refresh();
        }
        drop(pinned);
        ALLOC.live_bytes()
    };
    let before = under_pins(100);
    let after = under_pins(2_000);
    assert!(after <= before + 1_000_000, "{} bytes more", after - before);
    registry.clear_all();
    settle(&registry);

    // Nor do collects leave anything behind that come again and again while somebody is pinned, but for what was
    // removed: an entry each.
    let collected = |rounds: u32| {
        let other = registry.pin();
        let before = ALLOC.live_bytes();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for round in 0..rounds {
                    registry.insert(1, Child::new(()).on("here", round));
                    registry.collect();
                }
            });
        });
        let held = ALLOC.live_bytes() - before;
        drop(other);
        held / rounds as usize
    };
    collected(100);
    let held = collected(2_000);
    assert!(held < 400, "{held} bytes a collect");
    registry.clear_all();
    settle(&registry);

    // Nor is the memory of entries with long lists kept for others.
    let many = |id: u32| Child::new(()).on("here", id).tagged((0..400).map(|t| format!("{t}")));
    registry.insert(0, many(0));
    let before = settle(&registry);
    (1..300).for_each(|id| drop(registry.insert(id, many(id))));
    assert!(settle(&registry) > before + 300 * 400 * 24);
    (1..300).for_each(|id| drop(registry.delete(&id)));
    let after = settle(&registry);
    assert!(after <= before + 500_000, "{} bytes kept", after - before);
    registry.clear_all();
    settle(&registry);

    // Nor do threads leave anything behind that set a deadline each and end.
    let brief_threads = |count: u32| {
        for id in 0..count {
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    registry.insert(id, Child::new(()).on("here", id).ttl(Duration::from_secs(60)));
                    registry.delete(&id);
                });
            });
        }
        // scc has epochs of its own, of which each sweep ends one at most.
        for _ in 0..32 {
            registry.purge_expired();
        }
        settle(&registry)
    };
    let before = brief_threads(100);
    let after = brief_threads(2_000);
    assert!(after <= before + 200_000, "{} bytes more", after - before);

    // Many threads at once leave nothing either, once that is asked for.
    let before = settle(&registry);
    std::thread::scope(|scope| {
        for thread in 0..16 {
            let registry = &registry;
            scope.spawn(move || {
                for round in 0..20 {
                    for id in 0..500 {
                        registry.insert(thread << 16 | id, Child::new(()).on("here", round));
                    }
                    (0..500).for_each(|id| drop(registry.delete(&(thread << 16 | id))));
                }
            });
        }
    });
    settle(&registry);
    registry.shrink_to_fit();
    let after = ALLOC.live_bytes();
    assert!(after <= before + 150_000, "{} bytes kept", after.saturating_sub(before));

    // Inserts alone retire nothing but old tables, and those do not wait for company.
    for id in 0..300_000 {
        registry.insert(id, Child::new(()));
    }
    let grown = ALLOC.live_bytes();
    registry.collect();
    let collected = ALLOC.live_bytes();
    assert!(grown <= collected + 500_000, "{} bytes of old tables", grown - collected);

    drop(registry);
    let left = ALLOC.live_bytes();
    assert!(left < empty + 200_000, "{} bytes outlive the registry", left - empty);
}
