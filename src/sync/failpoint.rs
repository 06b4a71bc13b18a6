//! Failpoints: named steps of the protocol at which a test makes a thread stand still.
//!
//! They exist only in builds with the cfg `process_registry_failpoints`; in every other build
//! [`failpoint`] does nothing and nothing of it is left in the code.

/// A step between two changes of shared words: what is written so far, others may already see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(process_registry_failpoints), allow(dead_code, unreachable_pub))]
pub enum Step {
    /// An insert: its element is published as PENDING; no fence has followed.
    Published,
    /// A validation pass: after its fence, before it looks.
    PassBegun,
    /// A resolution: the pass is over, and its target neither committed nor killed.
    PassDone,
    /// An insert: its element is committed and not counted.
    Committed,
    /// A replace: the old element is marked, the compare-and-swap comes next.
    ReplaceMarked,
    /// A replace: done, with nothing counted, given back or retired.
    Replaced,
    /// A removal: its element was found, and nothing done about it.
    RemovalBegun,
    /// A removal: the element is marked, the compare-and-swap comes next.
    RemovalMarked,
    /// A removal: unlinked, with nothing counted, given back or retired.
    Unlinked,
    /// What was unpublished has given its slots back and is not retired.
    SlotsGivenBack,
    /// A migration: one source chain is frozen.
    ChainFrozen,
    /// A migration: all is collected and nothing filled.
    FillBegun,
    /// A migration: a target's slots are filled, its overflow word is not.
    SlotsFilled,
    /// A migration: the first of two targets is filled.
    TargetFilled,
    /// A migration: all targets are filled, and no source is MIGRATED.
    FillDone,
    /// A migration: one source is MIGRATED, which need not be the last.
    SourceMigrated,
    /// A migration: a chunk's bit is set, and not counted.
    ChunkDone,
    /// A migration: all chunks are done, and the root is the old table.
    PromotionBegun,
    /// A migration: the root is the successor, and the old table is not retired.
    Promoted,
    /// A successor is allocated and not linked.
    SuccessorAllocated,
    /// A successor is linked and nothing migrated.
    SuccessorLinked,
    /// A claim: a stripe without members has brought its unit, and does not count it.
    StripeUnitTaken,
    /// A claim: the set is kept open, and no slot taken.
    UnitTaken,
    /// A claim: the bit is set, and its slot has not been written.
    BitClaimed,
    /// A claim: the end of the array is raised over a chunk that is not linked.
    TopRaised,
    /// A claim: a new chunk with its first member is linked.
    ChunkLinked,
    /// A release: the bit is cleared.
    BitCleared,
    /// A release: the chunk is closed and linked.
    ChunkClosed,
    /// A release: the chunk is unlinked, and not retired.
    ChunkUnlinked,
    /// A release: the last member of a stripe is gone, and the stripe's unit is not.
    CountGivenBack,
    /// A release: a unit is given back, and the set not closed.
    UnitGivenBack,
    /// A set is closed and in its directory.
    SetClosed,
    /// A set is out of its directory and not retired.
    SetUnlinked,
    /// A new set with its first member is to be put into its directory.
    SetBuilt,
    /// A retirement: the shelf is in this thread's hands.
    ShelfTaken,
    /// A retirement: a batch is sealed, and its shelf not put back.
    BatchSealed,
}

/// Says that this thread is at `_step`.
#[cfg(not(process_registry_failpoints))]
#[inline(always)]
pub(crate) const fn failpoint(_step: Step) {}

#[cfg(process_registry_failpoints)]
pub(crate) use armed::failpoint;
#[cfg(process_registry_failpoints)]
pub use armed::{arm, disarm};

/// The thread-local rig behind the failpoints, for the tests of progress.
#[cfg(process_registry_failpoints)]
mod armed {
    use super::Step;
    use std::cell::RefCell;

    struct Armed {
        step: Step,
        passes: usize,
        act: Box<dyn FnOnce()>,
    }

    thread_local! {
        static ARMED: RefCell<Option<Armed>> = const { RefCell::new(None) };
    }

    /// Has this thread call `act`, once, when it comes to `step` after so many passes of it.
    pub fn arm(step: Step, passes: usize, act: impl FnOnce() + 'static) {
        ARMED.set(Some(Armed { step, passes, act: Box::new(act) }));
    }

    /// Forgets what this thread was armed with; says whether it still was.
    pub fn disarm() -> bool {
        ARMED.take().is_some()
    }

    pub(crate) fn failpoint(step: Step) {
        // Not in a thread whose locals are gone.
        let due = ARMED.try_with(|armed| {
            let mut armed = armed.borrow_mut();
            match &mut *armed {
                Some(here) if here.step == step && here.passes == 0 => armed.take(),
                Some(here) if here.step == step => {
                    here.passes -= 1;
                    None
                }
                _ => None,
            }
        });
        if let Ok(Some(here)) = due {
            (here.act)();
        }
    }
}
