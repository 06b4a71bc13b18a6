//! The deadline index: which entry is due when.
//!
//! It gives candidates only; whether an entry has expired its own deadline says. An item lies at a deadline
//! that its incarnation had once. What holds is this: **for every entry with a deadline there is an item no
//! later than that deadline, or somebody is about to file one.**
//!
//! - Whoever publishes an entry that has a deadline where there was none, or an earlier one, files an item
//!   at it afterwards, unless one lies there. A renewal to a later deadline leaves the index alone.
//! - Whoever publishes an entry without the deadline that was there, or with an earlier one, and whoever
//!   removes it, takes off the item of that deadline afterwards, if there is one. A sweep takes off what is due.
//! - Whoever has taken an item off **looks at the entry again** and files an item at the deadline it has by
//!   then, if any: somebody else may have counted on the item that is gone.
//! - Whoever has filed an item looks at the entry again, too, and takes the item off if the incarnation has
//!   ended, is permanent, or has an earlier deadline by then: somebody else may have found no item to take off.
//!
//! Why no entry is lost: take an incarnation that nobody is at work on, and the last item of it that was ever
//! taken off. Who took it off has seen a version afterwards and filed it. Each later version has a deadline
//! no earlier than the one before it, or was filed by its writer; and all that was filed since is still
//! there. Why no item is left: who filed it saw afterwards that it was wanted, so the write that made it
//! unwanted came later, and found it. Fences see to "afterwards" (O19). `tests/deadline_protocol.rs` tries
//! every order of the steps.
//!
//! Renewals are the exception that they are meant to be: an incarnation that was renewed and then ended leaves
//! the item that it began with, until that is due and a sweep comes by; and one whose deadline was moved to
//! and fro leaves one for each deadline that was shortened to and moved away again.

use std::fmt;
use std::mem;
use std::panic;

use scc::{Guard, TreeIndex};
use smallvec::SmallVec;

use crate::clock::Moment;
use crate::panics::discard;

/// How many items are read at a time: nothing else is done while the tree's guard is held.
const BATCH: usize = 64;

/// What is removed the tree drops where it likes, and takes a lock to drop what has a destructor.
const _: () = assert!(!mem::needs_drop::<(Due, u64)>());

/// Where an item lies: in order of time; the incarnation tells apart what is due at the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Due {
    deadline: Moment,
    incarnation: u64,
}

impl Due {
    pub(crate) const fn new(deadline: Moment, incarnation: u64) -> Self {
        Self { deadline, incarnation }
    }

    /// After all others.
    #[cfg(test)]
    pub(crate) const LAST: Self = Self::new(Moment::NEVER, u64::MAX);

    /// The incarnation of the entry the item was filed for.
    pub(crate) const fn incarnation(self) -> u64 {
        self.incarnation
    }
}

/// What tells whether the tree can be used by this thread.
struct Usable;

impl Drop for Usable {
    /// It has one, so that it has an end.
    fn drop(&mut self) {}
}

thread_local! {
    /// The tree keeps a state for each thread, and panics when that has been destroyed. Destructors of a
    /// thread's locals run in the reverse order of their making: as long as this is here, that is.
    static USABLE: Usable = {
        drop(Guard::new());
        Usable
    };
}

fn usable() -> bool {
    // The first use on this thread panics where another user of scc has been here before, and what that keeps
    // has been destroyed.
    match panic::catch_unwind(|| USABLE.try_with(|_| ()).is_ok()) {
        Ok(usable) => usable,
        Err(panic) => {
            discard(panic);
            false
        }
    }
}

/// The items, each with the hash by which its entry is found.
///
/// A thread that is ending, in the destructors of its locals, may not be able to use them any more. What it
/// would have withdrawn goes when it is due; what it would have filed is not purged, though absent as soon as
/// it has expired, like everything.
pub(crate) struct Deadlines(Option<TreeIndex<Due, u64>>);

impl Deadlines {
    pub(crate) fn new() -> Self {
        Self(Some(TreeIndex::new()))
    }

    /// The tree, if this thread can use it.
    fn tree(&self) -> Option<&TreeIndex<Due, u64>> {
        self.0.as_ref().filter(|_| usable())
    }

    /// Puts an item in, unless it is there.
    pub(crate) fn insert(&self, due: Due, hash: u64) {
        if let Some(tree) = self.tree() {
            // An error: there it is. Whoever takes it off looks at the entry afterwards.
            let _ = tree.insert_sync(due, hash);
        }
    }

    /// Takes an item off; false if it was not there. Whoever has done so looks at its entry again, if that
    /// may be there still.
    pub(crate) fn withdraw(&self, due: Due) -> bool {
        self.tree().is_some_and(|tree| tree.remove_sync(&due))
    }

    /// The next items up to `end`, in order, beginning after `last`.
    pub(crate) fn due(&self, last: Option<Due>, end: Due) -> SmallVec<[(Due, u64); BATCH]> {
        let Some(tree) = self.tree() else { return SmallVec::new() };
        let guard = Guard::new();
        // What threads that have ended removed is freed by those that go on, once an epoch is over: that would
        // take as many guards as none but busy threads make.
        if last.is_none() {
            guard.accelerate();
        }
        // Not the tree's `range`: it ends at once where the first leaf has been emptied and not yet unlinked.
        // Most of what lies before `last` has been taken off, so there is little to skip.
        tree.iter(&guard)
            .inspect(|_| {
                #[cfg(test)]
                crate::probe::count(crate::probe::Event::ItemRead);
            })
            .skip_while(|(due, _)| last.is_some_and(|last| **due <= last))
            .take_while(|(due, _)| **due <= end)
            .take(BATCH)
            .map(|(due, hash)| (*due, *hash))
            .collect()
    }
}

impl Drop for Deadlines {
    fn drop(&mut self) {
        if !usable() {
            // Its own destructor would need the state of the thread as well. This leaks the items.
            mem::forget(self.0.take());
        }
    }
}

impl fmt::Debug for Deadlines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deadlines").finish_non_exhaustive()
    }
}

#[cfg(all(test, not(any(process_registry_loom, process_registry_shuttle))))]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::{Clock, ManualClock};

    fn now() -> Moment {
        Clock::Manual(ManualClock::new()).now()
    }

    fn hashes(items: &[(Due, u64)]) -> Vec<u64> {
        items.iter().map(|(_, hash)| *hash).collect()
    }

    #[test]
    fn items_come_in_order_and_only_when_due() {
        let deadlines = Deadlines::new();
        let start = now();
        let at = |nanos: u64| start.saturating_add(Duration::from_nanos(nanos));
        for nanos in [5, 1, 4, 2, 3] {
            deadlines.insert(Due::new(at(nanos), 10 + nanos), nanos);
        }
        assert!(deadlines.due(None, Due::new(start, u64::MAX)).is_empty());
        let due = deadlines.due(None, Due::new(at(3), u64::MAX));
        assert_eq!(hashes(&due), [1, 2, 3]);
        assert_eq!(due[1].0.incarnation(), 12);
        let last = Some(due[1].0);
        assert_eq!(hashes(&deadlines.due(last, Due::new(at(4), u64::MAX))), [3, 4]);
        assert_eq!(hashes(&deadlines.due(last, Due::new(at(4), 14))), [3, 4]);
        assert_eq!(hashes(&deadlines.due(last, Due::new(at(4), 13))), [3]);

        assert!(deadlines.withdraw(due[0].0));
        assert!(!deadlines.withdraw(due[0].0));
        assert_eq!(hashes(&deadlines.due(None, Due::LAST)), [2, 3, 4, 5]);
    }

    #[test]
    fn an_item_that_is_filed_again_is_there_once() {
        let deadlines = Deadlines::new();
        let due = Due::new(now(), 7);
        deadlines.insert(due, 1);
        deadlines.insert(due, 1);
        assert_eq!(deadlines.due(None, Due::LAST).as_slice(), [(due, 1)]);
        assert!(deadlines.withdraw(due));
        assert!(deadlines.due(None, Due::LAST).is_empty());
    }

    #[test]
    fn many_are_read_in_batches() {
        let deadlines = Deadlines::new();
        let deadline = now();
        let count = 3 * BATCH as u64 + 5;
        for incarnation in 0..count {
            deadlines.insert(Due::new(deadline, incarnation), incarnation);
        }
        let (mut last, mut seen) = (None, 0);
        loop {
            let batch = deadlines.due(last, Due::new(deadline, u64::MAX));
            let Some((due, _)) = batch.last() else { break };
            assert!(hashes(&batch).into_iter().eq(seen..seen + batch.len() as u64));
            last = Some(*due);
            seen += batch.len() as u64;
        }
        assert_eq!(seen, count);
    }
}
