//! The core by itself: elements with a number for a key and names of two dimensions.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::{mem, ptr};

use smallvec::SmallVec;
use smol_str::SmolStr;

use super::draft::{Draft, salvage};
use super::members::{NamedSet, Set};
use super::room::{Room, drop_element};
use super::{Block, Dim, Element, Pages, Parts, Store, Verdict};
use crate::probe::{self, Event};

/// What a toy is made of: a number, which counts the toys that are alive if it is to, and names.
#[derive(Debug)]
struct Value {
    number: Number,
    tags: Vec<SmolStr>,
}

#[derive(Debug)]
struct Number {
    number: u64,
    alive: Option<Arc<AtomicUsize>>,
}

impl Drop for Number {
    fn drop(&mut self) {
        if let Some(alive) = &self.alive {
            alive.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

struct Toy(Block<Toy>);

impl Element for Toy {
    type Key = u64;
    type Value = Value;
    type Head = Number;
    type First = SmolStr;
    type Second = Infallible;
    /// Whether it has a deadline.
    type Rest = bool;

    fn wrap(block: Block<Self>) -> Self {
        Toy(block)
    }
    fn block(&self) -> &Block<Self> {
        &self.0
    }
    fn block_mut(&mut self) -> &mut Block<Self> {
        &mut self.0
    }
    fn split(Value { number, tags }: Value) -> Parts<Self> {
        let rest = number.number.is_multiple_of(5);
        Parts { head: number, firsts: tags.into(), seconds: SmallVec::new(), rest }
    }
    fn join(parts: Parts<Self>) -> Value {
        Value { number: parts.head, tags: parts.firsts.into_vec() }
    }
    fn first_name(tag: &SmolStr) -> &SmolStr {
        tag
    }
    fn second_name(none: &Infallible) -> &SmolStr {
        match *none {}
    }
    fn is_live(parts: &Parts<Self>) -> bool {
        parts.head.number != 0
    }
    fn is_timed(timed: &bool) -> bool {
        *timed
    }
}

fn value(number: u64, tags: &[&str]) -> Value {
    let number = Number { number, alive: None };
    Value { tags: tags.iter().map(SmolStr::new).collect(), number }
}

fn mix(key: u64) -> u64 {
    key.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23).wrapping_mul(0xff51_afd7_ed55_8ccd)
}

/// A store and how it hashes.
struct Toys {
    store: Store<Toy>,
    hash: fn(u64) -> u64,
}

impl Toys {
    fn new(hash: fn(u64) -> u64) -> Self {
        Toys { store: Store::new(0, Pages::Usual), hash }
    }

    /// Inserts or replaces; says what was there.
    fn put(&self, key: u64, value: Value) -> Option<u64> {
        let hash = (self.hash)(key);
        let old = {
            let guard = self.store.pin();
            let mut operation = self.store.operation(hash, &guard);
            let mut draft = self.store.draft(hash, key, value);
            let mut absent = operation.prepare(&mut draft);
            loop {
                let held = if mem::take(&mut absent) {
                    None
                } else {
                    operation.locate(|toy| *toy.0.key() == key)
                };
                match held {
                    Some(base) => match operation.replace(&base, draft, || true) {
                        Ok(_) => break Some(base.entry().0.head().number),
                        Err(again) => draft = again,
                    },
                    None => match operation.insert(draft) {
                        Ok(_) => break None,
                        Err(again) => draft = again,
                    },
                }
            }
        };
        self.store.reclaim();
        old
    }

    fn try_insert(&self, key: u64, value: Value) -> bool {
        let hash = (self.hash)(key);
        let guard = self.store.pin();
        let mut operation = self.store.operation(hash, &guard);
        let draft = self.store.draft(hash, key, value);
        operation.insert(draft).is_ok()
    }

    fn remove(&self, key: u64) -> Option<u64> {
        let hash = (self.hash)(key);
        let old = {
            let guard = self.store.pin();
            let mut operation = self.store.operation(hash, &guard);
            loop {
                match operation.locate(|toy| *toy.0.key() == key) {
                    Some(base) if operation.remove(&base, || true) => {
                        break Some(base.entry().0.head().number);
                    }
                    Some(_) => {}
                    None => break None,
                }
            }
        };
        self.store.reclaim();
        old
    }

    fn get(&self, key: u64) -> Option<u64> {
        let guard = self.store.pin();
        let hash = (self.hash)(key);
        let found = self.store.look_up(hash, |k| *k == key, |_| Verdict::Take, &guard)?;
        Some(found.0.head().number)
    }

    fn tagged(&self, tag: &str) -> Vec<u64> {
        let guard = self.store.pin();
        let mut keys: Vec<_> =
            self.store.members(Dim::FIRST, tag, &guard).map(|f| *f.entry().0.key()).collect();
        keys.sort_unstable();
        keys
    }

    fn walked(&self) -> Vec<u64> {
        let guard = self.store.pin();
        let mut keys: Vec<_> = self.store.walk(&guard).map(|f| *f.entry().0.key()).collect();
        keys.sort_unstable();
        keys
    }

    fn check(&self, oracle: &BTreeMap<u64, (u64, Vec<&str>)>) {
        assert_eq!(self.walked(), oracle.keys().copied().collect::<Vec<_>>());
        assert_eq!(self.store.len(), oracle.len());
        assert_eq!(self.store.live_len(), oracle.values().filter(|v| v.0 != 0).count());
        for (&key, (number, _)) in oracle {
            assert_eq!(self.get(key), Some(*number), "key {key}");
        }
        let mut tags: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        let live = || oracle.iter().filter(|(_, (number, _))| *number != 0);
        for (&key, (_, names)) in live() {
            names.iter().for_each(|name| tags.entry(name).or_default().push(key));
        }
        for tag in TAGS {
            let expected = tags.remove(tag).unwrap_or_default();
            assert_eq!(self.tagged(tag), expected, "tag {tag}");
            let guard = self.store.pin();
            assert_eq!(self.store.member_count(Dim::FIRST, tag, &guard), expected.len());
        }
        let guard = self.store.pin();
        let names: BTreeSet<_> =
            self.store.names(Dim::FIRST, &guard).into_iter().map(|(n, _)| n.to_string()).collect();
        let expected: BTreeSet<_> =
            live().flat_map(|(_, v)| v.1.iter().map(ToString::to_string)).collect();
        assert_eq!(names, expected);
    }
}

const TAGS: [&str; 4] = ["a", "b", "c", "a tag too long to be inline in any small string"];
const HASHES: [fn(u64) -> u64; 3] = [mix, |_| 7, |key| mix(key % 3)];

#[test]
fn random_operations_agree_with_a_map() {
    for (hash, (keys, steps)) in HASHES.iter().zip([(2_000, 40_000), (60, 4_000), (60, 4_000)]) {
        let toys = Toys::new(*hash);
        let mut oracle = BTreeMap::new();
        let mut rng = fastrand::Rng::with_seed(42);
        for step in 1..=steps {
            // Phases of growth, of shrinking and of churn with fresh keys.
            let phase = step * 8 / (steps + 1);
            let range = if phase % 3 == 2 { keys * 100 } else { keys };
            let key = rng.u64(0..range);
            let inserting = rng.u64(0..10) < [8, 3, 5][phase as usize % 3];
            if inserting {
                let tags: Vec<&str> = TAGS.iter().copied().filter(|_| rng.u8(0..3) == 0).collect();
                let number = if rng.bool() { step } else { 0 };
                let old = toys.put(key, value(number, &tags));
                assert_eq!(old, oracle.insert(key, (number, tags)).map(|o| o.0));
            } else {
                let key = match rng.bool() {
                    true => oracle.keys().nth(rng.usize(0..oracle.len().max(1))).copied(),
                    false => None,
                };
                let key = key.unwrap_or_else(|| rng.u64(0..range));
                assert_eq!(toys.remove(key), oracle.remove(&key).map(|o| o.0));
            }
            if step % (steps / 80) == 0 {
                toys.check(&oracle);
            }
            if step % (steps / 7) == 0 {
                toys.store.shrink_to_fit();
                toys.check(&oracle);
            }
        }
    }
}

#[test]
fn a_batch_finds_what_single_lookups_find() {
    let toys = Toys::new(mix);
    for key in 0..1_000 {
        toys.put(key * 2, value(key, &[]));
    }
    let guard = toys.store.pin();
    for first in (0..2_000_u64).step_by(16) {
        let keys: [u64; 16] = std::array::from_fn(|i| first + i as u64);
        let found = toys.store.look_up_many(
            |i| mix(keys[i]),
            |i, k| *k == keys[i],
            |found| {
                let number = found.entry().0.head().number;
                assert_eq!(found.is_special(), number.is_multiple_of(5) || number == 0);
                let take = !found.is_special() || number.is_multiple_of(2);
                if take { Verdict::Take } else { Verdict::Absent }
            },
            &guard,
        );
        let found = found.map(|toy| toy.map(|toy| toy.0.head().number));
        let expected = keys.map(|key| {
            toys.get(key).filter(|number| !number.is_multiple_of(5) || number.is_multiple_of(2))
        });
        assert_eq!(found, expected);
    }
}

/// Sets of every size around that of the ring by which a query looks ahead: each member comes, as it was
/// met, though some are replaced, removed or moved to another table while others wait in the ring.
#[test]
fn a_query_meets_all_members_and_then_stays_at_its_end() {
    for size in (0..=100).chain([128, 129]) {
        let toys = Toys::new(mix);
        (0..size).for_each(|key| assert!(toys.put(key, value(key + 1, &["a"])).is_none()));
        let guard = toys.store.pin();
        let mut members = toys.store.members(Dim::FIRST, "a", &guard);
        let mut met = Vec::new();
        let mut removed = Vec::new();
        while let Some(toy) = members.next_element() {
            let found = members.met().expect("the last one");
            assert!(std::ptr::eq(found.entry(), toy));
            let key = *toy.0.key();
            met.push(key);
            match (key % 7, (key + 40) % size) {
                (0, other) if !met.contains(&other) && !removed.contains(&other) => {
                    toys.remove(other);
                    removed.push(other);
                }
                (1, other) if !removed.contains(&other) => {
                    toys.put(other, value(1000 + other, &["a"]));
                }
                (2, _) if key < 40 => toys.store.reserve(toys.store.capacity() + 1),
                _ => {}
            }
        }
        for _ in 0..3 {
            assert!(members.next_element().is_none());
        }
        met.extend(removed);
        met.sort_unstable();
        assert_eq!(met, (0..size).collect::<Vec<_>>(), "{size} members");
    }
}

#[test]
fn every_value_is_dropped_exactly_once() {
    let alive = Arc::new(AtomicUsize::new(0));
    let counted = |number| {
        alive.fetch_add(1, Ordering::Relaxed);
        let number = Number { number, alive: Some(alive.clone()) };
        Value { tags: vec!["a".into()], number }
    };
    let kept;
    {
        let toys = Toys::new(mix);
        for round in 0..3 {
            for key in 0..500 {
                toys.put(key, counted(round));
            }
            assert!(!toys.try_insert(7, counted(9)));
        }
        for key in 0..250 {
            toys.remove(key);
        }
        // Other tests of this process pin the same collector now and then.
        for _ in 0..100_000 {
            toys.store.collect();
            if alive.load(Ordering::Relaxed) == 250 {
                break;
            }
            thread::yield_now();
        }
        assert_eq!(alive.load(Ordering::Relaxed), 250, "the rest is freed without a drop");
        let guard = toys.store.pin();
        let found =
            toys.store.primary.find(mix(300), |toy| *toy.block().key() == 300, &guard).unwrap();
        kept = found.entry().0.share();
    }
    assert_eq!(alive.load(Ordering::Relaxed), 1, "what is owned outlives the store");
    assert_eq!(*kept.0.key(), 300);
    drop(kept);
    assert_eq!(alive.load(Ordering::Relaxed), 0);
}

#[test]
fn threads_churn_and_readers_see_whole_things() {
    for hash in HASHES {
        let toys = &Toys::new(hash);
        let stop = &AtomicBool::new(false);
        let permanent = 0..20_u64;
        for key in permanent.clone() {
            toys.put(key, value(key + 1, &["a"]));
        }
        let wins = &AtomicUsize::new(0);
        thread::scope(|scope| {
            let writers: Vec<_> = (0..3_u64)
                .map(|thread| {
                    scope.spawn(move || {
                        let mut rng = fastrand::Rng::with_seed(thread);
                        for step in 0..4_000 {
                            let key = 20 + rng.u64(0..60);
                            match rng.u8(0..8) {
                                0..3 => {
                                    toys.put(key, value(step, &["a", "b"]));
                                }
                                3 => drop(toys.try_insert(key, value(step, &["b"]))),
                                4 => {
                                    // Replaced throughout, never gone.
                                    let key = rng.u64(0..20);
                                    toys.put(key, value(key + 1, &["a"]));
                                }
                                _ => {
                                    toys.remove(key);
                                }
                            }
                            if step % 1_000 == 999 {
                                toys.store.shrink_to_fit();
                            }
                        }
                    })
                })
                .collect();
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    for key in permanent.clone() {
                        assert_eq!(toys.get(key), Some(key + 1));
                    }
                    for all in [toys.tagged("a"), toys.walked()] {
                        let all: Vec<_> = all.into_iter().filter(|k| *k < 20).collect();
                        assert_eq!(all, permanent.clone().collect::<Vec<_>>());
                    }
                }
            });
            scope.spawn(|| {
                // One winner for each of many keys, against the second thread below.
                wins.fetch_add(
                    (1_000..3_000).filter(|k| toys.try_insert(*k, value(1, &["c"]))).count(),
                    Ordering::Relaxed,
                );
            });
            wins.fetch_add(
                (1_000..3_000).filter(|k| toys.try_insert(*k, value(2, &["c"]))).count(),
                Ordering::Relaxed,
            );
            let ends: Vec<_> = writers.into_iter().map(|writer| writer.join()).collect();
            // First of all, or a failure would leave the reader running.
            stop.store(true, Ordering::Relaxed);
            assert!(ends.iter().all(Result::is_ok));
        });
        assert_eq!(wins.load(Ordering::Relaxed), 2_000);
        let walked = toys.walked();
        assert_eq!(walked.len(), toys.store.len());
        for tag in TAGS {
            let guard = toys.store.pin();
            let members = toys.store.member_count(Dim::FIRST, tag, &guard);
            let carriers = toys
                .store
                .walk(&guard)
                .filter(|f| f.entry().0.firsts().iter().any(|t| t == tag))
                .count();
            assert_eq!((toys.tagged(tag).len(), members), (carriers, carriers), "tag {tag}");
        }
        for key in walked {
            toys.remove(key);
        }
        assert_eq!(toys.store.len(), 0);
        assert!(toys.store.names(Dim::FIRST, &toys.store.pin()).is_empty());
    }
}

#[test]
fn a_replace_that_keeps_its_names_writes_no_index() {
    let toys = Toys::new(mix);
    toys.put(1, value(1, &["a", "b"]));
    probe::take(Event::SlotClaimed);
    probe::take(Event::SlotReleased);
    for number in 2..100 {
        toys.put(1, value(number, if number % 2 == 0 { &["a", "b"] } else { &["b", "a"] }));
    }
    assert_eq!(probe::take(Event::SlotClaimed), 0);
    assert_eq!(probe::take(Event::SlotReleased), 0);
    toys.put(1, value(1, &["b", "c"]));
    assert_eq!(probe::take(Event::SlotClaimed), 1);
    assert_eq!(probe::take(Event::SlotReleased), 1);
}

#[test]
fn what_was_claimed_ahead_is_used_or_given_back() {
    let toys = Toys::new(mix);
    let counts = || (probe::take(Event::SlotClaimed), probe::take(Event::SlotReleased));
    let guard = toys.store.pin();
    let draft = |key, tags| toys.store.draft(mix(key), key, value(key, tags));
    counts();

    // Used.
    let mut operation = toys.store.operation(mix(1), &guard);
    let mut first = draft(1, &["a", "b"]);
    operation.prepare(&mut first);
    assert_eq!(counts(), (2, 0));
    assert!(operation.insert(first).is_ok());
    drop(operation);
    assert_eq!(counts(), (0, 0));

    // Not wanted.
    let mut operation = toys.store.operation(mix(2), &guard);
    let mut second = draft(2, &["b", "c"]);
    operation.prepare(&mut second);
    drop((operation, second));
    assert_eq!(counts(), (2, 2));

    // Somebody else came first: what is handed on from that is not claimed again.
    let mut operation = toys.store.operation(mix(3), &guard);
    let mut third = draft(3, &["a", "c"]);
    operation.prepare(&mut third);
    assert_eq!(counts(), (2, 0));
    toys.put(3, value(4, &["a"]));
    assert_eq!(counts(), (1, 0));
    let Err(third) = operation.insert(third) else { panic!("the key is taken") };
    let base = operation.locate(|toy| *toy.0.key() == 3).expect("by somebody else");
    assert!(operation.replace(&base, third, || true).is_ok());
    drop(operation);
    assert_eq!(counts(), (0, 1));

    // The base it was planned for is gone before it is replaced.
    let mut operation = toys.store.operation(mix(5), &guard);
    let mut fifth = draft(5, &["a", "b"]);
    operation.prepare(&mut fifth);
    toys.put(5, value(6, &["a"]));
    let base = operation.locate(|toy| *toy.0.key() == 5).expect("by somebody else");
    let Err(fifth) = operation.replace(&base, fifth, || false) else { panic!("it is not to be") };
    toys.remove(5);
    counts();
    assert!(operation.insert(fifth).is_ok());
    drop(operation);
    assert_eq!(counts(), (0, 0), "both claims were there still");

    // Planned by an operation that has ended.
    let mut operation = toys.store.operation(mix(6), &guard);
    let mut sixth = draft(6, &["a"]);
    operation.prepare(&mut sixth);
    drop(operation);
    assert_eq!(counts(), (1, 1));
    let mut operation = toys.store.operation(mix(6), &guard);
    assert!(operation.insert(sixth).is_ok());
    drop(operation);
    assert_eq!(counts(), (1, 0));

    // Planned before another draft of the same operation.
    let mut operation = toys.store.operation(mix(7), &guard);
    let mut seventh = draft(7, &["a"]);
    operation.prepare(&mut seventh);
    toys.put(7, value(8, &["b"]));
    let base = operation.locate(|toy| *toy.0.key() == 7).expect("by somebody else");
    assert!(operation.replace(&base, draft(7, &["c"]), || false).is_err());
    toys.remove(7);
    assert!(operation.insert(seventh).is_ok());
    drop(operation);

    // There: nothing is claimed before that has been seen.
    counts();
    let mut operation = toys.store.operation(mix(3), &guard);
    let mut fourth = draft(3, &["a", "c", "d"]);
    operation.prepare(&mut fourth);
    assert_eq!(counts(), (0, 0));
    drop((operation, fourth));

    let tagged = ["a", "b", "c", "d"].map(|tag| toys.tagged(tag));
    assert_eq!(tagged, [vec![1, 3, 5, 6, 7], vec![1, 5], vec![3], vec![]]);
}

#[test]
fn a_query_reads_only_its_members_slots() {
    let toys = Toys::new(mix);
    for key in 0..100_000 {
        toys.put(key, value(key + 1, &["a"]));
    }
    for key in 0..100_000 {
        if key % 10_000 != 0 {
            toys.remove(key);
        }
    }
    probe::take(Event::WordScanned);
    assert_eq!(toys.tagged("a").len(), 10);
    let words = probe::take(Event::WordScanned);
    assert!(words <= 2_000, "{words} words for 10 members");
    toys.put(1, value(1, &["b"]));
    probe::take(Event::WordScanned);
    assert_eq!(toys.tagged("b"), [1]);
    let words = probe::take(Event::WordScanned);
    assert!(words <= 4, "{words} words for 1 member");
}

#[test]
fn a_query_yields_what_is_current_when_it_gets_there() {
    let toys = Toys::new(mix);
    for key in 0..100 {
        toys.put(key, value(key, &["a"]));
    }
    let guard = toys.store.pin();
    let mut members = toys.store.members(Dim::FIRST, "a", &guard);
    let first = *members.next().expect("a hundred").entry().0.key();
    // However far it has read ahead.
    for key in (0..100).filter(|key| *key != first) {
        match key % 3 {
            0 => drop(toys.remove(key)),
            1 => drop(toys.put(key, value(key + 1_000, &["a"]))),
            _ => drop(toys.put(key, value(key, &["b"]))),
        }
    }
    let rest: BTreeMap<_, _> =
        members.map(|found| (*found.entry().0.key(), found.entry().0.head().number)).collect();
    let expected = (0..100).filter(|key| *key != first && key % 3 == 1);
    assert_eq!(rest, expected.map(|key| (key, key + 1_000)).collect());
}

#[test]
fn what_is_salvaged_is_whole_whatever_it_takes() {
    for names in [0, 1, 2, 3, 255, 256, 300] {
        for drop_it in [true, false] {
            let alive = Arc::new(AtomicUsize::new(1));
            let number = Number { number: 7, alive: Some(Arc::clone(&alive)) };
            let tags: Vec<SmolStr> =
                (0..names).map(|nth| format!("tag {nth}, which is not inline").into()).collect();
            let value = Value { number, tags: tags.clone() };
            let first = Draft::<Toy>::new(42, 1, value, Room::allocate).into_raw();
            // SAFETY: the draft's element, ours alone (I13); never published, and dropped below (I10).
            let (killed, second) =
                unsafe { (first.as_ref(), salvage(first.as_ref(), Room::allocate)) };
            let block = second.block();
            assert_eq!((*block.key(), block.hash(), &block.firsts().to_vec()), (1, 42, &tags));
            // What rivals may still look at.
            assert_eq!((*killed.0.key(), killed.0.hash()), (1, 42));
            assert_eq!(killed.0.layout(), block.layout());
            if drop_it {
                drop(second);
            } else {
                let (key, value) = second.into_parts();
                assert_eq!((key, value.number.number, &value.tags), (1, 7, &tags));
            }
            assert_eq!(alive.load(Ordering::Relaxed), 0);
            // SAFETY: from `into_raw`, once (I13).
            drop(unsafe { Draft::from_raw(first) });
            assert_eq!(alive.load(Ordering::Relaxed), 0, "once");
        }
    }
}

#[test]
fn elements_give_back_the_memory_they_were_given() {
    // Enough to begin anywhere in a line.
    let given = Cell::new(ptr::null_mut());
    let room = |layout| {
        let room = Room::allocate(layout);
        given.set(room.memory().as_ptr());
        room
    };
    let drafts = (0..64).map(|key| {
        let draft = Draft::<Toy>::new(42, key, value(key, &[]), room);
        let block = draft.block();
        let begin = ptr::from_ref(block).addr() - given.get().addr();
        assert!(begin + block.offsets().size() <= block.layout().size());
        (draft.into_raw(), given.get())
    });
    for (element, given) in drafts.collect::<Vec<_>>() {
        // SAFETY: from `into_raw`, once (I13).
        let room = unsafe { drop_element(element) };
        assert_eq!(room.memory().as_ptr(), given);
    }
}

#[test]
fn a_place_leads_to_where_its_set_has_moved() {
    for stripes in [1, 4] {
        let (set, place) = Set::with_member(Dim::SECOND, stripes, 7);
        let first = Draft::<NamedSet>::new(1, "a".into(), set, Room::allocate).into_raw();
        // SAFETY: the draft's element, ours alone; its claim keeps the chunk (I12, I13).
        let (killed, chunk) = unsafe { (first.as_ref(), place.chunk()) };
        assert!(std::ptr::eq(chunk.set(), killed));
        // SAFETY: never published, and dropped below (I10, I13).
        let second = unsafe { salvage(killed, Room::allocate) }.into_raw();
        assert_ne!(first, second);
        assert_eq!(chunk.set().origin(), second);
        // SAFETY: each from `into_raw`, once (I13).
        drop(unsafe { (Draft::from_raw(first), Draft::from_raw(second)) });
    }
}

#[test]
fn no_write_migrates_more_than_one_group() {
    let toys = Toys::new(mix);
    let mut most = 0;
    probe::take(Event::GroupMigrated);
    for key in 0..200_000 {
        toys.put(key, value(key, &["a", "b"]));
        most = most.max(probe::take(Event::GroupMigrated));
    }
    for key in 0..200_000 {
        toys.remove(key);
        most = most.max(probe::take(Event::GroupMigrated));
    }
    assert_eq!(most, 1, "groups in one write");
}

#[test]
fn a_directory_grows_while_the_primary_does() {
    let toys = Toys::new(mix);
    toys.store.reserve(1 << 15);
    let growing = || {
        let guard = toys.store.pin();
        toys.store.primary.root(&guard).next().is_some()
    };
    let first = (0..).find(|&key| {
        toys.put(key, value(key, &[]));
        growing()
    });
    let mut most = 0;
    for key in first.into_iter().flat_map(|first| first + 1..) {
        let name = key.to_string();
        probe::take(Event::BucketScanned);
        toys.put(key, value(key, &[&name]));
        most = most.max(probe::take(Event::BucketScanned));
        if !growing() {
            break;
        }
    }
    assert!(most <= 20, "an insert looked at {most} buckets");
}
