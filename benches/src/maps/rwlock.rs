//! One reader-writer lock around a `HashMap`: what most programs start with.

use std::collections::hash_map::{Entry, HashMap};

use ahash::RandomState;
use parking_lot::{RwLock, RwLockReadGuard};

use super::{Lookup, Map, Read};
use crate::keys::Key;
use crate::payload::Payload;

type Table<K> = HashMap<K, Box<Payload>, RandomState>;

/// [`parking_lot::RwLock`] around std's `HashMap` of boxed payloads. A reader holds the lock, so
/// that nobody writes for as long as it is reused.
#[derive(Debug)]
pub struct Locked<K: Key>(RwLock<Table<K>>);

/// Holds the lock.
#[derive(Debug)]
pub struct LockedReader<'m, K: Key>(RwLockReadGuard<'m, Table<K>>);

impl<K: Key> Lookup<K> for Locked<K> {
    const NAME: &'static str = "rwlock";

    type Reader<'m> = LockedReader<'m, K>;

    fn filled(capacity: usize, keys: &[K]) -> Self {
        let mut map = HashMap::with_capacity_and_hasher(capacity, RandomState::new());
        for (key, word) in keys.iter().zip(0..) {
            map.insert(key.clone(), Box::new(Payload::new(word)));
        }
        Self(RwLock::new(map))
    }

    #[inline]
    fn reader(&self) -> Self::Reader<'_> {
        LockedReader(self.0.read())
    }

    fn len(&self) -> usize {
        self.0.read().len()
    }
}

impl<K: Key> Read<K> for LockedReader<'_, K> {
    #[inline]
    fn get(&self, key: &K) -> Option<u64> {
        self.0.get(key).map(|payload| payload.word())
    }
}

impl<K: Key> Map<K> for Locked<K> {
    fn insert(&self, key: &K, payload: Payload) -> bool {
        // Allocated before the lock is taken, and freed (below) after it was given back.
        let payload = Box::new(payload);
        match self.0.write().entry(key.clone()) {
            Entry::Occupied(_) => false,
            Entry::Vacant(place) => {
                place.insert(payload);
                true
            }
        }
    }

    fn remove(&self, key: &K) -> bool {
        let removed = self.0.write().remove(key);
        removed.is_some()
    }

    fn update(&self, key: &K, payload: Payload) -> bool {
        let mut map = self.0.write();
        let Some(current) = map.get_mut(key) else { return false };
        **current = payload;
        true
    }
}
