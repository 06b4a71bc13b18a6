//! What can go wrong, and what is handed back when it does.

use std::error::Error;
use std::fmt;

use crate::child::Child;
use crate::entry::{Entry, OwnedEntry};
use crate::hooks::{Handler, HookKey};
use crate::name::ChildId;

/// There is no such child: the id is unknown, its entry is empty, or it has expired.
///
/// From a [`Registration`](crate::Registration): the child that was registered is no more, whatever the id
/// stands for now.
///
/// # Examples
///
/// ```
/// use process_registry::{NoChild, Registry};
///
/// let registry: Registry<&str, u32> = Registry::new("a");
/// let error: NoChild = registry.update("x", |_| ()).unwrap_err();
/// assert_eq!(error.to_string(), "no such child");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct NoChild;

impl fmt::Display for NoChild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no such child")
    }
}

impl Error for NoChild {}

/// Why an update that may fail did fail. Nothing was changed.
///
/// # Examples
///
/// ```
/// use process_registry::{Child, Registry, UpdateError};
///
/// let registry: Registry<&str, u32> = Registry::new("a");
/// let result = registry.try_update("x", |_| Err::<(), _>("never run"));
/// assert!(matches!(result, Err(UpdateError::NoChild)));
///
/// registry.insert("x", Child::new("spec").on("a", 1));
/// let result = registry.try_update("x", |_| Err::<(), _>("refused"));
/// assert_eq!(result, Err(UpdateError::Failed("refused")));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UpdateError<X> {
    /// There is no such child, as [`NoChild`](struct@NoChild) says.
    NoChild,
    /// The closure failed, with this.
    Failed(X),
}

impl<X> UpdateError<X> {
    /// The error of the closure, if that is the reason.
    ///
    /// # Examples
    ///
    /// ```
    /// use process_registry::UpdateError;
    ///
    /// assert_eq!(UpdateError::Failed(7).into_failed(), Some(7));
    /// assert_eq!(UpdateError::<u8>::NoChild.into_failed(), None);
    /// ```
    #[must_use]
    pub fn into_failed(self) -> Option<X> {
        match self {
            Self::NoChild => None,
            Self::Failed(error) => Some(error),
        }
    }
}

impl<X> From<NoChild> for UpdateError<X> {
    fn from(_: NoChild) -> Self {
        Self::NoChild
    }
}

// The closure's error is the source, and sources speak for themselves.
impl<X> fmt::Display for UpdateError<X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoChild => fmt::Display::fmt(&NoChild, f),
            Self::Failed(_) => f.write_str("the update failed"),
        }
    }
}

impl<X: Error + 'static> Error for UpdateError<X> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NoChild => None,
            Self::Failed(error) => Some(error),
        }
    }
}

/// The id is taken by a live entry. From operations of a [`Pinned`](crate::Pinned), which borrow
/// that entry.
///
/// The id and the child that were to be inserted come back.
///
/// # Examples
///
/// ```
/// use process_registry::{Child, Registry};
///
/// let registry: Registry<&str, u32> = Registry::new("a");
/// let pinned = registry.pin();
/// pinned.insert("x", Child::new("first").on("a", 1));
///
/// let error = pinned.try_insert("x", Child::new("second").on("a", 2)).unwrap_err();
/// assert_eq!(error.id(), "x");
/// assert_eq!(error.child().spec(), &"second");
/// assert_eq!(error.current().spec(), &"first");
/// let (id, child, _) = error.into_parts();
/// pinned.insert(id, child);
/// ```
#[non_exhaustive]
pub struct Occupied<'g, S, P, M = (), K = ChildId> {
    pub(crate) id: K,
    pub(crate) child: Child<S, P, M>,
    pub(crate) current: &'g Entry<S, P, M, K>,
}

impl<'g, S, P, M, K> Occupied<'g, S, P, M, K> {
    /// The id that is taken.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// # let pinned = registry.pin();
    /// pinned.insert("x", Child::new("first").on("node-a", 1));
    /// let error = pinned.try_insert("x", Child::new("second").on("node-a", 2)).unwrap_err();
    /// assert_eq!(error.id(), "x");
    /// ```
    #[must_use]
    pub const fn id(&self) -> &K {
        &self.id
    }

    /// The child that was not inserted.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// # let pinned = registry.pin();
    /// pinned.insert("x", Child::new("first").on("node-a", 1));
    /// let error = pinned.try_insert("x", Child::new("second").on("node-a", 2)).unwrap_err();
    /// assert_eq!(error.child().spec(), &"second");
    /// ```
    pub const fn child(&self) -> &Child<S, P, M> {
        &self.child
    }

    /// The entry that has the id.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// # let pinned = registry.pin();
    /// pinned.insert("x", Child::new("first").on("node-a", 1));
    /// let error = pinned.try_insert("x", Child::new("second").on("node-a", 2)).unwrap_err();
    /// assert_eq!(error.current().spec(), &"first");
    /// ```
    #[must_use]
    pub const fn current(&self) -> &'g Entry<S, P, M, K> {
        self.current
    }

    /// The id, the child that was not inserted, and the entry that has the id.
    // An alias would hide what the parts are.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// # let pinned = registry.pin();
    /// pinned.insert("x", Child::new("first").on("node-a", 1));
    /// let error = pinned.try_insert("x", Child::new("second").on("node-a", 2)).unwrap_err();
    /// let (id, child, current) = error.into_parts();
    /// assert_eq!((id.as_str(), *child.spec(), *current.spec()), ("x", "second", "first"));
    /// ```
    #[allow(clippy::type_complexity)]
    #[must_use = "the child is dropped if it is not used"]
    pub fn into_parts(self) -> (K, Child<S, P, M>, &'g Entry<S, P, M, K>) {
        (self.id, self.child, self.current)
    }
}

// No bounds on spec, pid and metadata, so that a result can be unwrapped whatever they are.
impl<S, P, M, K: fmt::Debug> fmt::Debug for Occupied<'_, S, P, M, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Occupied").field("id", &self.id).finish_non_exhaustive()
    }
}

impl<S, P, M, K: fmt::Debug> fmt::Display for Occupied<'_, S, P, M, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "child id {:?} is taken", self.id)
    }
}

impl<S, P, M, K: fmt::Debug> Error for Occupied<'_, S, P, M, K> {}

/// The id is taken by a live entry, which the error shares.
///
/// The id and the child that were to be inserted come back.
///
/// # Examples
///
/// ```
/// use process_registry::{Child, Registry};
///
/// let registry: Registry<&str, u32> = Registry::new("a");
/// registry.insert("x", Child::new("first").on("a", 1));
///
/// let error = registry.try_insert("x", Child::new("second").on("a", 2)).unwrap_err();
/// assert_eq!(error.to_string(), r#"child id "x" is taken"#);
/// assert_eq!(error.id(), "x");
/// assert_eq!(error.child().spec(), &"second");
/// assert_eq!(error.holder().spec(), &"first");
/// let (_, child, _) = error.into_parts();
/// registry.insert("y", child);
/// ```
#[non_exhaustive]
pub struct Taken<S, P, M = (), K = ChildId> {
    pub(crate) id: K,
    pub(crate) child: Child<S, P, M>,
    pub(crate) holder: OwnedEntry<S, P, M, K>,
}

impl<S, P, M, K> Taken<S, P, M, K> {
    /// The id that is taken.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("x", Child::new("first").on("node-a", 1));
    /// let error = registry.try_insert("x", Child::new("second").on("node-a", 2)).unwrap_err();
    /// assert_eq!(error.id(), "x");
    /// ```
    #[must_use]
    pub const fn id(&self) -> &K {
        &self.id
    }

    /// The child that was not inserted.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("x", Child::new("first").on("node-a", 1));
    /// let error = registry.try_insert("x", Child::new("second").on("node-a", 2)).unwrap_err();
    /// assert_eq!(error.child().spec(), &"second");
    /// ```
    pub const fn child(&self) -> &Child<S, P, M> {
        &self.child
    }

    /// The entry that has the id.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("x", Child::new("first").on("node-a", 1));
    /// let error = registry.try_insert("x", Child::new("second").on("node-a", 2)).unwrap_err();
    /// assert_eq!(error.holder().spec(), &"first");
    /// ```
    #[must_use]
    pub const fn holder(&self) -> &OwnedEntry<S, P, M, K> {
        &self.holder
    }

    /// The id, the child that was not inserted, and the entry that has the id.
    // An alias would hide what the parts are.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("x", Child::new("first").on("node-a", 1));
    /// let error = registry.try_insert("x", Child::new("second").on("node-a", 2)).unwrap_err();
    /// let (id, child, holder) = error.into_parts();
    /// assert_eq!((id.as_str(), *child.spec(), *holder.spec()), ("x", "second", "first"));
    /// ```
    #[allow(clippy::type_complexity)]
    #[must_use = "the child is dropped if it is not used"]
    pub fn into_parts(self) -> (K, Child<S, P, M>, OwnedEntry<S, P, M, K>) {
        (self.id, self.child, self.holder)
    }
}

// No bounds on spec, pid and metadata, so that a result can be unwrapped whatever they are.
impl<S, P, M, K: fmt::Debug> fmt::Debug for Taken<S, P, M, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Taken").field("id", &self.id).finish_non_exhaustive()
    }
}

impl<S, P, M, K: fmt::Debug> fmt::Display for Taken<S, P, M, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "child id {:?} is taken", self.id)
    }
}

impl<S, P, M, K: fmt::Debug> Error for Taken<S, P, M, K> {}

/// The same, to be kept longer than the pin: shares the entry.
///
/// # Examples
///
/// ```
/// use process_registry::{Child, Registry, Taken};
///
/// type Names = Registry<&'static str, u32>;
///
/// fn introduce(registry: &Names) -> Result<(), Taken<&'static str, u32>> {
///     registry.pin().try_insert("x", Child::new("spec").on("a", 1))?;
///     Ok(())
/// }
///
/// let registry = Names::new("a");
/// introduce(&registry).unwrap();
/// assert_eq!(introduce(&registry).unwrap_err().holder().pid(), Some(&1));
/// ```
impl<S, P, M, K> From<Occupied<'_, S, P, M, K>> for Taken<S, P, M, K> {
    fn from(error: Occupied<'_, S, P, M, K>) -> Self {
        let Occupied { id, child, current } = error;
        Self { id, child, holder: current.share() }
    }
}

/// Handlers could not be registered, for some of their ids are taken; see
/// [`Hooks::register_all`](crate::Hooks::register_all).
///
/// # Examples
///
/// ```
/// use process_registry::{Handler, HookKey, Hooks};
///
/// let hooks: Hooks<u32> = Hooks::new();
/// hooks.register(HookKey::ChildRegistered, Handler::new("a", |_| {}))?;
///
/// let handlers = ["a", "b"].map(|id| Handler::new(id, |_| {}));
/// let error = hooks.register_all(HookKey::ChildRegistered, handlers).unwrap_err();
/// assert_eq!(error.to_string(), r#"duplicate handler ids for ChildRegistered: "a""#);
/// assert_eq!(error.key(), HookKey::ChildRegistered);
/// assert_eq!(error.ids(), ["a"]);
/// assert_eq!(error.handlers().len(), 2);
///
/// let (ids, handlers) = error.into_parts();
/// let rest = handlers.into_iter().filter(|handler| !ids.iter().any(|id| id == handler.id()));
/// hooks.register_all(HookKey::ChildRegistered, rest)?;
/// # Ok::<(), process_registry::DuplicateHandlers<u32>>(())
/// ```
pub struct DuplicateHandlers<P, K = ChildId> {
    pub(crate) key: HookKey,
    pub(crate) ids: Vec<String>,
    pub(crate) handlers: Vec<Handler<P, K>>,
}

impl<P, K> DuplicateHandlers<P, K> {
    /// The key they were to be registered for.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Handler, HookKey, Hooks};
    /// # let hooks: Hooks<u32> = Hooks::new();
    /// let twins = ["log", "log"].map(|id| Handler::new(id, |_| {}));
    /// let error = hooks.register_all(HookKey::ChildRegistered, twins).unwrap_err();
    /// assert_eq!(error.key(), HookKey::ChildRegistered);
    /// ```
    #[must_use]
    pub const fn key(&self) -> HookKey {
        self.key
    }

    /// Every id that was taken, or occurred more than once; each once, in the order given.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Handler, HookKey, Hooks};
    /// # let hooks: Hooks<u32> = Hooks::new();
    /// let twins = ["log", "log"].map(|id| Handler::new(id, |_| {}));
    /// let error = hooks.register_all(HookKey::ChildRegistered, twins).unwrap_err();
    /// assert_eq!(error.ids(), ["log"]);
    /// ```
    #[must_use]
    pub fn ids(&self) -> &[String] {
        &self.ids
    }

    /// All the handlers that were given, in their order; none was registered.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Handler, HookKey, Hooks};
    /// # let hooks: Hooks<u32> = Hooks::new();
    /// let twins = ["log", "log"].map(|id| Handler::new(id, |_| {}));
    /// let error = hooks.register_all(HookKey::ChildRegistered, twins).unwrap_err();
    /// assert_eq!(error.handlers().len(), 2);
    /// ```
    pub fn handlers(&self) -> &[Handler<P, K>] {
        &self.handlers
    }

    /// The duplicate ids, and all the handlers that were given.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Handler, HookKey, Hooks};
    /// # let hooks: Hooks<u32> = Hooks::new();
    /// let twins = ["log", "log"].map(|id| Handler::new(id, |_| {}));
    /// let error = hooks.register_all(HookKey::ChildRegistered, twins).unwrap_err();
    /// let (ids, handlers) = error.into_parts();
    /// assert_eq!((ids.len(), handlers.len()), (1, 2));
    /// ```
    #[must_use = "the handlers are dropped if they are not used"]
    pub fn into_parts(self) -> (Vec<String>, Vec<Handler<P, K>>) {
        (self.ids, self.handlers)
    }
}

impl<P, K> fmt::Debug for DuplicateHandlers<P, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DuplicateHandlers")
            .field("key", &self.key)
            .field("ids", &self.ids)
            .finish_non_exhaustive()
    }
}

impl<P, K> fmt::Display for DuplicateHandlers<P, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "duplicate handler ids for {:?}: ", self.key)?;
        for (at, id) in self.ids.iter().enumerate() {
            let separator = if at == 0 { "" } else { ", " };
            write!(f, "{separator}{id:?}")?;
        }
        Ok(())
    }
}

impl<P, K> Error for DuplicateHandlers<P, K> {}

#[cfg(test)]
mod tests {
    use std::num::ParseIntError;

    use super::*;

    #[test]
    fn an_update_error_names_its_source() {
        let cause = "x".parse::<u8>().unwrap_err();
        let error = UpdateError::Failed(cause.clone());
        assert_eq!(error.to_string(), "the update failed");
        let source = error.source().and_then(|source| source.downcast_ref());
        assert_eq!(source, Some(&cause));
        assert_eq!(error.into_failed(), Some(cause));
    }

    #[test]
    fn no_child_becomes_an_update_error() {
        fn step() -> Result<(), UpdateError<ParseIntError>> {
            Err(NoChild)?
        }
        let error = step().unwrap_err();
        assert_eq!(error, UpdateError::NoChild);
        assert_eq!(error.to_string(), NoChild.to_string());
        assert!(error.source().is_none());
        assert_eq!(error.into_failed(), None);
    }

    #[test]
    fn errors_box_whatever_they_carry() {
        struct Plain;
        // `?` in a function that returns `Box<dyn Error + Send + Sync>` asks for exactly this.
        fn boxes<E: Error + Send + Sync + 'static>() {}
        boxes::<NoChild>();
        boxes::<UpdateError<NoChild>>();
        boxes::<Taken<Plain, Plain, Plain>>();
        boxes::<Occupied<'static, Plain, Plain, Plain>>();
        boxes::<DuplicateHandlers<Plain>>();
        boxes::<DuplicateHandlers<Plain, Plain>>();
    }
}
