//! What the hand-built registries hold of a child.

use std::fmt::Debug;
use std::hash::Hash;

use process_registry::{Node, Tag};
use smallvec::SmallVec;

/// The handle of a process.
pub type Pid = u64;

/// The specification of a child: one word, so that copying it costs nothing.
pub type Spec = u64;

/// A child without its id: about a hundred bytes, laid out as the registry's own.
#[derive(Clone, Debug)]
pub struct Record {
    spec: Spec,
    bindings: SmallVec<[(Node, Pid); 1]>,
    tags: SmallVec<[Tag; 2]>,
}

impl Record {
    /// A record. A node occurs once, with its last pid, and so does a tag.
    pub fn new(
        spec: Spec,
        bindings: impl IntoIterator<Item = (Node, Pid)>,
        tags: impl IntoIterator<Item = Tag>,
    ) -> Self {
        let mut record = Self { spec, bindings: SmallVec::new(), tags: SmallVec::new() };
        for (node, pid) in bindings {
            record.bind(&node, pid);
        }
        for tag in tags {
            if !tag.is_on(&record) {
                record.tags.push(tag);
            }
        }
        record
    }

    /// The specification.
    #[must_use]
    pub fn spec(&self) -> Spec {
        self.spec
    }

    /// Where the child runs, in the order in which it was bound.
    #[must_use]
    pub fn bindings(&self) -> &[(Node, Pid)] {
        &self.bindings
    }

    /// Whether it is bound to the node.
    pub(super) fn is_bound_to(&self, node: &str) -> bool {
        self.bindings.iter().any(|(bound, _)| *bound == node)
    }

    /// Whether it carries the tag.
    pub(super) fn has_tag(&self, tag: &str) -> bool {
        self.tags.iter().any(|carried| *carried == tag)
    }

    /// Binds a node to a pid; whether the node is a new one.
    pub(super) fn bind(&mut self, node: &Node, pid: Pid) -> bool {
        match self.bindings.iter_mut().find(|(bound, _)| bound == node) {
            Some((_, old)) => {
                *old = pid;
                false
            }
            None => {
                self.bindings.push((node.clone(), pid));
                true
            }
        }
    }

    /// Drops the binding to a node; whether any is left.
    pub(super) fn unbind(&mut self, node: &str) -> bool {
        self.bindings.retain(|(bound, _)| *bound != node);
        !self.bindings.is_empty()
    }
}

/// What an index is made over: the tags, or the nodes.
pub(super) trait Label: Clone + Debug + Eq + Hash + 'static {
    /// Those of a record.
    fn of(record: &Record) -> impl Iterator<Item = &Self>;

    /// Whether a record has this one.
    fn is_on(&self, record: &Record) -> bool;
}

impl Label for Tag {
    fn of(record: &Record) -> impl Iterator<Item = &Self> {
        record.tags.iter()
    }

    fn is_on(&self, record: &Record) -> bool {
        record.has_tag(self)
    }
}

impl Label for Node {
    fn of(record: &Record) -> impl Iterator<Item = &Self> {
        record.bindings.iter().map(|(node, _)| node)
    }

    fn is_on(&self, record: &Record) -> bool {
        record.is_bound_to(self)
    }
}
