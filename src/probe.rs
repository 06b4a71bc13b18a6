//! Counters that tests read: how much work an operation did, on this thread.

use std::cell::Cell;

/// Something that is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    /// A member slot was claimed: an index write.
    SlotClaimed,
    /// A member slot was given back: an index write.
    SlotReleased,
    /// A chunk of a member set, or a place for one, was looked at by a claim.
    ChunkLookedAt,
    /// A chunk pointer, a bitmap or a slot of a member set was read by a scan.
    WordScanned,
    /// A group of a table was migrated.
    GroupMigrated,
    /// A bucket was read by an insert that looks for its key and a place.
    BucketScanned,
    /// A name or a place of one element was compared with one of another, or of an earlier plan.
    NameLookedAt,
    /// The clock of a registry was read.
    ClockRead,
    /// An entry was met by a walk over the whole table.
    EntryWalked,
    /// An item of the deadline index was read by a purge.
    ItemRead,
}

thread_local! {
    static COUNTS: [Cell<usize>; 10] = const { [const { Cell::new(0) }; 10] };
}

/// Counts one `event`.
pub(crate) fn count(event: Event) {
    COUNTS.with(|counts| {
        let cell = &counts[event as usize];
        cell.set(cell.get() + 1);
    });
}

/// How often `event` has happened on this thread since the last call that asked for it.
pub(crate) fn take(event: Event) -> usize {
    COUNTS.with(|counts| counts[event as usize].replace(0))
}
