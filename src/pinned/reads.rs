//! Reads of single ids, and of several at once, under a pin.

use std::hash::{BuildHasher, Hash};

use equivalent::Equivalent;

use super::Pinned;
use crate::entry::Entry;
use crate::iter::GetMany;
use crate::query::{any, bound};

/// Reads of single ids, and of several. They write nothing, wait for nobody and free nothing.
impl<S, P, M, K, H: BuildHasher> Pinned<'_, S, P, M, K, H> {
    /// The entry of an id, unless it is empty.
    ///
    /// Linearizes where it reads the slot that holds the entry, or finds that none does. Takes constant time
    /// on average.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec").on("node-a", 4711));
    /// let pinned = registry.pin();
    /// assert_eq!(pinned.lookup("worker").map(|entry| *entry.spec()), Some("spec"));
    /// assert!(pinned.lookup("nobody").is_none());
    /// ```
    #[inline(always)]
    #[must_use]
    pub fn lookup<Q>(&self, id: &Q) -> Option<&Entry<S, P, M, K>>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let view = self.view();
        view.find(self.registry().hash(id), id, bound)
    }

    /// Whether the id has an entry that is not empty. As [`lookup`](Self::lookup).
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("pending", Child::new("spec"));
    /// assert!(!registry.pin().contains("pending"));
    /// ```
    #[inline]
    #[must_use]
    pub fn contains<Q>(&self, id: &Q) -> bool
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.lookup(id).is_some()
    }

    /// Whether the id has an entry at all, an empty one included.
    ///
    /// Linearizes where it reads the slot that holds the entry, or finds that none does. Takes constant time
    /// on average.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("pending", Child::new("spec"));
    /// assert!(registry.pin().entry_exists("pending"));
    /// ```
    #[inline]
    #[must_use]
    pub fn entry_exists<Q>(&self, id: &Q) -> bool
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let view = self.view();
        view.find(self.registry().hash(id), id, any).is_some()
    }

    /// The pid of the first binding. As [`lookup`](Self::lookup).
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec").on("node-b", 1).on("node-a", 2));
    /// assert_eq!(registry.pin().get_pid("worker"), Some(&1));
    /// ```
    #[inline]
    #[must_use]
    pub fn get_pid<Q>(&self, id: &Q) -> Option<&P>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.lookup(id)?.pid()
    }

    /// The pid on the local node. As [`lookup`](Self::lookup).
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec").on("node-b", 1).on("node-a", 2));
    /// assert_eq!(registry.pin().local_pid("worker"), Some(&2));
    /// ```
    #[inline]
    #[must_use]
    pub fn local_pid<Q>(&self, id: &Q) -> Option<&P>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.lookup(id)?.pid_on(&self.registry().local_node)
    }

    /// The entries of several ids, as many [lookups](Self::lookup), each of its own instant.
    ///
    /// The cache misses of the lookups overlap: on a big registry a multiple of the speed.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("a", Child::new("spec").on("node-a", 1));
    /// let pinned = registry.pin();
    /// let [a, b] = pinned.get_many(["a", "b"]);
    /// assert!(a.is_some() && b.is_none());
    /// ```
    #[must_use]
    pub fn get_many<Q, const N: usize>(&self, ids: [&Q; N]) -> [Option<&Entry<S, P, M, K>>; N]
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let view = self.view();
        view.find_array(ids, |id| self.registry().hash(id))
    }

    /// The entries of any number of ids, in their order, as many [lookups](Self::lookup), each of its own
    /// instant.
    ///
    /// As [`get_many`](Self::get_many), sixteen at a time.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("a", Child::new("spec").on("node-a", 1));
    /// let ids = vec![String::from("a"), String::from("b")];
    /// let pinned = registry.pin();
    /// assert_eq!(pinned.get_many_iter(&ids).flatten().count(), 1);
    /// ```
    pub fn get_many_iter<'g, 'q, Q, I>(&'g self, ids: I) -> GetMany<'g, I::IntoIter, S, P, M, K, H>
    where
        Q: Hash + Equivalent<K> + ?Sized + 'q,
        I: IntoIterator<Item = &'q Q>,
    {
        let view = self.view();
        GetMany::new(self.registry(), view, ids.into_iter())
    }
}
