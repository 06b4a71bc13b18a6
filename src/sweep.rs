//! Removals that look for their entries themselves: by node, by predicate, by deadline.

use std::hash::{BuildHasher, Hash};
use std::{panic, ptr};

use crate::child::Bindings;
use crate::entry::Entry;
use crate::expiry::Due;
use crate::panics::keep_first;
use crate::query::{Met, any};
use crate::raw::Element;
use crate::state::Registry;
use crate::sync::{Guard, fence_of_deadlines};
use crate::write::Step;

/// How many members ahead of the one at hand have their lines on the way.
const AHEAD: usize = 8;

impl<S, P, M, K, H> Registry<S, P, M, K, H>
where
    K: Hash + Eq + Clone,
    H: BuildHasher,
{
    /// Judges every entry once, empty ones included, and removes those that are not to be retained: exactly
    /// the entries that were judged. What has expired is swept unjudged.
    pub(crate) fn retain_in(&self, guard: &Guard, retain: impl FnMut(&Entry<S, P, M, K>) -> bool) {
        self.sift(guard, retain, |judged, other| ptr::eq(judged, other));
    }

    /// Removes every entry that is there throughout, however often it is changed meanwhile.
    pub(crate) fn clear_in(&self, guard: &Guard) {
        self.sift(guard, |_| false, |met, other| met.incarnation() == other.incarnation());
    }

    /// Removes what is not to be retained, and whatever has taken its place that is the `same`.
    fn sift(
        &self,
        guard: &Guard,
        mut retain: impl FnMut(&Entry<S, P, M, K>) -> bool,
        same: impl Fn(&Entry<S, P, M, K>, &Entry<S, P, M, K>) -> bool,
    ) {
        let mut scan = self.view(guard).walk();
        while let Some(met) = scan.next_met(&any, &any) {
            let (entry, condemned) = match met {
                Met::Current(entry) if retain(entry) => continue,
                Met::Current(entry) => (entry, true),
                Met::Expired(entry) => (entry, false),
            };
            let meant = |other: &_, _: Option<&_>| same(entry, other);
            self.apply(entry.block().hash(), guard, None, meant, |current, _| {
                if condemned && current.is_some() { Step::Remove } else { Step::Leave(None) }
            });
        }
    }

    /// Removes what is due, in order of time. Takes time in proportion to what is due.
    ///
    /// Destructors that panic do not keep it from the rest; the first panic goes on in the end.
    pub(crate) fn purge(&self) -> usize {
        // What is made meanwhile is not looked for: under a clock that stands still it may be due at once,
        // and be made by the destructor of what is purged.
        let end = Due::new(self.clock.now(), self.last_incarnation());
        let mut purged = 0;
        let mut first_panic = None;
        let mut last = None;
        loop {
            let batch = self.deadlines.due(last, end);
            let Some((due, _)) = batch.last() else { break };
            last = Some(*due);
            for (due, hash) in batch {
                purged += usize::from(self.purge_one(due, hash));
                keep_first(&mut first_panic, || self.settle());
            }
        }
        keep_first(&mut first_panic, || self.tell_purge(purged));
        keep_first(&mut first_panic, || self.free_due());
        if let Some(panic) = first_panic {
            panic::resume_unwind(panic);
        }
        purged
    }

    /// Settles one item that is due: its entry is removed if it has expired, and filed anew if it was
    /// renewed.
    fn purge_one(&self, due: Due, hash: u64) -> bool {
        let ours = self.deadlines.withdraw(due);
        let guard = self.store.pin();
        // The pin has none where there is one around it.
        fence_of_deadlines();
        let its_own =
            |entry: &Entry<S, P, M, K>, _: Option<&_>| entry.incarnation() == due.incarnation();
        // Leaving it is enough: the write engine removes what has expired.
        let applied = self.apply(hash, &guard, None, its_own, |_, _| Step::Leave(None));
        if ours
            && let Some(entry) = applied.before
            && entry.is_timed()
        {
            self.file_item(entry.place(), hash, &guard);
        }
        applied.swept.is_some()
    }
}

impl<S, P, M, K, H> Registry<S, P, M, K, H>
where
    S: Clone,
    P: Clone,
    M: Clone,
    K: Hash + Eq + Clone,
    H: BuildHasher,
{
    /// Takes a node's bindings from every entry, one after the other; returns whose went.
    pub(crate) fn evict(&self, node: &str) -> Vec<K> {
        let members = self.children_on(node);
        let mut changed = Vec::new();
        for (at, member) in members.iter().enumerate() {
            if let Some(later) = members.get(at + AHEAD) {
                self.store.prefetch_removal(later);
            }
            if self.take_sole(member, node) {
                changed.push(member.id().clone());
                self.conclude(|| {});
                continue;
            }
            let edited = self.edit(member.id(), false, |hash, current, spare| {
                // Before there is another.
                drop(spare);
                let Some(current) = current.filter(|entry| entry.pid_on(node).is_some()) else {
                    return Step::Leave(None);
                };
                let others = current.bindings().iter().filter(|(bound, _)| *bound != node);
                let rest: Bindings<P> = others.cloned().collect();
                if rest.is_empty() {
                    Step::Remove
                } else {
                    let body = current.rebound(rest);
                    Step::Put(self.store.draft(hash, current.id().clone(), body))
                }
            });
            if edited.written {
                changed.push(member.id().clone());
            }
            self.conclude(|| {});
        }
        // Before the result is ready: it would leak if a destructor panicked after it.
        drop(members);
        changed
    }

    /// Removes this very entry if the node is all that it is bound to: most are, and there is nothing to
    /// copy then.
    fn take_sole(&self, member: &Entry<S, P, M, K>, node: &str) -> bool {
        let [(sole, _)] = member.bindings() else { return false };
        if *sole != node {
            return false;
        }
        let guard = self.store.pin();
        let meant = |other: &_, _: Option<&_>| ptr::eq(member, other);
        let taken = self.apply(member.block().hash(), &guard, None, meant, |current, _| {
            if current.is_some() { Step::Remove } else { Step::Leave(None) }
        });
        taken.written
    }
}
