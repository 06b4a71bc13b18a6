//! Reads of single ids.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hash};

use ahash::RandomState;
use equivalent::Equivalent;

use crate::entry::{Entry, EntryRef, OwnedEntry};
use crate::query::{BATCH, any, bound, judge};
use crate::state::Registry;

/// Reads of single ids. They write nothing that others read, wait for nobody, drop no entry and free no table.
impl<S, P, M, K, H: BuildHasher> Registry<S, P, M, K, H> {
    /// The entry of an id, unless it is empty, with the pin that keeps it alive.
    ///
    /// Linearizes where it reads the slot that holds the entry, or finds that none does. Takes constant time
    /// on average. For many lookups see [`pin`](Self::pin).
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec").on("node-a", 4711));
    /// assert_eq!(registry.lookup("worker").map(|entry| *entry.spec()), Some("spec"));
    /// assert!(registry.lookup("nobody").is_none());
    /// ```
    #[must_use]
    pub fn lookup<Q>(&self, id: &Q) -> Option<EntryRef<'_, S, P, M, K>>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let found = self.store.look_up_pinned(
            self.hash(id),
            |key| id.equivalent(key),
            |found| judge(found, &self.clock, bound),
        );
        found.map(EntryRef::new)
    }

    /// The entry of an id, unless it is empty, to keep.
    ///
    /// Linearizes where it reads the slot that holds the entry, or finds that none does. Takes constant time
    /// on average, and one atomic addition on memory that all holders of the entry share.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec").on("node-a", 4711));
    /// let worker = registry.get_owned("worker").unwrap();
    /// drop(registry);
    /// assert_eq!(worker.pid(), Some(&4711));
    /// ```
    #[must_use]
    pub fn get_owned<Q>(&self, id: &Q) -> Option<OwnedEntry<S, P, M, K>>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.read(id, bound, |entry| Some(entry.share()))
    }

    /// Whether the id has an entry that is not empty.
    ///
    /// Linearizes where it reads the slot that holds the entry, or finds that none does. Takes constant time
    /// on average.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec").on("node-a", 4711));
    /// registry.insert("pending", Child::new("spec"));
    /// assert!(registry.contains("worker") && !registry.contains("pending"));
    /// ```
    #[must_use]
    pub fn contains<Q>(&self, id: &Q) -> bool
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.read(id, bound, |_| Some(())).is_some()
    }

    /// Whether the id has an entry at all, an empty one included.
    ///
    /// Linearizes where it reads the slot that holds the entry, or finds that none does. Takes constant time
    /// on average.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("pending", Child::new("spec"));
    /// assert!(registry.entry_exists("pending") && !registry.entry_exists("nobody"));
    /// ```
    #[must_use]
    pub fn entry_exists<Q>(&self, id: &Q) -> bool
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.read(id, any, |_| Some(())).is_some()
    }

    /// The pid of the first binding.
    ///
    /// Linearizes where it reads the slot that holds the entry, or finds that none does. Takes constant time
    /// on average. The pid is cloned under the pin of this call;
    /// [`Pinned::get_pid`](crate::Pinned::get_pid) clones nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec").on("node-b", 1).on("node-a", 2));
    /// assert_eq!(registry.get_pid("worker"), Some(1));
    /// ```
    #[must_use]
    pub fn get_pid<Q>(&self, id: &Q) -> Option<P>
    where
        Q: Hash + Equivalent<K> + ?Sized,
        P: Clone,
    {
        self.read(id, bound, |entry| entry.pid().cloned())
    }

    /// The pids in the order of the bindings; none if the id is unknown.
    ///
    /// Linearizes where it reads the slot that holds the entry, or finds that none does. Takes constant time
    /// on average. The pids are cloned under the pin of this call.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec").on("node-b", 1).on("node-a", 2));
    /// assert_eq!(registry.get_pids("worker"), [1, 2]);
    /// assert!(registry.get_pids("nobody").is_empty());
    /// ```
    #[must_use]
    pub fn get_pids<Q>(&self, id: &Q) -> Vec<P>
    where
        Q: Hash + Equivalent<K> + ?Sized,
        P: Clone,
    {
        let pids = |entry: &Entry<S, P, M, K>| Some(entry.pids().cloned().collect());
        self.read(id, bound, pids).unwrap_or_default()
    }

    /// The pid on the [local node](Self::local_node).
    ///
    /// Linearizes where it reads the slot that holds the entry, or finds that none does. Takes constant time
    /// on average. The pid is cloned under the pin of this call;
    /// [`Pinned::local_pid`](crate::Pinned::local_pid) clones nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec").on("node-b", 1).on("node-a", 2));
    /// assert_eq!(registry.local_pid("worker"), Some(2));
    /// ```
    #[must_use]
    pub fn local_pid<Q>(&self, id: &Q) -> Option<P>
    where
        Q: Hash + Equivalent<K> + ?Sized,
        P: Clone,
    {
        let local = |entry: &Entry<S, P, M, K>| entry.pid_on(&self.local_node).cloned();
        self.read(id, bound, local)
    }

    /// Those of the ids that have an entry that is not empty: each once, in the order of the argument.
    ///
    /// As many lookups, sixteen of which overlap at a time, each of its own instant: not a view of one. Takes
    /// time in proportion to the number of ids.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("a", Child::new("spec").on("node-a", 1));
    /// registry.insert("b", Child::new("spec").on("node-a", 2));
    /// assert_eq!(registry.contains_children(["b", "x", "a", "b"]), ["b", "a"]);
    /// ```
    #[must_use]
    pub fn contains_children<'a, Q>(&self, ids: impl IntoIterator<Item = &'a Q>) -> Vec<&'a Q>
    where
        Q: Hash + Equivalent<K> + ?Sized + 'a,
        K: Hash + Eq,
    {
        // Unpinned: the iterator is the user's, and may take its time.
        let ids: Vec<&'a Q> = ids.into_iter().collect();
        let mut contained = Vec::new();
        let guard = self.store.pin();
        // Ids are compared by the keys they were found by: a query need not have an equality of its own.
        let mut seen = HashSet::with_hasher(RandomState::new());
        for batch in ids.chunks(BATCH) {
            let found = self.view(&guard).find_batch(batch, |id| self.hash(id));
            for (id, entry) in batch.iter().zip(found) {
                if entry.is_some_and(|entry| seen.insert(entry.id())) {
                    contained.push(*id);
                }
            }
        }
        contained
    }

    /// Reads something of an entry that is `wanted` under a pin of its own.
    #[inline]
    fn read<Q, R>(
        &self,
        id: &Q,
        wanted: impl Fn(&Entry<S, P, M, K>) -> bool,
        read: impl FnOnce(&Entry<S, P, M, K>) -> Option<R>,
    ) -> Option<R>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let hash = self.hash(id);
        self.store.prefetch(hash);
        let guard = self.store.pin();
        read(self.view(&guard).find(hash, id, wanted)?)
    }
}
