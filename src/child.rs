//! The owned value that is written to a registry, and that an update edits.

use std::fmt;
use std::iter::FusedIterator;
use std::mem;
use std::slice;
use std::time::Duration;

use smallvec::SmallVec;

use crate::name::{Node, Tag};

/// A list of bindings: a node occurs at most once, the order is observable. Most children run on
/// one node.
pub(crate) type Bindings<P> = SmallVec<[(Node, P); 1]>;

/// A list of tags: each occurs at most once, in the order they were added.
pub(crate) type Tags = SmallVec<[Tag; 2]>;

/// How long a child is to stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lifetime {
    /// As the operation has it: a new entry is permanent, an existing one keeps its deadline.
    Keep,
    /// Without a deadline.
    Permanent,
    /// Until this long after the write.
    For(Duration),
}

/// A copy of a list of bindings.
pub(crate) fn copy<P: Clone>(bindings: &[(Node, P)]) -> Bindings<P> {
    match bindings {
        // The usual case costs a third of what the loop does.
        [only] => Bindings::from_buf([only.clone()]),
        _ => bindings.into(),
    }
}

/// A copy of a list of tags; many children have none.
#[inline]
pub(crate) fn copy_tags(tags: &[Tag]) -> Tags {
    if tags.is_empty() { Tags::new() } else { tags.into() }
}

/// Binds a node to a pid within a list: a node that is there keeps its place and gets the new pid.
pub(crate) fn bind<P>(bindings: &mut Bindings<P>, node: Node, pid: P) -> Option<P> {
    match bindings.iter_mut().find(|(bound, _)| *bound == node) {
        Some((_, old)) => Some(mem::replace(old, pid)),
        None => {
            bindings.push((node, pid));
            None
        }
    }
}

/// A child: what is written to a registry, and what an update edits.
///
/// It has a specification `S`, which the registry only keeps; **bindings**, each a node and the
/// handle `P` (an OS pid, a channel, an actor reference) under which the child runs there; tags by
/// which it is found; and metadata `M` of the user's own. Its id is not part of it.
///
/// Bindings are ordered, and the first one counts as *the* pid of the child. A node occurs at most
/// once: binding it again keeps its place and replaces its pid. So does a tag, which keeps its
/// first place. Both lists are searched linearly; they are meant to be short.
///
/// A child without bindings makes an *empty* entry, which lookups do not show.
///
/// # Examples
///
/// ```
/// use process_registry::Child;
///
/// let mut child = Child::new("spec").on("node-a", 4711).tag("sessions").metadata("eu");
///
/// assert_eq!(child.bind("node-a", 4712), Some(4711));
/// assert_eq!(child.bind("node-b", 99), None);
/// assert_eq!(child.pids().copied().collect::<Vec<_>>(), [4712, 99]);
/// assert!(child.has_tag("sessions"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a child does nothing until it is written to a registry"]
pub struct Child<S, P, M = ()> {
    pub(crate) spec: S,
    pub(crate) bindings: Bindings<P>,
    pub(crate) tags: Tags,
    pub(crate) metadata: M,
    pub(crate) lifetime: Lifetime,
}

impl<S, P> Child<S, P, ()> {
    /// A child with this specification, and with no bindings, tags, or metadata.
    ///
    /// # Examples
    ///
    /// ```
    /// use process_registry::Child;
    ///
    /// let child: Child<&str, u32> = Child::new("spec");
    /// assert_eq!(child.spec(), &"spec");
    /// assert!(child.bindings().is_empty());
    /// ```
    pub fn new(spec: S) -> Self {
        Self {
            spec,
            bindings: Bindings::new(),
            tags: Tags::new(),
            metadata: (),
            lifetime: Lifetime::Keep,
        }
    }
}

/// Building.
impl<S, P, M> Child<S, P, M> {
    /// Adds a binding: the child runs on `node` as `pid`.
    ///
    /// The same node again keeps its place and gets the new pid.
    ///
    /// # Examples
    ///
    /// ```
    /// use process_registry::Child;
    ///
    /// let child = Child::new("spec").on("a", 1).on("b", 2).on("a", 3);
    /// assert_eq!(child.bindings(), [("a".into(), 3), ("b".into(), 2)]);
    /// ```
    pub fn on(mut self, node: impl Into<Node>, pid: P) -> Self {
        self.bind(node, pid);
        self
    }

    /// Adds a tag. One that is there already is not added again.
    ///
    /// # Examples
    ///
    /// ```
    /// use process_registry::Child;
    ///
    /// let child = Child::new("spec").on("a", 1).tag("db").tag("hot").tag("db");
    /// assert_eq!(child.tags(), ["db", "hot"]);
    /// ```
    pub fn tag(mut self, tag: impl Into<Tag>) -> Self {
        self.add_tag(tag);
        self
    }

    /// Adds several tags.
    ///
    /// # Examples
    ///
    /// ```
    /// use process_registry::Child;
    ///
    /// let child = Child::new("spec").on("a", 1).tagged(["db", "hot"]);
    /// assert_eq!(child.tags(), ["db", "hot"]);
    /// ```
    pub fn tagged<T: Into<Tag>>(mut self, tags: impl IntoIterator<Item = T>) -> Self {
        for tag in tags {
            self.add_tag(tag);
        }
        self
    }

    /// Sets the metadata, of any type.
    ///
    /// # Examples
    ///
    /// ```
    /// use process_registry::Child;
    ///
    /// let child = Child::new("spec").on("a", 1).metadata(["eu", "west"]);
    /// assert_eq!(child.get_metadata()[1], "west");
    /// ```
    pub fn metadata<N>(self, metadata: N) -> Child<S, P, N> {
        let Child { spec, bindings, tags, metadata: old, lifetime } = self;
        // Before the result is ready: it would leak if a destructor panicked after it.
        drop(old);
        Child { spec, bindings, tags, metadata, lifetime }
    }

    /// Makes it a lease: the entry expires `ttl` after it was written.
    ///
    /// A `ttl` that overflows the clock means the last moment the clock knows. Where
    /// [`bulk_insert`](crate::Registry::bulk_insert) merges the child into a live entry, that one's deadline
    /// stays.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use process_registry::{Child, Registry};
    ///
    /// let registry: Registry<&str, u32> = Registry::new("a");
    /// registry.insert("lease", Child::new("spec").on("a", 1).ttl(Duration::from_secs(30)));
    /// assert!(registry.lookup("lease").unwrap().deadline().is_some());
    /// ```
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.set_ttl(ttl);
        self
    }

    /// Makes it permanent, even where an update would keep the deadline of an existing entry. (Where
    /// [`bulk_insert`](crate::Registry::bulk_insert) merges it into a live entry, that one's deadline stays.)
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use process_registry::Child;
    ///
    /// let lease = Child::new("spec").on("a", 1).ttl(Duration::from_secs(30));
    /// assert_ne!(lease.clone().permanent(), lease);
    /// ```
    pub fn permanent(mut self) -> Self {
        self.make_permanent();
        self
    }
}

/// Reading.
impl<S, P, M> Child<S, P, M> {
    /// The specification.
    ///
    /// # Examples
    ///
    /// ```
    /// use process_registry::Child;
    ///
    /// assert_eq!(Child::<_, u32>::new("spec").spec(), &"spec");
    /// ```
    #[must_use]
    pub const fn spec(&self) -> &S {
        &self.spec
    }

    /// The bindings, in order.
    ///
    /// # Examples
    ///
    /// ```
    /// use process_registry::Child;
    ///
    /// let child = Child::new("spec").on("a", 1).on("b", 2);
    /// for (node, pid) in child.bindings() {
    ///     println!("{pid} on {node}");
    /// }
    /// ```
    #[must_use]
    pub fn bindings(&self) -> &[(Node, P)] {
        &self.bindings
    }

    /// The pids of all bindings, in order.
    ///
    /// # Examples
    ///
    /// ```
    /// use process_registry::Child;
    ///
    /// let child = Child::new("spec").on("a", 1).on("b", 2);
    /// assert!(child.pids().eq(&[1, 2]));
    /// ```
    pub fn pids(&self) -> Pids<'_, P> {
        Pids::new(&self.bindings)
    }

    /// The pid on a node.
    ///
    /// # Examples
    ///
    /// ```
    /// use process_registry::Child;
    ///
    /// let child = Child::new("spec").on("a", 1).on("b", 2);
    /// assert_eq!(child.pid_on("b"), Some(&2));
    /// assert_eq!(child.pid_on("c"), None);
    /// ```
    #[must_use]
    pub fn pid_on(&self, node: &str) -> Option<&P> {
        self.bindings.iter().find(|(bound, _)| *bound == node).map(|(_, pid)| pid)
    }

    /// The tags, in the order they were added.
    ///
    /// # Examples
    ///
    /// ```
    /// use process_registry::Child;
    ///
    /// assert_eq!(Child::<_, u32>::new("spec").tag("db").tags(), ["db"]);
    /// ```
    #[must_use]
    pub fn tags(&self) -> &[Tag] {
        &self.tags
    }

    /// Whether it carries the tag.
    ///
    /// # Examples
    ///
    /// ```
    /// use process_registry::Child;
    ///
    /// let child: Child<_, u32> = Child::new("spec").tag("db");
    /// assert!(child.has_tag("db"));
    /// assert!(!child.has_tag("cache"));
    /// ```
    #[must_use]
    pub fn has_tag(&self, tag: &str) -> bool {
        self.tags.iter().any(|carried| *carried == tag)
    }

    /// The metadata. ([`metadata`](Self::metadata) sets it.)
    ///
    /// # Examples
    ///
    /// ```
    /// use process_registry::Child;
    ///
    /// assert_eq!(Child::<_, u32>::new("spec").metadata(7).get_metadata(), &7);
    /// ```
    #[must_use]
    pub const fn get_metadata(&self) -> &M {
        &self.metadata
    }

    /// How long after the write the entry is to expire; `None` if it has been given no time to live.
    /// ([`ttl`](Self::ttl) sets it.)
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use process_registry::Child;
    ///
    /// let lease: Child<_, u32> = Child::new("spec").ttl(Duration::from_secs(30));
    /// assert_eq!(lease.get_ttl(), Some(Duration::from_secs(30)));
    /// assert_eq!(lease.permanent().get_ttl(), None);
    /// ```
    #[must_use]
    pub const fn get_ttl(&self) -> Option<Duration> {
        match self.lifetime {
            Lifetime::For(ttl) => Some(ttl),
            Lifetime::Keep | Lifetime::Permanent => None,
        }
    }
}

/// Editing.
impl<S, P, M> Child<S, P, M> {
    /// The specification, to be changed in place.
    ///
    /// # Examples
    ///
    /// ```
    /// use process_registry::Child;
    ///
    /// let mut child: Child<_, u32> = Child::new(String::from("spec"));
    /// child.spec_mut().push('!');
    /// assert_eq!(child.spec(), "spec!");
    /// ```
    pub const fn spec_mut(&mut self) -> &mut S {
        &mut self.spec
    }

    /// Replaces the specification and returns the old one.
    ///
    /// # Examples
    ///
    /// ```
    /// use process_registry::Child;
    ///
    /// let mut child: Child<_, u32> = Child::new(1);
    /// assert_eq!(child.set_spec(2), 1);
    /// assert_eq!(child.spec(), &2);
    /// ```
    pub const fn set_spec(&mut self, spec: S) -> S {
        mem::replace(&mut self.spec, spec)
    }

    /// Binds a node, and returns the pid it was bound to.
    ///
    /// A node that is bound already keeps its place; a new one becomes the last.
    ///
    /// # Examples
    ///
    /// ```
    /// use process_registry::Child;
    ///
    /// let mut child = Child::new("spec").on("a", 1).on("b", 2);
    /// assert_eq!(child.bind("a", 3), Some(1));
    /// assert_eq!(child.bind("c", 4), None);
    /// assert!(child.pids().eq(&[3, 2, 4]));
    /// ```
    pub fn bind(&mut self, node: impl Into<Node>, pid: P) -> Option<P> {
        bind(&mut self.bindings, node.into(), pid)
    }

    /// Removes the binding of a node, and returns its pid. The others keep their order.
    ///
    /// # Examples
    ///
    /// ```
    /// use process_registry::Child;
    ///
    /// let mut child = Child::new("spec").on("a", 1).on("b", 2);
    /// assert_eq!(child.unbind("a"), Some(1));
    /// assert_eq!(child.unbind("a"), None);
    /// assert!(child.pids().eq(&[2]));
    /// ```
    pub fn unbind(&mut self, node: &str) -> Option<P> {
        let at = self.bindings.iter().position(|(bound, _)| *bound == node)?;
        Some(self.bindings.remove(at).1)
    }

    /// Removes and returns all bindings. What is left makes an empty entry.
    ///
    /// # Examples
    ///
    /// ```
    /// use process_registry::Child;
    ///
    /// let mut child = Child::new("spec").on("a", 1);
    /// assert_eq!(child.unbind_all(), [("a".into(), 1)]);
    /// assert!(child.bindings().is_empty());
    /// ```
    pub fn unbind_all(&mut self) -> Vec<(Node, P)> {
        mem::take(&mut self.bindings).into_vec()
    }

    /// Adds a tag as the last one; `false` if it is there already.
    ///
    /// # Examples
    ///
    /// ```
    /// use process_registry::Child;
    ///
    /// let mut child: Child<_, u32> = Child::new("spec");
    /// assert!(child.add_tag("db"));
    /// assert!(!child.add_tag("db"));
    /// ```
    pub fn add_tag(&mut self, tag: impl Into<Tag>) -> bool {
        let tag = tag.into();
        let new = !self.tags.contains(&tag);
        if new {
            self.tags.push(tag);
        }
        new
    }

    /// Removes a tag; `false` if it was not there.
    ///
    /// # Examples
    ///
    /// ```
    /// use process_registry::Child;
    ///
    /// let mut child: Child<_, u32> = Child::new("spec").tag("db");
    /// assert!(child.remove_tag("db"));
    /// assert!(!child.remove_tag("db"));
    /// ```
    pub fn remove_tag(&mut self, tag: &str) -> bool {
        match self.tags.iter().position(|carried| *carried == tag) {
            Some(at) => {
                self.tags.remove(at);
                true
            }
            None => false,
        }
    }

    /// Removes all tags.
    ///
    /// # Examples
    ///
    /// ```
    /// use process_registry::Child;
    ///
    /// let mut child: Child<_, u32> = Child::new("spec").tagged(["db", "hot"]);
    /// child.clear_tags();
    /// assert!(child.tags().is_empty());
    /// ```
    pub fn clear_tags(&mut self) {
        self.tags.clear();
    }

    /// The metadata, to be changed in place.
    ///
    /// # Examples
    ///
    /// ```
    /// use process_registry::Child;
    ///
    /// let mut child: Child<_, u32, _> = Child::new("spec").metadata(vec![1]);
    /// child.metadata_mut().push(2);
    /// assert_eq!(child.get_metadata(), &[1, 2]);
    /// ```
    pub const fn metadata_mut(&mut self) -> &mut M {
        &mut self.metadata
    }

    /// Replaces the metadata by some of the same type, and returns the old.
    ///
    /// # Examples
    ///
    /// ```
    /// use process_registry::Child;
    ///
    /// let mut child: Child<_, u32, _> = Child::new("spec").metadata(1);
    /// assert_eq!(child.set_metadata(2), 1);
    /// ```
    pub const fn set_metadata(&mut self, metadata: M) -> M {
        mem::replace(&mut self.metadata, metadata)
    }

    /// Lets the entry expire `ttl` after this change of it is written: in an update, this renews a
    /// lease.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use process_registry::{Child, Registry};
    ///
    /// let registry: Registry<&str, u32> = Registry::new("a");
    /// registry.insert("lease", Child::new("spec").on("a", 1));
    /// registry.update("lease", |child| child.set_ttl(Duration::from_secs(30)))?;
    /// assert!(registry.lookup("lease").unwrap().deadline().is_some());
    /// # Ok::<(), process_registry::NoChild>(())
    /// ```
    pub const fn set_ttl(&mut self, ttl: Duration) {
        self.lifetime = Lifetime::For(ttl);
    }

    /// Takes away the deadline.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use process_registry::{Child, Registry};
    ///
    /// let registry: Registry<&str, u32> = Registry::new("a");
    /// registry.insert("lease", Child::new("spec").on("a", 1).ttl(Duration::from_secs(30)));
    /// registry.update("lease", |child| child.make_permanent())?;
    /// assert!(registry.lookup("lease").unwrap().deadline().is_none());
    /// # Ok::<(), process_registry::NoChild>(())
    /// ```
    pub const fn make_permanent(&mut self) {
        self.lifetime = Lifetime::Permanent;
    }

    /// Takes the child apart: specification, bindings, tags, metadata. Its time to live, which
    /// [`get_ttl`](Self::get_ttl) tells, goes.
    ///
    /// # Examples
    ///
    /// ```
    /// use process_registry::Child;
    ///
    /// let child = Child::new("spec").on("a", 1).tag("db").metadata(7);
    /// let (spec, bindings, tags, metadata) = child.into_parts();
    /// assert_eq!((spec, metadata), ("spec", 7));
    /// assert_eq!(bindings, [("a".into(), 1)]);
    /// assert_eq!(tags, ["db"]);
    /// ```
    #[must_use = "the parts are dropped if they are not used"]
    pub fn into_parts(self) -> (S, Vec<(Node, P)>, Vec<Tag>, M) {
        (self.spec, self.bindings.into_vec(), self.tags.into_vec(), self.metadata)
    }
}

/// The pids of a child in the order of its bindings; see [`Child::pids`].
///
/// # Examples
///
/// ```
/// use process_registry::Child;
///
/// let child = Child::new("spec").on("a", 1).on("b", 2);
/// let mut pids = child.pids();
/// assert_eq!(pids.len(), 2);
/// assert_eq!(pids.next_back(), Some(&2));
/// ```
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct Pids<'a, P> {
    bindings: slice::Iter<'a, (Node, P)>,
}

impl<'a, P> Pids<'a, P> {
    pub(crate) fn new(bindings: &'a [(Node, P)]) -> Self {
        Self { bindings: bindings.iter() }
    }
}

impl<'a, P> Iterator for Pids<'a, P> {
    type Item = &'a P;

    #[inline]
    fn next(&mut self) -> Option<&'a P> {
        self.bindings.next().map(|(_, pid)| pid)
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.bindings.size_hint()
    }
}

impl<P> DoubleEndedIterator for Pids<'_, P> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        self.bindings.next_back().map(|(_, pid)| pid)
    }
}

impl<P> ExactSizeIterator for Pids<'_, P> {}

impl<P> FusedIterator for Pids<'_, P> {}

impl<P> Clone for Pids<'_, P> {
    fn clone(&self) -> Self {
        Self { bindings: self.bindings.clone() }
    }
}

impl<P: fmt::Debug> fmt::Debug for Pids<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

#[cfg(test)]
mod tests;
