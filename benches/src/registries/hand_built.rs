//! What all of them do.

use process_registry::{ChildId, Node, Tag};

use super::record::{Pid, Spec};

/// A registry, hand-built or not: entries by id, by tag and by node.
///
/// Every entry has at least one binding.
pub trait HandBuilt: Send + Sync + Sized {
    /// What it is called in a report.
    const NAME: &'static str;

    /// What is stored under an id.
    type Value: Send;

    /// What reads: for as long as it lives it spares the reads whatever entering costs them, as far
    /// as that keeps nobody waiting.
    type Reader<'r>: Reads
    where
        Self: 'r;

    /// An empty one with room for so many entries.
    fn with_capacity(entries: usize) -> Self;

    /// Makes what is to be stored.
    fn value(
        spec: Spec,
        bindings: impl IntoIterator<Item = (Node, Pid)>,
        tags: impl IntoIterator<Item = Tag>,
    ) -> Self::Value;

    /// Stores a value, whatever is there; whether the id is new.
    fn insert(&self, id: ChildId, value: Self::Value) -> bool;

    /// Binds a child to a node, anew or by another pid; whether there is such a child.
    fn update_pid(&self, id: &ChildId, node: &Node, pid: Pid) -> bool;

    /// Removes a child; whether there was one.
    fn remove(&self, id: &ChildId) -> bool;

    /// Drops the bindings to a node, and the children that have no other; how many children it had.
    fn purge_node(&self, node: &Node) -> usize;

    /// Begins to read.
    fn reader(&self) -> Self::Reader<'_>;

    /// How many tags and nodes it keeps a set of ids for.
    fn labels(&self) -> usize;
}

/// The reads of a registry.
pub trait Reads {
    /// The pid of the first binding of a child.
    fn lookup(&self, id: &ChildId) -> Option<Pid>;

    /// Visits the children that carry a tag, with their bindings.
    fn match_tag(&self, tag: &Tag, visit: impl FnMut(&ChildId, &[(Node, Pid)]));

    /// Visits the children bound to a node, with their bindings.
    fn children(&self, node: &Node, visit: impl FnMut(&ChildId, &[(Node, Pid)]));
}
