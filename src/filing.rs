//! What writers and sweeps do about the index of deadlines, by the rules of [`expiry`](crate::expiry).

use crate::clock::Moment;
use crate::entry::Entry;
use crate::expiry::Due;
use crate::raw::Held;
use crate::state::Registry;
use crate::sync::{Guard, fence_of_deadlines};

impl<S, P, M, K, H> Registry<S, P, M, K, H> {
    /// Brings the index up to date with a write that has put `new`, or nothing, in the place of `base`.
    #[inline(always)]
    pub(crate) fn file(
        &self,
        hash: u64,
        base: Option<&Entry<S, P, M, K>>,
        new: Option<&Entry<S, P, M, K>>,
        guard: &Guard,
    ) {
        if base.is_some_and(Entry::is_timed) || new.is_some_and(Entry::is_timed) {
            self.file_change(hash, base, new, guard);
        }
    }

    /// The same where there are deadlines.
    #[inline(never)]
    fn file_change(
        &self,
        hash: u64,
        base: Option<&Entry<S, P, M, K>>,
        new: Option<&Entry<S, P, M, K>>,
        guard: &Guard,
    ) {
        // With that of `look_again`: either we see what was filed or taken off, or there is seen what we have
        // published.
        fence_of_deadlines();
        let until = |entry: Option<&Entry<S, P, M, K>>| entry.map_or(Moment::NEVER, Entry::due);
        let goes_on = match (base, new) {
            (Some(base), Some(new)) => base.incarnation() == new.incarnation(),
            _ => false,
        };
        // Within an incarnation only an earlier deadline is news: no deadline is the latest of all.
        let known = if goes_on { until(base) } else { Moment::NEVER };
        if let Some(new) = new
            && new.due() < known
        {
            self.file_item(new.place(), hash, guard);
        }
        if let Some(base) = base
            && base.is_timed()
        {
            if !goes_on {
                self.deadlines.withdraw(base.place());
            } else if until(new) < base.due() || until(new) == Moment::NEVER {
                self.take_off(base.place(), hash, guard);
            }
        }
    }

    /// Files an item, unless it is there; and sees to it that it goes again if nobody wants it any more.
    pub(crate) fn file_item(&self, place: Due, hash: u64, guard: &Guard) {
        if !self.insert_wanted(place, hash, guard) {
            self.take_off(place, hash, guard);
        }
    }

    /// Takes an item off, and files what has become of its incarnation.
    ///
    /// Lock-free: it goes on only where the entry has been changed meanwhile.
    fn take_off(&self, mut place: Due, hash: u64, guard: &Guard) {
        while self.deadlines.withdraw(place)
            && let Some(current) = self.look_again(place, hash, guard)
            && !self.insert_wanted(current, hash, guard)
        {
            place = current;
        }
    }

    /// Puts an item in, unless it is there; says whether its incarnation wants it still.
    fn insert_wanted(&self, place: Due, hash: u64, guard: &Guard) -> bool {
        self.deadlines.insert(place, hash);
        self.look_again(place, hash, guard).is_some_and(|current| current >= place)
    }

    /// Where the item of an incarnation would lie by now; nowhere if it has ended or is permanent.
    fn look_again(&self, place: Due, hash: u64, guard: &Guard) -> Option<Due> {
        fence_of_deadlines();
        let mut operation = self.store.operation(hash, guard);
        let held = operation.locate(|entry| entry.incarnation() == place.incarnation())?;
        Some(Held::entry(&held)).filter(|entry| entry.is_timed()).map(Entry::place)
    }
}
