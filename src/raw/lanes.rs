//! All slots of a bucket compared with a fingerprint at once.
//!
//! Which slot a lookup needs hangs on the line that it has just asked for, so no branch predictor knows
//! it, and a misprediction throws away the lookups that the processor has begun meanwhile. Hence no
//! branch before all slots are compared: a fifth off a lookup that hits the cache, a tenth off one that
//! does not.
//!
//! A bit of the result is a hint, which the caller checks by an atomic load of the word. A slot without
//! one did not hold an element of the fingerprint at some instant after the loads before the call, and
//! before those after it.

use super::table::Bucket;
use super::word::Fingerprint;

impl<E> Bucket<E> {
    /// The slots with an element of that fingerprint, a bit for each; whether those are committed
    /// remains to be seen.
    #[cfg(all(
        target_arch = "x86_64",
        target_feature = "sse2",
        target_pointer_width = "64",
        not(target_os = "android"),
        not(any(process_registry_loom, process_registry_shuttle, miri)),
        not(process_registry_no_fingerprints)
    ))]
    #[inline(always)]
    pub(super) fn matching(&self, fingerprint: Fingerprint) -> u32 {
        use std::arch::asm;

        const { assert!(super::table::SLOTS == 7 && super::word::FINGERPRINT_SHIFT == 48) };
        let mask: u32;
        // Assembly, because in Rust a vector load of what others change is a data race. To the
        // processor it is as good as seven loads: it tears no two bytes of a word's fingerprint apart,
        // and takes no load before an earlier one. It is not `readonly`, so that to the compiler no load
        // moves past it either.
        //
        // SAFETY: reads the 64 aligned bytes of `self` (I14), which lives (I8), and writes nothing.
        unsafe {
            asm!(
                // The fingerprint eight times.
                "movq {wanted}, {fingerprint}",
                "pshuflw {wanted}, {wanted}, 0xff",
                "pshufd {wanted}, {wanted}, 0",
                // The upper halves of four words each,
                "movaps {low}, [{bucket}]",
                "movaps {high}, [{bucket} + 32]",
                "shufps {low}, [{bucket} + 16], 0xdd",
                "shufps {high}, [{bucket} + 48], 0xdd",
                // all ones in the upper halves of those, if they are the one, and else zeros;
                "pcmpeqw {low}, {wanted}",
                "pcmpeqw {high}, {wanted}",
                // and of each its sign, which saturation keeps, whatever the lower halves are.
                "packssdw {low}, {high}",
                "packsswb {low}, {low}",
                "pmovmskb {mask:e}, {low}",
                bucket = in(reg) self,
                fingerprint = in(reg) fingerprint.lane(),
                wanted = out(xmm_reg) _,
                low = out(xmm_reg) _,
                high = out(xmm_reg) _,
                mask = lateout(reg) mask,
                options(nostack, preserves_flags),
            );
        }
        // The eighth word is the link.
        mask & 0x7f
    }

    /// The slots with an element of that fingerprint, a bit for each; whether those are committed
    /// remains to be seen.
    #[cfg(not(all(
        target_arch = "x86_64",
        target_feature = "sse2",
        target_pointer_width = "64",
        not(target_os = "android"),
        not(any(process_registry_loom, process_registry_shuttle, miri)),
        not(process_registry_no_fingerprints)
    )))]
    #[inline(always)]
    pub(super) fn matching(&self, fingerprint: Fingerprint) -> u32 {
        let mut matching = 0;
        for (i, slot) in self.slots.iter().enumerate() {
            matching |= u32::from(slot.load().resembles(fingerprint)) << i;
        }
        matching
    }
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use super::*;
    use crate::raw::table::SLOTS;
    use crate::raw::word::{Aligned, Link, Word};

    #[test]
    fn as_one_slot_after_the_other() {
        let mut rng = fastrand::Rng::with_seed(1);
        let mut kinds = fastrand::Rng::with_seed(2);
        for _ in 0..10_000 {
            // Few enough fingerprints that most buckets hold some of them more than once.
            let mut fingerprint = || Fingerprint::of(rng.u64(..4) << 13 | rng.u64(..2), 0);
            let words = std::array::from_fn(|_| {
                // Any address, also one whose upper half is a fingerprint.
                let like = 0x8000 | kinds.u64(..4) << 13 | kinds.u64(..2);
                let upper = if kinds.bool() { kinds.u64(..1 << 16) } else { like };
                let address = (upper << 32 | kinds.u64(1..1 << 28) << 4) as usize;
                let element = ptr::without_provenance_mut::<Aligned>(address);
                let word = Word::committed(element, fingerprint(), kinds.bool());
                match kinds.u32(..8) {
                    0 => Word::UNINIT,
                    1 => Word::EMPTY,
                    2 => Word::EMPTY.frozen(),
                    3 => word.pending(),
                    4 => word.frozen(),
                    _ => word,
                }
            });
            let sought = fingerprint();
            let bucket = Bucket::filled(words, Link::END);
            let expected = (0..SLOTS)
                .filter(|&i| bucket.slots[i].load().resembles(sought))
                .fold(0, |mask, i| mask | 1 << i);
            assert_eq!(bucket.matching(sought), expected);
        }
    }
}
