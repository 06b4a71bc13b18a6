//! The public face of a registry: it pins, then delegates.

mod bulks;
mod changes;
mod lists;
mod reads;
#[cfg(all(test, not(any(process_registry_loom, process_registry_shuttle))))]
mod tests;
mod writes;

use crate::builder::Builder;
use crate::entry::{NODES, TAGS};
use crate::name::{Node, Tag};
use crate::pinned::Pinned;

pub(crate) use crate::state::Registry;

impl<S, P, M, K> Registry<S, P, M, K> {
    /// An empty registry on the given node.
    ///
    /// # Examples
    ///
    /// ```
    /// use process_registry::Registry;
    ///
    /// let registry: Registry<&str, u32> = Registry::new("node-a");
    /// assert!(registry.is_empty());
    /// ```
    #[must_use]
    pub fn new(local_node: impl Into<Node>) -> Self {
        Self::builder(local_node).build()
    }

    /// A registry to order: with capacity, a hasher, a clock.
    ///
    /// # Examples
    ///
    /// ```
    /// use process_registry::Registry;
    ///
    /// let registry: Registry<&str, u32> = Registry::builder("node-a").capacity(1000).build();
    /// assert!(registry.capacity() >= 1000);
    /// ```
    pub fn builder(local_node: impl Into<Node>) -> Builder<S, P, M, K> {
        Builder::new(local_node.into())
    }
}

impl<S, P, M, K, H> Registry<S, P, M, K, H> {
    /// Pins the registry: many operations under one pin, and what they read is borrowed, not copied.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec").on("node-a", 4711));
    /// let pinned = registry.pin();
    /// assert_eq!(pinned.get_pid("worker"), Some(&4711));
    /// assert_eq!(pinned.get_pid("nobody"), None);
    /// ```
    pub fn pin(&self) -> Pinned<'_, S, P, M, K, H> {
        Pinned::new(self)
    }

    /// The node this registry calls its own.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::Registry;
    /// let registry: Registry<&str, u32> = Registry::new("node-a");
    /// assert_eq!(registry.local_node(), "node-a");
    /// ```
    #[must_use]
    pub fn local_node(&self) -> &Node {
        &self.local_node
    }

    /// How many entries are not empty. Counts what has expired and was not swept.
    ///
    /// Adds up a few counters: exact while nobody writes, and never negative.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec").on("node-a", 1));
    /// registry.insert("pending", Child::new("spec"));
    /// assert_eq!(registry.len(), 1);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.store.live_len()
    }

    /// How many entries there are, empty ones included. Counts what has expired and was not swept.
    ///
    /// Adds up a few counters: exact while nobody writes, and never negative.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec").on("node-a", 1));
    /// registry.insert("pending", Child::new("spec"));
    /// assert_eq!(registry.len_all(), 2);
    /// ```
    #[must_use]
    pub fn len_all(&self) -> usize {
        self.store.len()
    }

    /// Whether [`len`](Self::len) is zero.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::Registry;
    /// let registry: Registry<&str, u32> = Registry::new("node-a");
    /// assert!(registry.is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many entries carry the tag. Counts what has expired and was not swept.
    ///
    /// Takes constant time on average; exact while nobody writes.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec").on("node-a", 1).tag("db"));
    /// assert_eq!((registry.tag_len("db"), registry.tag_len("web")), (1, 0));
    /// ```
    #[must_use]
    pub fn tag_len(&self, tag: &str) -> usize {
        self.view(&self.store.pin()).member_count(TAGS, tag)
    }

    /// How many entries are bound to the node. Counts what has expired and was not swept.
    ///
    /// Takes constant time on average; exact while nobody writes.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec").on("node-a", 1));
    /// assert_eq!((registry.node_len("node-a"), registry.node_len("node-b")), (1, 0));
    /// ```
    #[must_use]
    pub fn node_len(&self, node: &str) -> usize {
        self.view(&self.store.pin()).member_count(NODES, node)
    }

    /// The tags that some entry carries, in no order. Counts what has expired and was not swept.
    ///
    /// Takes time in proportion to the most tags there have been since the last
    /// [`shrink_to_fit`](Self::shrink_to_fit). Not a view of one instant.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec").on("node-a", 1).tag("db"));
    /// assert_eq!(registry.tags(), ["db"]);
    /// ```
    #[must_use]
    pub fn tags(&self) -> Vec<Tag> {
        let guard = self.store.pin();
        let names = self.view(&guard).names(TAGS);
        names.cloned().map(Tag::from_name).collect()
    }

    /// The nodes that some entry is bound to, in no order. Counts what has expired and was not swept.
    ///
    /// Takes time in proportion to the most nodes there have been since the last
    /// [`shrink_to_fit`](Self::shrink_to_fit). Not a view of one instant.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec").on("node-b", 1));
    /// assert_eq!(registry.nodes(), ["node-b"]);
    /// ```
    #[must_use]
    pub fn nodes(&self) -> Vec<Node> {
        let guard = self.store.pin();
        let names = self.view(&guard).names(NODES);
        names.cloned().map(Node::from_name).collect()
    }

    /// For how many entries, roughly, there is room before the table grows.
    ///
    /// May be less than [`len`](Self::len) just before the table grows.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::Registry;
    /// let registry: Registry<&str, u32> = Registry::builder("node-a").capacity(1000).build();
    /// assert!(registry.capacity() >= 1000);
    /// ```
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.store.capacity()
    }

    /// Makes room for so many more entries, so that the table need not grow while they come.
    ///
    /// Takes time in proportion to the size of the table if it has to grow; others go on meanwhile.
    ///
    /// # Panics
    ///
    /// If such a table would be larger than the address space; nothing has changed then.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::Registry;
    /// let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.reserve(1000);
    /// assert!(registry.capacity() >= 1000);
    /// ```
    pub fn reserve(&self, additional: usize) {
        self.store.reserve(additional);
        self.tell_resizes();
    }

    /// Gives back table memory that so few entries do not need, and memory that is kept for new entries.
    ///
    /// Takes time in proportion to the size of the table; others go on meanwhile. Drops what is due, as
    /// [`collect`](Self::collect) does.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::Registry;
    /// let registry: Registry<&str, u32> = Registry::builder("node-a").capacity(100_000).build();
    /// registry.shrink_to_fit();
    /// assert!(registry.capacity() < 100_000);
    /// ```
    pub fn shrink_to_fit(&self) {
        self.store.shrink_to_fit();
        self.tell_resizes();
    }

    /// Drops what was deleted or replaced and is not in use any more, and moves what is left of a table that is
    /// being replaced.
    ///
    /// Writers do both by and by. A registry that has been loaded and is only read from then on is collected
    /// once: else its table may stay half moved, where lookups take up to twice as long, and those that find
    /// nothing several times as long. Takes time in proportion to what is due, and to what is left to move;
    /// others go on meanwhile.
    ///
    /// After a few calls without a pin from before, by any thread, everything that
    /// was removed before the first of them has been dropped, but for what an
    /// [`OwnedEntry`](crate::OwnedEntry) keeps. If the calling
    /// thread holds a pin itself, nothing is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use process_registry::{Child, Registry};
    /// let registry: Registry<Arc<str>, u32> = Registry::new("node-a");
    /// let spec: Arc<str> = "spec".into();
    /// registry.insert("worker", Child::new(spec.clone()).on("node-a", 1));
    /// registry.delete("worker");
    /// while Arc::strong_count(&spec) > 1 {
    ///     registry.collect();
    /// }
    /// ```
    pub fn collect(&self) {
        self.store.finish_resizes();
        self.free_due();
    }

    /// Moves what is left of tables that are being replaced.
    pub(crate) fn finish_resizes(&self) {
        self.store.finish_resizes();
        self.tell_resizes();
    }

    /// Frees all that is due.
    pub(crate) fn free_due(&self) {
        self.tell_resizes();
        self.store.collect();
    }
}
