//! The door for the model checkers: a store of small elements, and the models' switches.
//!
//! Compiled only under the models' cfgs. What the methods do is what the registry does with the
//! core, no more.

use std::{fmt, mem};

use smol_str::SmolStr;

use super::block::{Block, Dim, Element, Parts, element};
use super::counted::Counted;
use super::draft::{Draft, salvage};
use super::pages::Pages;
use super::primary::{Context, Found, Index};
use super::resolve::{Fate, Published};
use super::store::{Store, Verdict};
use super::table::{Bucket, SLOTS};
use super::word::{Link, Word};
use crate::sync::{self, Guard, Mutant, control, mutant};

/// A key: equal by its number, hashed as the model wants it.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// What makes two keys equal.
    pub id: u8,
    /// The low bits choose the bucket; the fingerprint begins at bit 0, 2 or 4, by the size of the table,
    /// and its upper bits say which slot is preferred.
    pub hash: u64,
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}
impl Eq for Key {}

#[derive(Debug)]
struct Value {
    number: u64,
    names: Vec<SmolStr>,
}

/// Numbers from this one on are deadlines.
pub const LEASE: u64 = 1 << 32;

struct Toy(Block<Toy>);

impl Element for Toy {
    type Key = Key;
    type Value = Value;
    type Head = u64;
    type First = SmolStr;
    type Second = SmolStr;
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
    fn split(value: Value) -> Parts<Self> {
        let (firsts, seconds): (Vec<_>, Vec<_>) =
            value.names.into_iter().partition(|name| dim(name) == Dim::FIRST);
        let rest = value.number >= LEASE;
        Parts { head: value.number, firsts: firsts.into(), seconds: seconds.into(), rest }
    }
    fn join(parts: Parts<Self>) -> Value {
        Value { number: parts.head, names: parts.firsts.into_iter().chain(parts.seconds).collect() }
    }
    fn first_name(name: &SmolStr) -> &SmolStr {
        name
    }
    fn second_name(name: &SmolStr) -> &SmolStr {
        name
    }
    fn is_live(parts: &Parts<Self>) -> bool {
        parts.head != 0
    }
    fn is_timed(timed: &bool) -> bool {
        *timed
    }
}

/// The dimension of a name: the second one for those that begin with `@`.
fn dim(name: &str) -> Dim {
    if name.starts_with('@') { Dim::SECOND } else { Dim::FIRST }
}

/// A store of toys.
pub struct Toys {
    store: Store<Toy>,
}

impl fmt::Debug for Toys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Toys").finish_non_exhaustive()
    }
}

/// A pin that a model holds.
#[derive(Debug)]
pub struct Pin(Guard);

/// A counted reference that a model holds.
pub struct Owned(Counted<Toy>);

impl fmt::Debug for Owned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Owned").finish_non_exhaustive()
    }
}

impl Owned {
    /// The number it was put in with.
    #[must_use]
    pub fn number(&self) -> u64 {
        *self.0.block().head()
    }
}

impl Clone for Owned {
    fn clone(&self) -> Self {
        Owned(self.0.clone())
    }
}

impl Toys {
    /// A store for so many elements; two fit a bucket.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        control::blocks();
        Toys { store: Store::new(capacity, Pages::Usual) }
    }

    fn draft(&self, key: Key, number: u64, names: &[&str]) -> Draft<Toy> {
        let names = names.iter().map(SmolStr::new).collect();
        self.store.draft(key.hash, key, Value { number, names })
    }

    /// Inserts or replaces; says what was there.
    pub fn put(&self, key: Key, number: u64, names: &[&str]) -> Option<u64> {
        let guard = self.store.pin();
        let mut operation = self.store.operation(key.hash, &guard);
        let mut draft = self.draft(key, number, names);
        let mut absent = operation.prepare(&mut draft);
        loop {
            let held = if mem::take(&mut absent) {
                None
            } else {
                operation.locate(|toy| *toy.0.key() == key)
            };
            match held {
                Some(base) => match operation.replace(&base, draft, || true) {
                    Ok(_) => return Some(*base.entry().0.head()),
                    Err(again) => draft = again,
                },
                None => match operation.insert(draft) {
                    Ok(_) => return None,
                    Err(again) => draft = again,
                },
            }
        }
    }

    /// Inserts if absent; says whether it did.
    pub fn insert(&self, key: Key, number: u64, names: &[&str]) -> bool {
        let guard = self.store.pin();
        let mut operation = self.store.operation(key.hash, &guard);
        let draft = self.draft(key, number, names);
        operation.insert(draft).is_ok()
    }

    /// Replaces if present; says what was there.
    pub fn replace(&self, key: Key, number: u64, names: &[&str]) -> Option<u64> {
        let guard = self.store.pin();
        let mut operation = self.store.operation(key.hash, &guard);
        let mut draft = self.draft(key, number, names);
        loop {
            let base = operation.locate(|toy| *toy.0.key() == key)?;
            match operation.replace(&base, draft, || true) {
                Ok(_) => return Some(*base.entry().0.head()),
                Err(again) => draft = again,
            }
        }
    }

    /// Removes; says what was there.
    pub fn remove(&self, key: Key) -> Option<u64> {
        let guard = self.store.pin();
        let mut operation = self.store.operation(key.hash, &guard);
        loop {
            let base = operation.locate(|toy| *toy.0.key() == key)?;
            if operation.remove(&base, || true) {
                return Some(*base.entry().0.head());
            }
        }
    }

    /// The number of a key.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<u64> {
        let guard = self.store.pin();
        let found = self.store.look_up(key.hash, |k| *k == key, |_| Verdict::Take, &guard)?;
        Some(*found.0.head())
    }

    /// The number of a key, by a batch of two.
    #[must_use]
    pub fn get_both(&self, keys: [Key; 2]) -> [Option<u64>; 2] {
        let guard = self.store.pin();
        let found = self.store.look_up_many(
            |i| keys[i].hash,
            |i, k| *k == keys[i],
            |_| Verdict::Take,
            &guard,
        );
        found.map(|toy| toy.map(|toy| *toy.0.head()))
    }

    /// The number of a key, if it is greater than what the clock says: as an expiry is read.
    pub fn get_unexpired(&self, key: Key, now: impl Fn() -> u64) -> Option<u64> {
        let guard = self.store.pin();
        let judge = |found: &Found<'_, Toy>| {
            if !found.is_special() || *found.entry().0.head() > now() {
                Verdict::Take
            } else if found.unchanged() {
                Verdict::Absent
            } else {
                Verdict::Again
            }
        };
        let found = self.store.look_up(key.hash, |k| *k == key, judge, &guard)?;
        Some(*found.0.head())
    }

    /// A counted reference to a key's element.
    #[must_use]
    pub fn own(&self, key: Key) -> Option<Owned> {
        let guard = self.store.pin();
        let found =
            self.store.primary.find(key.hash, |thing| *thing.block().key() == key, &guard)?;
        Some(Owned(found.entry().0.share()))
    }

    /// What carries a name, sorted: the keys' and the values' numbers.
    #[must_use]
    pub fn named(&self, name: &str) -> Vec<(u8, u64)> {
        let guard = self.store.pin();
        let found: Vec<_> = self.store.members(dim(name), name, &guard).collect();
        once_each(&found)
    }

    /// Everything, sorted: the keys' and the values' numbers.
    #[must_use]
    pub fn walk(&self) -> Vec<(u8, u64)> {
        let guard = self.store.pin();
        let found: Vec<_> = self.store.walk(&guard).collect();
        once_each(&found)
    }

    /// The names of the first dimension that have members, sorted, with how many.
    #[must_use]
    pub fn names(&self) -> Vec<(String, usize)> {
        let guard = self.store.pin();
        let names = self.store.names(Dim::FIRST, &guard);
        let mut names: Vec<_> = names.iter().map(|(n, m)| (n.to_string(), *m)).collect();
        names.sort_unstable();
        names
    }

    /// How many members the set of a name counts.
    #[must_use]
    pub fn member_count(&self, name: &str) -> usize {
        let guard = self.store.pin();
        self.store.member_count(dim(name), name, &guard)
    }

    /// How many slots of the set of a name are in use, by whomever.
    #[must_use]
    pub fn slots_in_use(&self, name: &str) -> usize {
        let guard = self.store.pin();
        let set = self.store.directory(dim(name)).get(name, &guard);
        set.map_or(0, |set| set.set().scan(&guard).count())
    }

    /// The counted length.
    #[must_use]
    pub fn len(&self) -> usize {
        self.store.len()
    }

    /// Whether the counted length is zero.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The counted length of those whose number is not zero.
    #[must_use]
    pub fn live_len(&self) -> usize {
        self.store.live_len()
    }

    /// How many elements the root table is meant for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.store.capacity()
    }

    /// Links an empty overflow bucket to the chain of a key.
    pub fn lengthen(&self, key: Key) {
        let guard = self.store.pin();
        let table = self.store.primary.root(&guard);
        let head = table.chain(key.hash);
        let bucket = table.overflow_bucket();
        // SAFETY: an arena bucket of our own, in nobody's sight until it is linked (I13).
        unsafe { bucket.write(Bucket::filled([Word::EMPTY; SLOTS], Link::END)) };
        assert!(head.overflow.extend(head.overflow.load(), bucket.as_ptr()));
    }

    /// Steps 3 to 5 of an insert by themselves: straight into a vacant slot of the chain, counted
    /// from its beginning. What is killed is inserted again, there. Counts nothing, grows nothing.
    pub fn insert_at(&self, key: Key, number: u64, position: usize) -> bool {
        let guard = self.store.pin();
        let table = self.store.primary.root(&guard);
        let mut bucket = table.chain(key.hash);
        for _ in 0..position / SLOTS {
            bucket = table.follow(bucket.overflow.load()).expect("a chain of that length");
        }
        let slot = &bucket.slots[position % SLOTS];
        Index::<Toy>::announce(table, key.hash);
        let mut mine = self.draft(key, number, &[]).into_raw();
        loop {
            // SAFETY: ours until it is committed (I13), and kept by the pin after that (I8).
            let toy: &Toy = unsafe { element(mine.as_ptr()) };
            let special = toy.0.is_special();
            let word = Word::committed(mine.as_ptr(), table.fingerprint(key.hash), special);
            let word = word.pending();
            assert!(slot.publish(slot.load(), word), "nobody else publishes there");
            let published = Published { slot, word, position };
            let fate = Index::resolve(table, key.hash, toy, published);
            if fate == Fate::Committed {
                return true;
            }
            if fate == Fate::Killed && mutant(Mutant::RepublishKilled) {
                continue;
            }
            // SAFETY: ours, killed or dropped, never committed (I10); retired right below (I6).
            let again = unsafe { salvage(toy, |layout| self.store.limbo.room(layout)) };
            // SAFETY: ours, and out of its slot or frozen there for good (I2, I13).
            unsafe { self.store.limbo.retire_element(mine, &guard) };
            if fate == Fate::Rejected {
                return false;
            }
            mine = again.into_raw();
        }
    }

    /// Gives the root a successor, `by` doublings larger, and migrates nothing.
    pub fn start_resize(&self, by: i32) {
        let guard = self.store.pin();
        self.store.primary.start_resize(by, &Context::new(&guard, &self.store.limbo));
    }

    /// Migrates what is left to migrate.
    pub fn finish_resize(&self) {
        self.store.primary.finish_resize(&self.store.limbo);
    }

    /// Frees a little of what is due.
    pub fn reclaim(&self) {
        self.store.reclaim();
    }

    /// Frees all that is due.
    pub fn collect(&self) {
        self.store.collect();
    }

    /// A pin to hold.
    #[must_use]
    pub fn pin(&self) -> Pin {
        Pin(self.store.pin())
    }
}

/// The fence between a change of an entry or of the index of deadlines, and a look at the other.
pub fn fence_of_deadlines() {
    sync::fence_of_deadlines();
}

impl Pin {
    /// Lets go of the past.
    pub fn repin(&mut self) {
        self.0.repin();
    }
}

/// What a query does at its end, still pinned: of a key met twice, the later one counts, if the
/// earlier one says that it has been superseded.
fn once_each(found: &[Found<'_, Toy>]) -> Vec<(u8, u64)> {
    let mut all = Vec::new();
    for (i, one) in found.iter().enumerate() {
        let block = &one.entry().0;
        let again = || found[i + 1..].iter().any(|other| other.entry().0.key() == block.key());
        if !(block.superseded() && again()) {
            all.push((block.key().id, *block.head()));
        }
    }
    all.sort_unstable();
    all
}

/// Switches a seeded bug on by its name, and every other off; says whether there is one.
#[cfg(process_registry_mutants)]
pub fn set_mutant(name: &str) -> bool {
    use crate::sync::{Mutant, switch};
    let found = Mutant::ALL.iter().find(|mutant| format!("{mutant:?}") == name);
    switch::set(found.map_or(0, |mutant| *mutant as u32));
    found.is_some()
}

/// The names of the seeded bugs.
#[cfg(process_registry_mutants)]
#[must_use]
pub fn mutants() -> Vec<String> {
    crate::sync::Mutant::ALL.iter().map(|mutant| format!("{mutant:?}")).collect()
}

/// Whether loads are done as read-modify-writes.
pub fn loads_as_rmw(on: bool) {
    control::loads_as_rmw(on);
}

/// Whether retired memory is freed at the end only.
pub fn never_raise(on: bool) {
    control::never_raise(on);
}

/// Whether all threads share one stripe of everything.
pub fn one_stripe(on: bool) {
    control::one_stripe(on);
}

/// Blocks of memory that are alive.
#[must_use]
pub fn blocks() -> isize {
    control::blocks()
}
