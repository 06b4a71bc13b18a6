//! Reads: what is current, by the rule of deadlines, and scans that meet every entry once.

use std::collections::HashMap;
use std::hash::Hash;
use std::ptr;

use ahash::RandomState;
use equivalent::Equivalent;
use smallvec::SmallVec;
use smol_str::SmolStr;

use crate::clock::Clock;
use crate::entry::{Entry, OwnedEntry};
use crate::raw::{Dim, Element, Found, Members, Store, Verdict, Walk};
use crate::state::Registry;
use crate::sync::Guard;

/// How many lookups of a batch overlap.
pub(crate) const BATCH: usize = 16;

/// The answers to a batch of lookups, in the order of the ids.
pub(crate) type Batch<'g, S, P, M, K> = SmallVec<[Option<&'g Entry<S, P, M, K>>; BATCH]>;

/// Judges an entry that was found: it counts if `wanted` and if its deadline has not passed.
///
/// Who finds a passed deadline looks at the slot again **after** the clock. Is the entry still there, then it
/// was current and expired at that instant: absent. Else it may have been renewed in time: look again.
#[inline(always)]
pub(crate) fn judge<S, P, M, K>(
    found: &Found<'_, Entry<S, P, M, K>>,
    clock: &Clock,
    wanted: impl FnOnce(&Entry<S, P, M, K>) -> bool,
) -> Verdict {
    let entry = found.entry();
    if !wanted(entry) {
        Verdict::Absent
    } else if found.is_special() {
        judge_by_clock(*found, clock)
    } else {
        Verdict::Take
    }
}

/// The same of an entry that is wanted and may have a deadline. Cold, so that lookups of others keep no
/// registers free for it.
#[cold]
#[inline(never)]
fn judge_by_clock<S, P, M, K>(found: Found<'_, Entry<S, P, M, K>>, clock: &Clock) -> Verdict {
    if !found.entry().is_expired(clock) {
        Verdict::Take
    } else if found.unchanged() {
        Verdict::Absent
    } else {
        Verdict::Again
    }
}

/// An entry that is not empty: what most reads want.
#[inline]
pub(crate) fn bound<S, P, M, K>(entry: &Entry<S, P, M, K>) -> bool {
    !entry.is_empty()
}

/// Any entry, empty ones included.
#[inline]
pub(crate) fn any<S, P, M, K>(_: &Entry<S, P, M, K>) -> bool {
    true
}

/// A registry as it is read under one pin.
pub(crate) struct View<'g, S, P, M, K> {
    store: &'g Store<Entry<S, P, M, K>>,
    clock: &'g Clock,
    guard: &'g Guard,
}

impl<S, P, M, K> Clone for View<'_, S, P, M, K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S, P, M, K> Copy for View<'_, S, P, M, K> {}

impl<S, P, M, K, H> Registry<S, P, M, K, H> {
    #[inline]
    pub(crate) fn view<'g>(&'g self, guard: &'g Guard) -> View<'g, S, P, M, K> {
        View { store: &self.store, clock: &self.clock, guard }
    }
}

impl<'g, S, P, M, K> View<'g, S, P, M, K> {
    /// The current entry of an id, if it is `wanted` and has not expired. What is not special is, whoever asks.
    // Into every caller: with a call and the saving of registers a lookup that waits for memory takes a
    // fifth longer.
    #[inline(always)]
    pub(crate) fn find<Q>(
        self,
        hash: u64,
        id: &Q,
        wanted: impl Fn(&Entry<S, P, M, K>) -> bool,
    ) -> Option<&'g Entry<S, P, M, K>>
    where
        Q: Equivalent<K> + ?Sized,
    {
        let clock = self.clock;
        let judge = move |found: &Found<'g, _>| judge(found, clock, &wanted);
        self.store.look_up(hash, |key| id.equivalent(key), judge, self.guard)
    }

    /// The current entry of an id, of any kind, for who is going to read all of it.
    pub(crate) fn find_whole<Q>(self, hash: u64, id: &Q) -> Option<&'g Entry<S, P, M, K>>
    where
        Q: Equivalent<K> + ?Sized,
    {
        let judge = |found: &Found<'g, _>| judge(found, self.clock, any);
        self.store.look_up_whole(hash, |key| id.equivalent(key), judge, self.guard)
    }

    /// The entries of several ids; the misses of the cache overlap.
    pub(crate) fn find_array<Q, const N: usize>(
        self,
        ids: [&Q; N],
        hash: impl Fn(&Q) -> u64,
    ) -> [Option<&'g Entry<S, P, M, K>>; N]
    where
        Q: Equivalent<K> + ?Sized,
    {
        self.store.look_up_many(
            |at| hash(ids[at]),
            |at, key| ids[at].equivalent(key),
            |found| judge(found, self.clock, bound),
            self.guard,
        )
    }

    /// The entries of at most [`BATCH`] ids; the misses of the cache overlap.
    pub(crate) fn find_batch<Q>(self, ids: &[&Q], hash: impl Fn(&Q) -> u64) -> Batch<'g, S, P, M, K>
    where
        Q: Equivalent<K> + ?Sized,
    {
        let Some(first) = ids.first() else {
            return SmallVec::new();
        };
        // A short batch is filled up with its first id, whose cache lines are on their way anyway.
        let filler = hash(first);
        let id = |at: usize| *ids.get(at).unwrap_or(first);
        let found = self.store.look_up_many(
            |at| if (1..ids.len()).contains(&at) { hash(ids[at]) } else { filler },
            |at, key| id(at).equivalent(key),
            |found| judge(found, self.clock, bound),
            self.guard,
        );
        let mut found = Batch::from_buf(found);
        found.truncate(ids.len());
        found
    }

    /// A scan of everything.
    pub(crate) fn walk(self) -> Scan<'g, S, P, M, K> {
        Scan::new(self, Source::Walk(self.store.walk(self.guard)))
    }

    /// A scan of what carries a name.
    pub(crate) fn members(self, dim: Dim, name: &str) -> Scan<'g, S, P, M, K> {
        let members = self.store.members(dim, name, self.guard);
        Scan::new(self, Source::Members(members))
    }

    /// How many members the set of a name has.
    pub(crate) fn member_count(self, dim: Dim, name: &str) -> usize {
        self.store.member_count(dim, name, self.guard)
    }

    /// The names that have members.
    pub(crate) fn names(self, dim: Dim) -> impl Iterator<Item = &'g SmolStr> {
        let names = self.store.names(dim, self.guard);
        names.into_iter().map(|(name, _)| name)
    }
}

#[allow(clippy::large_enum_variant, reason = "a box would cost each query an allocation")]
enum Source<'g, S, P, M, K> {
    Members(Members<'g, Entry<S, P, M, K>>),
    Walk(Walk<'g, Entry<S, P, M, K>>),
}

/// What a scan has come upon.
pub(crate) enum Met<'g, S, P, M, K> {
    Current(&'g Entry<S, P, M, K>),
    /// It is absent, though not yet swept.
    Expired(&'g Entry<S, P, M, K>),
}

/// A scan in progress, of a member set or of the whole table.
///
/// What satisfies the query during the whole scan is met exactly once. An id that was absent at some instant
/// may be met twice, the two being different entries.
pub(crate) struct Scan<'g, S, P, M, K> {
    view: View<'g, S, P, M, K>,
    /// `None` once it has come to its end, so that it stays there.
    source: Option<Source<'g, S, P, M, K>>,
    /// Entries that were not found where the scan stood, but by looking an id up again: should the scan
    /// come upon one of them later, it has been met already.
    ahead: Vec<&'g Entry<S, P, M, K>>,
}

impl<'g, S, P, M, K> Scan<'g, S, P, M, K> {
    fn new(view: View<'g, S, P, M, K>, source: Source<'g, S, P, M, K>) -> Self {
        Self { view, source: Some(source), ahead: Vec::new() }
    }

    /// The name whose members are scanned, as the index keeps it; `None` if it has no members.
    pub(crate) fn name(&self) -> Option<&'g SmolStr> {
        match &self.source {
            Some(Source::Members(members)) => members.name(),
            Some(Source::Walk(_)) | None => None,
        }
    }

    /// The next entry that is `wanted`. `carries` says of an entry found elsewhere whether it is in the set
    /// that is being scanned at all.
    #[inline]
    pub(crate) fn next_met(
        &mut self,
        wanted: &impl Fn(&Entry<S, P, M, K>) -> bool,
        carries: &impl Fn(&Entry<S, P, M, K>) -> bool,
    ) -> Option<Met<'g, S, P, M, K>>
    where
        K: Eq,
    {
        loop {
            let found = match self.source.as_mut()? {
                Source::Members(members) => members.next(),
                Source::Walk(walk) => walk.next(),
            };
            let Some(found) = found else {
                self.source = None;
                return None;
            };
            if !wanted(found.entry()) {
                continue;
            }
            let met = self.judge(&found, wanted, carries);
            if met.is_some() {
                return met;
            }
        }
    }

    /// Whether the scan was ahead of itself when it met this entry.
    #[inline]
    fn has_met(&self, entry: &Entry<S, P, M, K>) -> bool {
        self.ahead.iter().any(|met| ptr::eq(*met, entry))
    }

    /// What has become of an entry that had expired and was changed before that was sure.
    #[cold]
    #[inline(never)]
    fn meet_again(
        &mut self,
        entry: &'g Entry<S, P, M, K>,
        fits: impl Fn(&Entry<S, P, M, K>) -> bool,
    ) -> Option<Met<'g, S, P, M, K>>
    where
        K: Eq,
    {
        let View { store, clock, guard } = self.view;
        let current = store.look_closely(
            entry.block().hash(),
            |key| key == entry.id(),
            |found| judge(found, clock, &fits),
            guard,
        );
        match current {
            Some(entry) if !self.has_met(entry) => {
                self.ahead.push(entry);
                Some(Met::Current(entry))
            }
            // Nobody has renewed it, a migration has moved it.
            None if entry.is_expired(clock) => Some(Met::Expired(entry)),
            _ => None,
        }
    }

    /// The next entry that is `wanted` and has not expired.
    #[inline(always)]
    pub(crate) fn next(
        &mut self,
        wanted: impl Fn(&Entry<S, P, M, K>) -> bool + Copy,
        carries: impl Fn(&Entry<S, P, M, K>) -> bool + Copy,
    ) -> Option<&'g Entry<S, P, M, K>>
    where
        K: Eq,
    {
        let Some(Source::Members(members)) = &mut self.source else {
            return self.next_closely(None, wanted, carries);
        };
        let entry = loop {
            let entry = members.next_element()?;
            if wanted(entry) {
                break entry;
            }
        };
        // Most have no deadline, so that this is all, and little enough to become part of the caller.
        if !entry.block().is_timed() && self.ahead.is_empty() {
            Some(entry)
        } else {
            let met = members.met();
            self.next_closely(met, wanted, carries)
        }
    }

    /// The member that was just met, if there is one and it has not expired, or the next entry, one by one.
    #[inline(never)]
    fn next_closely(
        &mut self,
        member: Option<Found<'g, Entry<S, P, M, K>>>,
        wanted: impl Fn(&Entry<S, P, M, K>) -> bool,
        carries: impl Fn(&Entry<S, P, M, K>) -> bool,
    ) -> Option<&'g Entry<S, P, M, K>>
    where
        K: Eq,
    {
        let mut met = member.and_then(|found| self.judge(&found, &wanted, &carries));
        loop {
            if let Some(Met::Current(entry)) = met {
                return Some(entry);
            }
            met = Some(self.next_met(&wanted, &carries)?);
        }
    }

    /// What has been met, if anything.
    #[inline]
    fn judge(
        &mut self,
        found: &Found<'g, Entry<S, P, M, K>>,
        wanted: &impl Fn(&Entry<S, P, M, K>) -> bool,
        carries: &impl Fn(&Entry<S, P, M, K>) -> bool,
    ) -> Option<Met<'g, S, P, M, K>>
    where
        K: Eq,
    {
        let entry = found.entry();
        match judge(found, self.view.clock, any) {
            Verdict::Take if self.has_met(entry) => None,
            Verdict::Take => Some(Met::Current(entry)),
            Verdict::Absent => Some(Met::Expired(entry)),
            Verdict::Again => self.meet_again(entry, |entry| wanted(entry) && carries(entry)),
        }
    }
}

/// Collects what a scan meets, each id once; of two entries of one id the later is kept.
///
/// Only an entry that was current and is no more can have been met besides another of its id, and it is
/// marked before it is replaced: where no mark is set by now, while still pinned, no id came twice.
pub(crate) fn gather<'g, S, P, M, K>(
    entries: impl Iterator<Item = &'g Entry<S, P, M, K>>,
) -> Vec<&'g Entry<S, P, M, K>>
where
    S: 'g,
    P: 'g,
    M: 'g,
    K: Hash + Eq + 'g,
{
    let mut entries: Vec<_> = entries.collect();
    if entries.iter().any(|entry| entry.block().superseded()) {
        let mut last = HashMap::with_capacity_and_hasher(entries.len(), RandomState::new());
        for (at, entry) in entries.iter().enumerate() {
            last.insert(entry.id(), at);
        }
        let mut at = 0;
        entries.retain(|entry| {
            at += 1;
            last[entry.id()] == at - 1
        });
    }
    entries
}

/// The same, kept: to be copied from when the pin has ended.
pub(crate) fn keep<'g, S, P, M, K>(
    entries: impl Iterator<Item = &'g Entry<S, P, M, K>>,
) -> Vec<OwnedEntry<S, P, M, K>>
where
    S: 'g,
    P: 'g,
    M: 'g,
    K: Hash + Eq + 'g,
{
    gather(entries).into_iter().map(Entry::share).collect()
}

/// What `copy` makes of each entry. The entries go before the list is ready: it would leak if a destructor
/// panicked after that.
pub(crate) fn copied<S, P, M, K, T>(
    entries: Vec<OwnedEntry<S, P, M, K>>,
    copy: impl FnMut(&OwnedEntry<S, P, M, K>) -> Option<T>,
) -> Vec<T> {
    let list = entries.iter().filter_map(copy).collect();
    drop(entries);
    list
}

impl<S, P, M, K: Hash + Eq, H> Registry<S, P, M, K, H> {
    /// Every entry that has not expired, empty ones included, each id once, to be used unpinned.
    pub(crate) fn keep_all(&self) -> Vec<OwnedEntry<S, P, M, K>> {
        let guard = self.store.pin();
        let mut scan = self.view(&guard).walk();
        keep(std::iter::from_fn(|| scan.next(any, any)))
    }
}
