//! Three dashmaps.

use std::sync::Arc;

use ahash::RandomState;
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use hashbrown::HashSet;
use process_registry::{ChildId, Node, Tag};

use super::hand_built::{HandBuilt, Reads};
use super::record::{Label, Pid, Record, Spec};

/// So many that two threads rarely meet, and that nearly every tag and node has a lock to itself.
const SHARDS: usize = 128;

/// A `DashMap` of entries, one of tags and one of nodes.
///
/// A writer changes the indexes while it holds the lock of the entry, therefore they agree with it
/// once it is done. What it lacks: the three change one after the other, so a query may miss an
/// entry that a lookup finds; everything that shares a shard with a writer waits for it, reads
/// included; and since a query must not wait for an entry while a writer waits for its set, it
/// copies the ids of the set first and then looks each one up, when it may have gone or changed.
#[derive(Debug)]
pub struct Dash {
    entries: DashMap<ChildId, Arc<Record>, RandomState>,
    tags: Index<Tag>,
    nodes: Index<Node>,
}

/// The ids under a tag or a node. Not a `DashSet`: the shard of the index locks it already.
type Ids = HashSet<ChildId, RandomState>;

/// An index that has no empty sets.
#[derive(Debug)]
struct Index<L: Label>(DashMap<L, Ids, RandomState>);

impl<L: Label> Index<L> {
    fn new() -> Self {
        Self(DashMap::with_hasher_and_shard_amount(RandomState::new(), SHARDS))
    }

    fn add(&self, label: &L, id: &ChildId) {
        if let Some(mut ids) = self.0.get_mut(label) {
            ids.insert(id.clone());
            return;
        }
        self.0.entry(label.clone()).or_default().insert(id.clone());
    }

    fn remove(&self, label: &L, id: &ChildId) {
        let Some(mut ids) = self.0.get_mut(label) else { return };
        if ids.remove(id) && ids.is_empty() {
            drop(ids);
            self.0.remove_if(label, |_, ids| ids.is_empty());
        }
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

    fn copy(&self, label: &L) -> Vec<ChildId> {
        self.0.get(label).map(|ids| ids.iter().cloned().collect()).unwrap_or_default()
    }
}

impl Dash {
    fn visit<L: Label>(
        &self,
        index: &Index<L>,
        label: &L,
        mut visit: impl FnMut(&ChildId, &[(Node, Pid)]),
    ) {
        for id in index.copy(label) {
            if let Some(record) = self.entries.get(&id)
                && label.is_on(&record)
            {
                visit(&id, record.bindings());
            }
        }
    }

    /// Drops a binding of a child; whether there was one. The id is out of the set of the node,
    /// unless a writer has put it back meanwhile.
    fn unbind(&self, id: ChildId, node: &Node) -> bool {
        let Entry::Occupied(mut entry) = self.entries.entry(id) else { return false };
        if !entry.get().is_bound_to(node) {
            return false;
        }
        self.nodes.remove(node, entry.key());
        if entry.get().bindings().len() > 1 {
            Arc::make_mut(entry.get_mut()).unbind(node);
        } else {
            self.tags.change(entry.key(), Some(entry.get()), None);
            entry.remove();
        }
        true
    }
}

impl HandBuilt for Dash {
    const NAME: &'static str = "dashmap";

    type Value = Record;

    type Reader<'r> = &'r Self;

    fn with_capacity(entries: usize) -> Self {
        Self {
            entries: DashMap::with_capacity_and_hasher_and_shard_amount(
                entries,
                RandomState::new(),
                SHARDS,
            ),
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
        match self.entries.entry(id) {
            Entry::Occupied(mut entry) => {
                let old = entry.insert(new);
                self.tags.change(entry.key(), Some(&old), Some(entry.get()));
                self.nodes.change(entry.key(), Some(&old), Some(entry.get()));
                false
            }
            Entry::Vacant(entry) => {
                let entry = entry.insert(new);
                self.tags.change(entry.key(), None, Some(&entry));
                self.nodes.change(entry.key(), None, Some(&entry));
                true
            }
        }
    }

    fn update_pid(&self, id: &ChildId, node: &Node, pid: Pid) -> bool {
        let Some(mut record) = self.entries.get_mut(id) else { return false };
        // In place unless somebody keeps the entry.
        if Arc::make_mut(&mut record).bind(node, pid) {
            self.nodes.add(node, id);
        }
        true
    }

    fn remove(&self, id: &ChildId) -> bool {
        // The condition is a way to do something under the lock.
        let removed = self.entries.remove_if(id, |id, record| {
            self.tags.change(id, Some(record), None);
            self.nodes.change(id, Some(record), None);
            true
        });
        removed.is_some()
    }

    fn purge_node(&self, node: &Node) -> usize {
        let Some((_, ids)) = self.nodes.0.remove(node) else { return 0 };
        ids.into_iter().filter(|id| self.unbind(id.clone(), node)).count()
    }

    #[inline]
    fn reader(&self) -> &Self {
        self
    }

    fn labels(&self) -> usize {
        self.tags.0.len() + self.nodes.0.len()
    }
}

impl Reads for &Dash {
    #[inline]
    fn lookup(&self, id: &ChildId) -> Option<Pid> {
        let record = self.entries.get(id)?;
        record.bindings().first().map(|(_, pid)| *pid)
    }

    fn match_tag(&self, tag: &Tag, visit: impl FnMut(&ChildId, &[(Node, Pid)])) {
        self.visit(&self.tags, tag, visit);
    }

    fn children(&self, node: &Node, visit: impl FnMut(&ChildId, &[(Node, Pid)])) {
        self.visit(&self.nodes, node, visit);
    }
}
