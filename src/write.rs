//! The one place that publishes and unpublishes an entry.
//!
//! Every write is a call of [`Registry::apply`]: find what is current, decide, and make it so by one
//! compare-and-swap on the word that holds it; if that has changed meanwhile, decide again on the newer
//! entry. (The end of a lease, which asks nothing of ids, has a loop of its own.) The compare-and-swap is the
//! linearization point of every write that writes, for all indexes at once; a write that leaves things as
//! they are linearizes where it found them.
//!
//! What has expired is absent. A writer reads the clock last, after everything else and before its
//! compare-and-swap, so that nothing is made of an entry whose time was over. And one that would answer
//! "absent" because of a passed deadline **removes** the entry: had somebody renewed it in time, the
//! removal would fail. That is for writers what the second look at the slot is for readers.

use std::hash::{BuildHasher, Hash};
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::ptr;
use std::time::Duration;

use equivalent::Equivalent;

use crate::child::Child;
use crate::entry::{Body, Entry, OwnedEntry};
use crate::hooks::{Event, HookKey, Hooks};
use crate::name::Node;
use crate::panics::discard;
use crate::raw::{Draft, Held};
use crate::state::Registry;
use crate::sync::Guard;

/// An entry that is written but not published.
pub(crate) type NewEntry<S, P, M, K> = Draft<Entry<S, P, M, K>>;

/// What a writer wants done about what is current.
pub(crate) enum Step<S, P, M, K> {
    /// Nothing; a draft that is no longer wanted goes back to the caller.
    Leave(Option<NewEntry<S, P, M, K>>),
    /// This is to take its place, or to become current where nothing is.
    Put(NewEntry<S, P, M, K>),
    /// It is to go.
    Remove,
}

/// What came of a write.
pub(crate) struct Applied<'g, S, P, M, K> {
    /// What was current before; nothing if that had expired.
    pub(crate) before: Option<&'g Entry<S, P, M, K>>,
    /// What has been current since.
    pub(crate) after: Option<&'g Entry<S, P, M, K>>,
    /// Whether this call has made the difference.
    pub(crate) written: bool,
    /// An expired entry that went in passing.
    pub(crate) swept: Option<&'g Entry<S, P, M, K>>,
    /// The draft that was not wanted.
    pub(crate) rejected: Option<NewEntry<S, P, M, K>>,
}

/// What came of an edit.
pub(crate) struct Edited<S, P, M, K> {
    /// What was there. Its last owner may be this: so it goes when the write has been told, and before the
    /// caller's own result is ready, which would leak if a destructor panicked.
    _before: Option<OwnedEntry<S, P, M, K>>,
    /// What took the place of what was there, if the caller wants to keep it.
    pub(crate) after: Option<OwnedEntry<S, P, M, K>>,
    pub(crate) written: bool,
}

impl<S, P, M, K, H> Registry<S, P, M, K, H> {
    /// The write engine. `accept` says which entry of the hash is meant, `decide` what is to be done about
    /// it; both see every newer entry, and the draft if it has not been published yet.
    ///
    /// Lock-free: it starts over only where another write has succeeded.
    pub(crate) fn apply<'g>(
        &'g self,
        hash: u64,
        guard: &'g Guard,
        mut draft: Option<NewEntry<S, P, M, K>>,
        mut accept: impl FnMut(&Entry<S, P, M, K>, Option<&NewEntry<S, P, M, K>>) -> bool,
        mut decide: impl FnMut(
            Option<&'g Entry<S, P, M, K>>,
            Option<NewEntry<S, P, M, K>>,
        ) -> Step<S, P, M, K>,
    ) -> Applied<'g, S, P, M, K>
    where
        K: Eq + Clone,
    {
        let mut operation = self.store.operation(hash, guard);
        // What is a later version replaces something.
        let first = draft.as_mut().filter(|draft| draft.rest().version == 1);
        let mut absent = first.is_some_and(|draft| operation.prepare(draft));
        loop {
            // An insert looks for the key itself.
            let held = if mem::take(&mut absent) {
                None
            } else {
                operation.locate(|entry| accept(entry, draft.as_ref()))
            };
            let base = held.as_ref().map(Held::entry);
            let current = base.filter(|entry| !entry.is_expired(&self.clock));
            // What has expired stays so; only what had not needs another look at the clock.
            let still = || current.is_none_or(|entry| !entry.is_expired(&self.clock));

            match decide(current, draft.take()) {
                Step::Leave(rejected) => {
                    let mut swept = None;
                    if let (Some(held), None) = (&held, current) {
                        if !operation.remove(held, || true) {
                            draft = rejected;
                            continue;
                        }
                        swept = base;
                        self.file(hash, base, None, guard);
                    }
                    return Applied {
                        before: current,
                        after: current,
                        written: false,
                        swept,
                        rejected,
                    };
                }
                Step::Put(mut new) => {
                    if new.rest().version == 1 {
                        // Not before: it is to be greater than that of what it replaces.
                        new.rest_mut().incarnation = self.next_incarnation();
                    }
                    let published = match &held {
                        Some(held) => operation.replace(held, new, still),
                        None => {
                            let incarnation = new.rest().incarnation;
                            let unwinding = Unwinding { registry: self, hash, incarnation, guard };
                            let inserted = operation.insert(new);
                            mem::forget(unwinding);
                            inserted
                        }
                    };
                    match published {
                        Ok(after) => {
                            self.file(hash, base, Some(after), guard);
                            return Applied {
                                before: current,
                                after: Some(after),
                                written: true,
                                swept: None,
                                rejected: None,
                            };
                        }
                        Err(back) => draft = Some(back),
                    }
                }
                Step::Remove => {
                    let removed = match &held {
                        Some(held) => operation.remove(held, still),
                        None => unreachable!("only what is current is to be removed"),
                    };
                    if removed {
                        self.file(hash, base, None, guard);
                        return Applied {
                            before: current,
                            after: None,
                            written: true,
                            swept: None,
                            rejected: None,
                        };
                    }
                }
            }
        }
    }

    /// Unconditional: whatever is there is replaced by a new incarnation.
    pub(crate) fn put<'g>(
        &'g self,
        hash: u64,
        guard: &'g Guard,
        draft: NewEntry<S, P, M, K>,
    ) -> Applied<'g, S, P, M, K>
    where
        K: Eq + Clone,
    {
        self.apply(hash, guard, Some(draft), same_id, |_, draft| match draft {
            Some(draft) => Step::Put(draft),
            None => unreachable!("the draft of an insert comes back until it is published"),
        })
    }

    /// Only where nothing is, or something empty; else the draft is rejected.
    pub(crate) fn put_if_vacant<'g>(
        &'g self,
        hash: u64,
        guard: &'g Guard,
        draft: NewEntry<S, P, M, K>,
    ) -> Applied<'g, S, P, M, K>
    where
        K: Eq + Clone,
    {
        self.apply(hash, guard, Some(draft), same_id, |current, draft| match (current, draft) {
            (Some(current), draft) if !current.is_empty() => Step::Leave(draft),
            (_, Some(draft)) => Step::Put(draft),
            (_, None) => unreachable!("the draft of an insert comes back until it is published"),
        })
    }

    /// Removes an entry of any kind if `condemn` says so of it.
    pub(crate) fn take_if<'g, Q>(
        &'g self,
        hash: u64,
        guard: &'g Guard,
        id: &Q,
        mut condemn: impl FnMut(&Entry<S, P, M, K>) -> bool,
    ) -> Applied<'g, S, P, M, K>
    where
        Q: Equivalent<K> + ?Sized,
        K: Eq + Clone,
    {
        self.apply(
            hash,
            guard,
            None,
            |entry, _| id.equivalent(entry.id()),
            |current, _| match current {
                Some(current) if condemn(current) => Step::Remove,
                _ => Step::Leave(None),
            },
        )
    }

    /// Removes the entry of an incarnation, whatever has become of it; one that has expired goes, and was not
    /// there any more.
    ///
    /// Asks nothing of ids, so that no code of theirs runs: an incarnation is never used again. Lock-free, as
    /// [`apply`](Self::apply) is.
    pub(crate) fn take_incarnation<'g>(
        &'g self,
        hash: u64,
        incarnation: u64,
        guard: &'g Guard,
    ) -> Option<&'g Entry<S, P, M, K>> {
        let mut operation = self.store.operation(hash, guard);
        loop {
            let held = operation.locate(|entry| entry.incarnation() == incarnation)?;
            let entry = held.entry();
            let expired = entry.is_expired(&self.clock);
            if operation.remove(&held, || expired || !entry.is_expired(&self.clock)) {
                self.file(hash, Some(entry), None, guard);
                return (!expired).then_some(entry);
            }
        }
    }

    /// A draft of the first version of a child.
    #[inline(never)]
    pub(crate) fn draft(
        &self,
        hash: u64,
        id: K,
        child: Child<S, P, M>,
        ttl: Option<Duration>,
    ) -> NewEntry<S, P, M, K> {
        self.store.draft(hash, id, Body::first(child, ttl, &self.clock))
    }

    /// Frees a little of what is due, and tells subscribers of resizes; does neither while this thread is
    /// pinned.
    #[inline]
    pub(crate) fn settle(&self) {
        self.tell_resizes();
        self.store.reclaim();
    }

    /// Ends a write, unpinned: tells the news, then frees what is due. The latter even if a handler panics.
    pub(crate) fn conclude(&self, tell: impl FnOnce()) {
        if let Err(panic) = panic::catch_unwind(AssertUnwindSafe(tell)) {
            // The handler's panic is the one to be told of.
            if let Err(later) = panic::catch_unwind(AssertUnwindSafe(|| self.settle())) {
                discard(later);
            }
            panic::resume_unwind(panic);
        }
        self.settle();
    }
}

impl<S, P, M, K, H> Registry<S, P, M, K, H>
where
    K: Hash + Eq + Clone,
    H: BuildHasher,
{
    /// The loop of every write that makes a new version of an old one: `plan` looks at what is current and
    /// says what is to become of it, **unpinned**, so that nobody waits however long it takes; then the plan
    /// is carried out if nothing has changed, and made anew if something has. `plan` is handed the hash of
    /// the id, and the draft that came to nothing.
    ///
    /// The entry looked at is kept by its count, so its address is its identity. Lock-free, as
    /// [`apply`](Self::apply) is. The caller [concludes](Self::conclude) the write.
    pub(crate) fn edit<Q>(
        &self,
        id: &Q,
        keep: bool,
        mut plan: impl FnMut(
            u64,
            Option<&Entry<S, P, M, K>>,
            Option<NewEntry<S, P, M, K>>,
        ) -> Step<S, P, M, K>,
    ) -> Edited<S, P, M, K>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let hash = self.hash(id);
        let mut spare = None;
        loop {
            let before = {
                self.store.prefetch(hash);
                let guard = self.store.pin();
                self.view(&guard).find_whole(hash, id).map(Entry::share)
            };
            let draft = match plan(hash, before.as_deref(), spare.take()) {
                Step::Leave(_) => {
                    return Edited { _before: before, after: None, written: false };
                }
                Step::Put(draft) => Some(draft),
                Step::Remove => None,
            };

            let guard = self.store.pin();
            let applied = self.apply(
                hash,
                &guard,
                draft,
                |entry, _| match before.as_deref() {
                    Some(before) => ptr::eq(before, entry),
                    None => id.equivalent(entry.id()),
                },
                |current, draft| match draft {
                    draft if current.is_some() != before.is_some() => Step::Leave(draft),
                    Some(draft) => Step::Put(draft),
                    None if before.is_some() => Step::Remove,
                    None => Step::Leave(None),
                },
            );
            let (written, rejected) = (applied.written, applied.rejected);
            let after = applied.after.filter(|_| written && keep).map(Entry::share);
            // The rejected draft is the user's values: they are dropped unpinned.
            drop(guard);
            if written {
                return Edited { _before: before, after, written };
            }
            spare = rejected;
        }
    }
}

/// Takes out what an insert has put in that unwinds out of the user's `Eq`: others may have committed it, and
/// nobody would be told of it, nor hold its registration.
struct Unwinding<'a, S, P, M, K, H> {
    registry: &'a Registry<S, P, M, K, H>,
    hash: u64,
    incarnation: u64,
    guard: &'a Guard,
}

impl<S, P, M, K, H> Drop for Unwinding<'_, S, P, M, K, H> {
    #[cold]
    fn drop(&mut self) {
        self.registry.take_incarnation(self.hash, self.incarnation, self.guard);
    }
}

/// Which entry an insert is about.
fn same_id<S, P, M, K: Eq>(
    entry: &Entry<S, P, M, K>,
    draft: Option<&NewEntry<S, P, M, K>>,
) -> bool {
    draft.is_some_and(|draft| draft.key() == entry.id())
}

/// Tells the handlers, if there are any, what has happened to the given bindings of an entry.
pub(crate) fn tell<S, P, M, K>(
    hooks: Option<&Hooks<P, K>>,
    kind: HookKey,
    entry: &Entry<S, P, M, K>,
    bindings: &[(Node, P)],
) {
    if let Some(hooks) = hooks
        && !bindings.is_empty()
    {
        hooks.dispatch(&Event::new(
            kind,
            entry.id(),
            bindings,
            entry.incarnation(),
            entry.version(),
        ));
    }
}
