//! Which keys a chain may have: a word for each chain, apart from the buckets, so that most lookups that
//! miss read nothing else.
//!
//! A Bloom filter of 32 bits, two of which are those of a fingerprint. They are set and stay, for as long as
//! the table does. With four keys in a chain, one of seventeen that are not there passes.

use super::word::{FINGERPRINT_BITS, Fingerprint};
use crate::sync::{AtomicU32, Mutant, Ordering, mutant};

/// What the filter of a chain lets pass.
#[repr(transparent)]
#[derive(Debug)]
pub(super) struct Filter(AtomicU32);

/// Everything passes.
const SATURATED: u32 = u32::MAX;

/// What has to be set for a fingerprint to pass.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bits(u32);

impl Bits {
    pub(super) const NONE: Self = Bits(0);

    #[inline(always)]
    pub(super) fn of(fingerprint: Fingerprint) -> Self {
        let [one, other] = fingerprint.numbers();
        Bits(1 << one | 1 << other)
    }

    /// What has to be set for either to pass.
    pub(super) fn and(self, other: Self) -> Self {
        Bits(self.0 | other.0)
    }
}

impl Filter {
    /// What lets nothing pass, as zeros do.
    pub(super) fn new() -> Self {
        Filter(AtomicU32::new(0))
    }

    /// Whether the chain may have an element of that fingerprint, or has moved (I17).
    #[inline(always)]
    pub(super) fn passes(&self, fingerprint: Fingerprint) -> bool {
        if FINGERPRINT_BITS == 0 {
            return true;
        }
        // Who knows of an element, or of one in the successor, knows of all that came before its publication,
        // so that this load sees the bits (O17). Acquire, though nobody releases here: the first load of a
        // lookup is not to move before the thread's own last write, nor behind what it reads next. Processors
        // keep both for such a load.
        let seen = self.0.load(Ordering::Acquire);
        // One by one, for that is an instruction each.
        fingerprint.numbers().iter().all(|number| seen & 1 << number != 0)
    }

    /// Sees to it that an element passes: before it is published in the chain.
    #[inline]
    pub(super) fn announce(&self, bits: Bits) {
        // Relaxed: bits stay, so those that are seen are there for whoever sees what this thread publishes
        // (O17).
        let seen = self.0.load(Ordering::Relaxed);
        if seen & bits.0 != bits.0 {
            self.add(bits);
        }
    }

    /// The same without a look at what is there: a fresh page is written before it is read.
    pub(super) fn add(&self, bits: Bits) {
        // Relaxed: comes before the publication or MIGRATED, which are releases (O17).
        self.0.fetch_or(bits.0, Ordering::Relaxed);
    }

    /// Writes what is there, so that there is memory for it.
    pub(super) fn touch(&self) {
        // Relaxed, both: changes nothing, and what it reads is of no interest. Not `fetch_or`, of which
        // compilers make a load where it changes nothing: that would map the page of zeros.
        let _ = self.0.compare_exchange(0, 0, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Lets everything pass: before the chain is MIGRATED.
    pub(super) fn saturate(&self) {
        if !mutant(Mutant::OpenFilter) {
            // Relaxed: comes before MIGRATED, which is a release (O17). A store, for there is no bit that it
            // could take away, and an exchange would wait for the line: 5 % off inserts while a table grows.
            self.0.store(SATURATED, Ordering::Relaxed);
        }
    }
}

#[cfg(all(test, not(any(process_registry_loom, process_registry_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn what_was_announced_passes_and_little_else() {
        for log2 in [0, 7, 8, 18, 40] {
            // Without a library, for the fuzz target of words compiles this file in.
            let mut state = u64::from(log2);
            let mut hash = || {
                state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb)
            };
            let mut passed = 0;
            for _ in 0..10_000 {
                let filter = Filter::new();
                let keys = [(); 4].map(|()| Fingerprint::of(hash(), log2));
                for key in keys {
                    filter.announce(Bits::of(key));
                }
                assert!(keys.iter().all(|&key| filter.passes(key)));
                passed += usize::from(filter.passes(Fingerprint::of(hash(), log2)));
            }
            assert!((400..900).contains(&passed), "{passed} of 10,000");
        }
    }

    #[test]
    fn the_index_of_a_chain_says_nothing_about_its_filter() {
        // Seven bits of the index may be bits of the fingerprint: all keys of a chain have those.
        for low in 0..1 << 7 {
            assert_eq!(Fingerprint::of(low, 0).numbers(), [0, 0]);
        }
        assert_ne!(Fingerprint::of(1 << 7, 0).numbers(), [0, 0]);
    }

    #[test]
    fn all_passes_a_filter_that_is_saturated() {
        let filter = Filter::new();
        filter.touch();
        assert!((0..1 << 15).all(|hash| !filter.passes(Fingerprint::of(hash, 0))));
        let of = |hash| Bits::of(Fingerprint::of(hash, 0));
        filter.add(of(1 << 7).and(of(1 << 14)));
        assert!(
            filter.passes(Fingerprint::of(1 << 7, 0)) && filter.passes(Fingerprint::of(1 << 14, 0))
        );
        filter.saturate();
        assert!((0..1 << 15).all(|hash| filter.passes(Fingerprint::of(hash, 0))));
    }
}
