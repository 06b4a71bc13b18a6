//! Several lookups at once, so that their cache misses overlap.

use super::block::{Block, Element, element};
use super::prefetch::{LINE, prefetch, prefetch_later};
use super::primary::{Found, Index};
use super::table::{Bucket, SLOTS, Table};
use super::word::{Fingerprint, Link, Slot, Word};
use crate::sync::{Guard, MODEL};

/// Where the first promising word of a lookup is.
pub(super) struct Candidate<'g, E> {
    slot: &'g Slot<E>,
    word: Word<E>,
    head: &'g Bucket<E>,
}

impl<'g, E: Element> Candidate<'g, E> {
    /// Asks for the lines in which what a lookup reads begins and ends: mostly one.
    #[inline(always)]
    fn prefetch(&self) {
        let element = self.word.element();
        prefetch(element.wrapping_byte_add(Block::<E>::SOUGHT.start));
        prefetch(element.wrapping_byte_add(Block::<E>::SOUGHT.end - 1));
    }

    /// Asks for three lines from the beginning on, but not at once: a query reads the places that are
    /// behind the block, and of whom it yields, the lists are read next.
    #[inline(always)]
    pub(super) fn prefetch_around(&self) {
        let element = self.word.element();
        prefetch_later(element);
        prefetch_later(element.wrapping_byte_add(LINE));
        prefetch_later(element.wrapping_byte_add(2 * LINE));
    }

    /// Where an element has been found.
    pub(super) fn of(found: Found<'g, E>) -> Self {
        let (slot, word, head) = found.whereabouts();
        Candidate { slot, word, head }
    }

    /// The element.
    #[inline(always)]
    pub(super) fn found(&self) -> Found<'g, E> {
        // SAFETY: read under the guard that `'g` stands for from a chain that was not MIGRATED then
        // (I5, I8).
        let element = unsafe { element(self.word.element()) };
        Found::new(element, self.slot, self.word, self.head)
    }

    /// The element, if it is still there, by a load made now, and `accept` takes it: as `find`
    /// would, which may find it elsewhere if this does not. Linearization (L1): that load.
    #[inline(always)]
    pub(super) fn again(&self, accept: impl FnOnce(&E) -> bool) -> Option<Found<'g, E>> {
        // A frozen word may have a successor by now; any other is where writers look for it.
        if self.word.is_frozen() || self.slot.load() != self.word {
            return None;
        }
        Some(self.found()).filter(|found| accept(found.entry()))
    }
}

impl<E: Element> Bucket<E> {
    /// The first slot that promises a committed element of that fingerprint, and its word.
    #[inline(always)]
    fn promising(&self, fingerprint: Fingerprint) -> Option<(&Slot<E>, Word<E>)> {
        let first = if MODEL {
            // Fewer loads to explore.
            fingerprint.preferred(SLOTS)
        } else {
            self.matching(fingerprint).trailing_zeros() as usize
        };
        let slot = self.slots.get(first)?;
        let word = slot.load();
        word.matches(fingerprint).then_some((slot, word))
    }
}

/// The overflow buckets of a chain.
pub(super) struct Rest<'g, E> {
    table: Table<'g, E>,
    head: &'g Bucket<E>,
    link: Link<E>,
    fingerprint: Fingerprint,
}

impl<'g, E: Element> Rest<'g, E> {
    /// The first of them.
    #[inline(always)]
    pub(super) fn next(&self) -> Option<&'g Bucket<E>> {
        self.table.follow(self.link)
    }

    /// The first promising word from the first of them on: two misses that wait for each other, which
    /// would take long if they began when the others have been found.
    #[cold]
    #[inline(never)]
    pub(super) fn candidate(&self, mut bucket: &'g Bucket<E>) -> Option<Candidate<'g, E>> {
        loop {
            if let Some((slot, word)) = bucket.promising(self.fingerprint) {
                return Some(Candidate { slot, word, head: self.head });
            }
            bucket = self.table.follow(bucket.overflow.load())?;
        }
    }
}

impl<E: Element> Index<E> {
    /// The first promising word for a hash, if there is one. The line of the first bucket should be
    /// there already. `root` was the root under the guard that `'g` stands for.
    #[inline(always)]
    pub(super) fn candidate<'g>(root: Table<'g, E>, hash: u64) -> Option<Candidate<'g, E>> {
        match Self::first_candidate(root, hash) {
            Ok(candidate) => Some(candidate),
            Err(rest) => rest.candidate(rest.next()?),
        }
    }

    /// The same, or what is left to look at, if it is not in the first bucket.
    #[inline(always)]
    pub(super) fn first_candidate<'g>(
        root: Table<'g, E>,
        hash: u64,
    ) -> Result<Candidate<'g, E>, Rest<'g, E>> {
        let (table, head, link) = Self::chain_from(root, hash);
        let fingerprint = table.fingerprint(hash);
        match head.promising(fingerprint) {
            Some((slot, word)) => Ok(Candidate { slot, word, head }),
            None => Err(Rest { table, head, link, fingerprint }),
        }
    }

    /// What `N` calls of `find` would find, each with its own linearization point (L1). `hash` and `accept`
    /// are told by its number which one is meant; `closely` looks for what this does not settle, among that
    /// all that is special.
    ///
    /// Three rounds, so that the misses of each overlap: hash and ask for the bucket lines; read those
    /// and ask for the element lines that promise a hit; compare.
    #[inline(always)]
    pub(super) fn find_many<'g, const N: usize>(
        &'g self,
        hash: impl Fn(usize) -> u64,
        accept: impl Fn(usize, u64, &E) -> bool,
        closely: impl Fn(usize, u64) -> Option<&'g E>,
        guard: &'g Guard,
    ) -> [Option<&'g E>; N] {
        let root = self.root(guard);
        let mut hashes = [0; N];
        for (i, slot) in hashes.iter_mut().enumerate() {
            *slot = hash(i);
            prefetch(root.chain(*slot));
        }
        let candidates: [_; N] = std::array::from_fn(|i| {
            let candidate = Self::candidate(root, hashes[i])?;
            candidate.prefetch();
            Some(candidate.word)
        });
        std::array::from_fn(|i| {
            let plain = candidates[i].filter(|word| !word.is_special());
            // SAFETY: read under the guard from a chain that was not MIGRATED then (I5, I8).
            let found = plain.map(|word| unsafe { element(word.element()) });
            found.filter(|element| accept(i, hashes[i], element)).or_else(|| closely(i, hashes[i]))
        })
    }
}
