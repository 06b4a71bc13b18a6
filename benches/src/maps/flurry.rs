//! flurry: a port of Java's `ConcurrentHashMap`; reads are lock-free, writes lock a bucket.

use ahash::RandomState;
use flurry::{HashMap, HashMapRef};

use super::{Lookup, Map, Read};
use crate::keys::Key;
use crate::payload::Payload;

/// [`flurry::HashMap`] with the payload as its value: it boxes each value itself.
#[derive(Debug)]
pub struct Flurry<K: Key>(HashMap<K, Payload, RandomState>);

impl<K: Key> Lookup<K> for Flurry<K> {
    const NAME: &'static str = "flurry";

    type Reader<'m> = HashMapRef<'m, K, Payload, RandomState>;

    fn filled(capacity: usize, keys: &[K]) -> Self {
        let map = HashMap::with_capacity_and_hasher(capacity, RandomState::new());
        for (key, word) in keys.iter().zip(0..) {
            map.pin().insert(key.clone(), Payload::new(word));
        }
        Self(map)
    }

    #[inline]
    fn reader(&self) -> Self::Reader<'_> {
        self.0.pin()
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

impl<K: Key> Read<K> for HashMapRef<'_, K, Payload, RandomState> {
    #[inline]
    fn get(&self, key: &K) -> Option<u64> {
        HashMapRef::get(self, key).map(Payload::word)
    }
}

impl<K: Key> Map<K> for Flurry<K> {
    fn insert(&self, key: &K, payload: Payload) -> bool {
        self.0.pin().try_insert(key.clone(), payload).is_ok()
    }

    fn remove(&self, key: &K) -> bool {
        self.0.pin().remove(key).is_some()
    }

    fn update(&self, key: &K, payload: Payload) -> bool {
        self.0.pin().compute_if_present(key, |_, _| Some(payload.clone())).is_some()
    }
}
