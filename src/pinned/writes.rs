//! Writes of single ids under a pin.

use std::hash::{BuildHasher, Hash};

use equivalent::Equivalent;

use super::Pinned;
use crate::amend::Decision;
use crate::child::Child;
use crate::entry::Entry;
use crate::error::Occupied;
use crate::hooks::{HookKey, Hooks, WriteOptions};
use crate::name::IntoId;
use crate::query::any;
use crate::write::tell;

/// Writes. What they replace or remove is dropped after this pin, and handlers run under it.
impl<S, P, M, K, H> Pinned<'_, S, P, M, K, H>
where
    K: Hash + Eq + Clone,
    H: BuildHasher,
{
    /// Stores a child under an id, whatever is there; returns what was.
    ///
    /// As [`Registry::insert`](crate::Registry::insert). Linearizes at the compare-and-swap that puts the
    /// entry into its slot.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// let pinned = registry.pin();
    /// assert!(pinned.insert("worker", Child::new("spec").on("node-a", 1)).is_none());
    /// let old = pinned.insert("worker", Child::new("spec").on("node-a", 2));
    /// assert_eq!(old.and_then(|old| old.pid()), Some(&1));
    /// ```
    pub fn insert(&self, id: impl IntoId<K>, child: Child<S, P, M>) -> Option<&Entry<S, P, M, K>> {
        self.insert_with(id, child, WriteOptions::new())
    }

    /// [`insert`](Self::insert) with a time to live, with hooks, or both.
    ///
    /// Linearizes at the compare-and-swap that puts the entry into its slot.
    ///
    /// # Panics
    ///
    /// If a handler does, after the write and after the other handlers.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use process_registry::{Child, Registry, WriteOptions};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// let pinned = registry.pin();
    /// let options = WriteOptions::new().ttl(Duration::from_secs(60));
    /// pinned.insert_with("lease", Child::new("spec").on("node-a", 1), options);
    /// assert!(pinned.lookup("lease").is_some_and(|entry| entry.deadline().is_some()));
    /// ```
    pub fn insert_with(
        &self,
        id: impl IntoId<K>,
        child: Child<S, P, M>,
        options: WriteOptions<'_, P, K>,
    ) -> Option<&Entry<S, P, M, K>> {
        let id = id.into_id();
        let hash = self.registry().hash(&id);
        self.registry().store.prefetch(hash);
        let draft = self.registry().draft(hash, id, child, options.ttl);
        let applied = self.registry().put(hash, self.writing(), draft);
        if let Some(entry) = applied.after {
            tell(options.hooks, HookKey::ChildRegistered, entry, entry.bindings());
        }
        applied.before
    }

    /// Stores a child under an id that is free: absent, expired or empty.
    ///
    /// As [`Registry::try_insert`](crate::Registry::try_insert). Linearizes at the compare-and-swap that puts
    /// the entry into its slot, or where it finds the id occupied.
    ///
    /// # Errors
    ///
    /// [`Occupied`] if the id is live; it hands id and child back and names the current entry.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// let pinned = registry.pin();
    /// assert!(pinned.try_insert("name", Child::new("spec").on("node-a", 1)).is_ok());
    /// let refused = pinned.try_insert("name", Child::new("spec").on("node-a", 2)).unwrap_err();
    /// assert_eq!(refused.current().pid(), Some(&1));
    /// ```
    #[expect(clippy::type_complexity, reason = "spelled out, it can be read")]
    pub fn try_insert(
        &self,
        id: impl IntoId<K>,
        child: Child<S, P, M>,
    ) -> Result<&Entry<S, P, M, K>, Occupied<'_, S, P, M, K>> {
        self.try_insert_with(id, child, WriteOptions::new())
    }

    /// [`try_insert`](Self::try_insert) with a time to live, with hooks, or both.
    ///
    /// Linearizes at the compare-and-swap that puts the entry into its slot, or where it finds the id
    /// occupied.
    ///
    /// # Errors
    ///
    /// As [`try_insert`](Self::try_insert).
    ///
    /// # Panics
    ///
    /// If a handler does, after the write and after the other handlers.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use process_registry::{Child, Registry, WriteOptions};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// let pinned = registry.pin();
    /// let options = WriteOptions::new().ttl(Duration::from_secs(60));
    /// let leased = pinned.try_insert_with("name", Child::new("spec").on("node-a", 1), options);
    /// assert!(leased.unwrap().deadline().is_some());
    /// ```
    #[expect(clippy::type_complexity, reason = "spelled out, it can be read")]
    pub fn try_insert_with(
        &self,
        id: impl IntoId<K>,
        child: Child<S, P, M>,
        options: WriteOptions<'_, P, K>,
    ) -> Result<&Entry<S, P, M, K>, Occupied<'_, S, P, M, K>> {
        let id = id.into_id();
        let hash = self.registry().hash(&id);
        self.registry().store.prefetch(hash);
        let lifetime = child.lifetime;
        let draft = self.registry().draft(hash, id, child, options.ttl);
        let applied = self.registry().put_if_vacant(hash, self.writing(), draft);
        match (applied.after, applied.rejected) {
            (Some(current), Some(draft)) => {
                let (id, body) = draft.into_parts();
                Err(Occupied { id, child: body.into_child(lifetime), current })
            }
            (Some(entry), None) => {
                tell(options.hooks, HookKey::ChildRegistered, entry, entry.bindings());
                Ok(entry)
            }
            (None, _) => unreachable!("either this entry is current or another"),
        }
    }

    /// Removes the entry of an id, of whatever kind; returns it.
    ///
    /// As [`Registry::delete`](crate::Registry::delete). Linearizes at the compare-and-swap that empties the
    /// slot, or where it finds no entry.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec").on("node-a", 1));
    /// let pinned = registry.pin();
    /// assert_eq!(pinned.delete("worker").and_then(|entry| entry.pid()), Some(&1));
    /// assert!(pinned.delete("worker").is_none());
    /// ```
    pub fn delete<Q>(&self, id: &Q) -> Option<&Entry<S, P, M, K>>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.delete_if(id, any)
    }

    /// [`delete`](Self::delete), and `ChildUnregistered` for the bindings that went.
    ///
    /// Linearizes at the compare-and-swap that empties the slot, or where it finds no entry.
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
    /// assert!(registry.pin().delete_with("worker", &hooks).is_some());
    /// ```
    pub fn delete_with<Q>(&self, id: &Q, hooks: &Hooks<P, K>) -> Option<&Entry<S, P, M, K>>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.delete_if_with(id, any, hooks)
    }

    /// Removes the entry of an id, of whatever kind, if the predicate says so; returns it.
    ///
    /// As [`Registry::delete_if`](crate::Registry::delete_if): the predicate is asked again about an entry
    /// that has come meanwhile. Linearizes at the compare-and-swap that empties the slot, or where it finds
    /// no entry or one that is to stay.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec").on("node-a", 1));
    /// let pinned = registry.pin();
    /// assert!(pinned.delete_if("worker", |entry| entry.pid() == Some(&2)).is_none());
    /// assert!(pinned.delete_if("worker", |entry| entry.pid() == Some(&1)).is_some());
    /// ```
    pub fn delete_if<Q>(
        &self,
        id: &Q,
        predicate: impl FnMut(&Entry<S, P, M, K>) -> bool,
    ) -> Option<&Entry<S, P, M, K>>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let hash = self.registry().hash(id);
        let applied = self.registry().take_if(hash, self.writing(), id, predicate);
        applied.before.filter(|_| applied.written)
    }

    /// [`delete_if`](Self::delete_if), and `ChildUnregistered` for the bindings that went.
    ///
    /// Linearizes at the compare-and-swap that empties the slot, or where it finds no entry or one that is
    /// to stay.
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
    /// let pinned = registry.pin();
    /// assert!(pinned.delete_if_with("worker", |entry| entry.version() == 1, &hooks).is_some());
    /// ```
    pub fn delete_if_with<Q>(
        &self,
        id: &Q,
        predicate: impl FnMut(&Entry<S, P, M, K>) -> bool,
        hooks: &Hooks<P, K>,
    ) -> Option<&Entry<S, P, M, K>>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let entry = self.delete_if(id, predicate)?;
        tell(Some(hooks), HookKey::ChildUnregistered, entry, entry.bindings());
        Some(entry)
    }

    /// Inserts, changes or removes by what is there; returns what is there afterwards.
    ///
    /// As [`Registry::compute`](crate::Registry::compute): the closure runs again on every newer entry.
    /// Linearizes at the compare-and-swap that carries the decision out, or, if nothing is to be changed,
    /// where it found the entry or none.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Decision, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// let pinned = registry.pin();
    /// let count = |current: Option<&process_registry::Entry<&'static str, u32>>| {
    ///     let pid = current.and_then(|entry| entry.pid()).map_or(1, |pid| pid + 1);
    ///     Decision::Put(Child::new("spec").on("node-a", pid))
    /// };
    /// pinned.compute("counter", count);
    /// assert_eq!(pinned.compute("counter", count).and_then(|entry| entry.pid()), Some(&2));
    /// ```
    pub fn compute(
        &self,
        id: impl IntoId<K>,
        f: impl FnMut(Option<&Entry<S, P, M, K>>) -> Decision<S, P, M>,
    ) -> Option<&Entry<S, P, M, K>> {
        let id = id.into_id();
        let hash = self.registry().hash(&id);
        let guard = self.writing();
        let mut wasted = Vec::new();
        self.registry().compute_in(hash, &id, guard, &mut wasted, f).after
    }
}
