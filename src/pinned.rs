//! Many operations under one pin: what is read is borrowed, not copied.

mod reads;
mod writes;

use std::cell::Cell;
use std::fmt;

use crate::entry::Entry;
use crate::iter::{ByNode, ByTag, Iter};
use crate::name::ChildId;
use crate::query::View;
use crate::state::Registry;
use crate::sync::{Guard, is_pinned};

/// A registry under a pin; made by [`Registry::pin`](crate::Registry::pin).
///
/// The fast path: one pin serves many operations, and what they return is borrowed from the registry for as
/// long as it is in use, without a copy and without writing anything. It is not a lock; it blocks nobody. But
/// while it lives nothing that is removed from any registry can be freed: keep it for a loop, not for an
/// hour, or [`refresh`](Self::refresh) it now and then. It stays on its thread, for it is the thread that is
/// pinned: a future that holds one across `.await` is not `Send`.
///
/// There is no `update` here: its closure runs unpinned, so it is
/// [the registry's](crate::Registry::update). Predicates, handlers and whatever else is given to an
/// operation of this type run under the pin.
///
/// # Examples
///
/// ```
/// use process_registry::{Child, Registry};
///
/// let registry: Registry<&str, u32> = Registry::new("node-a");
/// let pinned = registry.pin();
/// for (id, pid) in [("a", 1), ("b", 2), ("c", 3)] {
///     pinned.insert(id, Child::new("spec").on("node-a", pid).tag("letters"));
/// }
/// let sum: u32 = pinned.match_tag("letters").flat_map(|entry| entry.pids()).sum();
/// assert_eq!(sum, 6);
/// ```
///
/// What is borrowed does not outlive the pin, and the pin does not leave its thread:
///
/// ```compile_fail,E0505
/// # use process_registry::{Child, Registry};
/// # let registry: Registry<&str, u32> = Registry::new("node-a");
/// let pinned = registry.pin();
/// let entry = pinned.lookup("a");
/// drop(pinned);
/// println!("{entry:?}");
/// ```
///
/// ```compile_fail,E0277
/// # use process_registry::{Child, Registry};
/// # let registry: Registry<&str, u32> = Registry::new("node-a");
/// let pinned = registry.pin();
/// std::thread::scope(|scope| scope.spawn(move || pinned.lookup("a").is_some()).join());
/// ```
///
/// An entry that is shared does both:
///
/// ```
/// # use process_registry::{Child, Registry};
/// # let registry: Registry<&str, u32> = Registry::new("node-a");
/// # registry.insert("a", Child::new("spec").on("node-a", 1));
/// let entry = registry.pin().lookup("a").map(|entry| entry.share());
/// std::thread::scope(|scope| scope.spawn(move || println!("{entry:?}")).join().unwrap());
/// ```
#[must_use = "a pin does nothing by itself"]
pub struct Pinned<'r, S, P, M = (), K = ChildId, H = ahash::RandomState> {
    // Comes first, for it is dropped first: what is due is freed without it.
    guard: Guard,
    after: After<'r, S, P, M, K, H>,
}

/// What is left to do when a pin has ended.
struct After<'r, S, P, M, K, H> {
    registry: &'r Registry<S, P, M, K, H>,
    /// Whether there may be something to free that the pin has held back.
    wrote: Cell<bool>,
}

impl<S, P, M, K, H> Drop for After<'_, S, P, M, K, H> {
    #[inline]
    fn drop(&mut self) {
        if self.wrote.get() {
            self.registry.settle();
        }
    }
}

impl<'r, S, P, M, K, H> Pinned<'r, S, P, M, K, H> {
    pub(crate) fn new(registry: &'r Registry<S, P, M, K, H>) -> Self {
        let after = After { registry, wrote: Cell::new(false) };
        Self { guard: registry.store.pin(), after }
    }

    /// The registry that is pinned.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// assert_eq!(registry.pin().registry().local_node(), "node-a");
    /// ```
    #[must_use]
    pub fn registry(&self) -> &'r Registry<S, P, M, K, H> {
        self.after.registry
    }

    /// Ends the pin and begins a new one, so that what was removed meanwhile can be freed.
    ///
    /// Nothing that was read before can be in use any more: the borrow checker sees to it. If this pin has
    /// written, a few things that are due are dropped here. While the thread holds another pin this lets go
    /// of nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// let mut pinned = registry.pin();
    /// for round in 0..3 {
    ///     pinned.insert("round", Child::new("spec").on("node-a", round));
    ///     pinned.refresh();
    /// }
    /// ```
    #[inline]
    pub fn refresh(&mut self) {
        if self.after.wrote.get() {
            self.refresh_after_writes();
        } else {
            self.guard.repin();
        }
    }

    /// Out of line: the loops that refresh a pin are mostly those that read.
    #[cold]
    #[inline(never)]
    fn refresh_after_writes(&mut self) {
        let Self { guard, after } = self;
        guard.unpinned(|| {
            // While the thread holds another pin nothing can be freed yet.
            after.wrote.set(is_pinned());
            after.registry.settle();
        });
    }

    /// What is read under this pin.
    #[inline(always)]
    fn view(&self) -> View<'_, S, P, M, K> {
        self.after.registry.view(&self.guard)
    }

    /// The guard for a write.
    fn writing(&self) -> &Guard {
        self.after.wrote.set(true);
        &self.guard
    }

    /// Calls `f` with every entry that is not empty, in no order.
    ///
    /// As [`iter`](Self::iter) in everything else. Takes time in proportion to the size of the table.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// # registry.insert("a", Child::new("spec").on("node-a", 1));
    /// let mut count = 0;
    /// registry.pin().for_each(|_| count += 1);
    /// assert_eq!(count, 1);
    /// ```
    pub fn for_each(&self, f: impl FnMut(&Entry<S, P, M, K>))
    where
        K: Eq,
    {
        self.iter().for_each(f);
    }

    /// The entries that are not empty, in no order.
    ///
    /// Not a view of one instant: each entry is whole and was current at some instant of the iteration. For
    /// what comes once and what may come twice see [`Iter`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("a", Child::new("spec").on("node-a", 1));
    /// assert!(registry.pin().iter().all(|entry| entry.pid() == Some(&1)));
    /// ```
    pub fn iter(&self) -> Iter<'_, S, P, M, K> {
        Iter::new(self.view())
    }

    /// The entries that carry a tag, in no order.
    ///
    /// Takes time in proportion to the number of entries with that tag. Not a view of one instant: each
    /// entry is whole and carried the tag at some instant of the iteration. For what comes once and what may
    /// come twice see [`ByTag`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("a", Child::new("spec").on("node-a", 1).tag("db"));
    /// assert_eq!(registry.pin().match_tag("db").count(), 1);
    /// assert_eq!(registry.pin().match_tag("web").count(), 0);
    /// ```
    pub fn match_tag(&self, tag: &str) -> ByTag<'_, S, P, M, K> {
        ByTag::one(self.view(), tag)
    }

    /// The entries that carry every one of the tags, in no order; without any tag all that are not empty.
    ///
    /// Takes time in proportion to the number of entries with the rarest of the tags. Otherwise as
    /// [`match_tag`](Self::match_tag).
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("a", Child::new("spec").on("node-a", 1).tag("db"));
    /// registry.insert("b", Child::new("spec").on("node-a", 1).tag("db").tag("hot"));
    /// let pinned = registry.pin();
    /// assert!(pinned.match_all(&["db", "hot"]).map(|entry| entry.id()).eq(["b"]));
    /// ```
    pub fn match_all(&self, tags: &[&str]) -> ByTag<'_, S, P, M, K> {
        ByTag::all(self.view(), tags)
    }

    /// The entries bound to a node, in no order, whole: with their bindings elsewhere.
    ///
    /// Takes time in proportion to the number of entries bound to that node. Not a view of one instant: each
    /// entry is whole and was bound to the node at some instant of the iteration. For what comes once and
    /// what may come twice see [`ByNode`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("a", Child::new("spec").on("node-a", 1).on("node-b", 2));
    /// assert_eq!(registry.pin().children_on("node-b").count(), 1);
    /// ```
    pub fn children_on(&self, node: &str) -> ByNode<'_, S, P, M, K> {
        ByNode::new(self.view(), node)
    }
}

/// [`iter`](Pinned::iter).
impl<'a, S, P, M, K: Eq, H> IntoIterator for &'a Pinned<'_, S, P, M, K, H> {
    type Item = &'a Entry<S, P, M, K>;
    type IntoIter = Iter<'a, S, P, M, K>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<S, P, M, K, H> fmt::Debug for Pinned<'_, S, P, M, K, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pinned").field("registry", self.after.registry).finish_non_exhaustive()
    }
}
