//! How a registry is made to order.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use ahash::RandomState;

use crate::clock::Clock;
use crate::name::{ChildId, Node};
use crate::raw::Pages;
use crate::state::Registry;

/// How long a tombstone lasts unless told otherwise.
const TOMBSTONE_TTL: Duration = Duration::from_secs(30);

/// A registry in the making; from [`Registry::builder`](crate::Registry::builder).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use process_registry::Registry;
///
/// let registry: Registry<&str, u32> = Registry::builder("node-a")
///     .capacity(100_000)
///     .tombstone_ttl(Duration::from_secs(10))
///     .build();
/// assert!(registry.capacity() >= 100_000);
/// ```
#[must_use = "a builder makes nothing until `build` is called"]
pub struct Builder<S, P, M = (), K = ChildId, H = RandomState> {
    local_node: Node,
    capacity: usize,
    pages: Pages,
    hasher: H,
    tombstone_ttl: Duration,
    clock: Clock,
    #[expect(clippy::type_complexity, reason = "the parameters of what is made, nothing else")]
    _makes: PhantomData<fn() -> (S, P, M, K)>,
}

impl<S, P, M, K> Builder<S, P, M, K> {
    pub(crate) fn new(local_node: Node) -> Self {
        Self {
            local_node,
            capacity: 0,
            pages: Pages::Usual,
            hasher: RandomState::new(),
            tombstone_ttl: TOMBSTONE_TTL,
            clock: Clock::System,
            _makes: PhantomData,
        }
    }
}

impl<S, P, M, K, H> Builder<S, P, M, K, H> {
    /// For how many entries there is to be room before the table grows. None in particular by default.
    ///
    /// # Panics
    ///
    /// [`build`](Self::build) does, if such a table would be larger than the address space.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::Registry;
    /// let registry: Registry<&str, u32> = Registry::builder("node-a").capacity(1000).build();
    /// assert!(registry.capacity() >= 1000);
    /// ```
    pub fn capacity(mut self, capacity: usize) -> Self {
        self.capacity = capacity;
        self
    }

    /// Whether big tables ask the system for huge pages: those of 4 MiB and more, which have room for
    /// 262,144 entries and more. They do not by default.
    ///
    /// It can make lookups, and the slow ones among inserts, a little faster; it makes the slowest insert
    /// slower. The [guide](crate::guide::memory#huge-pages) says what else it costs. A system that has no huge
    /// pages, or refuses them, is no error: the pages are small then, as they are on any system but Linux.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::Registry;
    /// let registry: Registry<&str, u32> =
    ///     Registry::builder("node-a").capacity(1_000_000).huge_pages(true).build();
    /// assert!(registry.is_empty());
    /// ```
    #[cfg(feature = "huge-pages")]
    #[cfg_attr(docsrs, doc(cfg(feature = "huge-pages")))]
    pub fn huge_pages(mut self, yes: bool) -> Self {
        self.pages = if yes { Pages::Huge } else { Pages::Usual };
        self
    }

    /// The hasher of ids. By default one that is seeded afresh for every registry, so that nobody can choose
    /// ids whose hashes collide; a faster one may give that up.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{ChildId, Registry};
    /// use std::hash::RandomState;
    ///
    /// let registry: Registry<&str, u32, (), ChildId, RandomState> =
    ///     Registry::builder("node-a").hasher(RandomState::new()).build();
    /// assert!(registry.is_empty());
    /// ```
    pub fn hasher<H2>(self, hasher: H2) -> Builder<S, P, M, K, H2> {
        Builder {
            local_node: self.local_node,
            capacity: self.capacity,
            pages: self.pages,
            hasher,
            tombstone_ttl: self.tombstone_ttl,
            clock: self.clock,
            _makes: PhantomData,
        }
    }

    /// How long the tombstone lasts that [`bulk_delete`](crate::Registry::bulk_delete) leaves of a child
    /// without bindings. 30 seconds by default.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use process_registry::{Child, Clock, ManualClock, Registry};
    /// let time = ManualClock::new();
    /// let registry: Registry<&str, u32> = Registry::builder("node-a")
    ///     .clock(Clock::Manual(time.clone()))
    ///     .tombstone_ttl(Duration::from_secs(5))
    ///     .build();
    /// registry.insert("worker", Child::new("spec").on("node-a", 1));
    /// registry.bulk_delete([("worker", ["node-a"])]);
    /// assert!(registry.entry_exists("worker"));
    /// time.advance(Duration::from_secs(5));
    /// assert!(!registry.entry_exists("worker"));
    /// ```
    pub fn tombstone_ttl(mut self, ttl: Duration) -> Self {
        self.tombstone_ttl = ttl;
        self
    }

    /// By which clock deadlines pass. The system's by default.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Clock, ManualClock, Registry};
    /// let time = ManualClock::new();
    /// let registry: Registry<&str, u32> =
    ///     Registry::builder("node-a").clock(Clock::Manual(time.clone())).build();
    /// # let _ = registry;
    /// ```
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Makes the registry.
    ///
    /// # Panics
    ///
    /// If a table for the [capacity](Self::capacity) would be larger than the address space.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::Registry;
    /// let registry: Registry<&str, u32> = Registry::builder("node-a").build();
    /// assert_eq!(registry.local_node(), "node-a");
    /// ```
    #[must_use]
    pub fn build(self) -> Registry<S, P, M, K, H> {
        Registry::assemble(
            self.local_node,
            self.capacity,
            self.pages,
            self.hasher,
            self.tombstone_ttl,
            self.clock,
        )
    }
}

impl<S, P, M, K, H> fmt::Debug for Builder<S, P, M, K, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("local_node", &self.local_node)
            .field("capacity", &self.capacity)
            .field("pages", &self.pages)
            .field("tombstone_ttl", &self.tombstone_ttl)
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}
