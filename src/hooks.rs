//! Callbacks on registration and unregistration, and the options of a write.

use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use smol_str::SmolStr;

use crate::error::DuplicateHandlers;
use crate::name::{ChildId, Node};
use crate::panics::keep;
use crate::trace::handler_panicked;

/// What a handler is registered for.
///
/// # Examples
///
/// ```
/// use process_registry::{HookKey, Hooks};
///
/// let hooks: Hooks<u32> = Hooks::new();
/// assert!(hooks.handlers(HookKey::ChildRegistered).is_empty());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum HookKey {
    /// Bindings were added to a child, or got another pid.
    ChildRegistered,
    /// Bindings of a child went away.
    ChildUnregistered,
}

/// What happened, as a [`Handler`] is told.
///
/// Events of one id that come from different threads may arrive in another order than the writes
/// were made. [`incarnation`](Self::incarnation) and [`version`](Self::version) tell which is the
/// later one.
///
/// # Examples
///
/// ```
/// use process_registry::{Event, Handler, HookKey, Hooks};
///
/// fn log(event: &Event<'_, u32>) {
///     println!("{}.{}", event.incarnation(), event.version());
///     for (node, pid) in event.bindings() {
///         println!("{:?}: {} runs as {pid} on {node}", event.kind(), event.id());
///     }
/// }
///
/// let hooks = Hooks::new();
/// hooks.register(HookKey::ChildRegistered, Handler::new("log", log))?;
/// # Ok::<(), process_registry::DuplicateHandlers<u32>>(())
/// ```
pub struct Event<'a, P, K = ChildId> {
    kind: HookKey,
    id: &'a K,
    bindings: &'a [(Node, P)],
    incarnation: u64,
    version: u64,
}

impl<'a, P, K> Event<'a, P, K> {
    pub(crate) const fn new(
        kind: HookKey,
        id: &'a K,
        bindings: &'a [(Node, P)],
        incarnation: u64,
        version: u64,
    ) -> Self {
        Self { kind, id, bindings, incarnation, version }
    }

    /// What happened: the key the handler was registered for.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Event, Handler, HookKey, Hooks, Registry, WriteOptions};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// # let hooks = Hooks::new();
    /// let check = |event: &Event<'_, u32>| assert_eq!(event.kind(), HookKey::ChildRegistered);
    /// hooks.register(HookKey::ChildRegistered, Handler::new("check", check))?;
    /// let options = WriteOptions::new().hooks(&hooks);
    /// registry.insert_with("worker", Child::new("spec").on("node-a", 1), options);
    /// # Ok::<(), process_registry::DuplicateHandlers<u32>>(())
    /// ```
    #[must_use]
    pub const fn kind(&self) -> HookKey {
        self.kind
    }

    /// The id of the child.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Event, Handler, HookKey, Hooks, Registry, WriteOptions};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// # let hooks = Hooks::new();
    /// let check = |event: &Event<'_, u32>| assert_eq!(event.id(), "worker");
    /// hooks.register(HookKey::ChildRegistered, Handler::new("check", check))?;
    /// let options = WriteOptions::new().hooks(&hooks);
    /// registry.insert_with("worker", Child::new("spec").on("node-a", 1), options);
    /// # Ok::<(), process_registry::DuplicateHandlers<u32>>(())
    /// ```
    #[must_use]
    pub const fn id(&self) -> &'a K {
        self.id
    }

    /// The bindings concerned: those that came, or those that went. Never empty.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Event, Handler, HookKey, Hooks, Registry, WriteOptions};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// # let hooks = Hooks::new();
    /// let check = |event: &Event<'_, u32>| assert_eq!(event.bindings(), [("node-a".into(), 1)]);
    /// hooks.register(HookKey::ChildRegistered, Handler::new("check", check))?;
    /// let options = WriteOptions::new().hooks(&hooks);
    /// registry.insert_with("worker", Child::new("spec").on("node-a", 1), options);
    /// # Ok::<(), process_registry::DuplicateHandlers<u32>>(())
    /// ```
    #[must_use]
    pub const fn bindings(&self) -> &'a [(Node, P)] {
        self.bindings
    }

    /// The incarnation of the entry. No two registrations share one, and one that begins after
    /// another has ended, or that replaces its entry, has the greater. Only of two registrations
    /// under way at once, with a removal between their entries, may the later entry have the
    /// smaller number.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Event, Handler, HookKey, Hooks, Registry, WriteOptions};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// # let hooks = Hooks::new();
    /// let check = |event: &Event<'_, u32>| assert!(event.incarnation() > 0);
    /// hooks.register(HookKey::ChildRegistered, Handler::new("check", check))?;
    /// let options = WriteOptions::new().hooks(&hooks);
    /// registry.insert_with("worker", Child::new("spec").on("node-a", 1), options);
    /// # Ok::<(), process_registry::DuplicateHandlers<u32>>(())
    /// ```
    #[must_use]
    pub const fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// The version of the entry within its incarnation: a later change has a greater one.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Event, Handler, HookKey, Hooks, Registry, WriteOptions};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// # let hooks = Hooks::new();
    /// let check = |event: &Event<'_, u32>| assert_eq!(event.version(), 1);
    /// hooks.register(HookKey::ChildRegistered, Handler::new("check", check))?;
    /// let options = WriteOptions::new().hooks(&hooks);
    /// registry.insert_with("worker", Child::new("spec").on("node-a", 1), options);
    /// # Ok::<(), process_registry::DuplicateHandlers<u32>>(())
    /// ```
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }
}

impl<P, K> Clone for Event<'_, P, K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P, K> Copy for Event<'_, P, K> {}

impl<P: fmt::Debug, K: fmt::Debug> fmt::Debug for Event<'_, P, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("kind", &self.kind)
            .field("id", &self.id)
            .field("bindings", &self.bindings)
            .field("incarnation", &self.incarnation)
            .field("version", &self.version)
            .finish()
    }
}

/// The callable of a handler.
type Callback<P, K> = dyn Fn(&Event<'_, P, K>) + Send + Sync;

/// A callback with an id, by which it can be cancelled, and a priority.
///
/// A clone shares the callable.
///
/// # Examples
///
/// ```
/// use process_registry::{Event, Handler};
///
/// let handler: Handler<u32> =
///     Handler::new("audit", |event: &Event<'_, u32>| println!("{event:?}")).priority(10);
/// assert_eq!(handler.id(), "audit");
/// ```
#[must_use = "a handler does nothing until it is registered"]
pub struct Handler<P, K = ChildId> {
    id: SmolStr,
    priority: i32,
    callback: Arc<Callback<P, K>>,
}

impl<P, K> Handler<P, K> {
    /// A handler of priority 0.
    ///
    /// A closure that looks into its event has to name the type of it, as here: the compiler looks
    /// at the closure before it knows where the handler is to go.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use process_registry::{Event, Handler};
    ///
    /// let (sender, receiver) = mpsc::channel();
    /// let handler = Handler::new("forward", move |event: &Event<'_, u32>| {
    ///     let _ = sender.send(event.id().clone());
    /// });
    /// # drop(handler);
    /// # assert!(receiver.recv().is_err());
    /// ```
    pub fn new(
        id: impl AsRef<str>,
        callback: impl Fn(&Event<'_, P, K>) + Send + Sync + 'static,
    ) -> Self {
        Self { id: SmolStr::new(id), priority: 0, callback: Arc::new(callback) }
    }

    /// Sets the priority. Handlers of a higher one are called first; among equals, the one
    /// registered first.
    ///
    /// # Examples
    ///
    /// ```
    /// use process_registry::{Handler, HookKey, Hooks};
    ///
    /// let hooks: Hooks<u32> = Hooks::new();
    /// hooks.register(HookKey::ChildRegistered, Handler::new("late", |_| {}).priority(-1))?;
    /// hooks.register(HookKey::ChildRegistered, Handler::new("usual", |_| {}))?;
    /// assert_eq!(hooks.handlers(HookKey::ChildRegistered), ["usual", "late"]);
    /// # Ok::<(), process_registry::DuplicateHandlers<u32>>(())
    /// ```
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// The id.
    ///
    /// # Examples
    ///
    /// ```
    /// use process_registry::Handler;
    ///
    /// assert_eq!(Handler::<u32>::new("audit", |_| {}).id(), "audit");
    /// ```
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl<P, K> Clone for Handler<P, K> {
    fn clone(&self) -> Self {
        Self { id: self.id.clone(), priority: self.priority, callback: Arc::clone(&self.callback) }
    }
}

impl<P, K> fmt::Debug for Handler<P, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler")
            .field("id", &self.id)
            .field("priority", &self.priority)
            .finish_non_exhaustive()
    }
}

/// The handlers of one key, in the order they are called.
type Handlers<P, K> = ArcSwap<Vec<Handler<P, K>>>;

/// A set of [`Handler`]s that writes are asked to call.
///
/// An operation calls handlers only if it is handed a set; a registry has none of its own. A set
/// may serve several registries, and may be changed from any thread while it is in use.
///
/// Handlers run in the thread that writes, one after the other, after the write is visible to all
/// and before the call returns. They may call anything on the registry, and change the very set
/// they are in: a call in progress goes by the list it began with. If a handler panics, the write
/// stands, the remaining handlers are called, and then the (first) panic goes on to the caller.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// use process_registry::{Child, Event, Handler, HookKey, Hooks, Registry, WriteOptions};
///
/// let count = Arc::new(AtomicUsize::new(0));
/// let hooks = Hooks::new();
/// let counter = Arc::clone(&count);
/// hooks.register(
///     HookKey::ChildRegistered,
///     Handler::new("count", move |event: &Event<'_, u32>| {
///         counter.fetch_add(event.bindings().len(), Ordering::Relaxed);
///     }),
/// )?;
///
/// let registry: Registry<&str, u32> = Registry::new("a");
/// let child = Child::new("spec").on("a", 1).on("b", 2);
/// registry.insert_with("x", child, WriteOptions::new().hooks(&hooks));
/// assert_eq!(count.load(Ordering::Relaxed), 2);
/// # Ok::<(), process_registry::DuplicateHandlers<u32>>(())
/// ```
pub struct Hooks<P, K = ChildId> {
    registered: Handlers<P, K>,
    unregistered: Handlers<P, K>,
}

impl<P, K> Hooks<P, K> {
    /// A set without handlers.
    ///
    /// # Examples
    ///
    /// ```
    /// use process_registry::{HookKey, Hooks};
    ///
    /// let hooks: Hooks<u32> = Hooks::new();
    /// assert!(hooks.handlers(HookKey::ChildUnregistered).is_empty());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self { registered: ArcSwap::default(), unregistered: ArcSwap::default() }
    }

    /// Registers a handler. It takes part in every call that begins afterwards.
    ///
    /// Takes effect in one atomic step: the replacement of the key's list. Costs a copy of that
    /// list.
    ///
    /// # Errors
    ///
    /// If the key has a handler of this id; nothing is changed, and the handler comes back. The
    /// same id under the other key does not matter.
    ///
    /// # Examples
    ///
    /// ```
    /// use process_registry::{Handler, HookKey, Hooks};
    ///
    /// let hooks: Hooks<u32> = Hooks::new();
    /// hooks.register(HookKey::ChildRegistered, Handler::new("log", |_| {}))?;
    /// hooks.register(HookKey::ChildUnregistered, Handler::new("log", |_| {}))?;
    ///
    /// let error = hooks
    ///     .register(HookKey::ChildRegistered, Handler::new("log", |_| {}))
    ///     .unwrap_err();
    /// assert_eq!(error.ids(), ["log"]);
    /// # Ok::<(), process_registry::DuplicateHandlers<u32>>(())
    /// ```
    pub fn register(
        &self,
        key: HookKey,
        handler: Handler<P, K>,
    ) -> Result<(), DuplicateHandlers<P, K>> {
        self.register_all(key, [handler])
    }

    /// Registers several handlers, all of them or none.
    ///
    /// Takes effect in one atomic step: the replacement of the key's list. Costs a copy of that
    /// list.
    ///
    /// # Errors
    ///
    /// If an id is taken, or occurs more than once among those given: the error names every such id
    /// and hands the handlers back; nothing is changed.
    ///
    /// # Examples
    ///
    /// ```
    /// use process_registry::{Handler, HookKey, Hooks};
    ///
    /// let hooks: Hooks<u32> = Hooks::new();
    /// let handlers = ["a", "b", "a"].map(|id| Handler::new(id, |_| {}));
    /// let error = hooks.register_all(HookKey::ChildRegistered, handlers).unwrap_err();
    /// assert_eq!(error.ids(), ["a"]);
    /// assert!(hooks.handlers(HookKey::ChildRegistered).is_empty());
    /// ```
    pub fn register_all(
        &self,
        key: HookKey,
        handlers: impl IntoIterator<Item = Handler<P, K>>,
    ) -> Result<(), DuplicateHandlers<P, K>> {
        // The caller's iterator is user code; it runs once, outside of the loop that may repeat.
        let new: Vec<Handler<P, K>> = handlers.into_iter().collect();
        let mut duplicates = Vec::new();
        self.list(key).rcu(|list| {
            duplicates = duplicate_ids(list, &new);
            if !duplicates.is_empty() {
                return Arc::clone(list);
            }
            let mut next = Vec::with_capacity(list.len() + new.len());
            next.extend_from_slice(list);
            next.extend_from_slice(&new);
            // Stable: among equals the older ones stay in front.
            next.sort_by_key(|handler| std::cmp::Reverse(handler.priority));
            Arc::new(next)
        });
        if duplicates.is_empty() {
            Ok(())
        } else {
            Err(DuplicateHandlers { key, ids: duplicates, handlers: new })
        }
    }

    /// Removes the handler of this id; `false` if there is none, which is no error.
    ///
    /// Takes effect in one atomic step: the replacement of the key's list. A call that began before
    /// may still call the handler, even after this has returned.
    ///
    /// # Examples
    ///
    /// ```
    /// use process_registry::{Handler, HookKey, Hooks};
    ///
    /// let hooks: Hooks<u32> = Hooks::new();
    /// hooks.register(HookKey::ChildRegistered, Handler::new("log", |_| {}))?;
    /// assert!(hooks.cancel(HookKey::ChildRegistered, "log"));
    /// assert!(!hooks.cancel(HookKey::ChildRegistered, "log"));
    /// # Ok::<(), process_registry::DuplicateHandlers<u32>>(())
    /// ```
    pub fn cancel(&self, key: HookKey, id: &str) -> bool {
        let mut found = false;
        self.list(key).rcu(|list| {
            found = list.iter().any(|handler| handler.id == id);
            if !found {
                return Arc::clone(list);
            }
            let rest = list.iter().filter(|handler| handler.id != id);
            Arc::new(rest.cloned().collect())
        });
        found
    }

    /// The ids of the handlers of a key, in the order they are called.
    ///
    /// # Examples
    ///
    /// ```
    /// use process_registry::{Handler, HookKey, Hooks};
    ///
    /// let hooks: Hooks<u32> = Hooks::new();
    /// let handlers = [("a", 0), ("b", 9), ("c", 0)];
    /// let handlers = handlers.map(|(id, priority)| Handler::new(id, |_| {}).priority(priority));
    /// hooks.register_all(HookKey::ChildRegistered, handlers)?;
    /// assert_eq!(hooks.handlers(HookKey::ChildRegistered), ["b", "a", "c"]);
    /// # Ok::<(), process_registry::DuplicateHandlers<u32>>(())
    /// ```
    #[must_use]
    pub fn handlers(&self, key: HookKey) -> Vec<String> {
        let list = self.list(key).load();
        list.iter().map(|handler| handler.id.to_string()).collect()
    }

    /// Calls the handlers of the event's kind. The caller holds no pin but its user's.
    ///
    /// # Panics
    ///
    /// With the panic of the first handler that panicked, after all have been called.
    pub(crate) fn dispatch(&self, event: &Event<'_, P, K>) {
        let list = self.list(event.kind).load();
        let mut first = None;
        for handler in list.iter() {
            let call = AssertUnwindSafe(|| (handler.callback)(event));
            if let Err(panic) = panic::catch_unwind(call) {
                handler_panicked(&handler.id, event.kind, &*panic);
                keep(&mut first, panic);
            }
        }
        // May drop handlers that were cancelled meanwhile: before the unwinding, not during it.
        drop(list);
        if let Some(panic) = first {
            panic::resume_unwind(panic);
        }
    }

    fn list(&self, key: HookKey) -> &Handlers<P, K> {
        match key {
            HookKey::ChildRegistered => &self.registered,
            HookKey::ChildUnregistered => &self.unregistered,
        }
    }
}

impl<P, K> Default for Hooks<P, K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P, K> fmt::Debug for Hooks<P, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("registered", &*self.registered.load())
            .field("unregistered", &*self.unregistered.load())
            .finish()
    }
}

/// The ids among `new` that are taken, or occur again; each once, in the order given.
fn duplicate_ids<P, K>(list: &[Handler<P, K>], new: &[Handler<P, K>]) -> Vec<String> {
    let mut duplicates: Vec<String> = Vec::new();
    for (at, handler) in new.iter().enumerate() {
        let taken = list.iter().chain(&new[..at]).any(|h| h.id == handler.id);
        if taken && !duplicates.iter().any(|id| *id == handler.id) {
            duplicates.push(handler.id.to_string());
        }
    }
    duplicates
}

/// The options of a write: a time to live, hooks.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use process_registry::{Child, Hooks, Registry, WriteOptions};
///
/// let hooks = Hooks::new();
/// let registry: Registry<&str, u32> = Registry::new("a");
/// let options = WriteOptions::new().ttl(Duration::from_secs(30)).hooks(&hooks);
/// registry.insert_with("lease", Child::new("spec").on("a", 1), options);
/// assert!(registry.lookup("lease").unwrap().deadline().is_some());
/// ```
#[must_use = "options do nothing until a write is given them"]
pub struct WriteOptions<'a, P, K = ChildId> {
    pub(crate) ttl: Option<Duration>,
    pub(crate) hooks: Option<&'a Hooks<P, K>>,
}

impl<'a, P, K> WriteOptions<'a, P, K> {
    /// No options: the child's own time to live, no hooks.
    ///
    /// # Examples
    ///
    /// ```
    /// use process_registry::{Child, Registry, WriteOptions};
    ///
    /// let registry: Registry<&str, u32> = Registry::new("a");
    /// registry.insert_with("x", Child::new("spec").on("a", 1), WriteOptions::new());
    /// assert!(registry.contains("x"));
    /// ```
    pub const fn new() -> Self {
        Self { ttl: None, hooks: None }
    }

    /// Lets the entry expire `ttl` after the write, whatever the child says of its own.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use process_registry::WriteOptions;
    ///
    /// let options: WriteOptions<'_, u32> = WriteOptions::new().ttl(Duration::from_secs(30));
    /// # let _ = options;
    /// ```
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Has these handlers called after the write.
    ///
    /// # Examples
    ///
    /// ```
    /// use process_registry::{Hooks, WriteOptions};
    ///
    /// let hooks: Hooks<u32> = Hooks::new();
    /// let options = WriteOptions::new().hooks(&hooks);
    /// # let _ = options;
    /// ```
    pub const fn hooks(mut self, hooks: &'a Hooks<P, K>) -> Self {
        self.hooks = Some(hooks);
        self
    }
}

impl<P, K> Default for WriteOptions<'_, P, K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P, K> Clone for WriteOptions<'_, P, K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P, K> Copy for WriteOptions<'_, P, K> {}

impl<P, K> fmt::Debug for WriteOptions<'_, P, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteOptions").field("ttl", &self.ttl).field("hooks", &self.hooks).finish()
    }
}

#[cfg(test)]
mod tests;
