//! Leases: children that are registered for as long as somebody holds on to them.
//!
//! A lease is known by its incarnation, which no other entry ever has: what carries it is the lease's own,
//! whoever has changed it since, and what does not is somebody else's. An incarnation never comes back, and
//! an empty entry is never filled again under the one it has: what is lost stays lost.
//!
//! The end of a lease finds its entry by hash and incarnation alone. So the drop calls nothing of the id's,
//! and the types need no bounds.

mod changes;
#[cfg(all(test, not(any(process_registry_loom, process_registry_shuttle))))]
mod tests;

use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::mem;
use std::sync::{Arc, Weak};

use crate::child::Child;
use crate::entry::{Entry, OwnedEntry};
use crate::error::Taken;
use crate::hooks::{HookKey, Hooks, WriteOptions};
use crate::name::{ChildId, IntoId};
use crate::query::bound;
use crate::raw::Element;
use crate::state::Registry;
use crate::write::tell;

/// Registrations that end when they are dropped.
impl<S, P, M, K, H> Registry<S, P, M, K, H>
where
    K: Hash + Eq + Clone,
    H: BuildHasher,
{
    /// Registers a child under an id that is free, absent, expired or empty, until the [`Registration`] is
    /// dropped.
    ///
    /// The child is moved, the id cloned once. If the child has a [ttl](Child::ttl) it is a lease that lapses
    /// by itself unless it is [renewed](Registration::renew). A child without bindings makes an empty entry,
    /// which keeps nobody from registering the id: its registration is lost from the beginning, and removes
    /// that entry in the end.
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
    /// use std::sync::Arc;
    /// use process_registry::{Child, Registry};
    ///
    /// let registry: Arc<Registry<&str, u32>> = Arc::new(Registry::new("node-a"));
    /// let leader = registry.register("leader", Child::new("spec").on("node-a", 1)).unwrap();
    /// let refused = registry.register("leader", Child::new("spec").on("node-a", 2)).unwrap_err();
    /// assert_eq!(refused.holder().pid(), Some(&1));
    ///
    /// drop(leader);
    /// let (id, child, _) = refused.into_parts();
    /// let _leader = registry.register(id, child).unwrap();
    /// assert_eq!(registry.get_pid("leader"), Some(2));
    /// ```
    #[expect(clippy::type_complexity, reason = "spelled out, it can be read")]
    pub fn register(
        self: &Arc<Self>,
        id: impl IntoId<K>,
        child: Child<S, P, M>,
    ) -> Result<Registration<S, P, M, K, H>, Taken<S, P, M, K>> {
        self.register_with(id, child, WriteOptions::new())
    }

    /// [`register`](Self::register) with a time to live, with hooks, or both.
    ///
    /// The hook is `ChildRegistered` with all bindings; nothing is fired if there are none, or if the id is
    /// taken. The end of a registration fires nothing, unless it is
    /// [released with hooks](Registration::release_with).
    ///
    /// Linearizes at the compare-and-swap that puts the entry into its slot, or where it finds the id taken.
    ///
    /// # Errors
    ///
    /// As [`register`](Self::register).
    ///
    /// # Panics
    ///
    /// If a handler does, after the write and after the other handlers. The panic drops the registration,
    /// which nobody would hold otherwise: the child goes again.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use std::time::Duration;
    /// # use process_registry::{Child, Registry, WriteOptions};
    /// # let registry: Arc<Registry<&str, u32>> = Arc::new(Registry::new("node-a"));
    /// let options = WriteOptions::new().ttl(Duration::from_secs(30));
    /// let lease = registry.register_with("name", Child::new("spec").on("node-a", 1), options).unwrap();
    /// assert!(lease.entry().unwrap().deadline().is_some());
    /// ```
    #[expect(clippy::type_complexity, reason = "spelled out, it can be read")]
    pub fn register_with(
        self: &Arc<Self>,
        id: impl IntoId<K>,
        child: Child<S, P, M>,
        options: WriteOptions<'_, P, K>,
    ) -> Result<Registration<S, P, M, K, H>, Taken<S, P, M, K>> {
        let id = id.into_id();
        // Before there is an entry that a panic would leave behind.
        let own = id.clone();
        let current = match self.occupy(id, child, options.ttl) {
            Ok(current) => current,
            Err(taken) => {
                // Before the result is ready: it would leak if a destructor panicked after it.
                drop(own);
                return Err(taken);
            }
        };
        let lease = Lease {
            registry: Arc::downgrade(self),
            hash: current.block().hash(),
            incarnation: current.incarnation(),
        };
        let registration = Registration { lease, id: own };
        self.conclude(|| {
            tell(options.hooks, HookKey::ChildRegistered, &current, current.bindings());
        });
        // As above.
        drop(current);
        Ok(registration)
    }
}

/// A child's registration, held by its owner: a lease. Dropping it removes the child.
///
/// [`Registry::register`] makes one. It stands for exactly the child that it registered, one
/// [incarnation](Entry::incarnation) of the id:
///
/// | what has happened to the id meanwhile | the registration | its drop |
/// |---|---|---|
/// | nothing, or somebody updated, rebound, merged or renewed it | is current | removes the child |
/// | its last binding was taken away: it is pending or a tombstone | is lost | removes the empty entry |
/// | it has expired, swept or not | is lost | leaves nothing of it behind |
/// | it was deleted | is lost | does nothing |
/// | it was replaced, or went and came back, by whatever operation | is lost | does nothing |
/// | the registry is gone | is lost | does nothing |
///
/// What is lost stays lost: its methods say so, and nothing brings it back but another `register`.
///
/// A drop fires no hooks. It may happen anywhere: on another thread, under a pin, in a destructor, while a
/// panic unwinds. It calls neither `Eq` nor `Hash` of the id. As after every write, a few things that are due
/// are dropped then, unless the thread is pinned or unwinding. Takes constant time on average.
///
/// # Keeping it
///
/// It does not keep the registry alive; only during a call it holds an `Arc` of it, and if the last other
/// one goes meanwhile, the registry is dropped at the end of that call. (The memory of the `Registry` itself,
/// not of its entries, is given back with the last registration, as with any [`Weak`].)
///
/// It may be held for as long as it is wanted, and **across `.await`**: a task whose future is dropped, or
/// that panics, loses its registration with it. It is `Send` and `Sync` if the registry is.
///
/// ```
/// # use std::sync::Arc;
/// # use process_registry::{Child, Registry};
/// async fn serve(registry: Arc<Registry<&str, u32>>) {
///     let lease = registry.register("server", Child::new("spec").on("node-a", 1)).unwrap();
///     let entry = lease.entry();
///     std::future::ready(()).await;
///     drop((lease, entry));
/// }
///
/// fn spawn(task: impl Future<Output = ()> + Send + 'static) {
///     # drop(task);
/// }
/// spawn(serve(Arc::new(Registry::new("node-a"))));
/// ```
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use process_registry::{Child, Registry};
///
/// let registry: Arc<Registry<&str, u32>> = Arc::new(Registry::new("node-a"));
///
/// let worker = registry.register("worker", Child::new("spec").on("node-a", 1)).unwrap();
/// worker.rebind("node-a", 2)?;
/// assert_eq!(registry.get_pid("worker"), Some(2));
/// drop(worker);
/// assert!(!registry.contains("worker"));
///
/// // It never removes what is not its own.
/// let worker = registry.register("worker", Child::new("spec").on("node-a", 3)).unwrap();
/// registry.insert("worker", Child::new("spec").on("node-a", 4));
/// assert!(!worker.is_current());
/// drop(worker);
/// assert_eq!(registry.get_pid("worker"), Some(4));
/// # Ok::<(), process_registry::NoChild>(())
/// ```
#[must_use = "dropping a registration removes the child at once"]
pub struct Registration<S, P, M = (), K = ChildId, H = ahash::RandomState> {
    // First: the child goes before the id, whose destructor is the user's.
    lease: Lease<S, P, M, K, H>,
    id: K,
}

/// The claim to an incarnation. Its drop ends it.
struct Lease<S, P, M, K, H> {
    /// Of no registry once the claim has been given up.
    registry: Weak<Registry<S, P, M, K, H>>,
    hash: u64,
    incarnation: u64,
}

impl<S, P, M, K, H> Lease<S, P, M, K, H> {
    /// Gives the claim up; the registry, if it is still there.
    #[expect(clippy::type_complexity, reason = "spelled out, it can be read")]
    fn give_up(&mut self) -> Option<Arc<Registry<S, P, M, K, H>>> {
        mem::take(&mut self.registry).upgrade()
    }

    /// Whether this is the entry that was registered, and not emptied since.
    fn covers(&self, entry: &Entry<S, P, M, K>) -> bool {
        entry.incarnation() == self.incarnation && bound(entry)
    }
}

impl<S, P, M, K, H> Drop for Lease<S, P, M, K, H> {
    fn drop(&mut self) {
        if let Some(registry) = self.give_up() {
            // Not shared, so that nothing of the user's is dropped here, where a panic may be unwinding.
            registry.take_incarnation(self.hash, self.incarnation, &registry.store.pin());
            registry.settle();
        }
    }
}

impl<S, P, M, K, H> Registration<S, P, M, K, H> {
    /// The id that was registered.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use process_registry::{Child, Registry};
    /// # let registry: Arc<Registry<&str, u32>> = Arc::new(Registry::new("node-a"));
    /// let lease = registry.register("worker", Child::new("spec").on("node-a", 1)).unwrap();
    /// assert_eq!(lease.id(), "worker");
    /// ```
    #[must_use]
    pub const fn id(&self) -> &K {
        &self.id
    }

    /// The [incarnation](Entry::incarnation) that was registered.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use process_registry::{Child, Registry};
    /// # let registry: Arc<Registry<&str, u32>> = Arc::new(Registry::new("node-a"));
    /// let lease = registry.register("worker", Child::new("spec").on("node-a", 1)).unwrap();
    /// assert_eq!(registry.lookup("worker").unwrap().incarnation(), lease.incarnation());
    /// ```
    #[must_use]
    pub const fn incarnation(&self) -> u64 {
        self.lease.incarnation
    }

    /// Lets the child stay; returns its id.
    ///
    /// Changes nothing in the registry: a deadline stays too.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use process_registry::{Child, Registry};
    /// # let registry: Arc<Registry<&str, u32>> = Arc::new(Registry::new("node-a"));
    /// let lease = registry.register("worker", Child::new("spec").on("node-a", 1)).unwrap();
    /// let id = lease.detach();
    /// assert!(registry.contains(&id));
    /// ```
    pub fn detach(self) -> K {
        let Self { mut lease, id } = self;
        lease.registry = Weak::new();
        id
    }

    /// Removes the child now, as the drop would do later; returns what was removed.
    ///
    /// `None` if there was nothing left of it, or it had expired. An empty entry that is left of it is
    /// removed and returned. No hooks. Takes constant time on average.
    ///
    /// Linearizes at the compare-and-swap that empties the slot, or where it finds no entry of its own.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use process_registry::{Child, Registry};
    /// # let registry: Arc<Registry<&str, u32>> = Arc::new(Registry::new("node-a"));
    /// let lease = registry.register("worker", Child::new("spec").on("node-a", 1)).unwrap();
    /// assert_eq!(lease.release().unwrap().pid(), Some(&1));
    /// assert!(!registry.contains("worker"));
    /// ```
    pub fn release(self) -> Option<OwnedEntry<S, P, M, K>> {
        self.end(None)
    }

    /// [`release`](Self::release), and `ChildUnregistered` with the bindings that went; nothing is fired if
    /// there were none.
    ///
    /// Linearizes at the compare-and-swap that empties the slot, or where it finds no entry of its own.
    ///
    /// # Panics
    ///
    /// If a handler does, after the write and after the other handlers.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use process_registry::{Child, Hooks, Registry};
    /// # let registry: Arc<Registry<&str, u32>> = Arc::new(Registry::new("node-a"));
    /// # let hooks = Hooks::new();
    /// let lease = registry.register("worker", Child::new("spec").on("node-a", 1)).unwrap();
    /// assert!(lease.release_with(&hooks).is_some());
    /// ```
    pub fn release_with(self, hooks: &Hooks<P, K>) -> Option<OwnedEntry<S, P, M, K>> {
        self.end(Some(hooks))
    }

    fn end(self, hooks: Option<&Hooks<P, K>>) -> Option<OwnedEntry<S, P, M, K>> {
        let Self { mut lease, id } = self;
        // Before the result is ready: it would leak if a destructor panicked after it. If this one does, the
        // lease ends by its drop.
        drop(id);
        let registry = lease.give_up()?;
        let removed = {
            let guard = registry.store.pin();
            let removed = registry.take_incarnation(lease.hash, lease.incarnation, &guard);
            removed.map(Entry::share)
        };
        registry.conclude(|| {
            if let Some(entry) = &removed {
                tell(hooks, HookKey::ChildUnregistered, entry, entry.bindings());
            }
        });
        // As above: it may be the last.
        drop(registry);
        removed
    }
}

/// Reads. Each takes constant time on average and holds up nobody.
impl<S, P, M, K: Eq, H> Registration<S, P, M, K, H> {
    /// The registered child as it is now; `None` if the registration is lost.
    ///
    /// One atomic addition on memory that all holders of the entry share.
    ///
    /// Linearizes where it reads the slot that holds the entry, or finds that none does.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use process_registry::{Child, Registry};
    /// # let registry: Arc<Registry<&str, u32>> = Arc::new(Registry::new("node-a"));
    /// let lease = registry.register("worker", Child::new("spec").on("node-a", 1)).unwrap();
    /// assert_eq!(lease.entry().unwrap().pid(), Some(&1));
    /// registry.delete("worker");
    /// assert!(lease.entry().is_none());
    /// ```
    #[must_use]
    pub fn entry(&self) -> Option<OwnedEntry<S, P, M, K>> {
        self.read(Entry::share)
    }

    /// Whether the registered child is there, and not empty: whether the registration is not lost.
    ///
    /// A `false` is final, a `true` may be out of date at once.
    ///
    /// Linearizes where it reads the slot that holds the entry, or finds that none does.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use process_registry::{Child, Registry};
    /// # let registry: Arc<Registry<&str, u32>> = Arc::new(Registry::new("node-a"));
    /// let lease = registry.register("worker", Child::new("spec").on("node-a", 1)).unwrap();
    /// assert!(lease.is_current());
    /// drop(registry);
    /// assert!(!lease.is_current());
    /// ```
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.read(|_| ()).is_some()
    }

    fn read<R>(&self, read: impl FnOnce(&Entry<S, P, M, K>) -> R) -> Option<R> {
        let registry = self.lease.registry.upgrade()?;
        let hash = self.lease.hash;
        registry.store.prefetch(hash);
        let found = {
            let guard = registry.store.pin();
            let own = |entry: &&_| self.lease.covers(entry);
            registry.view(&guard).find(hash, &self.id, bound).filter(own).map(read)
        };
        // Before the result is ready: it may be the last, and a result that is ready leaks if a destructor
        // panics after it.
        drop(registry);
        found
    }
}

/// Shows what was registered, not what has become of it: that would take a look at the registry.
impl<S, P, M, K: fmt::Debug, H> fmt::Debug for Registration<S, P, M, K, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration")
            .field("id", &self.id)
            .field("incarnation", &self.lease.incarnation)
            .finish_non_exhaustive()
    }
}
