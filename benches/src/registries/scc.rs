//! Three scc indexes.

use std::sync::Arc;

use ahash::RandomState;
use process_registry::{ChildId, Node, Tag};
use scc::hash_index::Entry;
use scc::{Guard, HashIndex};

use super::hand_built::{HandBuilt, Reads};
use super::members::{Ids, Members};
use super::record::{Label, Pid, Record, Spec};

/// A `HashIndex` of entries, one of tags and one of nodes; each tag and node has a locked set.
///
/// `HashIndex`, not `HashMap`: its lookups take no lock. A writer changes the indexes while it
/// holds the bucket of the entry, therefore they agree with it once it is done. What it lacks: the
/// three change one after the other, so a query may miss an entry that a lookup finds; writers wait
/// for each other, and for a query of a tag or node that they add or remove; what `visit` is given
/// must not be used to call back; and every update makes a new record.
#[derive(Debug)]
pub struct Scc {
    entries: HashIndex<ChildId, Arc<Record>, RandomState>,
    tags: Index<Tag>,
    nodes: Index<Node>,
}

/// An index that has no empty sets.
#[derive(Debug)]
struct Index<L: Label>(HashIndex<L, Members, RandomState>);

impl<L: Label> Index<L> {
    fn new() -> Self {
        Self(HashIndex::with_hasher(RandomState::new()))
    }

    fn add(&self, label: &L, id: &ChildId) {
        loop {
            if self.0.peek_with(label, |_, members| members.add(id)) == Some(true) {
                return;
            }
            let entry = self.0.entry_sync(label.clone()).or_default();
            if entry.get().add(id) {
                return;
            }
            // Retired, and whoever did it has not come to take it out.
            entry.remove_entry();
        }
    }

    fn remove(&self, label: &L, id: &ChildId) {
        if self.0.peek_with(label, |_, members| members.remove(id)) == Some(true) {
            self.0.remove_if_sync(label, Members::is_retired);
        }
    }

    fn take(&self, label: &L) -> Ids {
        let ids = self.0.peek_with(label, |_, members| members.take());
        self.0.remove_if_sync(label, Members::is_retired);
        ids.unwrap_or_default()
    }

    /// Moves an id from the labels of one record to those of another, while its entry is locked.
    fn change(&self, id: &ChildId, old: Option<&Record>, new: Option<&Record>) {
        for label in new.into_iter().flat_map(L::of) {
            if !old.is_some_and(|old| label.is_on(old)) {
                self.add(label, id);
            }
        }
        for label in old.into_iter().flat_map(L::of) {
            if !new.is_some_and(|new| label.is_on(new)) {
                self.remove(label, id);
            }
        }
    }
}

impl Scc {
    /// Drops a binding of a child; whether there was one. The id is out of the set of the node,
    /// unless a writer has put it back meanwhile.
    fn unbind(&self, id: &ChildId, node: &Node) -> bool {
        let Some(mut entry) = self.entries.get_sync(id) else { return false };
        if !entry.get().is_bound_to(node) {
            return false;
        }
        let mut rest = Record::clone(entry.get());
        if rest.unbind(node) {
            entry.update(Arc::new(rest));
            self.nodes.remove(node, id);
        } else {
            self.tags.change(id, Some(entry.get()), None);
            self.nodes.remove(node, id);
            entry.remove_entry();
        }
        true
    }
}

impl HandBuilt for Scc {
    const NAME: &'static str = "scc-index";

    type Value = Record;

    type Reader<'r> = Peeking<'r>;

    fn with_capacity(entries: usize) -> Self {
        Self {
            entries: HashIndex::with_capacity_and_hasher(entries, RandomState::new()),
            tags: Index::new(),
            nodes: Index::new(),
        }
    }

    #[inline]
    fn value(
        spec: Spec,
        bindings: impl IntoIterator<Item = (Node, Pid)>,
        tags: impl IntoIterator<Item = Tag>,
    ) -> Record {
        Record::new(spec, bindings, tags)
    }

    fn insert(&self, id: ChildId, value: Record) -> bool {
        let new = Arc::new(value);
        match self.entries.entry_sync(id) {
            Entry::Occupied(mut entry) => {
                let old = Arc::clone(entry.get());
                entry.update(new);
                self.tags.change(entry.key(), Some(&old), Some(entry.get()));
                self.nodes.change(entry.key(), Some(&old), Some(entry.get()));
                false
            }
            Entry::Vacant(entry) => {
                let entry = entry.insert_entry(new);
                self.tags.change(entry.key(), None, Some(entry.get()));
                self.nodes.change(entry.key(), None, Some(entry.get()));
                true
            }
        }
    }

    fn update_pid(&self, id: &ChildId, node: &Node, pid: Pid) -> bool {
        let Some(mut entry) = self.entries.get_sync(id) else { return false };
        let mut record = Record::clone(entry.get());
        let anew = record.bind(node, pid);
        entry.update(Arc::new(record));
        if anew {
            self.nodes.add(node, id);
        }
        true
    }

    fn remove(&self, id: &ChildId) -> bool {
        // The condition is a way to do something under the lock.
        self.entries.remove_if_sync(id, |record| {
            self.tags.change(id, Some(record), None);
            self.nodes.change(id, Some(record), None);
            true
        })
    }

    fn purge_node(&self, node: &Node) -> usize {
        self.nodes.take(node).iter().filter(|id| self.unbind(id, node)).count()
    }

    #[inline]
    fn reader(&self) -> Peeking<'_> {
        Peeking { scc: self, guard: Guard::new() }
    }

    fn labels(&self) -> usize {
        self.tags.0.len() + self.nodes.0.len()
    }
}

/// Reads under one guard.
#[derive(Debug)]
pub struct Peeking<'r> {
    scc: &'r Scc,
    guard: Guard,
}

impl Peeking<'_> {
    fn visit<L: Label>(
        &self,
        index: &Index<L>,
        label: &L,
        mut visit: impl FnMut(&ChildId, &[(Node, Pid)]),
    ) {
        let Some(members) = index.0.peek(label, &self.guard) else { return };
        for id in &*members.ids() {
            if let Some(record) = self.scc.entries.peek(id, &self.guard)
                && label.is_on(record)
            {
                visit(id, record.bindings());
            }
        }
    }
}

impl Reads for Peeking<'_> {
    #[inline]
    fn lookup(&self, id: &ChildId) -> Option<Pid> {
        let record = self.scc.entries.peek(id, &self.guard)?;
        record.bindings().first().map(|(_, pid)| *pid)
    }

    fn match_tag(&self, tag: &Tag, visit: impl FnMut(&ChildId, &[(Node, Pid)])) {
        self.visit(&self.scc.tags, tag, visit);
    }

    fn children(&self, node: &Node, visit: impl FnMut(&ChildId, &[(Node, Pid)])) {
        self.visit(&self.scc.nodes, node, visit);
    }
}
