//! `scc::HashMap`: a reader-writer lock for each bucket.

use ahash::RandomState;
use scc::HashMap;

use super::{Lookup, Map, Read};
use crate::keys::Key;
use crate::payload::Payload;

/// [`scc::HashMap`] of boxed payloads. It has no guard to keep: every lookup locks its bucket, so
/// that a reader is a reference and "reused" changes nothing.
#[derive(Debug)]
pub struct SccMap<K: Key>(HashMap<K, Box<Payload>, RandomState>);

impl<K: Key> Lookup<K> for SccMap<K> {
    const NAME: &'static str = "scc-map";

    type Reader<'m> = &'m Self;

    fn filled(capacity: usize, keys: &[K]) -> Self {
        let map = Self(HashMap::with_capacity_and_hasher(capacity, RandomState::new()));
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

impl<K: Key> Read<K> for &SccMap<K> {
    #[inline]
    fn get(&self, key: &K) -> Option<u64> {
        self.0.read_sync(key, |_, payload| payload.word())
    }
}

impl<K: Key> Map<K> for SccMap<K> {
    fn insert(&self, key: &K, payload: Payload) -> bool {
        self.0.insert_sync(key.clone(), Box::new(payload)).is_ok()
    }

    fn remove(&self, key: &K) -> bool {
        self.0.remove_sync(key).is_some()
    }

    fn update(&self, key: &K, payload: Payload) -> bool {
        self.0.update_sync(key, |_, current| **current = payload).is_some()
    }
}
