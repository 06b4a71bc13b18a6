//! Writes of single ids.

use std::hash::{BuildHasher, Hash};
use std::time::Duration;

use equivalent::Equivalent;

use crate::child::Child;
use crate::entry::{Entry, OwnedEntry};
use crate::error::Taken;
use crate::hooks::{HookKey, Hooks, WriteOptions};
use crate::name::IntoId;
use crate::query::any;
use crate::state::Registry;
use crate::write::tell;

/// Writes of single ids. Each takes constant time on average, starts over where another write of the same id
/// was first, and frees a few things that are due.
impl<S, P, M, K, H> Registry<S, P, M, K, H>
where
    K: Hash + Eq + Clone,
    H: BuildHasher,
{
    /// Stores a child under an id, whatever is there; returns what was.
    ///
    /// Nothing of an old entry is merged, and the new one begins a new incarnation; it is permanent unless
    /// the child has a [ttl](Child::ttl). What has expired is not returned: it was not there any more. The
    /// child is moved, never cloned.
    ///
    /// Linearizes at the compare-and-swap that puts the entry into its slot.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// assert!(registry.insert("worker", Child::new("spec").on("node-a", 1)).is_none());
    /// let old = registry.insert("worker", Child::new("spec").on("node-a", 2)).unwrap();
    /// assert_eq!(old.pid(), Some(&1));
    /// ```
    pub fn insert(
        &self,
        id: impl IntoId<K>,
        child: Child<S, P, M>,
    ) -> Option<OwnedEntry<S, P, M, K>> {
        self.insert_with(id, child, WriteOptions::new())
    }

    /// [`insert`](Self::insert) with a time to live, with hooks, or both.
    ///
    /// The hook is `ChildRegistered` with all bindings; nothing is fired if there are none. Handlers run
    /// after the write is visible, under no pin of this call.
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
    /// # use process_registry::{Child, Hooks, Registry, WriteOptions};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// let hooks = Hooks::new();
    /// let options = WriteOptions::new().ttl(Duration::from_secs(60)).hooks(&hooks);
    /// registry.insert_with("lease", Child::new("spec").on("node-a", 1), options);
    /// assert!(registry.lookup("lease").unwrap().deadline().is_some());
    /// ```
    pub fn insert_with(
        &self,
        id: impl IntoId<K>,
        child: Child<S, P, M>,
        options: WriteOptions<'_, P, K>,
    ) -> Option<OwnedEntry<S, P, M, K>> {
        let id = id.into_id();
        let hash = self.hash(&id);
        self.store.prefetch(hash);
        let draft = self.draft(hash, id, child, options.ttl);
        let (before, after) = {
            let guard = self.store.pin();
            let applied = self.put(hash, &guard, draft);
            let after = applied.after.filter(|_| options.hooks.is_some());
            (applied.before.map(Entry::share), after.map(Entry::share))
        };
        self.conclude(|| {
            if let Some(entry) = &after {
                tell(options.hooks, HookKey::ChildRegistered, entry, entry.bindings());
            }
        });
        // Before the result is ready: it would leak if a destructor panicked after it.
        drop(after);
        before
    }

    /// Stores a child under an id that is free: absent, expired or empty.
    ///
    /// Linearizes at the compare-and-swap that puts the entry into its slot, or where it finds the id taken.
    ///
    /// # Errors
    ///
    /// [`Taken`] if the id is live; it hands id and child back and names the holder.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// assert!(registry.try_insert("name", Child::new("spec").on("node-a", 1)).is_ok());
    /// let refused = registry.try_insert("name", Child::new("spec").on("node-a", 2)).unwrap_err();
    /// assert_eq!(refused.holder().pid(), Some(&1));
    /// ```
    #[expect(clippy::type_complexity, reason = "spelled out, it can be read")]
    pub fn try_insert(
        &self,
        id: impl IntoId<K>,
        child: Child<S, P, M>,
    ) -> Result<OwnedEntry<S, P, M, K>, Taken<S, P, M, K>> {
        self.try_insert_with(id, child, WriteOptions::new())
    }

    /// [`try_insert`](Self::try_insert) with a time to live, with hooks, or both.
    ///
    /// The hook is `ChildRegistered` with all bindings; nothing is fired if there are none, or if the id is
    /// taken.
    ///
    /// Linearizes at the compare-and-swap that puts the entry into its slot, or where it finds the id taken.
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
    /// let options = WriteOptions::new().ttl(Duration::from_secs(60));
    /// let leased = registry.try_insert_with("name", Child::new("spec").on("node-a", 1), options);
    /// assert!(leased.unwrap().deadline().is_some());
    /// ```
    #[expect(clippy::type_complexity, reason = "spelled out, it can be read")]
    pub fn try_insert_with(
        &self,
        id: impl IntoId<K>,
        child: Child<S, P, M>,
        options: WriteOptions<'_, P, K>,
    ) -> Result<OwnedEntry<S, P, M, K>, Taken<S, P, M, K>> {
        let current = self.occupy(id.into_id(), child, options.ttl)?;
        self.conclude(|| {
            tell(options.hooks, HookKey::ChildRegistered, &current, current.bindings());
        });
        Ok(current)
    }

    /// Stores a child where nothing is, or something empty. The caller concludes the write if it was one.
    #[expect(clippy::type_complexity, reason = "spelled out, it can be read")]
    pub(crate) fn occupy(
        &self,
        id: K,
        child: Child<S, P, M>,
        ttl: Option<Duration>,
    ) -> Result<OwnedEntry<S, P, M, K>, Taken<S, P, M, K>> {
        let hash = self.hash(&id);
        self.store.prefetch(hash);
        let lifetime = child.lifetime;
        let draft = self.draft(hash, id, child, ttl);
        let (current, rejected) = {
            let guard = self.store.pin();
            let applied = self.put_if_vacant(hash, &guard, draft);
            (applied.after.map(Entry::share), applied.rejected)
        };
        let Some(current) = current else {
            unreachable!("either this entry is current or another");
        };
        if let Some(draft) = rejected {
            self.settle();
            let (id, body) = draft.into_parts();
            return Err(Taken { id, child: body.into_child(lifetime), holder: current });
        }
        Ok(current)
    }

    /// The live entry of an id; where there is none, the child that `make` makes is stored first.
    ///
    /// `make` runs at most once, unpinned; what it made is dropped if another was first.
    ///
    /// Linearizes where it finds a live entry, or at the compare-and-swap that puts the new one into its slot.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// let worker = |pid| move || Child::new("spec").on("node-a", pid);
    /// assert_eq!(registry.get_or_insert_with("worker", worker(1)).pid(), Some(&1));
    /// assert_eq!(registry.get_or_insert_with("worker", worker(2)).pid(), Some(&1));
    /// ```
    pub fn get_or_insert_with(
        &self,
        id: impl IntoId<K>,
        make: impl FnOnce() -> Child<S, P, M>,
    ) -> OwnedEntry<S, P, M, K> {
        let id = id.into_id();
        // What is not needed is dropped before the result is ready, which would leak if a destructor
        // panicked after it.
        if let Some(entry) = self.get_owned(&id) {
            drop((id, make));
            return entry;
        }
        match self.try_insert(id, make()) {
            Ok(entry) => entry,
            Err(taken) => {
                let (id, child, holder) = taken.into_parts();
                drop((id, child));
                holder
            }
        }
    }

    /// Removes the entry of an id, of whatever kind and at once; returns it. An unknown id is no error.
    ///
    /// What has expired is not returned: it was not there any more.
    ///
    /// Linearizes at the compare-and-swap that empties the slot, or where it finds no entry.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec").on("node-a", 1));
    /// assert_eq!(registry.delete("worker").unwrap().pid(), Some(&1));
    /// assert!(registry.delete("worker").is_none());
    /// ```
    pub fn delete<Q>(&self, id: &Q) -> Option<OwnedEntry<S, P, M, K>>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.remove(id, any, None)
    }

    /// [`delete`](Self::delete), and `ChildUnregistered` with the bindings that went; nothing is fired if
    /// there were none.
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
    /// # use process_registry::{Child, Handler, HookKey, Hooks, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// let hooks = Hooks::new();
    /// hooks.register(
    ///     HookKey::ChildUnregistered,
    ///     Handler::new("log", |event| println!("{} has gone", event.id())),
    /// )?;
    /// registry.insert("worker", Child::new("spec").on("node-a", 1));
    /// assert!(registry.delete_with("worker", &hooks).is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn delete_with<Q>(&self, id: &Q, hooks: &Hooks<P, K>) -> Option<OwnedEntry<S, P, M, K>>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.remove(id, any, Some(hooks))
    }

    /// Removes the entry of an id, of whatever kind, if the predicate says so; returns it.
    ///
    /// The predicate runs under the pin of the call, and again on every entry that has taken the place of the
    /// one it was asked about: what is removed is exactly what it has seen.
    ///
    /// Linearizes at the compare-and-swap that empties the slot, or where it finds no entry or one that is to
    /// stay.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec").on("node-a", 1));
    /// let incarnation = registry.lookup("worker").unwrap().incarnation();
    /// registry.insert("worker", Child::new("spec").on("node-a", 2));
    /// let removed = registry.delete_if("worker", |entry| entry.incarnation() == incarnation);
    /// assert!(removed.is_none());
    /// ```
    pub fn delete_if<Q>(
        &self,
        id: &Q,
        predicate: impl FnMut(&Entry<S, P, M, K>) -> bool,
    ) -> Option<OwnedEntry<S, P, M, K>>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.remove(id, predicate, None)
    }

    /// [`delete_if`](Self::delete_if), and `ChildUnregistered` with the bindings that went; nothing is fired
    /// if there were none.
    ///
    /// Linearizes at the compare-and-swap that empties the slot, or where it finds no entry or one that is to
    /// stay.
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
    /// assert!(registry.delete_if_with("worker", |entry| entry.is_empty(), &hooks).is_none());
    /// ```
    pub fn delete_if_with<Q>(
        &self,
        id: &Q,
        predicate: impl FnMut(&Entry<S, P, M, K>) -> bool,
        hooks: &Hooks<P, K>,
    ) -> Option<OwnedEntry<S, P, M, K>>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.remove(id, predicate, Some(hooks))
    }

    fn remove<Q>(
        &self,
        id: &Q,
        predicate: impl FnMut(&Entry<S, P, M, K>) -> bool,
        hooks: Option<&Hooks<P, K>>,
    ) -> Option<OwnedEntry<S, P, M, K>>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let hash = self.hash(id);
        self.store.prefetch(hash);
        let removed = {
            let guard = self.store.pin();
            let applied = self.take_if(hash, &guard, id, predicate);
            applied.before.filter(|_| applied.written).map(Entry::share)
        };
        self.conclude(|| {
            if let Some(entry) = &removed {
                tell(hooks, HookKey::ChildUnregistered, entry, entry.bindings());
            }
        });
        removed
    }

    /// Removes the entry of an id if its deadline has passed; returns it.
    ///
    /// One that was revived or renewed meanwhile stays. No hooks.
    ///
    /// Linearizes at the compare-and-swap that empties the slot, or where it finds no entry or one whose
    /// deadline has not passed.
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
    /// assert!(registry.delete_if_expired("lease").is_none());
    /// time.advance(Duration::from_secs(10));
    /// assert!(registry.delete_if_expired("lease").is_some());
    /// ```
    pub fn delete_if_expired<Q>(&self, id: &Q) -> Option<OwnedEntry<S, P, M, K>>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let hash = self.hash(id);
        let swept = {
            let guard = self.store.pin();
            // Leaving it is enough: the write engine removes what has expired.
            let applied = self.take_if(hash, &guard, id, |_| false);
            applied.swept.map(Entry::share)
        };
        self.conclude(|| {});
        swept
    }
}
