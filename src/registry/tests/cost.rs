//! What operations cost, by counters: index writes, words read, chunks moved.

use crate::probe::{self, Event};
use crate::{Child, Registry};

fn child(pid: u32) -> Child<&'static str, u32> {
    Child::new("spec").on("here", pid).on("there", pid).tag("a").tag("b")
}

/// How many member slots `write` has claimed and given back.
fn index_writes(write: impl FnOnce()) -> (usize, usize) {
    probe::take(Event::SlotClaimed);
    probe::take(Event::SlotReleased);
    write();
    (probe::take(Event::SlotClaimed), probe::take(Event::SlotReleased))
}

fn words_read<R>(read: impl FnOnce() -> R) -> (usize, R) {
    probe::take(Event::WordScanned);
    let result = read();
    (probe::take(Event::WordScanned), result)
}

#[test]
fn a_write_that_keeps_names_writes_no_index() {
    let registry: Registry<&str, u32> = Registry::new("here");
    assert_eq!(index_writes(|| drop(registry.insert("x", child(1)))), (4, 0));
    assert_eq!(index_writes(|| drop(registry.insert("x", child(2)))), (0, 0));
    let update = || {
        registry.update("x", |child| child.bind("here", 3)).unwrap();
    };
    assert_eq!(index_writes(update), (0, 0));
    let rebind = || assert_eq!(registry.rebind("x", "there", 4), Ok(Some(2)));
    assert_eq!(index_writes(rebind), (0, 0));
    assert_eq!(index_writes(|| registry.bulk_insert([("x", child(5))])), (0, 0));
    let reorder = || {
        registry
            .update("x", |child| {
                child.clear_tags();
                child.add_tag("b");
                child.add_tag("a");
            })
            .unwrap();
    };
    assert_eq!(index_writes(reorder), (0, 0));
    // The counters do count.
    let swap = || {
        registry
            .update("x", |child| {
                child.remove_tag("a");
                child.add_tag("c");
            })
            .unwrap();
    };
    assert_eq!(index_writes(swap), (1, 1));
    let rebind = || assert_eq!(registry.rebind("x", "elsewhere", 4), Ok(None));
    assert_eq!(index_writes(rebind), (1, 0));
    assert_eq!(index_writes(|| drop(registry.delete("x"))), (0, 5));
}

#[test]
fn a_query_reads_its_members_slots_and_no_others() {
    let registry: Registry<&str, u32, (), u32> = Registry::new("here");
    for id in 0..20_000 {
        let tag = if id % 2_000 == 0 { "few" } else { "many" };
        registry.insert(id, Child::new("spec").on("here", id).tag(tag));
    }
    let (words, found) = words_read(|| registry.match_tag("few").len());
    assert_eq!(found, 10);
    // Ten slots in two chunks, whose pointers and bitmaps are read too.
    assert_eq!(words, 10 + 2 * 2);
    let (words, found) = words_read(|| registry.match_tag("nobody").len());
    assert_eq!((words, found), (0, 0));
}

#[test]
fn a_set_that_shrank_is_cheap_again() {
    let registry: Registry<&str, u32, (), u32> = Registry::new("here");
    for id in 0..100_000 {
        registry.insert(id, Child::new("spec").on("here", id).tag("a"));
    }
    registry.retain(|entry| entry.id() % 10_000 == 0);
    let (words, found) = words_read(|| registry.match_tag("a").len());
    assert_eq!(found, 10);
    assert!(words <= 2_000, "{words} words for 10 members");
}

#[test]
fn remove_node_touches_that_nodes_children_only() {
    let registry: Registry<&str, u32, (), u32> = Registry::new("here");
    for id in 0..20_000 {
        let node = if id % 2_000 == 0 { "few" } else { "many" };
        let both = Child::new("spec").on(node, id).tag("a");
        registry.insert(id, if id == 0 { both.on("many", id) } else { both });
    }
    let (words, writes) = words_read(|| {
        index_writes(|| {
            let mut gone = registry.remove_node("few");
            gone.sort_unstable();
            assert_eq!(gone, (0..10).map(|i| i * 2_000).collect::<Vec<_>>());
        })
    });
    // Nine entries went with their node and tag, one lost its binding.
    assert_eq!(writes, (0, 19));
    // Striped: a chunk or two in each of up to sixteen stripes, and the members.
    assert!(words <= 10 + 16 * 4, "{words} words for 10 children");
    assert_eq!(registry.len(), 20_000 - 9);
}

#[test]
fn no_write_migrates_more_than_two_chunks() {
    let registry: Registry<&str, u32, (), u32> = Registry::new("here");
    let (mut most, mut all) = (0, 0);
    let mut count = || {
        let chunks = probe::take(Event::ChunkMigrated);
        most = most.max(chunks);
        all += chunks;
    };
    for id in 0..60_000 {
        registry.insert(id, child(id).tag(format!("tag-{id}")));
        count();
    }
    for id in 0..60_000 {
        if id % 3 == 0 {
            registry.update(&id, |child| child.remove_tag("a")).unwrap();
        } else {
            registry.delete(&id);
        }
        count();
    }
    assert!(most <= 2, "{most} chunks in one write");
    // They did the work themselves: nothing else has migrated anything.
    assert!(all > 60_000 / 16 / 4, "{all} chunks in all");
}
