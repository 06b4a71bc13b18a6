//! Several lookups at once, so that their cache misses overlap.

use super::block::{Block, Element, element};
use super::prefetch::{LINE, prefetch};
use super::primary::{Found, Index};
use super::table::{Bucket, SLOTS};
use super::word::{Slot, Word};
use crate::sync::{Guard, MODEL};

/// Where the first promising word of a lookup is.
pub(super) struct Candidate<'g, E> {
    slot: &'g Slot<E>,
    word: Word<E>,
    head: &'g Bucket<E>,
}

impl<'g, E: Element> Candidate<'g, E> {
    /// Asks for the lines around what a lookup reads, too: a query reads the places before it, and of
    /// whom it yields, the value is read next.
    #[inline(always)]
    pub(super) fn prefetch_around(&self) {
        let element = self.word.element();
        prefetch(element);
        prefetch(element.wrapping_byte_add(Block::<E>::SOUGHT + LINE));
    }

    /// The element, if it is still there, by a load made now, and `accept` takes it: as `find`
    /// would, which may find it elsewhere if this does not. Linearization (L1): that load.
    #[inline(always)]
    pub(super) fn again(&self, accept: impl FnOnce(&E) -> bool) -> Option<Found<'g, E>> {
        // A frozen word may have a successor by now; any other is where writers look for it.
        if self.word.is_frozen() || self.slot.load() != self.word {
            return None;
        }
        // SAFETY: read, now and before, under the guard that `'g` stands for (I8).
        let element = unsafe { element(self.word.element()) };
        accept(element).then(|| Found::new(element, self.slot, self.word, self.head))
    }
}

impl<E: Element> Index<E> {
    /// The first promising word for a hash, if its first bucket has one; asks for the element's line.
    /// The line of the bucket should be there already.
    #[inline(always)]
    pub(super) fn candidate<'g>(&'g self, hash: u64, guard: &'g Guard) -> Option<Candidate<'g, E>> {
        let (table, head, _) = self.chain(hash, guard);
        let fingerprint = table.fingerprint(hash);
        let first = if MODEL {
            // Fewer loads to explore.
            fingerprint.preferred(SLOTS)
        } else {
            head.matching(fingerprint).trailing_zeros() as usize
        };
        let slot = head.slots.get(first)?;
        let word = slot.load();
        word.matches(fingerprint).then(|| {
            prefetch(word.element().wrapping_byte_add(Block::<E>::SOUGHT));
            Candidate { slot, word, head }
        })
    }

    /// As `N` calls of `find`, each with its own linearization point (L1).
    ///
    /// Three rounds: ask for all bucket lines; read them and ask for the element lines that
    /// promise a hit; compare. What the first bucket does not settle is looked up by itself.
    pub(super) fn find_many<'g, const N: usize>(
        &'g self,
        hashes: &[u64; N],
        mut accept: impl FnMut(usize, &E) -> bool,
        guard: &'g Guard,
    ) -> [Option<Found<'g, E>>; N] {
        for &hash in hashes {
            prefetch(self.guess(hash));
        }
        let candidates: [_; N] = std::array::from_fn(|i| self.candidate(hashes[i], guard));
        let mut i = 0;
        candidates.map(|candidate| {
            let index = i;
            i += 1;
            if let Some(Candidate { slot, word, head }) = candidate {
                // SAFETY: read under `guard` from a chain that was not MIGRATED then (I5, I8).
                let element = unsafe { element(word.element()) };
                if accept(index, element) {
                    return Some(Found::new(element, slot, word, head));
                }
            }
            // No candidate, or not the one: the chain in full, now in the cache.
            self.find(hashes[index], |element| accept(index, element), guard)
        })
    }
}
