//! Writes of many ids: sequences of single steps.

use std::hash::{BuildHasher, Hash};

use equivalent::Equivalent;
use smallvec::SmallVec;

use crate::child::Child;
use crate::entry::Entry;
use crate::hooks::Hooks;
use crate::name::IntoId;
use crate::state::Registry;

/// Writes of many ids that clone no child. They are sequences of single steps, not atomic together.
impl<S, P, M, K, H> Registry<S, P, M, K, H>
where
    K: Hash + Eq + Clone,
    H: BuildHasher,
{
    /// Removes every entry, empty ones included, that the predicate does not want to keep.
    ///
    /// Each entry is judged once, under the pin of the call, and exactly what was judged is removed: what has
    /// taken its place meanwhile stays. What has expired is swept unjudged. No hooks. Takes time in
    /// proportion to the size of the table, and holds up the freeing of memory meanwhile.
    ///
    /// Each removal linearizes at the compare-and-swap that empties the slot.
    ///
    /// # Panics
    ///
    /// If the predicate does; what was judged before is done.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// for pid in 0..10 {
    ///     registry.insert(format!("worker-{pid}"), Child::new("spec").on("node-a", pid));
    /// }
    /// registry.retain(|entry| entry.pid().is_some_and(|pid| pid % 2 == 0));
    /// assert_eq!(registry.len(), 5);
    /// ```
    pub fn retain(&self, predicate: impl FnMut(&Entry<S, P, M, K>) -> bool) {
        {
            let guard = self.store.pin();
            self.retain_in(&guard, predicate);
        }
        self.collect();
    }

    /// Removes everything: live entries, pending ones, tombstones, and with them all tags and nodes.
    ///
    /// What is there throughout goes, however often it is updated meanwhile; what is inserted meanwhile may
    /// stay. No hooks. Takes time in proportion to the size of the table.
    ///
    /// Each removal linearizes at the compare-and-swap that empties the slot.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec").on("node-a", 1));
    /// registry.insert("pending", Child::new("spec"));
    /// registry.clear_all();
    /// assert_eq!(registry.len_all(), 0);
    /// ```
    pub fn clear_all(&self) {
        {
            let guard = self.store.pin();
            self.clear_in(&guard);
        }
        self.collect();
    }

    /// Removes what has expired, and frees what is due, as [`collect`](Self::collect) does; returns how many
    /// entries have expired.
    ///
    /// What is due is found in order of time, without looking at the rest. An entry that was revived or
    /// renewed stays, and so does one that is stored while this runs. No hooks.
    /// [`Janitor`](crate::Janitor) calls this at an interval.
    ///
    /// Takes time in proportion to what has expired, with the deadlines that have been renewed or shortened
    /// since and passed; a logarithm of how many there are for each.
    ///
    /// Each removal linearizes at the compare-and-swap that empties the slot.
    ///
    /// # Panics
    ///
    /// If a destructor of what is freed does, after everything has been removed: the first panic goes on.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use process_registry::{Child, Clock, ManualClock, Registry};
    /// let time = ManualClock::new();
    /// let registry: Registry<&str, u32> =
    ///     Registry::builder("node-a").clock(Clock::Manual(time.clone())).build();
    /// registry.insert("lease", Child::new("spec").on("node-a", 1).ttl(Duration::from_secs(10)));
    /// assert_eq!(registry.purge_expired(), 0);
    /// time.advance(Duration::from_secs(10));
    /// assert_eq!((registry.len(), registry.purge_expired(), registry.len()), (1, 1, 0));
    /// ```
    pub fn purge_expired(&self) -> usize {
        self.purge()
    }
}

/// Writes of many ids that make new versions of entries. They are sequences of single steps, not atomic
/// together; a handler that panics ends the sequence after its step.
impl<S, P, M, K, H> Registry<S, P, M, K, H>
where
    S: Clone,
    P: Clone,
    M: Clone,
    K: Hash + Eq + Clone,
    H: BuildHasher,
{
    /// Stores children, each merged by node into what its id has.
    ///
    /// | the id is | what happens |
    /// |---|---|
    /// | absent, pending or a tombstone | the child is stored as given, as by [`insert`](Self::insert) |
    /// | live, with the same bindings in whatever order | nothing at all |
    /// | live | the entry's bindings to nodes that the child has not stay, the child's follow; spec, tags and metadata are the child's; incarnation and deadline stay |
    ///
    /// So no node is ever removed, and a child without bindings leaves those of a live entry as they are.
    ///
    /// Each step linearizes at the compare-and-swap that puts its entry into the slot, or where it finds
    /// nothing to do.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("old").on("node-a", 1).on("node-b", 2));
    /// registry.bulk_insert([
    ///     ("worker", Child::new("new").on("node-a", 3)),
    ///     ("another", Child::new("new").on("node-a", 4)),
    /// ]);
    /// assert_eq!(registry.get_pids("worker"), [2, 3]);
    /// assert_eq!(registry.get_pids("another"), [4]);
    /// ```
    pub fn bulk_insert<I>(&self, children: impl IntoIterator<Item = (I, Child<S, P, M>)>)
    where
        I: IntoId<K>,
        P: PartialEq,
    {
        self.bulk_insert_by(children, P::eq);
    }

    /// [`bulk_insert`](Self::bulk_insert) for pids without an equality: `same` says whether two are the same.
    ///
    /// Each step linearizes at the compare-and-swap that puts its entry into the slot, or where it finds
    /// nothing to do.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::sync::mpsc::{Sender, channel};
    /// # use process_registry::{Child, Registry};
    /// let registry: Registry<&str, (u32, Sender<()>)> = Registry::new("node-a");
    /// let (sender, _receiver) = channel();
    /// let child = Child::new("spec").on("node-a", (4711, sender));
    /// registry.bulk_insert_by([("worker", child)], |a, b| a.0 == b.0);
    /// assert!(registry.contains("worker"));
    /// ```
    pub fn bulk_insert_by<I>(
        &self,
        children: impl IntoIterator<Item = (I, Child<S, P, M>)>,
        mut same: impl FnMut(&P, &P) -> bool,
    ) where
        I: IntoId<K>,
    {
        for (id, child) in children {
            self.merge(id.into_id(), child, &mut same, None);
        }
    }

    /// [`bulk_insert`](Self::bulk_insert), and `ChildRegistered` for each id with the bindings that are new or
    /// have another pid than before, in the order given; nothing is fired for an id without such.
    ///
    /// Each step linearizes at the compare-and-swap that puts its entry into the slot, or where it finds
    /// nothing to do.
    ///
    /// # Panics
    ///
    /// If a handler does, after the step it was told of and after the other handlers; the rest is not done.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Hooks, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// # let hooks = Hooks::new();
    /// registry.bulk_insert_with([("worker", Child::new("spec").on("node-a", 1))], &hooks);
    /// assert!(registry.contains("worker"));
    /// ```
    pub fn bulk_insert_with<I>(
        &self,
        children: impl IntoIterator<Item = (I, Child<S, P, M>)>,
        hooks: &Hooks<P, K>,
    ) where
        I: IntoId<K>,
        P: PartialEq,
    {
        self.bulk_insert_by_with(children, P::eq, hooks);
    }

    /// [`bulk_insert_by`](Self::bulk_insert_by) with hooks, as
    /// [`bulk_insert_with`](Self::bulk_insert_with) fires them.
    ///
    /// Each step linearizes at the compare-and-swap that puts its entry into the slot, or where it finds
    /// nothing to do.
    ///
    /// # Panics
    ///
    /// As [`bulk_insert_with`](Self::bulk_insert_with).
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Hooks, Registry};
    /// # let registry: Registry<&str, f32> = Registry::new("node-a");
    /// # let hooks = Hooks::new();
    /// let children = [("worker", Child::new("spec").on("node-a", 1.0))];
    /// registry.bulk_insert_by_with(children, |a, b| a.to_bits() == b.to_bits(), &hooks);
    /// assert!(registry.contains("worker"));
    /// ```
    pub fn bulk_insert_by_with<I>(
        &self,
        children: impl IntoIterator<Item = (I, Child<S, P, M>)>,
        mut same: impl FnMut(&P, &P) -> bool,
        hooks: &Hooks<P, K>,
    ) where
        I: IntoId<K>,
    {
        for (id, child) in children {
            self.merge(id.into_id(), child, &mut same, Some(hooks));
        }
    }

    /// Takes the bindings to the named nodes from each child.
    ///
    /// Spec, tags, metadata and incarnation stay, and so does the deadline if bindings are left. Where none
    /// are, a *tombstone* is: an empty entry with a deadline 30 seconds ahead, or
    /// [as configured](crate::Builder::tombstone_ttl), so that a registration on its way still finds it.
    /// Unknown and empty ids are skipped.
    ///
    /// Each step linearizes at the compare-and-swap that replaces its entry, or where it finds nothing to do.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("a", Child::new("spec").on("node-a", 1).on("node-b", 2));
    /// registry.insert("b", Child::new("spec").on("node-a", 3));
    /// registry.bulk_delete([("a", ["node-a"]), ("b", ["node-a"])]);
    /// assert_eq!(registry.get_pids("a"), [2]);
    /// assert!(!registry.contains("b") && registry.entry_exists("b"));
    /// ```
    pub fn bulk_delete<'a, Q, N>(&self, children: impl IntoIterator<Item = (&'a Q, N)>)
    where
        Q: Hash + Equivalent<K> + ?Sized + 'a,
        N: IntoIterator<Item: AsRef<str>>,
    {
        self.unbind_all(children, None);
    }

    /// [`bulk_delete`](Self::bulk_delete), and `ChildUnregistered` for each id with the bindings that went;
    /// nothing is fired for an id that lost none.
    ///
    /// Each step linearizes at the compare-and-swap that replaces its entry, or where it finds nothing to do.
    ///
    /// # Panics
    ///
    /// If a handler does, after the step it was told of and after the other handlers; the rest is not done.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Hooks, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// # let hooks = Hooks::new();
    /// registry.insert("a", Child::new("spec").on("node-a", 1).on("node-b", 2));
    /// registry.bulk_delete_with([("a", ["node-b"])], &hooks);
    /// assert_eq!(registry.get_pids("a"), [1]);
    /// ```
    pub fn bulk_delete_with<'a, Q, N>(
        &self,
        children: impl IntoIterator<Item = (&'a Q, N)>,
        hooks: &Hooks<P, K>,
    ) where
        Q: Hash + Equivalent<K> + ?Sized + 'a,
        N: IntoIterator<Item: AsRef<str>>,
    {
        self.unbind_all(children, Some(hooks));
    }

    fn unbind_all<'a, Q, N>(
        &self,
        children: impl IntoIterator<Item = (&'a Q, N)>,
        hooks: Option<&Hooks<P, K>>,
    ) where
        Q: Hash + Equivalent<K> + ?Sized + 'a,
        N: IntoIterator<Item: AsRef<str>>,
    {
        for (id, nodes) in children {
            let nodes: SmallVec<[N::Item; 4]> = nodes.into_iter().collect();
            self.unbind(id, &nodes, hooks);
        }
    }

    /// Takes a node's bindings from every entry; returns the ids of those that this call has changed.
    ///
    /// An entry that has no bindings left is removed, without a tombstone. What was bound to the node during
    /// the whole call has lost it; a registration that overlaps the call may survive it. No hooks. Takes time
    /// in proportion to the number of entries bound to that node.
    ///
    /// Each step linearizes at the compare-and-swap that replaces or removes its entry, or where it finds
    /// nothing to do.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("a", Child::new("spec").on("node-a", 1).on("node-b", 2));
    /// registry.insert("b", Child::new("spec").on("node-b", 3));
    /// assert_eq!(registry.remove_node("node-b").len(), 2);
    /// assert_eq!(registry.get_pids("a"), [1]);
    /// assert!(!registry.entry_exists("b"));
    /// ```
    pub fn remove_node(&self, node: &str) -> Vec<K> {
        self.evict(node)
    }
}

/// [Inserts](Registry::insert) every child, one after the other.
impl<S, P, M, K, H, I> Extend<(I, Child<S, P, M>)> for Registry<S, P, M, K, H>
where
    K: Hash + Eq + Clone,
    H: BuildHasher,
    I: IntoId<K>,
{
    fn extend<T: IntoIterator<Item = (I, Child<S, P, M>)>>(&mut self, children: T) {
        (&*self).extend(children);
    }
}

/// [Inserts](Registry::insert) every child, one after the other.
impl<S, P, M, K, H, I> Extend<(I, Child<S, P, M>)> for &Registry<S, P, M, K, H>
where
    K: Hash + Eq + Clone,
    H: BuildHasher,
    I: IntoId<K>,
{
    fn extend<T: IntoIterator<Item = (I, Child<S, P, M>)>>(&mut self, children: T) {
        for (id, child) in children {
            self.insert(id, child);
        }
    }
}
