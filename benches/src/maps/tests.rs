//! Every adapter does what a plain map does.

use std::collections::HashMap;

use fastrand::Rng;
use process_registry::ChildId;

use super::*;
use crate::keys::numbered;

/// Random operations on few keys, so that each comes upon keys that are there and that are not.
fn agrees_with_std<K: Key, M: Map<K>>(seed: u64, word: impl Fn(u64) -> u64) {
    let keys: Vec<K> = numbered(0..64);
    let map = M::filled(16, &keys[..32]);
    let mut model: HashMap<&K, u64> = keys[..32].iter().zip(0..).collect();
    let mut rng = Rng::with_seed(seed);
    let mut done = [[0; 2]; 4];
    for step in 1000..6000 {
        let key = &keys[rng.usize(..keys.len())];
        let there = model.contains_key(key);
        let operation = rng.usize(..4);
        done[operation][usize::from(there)] += 1;
        let told = format!("{} step {step}: {operation} of {key:?}", M::NAME);
        match operation {
            0 => {
                let expected = model.get(key).copied().map(&word);
                assert_eq!(map.get(key), expected, "{told}");
                assert_eq!(map.reader().get(key), expected, "{told}");
            }
            1 => {
                assert_eq!(map.insert(key, Payload::new(step)), !there, "{told}");
                model.entry(key).or_insert(step);
            }
            2 => assert_eq!(map.remove(key), model.remove(key).is_some(), "{told}"),
            _ => {
                assert_eq!(map.update(key, Payload::new(step)), there, "{told}");
                model.entry(key).and_modify(|current| *current = step);
            }
        }
        assert_eq!((map.len(), map.is_empty()), (model.len(), model.is_empty()), "{told}");
    }
    assert!(done.as_flattened().iter().all(|&times| times > 100), "{done:?}");
}

fn reads_what_it_was_filled_with<K: Key, M: Lookup<K>>(word: impl Fn(u64) -> u64) {
    let keys: Vec<K> = numbered(0..5000);
    let map = M::filled(4000, &keys[..4000]);
    assert_eq!(map.len(), 4000, "{}", M::NAME);
    let reader = map.reader();
    for (key, number) in keys.iter().zip(0..) {
        let expected = (number < 4000).then(|| word(number));
        assert_eq!(reader.get(key), expected, "{} {key:?}", M::NAME);
        assert_eq!(map.get(key), expected, "{} {key:?}", M::NAME);
    }
}

fn all_adapters<K: Key>() {
    fn both<K: Key, M: Map<K>>(word: fn(u64) -> u64) {
        agrees_with_std::<K, M>(7, word);
        reads_what_it_was_filled_with::<K, M>(word);
    }
    both::<K, Bound<K>>(|word| word);
    both::<K, Unbound<K>>(|_| 0);
    both::<K, Papaya<K>>(|word| word);
    both::<K, SccMap<K>>(|word| word);
    both::<K, SccIndex<K>>(|word| word);
    both::<K, Dash<K>>(|word| word);
    both::<K, Flurry<K>>(|word| word);
    both::<K, Locked<K>>(|word| word);
    reads_what_it_was_filled_with::<K, Bare<K>>(|word| word);
}

#[test]
fn with_strings() {
    all_adapters::<ChildId>();
}

#[test]
fn with_integers() {
    all_adapters::<u64>();
}
