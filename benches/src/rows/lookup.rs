//! Lookups of single keys, one after the other, in random order.
//!
//! Dimensions: hit or miss; 1K, 100K, 1M, 10M entries; one thread or two; a pin (or what a map has
//! instead) for each lookup, or one for [`PER_PIN`] of them.

use std::hint::black_box;

use fastrand::Rng;

use crate::keys::{Key, drawn};
use crate::maps::{Lookup, Read};
use crate::threads::together;

/// How many lookups share a pin where it is reused.
pub const PER_PIN: usize = 64;

/// What is looked up, and how.
#[derive(Clone, Copy, Debug)]
pub struct Lookups {
    /// Whether the keys are there.
    pub hit: bool,
    /// Whether a pin serves for [`PER_PIN`] lookups.
    pub reused: bool,
    /// How many threads.
    pub threads: usize,
}

/// How much one round does.
#[derive(Clone, Copy, Debug)]
pub struct Volume {
    /// So many keys are drawn afresh for each thread, more than a branch predictor learns.
    pub probes: usize,
    /// So often each thread goes through them.
    pub passes: usize,
}

impl Volume {
    /// Enough for some 50 ms on a map of so many entries, or half of that for a quick run.
    #[must_use]
    pub const fn of(entries: usize, quick: bool) -> Self {
        let part = if quick { 2 } else { 1 };
        match entries {
            0..10_000 => Self { probes: 1 << 16, passes: 40 / part },
            10_000..500_000 => Self { probes: 1 << 17, passes: 8 / part },
            // Each of so many entries is to be as cold as the next: once through.
            _ => Self { probes: (1 << 19) / part, passes: 1 },
        }
    }

    /// How many lookups a thread does.
    #[must_use]
    pub const fn operations(self) -> usize {
        self.probes * self.passes
    }
}

/// One round: nanoseconds per lookup, as each thread sees it.
///
/// # Panics
///
/// If a key is found that is not there, or the other way round.
pub fn round<K: Key, M: Lookup<K>>(
    map: &M,
    keys: &[K],
    lookups: Lookups,
    volume: Volume,
    rng: &mut Rng,
) -> f64 {
    let Lookups { hit, reused, threads } = lookups;
    let probes: Vec<Vec<K>> = (0..threads).map(|_| drawn(keys, volume.probes, rng)).collect();
    let (found, took) = together(&probes, |probes| {
        (0..volume.passes)
            .map(|_| if reused { with_pins_reused(map, probes) } else { one_by_one(map, probes) })
            .sum::<usize>()
    });
    let expected = if hit { volume.operations() } else { 0 };
    assert_eq!(found, vec![expected; threads], "{} has lost or made up keys", M::NAME);
    took / volume.operations() as f64
}

/// Looks all keys up with a pin for each; how many there were.
#[inline(never)]
fn one_by_one<K: Key, M: Lookup<K>>(map: &M, keys: &[K]) -> usize {
    let mut tally = Tally::default();
    for key in keys {
        tally.add(map.get(key));
    }
    tally.found()
}

/// Looks all keys up with a pin for every [`PER_PIN`] of them; how many there were.
#[inline(never)]
pub fn with_pins_reused<K: Key, M: Lookup<K>>(map: &M, keys: &[K]) -> usize {
    let mut tally = Tally::default();
    for keys in keys.chunks(PER_PIN) {
        let reader = map.reader();
        for key in keys {
            tally.add(reader.get(key));
        }
    }
    tally.found()
}

/// Takes what lookups return, so that no compiler leaves one out.
#[derive(Debug, Default)]
pub struct Tally {
    found: usize,
    sum: u64,
}

impl Tally {
    /// Takes the outcome of one lookup.
    #[inline]
    pub fn add(&mut self, word: Option<u64>) {
        if let Some(word) = word {
            self.found += 1;
            self.sum = self.sum.wrapping_add(word);
        }
    }

    /// How many found something.
    #[inline]
    #[must_use]
    pub fn found(self) -> usize {
        black_box(self.sum);
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::numbered;
    use crate::maps::{Bare, Bound};

    const LITTLE: Volume = Volume { probes: 1000, passes: 2 };

    #[test]
    fn rounds_of_all_kinds_find_what_they_should() {
        let (present, absent): (Vec<u64>, Vec<u64>) = (numbered(0..500), numbered(500..1000));
        let (ours, bare) = (Bound::filled(500, &present), Bare::filled(500, &present));
        for hit in [true, false] {
            for reused in [true, false] {
                let lookups = Lookups { hit, reused, threads: 2 };
                let keys = if hit { &present } else { &absent };
                let rng = Rng::with_seed(1);
                assert!(round(&ours, keys, lookups, LITTLE, &mut rng.clone()) > 0.0);
                assert!(round(&bare, keys, lookups, LITTLE, &mut rng.clone()) > 0.0);
            }
        }
    }

    /// A fast map: it looks nothing up.
    struct Idle;

    impl Read<u64> for &Idle {
        fn get(&self, _: &u64) -> Option<u64> {
            None
        }
    }

    impl Lookup<u64> for Idle {
        const NAME: &'static str = "idle";
        type Reader<'m> = &'m Self;

        fn filled(_: usize, _: &[u64]) -> Self {
            Self
        }

        fn reader(&self) -> Self::Reader<'_> {
            self
        }

        fn len(&self) -> usize {
            0
        }
    }

    #[test]
    #[should_panic(expected = "idle has lost or made up keys")]
    fn a_map_that_does_no_work_is_found_out() {
        let keys = numbered(0..10);
        let lookups = Lookups { hit: true, reused: true, threads: 1 };
        round(&Idle::filled(10, &keys), &keys, lookups, LITTLE, &mut Rng::with_seed(1));
    }
}
