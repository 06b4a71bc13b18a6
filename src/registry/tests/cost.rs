//! What operations cost, by counters: index writes, words read, chunks moved.

use std::cell::{Cell, RefCell};
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::probe::{self, Event};
use crate::{Child, Clock, Decision, Global, Local, ManualClock, Registry};

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

/// How often the clock is read meanwhile.
fn clock_reads<R>(run: impl FnOnce() -> R) -> usize {
    probe::take(Event::ClockRead);
    drop(run());
    probe::take(Event::ClockRead)
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

/// So many children of one node and one tag, and their ids.
fn many(members: u32) -> (Registry<&'static str, u32, (), u32>, Vec<u32>) {
    let registry = Registry::new("here");
    for id in 0..members {
        registry.insert(id, Child::new("spec").on("here", id).tag("a"));
    }
    (registry, (0..members).collect())
}

/// Which of the children goes, by its place among the ids, by how often one went before.
type Choose<'a> = &'a mut dyn FnMut(usize) -> usize;

/// So many times, deletes a child that `choose` names and inserts another. Returns how many chunks an
/// insert has looked at for its node and its tag together: on average, and at most.
fn turn_over(
    registry: &Registry<&'static str, u32, (), u32>,
    ids: &mut [u32],
    times: usize,
    choose: Choose<'_>,
) -> (f64, usize) {
    let fresh = *ids.iter().max().expect("some") + 1;
    let (mut all, mut most) = (0, 0);
    for (time, id) in (0..times).zip(fresh..) {
        let gone = std::mem::replace(&mut ids[choose(time)], id);
        assert!(registry.delete(&gone).is_some());
        probe::take(Event::ChunkLookedAt);
        assert!(registry.insert(id, Child::new("spec").on("here", id).tag("a")).is_none());
        let chunks = probe::take(Event::ChunkLookedAt);
        all += chunks;
        most = most.max(chunks);
    }
    (all as f64 / times as f64, most)
}

#[test]
fn an_insert_looks_at_a_few_chunks_whatever_was_removed() {
    const MEMBERS: usize = 20_000;
    let mut random = fastrand::Rng::with_seed(7);
    // Where room is only far away, one insert goes there, through up to all chunks of the two sets,
    // and many others find it near.
    const ROUND: usize = 2 * (MEMBERS + MEMBERS / 4) / 61 + 4;
    let choices: [(&str, Choose<'_>, usize); 4] = [
        ("random", &mut |_| random.usize(..MEMBERS), 64),
        ("oldest", &mut |time| time % MEMBERS, 64),
        ("newest", &mut |_| MEMBERS - 1, 64),
        ("one of each chunk", &mut |time| time * 61 % (MEMBERS - 1), ROUND),
    ];
    for (which, choose, limit) in choices {
        let (registry, mut ids) = many(MEMBERS as u32);
        let (mean, most) = turn_over(&registry, &mut ids, 2 * MEMBERS, choose);
        // In each of the two sets one, and now and then a full one before it.
        assert!((2.0..3.0).contains(&mean), "{which}: {mean} chunks");
        assert!(most <= limit, "{which}: {most} chunks at most");
        let (words, found) = words_read(|| registry.match_tag("a").len());
        assert_eq!(found, MEMBERS);
        // Two words for each chunk of 61, a quarter more chunks than members fill.
        assert!(words <= MEMBERS + MEMBERS / 20, "{which}: {words} words");
    }
}

#[test]
fn chunks_from_times_with_more_members_run_empty() {
    const LEFT: usize = 200;
    let (registry, mut ids) = many(20_000);
    let mut random = fastrand::Rng::with_seed(7);
    random.shuffle(&mut ids);
    for gone in ids.drain(LEFT..) {
        registry.delete(&gone);
    }
    let pointers = (20_000 - 5_usize).div_ceil(61) + 1;
    let (words, _) = words_read(|| registry.match_tag("a").len());
    assert!(words > pointers + LEFT + 100, "{words} words: they stand far apart");
    // Whoever was there has gone by then, but for one in 20,000.
    let (mean, most) = turn_over(&registry, &mut ids, 10 * LEFT, &mut |_| random.usize(..LEFT));
    assert!((2.0..3.0).contains(&mean) && most <= 16, "{mean} chunks, at most {most}");
    let (words, found) = words_read(|| registry.match_tag("a").len());
    assert_eq!(found, LEFT);
    // The chunks of the range, which has 251 slots: one of 5 and five of 61.
    assert!(words <= pointers + LEFT + 6, "{words} words");
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
fn no_write_migrates_more_than_a_group_of_each_index() {
    let registry: Registry<&str, u32, (), u32> = Registry::new("here");
    let (mut most, mut all) = (0, 0);
    let mut count = || {
        let groups = probe::take(Event::GroupMigrated);
        most = most.max(groups);
        all += groups;
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
    // Of the entries, and of the tags; there is but one node.
    assert!(most <= 2, "{most} groups in one write");
    // They did the work themselves: nothing else has migrated anything.
    assert!(all > 60_000 / 16 / 4, "{all} groups in all");
}

#[test]
fn a_collect_moves_what_writes_have_left() {
    let registry: Registry<&str, u32, (), u32> = Registry::new("here");
    // Far enough to be worth it, and then to where a table of either kind has just begun to be replaced.
    let (mut id, mut groups) = (0, [1, 0]);
    while id < 10_000 || groups[0] > 0 || groups[1] == 0 {
        registry.insert(id, child(id).tag(format!("tag-{id}")));
        groups = [groups[1], probe::take(Event::GroupMigrated)];
        id += 1;
    }
    // A sweep that may be wanted to be short leaves it.
    registry.purge_expired();
    assert_eq!(probe::take(Event::GroupMigrated), 0);
    registry.collect();
    assert!(probe::take(Event::GroupMigrated) > 100);
    for id in 0..id {
        registry.update(&id, |child| *child.spec_mut() = "other").unwrap();
        registry.update(&id, |child| child.remove_tag(&format!("tag-{id}"))).unwrap();
    }
    assert_eq!(probe::take(Event::GroupMigrated), 0);
    registry.collect();
    assert_eq!(probe::take(Event::GroupMigrated), 0);
}

const TTL: Duration = Duration::from_secs(10);

/// A registry with so many entries, two of them leases, and its time.
fn leased(entries: u32) -> (Registry<&'static str, u32, (), u32>, ManualClock) {
    let time = ManualClock::new();
    let registry = Registry::builder("here").clock(Clock::Manual(time.clone())).build();
    for id in 0..entries {
        let child = Child::new("spec").on("here", id).tag("a");
        registry.insert(id, if id < 2 { child.tag("leased").ttl(TTL) } else { child });
    }
    (registry, time)
}

#[test]
fn only_entries_with_a_deadline_cost_a_clock_read() {
    const ENTRIES: u32 = 1000;
    let (registry, _time) = leased(ENTRIES);
    let plain = || Child::new("spec").on("here", 7).on("there", 8).tag("b");
    // Enough to make the table grow with the leases in it.
    let reads = clock_reads(|| {
        for id in ENTRIES..4 * ENTRIES {
            registry.insert(id, plain());
        }
    });
    assert_eq!(reads, 0, "inserts");

    type Operation<'a> = (&'a str, &'a dyn Fn());
    let pin = || registry.pin();
    let of_others: [Operation<'_>; 16] = [
        ("lookup", &|| assert!(registry.lookup(&5).is_some() && pin().lookup(&5).is_some())),
        ("get_owned", &|| assert!(registry.get_owned(&5).is_some())),
        ("entry_exists", &|| assert!(registry.entry_exists(&5) && pin().entry_exists(&5))),
        ("nobody", &|| assert!(!registry.contains(&u32::MAX))),
        ("get_many", &|| assert!(pin().get_many([&5, &6, &7]).iter().all(Option::is_some))),
        ("contains_children", &|| assert_eq!(registry.contains_children(&[5, 6]).len(), 2)),
        ("match_tag", &|| assert_eq!(registry.match_tag("b").len(), 3 * ENTRIES as usize)),
        ("children_on", &|| assert_eq!(registry.children_on("there").len(), 3 * ENTRIES as usize)),
        ("insert", &|| assert!(registry.insert(5, plain()).is_some())),
        ("try_insert", &|| assert!(registry.try_insert(5, plain()).is_err())),
        ("update", &|| assert!(registry.update(&5, |child| child.set_spec("new")).is_ok())),
        ("rebind", &|| assert!(registry.rebind(&5, "there", 9).is_ok())),
        ("compute", &|| assert!(registry.compute(5, |_| Decision::Put(plain())).is_some())),
        ("bulk_insert", &|| registry.bulk_insert([(5, plain().on("far", 1)), (6, plain())])),
        ("bulk_delete", &|| registry.bulk_delete([(&5, ["far"])])),
        ("delete", &|| {
            assert!(registry.delete_if_expired(&5).is_none());
            assert!(registry.delete_if(&5, |_| false).is_none());
            assert!(registry.delete(&5).is_some());
        }),
    ];
    for (name, operation) in of_others {
        assert_eq!(clock_reads(operation), 0, "{name}");
    }

    // One for each lease that is met. Of a short batch not the first, with which it is filled up.
    let of_both: [(Operation<'_>, usize); 9] = [
        (("lookup", &|| assert!(registry.lookup(&0).is_some())), 1),
        (("entry_exists", &|| assert!(registry.entry_exists(&0))), 1),
        (("get_many", &|| assert!(pin().get_many([&0, &6, &1]).iter().all(Option::is_some))), 2),
        (("contains_children", &|| assert_eq!(registry.contains_children(&[6, 1]).len(), 2)), 1),
        (("match_tag", &|| assert_eq!(registry.match_tag("leased").len(), 2)), 2),
        (("match_all", &|| assert_eq!(registry.match_all(&["leased", "a"]).len(), 2)), 2),
        (("Local", &|| assert_eq!(registry.process_list(Local).len(), registry.len())), 2),
        (("Global", &|| assert_eq!(registry.process_list(Global).len(), registry.len())), 2),
        (("dump_all", &|| assert_eq!(registry.dump_all().len(), registry.len_all())), 2),
    ];
    for ((name, operation), reads) in of_both {
        assert_eq!(clock_reads(operation), reads, "{name}");
    }
    // When it begins; and when it is changed, last before the CAS.
    assert_eq!(clock_reads(|| registry.insert(9, plain().ttl(TTL))), 1);
    assert!((2..=3).contains(&clock_reads(|| registry.rebind(&9, "there", 1))));

    registry.retain(|entry| entry.deadline().is_none());
    assert_eq!(clock_reads(|| registry.remove_node("there").len()), 0);
    assert_eq!(clock_reads(|| registry.retain(|entry| entry.id() % 2 == 0)), 0);
    assert_eq!(clock_reads(|| registry.clear_all()), 0);
}

#[test]
fn a_purge_looks_at_what_is_due_and_at_nothing_else() {
    const ENTRIES: u32 = 5_000;
    const DUE: u32 = 100;
    let time = ManualClock::new();
    let registry: Registry<&str, u32, (), u32> =
        Registry::builder("here").clock(Clock::Manual(time.clone())).build();
    for id in 0..ENTRIES {
        // Some are due first, most of the others later, and a third never.
        let child = Child::new("spec").on("here", id).tag("a");
        let due = id % (ENTRIES / DUE) == 0;
        let ttl = if due { TTL } else { 2 * TTL };
        registry.insert(id, if due || id % 3 > 0 { child.ttl(ttl) } else { child });
    }
    let purge = || {
        let all = [Event::EntryWalked, Event::ItemRead, Event::WordScanned, Event::ClockRead];
        let _ = all.map(probe::take);
        let (purged, counts) = (registry.purge_expired(), all.map(probe::take));
        (purged, counts[0] + counts[2], counts[1], counts[3])
    };
    // The first item that is not due ends it.
    assert_eq!(purge(), (0, 0, 1, 1));
    time.advance(TTL);
    let (purged, scanned, items, clock) = purge();
    assert_eq!((purged, scanned), (DUE as usize, 0));
    // That one again in every batch, of which there are three.
    assert!(items <= DUE as usize + 3, "{items} items");
    // Every entry that goes, and when it began.
    assert_eq!(clock, DUE as usize + 1);
    assert_eq!(registry.len_all(), (ENTRIES - DUE) as usize);
}

#[test]
fn contained_children_are_looked_up_one_by_one() {
    const ENTRIES: u32 = 20_000;
    let (registry, _) = many(ENTRIES);
    let walked = |run: &dyn Fn()| {
        probe::take(Event::EntryWalked);
        run();
        probe::take(Event::EntryWalked)
    };
    // The counter does count.
    let dump = || assert_eq!(registry.dump().len(), ENTRIES as usize);
    assert_eq!(walked(&dump), ENTRIES as usize);
    let asked: Vec<u32> = (0..100).map(|at| at * 400).collect();
    let contained = || {
        let (words, found) = words_read(|| registry.contains_children(&asked).len());
        assert_eq!((words, found), (0, 50));
    };
    assert_eq!(walked(&contained), 0);
}

#[test]
fn names_of_one_child_are_not_compared_with_each_other() {
    let registry: Registry<&str, u32> = Registry::new("here");
    let many = |tags: Range<u32>| tags.fold(child(1), |child, tag| child.tag(format!("tag-{tag}")));
    probe::take(Event::NameLookedAt);
    registry.insert("many", many(0..1000));
    assert_eq!((probe::take(Event::NameLookedAt), registry.tags().len()), (0, 1002));
    // Nor with those of the child that it replaces.
    let (claimed, released) = index_writes(|| drop(registry.insert("many", many(1..1001))));
    assert_eq!((claimed, released, probe::take(Event::NameLookedAt)), (1, 1, 0));
    let (claimed, released) = index_writes(|| drop(registry.insert("many", many(2000..3000))));
    assert_eq!((claimed, released), (1000, 1000));
    // Two tags and two nodes are left to be compared with each other; so are few names with many.
    let (claimed, released) = index_writes(|| drop(registry.insert("many", child(1))));
    assert_eq!((claimed, released), (0, 1000));
    assert!(probe::take(Event::NameLookedAt) < 5000);
    assert_eq!(registry.tags().len(), 2);
    // Nor with those of an entry that is pending: it has them, and no places.
    let pending = (0..1000).fold(Child::new("spec"), |child, tag| child.tag(format!("tag-{tag}")));
    registry.insert("many", pending);
    probe::take(Event::NameLookedAt);
    let (claimed, _) = index_writes(|| drop(registry.insert("many", many(2000..3000))));
    assert_eq!((claimed, probe::take(Event::NameLookedAt)), (1004, 0));
}

#[test]
fn many_names_after_a_conflict_are_not_compared_with_each_other() {
    let registry: Registry<&str, u32> = Registry::new("here");
    registry.insert("many", child(1));
    let mut runs = 0;
    registry.compute("many", |current| {
        let mut child = current.expect("it is there").to_child();
        runs += 1;
        if runs == 1 {
            child.add_tag("claimed for nothing");
            registry.rebind("many", "here", 2).unwrap();
        } else {
            child = (0..1000).fold(child, |child, tag| child.tag(format!("tag-{tag}")));
        }
        probe::take(Event::NameLookedAt);
        Decision::Put(child)
    });
    // Each with the few that the child had before, and with the one claim of the first run.
    assert_eq!((runs, registry.tags().len()), (2, 1002));
    assert!(probe::take(Event::NameLookedAt) < 10_000);
}

thread_local! {
    /// What the comparison of that number does, counted down.
    static SPRING: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
    static LEFT: Cell<usize> = const { Cell::new(0) };
}

/// An id that collides with all others.
#[derive(Clone)]
struct Colliding(u8);

impl Hash for Colliding {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl PartialEq for Colliding {
    fn eq(&self, other: &Self) -> bool {
        let left = LEFT.replace(LEFT.get().wrapping_sub(1));
        let spring = SPRING.with_borrow_mut(|spring| spring.take_if(|_| left == 0));
        if let Some(spring) = spring {
            spring();
        }
        self.0 == other.0
    }
}

impl Eq for Colliding {}

#[test]
fn many_claims_are_claimed_again_after_a_conflict() {
    const TAGS: usize = 40;
    let mut again = 0;
    for at in 0.. {
        let registry: Arc<Registry<&str, u32, (), Colliding>> = Arc::new(Registry::new("here"));
        registry.insert(Colliding(0), Child::new("spec"));
        let rival = Arc::clone(&registry);
        let spring =
            move || drop(rival.insert(Colliding(1), Child::new("spec").on("here", 2).tag("rival")));
        LEFT.set(at);
        SPRING.set(Some(Box::new(spring)));
        let many = (0..TAGS)
            .fold(Child::new("spec").on("here", 1), |child, tag| child.tag(format!("tag-{tag}")));
        let (claimed, _) = index_writes(|| drop(registry.insert(Colliding(1), many)));
        if SPRING.take().is_some() {
            break;
        }
        again += usize::from(claimed > 2 * TAGS);
        // The rival may have come after it, once it was published.
        let (tags, entry) = (registry.tags(), registry.get_owned(&Colliding(1)).unwrap());
        assert!([TAGS, 1].contains(&tags.len()) && tags.len() == entry.tags().len(), "at {at}");
        assert!(entry.tags().iter().all(|tag| registry.tag_len(tag) == 1), "at {at}");
        registry.delete(&Colliding(1));
        assert!(registry.tags().is_empty() && registry.nodes().is_empty(), "at {at}");
    }
    assert!(again > 0, "somewhere the rival came between the claims and the publication");
}
