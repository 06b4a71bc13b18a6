//! Entries, and the epoch that keeps them.

use std::hash::{Hash, Hasher};

use super::checker::Checked;
use super::memory::Shared;
use super::word::Id;

/// Number 0 is no entry, the next three may be there from the beginning, and each of three threads
/// has `EACH` of its own.
pub(super) const ENTRIES: usize = FIRST_OWN + 3 * EACH;
const FIRST_OWN: usize = 4;
const EACH: usize = 14;

/// How far something allocated has come. A number is not used twice: so a word that names what has
/// been freed is told from one that names what took its place.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Life {
    Unused,
    /// Its thread's alone.
    Private,
    Published,
    /// Waits until those threads have unpinned that were pinned then.
    Retired(u8),
    Freed,
}

impl Life {
    pub(super) fn unpinned(&mut self, thread: usize) {
        if let Life::Retired(waits) = *self {
            *self = match waits & !(1 << thread) {
                0 => Life::Freed,
                rest => Life::Retired(rest),
            };
        }
    }

    /// Whether the epoch keeps it for a pinned thread that has found it.
    pub(super) fn is_kept_for(self, thread: usize) -> bool {
        match self {
            Life::Private | Life::Published => true,
            Life::Retired(waits) => waits >> thread & 1 != 0,
            Life::Unused | Life::Freed => false,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) life: Life,
    pub(super) key: u8,
    pub(super) value: u8,
    /// `was_committed`: it was seen committed, and somebody was about to unlink it.
    pub(super) marked: bool,
    /// Its value was moved out, to a new entry.
    pub(super) hollow: bool,
}

impl Entry {
    /// All of it in 40 bits, and never zero.
    fn packed(self) -> u64 {
        let life = match self.life {
            Life::Unused => 1,
            Life::Private => 2,
            Life::Published => 3,
            Life::Freed => 4,
            Life::Retired(waits) => 5 | waits << 3,
        };
        let flags = u8::from(self.marked) | u8::from(self.hollow) << 1;
        u64::from_le_bytes([life, self.key, self.value, flags, 0, 0, 0, 0])
    }
}

pub(super) const NO_ENTRY: Entry =
    Entry { life: Life::Unused, key: 0, value: 0, marked: false, hollow: false };

#[derive(Clone, PartialEq, Eq)]
pub(super) struct Entries(pub(super) [Entry; ENTRIES]);

// A thread takes its own in order, so most are unused most of the time.
impl Hash for Entries {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        for id in 1..FIRST_OWN {
            hasher.write_u64(self.0[id].packed());
        }
        for thread in 0..3 {
            let mut id = FIRST_OWN + thread * EACH;
            let end = id + EACH;
            while id < end && self.0[id].life != Life::Unused {
                hasher.write_u64(self.0[id].packed() | (id as u64) << 40);
                id += 1;
            }
        }
    }
}

impl Shared {
    /// A new entry of the thread's.
    pub(crate) fn allocate(&mut self, thread: usize, key: u8, value: u8) -> Checked<Id> {
        let own = FIRST_OWN + thread * EACH;
        let id = (own..own + EACH)
            .find(|&id| self.entries.0[id].life == Life::Unused)
            .ok_or("the model is out of entries")?;
        self.entries.0[id] = Entry { life: Life::Private, key, value, ..NO_ENTRY };
        Ok(id as Id)
    }

    pub(super) fn entry(&self, id: Id) -> &Entry {
        &self.entries.0[usize::from(id)]
    }

    /// The key of an entry that was found in a slot.
    pub(crate) fn key(&self, thread: usize, id: Id) -> Checked<u8> {
        if !self.entry(id).life.is_kept_for(thread) {
            return Err("I8: an entry is read that was retired before this pin");
        }
        Ok(self.entry(id).key)
    }

    /// The key of an entry, for the checks.
    pub(crate) fn key_at_rest(&self, id: Id) -> u8 {
        self.entry(id).key
    }

    /// The value of an entry that was found committed.
    pub(crate) fn value(&self, id: Id) -> Checked<u8> {
        if self.entry(id).hollow {
            return Err("I10: a value is read that its inserter has taken back");
        }
        Ok(self.entry(id).value)
    }

    pub(crate) fn mark(&mut self, id: Id) {
        self.entries.0[usize::from(id)].marked = true;
    }

    pub(crate) fn is_marked(&self, id: Id) -> bool {
        self.entry(id).marked
    }

    pub(crate) fn hollow(&mut self, id: Id) {
        self.entries.0[usize::from(id)].hollow = true;
    }

    /// Done in the step that unlinks: a later retirement could wait for those threads only that
    /// have pinned too late to find the entry.
    pub(crate) fn retire(&mut self, id: Id) -> Checked<()> {
        let pinned = self.pinned;
        let life = &mut self.entries.0[usize::from(id)].life;
        if *life != Life::Published {
            return Err("an entry is retired that is not published, or for a second time");
        }
        *life = Life::Retired(pinned);
        Ok(())
    }

    /// Frees an entry that nobody else has seen.
    pub(crate) fn discard(&mut self, id: Id) -> Checked<()> {
        match self.entry(id).life {
            Life::Private => {
                self.entries.0[usize::from(id)] = Entry { life: Life::Freed, ..NO_ENTRY }
            }
            _ => return Err("an entry is freed at once though others may have seen it"),
        }
        Ok(())
    }

    /// Frees an entry whatever others may be looking at.
    pub(crate) fn free(&mut self, id: Id) {
        self.entries.0[usize::from(id)] = Entry { life: Life::Freed, ..NO_ENTRY };
    }

    /// The key and the value of an entry, if it is published and not retired.
    pub(crate) fn live(&self, id: Id) -> Option<(u8, u8)> {
        let Entry { life, key, value, .. } = *self.entry(id);
        (life == Life::Published).then_some((key, value))
    }

    /// Entries that are neither unused nor freed.
    pub(crate) fn kept(&self) -> usize {
        let gone = |entry: &&Entry| matches!(entry.life, Life::Unused | Life::Freed);
        self.entries.0.iter().filter(|entry| !gone(entry)).count()
    }
}
