//! The children of a snapshot, given away.

use std::collections::hash_map;
use std::fmt;
use std::iter::FusedIterator;

use crate::child::Child;
use crate::name::ChildId;
use crate::snapshot::Snapshot;

/// The children of a [`Snapshot`] with their ids, in no order; made by its `into_iter`. With the feature
/// `serde`.
///
/// Each child's memory is given back with it.
///
/// # Examples
///
/// ```
/// use process_registry::{Child, Registry, Snapshot};
///
/// let registry: Registry<String, u32> = Registry::new("node-a");
/// registry.insert("worker", Child::new("spec".into()).on("node-a", 4711));
/// let saved = serde_json::to_string(&registry)?;
///
/// let snapshot: Snapshot<String, u32> = serde_json::from_str(&saved)?;
/// let children: Vec<_> = snapshot.into_iter().collect();
/// assert_eq!(children[0].0, "worker");
/// assert_eq!(children[0].1.pid_on("node-a"), Some(&4711));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct IntoChildren<S, P, M = (), K = ChildId> {
    children: hash_map::IntoIter<K, Box<Child<S, P, M>>>,
}

impl<S, P, M, K> IntoIterator for Snapshot<S, P, M, K> {
    type Item = (K, Child<S, P, M>);
    type IntoIter = IntoChildren<S, P, M, K>;

    fn into_iter(self) -> Self::IntoIter {
        IntoChildren { children: self.children.into_iter() }
    }
}

impl<S, P, M, K> Iterator for IntoChildren<S, P, M, K> {
    type Item = (K, Child<S, P, M>);

    fn next(&mut self) -> Option<Self::Item> {
        self.children.next().map(|(id, child)| (id, *child))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.children.size_hint()
    }
}

impl<S, P, M, K> ExactSizeIterator for IntoChildren<S, P, M, K> {}

impl<S, P, M, K> FusedIterator for IntoChildren<S, P, M, K> {}

impl<S, P, M, K> fmt::Debug for IntoChildren<S, P, M, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntoChildren").field("len", &self.len()).finish_non_exhaustive()
    }
}
