//! The store: a primary index, two directories of member sets, and their limbo.

use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::Arc;

use smol_str::SmolStr;

use super::block::{Block, Dim, Element};
use super::directory::Directory;
use super::draft::Draft;
use super::limbo::Limbo;
use super::operation::Operation;
use super::pages::Pages;
use super::prefetch::prefetch_rest;
use super::primary::{Flagged, Found, Glance, Index, PER_BUCKET};
use super::query::Members;
#[cfg(feature = "tracing")]
use super::resizes::Resize;
use super::walk::Walk;
use crate::striped::Striped;
use crate::sync::{self, Guard};

/// Elements by key, by name in two dimensions, and all of them.
#[derive(Debug)]
pub(crate) struct Store<E: Element> {
    pub(super) primary: Index<E>,
    directories: [Directory; 2],
    /// How many elements do not count as live.
    pub(super) empty: Striped,
    // Last: what the fields above retire while they go goes with it.
    pub(super) limbo: Limbo,
    /// A store shares its elements as an `Arc` does: a `Counted` may stay behind on one thread
    /// while the store moves to another. So both `Send` and `Sync` take both of `E`.
    _shares: PhantomData<Arc<E>>,
}

/// What to do about an element that was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Take,
    Absent,
    /// It has changed meanwhile: find again.
    Again,
}

impl<E: Element> Store<E> {
    /// A store for `capacity` elements before it grows.
    pub(crate) fn new(capacity: usize, pages: Pages) -> Self {
        sync::get_ready();
        Store {
            primary: Index::new(capacity, pages),
            directories: [Dim::FIRST, Dim::SECOND].map(|dim| Directory::new(dim, pages)),
            empty: Striped::new(),
            limbo: Limbo::new(),
            _shares: PhantomData,
        }
    }

    pub(super) fn directory(&self, dim: Dim) -> &Directory {
        &self.directories[dim.number()]
    }

    /// Pins this thread.
    #[inline]
    pub(crate) fn pin(&self) -> Guard {
        sync::pin()
    }

    /// Asks for the lines of a hash, best before the pin.
    #[inline(always)]
    pub(crate) fn prefetch(&self, hash: u64) {
        self.primary.prefetch(hash);
    }

    /// The same for an element that is going to be removed, with the lines in which its places are.
    #[inline]
    pub(crate) fn prefetch_removal(&self, element: &E) {
        self.prefetch(element.block().hash());
        element.block().places().iter().for_each(|place| place.prefetch());
    }

    /// `N` times [`look_up`](Self::look_up), with cache misses that overlap, of the hashes and keys that
    /// `hash` and `eq` know by their number. Linearization: L1, each by itself.
    #[inline(always)]
    pub(crate) fn look_up_many<'g, const N: usize>(
        &'g self,
        hash: impl Fn(usize) -> u64,
        eq: impl Fn(usize, &E::Key) -> bool,
        judge: impl Fn(&Found<'g, E>) -> Verdict,
        guard: &'g Guard,
    ) -> [Option<&'g E>; N] {
        self.primary.find_many(
            hash,
            |i, hash, element| is_of(element, hash, |key| eq(i, key)),
            |i, hash| self.look_closely(hash, |key| eq(i, key), &judge, guard),
            guard,
        )
    }

    /// The current element with a key that `eq` takes: one that is live and has no deadline as it is, any
    /// other if `judge` says so. Linearization: L1.
    #[inline(always)]
    pub(crate) fn look_up<'g>(
        &'g self,
        hash: u64,
        mut eq: impl FnMut(&E::Key) -> bool,
        judge: impl FnMut(&Found<'g, E>) -> Verdict,
        guard: &'g Guard,
    ) -> Option<&'g E> {
        match self.primary.glance(hash, |element| is_of(element, hash, &mut eq), guard) {
            Glance::Plain(element) => Some(element),
            Glance::Absent => None,
            Glance::Flagged(flagged) => self.look_at(flagged, hash, eq, judge, guard),
            Glance::Unclear => self.look_closely(hash, eq, judge, guard),
        }
    }

    /// The same, beginning with what a glance has shown. Out of line, so that lookups of what is not special
    /// keep no registers free for it.
    #[cold]
    #[inline(never)]
    fn look_at<'g>(
        &'g self,
        flagged: Flagged<'g, E>,
        hash: u64,
        mut eq: impl FnMut(&E::Key) -> bool,
        judge: impl FnMut(&Found<'g, E>) -> Verdict,
        guard: &'g Guard,
    ) -> Option<&'g E> {
        let met = flagged.found().filter(|found| is_of(found.entry(), hash, &mut eq));
        self.settle(met, hash, move |element| is_of(element, hash, &mut eq), judge, guard)
    }

    /// The same in full: `judge` says of whatever is found.
    #[cold]
    #[inline(never)]
    pub(crate) fn look_closely<'g>(
        &'g self,
        hash: u64,
        mut eq: impl FnMut(&E::Key) -> bool,
        judge: impl FnMut(&Found<'g, E>) -> Verdict,
        guard: &'g Guard,
    ) -> Option<&'g E> {
        self.settle(None, hash, move |element| is_of(element, hash, &mut eq), judge, guard)
    }

    /// The same, for who is going to read all of the element.
    pub(crate) fn look_up_whole<'g>(
        &'g self,
        hash: u64,
        mut eq: impl FnMut(&E::Key) -> bool,
        judge: impl FnMut(&Found<'g, E>) -> Verdict,
        guard: &'g Guard,
    ) -> Option<&'g E> {
        let accept = move |element: &E| {
            prefetch_rest(element, Block::<E>::USUAL);
            is_of(element, hash, &mut eq)
        };
        self.settle(None, hash, accept, judge, guard)
    }

    /// Judges what has been met, if anything, or else what is found, and once more for as long as that is
    /// replaced before it is judged.
    #[inline(always)]
    fn settle<'g>(
        &'g self,
        mut met: Option<Found<'g, E>>,
        hash: u64,
        mut accept: impl FnMut(&E) -> bool,
        mut judge: impl FnMut(&Found<'g, E>) -> Verdict,
        guard: &'g Guard,
    ) -> Option<&'g E> {
        loop {
            let found = match met.take() {
                Some(found) => found,
                None => self.primary.find(hash, &mut accept, guard)?,
            };
            match judge(&found) {
                Verdict::Take => return Some(found.entry()),
                Verdict::Absent => return None,
                Verdict::Again => {}
            }
        }
    }

    /// The same, with a pin of its own.
    #[inline]
    pub(crate) fn look_up_pinned<'r>(
        &'r self,
        hash: u64,
        eq: impl FnMut(&E::Key) -> bool,
        judge: impl FnMut(&Found<'_, E>) -> Verdict,
    ) -> Option<PinnedRef<'r, E>> {
        self.prefetch(hash);
        let guard = self.pin();
        let element = NonNull::from(self.look_up(hash, eq, judge, &guard)?);
        Some(PinnedRef { element, _guard: guard, _store: PhantomData })
    }

    /// The current elements that carry a name: one that does so throughout comes exactly once.
    pub(crate) fn members<'g>(&'g self, dim: Dim, name: &str, guard: &'g Guard) -> Members<'g, E> {
        Members::new(&self.primary, self.directory(dim).get(name, guard), guard)
    }

    /// All elements: one that is there throughout comes exactly once.
    pub(crate) fn walk<'g>(&'g self, guard: &'g Guard) -> Walk<'g, E> {
        self.primary.walk(guard)
    }

    /// The names of a dimension that have members, each once, with how many.
    pub(crate) fn names<'g>(&'g self, dim: Dim, guard: &'g Guard) -> Vec<(&'g SmolStr, usize)> {
        self.directory(dim).names(guard)
    }

    /// How many elements carry a name; exact when nobody writes.
    pub(crate) fn member_count(&self, dim: Dim, name: &str, guard: &Guard) -> usize {
        self.directory(dim).get(name, guard).map_or(0, |set| set.set().len())
    }

    /// An element that is not published yet.
    #[inline(always)]
    pub(crate) fn draft(&self, hash: u64, key: E::Key, value: E::Value) -> Draft<E> {
        Draft::new(hash, key, value, |layout| self.limbo.room(layout))
    }

    /// One write operation on the keys of a hash.
    pub(crate) fn operation<'g>(&'g self, hash: u64, guard: &'g Guard) -> Operation<'g, E> {
        Operation::new(self, hash, guard)
    }

    /// How many elements; exact when nobody writes.
    pub(crate) fn len(&self) -> usize {
        self.primary.len()
    }

    /// How many of them are live; exact when nobody writes.
    pub(crate) fn live_len(&self) -> usize {
        self.len().saturating_sub(self.empty.sum())
    }

    /// How many elements the primary table is meant for.
    pub(crate) fn capacity(&self) -> usize {
        self.primary.root(&self.pin()).buckets() * PER_BUCKET
    }

    /// Makes room for `additional` more elements.
    pub(crate) fn reserve(&self, additional: usize) {
        let log2 = Index::<E>::log2_for(self.len().saturating_add(additional));
        Index::<E>::check_size(log2);
        if log2 > self.primary.root(&self.pin()).log2() {
            self.primary.resize_by(&self.limbo, |now| (now < log2).then_some(now + 1));
        }
    }

    /// Moves what is left of tables that are being replaced.
    pub(crate) fn finish_resizes(&self) {
        self.primary.finish_resize(&self.limbo);
        for directory in &self.directories {
            directory.finish_resize(&self.limbo);
        }
    }

    /// Gives back what memory is not needed.
    pub(crate) fn shrink_to_fit(&self) {
        self.primary.shrink_to_fit(&self.limbo);
        for directory in &self.directories {
            directory.shrink_to_fit(&self.limbo);
        }
        self.limbo.collect();
        self.limbo.shrink();
    }

    /// Whether a table has been replaced, or is being replaced, and nobody has taken note.
    #[cfg(feature = "tracing")]
    #[inline]
    pub(crate) fn has_resized(&self) -> bool {
        !self.primary.resizes.is_empty()
            || self.directories.iter().any(|directory| !directory.resizes().is_empty())
    }

    /// What has become of the tables since the last call: of elements, or of names in a dimension.
    #[cfg(feature = "tracing")]
    pub(crate) fn take_resizes(&self) -> impl Iterator<Item = (Option<Dim>, Resize)> {
        let names = self.directories.iter().flat_map(|directory| {
            let resizes = directory.resizes().take();
            resizes.into_iter().map(|resize| (Some(directory.dim()), resize))
        });
        let elements = self.primary.resizes.take();
        elements.into_iter().map(|resize| (None, resize)).chain(names)
    }

    /// Frees a little of what is due, unless this thread is pinned. Runs destructors.
    #[inline]
    pub(crate) fn reclaim(&self) {
        self.limbo.reclaim();
    }

    /// Frees all that is due; only seals it while this thread is pinned. Runs destructors.
    pub(crate) fn collect(&self) {
        self.limbo.collect();
    }
}

impl<E: Element> Index<E> {
    pub(super) fn shrink_to_fit(&self, limbo: &Limbo) {
        self.resize_by(limbo, |now| (Self::log2_for(self.len()) < now).then(|| now - 1));
    }
}

/// Whether an element has a key that `eq` takes, under that hash.
#[inline(always)]
fn is_of<E: Element>(element: &E, hash: u64, eq: impl FnOnce(&E::Key) -> bool) -> bool {
    let block = element.block();
    eq(block.key()) && block.may_have(hash)
}

/// An element with the pin that keeps it.
pub(crate) struct PinnedRef<'r, E: Element> {
    element: NonNull<E>,
    _guard: Guard,
    _store: PhantomData<&'r Store<E>>,
}

impl<E: Element> Deref for PinnedRef<'_, E> {
    type Target = E;

    fn deref(&self) -> &E {
        // SAFETY: found under the pin that lives as long as this (I8).
        unsafe { self.element.as_ref() }
    }
}
