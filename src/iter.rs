//! Iterators over entries, for as long as a pin lasts.

use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::iter::{Fuse, FusedIterator};

use equivalent::Equivalent;
use smallvec::SmallVec;
use smol_str::SmolStr;

use crate::entry::{Entry, NODES, TAGS};
use crate::name::ChildId;
use crate::query::{BATCH, Batch, Scan, View, any, bound};
use crate::state::Registry;

/// Gives a scanning iterator what all of them have.
macro_rules! entries {
    ($name:ident) => {
        impl<S, P, M, K: Eq> FusedIterator for $name<'_, S, P, M, K> {}

        impl<S, P, M, K> fmt::Debug for $name<'_, S, P, M, K> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    };
}

/// The entries of a registry that are not empty, in no order; made by [`Pinned::iter`](crate::Pinned::iter).
///
/// What is there during the whole iteration comes exactly once, however often it is changed meanwhile. An id
/// that is deleted and inserted again while this goes on may come twice, with both its entries: an iterator
/// cannot look back. [`Registry::dump`](crate::Registry::dump) can.
///
/// # Examples
///
/// ```
/// use process_registry::{Child, Registry};
///
/// let registry: Registry<&str, u32> = Registry::new("node-a");
/// registry.insert("a", Child::new("spec").on("node-a", 1));
/// registry.insert("pending", Child::new("spec"));
/// assert_eq!(registry.pin().iter().count(), 1);
/// ```
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct Iter<'g, S, P, M = (), K = ChildId> {
    scan: Scan<'g, S, P, M, K>,
}

impl<'g, S, P, M, K> Iter<'g, S, P, M, K> {
    pub(crate) fn new(view: View<'g, S, P, M, K>) -> Self {
        Self { scan: view.walk() }
    }
}

impl<'g, S, P, M, K: Eq> Iterator for Iter<'g, S, P, M, K> {
    type Item = &'g Entry<S, P, M, K>;

    fn next(&mut self) -> Option<Self::Item> {
        self.scan.next(bound, any)
    }
}

entries!(Iter);

/// The entries that carry a tag, or several, in no order; made by [`Pinned::match_tag`](crate::Pinned::match_tag) and
/// [`Pinned::match_all`](crate::Pinned::match_all).
///
/// What carries the tags during the whole iteration comes exactly once, however often it is changed
/// meanwhile. An id that loses the tag, or is deleted, and gets it again while this goes on may come twice:
/// an iterator cannot look back. [`Registry::match_tag`](crate::Registry::match_tag) can.
///
/// # Examples
///
/// ```
/// use process_registry::{Child, Registry};
///
/// let registry: Registry<&str, u32> = Registry::new("node-a");
/// registry.insert("a", Child::new("spec").on("node-a", 1).tag("db"));
/// registry.insert("b", Child::new("spec").on("node-a", 2).tag("web"));
///
/// let pinned = registry.pin();
/// assert!(pinned.match_tag("db").map(|entry| entry.id()).eq(["a"]));
/// ```
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct ByTag<'g, S, P, M = (), K = ChildId> {
    scan: Scan<'g, S, P, M, K>,
    /// The tag whose set is scanned, if it has one.
    tag: Option<&'g SmolStr>,
    /// The tags that are asked for besides that.
    others: Others<'g>,
}

/// Names as the index keeps them, so that the iterator does not borrow the caller's.
type Others<'g> = SmallVec<[&'g SmolStr; 3]>;

impl<'g, S, P, M, K> ByTag<'g, S, P, M, K> {
    pub(crate) fn one(view: View<'g, S, P, M, K>, tag: &str) -> Self {
        Self::of(view.members(TAGS, tag), Others::new())
    }

    fn of(scan: Scan<'g, S, P, M, K>, others: Others<'g>) -> Self {
        Self { tag: scan.name(), scan, others }
    }

    /// Scans the smallest of the sets and asks each entry for the other tags; without any tag everything.
    pub(crate) fn all(view: View<'g, S, P, M, K>, tags: &[&str]) -> Self {
        let smallest = (0..tags.len()).min_by_key(|at| view.member_count(TAGS, tags[*at]));
        let Some(smallest) = smallest else {
            return Self::of(view.walk(), Others::new());
        };
        let mut others = Others::new();
        for (at, tag) in tags.iter().enumerate() {
            if at != smallest {
                let scan = view.members(TAGS, tag);
                let Some(name) = scan.name() else {
                    // Nothing carries this one, so nothing carries all of them.
                    return Self::of(scan, Others::new());
                };
                others.push(name);
            }
        }
        Self::of(view.members(TAGS, tags[smallest]), others)
    }
}

impl<'g, S, P, M, K: Eq> Iterator for ByTag<'g, S, P, M, K> {
    type Item = &'g Entry<S, P, M, K>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (tag, others) = (self.tag, &self.others);
        self.scan.next(
            move |entry| bound(entry) && others.iter().all(|tag| entry.has_tag(tag)),
            move |entry| tag.is_none_or(|tag| entry.has_tag(tag)),
        )
    }
}

entries!(ByTag);

/// The entries bound to a node, in no order; made by [`Pinned::children_on`](crate::Pinned::children_on).
///
/// What is bound to the node during the whole iteration comes exactly once, however often it is changed
/// meanwhile. An id that is unbound, or deleted, and bound again while this goes on may come twice: an
/// iterator cannot look back. [`Registry::children_on`](crate::Registry::children_on) can.
///
/// # Examples
///
/// ```
/// use process_registry::{Child, Registry};
///
/// let registry: Registry<&str, u32> = Registry::new("node-a");
/// registry.insert("a", Child::new("spec").on("node-a", 1).on("node-b", 2));
/// registry.insert("b", Child::new("spec").on("node-b", 3));
/// assert_eq!(registry.pin().children_on("node-b").count(), 2);
/// ```
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct ByNode<'g, S, P, M = (), K = ChildId> {
    scan: Scan<'g, S, P, M, K>,
    /// The node, if anything has been bound to it.
    node: Option<&'g SmolStr>,
}

impl<'g, S, P, M, K> ByNode<'g, S, P, M, K> {
    pub(crate) fn new(view: View<'g, S, P, M, K>, node: &str) -> Self {
        let scan = view.members(NODES, node);
        Self { node: scan.name(), scan }
    }
}

impl<'g, S, P, M, K: Eq> Iterator for ByNode<'g, S, P, M, K> {
    type Item = &'g Entry<S, P, M, K>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let node = self.node;
        self.scan.next(bound, move |entry| node.is_some_and(|node| entry.pid_on(node).is_some()))
    }
}

entries!(ByNode);

/// The answers to a series of lookups, in the order of the ids; made by [`Pinned::get_many_iter`](crate::Pinned::get_many_iter).
///
/// It takes up to sixteen ids at a time from the iterator it was given, so that the cache misses of their
/// lookups overlap.
///
/// # Examples
///
/// ```
/// use process_registry::{Child, Registry};
///
/// let registry: Registry<&str, u32> = Registry::new("node-a");
/// registry.insert("a", Child::new("spec").on("node-a", 1));
///
/// let pinned = registry.pin();
/// let pids = pinned.get_many_iter(["a", "b"]).map(|entry| entry?.pid().copied());
/// assert!(pids.eq([Some(1), None]));
/// ```
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct GetMany<'g, I, S, P, M = (), K = ChildId, H = ahash::RandomState> {
    registry: &'g Registry<S, P, M, K, H>,
    view: View<'g, S, P, M, K>,
    ids: Fuse<I>,
    ready: <Batch<'g, S, P, M, K> as IntoIterator>::IntoIter,
}

impl<'g, I: Iterator, S, P, M, K, H> GetMany<'g, I, S, P, M, K, H> {
    pub(crate) fn new(
        registry: &'g Registry<S, P, M, K, H>,
        view: View<'g, S, P, M, K>,
        ids: I,
    ) -> Self {
        Self { registry, view, ids: ids.fuse(), ready: Batch::new().into_iter() }
    }
}

impl<'g, 'q, I, Q, S, P, M, K, H> Iterator for GetMany<'g, I, S, P, M, K, H>
where
    I: Iterator<Item = &'q Q>,
    Q: Hash + Equivalent<K> + ?Sized + 'q,
    H: BuildHasher,
{
    type Item = Option<&'g Entry<S, P, M, K>>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(next) = self.ready.next() {
            return Some(next);
        }
        let ids: SmallVec<[&Q; BATCH]> = self.ids.by_ref().take(BATCH).collect();
        let found = self.view.find_batch(&ids, |id| self.registry.hash(id));
        self.ready = found.into_iter();
        self.ready.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let ready = self.ready.len();
        let (low, high) = self.ids.size_hint();
        let high = high.and_then(|high| high.checked_add(ready));
        (low.saturating_add(ready), high)
    }
}

impl<'q, I, Q, S, P, M, K, H> ExactSizeIterator for GetMany<'_, I, S, P, M, K, H>
where
    I: ExactSizeIterator<Item = &'q Q>,
    Q: Hash + Equivalent<K> + ?Sized + 'q,
    H: BuildHasher,
{
}

impl<'q, I, Q, S, P, M, K, H> FusedIterator for GetMany<'_, I, S, P, M, K, H>
where
    I: Iterator<Item = &'q Q>,
    Q: Hash + Equivalent<K> + ?Sized + 'q,
    H: BuildHasher,
{
}

impl<I, S, P, M, K, H> fmt::Debug for GetMany<'_, I, S, P, M, K, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GetMany").finish_non_exhaustive()
    }
}
