//! The maps under test behind one face, one adapter a file.
//!
//! Every adapter hashes with `ahash`, has the same keys and the same [`Payload`] as all others, and
//! does each operation in the way its own documentation recommends. What differs between them, and
//! what that means for the comparison, is said in each file.

mod dashmap;
mod flurry;
mod hashbrown;
mod ours;
mod papaya;
mod rwlock;
mod scc_index;
mod scc_map;
#[cfg(test)]
mod tests;

pub use self::dashmap::Dash;
pub use self::flurry::Flurry;
pub use self::hashbrown::Bare;
pub use self::ours::{Bound, Unbound};
pub use self::papaya::Papaya;
pub use self::rwlock::Locked;
pub use self::scc_index::SccIndex;
pub use self::scc_map::SccMap;

use crate::keys::Key;
use crate::payload::Payload;

/// What can be looked up, by any number of threads at once.
pub trait Lookup<K: Key>: Sync + Sized {
    /// What reports call it.
    const NAME: &'static str;

    /// What keeps entries from being freed while they are read: a pin, a lock's guard, or nothing
    /// but a reference where each operation takes care of itself.
    type Reader<'m>: Read<K>
    where
        Self: 'm;

    /// A map with room for so many entries, each key with the payload of its place in the row.
    fn filled(capacity: usize, keys: &[K]) -> Self;

    /// For many lookups.
    fn reader(&self) -> Self::Reader<'_>;

    /// One lookup with everything it needs, as a reader of its own would do it unless the map has a
    /// faster way.
    #[inline]
    fn get(&self, key: &K) -> Option<u64> {
        self.reader().get(key)
    }

    /// How many entries there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Looks keys up while it holds what [`Lookup::reader`] took.
pub trait Read<K: Key> {
    /// The first word of a key's payload.
    fn get(&self, key: &K) -> Option<u64>;
}

/// What can be written as well, while others read and write it.
pub trait Map<K: Key>: Lookup<K> {
    /// Adds a key that is not there; `false` (and nothing done) if it is.
    fn insert(&self, key: &K, payload: Payload) -> bool;

    /// Removes a key; whether it was there.
    fn remove(&self, key: &K) -> bool;

    /// Replaces the payload of a key that is there; `false` (and nothing done) if it is not.
    fn update(&self, key: &K, payload: Payload) -> bool;
}

/// Something to do with each map that ours is compared with.
pub trait Visit<K: Key> {
    /// What may go wrong.
    type Error;

    /// Does it with a peer.
    ///
    /// # Errors
    ///
    /// What goes wrong.
    fn peer<M: Map<K>>(&mut self) -> Result<(), Self::Error>;

    /// Does it with the limit.
    ///
    /// # Errors
    ///
    /// What goes wrong.
    fn limit<M: Lookup<K>>(&mut self) -> Result<(), Self::Error>;
}

/// Visits all maps but ours.
///
/// # Errors
///
/// The first thing that goes wrong.
pub fn visit<K: Key, V: Visit<K>>(visitor: &mut V) -> Result<(), V::Error> {
    visitor.peer::<Papaya<K>>()?;
    visitor.peer::<SccIndex<K>>()?;
    visitor.peer::<SccMap<K>>()?;
    visitor.peer::<Dash<K>>()?;
    visitor.peer::<Flurry<K>>()?;
    visitor.peer::<Locked<K>>()?;
    visitor.limit::<Bare<K>>()
}

pub(crate) const PAPAYA: &str = name::<Papaya<u64>>();
pub(crate) const SCC_INDEX: &str = name::<SccIndex<u64>>();
pub(crate) const SCC_MAP: &str = name::<SccMap<u64>>();
pub(crate) const RWLOCK: &str = name::<Locked<u64>>();
pub(crate) const HASHBROWN: &str = name::<Bare<u64>>();

/// What [`visit`] visits, by name.
pub const NAMES: [&str; 7] =
    [PAPAYA, SCC_INDEX, SCC_MAP, name::<Dash<u64>>(), name::<Flurry<u64>>(), RWLOCK, HASHBROWN];

/// Its name is the same whatever the keys are.
const fn name<M: Lookup<u64>>() -> &'static str {
    M::NAME
}
