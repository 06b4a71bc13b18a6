//! Three papaya maps.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use ahash::RandomState;
use papaya::{Compute, HashMap, LocalGuard, Operation};
use process_registry::{ChildId, Node, Tag};

use super::hand_built::{HandBuilt, Reads};
use super::members::{Ids, Members};
use super::record::{Label, Pid, Record, Spec};

/// A papaya map of entries, one of tags and one of nodes, of one collector; each tag and node has a
/// locked set.
///
/// Nothing locks an entry, so two writers of one id may change the indexes in another order than
/// the entries: whoever has changed an entry goes over its indexes until they agree with what is
/// there. What it lacks: until then a query may miss an entry that a lookup finds, and sets hold
/// ids that are gone, which queries pass over; writers of one tag or node wait for each other and
/// for its queries; what `visit` is given must not be used to call back; and every update makes a
/// new record.
#[derive(Debug)]
pub struct Papaya {
    entries: HashMap<ChildId, Arc<Record>, RandomState>,
    tags: Index<Tag>,
    nodes: Index<Node>,
}

/// An index that has no empty sets.
#[derive(Debug)]
struct Index<L: Label>(HashMap<L, Members, RandomState>);

impl<L: Label> Index<L> {
    fn add(&self, label: &L, id: &ChildId, guard: &LocalGuard<'_>) {
        loop {
            let members = match self.0.get(label, guard) {
                Some(members) => members,
                None => self.0.get_or_insert_with(label.clone(), Members::default, guard),
            };
            if members.add(id) {
                return;
            }
            self.sweep(label, guard);
        }
    }

    fn remove(&self, label: &L, id: &ChildId, guard: &LocalGuard<'_>) {
        if let Some(members) = self.0.get(label, guard)
            && members.remove(id)
        {
            self.sweep(label, guard);
        }
    }

    fn take(&self, label: &L, guard: &LocalGuard<'_>) -> Ids {
        let Some(members) = self.0.get(label, guard) else { return Ids::default() };
        let ids = members.take();
        self.sweep(label, guard);
        ids
    }

    /// Takes a retired set out of the map.
    fn sweep(&self, label: &L, guard: &LocalGuard<'_>) {
        // Somebody else's set in its place stays.
        let _ = self.0.remove_if(label, |_, members| members.is_retired(), guard);
    }

    /// Moves an id from the labels of one record to those of another.
    fn change(
        &self,
        id: &ChildId,
        old: Option<&Record>,
        new: Option<&Record>,
        guard: &LocalGuard<'_>,
    ) {
        for label in new.into_iter().flat_map(L::of) {
            if !old.is_some_and(|old| label.is_on(old)) {
                self.add(label, id, guard);
            }
        }
        for label in old.into_iter().flat_map(L::of) {
            if !new.is_some_and(|new| label.is_on(new)) {
                self.remove(label, id, guard);
            }
        }
    }
}

impl Papaya {
    /// Brings the indexes up to date with a change that this thread has made to an entry.
    fn index(
        &self,
        id: &ChildId,
        old: Option<&Arc<Record>>,
        new: Option<&Arc<Record>>,
        guard: &LocalGuard<'_>,
    ) {
        self.tags.change(id, old.map(|old| &**old), new.map(|new| &**new), guard);
        self.nodes.change(id, old.map(|old| &**old), new.map(|new| &**new), guard);
        let current = self.entries.get(id, guard);
        if current.map(Arc::as_ptr) != new.map(Arc::as_ptr) {
            // Somebody has overtaken this thread, and may have gone over the indexes before it.
            for record in old.into_iter().chain(new) {
                self.agree(&self.tags, id, record, guard);
                self.agree(&self.nodes, id, record, guard);
            }
        }
    }

    /// Goes over an index until it agrees with the entry, for each label of a record.
    ///
    /// Whoever changes the entry comes here after it, so whoever is last sees the last entry, and
    /// leaves the set as that one has it.
    fn agree<L: Label>(
        &self,
        index: &Index<L>,
        id: &ChildId,
        record: &Record,
        guard: &LocalGuard<'_>,
    ) {
        for label in L::of(record) {
            let wanted = || self.entries.get(id, guard).is_some_and(|record| label.is_on(record));
            loop {
                let done = wanted();
                if done {
                    index.add(label, id, guard);
                } else {
                    index.remove(label, id, guard);
                }
                if wanted() == done {
                    break;
                }
            }
        }
    }

    /// Drops a binding of a child; whether there was one.
    fn unbind(&self, id: &ChildId, node: &Node, guard: &LocalGuard<'_>) -> bool {
        let computed = self.entries.compute(
            id.clone(),
            |current| match current {
                Some((_, record)) if record.is_bound_to(node) => {
                    let mut rest = Record::clone(record);
                    if rest.unbind(node) {
                        Operation::Insert(Arc::new(rest))
                    } else {
                        Operation::Remove
                    }
                }
                _ => Operation::Abort(()),
            },
            guard,
        );
        match computed {
            Compute::Updated { old: (_, old), new: (_, new) } => {
                self.index(id, Some(old), Some(new), guard);
                true
            }
            Compute::Removed(_, old) => {
                self.index(id, Some(old), None, guard);
                true
            }
            Compute::Inserted(..) | Compute::Aborted(()) => false,
        }
    }
}

impl HandBuilt for Papaya {
    const NAME: &'static str = "papaya";

    type Value = Record;

    type Reader<'r> = Guarded<'r>;

    fn with_capacity(entries: usize) -> Self {
        let collector = Arc::default();
        Self {
            entries: HashMap::builder()
                .hasher(RandomState::new())
                .capacity(entries)
                .shared_collector(Arc::clone(&collector))
                .build(),
            tags: Index(
                HashMap::builder()
                    .hasher(RandomState::new())
                    .shared_collector(Arc::clone(&collector))
                    .build(),
            ),
            nodes: Index(
                HashMap::builder().hasher(RandomState::new()).shared_collector(collector).build(),
            ),
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
        let guard = self.entries.guard();
        let old = self.entries.insert(id.clone(), Arc::clone(&new), &guard);
        self.index(&id, old, Some(&new), &guard);
        old.is_none()
    }

    fn update_pid(&self, id: &ChildId, node: &Node, pid: Pid) -> bool {
        let guard = self.entries.guard();
        let anew = Cell::new(false);
        let updated = self.entries.update(
            id.clone(),
            |record| {
                let mut record = Record::clone(record);
                anew.set(record.bind(node, pid));
                Arc::new(record)
            },
            &guard,
        );
        if let Some(record) = updated
            && anew.get()
        {
            self.agree(&self.nodes, id, record, &guard);
        }
        updated.is_some()
    }

    fn remove(&self, id: &ChildId) -> bool {
        let guard = self.entries.guard();
        let old = self.entries.remove(id, &guard);
        if old.is_some() {
            self.index(id, old, None, &guard);
        }
        old.is_some()
    }

    fn purge_node(&self, node: &Node) -> usize {
        let guard = self.entries.guard();
        self.nodes.take(node, &guard).iter().filter(|id| self.unbind(id, node, &guard)).count()
    }

    #[inline]
    fn reader(&self) -> Guarded<'_> {
        Guarded { papaya: self, guard: self.entries.guard() }
    }

    fn labels(&self) -> usize {
        self.tags.0.len() + self.nodes.0.len()
    }
}

/// Reads under one guard.
pub struct Guarded<'r> {
    papaya: &'r Papaya,
    guard: LocalGuard<'r>,
}

impl fmt::Debug for Guarded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded").finish_non_exhaustive()
    }
}

impl Guarded<'_> {
    fn visit<L: Label>(
        &self,
        index: &Index<L>,
        label: &L,
        mut visit: impl FnMut(&ChildId, &[(Node, Pid)]),
    ) {
        let Some(members) = index.0.get(label, &self.guard) else { return };
        for id in &*members.ids() {
            if let Some(record) = self.papaya.entries.get(id, &self.guard)
                && label.is_on(record)
            {
                visit(id, record.bindings());
            }
        }
    }
}

impl Reads for Guarded<'_> {
    #[inline]
    fn lookup(&self, id: &ChildId) -> Option<Pid> {
        let record = self.papaya.entries.get(id, &self.guard)?;
        record.bindings().first().map(|(_, pid)| *pid)
    }

    fn match_tag(&self, tag: &Tag, visit: impl FnMut(&ChildId, &[(Node, Pid)])) {
        self.visit(&self.papaya.tags, tag, visit);
    }

    fn children(&self, node: &Node, visit: impl FnMut(&ChildId, &[(Node, Pid)])) {
        self.visit(&self.papaya.nodes, node, visit);
    }
}
