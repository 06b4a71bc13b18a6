//! hashbrown maps under one lock.

use std::sync::Arc;

use ahash::RandomState;
use hashbrown::{HashMap, HashSet};
use parking_lot::RwLock;
use process_registry::{ChildId, Node, Tag};

use super::hand_built::{HandBuilt, Reads};
use super::record::{Label, Pid, Record, Spec};

/// Everything under one `parking_lot::RwLock`.
///
/// Entry and indexes always agree, and every operation is one atomic step. What it lacks is
/// concurrency: a write waits for every other write and for every read, a query of many entries
/// included; every read waits for a write, and writes to the word of the lock, which all threads
/// share. What `visit` is given must not be used to call back.
#[derive(Debug)]
pub struct OneLock(RwLock<Maps>);

#[derive(Debug)]
struct Maps {
    entries: HashMap<ChildId, Arc<Record>, RandomState>,
    tags: Index<Tag>,
    nodes: Index<Node>,
}

/// The ids under each tag or node.
type Ids = HashSet<ChildId, RandomState>;

/// An index that has no empty sets.
#[derive(Debug)]
struct Index<L>(HashMap<L, Ids, RandomState>);

impl<L: Label> Index<L> {
    fn new() -> Self {
        Self(HashMap::with_hasher(RandomState::new()))
    }

    fn add(&mut self, label: &L, id: &ChildId) {
        if let Some(ids) = self.0.get_mut(label) {
            ids.insert(id.clone());
        } else {
            self.0.entry(label.clone()).or_default().insert(id.clone());
        }
    }

    fn remove(&mut self, label: &L, id: &ChildId) {
        if let Some(ids) = self.0.get_mut(label)
            && ids.remove(id)
            && ids.is_empty()
        {
            self.0.remove(label);
        }
    }

    /// Moves an id from the labels of one record to those of another.
    fn change(&mut self, id: &ChildId, old: Option<&Record>, new: Option<&Record>) {
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

    fn visit(
        &self,
        label: &L,
        entries: &HashMap<ChildId, Arc<Record>, RandomState>,
        mut visit: impl FnMut(&ChildId, &[(Node, Pid)]),
    ) {
        for id in self.0.get(label).into_iter().flatten() {
            visit(id, entries[id].bindings());
        }
    }
}

impl HandBuilt for OneLock {
    const NAME: &'static str = "rwlock";

    type Value = Record;

    type Reader<'r> = &'r Self;

    fn with_capacity(entries: usize) -> Self {
        Self(RwLock::new(Maps {
            entries: HashMap::with_capacity_and_hasher(entries, RandomState::new()),
            tags: Index::new(),
            nodes: Index::new(),
        }))
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
        // Allocated before and, what it replaces, dropped after the lock is held.
        let new = Arc::new(value);
        let mut guard = self.0.write();
        let Maps { entries, tags, nodes } = &mut *guard;
        let old = entries.insert(id.clone(), Arc::clone(&new));
        tags.change(&id, old.as_deref(), Some(&new));
        nodes.change(&id, old.as_deref(), Some(&new));
        drop(guard);
        old.is_none()
    }

    fn update_pid(&self, id: &ChildId, node: &Node, pid: Pid) -> bool {
        let mut guard = self.0.write();
        let Maps { entries, nodes, .. } = &mut *guard;
        let Some(record) = entries.get_mut(id) else { return false };
        // In place unless somebody keeps the entry.
        if Arc::make_mut(record).bind(node, pid) {
            nodes.add(node, id);
        }
        true
    }

    fn remove(&self, id: &ChildId) -> bool {
        let mut guard = self.0.write();
        let Maps { entries, tags, nodes } = &mut *guard;
        let old = entries.remove(id);
        tags.change(id, old.as_deref(), None);
        nodes.change(id, old.as_deref(), None);
        drop(guard);
        old.is_some()
    }

    fn purge_node(&self, node: &Node) -> usize {
        let mut guard = self.0.write();
        let Maps { entries, tags, nodes } = &mut *guard;
        let ids = nodes.0.remove(node).unwrap_or_default();
        for id in &ids {
            let Some(record) = entries.get_mut(id) else { continue };
            if record.bindings().len() > 1 {
                Arc::make_mut(record).unbind(node);
            } else {
                let old = entries.remove(id);
                tags.change(id, old.as_deref(), None);
            }
        }
        ids.len()
    }

    #[inline]
    fn reader(&self) -> &Self {
        self
    }

    fn labels(&self) -> usize {
        let maps = self.0.read();
        maps.tags.0.len() + maps.nodes.0.len()
    }
}

impl Reads for &OneLock {
    #[inline]
    fn lookup(&self, id: &ChildId) -> Option<Pid> {
        let maps = self.0.read();
        maps.entries.get(id)?.bindings().first().map(|(_, pid)| *pid)
    }

    fn match_tag(&self, tag: &Tag, visit: impl FnMut(&ChildId, &[(Node, Pid)])) {
        let maps = self.0.read();
        maps.tags.visit(tag, &maps.entries, visit);
    }

    fn children(&self, node: &Node, visit: impl FnMut(&ChildId, &[(Node, Pid)])) {
        let maps = self.0.read();
        maps.nodes.visit(node, &maps.entries, visit);
    }
}
