//! What a registry holds and a reader sees: an entry.

mod kept;

use std::fmt;
use std::time::{Duration, Instant};

use smol_str::SmolStr;

use crate::child::{Bindings, Child, Lifetime, Pids, Tags, copy, copy_tags};
use crate::clock::{Clock, Moment};
use crate::expiry::Due;
use crate::name::{ChildId, Node, Tag};
use crate::raw::{Block, Dim, Element, Parts};

pub use kept::{EntryRef, OwnedEntry};

/// The index of tags. There are many, and few threads write the same one.
pub(crate) const TAGS: Dim = Dim::FIRST;

/// The index of nodes. There are few, and every thread writes the same ones.
pub(crate) const NODES: Dim = Dim::SECOND;

/// All of an entry but its id, as it is before it becomes one.
pub(crate) struct Body<S, P, M> {
    pub(crate) spec: S,
    pub(crate) bindings: Bindings<P>,
    pub(crate) tags: Tags,
    pub(crate) metadata: M,
    pub(crate) life: Life,
}

/// What of an entry lookups read.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Hot<S, M> {
    spec: S,
    metadata: M,
}

/// Which version of which life of an id an entry is, and how long it lasts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Life {
    /// `Moment::NEVER` if there is no deadline.
    pub(crate) deadline: Moment,
    /// Given when the first version is published.
    pub(crate) incarnation: u64,
    /// 1 for the first version of an incarnation.
    pub(crate) version: u64,
}

impl Life {
    /// That of the version that follows.
    pub(crate) fn next(self) -> Self {
        Self { version: self.version + 1, ..self }
    }
}

impl<S, P, M> Body<S, P, M> {
    /// The first version of a new incarnation. A `ttl` outranks the child's own.
    #[inline(always)]
    pub(crate) fn first(child: Child<S, P, M>, ttl: Option<Duration>, clock: &Clock) -> Self {
        let lifetime = ttl.map_or(child.lifetime, Lifetime::For);
        let deadline = deadline(lifetime, Moment::NEVER, clock);
        Self::of(child, Life { deadline, incarnation: 0, version: 1 })
    }

    /// The version that follows that of a life.
    pub(crate) fn next(base: Life, child: Child<S, P, M>, clock: &Clock) -> Self {
        let deadline = deadline(child.lifetime, base.deadline, clock);
        Self::of(child, Life { deadline, ..base.next() })
    }

    #[inline(always)]
    fn of(child: Child<S, P, M>, life: Life) -> Self {
        Self {
            spec: child.spec,
            bindings: child.bindings,
            tags: child.tags,
            metadata: child.metadata,
            life,
        }
    }

    /// The child this was made of, with the lifetime it came with.
    pub(crate) fn into_child(self, lifetime: Lifetime) -> Child<S, P, M> {
        Child {
            spec: self.spec,
            bindings: self.bindings,
            tags: self.tags,
            metadata: self.metadata,
            lifetime,
        }
    }
}

/// When a lifetime that begins now ends; `kept` is what [`Lifetime::Keep`] keeps. Reads the clock only if it
/// must.
fn deadline(lifetime: Lifetime, kept: Moment, clock: &Clock) -> Moment {
    match lifetime {
        Lifetime::Keep => kept,
        Lifetime::Permanent => Moment::NEVER,
        Lifetime::For(ttl) => clock.now().saturating_add(ttl),
    }
}

/// A child as the registry knows it: immutable, whole, and shared by all who look at it.
///
/// Whoever changes a child publishes another entry in the place of this one; nothing that is seen through a
/// reference ever changes. A reference lives as long as the [pin](crate::Pinned) it was read under;
/// [`share`](Self::share) makes one that may be kept for ever.
///
/// An entry without bindings is an *empty* one: work that is pending elsewhere, or the tombstone of a child
/// whose last binding went a moment ago.
///
/// # Examples
///
/// ```
/// use process_registry::{Child, Registry};
///
/// let registry: Registry<&str, u32> = Registry::new("node-a");
/// registry.insert("session-42", Child::new("spec").on("node-a", 4711).tag("sessions"));
///
/// let pinned = registry.pin();
/// let entry = pinned.lookup("session-42").expect("just inserted");
/// assert_eq!(*entry.id(), "session-42");
/// assert_eq!(entry.pid_on("node-a"), Some(&4711));
/// assert!(entry.has_tag("sessions"));
/// ```
#[repr(transparent)]
pub struct Entry<S, P, M = (), K = ChildId>(Block<Self>);

impl<S, P, M, K> Element for Entry<S, P, M, K> {
    type Key = K;
    type Value = Body<S, P, M>;
    type Head = Hot<S, M>;
    type First = Tag;
    type Second = (Node, P);
    type Rest = Life;

    fn wrap(block: Block<Self>) -> Self {
        Self(block)
    }

    fn block(&self) -> &Block<Self> {
        &self.0
    }

    fn block_mut(&mut self) -> &mut Block<Self> {
        &mut self.0
    }

    #[inline(always)]
    fn split(body: Body<S, P, M>) -> Parts<Self> {
        let Body { spec, bindings, tags, metadata, life } = body;
        Parts { head: Hot { spec, metadata }, firsts: tags, seconds: bindings, rest: life }
    }

    fn join(parts: Parts<Self>) -> Body<S, P, M> {
        let Parts { head: Hot { spec, metadata }, firsts: tags, seconds: bindings, rest: life } =
            parts;
        Body { spec, bindings, tags, metadata, life }
    }

    fn first_name(tag: &Tag) -> &SmolStr {
        tag.name()
    }

    fn second_name((node, _): &(Node, P)) -> &SmolStr {
        node.name()
    }

    fn is_live(parts: &Parts<Self>) -> bool {
        !parts.seconds.is_empty()
    }

    fn is_timed(life: &Life) -> bool {
        life.deadline != Moment::NEVER
    }
}

impl<S, P, M, K> Entry<S, P, M, K> {
    /// Which version of which life this is.
    pub(crate) fn life(&self) -> Life {
        *self.0.rest()
    }

    /// What follows this version and differs in its bindings only.
    pub(crate) fn rebound(&self, bindings: Bindings<P>) -> Body<S, P, M>
    where
        S: Clone,
        M: Clone,
    {
        Body {
            spec: self.spec().clone(),
            bindings,
            tags: copy_tags(self.tags()),
            metadata: self.metadata().clone(),
            life: self.life().next(),
        }
    }

    /// The moment the entry expires, `NEVER` if it does not.
    pub(crate) fn due(&self) -> Moment {
        self.life().deadline
    }

    /// Whether there is a deadline.
    #[inline]
    pub(crate) fn is_timed(&self) -> bool {
        self.0.is_timed()
    }

    /// Where the item of its deadline lies, if it has one.
    pub(crate) fn place(&self) -> Due {
        let life = self.life();
        Due::new(life.deadline, life.incarnation)
    }

    /// Whether the deadline has passed. Once it has it stays so: neither clock nor entry goes back.
    ///
    /// Reads the clock only if there is a deadline.
    #[inline]
    pub(crate) fn is_expired(&self, clock: &Clock) -> bool {
        self.is_timed() && self.due() <= clock.now()
    }

    /// The id of the child.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec").on("node-a", 4711));
    /// assert_eq!(*registry.lookup("worker").unwrap().id(), "worker");
    /// ```
    #[inline]
    #[must_use]
    pub fn id(&self) -> &K {
        self.0.key()
    }

    /// The child's specification.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("restart: never").on("node-a", 4711));
    /// assert_eq!(*registry.lookup("worker").unwrap().spec(), "restart: never");
    /// ```
    #[inline]
    #[must_use]
    pub fn spec(&self) -> &S {
        &self.0.head().spec
    }

    /// On which nodes the child runs and by which pid, in the order in which it was bound.
    ///
    /// A node occurs at most once.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec").on("node-b", 1).on("node-a", 2));
    /// let entry = registry.lookup("worker").unwrap();
    /// assert_eq!(entry.bindings(), [("node-b".into(), 1), ("node-a".into(), 2)]);
    /// ```
    #[inline]
    #[must_use]
    pub fn bindings(&self) -> &[(Node, P)] {
        self.0.seconds()
    }

    /// The pids, in the order of the bindings.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec").on("node-b", 1).on("node-a", 2));
    /// assert!(registry.lookup("worker").unwrap().pids().eq(&[1, 2]));
    /// ```
    pub fn pids(&self) -> Pids<'_, P> {
        Pids::new(self.bindings())
    }

    /// The pid of the first binding.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec").on("node-b", 1).on("node-a", 2));
    /// assert_eq!(registry.lookup("worker").unwrap().pid(), Some(&1));
    /// ```
    #[must_use]
    pub fn pid(&self) -> Option<&P> {
        self.bindings().first().map(|(_, pid)| pid)
    }

    /// The pid on the given node.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec").on("node-b", 1));
    /// let entry = registry.lookup("worker").unwrap();
    /// assert_eq!(entry.pid_on("node-b"), Some(&1));
    /// assert_eq!(entry.pid_on("node-a"), None);
    /// ```
    #[must_use]
    pub fn pid_on(&self, node: &str) -> Option<&P> {
        let mut bindings = self.bindings().iter();
        bindings.find(|(bound, _)| *bound == node).map(|(_, pid)| pid)
    }

    /// The tags, each once, in the order in which they were given.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec").on("node-a", 1).tag("db").tag("hot"));
    /// assert_eq!(registry.lookup("worker").unwrap().tags(), ["db", "hot"]);
    /// ```
    #[must_use]
    pub fn tags(&self) -> &[Tag] {
        self.0.firsts()
    }

    /// Whether the child carries the tag.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec").on("node-a", 1).tag("db"));
    /// let entry = registry.lookup("worker").unwrap();
    /// assert!(entry.has_tag("db") && !entry.has_tag("web"));
    /// ```
    #[must_use]
    pub fn has_tag(&self, tag: &str) -> bool {
        self.tags().iter().any(|carried| *carried == tag)
    }

    /// The user's own metadata.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// let registry: Registry<&str, u32, u8> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec").on("node-a", 1).metadata(7));
    /// assert_eq!(*registry.lookup("worker").unwrap().metadata(), 7);
    /// ```
    #[inline]
    #[must_use]
    pub fn metadata(&self) -> &M {
        &self.0.head().metadata
    }

    /// When the entry expires; `None` if it is permanent.
    ///
    /// `None` as well for a deadline so far off that the platform's `Instant` cannot express it.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("lease", Child::new("spec").on("node-a", 1).ttl(Duration::from_secs(60)));
    /// assert!(registry.lookup("lease").unwrap().deadline() > Some(Instant::now()));
    /// ```
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.due().to_instant()
    }

    /// Which life of the id this is: every `insert` begins a new one, updates carry it on.
    ///
    /// A number is never used twice in a registry, and what replaces an entry has a greater one.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec").on("node-a", 1));
    /// let first = registry.lookup("worker").unwrap().incarnation();
    /// registry.insert("worker", Child::new("spec").on("node-a", 2));
    /// assert!(registry.lookup("worker").unwrap().incarnation() > first);
    /// ```
    #[inline]
    #[must_use]
    pub fn incarnation(&self) -> u64 {
        self.life().incarnation
    }

    /// How many times the incarnation has been published: 1 at first, one more with every change.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec").on("node-a", 1));
    /// registry.update("worker", |child| child.bind("node-a", 2))?;
    /// assert_eq!(registry.lookup("worker").unwrap().version(), 2);
    /// # Ok::<(), process_registry::NoChild>(())
    /// ```
    #[inline]
    #[must_use]
    pub fn version(&self) -> u64 {
        self.life().version
    }

    /// Whether nothing is bound: a pending entry or a tombstone.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("pending", Child::new("spec"));
    /// assert!(registry.dump_all()["pending"].is_empty());
    /// ```
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.0.is_live()
    }

    /// A copy to edit, or to write to another registry.
    ///
    /// It says nothing of a deadline: written in the place of this entry it keeps what deadline is there, as a
    /// new entry it is permanent. Give it a [ttl](Child::ttl) if that is to be different.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec").on("node-a", 1).tag("db"));
    ///
    /// let mirror: Registry<&str, u32> = Registry::new("node-b");
    /// for entry in &registry.pin() {
    ///     mirror.insert(entry.id(), entry.to_child());
    /// }
    /// assert!(mirror.lookup("worker").unwrap().has_tag("db"));
    /// ```
    pub fn to_child(&self) -> Child<S, P, M>
    where
        S: Clone,
        P: Clone,
        M: Clone,
    {
        Child {
            spec: self.spec().clone(),
            bindings: copy(self.bindings()),
            tags: copy_tags(self.tags()),
            metadata: self.metadata().clone(),
            lifetime: Lifetime::Keep,
        }
    }

    /// A reference that may be kept for ever, sent anywhere, and outlives the registry. Copies nothing.
    ///
    /// One atomic addition on memory that all holders of this entry share: the one thing to be done with
    /// an entry that writes. What lives as long as the pin does not need it.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec").on("node-a", 1));
    /// let owned = registry.pin().lookup("worker").unwrap().share();
    /// drop(registry);
    /// assert_eq!(owned.pid(), Some(&1));
    /// ```
    #[must_use]
    pub fn share(&self) -> OwnedEntry<S, P, M, K> {
        OwnedEntry::new(self.0.share())
    }
}

impl<S, P, M, K> fmt::Debug for Entry<S, P, M, K>
where
    S: fmt::Debug,
    P: fmt::Debug,
    M: fmt::Debug,
    K: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("id", self.id())
            .field("spec", self.spec())
            .field("bindings", &self.bindings())
            .field("tags", &self.tags())
            .field("metadata", self.metadata())
            .field("deadline", &self.deadline())
            .field("incarnation", &self.incarnation())
            .field("version", &self.version())
            .finish()
    }
}
