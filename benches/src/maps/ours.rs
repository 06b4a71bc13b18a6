//! The registry itself, used as a map.

use process_registry::{Child, Decision, Node, Pinned, Registry};

use super::{Lookup, Map, Read};
use crate::keys::Key;
use crate::pages::builder;
use crate::payload::Payload;

const NODE: Node = Node::from_static("node-a");

/// A [`Registry`] whose children are what children are: each has a specification and one binding,
/// on the local node.
///
/// It does more than its peers: each insertion and removal keeps an index of the children on that node as well.
/// Lookups show only children that are bound and have not expired, which costs these nothing: the word of a slot
/// says whether its entry is unbound or has a deadline, and where it says neither, a lookup reads nothing of the
/// entry but its id. The first word of the payload is the specification, and it is the pid. The rest of the
/// payload is left out: an entry has all of it that a child has (bindings, deadline, version, its place in the
/// index of nodes), 120 bytes with a string as the key, as many as a peer's key and payload have; 136 are
/// asked for, so that it begins where it shall.
#[derive(Debug)]
pub struct Bound<K: Key>(Registry<u64, u64, (), K>);

/// A [`Registry`] of children without bindings: no index but the one by id is kept, as in the
/// peers, so that the same work can be compared.
///
/// Such entries are shown by `entry_exists` only. Their words are flagged, so that every hit goes the longer way
/// of what is unbound or has a deadline, and looks at the deadline; it reads no payload: [`Read::get`] returns 0
/// for what is there.
#[derive(Debug)]
pub struct Unbound<K: Key>(Registry<u64, u64, (), K>);

fn filled<K: Key>(capacity: usize) -> Registry<u64, u64, (), K> {
    builder(NODE).capacity(capacity).build()
}

impl<K: Key> Lookup<K> for Bound<K> {
    const NAME: &'static str = "ours";

    type Reader<'m> = Pinned<'m, u64, u64, (), K>;

    fn filled(capacity: usize, keys: &[K]) -> Self {
        let map = Self(filled(capacity));
        for (key, word) in keys.iter().zip(0..) {
            map.insert(key, Payload::new(word));
        }
        map
    }

    #[inline]
    fn reader(&self) -> Self::Reader<'_> {
        self.0.pin()
    }

    #[inline]
    fn get(&self, key: &K) -> Option<u64> {
        self.0.lookup(key).map(|entry| *entry.spec())
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

impl<K: Key> Read<K> for Pinned<'_, u64, u64, (), K> {
    #[inline]
    fn get(&self, key: &K) -> Option<u64> {
        self.lookup(key).map(|entry| *entry.spec())
    }
}

impl<K: Key> Map<K> for Bound<K> {
    fn insert(&self, key: &K, payload: Payload) -> bool {
        let child = Child::new(payload.word()).on(NODE, payload.word());
        self.0.pin().try_insert(key.clone(), child).is_ok()
    }

    fn remove(&self, key: &K) -> bool {
        self.0.pin().delete(key).is_some()
    }

    fn update(&self, key: &K, payload: Payload) -> bool {
        self.0.update(key, |child| child.set_spec(payload.word())).is_ok()
    }
}

/// A pin under which unbound children are seen.
#[derive(Debug)]
pub struct UnboundReader<'m, K: Key>(Pinned<'m, u64, u64, (), K>);

impl<K: Key> Lookup<K> for Unbound<K> {
    const NAME: &'static str = "ours (no bindings)";

    type Reader<'m> = UnboundReader<'m, K>;

    fn filled(capacity: usize, keys: &[K]) -> Self {
        let map = Self(filled(capacity));
        for (key, word) in keys.iter().zip(0..) {
            map.insert(key, Payload::new(word));
        }
        map
    }

    #[inline]
    fn reader(&self) -> Self::Reader<'_> {
        UnboundReader(self.0.pin())
    }

    fn len(&self) -> usize {
        self.0.len_all()
    }
}

impl<K: Key> Read<K> for UnboundReader<'_, K> {
    #[inline]
    fn get(&self, key: &K) -> Option<u64> {
        self.0.entry_exists(key).then_some(0)
    }
}

impl<K: Key> Map<K> for Unbound<K> {
    fn insert(&self, key: &K, payload: Payload) -> bool {
        let mut vacant = false;
        self.0.pin().compute(key.clone(), |current| {
            vacant = current.is_none();
            if vacant { Decision::Put(Child::new(payload.word())) } else { Decision::Keep }
        });
        vacant
    }

    fn remove(&self, key: &K) -> bool {
        self.0.pin().delete(key).is_some()
    }

    fn update(&self, key: &K, payload: Payload) -> bool {
        let mut found = false;
        self.0.pin().compute(key.clone(), |current| {
            found = current.is_some();
            if found { Decision::Put(Child::new(payload.word())) } else { Decision::Keep }
        });
        found
    }
}
