//! Several lookups at once, so that their cache misses overlap.

use super::block::{Element, element};
use super::prefetch::prefetch;
use super::primary::{Found, Index};
use super::table::Bucket;
use super::word::{Slot, Word};
use crate::sync::Guard;

/// About the size of a cache line.
const LINE: usize = 64;

/// Where the first promising word of a lookup is.
struct Candidate<'g, E> {
    slot: &'g Slot<E>,
    word: Word<E>,
    head: &'g Bucket<E>,
}

impl<E: Element> Index<E> {
    /// Asks for the lines of the element that a lookup of `hash` will probably look at. The line of
    /// its bucket should be there already.
    #[inline]
    pub(super) fn prefetch_element(&self, hash: u64, guard: &Guard) {
        if let Some(candidate) = self.candidate(hash, guard) {
            // Its places stand near its end.
            prefetch(candidate.word.element().wrapping_add(1).wrapping_byte_sub(LINE));
        }
    }

    /// The first promising word for a hash, if its first bucket has one; asks for the element's line.
    #[inline]
    fn candidate<'g>(&'g self, hash: u64, guard: &'g Guard) -> Option<Candidate<'g, E>> {
        let (table, head, _) = self.chain(hash, guard);
        let fingerprint = table.fingerprint(hash);
        let promising = head.matching(fingerprint);
        let slot = head.slots.get(promising.trailing_zeros() as usize)?;
        let word = slot.load();
        word.matches(fingerprint).then(|| {
            prefetch(word.element());
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
