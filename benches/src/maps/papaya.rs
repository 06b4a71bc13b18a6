//! papaya: lock-free, every entry in a node of its own.

use ahash::RandomState;
use papaya::{HashMap, HashMapRef, LocalGuard};

use super::{Lookup, Map, Read};
use crate::keys::Key;
use crate::payload::Payload;

/// [`papaya::HashMap`] with the payload inline: the map allocates a node for each entry anyway, so
/// that a lookup goes through one pointer, as ours.
#[derive(Debug)]
pub struct Papaya<K: Key>(HashMap<K, Payload, RandomState>);

impl<K: Key> Lookup<K> for Papaya<K> {
    const NAME: &'static str = "papaya";

    type Reader<'m> = HashMapRef<'m, K, Payload, RandomState, LocalGuard<'m>>;

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

impl<K: Key> Read<K> for HashMapRef<'_, K, Payload, RandomState, LocalGuard<'_>> {
    #[inline]
    fn get(&self, key: &K) -> Option<u64> {
        HashMapRef::get(self, key).map(Payload::word)
    }
}

impl<K: Key> Map<K> for Papaya<K> {
    fn insert(&self, key: &K, payload: Payload) -> bool {
        self.0.pin().try_insert(key.clone(), payload).is_ok()
    }

    fn remove(&self, key: &K) -> bool {
        self.0.pin().remove(key).is_some()
    }

    fn update(&self, key: &K, payload: Payload) -> bool {
        self.0.pin().update(key.clone(), |_| payload.clone()).is_some()
    }
}
