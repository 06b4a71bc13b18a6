//! What threads share: two tables of chains of buckets.
//!
//! Every access to it here is one step of a thread; and one that the epoch does not cover is an
//! error, even where it would do no harm in this very run.

use super::checker::Checked;
use super::entries::{ENTRIES, Entries, Entry, Life, NO_ENTRY};
use super::word::{Id, Link, Word};

/// Slots of a bucket.
pub(crate) const SLOTS: usize = 2;
/// The first bucket of the old table, two of the new one, and buckets to link for each.
const BUCKETS: usize = 8;
const ARENA: [usize; 3] = [3, 5, BUCKETS];

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Bucket {
    slots: [Word; SLOTS],
    link: Link,
}

const FRESH: Bucket = Bucket { slots: [Word::UNINIT; SLOTS], link: Link::UNFILLED };

/// A slot: a chain, and the place in it. Where a place is does not change: links stay.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Place {
    pub(crate) table: u8,
    /// The first bucket of the chain, counted within its table.
    pub(crate) chain: u8,
    pub(crate) at: u8,
}

/// All that is shared.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Shared {
    buckets: [Bucket; BUCKETS],
    /// Which keys pass the filter of each chain, a bit for each: where keys share one, readers only have more
    /// to look at.
    filters: [u8; 3],
    /// Buckets in use of each arena.
    linked: [u8; 2],
    /// The root table: 0, the old one, or 1, its successor.
    pub(crate) root: u8,
    /// Whether the old table has its successor.
    pub(crate) grown: bool,
    old: Life,
    pub(super) entries: Entries,
    pub(super) pinned: u8,
}

impl Shared {
    /// The old table with one chain: `a`, `b`, `c` are committed entries of those keys, `.` an
    /// EMPTY slot, and `/` begins the next bucket.
    pub(crate) fn start(chain: &str) -> Shared {
        let mut shared = Shared {
            buckets: [FRESH; BUCKETS],
            filters: [0; 3],
            linked: [0; 2],
            root: 0,
            grown: false,
            old: Life::Published,
            entries: Entries([NO_ENTRY; ENTRIES]),
            pinned: 0,
        };
        let mut bucket = 0;
        for (number, slots) in chain.split('/').enumerate() {
            let here = if number == 0 { 0 } else { ARENA[0] + number - 1 };
            if number > 0 {
                shared.buckets[bucket].link = Link::to(here);
                shared.linked[0] += 1;
            }
            bucket = here;
            shared.buckets[here].link = Link::END;
            for (slot, what) in slots.bytes().enumerate() {
                shared.buckets[here].slots[slot] = if what == b'.' {
                    Word::EMPTY
                } else {
                    let (key, life) = (what - b'a', Life::Published);
                    shared.filters[0] |= 1 << key;
                    shared.entries.0[usize::from(key) + 1] =
                        Entry { life, key, value: Shared::first_value(key), ..NO_ENTRY };
                    Word::committed(key + 1)
                };
            }
        }
        shared
    }

    /// The value of a key that was there from the beginning.
    pub(crate) fn first_value(key: u8) -> u8 {
        100 + key
    }

    // Threads and tables.

    pub(crate) fn pin(&mut self, thread: usize) {
        self.pinned |= 1 << thread;
    }

    pub(crate) fn unpin(&mut self, thread: usize) {
        self.pinned &= !(1 << thread);
        for entry in &mut self.entries.0 {
            entry.life.unpinned(thread);
            if entry.life == Life::Freed {
                *entry = Entry { life: Life::Freed, ..NO_ENTRY };
            }
        }
        self.old.unpinned(thread);
    }

    /// The root moves to the successor; whoever moves it retires the old table.
    pub(crate) fn promote(&mut self) {
        if self.root == 0 {
            self.root = 1;
            self.old = Life::Retired(self.pinned);
        }
    }

    fn touch(&self, thread: usize, table: u8) -> Checked<()> {
        if table == 0 && !self.old.is_kept_for(thread) {
            return Err("the old table was retired before this pin");
        }
        Ok(())
    }

    fn bucket(&self, Place { table, chain, at }: Place) -> Checked<usize> {
        let mut bucket = usize::from(table + chain);
        for _ in 0..usize::from(at) / SLOTS {
            bucket = self.buckets[bucket].link.next().ok_or("a place beyond the chain")?;
        }
        Ok(bucket)
    }

    // Slots.

    fn slot(&mut self, place: Place) -> Checked<&mut Word> {
        let bucket = self.bucket(place)?;
        Ok(&mut self.buckets[bucket].slots[usize::from(place.at) % SLOTS])
    }

    pub(crate) fn load(&self, thread: usize, place: Place) -> Checked<Word> {
        self.touch(thread, place.table)?;
        Ok(self.buckets[self.bucket(place)?].slots[usize::from(place.at) % SLOTS])
    }

    /// A compare-and-swap; the error is the word that was there.
    pub(crate) fn swap(
        &mut self,
        thread: usize,
        place: Place,
        from: Word,
        to: Word,
    ) -> Checked<Result<(), Word>> {
        self.touch(thread, place.table)?;
        if from.is_element() && !self.entry(from.entry()).life.is_kept_for(thread) {
            return Err("a swap expects an entry whose address may be in use again");
        }
        let word = self.slot(place)?;
        if *word != from {
            return Ok(Err(*word));
        }
        if from.is_frozen() {
            return Err("I2: a frozen word changes");
        }
        if to == Word::UNINIT {
            return Err("I3: a word becomes UNINIT again");
        }
        *word = to;
        self.publish(to)?;
        Ok(Ok(()))
    }

    /// An element comes to stand in a word.
    fn publish(&mut self, word: Word) -> Checked<()> {
        if word.is_element() {
            let life = &mut self.entries.0[usize::from(word.entry())].life;
            if !matches!(life, Life::Private | Life::Published) {
                return Err("I6: an entry is published after it was retired");
            }
            *life = Life::Published;
        }
        Ok(())
    }

    pub(crate) fn freeze(&mut self, thread: usize, place: Place) -> Checked<Word> {
        self.touch(thread, place.table)?;
        let word = self.slot(place)?;
        let before = *word;
        *word = before.frozen();
        Ok(before)
    }

    // Overflow words: of the bucket that the place is in.

    pub(crate) fn link(&self, thread: usize, place: Place) -> Checked<Link> {
        self.touch(thread, place.table)?;
        Ok(self.buckets[self.bucket(place)?].link)
    }

    /// Takes the end of a chain for new buckets of those slots.
    pub(crate) fn extend(
        &mut self,
        thread: usize,
        place: Place,
        from: Link,
        slots: &[Word],
    ) -> Checked<bool> {
        self.touch(thread, place.table)?;
        let last = self.bucket(place)?;
        if self.buckets[last].link != from {
            return Ok(false);
        }
        let mut link = Link::END;
        for slots in slots.rchunks(SLOTS) {
            let table = usize::from(place.table);
            let next = ARENA[table] + usize::from(self.linked[table]);
            if next == ARENA[table + 1] {
                return Err("the model is out of buckets");
            }
            self.linked[table] += 1;
            let bucket = &mut self.buckets[next];
            *bucket = Bucket { slots: [Word::EMPTY; SLOTS], link };
            bucket.slots[..slots.len()].copy_from_slice(slots);
            link = Link::to(next);
            slots.iter().try_for_each(|&word| self.publish(word))?;
        }
        self.buckets[last].link = link;
        Ok(true)
    }

    pub(crate) fn freeze_link(&mut self, thread: usize, place: Place) -> Checked<Link> {
        self.touch(thread, place.table)?;
        let bucket = self.bucket(place)?;
        self.buckets[bucket].link = self.buckets[bucket].link.frozen();
        Ok(self.buckets[bucket].link)
    }

    pub(crate) fn mark_migrated(&mut self, thread: usize) -> Checked<()> {
        self.touch(thread, 0)?;
        self.buckets[0].link = self.buckets[0].link.migrated();
        Ok(())
    }

    // Filters: of the chain that the place is in.

    pub(crate) fn passes(&self, thread: usize, place: Place, key: u8) -> Checked<bool> {
        self.touch(thread, place.table)?;
        Ok(self.filters[usize::from(place.table + place.chain)] >> key & 1 != 0)
    }

    /// Lets keys pass, one for each bit.
    pub(crate) fn let_pass(&mut self, thread: usize, place: Place, keys: u8) -> Checked<()> {
        self.touch(thread, place.table)?;
        self.filters[usize::from(place.table + place.chain)] |= keys;
        Ok(())
    }

    // What only the checks look at.

    /// Whether the old chain says that the successor holds all of it.
    pub(crate) fn is_migrated(&self) -> bool {
        self.buckets[0].link.is_migrated()
    }

    /// I4: the overflow word of a chain's first bucket is written, and so many of its slots, or all.
    pub(crate) fn is_filled(&self, table: u8, chain: u8, slots: usize) -> bool {
        let bucket = &self.buckets[usize::from(table + chain)];
        let written = bucket.slots.iter().filter(|&&word| word != Word::UNINIT).count();
        written >= slots.min(SLOTS) && bucket.link != Link::UNFILLED
    }

    /// The entries committed in a chain.
    pub(crate) fn committed(&self, table: u8, chain: u8) -> impl Iterator<Item = Id> {
        let first = usize::from(table + chain);
        std::iter::successors(Some(first), |&bucket| self.buckets[bucket].link.next())
            .flat_map(|bucket| self.buckets[bucket].slots)
            .filter(|word| word.is_committed())
            .map(Word::entry)
    }
}
