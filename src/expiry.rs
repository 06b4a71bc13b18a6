//! The deadline index: which entry is due when.
//!
//! It gives candidates only; whether an entry has expired its own deadline says. What holds is this: **for
//! every entry with a deadline there is an item no later than that deadline, or the one who has to file it
//! has not done so yet.**
//!
//! - Whoever publishes an entry that has a deadline where there was none, or an earlier one, files an item
//!   afterwards. A renewal to a later deadline leaves the index alone.
//! - Whoever takes an item off that is due answers for it: an entry that has been renewed is filed anew
//!   *before* the item goes.
//! - An item is taken off for good when its incarnation has ended, or when it is due and its entry turns out
//!   to be permanent; who gives that entry a deadline later files it himself. That filing never meets the
//!   item that is being taken off, because a taken place is passed over.

use std::fmt;
use std::mem;
use std::panic;
use std::time::Duration;

use scc::{Guard, TreeIndex};
use smallvec::SmallVec;

use crate::clock::Moment;
use crate::panics::discard;

/// How many items are read at a time: nothing else is done while the tree's guard is held.
const BATCH: usize = 64;

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

    /// Files an item, a nanosecond or so later where the place is taken: the one who took the place may be
    /// just about to give it up. Returns where it lies.
    pub(crate) fn file(&self, mut due: Due, hash: u64) -> Due {
        let Some(tree) = self.tree() else { return due };
        while tree.insert_sync(due, hash).is_err() {
            let later = due.deadline.saturating_add(Duration::from_nanos(1));
            if later == due.deadline {
                // The end of time, where nothing ever falls due.
                break;
            }
            due.deadline = later;
        }
        due
    }

    /// Takes an item off; false if it was not there.
    pub(crate) fn withdraw(&self, due: Due) -> bool {
        self.tree().is_some_and(|tree| tree.remove_sync(&due))
    }

    /// The next items that are due at `now`, in order, beginning after `last`.
    pub(crate) fn due(&self, last: Option<Due>, now: Moment) -> SmallVec<[(Due, u64); BATCH]> {
        let Some(tree) = self.tree() else { return SmallVec::new() };
        let guard = Guard::new();
        // Not the tree's `range`: it ends at once where the first leaf has been emptied and not yet unlinked.
        // What lies before `last` has been taken off, so there is little to skip.
        tree.iter(&guard)
            .inspect(|_| {
                #[cfg(test)]
                crate::probe::count(crate::probe::Event::ItemRead);
            })
            .skip_while(|(due, _)| last.is_some_and(|last| **due <= last))
            .take_while(|(due, _)| due.deadline <= now)
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
    use super::*;
    use crate::clock::{Clock, ManualClock};

    const NANO: Duration = Duration::from_nanos(1);

    fn now() -> Moment {
        Clock::Manual(ManualClock::new()).now()
    }

    #[test]
    fn items_come_in_order_and_only_when_due() {
        let deadlines = Deadlines::new();
        let start = now();
        let at = |nanos: u64| start.saturating_add(Duration::from_nanos(nanos));
        for nanos in [5, 1, 4, 2, 3] {
            deadlines.file(Due::new(at(nanos), 10 + nanos), nanos);
        }
        assert!(deadlines.due(None, start).is_empty());
        let hashes = |items: &[(Due, u64)]| items.iter().map(|(_, hash)| *hash).collect::<Vec<_>>();
        let due = deadlines.due(None, at(3));
        assert_eq!(hashes(&due), [1, 2, 3]);
        assert_eq!(due[1].0.incarnation(), 12);
        assert_eq!(hashes(&deadlines.due(Some(due[1].0), at(4))), [3, 4]);

        assert!(deadlines.withdraw(due[0].0));
        assert!(!deadlines.withdraw(due[0].0));
        assert_eq!(hashes(&deadlines.due(None, Moment::NEVER)), [2, 3, 4, 5]);
    }

    #[test]
    fn a_taken_place_is_passed_over() {
        let deadlines = Deadlines::new();
        let due = Due::new(now(), 7);
        assert_eq!(deadlines.file(due, 1), due);
        let second = deadlines.file(due, 1);
        assert_eq!(second, Due::new(due.deadline.saturating_add(NANO), 7));
        assert!(deadlines.withdraw(due));
        assert_eq!(deadlines.due(None, Moment::NEVER).as_slice(), [(second, 1)]);
    }

    #[test]
    fn the_end_of_time_holds_one_item_of_an_incarnation() {
        let deadlines = Deadlines::new();
        let due = Due::new(now().saturating_add(Duration::MAX), 7);
        assert_eq!(deadlines.file(due, 1), due);
        assert_eq!(deadlines.file(due, 1), due);
        assert_eq!(deadlines.due(None, Moment::NEVER).len(), 1);
    }

    #[test]
    fn many_are_read_in_batches() {
        let deadlines = Deadlines::new();
        let deadline = now();
        let count = 3 * BATCH as u64 + 5;
        for incarnation in 0..count {
            deadlines.file(Due::new(deadline, incarnation), incarnation);
        }
        let (mut last, mut seen) = (None, 0);
        loop {
            let batch = deadlines.due(last, deadline);
            let Some((due, _)) = batch.last() else { break };
            assert!(batch.iter().map(|(_, hash)| *hash).eq(seen..seen + batch.len() as u64));
            last = Some(*due);
            seen += batch.len() as u64;
        }
        assert_eq!(seen, count);
    }
}
