//! A counter that many threads change without sharing a cache line.

use std::fmt;
use std::sync::LazyLock;
use std::thread;

use crate::sync::{AtomicIsize, MODEL, Ordering, stripe};

/// The most stripes a counter has: 2 KiB of them; beyond that reading costs more than sharing.
const MOST_STRIPES: usize = 16;

/// How many stripes counters have: a power of two, about one for every processor.
///
/// Asked once, for on Linux the answer means reading files.
static STRIPES: LazyLock<usize> = LazyLock::new(|| {
    if MODEL {
        // The models must not depend on the machine, and every stripe that two threads share
        // multiplies what they explore.
        return 4;
    }
    stripes_for(thread::available_parallelism().map_or(1, |n| n.get()))
});

/// How many stripes suit this machine: a power of two, at most sixteen.
pub(crate) fn stripes() -> usize {
    *STRIPES
}

/// The number of stripes that suits this many processors.
const fn stripes_for(processors: usize) -> usize {
    if processors >= MOST_STRIPES {
        MOST_STRIPES
    } else {
        // At most 16, so this cannot overflow.
        processors.next_power_of_two()
    }
}

/// One part of the count. 128 bytes: the processors of today fetch lines in pairs.
#[repr(align(128))]
struct Stripe(AtomicIsize);

/// A count kept in stripes: a thread changes the one that is its own, a reader adds them up.
///
/// A stripe may be negative, for what one thread adds another takes away.
pub(crate) struct Striped {
    /// A power of two of them.
    stripes: Box<[Stripe]>,
}

impl Striped {
    /// A count of zero.
    pub(crate) fn new() -> Self {
        Self { stripes: (0..stripes()).map(|_| Stripe(AtomicIsize::new(0))).collect() }
    }

    /// Adds `delta`, which may be negative. One uncontended read-modify-write, as a rule.
    #[inline]
    pub(crate) fn add(&self, delta: isize) {
        let own = stripe() & (self.stripes.len() - 1);
        // Relaxed: the count orders nothing and guards nothing.
        self.stripes[own].0.fetch_add(delta, Ordering::Relaxed);
    }

    /// The count; exact while nobody changes it, and never negative.
    pub(crate) fn sum(&self) -> usize {
        // A reader that sees one thread's removal but not the insertion by another would count
        // below zero. Relaxed: as in `add`.
        let sum = self
            .stripes
            .iter()
            .fold(0_isize, |sum, stripe| sum.wrapping_add(stripe.0.load(Ordering::Relaxed)));
        usize::try_from(sum).unwrap_or(0)
    }
}

impl fmt::Debug for Striped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Striped").field(&self.sum()).finish()
    }
}

#[cfg(all(test, not(any(process_registry_loom, process_registry_shuttle))))]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn stripes_are_a_power_of_two_within_bounds() {
        let wanted =
            [(1, 1), (2, 2), (3, 4), (4, 4), (5, 8), (9, 16), (16, 16), (17, 16), (usize::MAX, 16)];
        for (processors, stripes) in wanted {
            assert_eq!(stripes_for(processors), stripes, "{processors} processors");
        }
        let count = Striped::new();
        assert!(count.stripes.len().is_power_of_two());
        assert!(count.stripes.len() <= MOST_STRIPES);
    }

    #[test]
    fn stripes_do_not_share_cache_lines() {
        assert_eq!(size_of::<Stripe>(), 128);
        assert_eq!(align_of::<Stripe>(), 128);
    }

    #[test]
    fn counts_up_and_down() {
        let count = Striped::new();
        assert_eq!(count.sum(), 0);
        count.add(5);
        count.add(-2);
        assert_eq!(count.sum(), 3);
        assert_eq!(format!("{count:?}"), "Striped(3)");
    }

    #[test]
    fn shows_zero_where_it_would_be_negative_and_keeps_the_debt() {
        let count = Striped::new();
        count.add(-3);
        assert_eq!(count.sum(), 0);
        count.add(4);
        assert_eq!(count.sum(), 1);
    }

    #[test]
    fn is_exact_when_all_is_quiet() {
        const THREADS: usize = 8;
        const ROUNDS: usize = 5000;
        let count = Striped::new();
        let barrier = Barrier::new(THREADS);
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let (count, barrier) = (&count, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    for _ in 0..ROUNDS {
                        count.add(if thread % 2 == 0 { 3 } else { -1 });
                    }
                });
            }
        });
        assert_eq!(count.sum(), THREADS / 2 * ROUNDS * 2);
    }

    #[test]
    fn what_one_thread_adds_another_may_take_away() {
        let count = Striped::new();
        for _ in 0..32 {
            thread::scope(|scope| {
                scope.spawn(|| count.add(7));
            });
        }
        count.add(-7 * 31);
        assert_eq!(count.sum(), 7);
    }
}
