//! `scc::HashIndex`: lock-free reads, writes lock a bucket.

use ahash::RandomState;
use scc::{Guard, HashIndex};

use super::{Lookup, Map, Read};
use crate::keys::Key;
use crate::payload::Payload;

/// [`scc::HashIndex`] of boxed payloads. Its own guide asks for values that are cheap to move; an
/// update puts a new entry beside the old one.
#[derive(Debug)]
pub struct SccIndex<K: Key>(HashIndex<K, Box<Payload>, RandomState>);

/// Holds a guard of the collector that all maps of `scc` share.
#[derive(Debug)]
pub struct SccReader<'m, K: Key> {
    map: &'m HashIndex<K, Box<Payload>, RandomState>,
    guard: Guard,
}

impl<K: Key> Lookup<K> for SccIndex<K> {
    const NAME: &'static str = "scc-index";

    type Reader<'m> = SccReader<'m, K>;

    fn filled(capacity: usize, keys: &[K]) -> Self {
        let map = Self(HashIndex::with_capacity_and_hasher(capacity, RandomState::new()));
        for (key, word) in keys.iter().zip(0..) {
            map.insert(key, Payload::new(word));
        }
        map
    }

    #[inline]
    fn reader(&self) -> Self::Reader<'_> {
        SccReader { map: &self.0, guard: Guard::new() }
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

impl<K: Key> Read<K> for SccReader<'_, K> {
    #[inline]
    fn get(&self, key: &K) -> Option<u64> {
        self.map.peek(key, &self.guard).map(|payload| payload.word())
    }
}

impl<K: Key> Map<K> for SccIndex<K> {
    fn insert(&self, key: &K, payload: Payload) -> bool {
        self.0.insert_sync(key.clone(), Box::new(payload)).is_ok()
    }

    fn remove(&self, key: &K) -> bool {
        self.0.remove_sync(key)
    }

    fn update(&self, key: &K, payload: Payload) -> bool {
        let Some(mut current) = self.0.get_sync(key) else { return false };
        current.update(Box::new(payload));
        true
    }
}
