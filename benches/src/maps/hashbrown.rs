//! hashbrown without any synchronisation: the limit, no peer.

use ahash::RandomState;
use hashbrown::HashMap;

use super::{Lookup, Read};
use crate::keys::Key;
use crate::payload::Payload;

/// [`hashbrown::HashMap`] of boxed payloads, which nobody can write while others read it: no lock, no pin, and the
/// keys in the table. It bounds what the rest of a lookup may cost, not every lookup: a hit follows the box to
/// one line more than a map would that has key and payload in one block, and batches overlap what it waits for.
#[derive(Debug)]
pub struct Bare<K: Key>(HashMap<K, Box<Payload>, RandomState>);

impl<K: Key> Lookup<K> for Bare<K> {
    const NAME: &'static str = "hashbrown";

    type Reader<'m> = &'m Self;

    fn filled(capacity: usize, keys: &[K]) -> Self {
        let mut map = HashMap::with_capacity_and_hasher(capacity, RandomState::new());
        for (key, word) in keys.iter().zip(0..) {
            map.insert(key.clone(), Box::new(Payload::new(word)));
        }
        Self(map)
    }

    #[inline]
    fn reader(&self) -> Self::Reader<'_> {
        self
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

impl<K: Key> Read<K> for &Bare<K> {
    #[inline]
    fn get(&self, key: &K) -> Option<u64> {
        self.0.get(key).map(|payload| payload.word())
    }
}
