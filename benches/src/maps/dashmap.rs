//! dashmap: shards, each behind a reader-writer lock.

use ahash::RandomState;
use dashmap::DashMap;

use super::{Lookup, Map, Read};
use crate::keys::Key;
use crate::payload::Payload;

/// [`DashMap`] of boxed payloads. A guard of it locks one shard, and one for all keys does not
/// exist: a reader is a reference, every lookup locks for itself, and "reused" changes nothing.
#[derive(Debug)]
pub struct Dash<K: Key>(DashMap<K, Box<Payload>, RandomState>);

impl<K: Key> Lookup<K> for Dash<K> {
    const NAME: &'static str = "dashmap";

    type Reader<'m> = &'m Self;

    fn filled(capacity: usize, keys: &[K]) -> Self {
        let map = Self(DashMap::with_capacity_and_hasher(capacity, RandomState::new()));
        for (key, word) in keys.iter().zip(0..) {
            map.insert(key, Payload::new(word));
        }
        map
    }

    #[inline]
    fn reader(&self) -> Self::Reader<'_> {
        self
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

impl<K: Key> Read<K> for &Dash<K> {
    #[inline]
    fn get(&self, key: &K) -> Option<u64> {
        self.0.get(key).map(|payload| payload.word())
    }
}

impl<K: Key> Map<K> for Dash<K> {
    fn insert(&self, key: &K, payload: Payload) -> bool {
        match self.0.entry(key.clone()) {
            dashmap::Entry::Occupied(_) => false,
            dashmap::Entry::Vacant(place) => {
                place.insert(Box::new(payload));
                true
            }
        }
    }

    fn remove(&self, key: &K) -> bool {
        self.0.remove(key).is_some()
    }

    fn update(&self, key: &K, payload: Payload) -> bool {
        let Some(mut current) = self.0.get_mut(key) else { return false };
        **current = payload;
        true
    }
}
