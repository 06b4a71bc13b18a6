//! The keys: the same for every map.

use std::fmt::Debug;
use std::hash::Hash;

use fastrand::Rng;
use process_registry::ChildId;

/// A type of keys, numbered.
pub trait Key: Hash + Ord + Clone + Debug + Send + Sync + 'static {
    /// What reports call it.
    const NAME: &'static str;

    /// The key of a number; different numbers have different keys.
    fn numbered(number: u64) -> Self;
}

/// `session-000000123456`: 20 bytes, which lie inline in the 24 bytes of a [`ChildId`]. Comparing
/// two of them touches no other memory, in no map.
impl Key for ChildId {
    const NAME: &'static str = "str";

    fn numbered(number: u64) -> Self {
        Self::from(format!("session-{number:012}"))
    }
}

impl Key for u64 {
    const NAME: &'static str = "u64";

    fn numbered(number: u64) -> Self {
        number
    }
}

/// The keys of `numbers`, in order.
pub fn numbered<K: Key>(numbers: impl IntoIterator<Item = u64>) -> Vec<K> {
    numbers.into_iter().map(K::numbered).collect()
}

/// So many keys drawn from `keys`, with repetition, in the order in which they are to be used.
///
/// They are copied into a row of their own: who walks it takes a key from memory that the processor
/// has fetched ahead, and does not pay for where the key was. (`ChildId`s of this length and
/// integers are copied by value.)
pub fn drawn<K: Key>(keys: &[K], count: usize, rng: &mut Rng) -> Vec<K> {
    (0..count).map(|_| keys[rng.usize(..keys.len())].clone()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn distinct<K: Key>() {
        let keys: HashSet<K> = numbered(0..1000).into_iter().collect();
        assert_eq!(keys.len(), 1000);
        assert!(numbered::<K>(1000..2000).iter().all(|key| !keys.contains(key)));
    }

    #[test]
    fn numbers_and_keys_are_one_to_one() {
        distinct::<ChildId>();
        distinct::<u64>();
    }

    #[test]
    fn ids_lie_inline() {
        // The longest: all twelve digits. 23 bytes fit.
        let id = ChildId::numbered(999_999_999_999);
        let place = std::ptr::from_ref(&id).addr();
        let text = id.as_str().as_ptr().addr();
        assert!((place..place + size_of::<ChildId>()).contains(&text), "{id}");
        assert_eq!(size_of::<ChildId>(), 24);
    }

    #[test]
    fn draws_cover_the_keys_and_follow_the_seed() {
        let keys: Vec<u64> = numbered(0..64);
        let draw = |seed| drawn(&keys, 4096, &mut Rng::with_seed(seed));
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert_eq!(draw(1).into_iter().collect::<HashSet<_>>().len(), 64);
    }
}
