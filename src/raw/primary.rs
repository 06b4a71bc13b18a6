//! The hash index: finding, replacing and removing elements. Inserting has a file of its own.
//!
//! The protocol with its proof is in the crate's `design` page.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};

use super::block::{Element, element};
use super::counted::give_up;
use super::limbo::Limbo;
use super::pages::Pages;
use super::prefetch::prefetch;
#[cfg(feature = "tracing")]
use super::resizes::Resizes;
use super::table::{Bucket, Table};
use super::walk::Walk;
use super::word::{Fingerprint, Link, Slot, Word};
use crate::panics::{keep_first, resume_from_drop};
use crate::striped::Striped;
use crate::sync::{AtomicTagged, Guard, MODEL, Mutant, Ordering, Step, failpoint, mutant};

/// Elements a bucket is meant for; a table of `n` buckets holds `n` times as many before it
/// grows, about.
pub(super) const PER_BUCKET: usize = if MODEL { 2 } else { 4 };

/// What an operation carries through one index: the pin it works under, where it retires to, and how
/// much it may still do for a migration. Each index has one of its own: one that all share would be
/// spent in the first, and a directory would not get any further while the entries' table grows.
pub(super) struct Context<'g> {
    pub(super) guard: &'g Guard,
    pub(super) limbo: &'g Limbo,
    /// Chunks of others' buckets that the operation may still migrate, where its own have moved.
    pub(super) chunks: Cell<usize>,
    /// Set when an insert that unwinds finds that its element was committed all the same.
    pub(super) escaped: Cell<bool>,
}

impl<'g> Context<'g> {
    pub(super) fn new(guard: &'g Guard, limbo: &'g Limbo) -> Self {
        Context { guard, limbo, chunks: Cell::new(1), escaped: Cell::new(false) }
    }
}

/// A lock-free hash index of elements.
pub(super) struct Index<E: Element> {
    /// The packed handle of the oldest table that is not wholly migrated.
    root: AtomicTagged<Bucket<E>>,
    pub(super) count: Striped,
    /// What its tables ask for.
    pub(super) pages: Pages,
    /// What has become of its tables, to be told.
    #[cfg(feature = "tracing")]
    pub(super) resizes: Resizes,
    _owns: PhantomData<E>,
}

impl<E: Element> fmt::Debug for Index<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Index").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// An element as a reader met it.
pub(crate) struct Found<'g, E: Element> {
    element: &'g E,
    slot: &'g Slot<E>,
    word: Word<E>,
    head: &'g Bucket<E>,
}

impl<E: Element> Clone for Found<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<E: Element> Copy for Found<'_, E> {}

impl<'g, E: Element> Found<'g, E> {
    #[inline(always)]
    pub(super) fn new(
        element: &'g E,
        slot: &'g Slot<E>,
        word: Word<E>,
        head: &'g Bucket<E>,
    ) -> Self {
        debug_assert_eq!(word.is_special(), element.block().is_special(), "I16");
        Found { element, slot, word, head }
    }

    /// The element.
    #[inline]
    pub(crate) fn entry(&self) -> &'g E {
        self.element
    }

    /// Whether the element is not live or has a deadline.
    #[inline(always)]
    pub(crate) fn is_special(&self) -> bool {
        self.word.is_special()
    }

    /// The slot, the word that was in it, and the first bucket of the chain.
    pub(super) fn whereabouts(&self) -> (&'g Slot<E>, Word<E>, &'g Bucket<E>) {
        (self.slot, self.word, self.head)
    }

    /// Whether the element is still the current one of its key, by a load made now. It may say no
    /// about one that is; the caller then looks again.
    pub(crate) fn unchanged(&self) -> bool {
        if mutant(Mutant::NoSecondLoad) {
            return true;
        }
        // A frozen word stays as it is for ever; it is current until its chain is MIGRATED,
        // because no writer works in the successor before.
        self.slot.load() == self.word
            && (mutant(Mutant::FrozenIsCurrent)
                || !(self.word.is_frozen() && self.head.overflow.load().is_migrated()))
    }
}

/// What a first look for a key shows.
pub(crate) enum Glance<'g, E: Element> {
    /// This one: it is accepted, live, and has no deadline.
    Plain(&'g E),
    /// A word with a flag, for it is special, frozen or pending, or has been changed meanwhile.
    Flagged(Flagged<'g, E>),
    Absent,
    /// `find` has to say.
    Unclear,
}

/// A word that a first look does not judge.
pub(crate) struct Flagged<'g, E: Element> {
    slot: &'g Slot<E>,
    word: Word<E>,
    head: &'g Bucket<E>,
    fingerprint: Fingerprint,
}

impl<'g, E: Element> Flagged<'g, E> {
    /// What it is of, if that is current and has the fingerprint.
    pub(super) fn found(self) -> Option<Found<'g, E>> {
        let Flagged { slot, word, head, fingerprint } = self;
        // If it is frozen, it stays what it is, and was current if the chain is not MIGRATED now. If it is not,
        // it was current when it was loaded (I18), whatever has become of the chain.
        if head.overflow.load().sends_on() && !mutant(Mutant::NoSecondLook) {
            return None;
        }
        // SAFETY: read while pinned from a chain that was not MIGRATED then, for it is not now (I5, I8).
        let element = unsafe { element(word.sought(fingerprint)?) };
        Some(Found::new(element, slot, word, head))
    }
}

/// An element as a writer met it: what a compare-and-swap expects.
pub(crate) struct Held<'g, E: Element> {
    index: &'g Index<E>,
    element: &'g E,
    slot: &'g Slot<E>,
    word: Word<E>,
}

impl<'g, E: Element> Held<'g, E> {
    /// The element.
    pub(crate) fn entry(&self) -> &'g E {
        self.element
    }
}

impl<E: Element> Bucket<E> {
    /// The first slot of this bucket with a committed element of that fingerprint that `accept` takes,
    /// and its word. The chain was not MIGRATED when the link of its first bucket was loaded, before
    /// this.
    #[inline(always)]
    fn find(
        &self,
        fingerprint: Fingerprint,
        accept: &mut impl FnMut(&E) -> bool,
    ) -> Option<(&Slot<E>, Word<E>)> {
        let mut promising = self.matching(fingerprint);
        while promising != 0 {
            let slot = &self.slots[promising.trailing_zeros() as usize];
            promising &= promising - 1;
            let word = slot.load();
            // SAFETY: read while pinned from a chain that was not MIGRATED then (I5, I8).
            let mut accept = |sought| accept(unsafe { element(sought) });
            if word.sought(fingerprint).is_some_and(&mut accept) {
                return Some((slot, word));
            }
        }
        None
    }
}

impl<E: Element> Index<E> {
    /// An index for `capacity` elements before it grows.
    pub(super) fn new(capacity: usize, pages: Pages) -> Self {
        let table = Table::<E>::allocate(Self::log2_for(capacity), pages);
        Index {
            root: AtomicTagged::new(table.pack()),
            count: Striped::new(),
            pages,
            #[cfg(feature = "tracing")]
            resizes: Resizes::new(),
            _owns: PhantomData,
        }
    }

    /// The size of a table for `capacity` elements.
    pub(super) fn log2_for(capacity: usize) -> u32 {
        let buckets = capacity.div_ceil(PER_BUCKET).max(if MODEL { 1 } else { 2 });
        buckets.next_power_of_two().ilog2()
    }

    /// Panics if a table of that size is out of the question, before any smaller one is built on
    /// the way to it.
    pub(super) fn check_size(log2: u32) {
        Table::<E>::layout(log2);
    }

    /// The root table.
    #[inline(always)]
    pub(super) fn root<'g>(&self, _guard: &'g Guard) -> Table<'g, E> {
        // Acquire: pairs with the CAS in `promote`; the table's header and words (O7).
        let word = self.root.load(Ordering::Acquire);
        // SAFETY: loaded after the pin, so it is not freed during 'g (I8); packed, so not null.
        unsafe { Table::unpack_some(word) }
    }

    /// Whether `table` is the root now.
    pub(super) fn is_root(&self, table: Table<'_, E>) -> bool {
        // Acquire: as `root` (O7).
        self.root.load(Ordering::Acquire) == table.pack()
    }

    /// Makes `next` the root instead of `table`; says whether it did.
    pub(super) fn swap_root(&self, table: Table<'_, E>, next: Table<'_, E>) -> bool {
        // AcqRel: pairs with `root` (O7).
        self.root
            .compare_exchange(table.pack(), next.pack(), Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// Number of elements.
    pub(super) fn len(&self) -> usize {
        self.count.sum()
    }

    /// Asks for where a lookup of a hash begins, probably: best before the pin.
    #[inline(always)]
    pub(super) fn prefetch(&self, hash: u64) {
        if MODEL {
            // One load less to explore.
            return;
        }
        // Relaxed: for addresses that are never read.
        let root = self.root.load(Ordering::Relaxed);
        prefetch(Table::guess_filter(root, hash));
        prefetch(Table::guess(root, hash));
    }

    /// The table in which the chain of `hash` stands now, its first bucket, and that bucket's
    /// link as it was when it was not MIGRATED: the licence to read the slots.
    #[inline(always)]
    pub(super) fn chain<'g>(
        &self,
        hash: u64,
        guard: &'g Guard,
    ) -> (Table<'g, E>, &'g Bucket<E>, Link<E>) {
        Self::chain_from(self.root(guard), hash)
    }

    /// The same, from a table on that was the root under a pin which lasts during `'g`.
    #[inline(always)]
    pub(super) fn chain_from<'g>(
        mut table: Table<'g, E>,
        hash: u64,
    ) -> (Table<'g, E>, &'g Bucket<E>, Link<E>) {
        loop {
            let head = table.chain(hash);
            let link = head.overflow.load();
            if !link.sends_on() {
                return (table, head, link);
            }
            table = Self::successor(table);
        }
    }

    /// The successor of a table whose words say that it has one.
    pub(super) fn successor(table: Table<'_, E>) -> Table<'_, E> {
        // FROZEN and MIGRATED are set by threads that have read `next`, and were acquired.
        table.next().expect("a frozen or migrated word in a table without successor")
    }

    /// As much of `find` as settles nearly every lookup: the first slot that looks right, or that none does
    /// and nothing like it is beyond the first bucket. It becomes part of its callers, as straight code that
    /// keeps little in registers and has little wait for the element: while lookups wait for memory, their
    /// time is that which the processor takes to get to the next one.
    ///
    /// A word that is not frozen needs no other licence to be followed: the chain was not MIGRATED when it was
    /// loaded (I18). So what is found costs no look at the overflow word.
    ///
    /// Linearization (L1): of a hit as `find`; of a miss where the filter was loaded, if that shows it, or else
    /// while the slots were read.
    #[inline(always)]
    pub(super) fn glance<'g>(
        &'g self,
        hash: u64,
        accept: impl FnOnce(&E) -> bool,
        guard: &'g Guard,
    ) -> Glance<'g, E> {
        let table = self.root(guard);
        if table.lacks(hash) {
            return Glance::Absent;
        }
        let (head, fingerprint) = (table.chain(hash), table.fingerprint(hash));
        let promising = head.matching(fingerprint);
        if promising == 0 {
            // Looked at after the slots: if the chain is not MIGRATED now, it was not while they were read.
            let link = head.overflow.load();
            let elsewhere = link.sends_on() || !link.next().is_null();
            return if elsewhere { Glance::Unclear } else { Glance::Absent };
        }
        let slot = &head.slots[promising.trailing_zeros() as usize];
        let word = slot.load();
        if let Some(plain) = word.plain(fingerprint) {
            // SAFETY: read while pinned from a slot that was not frozen then, so that the chain was not MIGRATED
            // (I5, I8, I18).
            let element = unsafe { element(plain) };
            debug_assert!(!element.block().is_special(), "I16");
            return if accept(element) { Glance::Plain(element) } else { Glance::Unclear };
        }
        Glance::Flagged(Flagged { slot, word, head, fingerprint })
    }

    /// Whether a look at the filter alone shows that nothing of a hash is there.
    #[inline]
    pub(super) fn lacks(&self, hash: u64, guard: &Guard) -> bool {
        self.root(guard).lacks(hash)
    }

    /// The first committed element with that fingerprint that `accept` takes.
    ///
    /// Linearization (L1): a hit where its slot was loaded; a miss where the overflow word of
    /// the first bucket was loaded or later, since a committed key leaves its slot only by
    /// removal and frozen words never change. Wait-free per table; writes nothing.
    #[inline]
    pub(super) fn find<'g>(
        &'g self,
        hash: u64,
        mut accept: impl FnMut(&E) -> bool,
        guard: &'g Guard,
    ) -> Option<Found<'g, E>> {
        let (table, head, mut link) = self.chain(hash, guard);
        let fingerprint = table.fingerprint(hash);
        let mut bucket = head;
        loop {
            if let Some((slot, word)) = bucket.find(fingerprint, &mut accept) {
                // SAFETY: read while pinned from a chain that was not MIGRATED then (I5, I8).
                let element = unsafe { element(word.element()) };
                return Some(Found::new(element, slot, word, head));
            }
            bucket = table.follow(link)?;
            link = bucket.overflow.load();
        }
    }

    /// The current element that `accept` takes, for a write. Helps a migration it meets.
    ///
    /// A miss linearizes as in `find`.
    pub(super) fn locate<'g>(
        &'g self,
        hash: u64,
        mut accept: impl FnMut(&E) -> bool,
        context: &Context<'g>,
    ) -> Option<Held<'g, E>> {
        let mut accept = |element: &E| accept(element) && element.block().may_have(hash);
        let mut table = self.root(context.guard);
        'table: loop {
            if let Some(next) = table.next() {
                self.help(table, next, hash, context);
                table = next;
                continue;
            }
            let fingerprint = table.fingerprint(hash);
            let mut bucket = table.chain(hash);
            loop {
                let link = bucket.overflow.load();
                if link.is_frozen() || link.is_migrated() {
                    continue 'table;
                }
                match bucket.find(fingerprint, &mut accept) {
                    Some((_, word)) if word.is_frozen() => continue 'table,
                    Some((slot, word)) => {
                        // SAFETY: as in `find` (I5, I8).
                        let element = unsafe { element(word.element()) };
                        return Some(Held { index: self, element, slot, word });
                    }
                    None => bucket = table.follow(link)?,
                }
            }
        }
    }

    /// Puts `new` into the place of `old`; says whether it did.
    ///
    /// Linearization (L2): the compare-and-swap, when it succeeds.
    #[must_use]
    pub(super) fn replace(&self, old: &Held<'_, E>, new: NonNull<E>) -> bool {
        assert!(ptr::eq(self, old.index), "an element of another index");
        old.element.block().mark_committed();
        failpoint(Step::ReplaceMarked);
        // SAFETY: the caller's own until it is published here (I13).
        let special = unsafe { new.as_ref() }.block().is_special();
        let word = Word::committed(new.as_ptr(), old.word.fingerprint(), special);
        old.slot.replace(old.word, word)
    }

    /// Takes `old` out, without retiring it; says whether it did.
    ///
    /// Linearization (L3): the compare-and-swap, when it succeeds.
    #[must_use]
    pub(super) fn unlink(&self, old: &Held<'_, E>) -> bool {
        assert!(ptr::eq(self, old.index), "an element of another index");
        old.element.block().mark_committed();
        failpoint(Step::RemovalMarked);
        let unlinked = old.slot.remove(old.word);
        if unlinked {
            self.count.add(-1);
        }
        unlinked
    }
}

impl<E: Element> Drop for Index<E> {
    fn drop(&mut self) {
        // Acquire: pairs with `promote` (O7).
        let root = self.root.load(Ordering::Acquire);
        // SAFETY: `&mut self`: nobody else is in this index any more (I13).
        let root: Table<'_, E> = unsafe { Table::unpack_some(root) };
        let mut first_panic = None;
        // SAFETY: this index is ours alone (I13), and its tables are freed after the walk.
        for found in unsafe { Walk::of(root) } {
            let element = found.entry().block().origin();
            // SAFETY: a committed element, met once (I1, I4); nobody is pinned here any more (I8).
            keep_first(&mut first_panic, || drop(unsafe { give_up(element) }));
        }
        let mut table = Some(root);
        while let Some(this) = table {
            table = this.next();
            // SAFETY: this index is ours alone, and each table of the line comes once (I13).
            unsafe { this.free() };
        }
        resume_from_drop(first_panic);
    }
}
