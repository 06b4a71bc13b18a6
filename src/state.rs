//! What a registry consists of. What it does is spread over the modules above: [`query`](crate::query)
//! reads, [`write`](crate::write) writes, [`registry`](crate::registry) is the public face.

use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::time::Duration;

use crate::clock::Clock;
use crate::entry::Entry;
use crate::expiry::Deadlines;
use crate::name::{ChildId, Node};
use crate::raw::{CachePadded, Pages, Store};
use crate::sync::{AtomicU64, Ordering};

/// A lock-free map from child ids to [entries](Entry), indexed by tag, by node and by deadline.
///
/// | parameter | what it is |
/// |---|---|
/// | `S` | the child's specification |
/// | `P` | the handle of a process, its *pid*: a number, a channel, the reference of an actor |
/// | `M` | the user's own metadata |
/// | `K` | the child's id |
/// | `H` | the hasher of ids |
///
/// It asks for `'static` nowhere. Put it into an [`Arc`](std::sync::Arc) or, through [`LazyLock`](std::sync::LazyLock), into a static.
///
/// # Guarantees
///
/// - Every operation on a single id is linearizable: it takes effect at one instant between call and
///   return, in the tag index and the node index as well.
/// - Reads never write what others read, but for the count of an entry that they return as owned; they never
///   help or wait. Writes are lock-free, but for the deadline index: setting or clearing a deadline may wait
///   for a short structural change of it.
/// - An entry that satisfies a query of many entries during the whole call is returned exactly once.
/// - A deadline that has passed makes an entry absent, whether it has been [swept](Self::purge_expired)
///   or not.
///
/// An id type whose hashes collide makes operations on the colliding ids linear in their number, and no
/// worse. The hasher is seeded afresh for every registry.
///
/// # Many operations at once
///
/// Each operation here enters and leaves a protected section of its own. [`pin`](Self::pin) enters one for
/// many operations; what is read there is borrowed and costs no copy.
///
/// # Destructors
///
/// What is deleted or replaced is dropped later, by some writer or by the last who
/// [owns](crate::OwnedEntry) it, once no pin of before is left. Time is counted in coarse epochs: a pin
/// that begins just after the removal may hold it back too, until it is
/// [refreshed](crate::Pinned::refresh) or ends.
/// [`collect`](Self::collect) drops what is due. To close a channel at once, send a message instead.
///
/// # Examples
///
/// ```
/// use process_registry::{Child, Registry};
///
/// let registry: Registry<&str, u32> = Registry::new("node-a");
/// registry.insert("session-42", Child::new("spec").on("node-a", 4711).tag("sessions"));
///
/// assert_eq!(registry.get_pid("session-42"), Some(4711));
/// registry.update("session-42", |child| child.bind("node-a", 4712))?;
/// for entry in registry.pin().match_tag("sessions") {
///     assert_eq!(entry.pid(), Some(&4712));
/// }
/// # Ok::<(), process_registry::NoChild>(())
/// ```
///
/// # Threads
///
/// A registry shares its entries as an [`Arc`](std::sync::Arc) does. It is `Send` if `S`, `P`, `M`
/// and `K` are `Send` and `Sync`, and the hasher `H`, which it shares with nobody, is `Send`; it is
/// `Sync` if they are both, and `H` is `Sync`. An [`OwnedEntry`](crate::OwnedEntry) may stay behind
/// on one thread while the registry moves to another, so it is not enough that they are `Send`:
///
/// ```compile_fail,E0277
/// # use process_registry::Registry;
/// fn sends<T: Send>(_: T) {}
/// sends(Registry::<&str, u32, std::cell::Cell<u32>>::new("node-a"));
/// ```
///
/// ```
/// # use process_registry::Registry;
/// fn sends<T: Send>(_: T) {}
/// sends(Registry::<&str, u32, std::sync::atomic::AtomicU32>::new("node-a"));
/// ```
pub struct Registry<S, P, M = (), K = ChildId, H = ahash::RandomState> {
    pub(crate) store: Store<Entry<S, P, M, K>>,
    pub(crate) deadlines: Deadlines,
    pub(crate) clock: Clock,
    pub(crate) local_node: Node,
    pub(crate) tombstone_ttl: Duration,
    hasher: H,
    /// The last incarnation given. Writers change it, and readers read what stands around it.
    incarnations: CachePadded<AtomicU64>,
}

impl<S, P, M, K, H> Registry<S, P, M, K, H> {
    pub(crate) fn assemble(
        local_node: Node,
        capacity: usize,
        pages: Pages,
        hasher: H,
        tombstone_ttl: Duration,
        clock: Clock,
    ) -> Self {
        Self {
            store: Store::new(capacity, pages),
            deadlines: Deadlines::new(),
            clock,
            local_node,
            tombstone_ttl,
            hasher,
            incarnations: CachePadded(AtomicU64::new(0)),
        }
    }

    /// A number that no incarnation of this registry has had.
    pub(crate) fn next_incarnation(&self) -> u64 {
        // Relaxed: an addition to one word never gives the same number twice. It gives a greater one than
        // that of any entry the caller has read, since the entry was published after its own was given.
        self.incarnations.0.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The number that was given last: no entry that the caller could have read has a greater one.
    pub(crate) fn last_incarnation(&self) -> u64 {
        // Relaxed: an entry that was published before was given its number before.
        self.incarnations.0.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn hash<Q: Hash + ?Sized>(&self, id: &Q) -> u64
    where
        H: BuildHasher,
    {
        self.hasher.hash_one(id)
    }
}

/// Shows the counts, never the children: a registry may be big, and they need no `Debug`.
impl<S, P, M, K, H> fmt::Debug for Registry<S, P, M, K, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("local_node", &self.local_node)
            .field("len", &self.store.live_len())
            .field("len_all", &self.store.len())
            .finish_non_exhaustive()
    }
}
