//! Lookups of several keys at once: `get_many` of the registry, whose cache misses overlap, against
//! lookups one by one, which is all the others have.
//!
//! The pins are reused on both sides, as far as there are any.

use fastrand::Rng;

use super::lookup::{Lookups, PER_PIN, Tally, Volume};
use crate::keys::{Key, drawn};
use crate::maps::{Bound, Lookup};
use crate::threads::together;

/// How the peers look up the keys of a batch.
pub const ONE_BY_ONE: Lookups = Lookups { hit: true, reused: true, threads: 1 };

/// One round of ours with batches of `N`: nanoseconds per key.
///
/// # Panics
///
/// If a key is not found.
pub fn round<K: Key, const N: usize>(
    map: &Bound<K>,
    keys: &[K],
    volume: Volume,
    rng: &mut Rng,
) -> f64 {
    let probes = drawn(keys, volume.probes, rng);
    let (found, took) = together([&probes], |probes| {
        (0..volume.passes).map(|_| in_batches::<K, N>(map, probes)).sum::<usize>()
    });
    assert_eq!(found, [volume.operations()], "keys were lost");
    took / volume.operations() as f64
}

/// Looks all keys up, `N` at a time, with a pin for every [`PER_PIN`] of them; how many there were.
#[inline(never)]
fn in_batches<K: Key, const N: usize>(map: &Bound<K>, keys: &[K]) -> usize {
    const { assert!(PER_PIN.is_multiple_of(N)) };
    let mut tally = Tally::default();
    for keys in keys.chunks(PER_PIN) {
        let pinned = map.reader();
        let (batches, rest) = keys.as_chunks::<N>();
        for batch in batches {
            for entry in pinned.get_many(batch.each_ref()) {
                tally.add(entry.map(|entry| *entry.spec()));
            }
        }
        for key in rest {
            tally.add(pinned.lookup(key).map(|entry| *entry.spec()));
        }
    }
    tally.found()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::numbered;

    #[test]
    fn batches_find_all_keys() {
        let keys: Vec<u64> = numbered(0..1000);
        let map = Bound::filled(1000, &keys);
        // Not a multiple of a batch: the rest is looked up as well.
        let volume = Volume { probes: 1003, passes: 2 };
        let mut rng = Rng::with_seed(1);
        assert!(round::<u64, 8>(&map, &keys, volume, &mut rng) > 0.0);
        assert!(round::<u64, 16>(&map, &keys, volume, &mut rng) > 0.0);
        assert!(round::<u64, 32>(&map, &keys, volume, &mut rng) > 0.0);
    }

    #[test]
    #[should_panic(expected = "keys were lost")]
    fn a_lost_key_is_found_out() {
        let keys: Vec<u64> = numbered(0..1000);
        let map = Bound::filled(1000, &keys[1..]);
        let volume = Volume { probes: 100_000, passes: 1 };
        round::<u64, 16>(&map, &keys, volume, &mut Rng::with_seed(1));
    }
}
