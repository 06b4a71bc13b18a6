//! Reads of many entries, collected: each id once.

use std::collections::HashMap;
use std::hash::Hash;

use crate::entry::{Entry, OwnedEntry};
use crate::name::Node;
use crate::query::{copied, gather, keep};
use crate::scope::{Scope, id_and_bindings};
use crate::state::Registry;

/// Reads of many entries.
///
/// None of them is a view of one instant: each entry is whole and satisfied the query at some instant of the
/// call; what satisfies it during the whole call is returned, however often it is changed meanwhile. Each id
/// comes once, with the later entry if it was deleted and inserted again. There is no order.
///
/// Each entry counts as read where its slot was. What is to be copied is kept by its count and copied after
/// the pin of the call has ended.
impl<S, P, M, K: Hash + Eq, H> Registry<S, P, M, K, H> {
    /// Ids and bindings of the entries that carry a tag.
    ///
    /// Takes time in proportion to the number of entries with that tag.
    /// [`Pinned::match_tag`](crate::Pinned::match_tag) copies nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec").on("node-a", 4711).tag("db"));
    /// assert_eq!(registry.match_tag("db"), [("worker".into(), vec![("node-a".into(), 4711)])]);
    /// ```
    #[must_use]
    pub fn match_tag(&self, tag: &str) -> Vec<(K, Vec<(Node, P)>)>
    where
        P: Clone,
        K: Clone,
    {
        let entries = keep(self.pin().match_tag(tag));
        copied(entries, |entry| Some(id_and_bindings(entry)))
    }

    /// Ids and bindings of the entries that carry every one of the tags; without any tag of all that are not
    /// empty.
    ///
    /// Takes time in proportion to the number of entries with the rarest of the tags.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("a", Child::new("spec").on("node-a", 1).tag("db"));
    /// registry.insert("b", Child::new("spec").on("node-a", 2).tag("db").tag("hot"));
    /// let hot = registry.match_all(&["db", "hot"]);
    /// assert_eq!(hot, [("b".into(), vec![("node-a".into(), 2)])]);
    /// ```
    #[must_use]
    pub fn match_all(&self, tags: &[&str]) -> Vec<(K, Vec<(Node, P)>)>
    where
        P: Clone,
        K: Clone,
    {
        let entries = keep(self.pin().match_all(tags));
        copied(entries, |entry| Some(id_and_bindings(entry)))
    }

    /// The entries bound to a node, whole: with their bindings elsewhere.
    ///
    /// Takes time in proportion to the number of entries bound to that node.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec").on("node-a", 1).on("node-b", 2));
    /// assert_eq!(registry.children_on("node-b")[0].pids().count(), 2);
    /// ```
    #[must_use]
    pub fn children_on(&self, node: &str) -> Vec<OwnedEntry<S, P, M, K>> {
        keep(self.pin().children_on(node))
    }

    /// The entries bound to the [local node](Self::local_node), whole.
    ///
    /// Takes time in proportion to their number.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("here", Child::new("spec").on("node-a", 1));
    /// registry.insert("there", Child::new("spec").on("node-b", 2));
    /// assert_eq!(*registry.local_data()[0].id(), "here");
    /// ```
    #[must_use]
    pub fn local_data(&self) -> Vec<OwnedEntry<S, P, M, K>> {
        self.children_on(&self.local_node)
    }

    /// The entries bound to the [local node](Self::local_node), whole, by id.
    ///
    /// Takes time in proportion to their number.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("here", Child::new("spec").on("node-a", 1));
    /// assert_eq!(registry.local_children()["here"].pid(), Some(&1));
    /// ```
    #[must_use]
    pub fn local_children(&self) -> HashMap<K, OwnedEntry<S, P, M, K>>
    where
        K: Clone,
    {
        by_id(self.local_data())
    }

    /// The specifications of the children bound to the [local node](Self::local_node).
    ///
    /// Takes time in proportion to their number.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("here", Child::new("spec").on("node-a", 1));
    /// assert_eq!(registry.local_child_specs(), ["spec"]);
    /// ```
    #[must_use]
    pub fn local_child_specs(&self) -> Vec<S>
    where
        S: Clone,
    {
        let entries = self.local_data();
        copied(entries, |entry| Some(entry.spec().clone()))
    }

    /// All entries that are not empty, by id.
    ///
    /// Takes time in proportion to the size of the table, and holds up the freeing of memory meanwhile.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec").on("node-a", 1));
    /// registry.insert("pending", Child::new("spec"));
    /// let dump = registry.dump();
    /// assert!(dump.contains_key("worker") && !dump.contains_key("pending"));
    /// ```
    #[must_use]
    pub fn dump(&self) -> HashMap<K, OwnedEntry<S, P, M, K>>
    where
        K: Clone,
    {
        by_id(keep(self.pin().iter()))
    }

    /// All entries, empty ones included, by id.
    ///
    /// Takes time in proportion to the size of the table, and holds up the freeing of memory meanwhile.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("pending", Child::new("spec"));
    /// assert!(registry.dump_all().contains_key("pending"));
    /// ```
    #[must_use]
    pub fn dump_all(&self) -> HashMap<K, OwnedEntry<S, P, M, K>>
    where
        K: Clone,
    {
        by_id(self.keep_all())
    }

    /// Specification and bindings of all entries that are not empty, by id, without their metadata.
    ///
    /// Takes time in proportion to the size of the table.
    ///
    /// # Examples
    ///
    /// ```
    /// # #![allow(deprecated)]
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec").on("node-a", 1));
    /// assert_eq!(registry.registry()["worker"], ("spec", vec![("node-a".into(), 1)]));
    /// ```
    #[deprecated = "use `dump`, which copies nothing and leaves nothing out"]
    #[must_use]
    pub fn registry(&self) -> HashMap<K, (S, Vec<(Node, P)>)>
    where
        S: Clone,
        P: Clone,
        K: Clone,
    {
        let entries = keep(self.pin().iter());
        let parts = entries.iter().map(|entry| {
            let (id, bindings) = id_and_bindings(entry);
            (id, (entry.spec().clone(), bindings))
        });
        let parts = parts.collect();
        // As in `copied`.
        drop(entries);
        parts
    }

    /// All processes: [`Global`](crate::Global) gives every id with all its bindings,
    /// [`Local`](crate::Local) those bound to the local node with the pid there.
    ///
    /// Takes time in proportion to the size of the table, or to the number of local children.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Global, Local, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec").on("node-b", 1));
    /// assert_eq!(registry.process_list(Global), [("worker".into(), vec![("node-b".into(), 1)])]);
    /// assert_eq!(registry.process_list(Local), []);
    /// ```
    #[must_use]
    pub fn process_list<X: Scope>(&self, _: X) -> Vec<X::Item<K, P>>
    where
        P: Clone,
        K: Clone,
    {
        X::list(self)
    }

    /// Calls `f` with every entry that is not empty: each id once.
    ///
    /// `f` runs under the pin of the call, after the entries have been gathered; it may call anything on the
    /// registry. Takes time in proportion to the size of the table.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec").on("node-a", 1));
    /// let mut pids = Vec::new();
    /// registry.for_each(|entry| pids.extend(entry.pids().copied()));
    /// assert_eq!(pids, [1]);
    /// ```
    pub fn for_each(&self, f: impl FnMut(&Entry<S, P, M, K>)) {
        let pinned = self.pin();
        gather(pinned.iter()).into_iter().for_each(f);
    }
}

/// Puts entries that are kept under their ids.
fn by_id<S, P, M, K: Hash + Eq + Clone>(
    entries: Vec<OwnedEntry<S, P, M, K>>,
) -> HashMap<K, OwnedEntry<S, P, M, K>> {
    let pairs = entries.into_iter().map(|entry| (entry.id().clone(), entry));
    pairs.collect()
}
