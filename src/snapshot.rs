//! What a registry holds, to be saved and restored: the feature `serde`.
//!
//! A snapshot is read whole before anything is written, and what cannot be read never becomes one: so
//! damaged input cannot change a registry.

mod into_children;
mod names;
mod read;
mod write;

use std::borrow::Borrow;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::iter::FusedIterator;
use std::time::Duration;

use ahash::RandomState;
use serde::{Deserialize, Serialize};

use crate::child::{Child, Lifetime};
use crate::name::{ChildId, Node};
use crate::state::Registry;

pub use self::into_children::IntoChildren;

/// The format that is written, and the only one that is read.
const FORMAT: u64 = 1;

/// The children of a snapshot. In boxes, so that the table is small, and so that a restore gives memory back
/// as it goes.
type Children<S, P, M, K> = HashMap<K, Box<Child<S, P, M>>, RandomState>;

/// How a lifetime is written: `"keep"`, `"permanent"` or `{"ttl": {"secs": 30, "nanos": 0}}`.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Lifetime", rename = "Lifetime", rename_all = "lowercase")]
enum LifetimeDef {
    Keep,
    Permanent,
    #[serde(rename = "ttl")]
    For(Duration),
}

/// What a registry held when it was saved, read back and checked, to be looked at and to be
/// [restored](Registry::restore). With the feature `serde`.
///
/// A [`Registry`] can be serialized as it is; what comes of that is read as a `Snapshot`.
///
/// # What is saved
///
/// | | |
/// |---|---|
/// | id, specification, bindings in their order, tags in theirs, metadata | as they are |
/// | deadline | the time that remained, to the nanosecond: clocks of two processes have nothing in common |
/// | pending entries and tombstones | as children without bindings |
/// | what has expired | no |
/// | incarnation and version | no: a restore begins new ones, as every [`insert`](Registry::insert) does |
/// | name of the local node | for [information](Self::local_node); a restore does not look at it |
///
/// It is what [`dump_all`](Registry::dump_all) would have returned: each entry is whole and each id comes
/// once, but while others write it is not a view of one instant. No pin is held while it is written; the
/// `Serialize` of spec, pid, metadata and id may take its time and may call the registry.
///
/// # The format
///
/// ```text
/// {
///   "format": 1,
///   "local_node": "node-a",
///   "children": [
///     ["session-42", {
///       "spec": "serve",
///       "bindings": [["node-a", 4711]],
///       "tags": ["sessions"],
///       "metadata": null,
///       "lifetime": "permanent"
///     }]
///   ]
/// }
/// ```
///
/// It serves formats that describe themselves, as JSON does, and those that do not. The lifetime of a child
/// with a deadline is `{"ttl": {"secs": 30, "nanos": 0}}`.
///
/// # Damage
///
/// Reading fails, with the position if the format has one, where the input breaks off, is not of the format,
/// lacks a field or has one too many, has another number of format, or names an id twice, a node twice in
/// the bindings of a child, or a tag twice in its tags. A length that is not true allocates next to nothing.
/// There are no check sums: a name that was damaged into another name is a name.
///
/// Use a function that reads to the end of the input, such as `serde_json::from_str` or `from_reader`, so
/// that what follows the snapshot is an error as well.
///
/// # Examples
///
/// ```
/// use process_registry::{Child, Registry, Snapshot};
///
/// # fn main() -> Result<(), serde_json::Error> {
/// let registry: Registry<String, u32> = Registry::new("node-a");
/// registry.insert("session-42", Child::new("serve".into()).on("node-a", 4711).tag("sessions"));
/// let saved = serde_json::to_string(&registry)?;
///
/// let restored: Registry<String, u32> = Registry::new("node-a");
/// let snapshot: Snapshot<String, u32> = serde_json::from_str(&saved)?;
/// assert_eq!(restored.restore(snapshot), 1);
/// assert_eq!(restored.get_pid("session-42"), Some(4711));
///
/// let half = &saved[..saved.len() / 2];
/// let error = serde_json::from_str::<Snapshot<String, u32>>(half).unwrap_err();
/// assert_eq!((error.line(), error.column()), (1, half.len()));
/// # Ok(())
/// # }
/// ```
///
/// What is to be changed is changed on the way:
///
/// ```
/// # use process_registry::{Child, Registry, Snapshot};
/// # fn main() -> Result<(), serde_json::Error> {
/// # let registry: Registry<String, u32> = Registry::new("node-a");
/// # registry.insert("worker", Child::new("serve".into()).on("node-a", 1).on("node-b", 2));
/// # let saved = serde_json::to_string(&registry)?;
/// let snapshot: Snapshot<String, u32> = serde_json::from_str(&saved)?;
/// for (id, mut child) in snapshot {
///     child.unbind("node-a");
///     registry.insert(id, child);
/// }
/// assert_eq!(registry.get_pids("worker"), [2]);
/// # Ok(())
/// # }
/// ```
#[must_use = "a snapshot does nothing until it is restored"]
pub struct Snapshot<S, P, M = (), K = ChildId> {
    local_node: Node,
    children: Children<S, P, M, K>,
}

impl<S, P, M, K> Snapshot<S, P, M, K> {
    /// The local node of the registry that was saved.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Registry, Snapshot};
    /// let registry: Registry<String, u32> = Registry::new("node-a");
    /// let saved = serde_json::to_string(&registry)?;
    /// let snapshot: Snapshot<String, u32> = serde_json::from_str(&saved)?;
    /// assert_eq!(snapshot.local_node(), "node-a");
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[must_use]
    pub const fn local_node(&self) -> &Node {
        &self.local_node
    }

    /// How many children there are, those without bindings included.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry, Snapshot};
    /// # let registry: Registry<String, u32> = Registry::new("node-a");
    /// registry.insert("pending", Child::new("spec".into()));
    /// let saved = serde_json::to_string(&registry)?;
    /// let snapshot: Snapshot<String, u32> = serde_json::from_str(&saved)?;
    /// assert_eq!(snapshot.len(), 1);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.children.len()
    }

    /// Whether there are no children.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Registry, Snapshot};
    /// # let registry: Registry<String, u32> = Registry::new("node-a");
    /// let saved = serde_json::to_string(&registry)?;
    /// let snapshot: Snapshot<String, u32> = serde_json::from_str(&saved)?;
    /// assert!(snapshot.is_empty());
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.children.is_empty()
    }

    /// The child of an id, in constant time on average.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use process_registry::{Child, Clock, ManualClock, Registry, Snapshot};
    /// let time = ManualClock::new();
    /// let registry: Registry<String, u32> =
    ///     Registry::builder("node-a").clock(Clock::Manual(time.clone())).build();
    /// let lease = Child::new("spec".into()).on("node-a", 1).ttl(Duration::from_secs(30));
    /// registry.insert("lease", lease.clone());
    /// time.advance(Duration::from_secs(10));
    ///
    /// let saved = serde_json::to_string(&registry)?;
    /// let snapshot: Snapshot<String, u32> = serde_json::from_str(&saved)?;
    /// assert_eq!(snapshot.get("lease"), Some(&lease.ttl(Duration::from_secs(20))));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[must_use]
    pub fn get<Q>(&self, id: &Q) -> Option<&Child<S, P, M>>
    where
        K: Hash + Eq + Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.children.get(id).map(|child| &**child)
    }

    /// The children with their ids, in no order.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry, Snapshot};
    /// # let registry: Registry<String, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec".into()).on("node-a", 4711));
    /// let saved = serde_json::to_string(&registry)?;
    /// let snapshot: Snapshot<String, u32> = serde_json::from_str(&saved)?;
    /// for (id, child) in snapshot.iter() {
    ///     println!("{id} ran on {:?}", child.bindings());
    /// }
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn iter(
        &self,
    ) -> impl ExactSizeIterator<Item = (&K, &Child<S, P, M>)> + FusedIterator + Clone {
        self.children.iter().map(|(id, child)| (id, &**child))
    }
}

impl<S: Clone, P: Clone, M: Clone, K: Clone> Clone for Snapshot<S, P, M, K> {
    fn clone(&self) -> Self {
        Self { local_node: self.local_node.clone(), children: self.children.clone() }
    }
}

/// The same children under the same ids, of the same node.
impl<S: PartialEq, P: PartialEq, M: PartialEq, K: Hash + Eq> PartialEq for Snapshot<S, P, M, K> {
    fn eq(&self, other: &Self) -> bool {
        self.local_node == other.local_node && self.children == other.children
    }
}

impl<S: Eq, P: Eq, M: Eq, K: Hash + Eq> Eq for Snapshot<S, P, M, K> {}

/// Shows the count, never the children, as that of a [`Registry`] does.
impl<S, P, M, K> fmt::Debug for Snapshot<S, P, M, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("local_node", &self.local_node)
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl<S, P, M, K, H> Registry<S, P, M, K, H>
where
    K: Hash + Eq + Clone,
    H: BuildHasher,
{
    /// Stores every child of a snapshot, as [`insert`](Self::insert) does, whatever is there; returns how
    /// many that were. With the feature `serde`.
    ///
    /// What is under other ids is left alone; [clear](Self::clear_all) the registry first if it is to hold
    /// the snapshot and nothing else. Bindings are restored as they were saved, whichever node is the local
    /// one here. A deadline is as far off as it was when the snapshot was made: the time between does not
    /// count. No hooks.
    ///
    /// A sequence of single steps, in no order, not atomic together; each linearizes at the compare-and-swap
    /// that puts its entry into the slot. Makes room first for what is missing, and gives the memory of the
    /// snapshot back as it goes.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry, Snapshot};
    /// let registry: Registry<String, u32> = Registry::new("node-a");
    /// registry.insert("a", Child::new("spec".into()).on("node-a", 1));
    /// registry.insert("b", Child::new("spec".into()).on("node-a", 2));
    /// let saved = serde_json::to_string(&registry)?;
    ///
    /// registry.delete("a");
    /// registry.insert("b", Child::new("spec".into()).on("node-a", 3));
    /// registry.insert("c", Child::new("spec".into()).on("node-a", 4));
    ///
    /// let snapshot: Snapshot<String, u32> = serde_json::from_str(&saved)?;
    /// assert_eq!(registry.restore(snapshot), 2);
    /// assert_eq!(["a", "b", "c"].map(|id| registry.get_pid(id)), [Some(1), Some(2), Some(4)]);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "serde")))]
    pub fn restore(&self, snapshot: Snapshot<S, P, M, K>) -> usize {
        let count = snapshot.len();
        self.reserve(count.saturating_sub(self.len_all()));
        for (id, child) in snapshot {
            self.insert(id, child);
        }
        count
    }
}
