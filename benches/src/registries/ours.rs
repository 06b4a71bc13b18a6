//! This crate's registry.

use process_registry::{Child, ChildId, Node, Pinned, Registry, Tag};

use super::hand_built::{HandBuilt, Reads};
use super::record::{Pid, Spec};
use crate::pages::builder;

const LOCAL: Node = Node::from_static("local");

/// The registry through its public face. It lacks none of what the others say they lack.
#[derive(Debug)]
pub struct Ours(Registry<Spec, Pid>);

impl HandBuilt for Ours {
    const NAME: &'static str = "ours";

    type Value = Child<Spec, Pid>;

    type Reader<'r> = Pinned<'r, Spec, Pid>;

    fn with_capacity(entries: usize) -> Self {
        Self(builder(LOCAL).capacity(entries).build())
    }

    #[inline]
    fn value(
        spec: Spec,
        bindings: impl IntoIterator<Item = (Node, Pid)>,
        tags: impl IntoIterator<Item = Tag>,
    ) -> Child<Spec, Pid> {
        let child = Child::new(spec);
        let child = bindings.into_iter().fold(child, |child, (node, pid)| child.on(node, pid));
        child.tagged(tags)
    }

    #[inline]
    fn insert(&self, id: ChildId, value: Child<Spec, Pid>) -> bool {
        self.0.insert(id, value).is_none()
    }

    #[inline]
    fn update_pid(&self, id: &ChildId, node: &Node, pid: Pid) -> bool {
        self.0.update(id, |child| child.bind(node, pid)).is_ok()
    }

    #[inline]
    fn remove(&self, id: &ChildId) -> bool {
        self.0.delete(id).is_some()
    }

    fn purge_node(&self, node: &Node) -> usize {
        self.0.remove_node(node).len()
    }

    #[inline]
    fn reader(&self) -> Pinned<'_, Spec, Pid> {
        self.0.pin()
    }

    fn labels(&self) -> usize {
        self.0.tags().len() + self.0.nodes().len()
    }
}

impl Reads for Pinned<'_, Spec, Pid> {
    #[inline]
    fn lookup(&self, id: &ChildId) -> Option<Pid> {
        self.get_pid(id).copied()
    }

    fn match_tag(&self, tag: &Tag, mut visit: impl FnMut(&ChildId, &[(Node, Pid)])) {
        for entry in Pinned::match_tag(self, tag) {
            visit(entry.id(), entry.bindings());
        }
    }

    fn children(&self, node: &Node, mut visit: impl FnMut(&ChildId, &[(Node, Pid)])) {
        for entry in self.children_on(node) {
            visit(entry.id(), entry.bindings());
        }
    }
}
