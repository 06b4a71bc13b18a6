//! Changes of a registered child by the owner of its registration.

use std::hash::{BuildHasher, Hash};
use std::time::Duration;

use super::Registration;
use crate::amend::only_no_child;
use crate::child::Child;
use crate::error::{NoChild, UpdateError};
use crate::hooks::Hooks;
use crate::name::Node;

/// Changes of the registered child, and of no other. `S`, `P` and `M` are cloned once per attempt, unpinned.
impl<S, P, M, K, H> Registration<S, P, M, K, H>
where
    S: Clone,
    P: Clone,
    M: Clone,
    K: Hash + Eq + Clone,
    H: BuildHasher,
{
    /// Lets the child expire `ttl` from now, whatever its deadline was, if it had any.
    ///
    /// To be called in time: once the deadline has passed the registration is lost. A `ttl` that overflows
    /// the clock means the last moment the clock knows. To take the deadline away,
    /// [update](Self::update) the child by [`make_permanent`](Child::make_permanent).
    ///
    /// Linearizes at the compare-and-swap that replaces the entry, or where it finds no live one of its own.
    ///
    /// # Errors
    ///
    /// [`NoChild`] if the registration is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::time::Duration;
    /// use process_registry::{Child, Clock, ManualClock, Registry};
    ///
    /// const TTL: Duration = Duration::from_secs(10);
    ///
    /// let time = ManualClock::new();
    /// let registry: Registry<&str, u32> =
    ///     Registry::builder("node-a").clock(Clock::Manual(time.clone())).build();
    /// let registry = Arc::new(registry);
    /// let lease = registry.register("lease", Child::new("spec").on("node-a", 1).ttl(TTL)).unwrap();
    /// for _ in 0..5 {
    ///     time.advance(Duration::from_secs(9));
    ///     lease.renew(TTL)?;
    /// }
    /// time.advance(TTL);
    /// assert!(lease.renew(TTL).is_err());
    /// # Ok::<(), process_registry::NoChild>(())
    /// ```
    pub fn renew(&self, ttl: Duration) -> Result<(), NoChild> {
        self.update(|child| child.set_ttl(ttl))
    }

    /// Binds the child to a node; returns the pid it had there.
    ///
    /// A node that is bound already keeps its place in the order, a new one comes last.
    ///
    /// Linearizes at the compare-and-swap that replaces the entry, or where it finds no live one of its own.
    ///
    /// # Errors
    ///
    /// [`NoChild`] if the registration is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use process_registry::{Child, Registry};
    /// # let registry: Arc<Registry<&str, u32>> = Arc::new(Registry::new("node-a"));
    /// let lease = registry.register("worker", Child::new("spec").on("node-a", 1)).unwrap();
    /// assert_eq!(lease.rebind("node-a", 2), Ok(Some(1)));
    /// assert_eq!(lease.rebind("node-b", 3), Ok(None));
    /// assert_eq!(registry.get_pids("worker"), [2, 3]);
    /// ```
    pub fn rebind(&self, node: impl Into<Node>, pid: P) -> Result<Option<P>, NoChild> {
        self.bind(&node.into(), pid, None)
    }

    /// [`rebind`](Self::rebind), and `ChildRegistered` with that one binding.
    ///
    /// Linearizes at the compare-and-swap that replaces the entry, or where it finds no live one of its own.
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
    /// # use std::sync::Arc;
    /// # use process_registry::{Child, Hooks, Registry};
    /// # let registry: Arc<Registry<&str, u32>> = Arc::new(Registry::new("node-a"));
    /// # let hooks = Hooks::new();
    /// let lease = registry.register("worker", Child::new("spec").on("node-a", 1)).unwrap();
    /// assert_eq!(lease.rebind_with("node-a", 2, &hooks), Ok(Some(1)));
    /// ```
    pub fn rebind_with(
        &self,
        node: impl Into<Node>,
        pid: P,
        hooks: &Hooks<P, K>,
    ) -> Result<Option<P>, NoChild> {
        self.bind(&node.into(), pid, Some(hooks))
    }

    fn bind(&self, node: &Node, pid: P, hooks: Option<&Hooks<P, K>>) -> Result<Option<P>, NoChild> {
        let bind = |child: &mut Child<S, P, M>| Ok(child.bind(node, pid.clone()));
        let bound = only_no_child(self.amend(hooks.map(|hooks| (node, hooks)), bind));
        // Before the result is: a result that is ready leaks if a destructor panics after it.
        drop(pid);
        bound
    }

    /// Edits the child, as [`Registry::update`](crate::Registry::update) does: by a closure that may run
    /// several times, unpinned.
    ///
    /// A closure that leaves no bindings gives the child up: the registration is lost, but for the drop,
    /// which removes the empty entry. No hooks.
    ///
    /// Linearizes at the compare-and-swap that replaces the entry, or where it finds no live one of its own.
    ///
    /// # Errors
    ///
    /// [`NoChild`] if the registration is lost; the closure has not run then, or its last run came to
    /// nothing.
    ///
    /// # Panics
    ///
    /// If the closure does; nothing has changed then, and nothing is poisoned.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use process_registry::{Child, Registry};
    /// # let registry: Arc<Registry<&str, u32>> = Arc::new(Registry::new("node-a"));
    /// let lease = registry.register("worker", Child::new("spec").on("node-a", 1)).unwrap();
    /// lease.update(|child| child.add_tag("busy"))?;
    /// assert_eq!(registry.tag_len("busy"), 1);
    /// # Ok::<(), process_registry::NoChild>(())
    /// ```
    pub fn update<R>(&self, mut f: impl FnMut(&mut Child<S, P, M>) -> R) -> Result<R, NoChild> {
        let updated = only_no_child(self.amend(None, |child| Ok(f(child))));
        // A result that is ready leaks if a destructor panics after it.
        drop(f);
        updated
    }

    /// [`update`](Self::update) by a closure that may fail; nothing changes then.
    ///
    /// Linearizes at the compare-and-swap that replaces the entry, or where it found what the closure
    /// refused, or no live entry of its own.
    ///
    /// # Errors
    ///
    /// [`UpdateError::NoChild`] if the registration is lost; [`UpdateError::Failed`] with the closure's own
    /// error.
    ///
    /// # Panics
    ///
    /// If the closure does; nothing has changed then, and nothing is poisoned.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use process_registry::{Child, Registry, UpdateError};
    /// # let registry: Arc<Registry<&str, u32>> = Arc::new(Registry::new("node-a"));
    /// let lease = registry.register("worker", Child::new("spec").on("node-a", 1)).unwrap();
    /// let result: Result<(), _> = lease.try_update(|_| Err("not now"));
    /// assert_eq!(result, Err(UpdateError::Failed("not now")));
    /// assert_eq!(lease.entry().unwrap().version(), 1);
    /// ```
    pub fn try_update<R, X>(
        &self,
        f: impl FnMut(&mut Child<S, P, M>) -> Result<R, X>,
    ) -> Result<R, UpdateError<X>> {
        self.amend(None, f)
    }

    fn amend<R, X>(
        &self,
        rebound: Option<(&Node, &Hooks<P, K>)>,
        change: impl FnMut(&mut Child<S, P, M>) -> Result<R, X>,
    ) -> Result<R, UpdateError<X>> {
        let Some(registry) = self.lease.registry.upgrade() else {
            return Err(UpdateError::NoChild);
        };
        let own = |entry: &_| self.lease.covers(entry);
        let answer = registry.amend(&self.id, own, rebound, change);
        // As in `read`.
        drop(registry);
        answer
    }
}
