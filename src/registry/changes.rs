//! Changes of single ids by what is there.

use std::hash::{BuildHasher, Hash};

use equivalent::Equivalent;

use crate::amend::{Decision, only_no_child};
use crate::child::Child;
use crate::entry::{Entry, OwnedEntry};
use crate::error::{NoChild, UpdateError};
use crate::hooks::Hooks;
use crate::name::{IntoId, Node};
use crate::query::bound;
use crate::state::Registry;

impl<S, P, M, K, H> Registry<S, P, M, K, H>
where
    K: Hash + Eq + Clone,
    H: BuildHasher,
{
    /// Inserts, changes or removes by what is there; returns what is there afterwards.
    ///
    /// The closure sees the entry, an empty one too, or `None`, and may run several times: again on every
    /// newer entry, until its decision is carried out on exactly what it saw. It runs under the pin of the
    /// call. [`Put`](Decision::Put) over a live entry carries its incarnation and deadline on, unless the
    /// child [says otherwise](Child::ttl); over nothing or an empty entry it begins a new incarnation,
    /// permanent unless the child has a ttl. No hooks.
    ///
    /// Linearizes at the compare-and-swap that carries the decision out, or, if nothing is to be changed,
    /// where it found the entry or none.
    ///
    /// # Panics
    ///
    /// If the closure does; nothing has changed then.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Decision, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// for _ in 0..3 {
    ///     registry.compute("counter", |current| {
    ///         let count = current.and_then(|entry| entry.pid()).map_or(0, |pid| *pid);
    ///         Decision::Put(Child::new("spec").on("node-a", count + 1))
    ///     });
    /// }
    /// assert_eq!(registry.get_pid("counter"), Some(3));
    /// assert!(registry.compute("counter", |_| Decision::Remove).is_none());
    /// ```
    pub fn compute(
        &self,
        id: impl IntoId<K>,
        f: impl FnMut(Option<&Entry<S, P, M, K>>) -> Decision<S, P, M>,
    ) -> Option<OwnedEntry<S, P, M, K>> {
        let id = id.into_id();
        let hash = self.hash(&id);
        self.store.prefetch(hash);
        // Dropped unpinned: these are the user's values.
        let mut wasted = Vec::new();
        let after = {
            let guard = self.store.pin();
            let applied = self.compute_in(hash, &id, &guard, &mut wasted, f);
            applied.after.map(Entry::share)
        };
        self.conclude(|| {});
        // Before the result is ready: it would leak if a destructor panicked after it.
        drop((id, wasted));
        after
    }
}

/// Writes that make a new version of an entry: `S`, `P` and `M` are cloned once per attempt, unpinned. Put an
/// `Arc` around a big spec.
impl<S, P, M, K, H> Registry<S, P, M, K, H>
where
    S: Clone,
    P: Clone,
    M: Clone,
    K: Hash + Eq + Clone,
    H: BuildHasher,
{
    /// Edits a live child.
    ///
    /// The closure edits a copy, which is then published if nobody was faster; else **it runs again** on the
    /// newer entry, so it should do nothing but edit. While it runs it holds up nobody and nothing, and it
    /// may call anything on the registry, the same id included. Incarnation and deadline stay, unless it
    /// [sets a ttl](Child::set_ttl) or [makes the child permanent](Child::make_permanent). A child that it
    /// leaves without bindings becomes a pending one. No hooks.
    ///
    /// Linearizes at the compare-and-swap that replaces the entry, or where it finds no live one.
    ///
    /// # Errors
    ///
    /// [`NoChild`] if the id is absent, expired or empty; the closure has not run then, or its last run came
    /// to nothing.
    ///
    /// # Panics
    ///
    /// If the closure does; nothing has changed then, and nothing is poisoned.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec").on("node-a", 1));
    /// let old = registry.update("worker", |child| child.bind("node-a", 2))?;
    /// assert_eq!((old, registry.get_pid("worker")), (Some(1), Some(2)));
    /// assert!(registry.update("nobody", |_| ()).is_err());
    /// # Ok::<(), process_registry::NoChild>(())
    /// ```
    pub fn update<Q, R>(
        &self,
        id: &Q,
        mut f: impl FnMut(&mut Child<S, P, M>) -> R,
    ) -> Result<R, NoChild>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let updated = only_no_child(self.amend(id, bound, None, |child| Ok(f(child))));
        // As in `amend`.
        drop(f);
        updated
    }

    /// [`update`](Self::update) by a closure that may fail; nothing changes then.
    ///
    /// Linearizes at the compare-and-swap that replaces the entry, or where it found what the closure
    /// refused, or no live entry.
    ///
    /// # Errors
    ///
    /// [`UpdateError::NoChild`] if the id is absent, expired or empty; [`UpdateError::Failed`] with the
    /// closure's own error.
    ///
    /// # Panics
    ///
    /// If the closure does; nothing has changed then, and nothing is poisoned.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry, UpdateError};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec").on("node-a", 1));
    /// let result: Result<(), _> = registry.try_update("worker", |child| {
    ///     child.unbind_all();
    ///     Err("changed my mind")
    /// });
    /// assert_eq!(result, Err(UpdateError::Failed("changed my mind")));
    /// assert_eq!(registry.get_pid("worker"), Some(1));
    /// ```
    pub fn try_update<Q, R, X>(
        &self,
        id: &Q,
        f: impl FnMut(&mut Child<S, P, M>) -> Result<R, X>,
    ) -> Result<R, UpdateError<X>>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.amend(id, bound, None, f)
    }

    /// Binds a live child to a node; returns the pid it had there.
    ///
    /// A node that is bound already keeps its place in the order, a new one comes last.
    ///
    /// Linearizes at the compare-and-swap that replaces the entry, or where it finds no live one.
    ///
    /// # Errors
    ///
    /// [`NoChild`] if the id is absent, expired or empty. The pid is dropped then.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec").on("node-a", 1));
    /// assert_eq!(registry.rebind("worker", "node-a", 2), Ok(Some(1)));
    /// assert_eq!(registry.rebind("worker", "node-b", 3), Ok(None));
    /// assert_eq!(registry.get_pids("worker"), [2, 3]);
    /// ```
    pub fn rebind<Q>(&self, id: &Q, node: impl Into<Node>, pid: P) -> Result<Option<P>, NoChild>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let node = node.into();
        let bind = |child: &mut Child<S, P, M>| Ok(child.bind(&node, pid.clone()));
        let bound = only_no_child(self.amend(id, bound, None, bind));
        // Before the result is: a result that is ready leaks if a destructor panics after it.
        drop(pid);
        bound
    }

    /// [`rebind`](Self::rebind), and `ChildRegistered` with that one binding.
    ///
    /// Linearizes at the compare-and-swap that replaces the entry, or where it finds no live one.
    ///
    /// # Errors
    ///
    /// As [`rebind`](Self::rebind).
    ///
    /// # Panics
    ///
    /// If a handler does, after the write and after the other handlers.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Hooks, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// # let hooks = Hooks::new();
    /// registry.insert("worker", Child::new("spec").on("node-a", 1));
    /// assert_eq!(registry.rebind_with("worker", "node-a", 2, &hooks), Ok(Some(1)));
    /// ```
    pub fn rebind_with<Q>(
        &self,
        id: &Q,
        node: impl Into<Node>,
        pid: P,
        hooks: &Hooks<P, K>,
    ) -> Result<Option<P>, NoChild>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let node = node.into();
        let bind = |child: &mut Child<S, P, M>| Ok(child.bind(&node, pid.clone()));
        let bound = only_no_child(self.amend(id, bound, Some((&node, hooks)), bind));
        // As in `rebind`.
        drop(pid);
        bound
    }
}
