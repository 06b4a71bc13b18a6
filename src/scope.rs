//! What `process_list` lists: all bindings of every child, or the local pid of each that has one.

use std::fmt;
use std::hash::Hash;

use crate::entry::OwnedEntry;
use crate::name::Node;
use crate::query::{copied, keep};
use crate::state::Registry;

/// What [`Registry::process_list`](crate::Registry::process_list) is to list: [`Global`] or [`Local`].
///
/// Sealed: there are no others.
///
/// # Examples
///
/// ```
/// use process_registry::{Child, Global, Local, Registry};
///
/// let registry: Registry<&str, u32> = Registry::new("node-a");
/// registry.insert("worker", Child::new("spec").on("node-b", 1).on("node-a", 2));
///
/// let bindings = vec![("node-b".into(), 1), ("node-a".into(), 2)];
/// assert_eq!(registry.process_list(Global), [("worker".into(), bindings)]);
/// assert_eq!(registry.process_list(Local), [("worker".into(), 2)]);
/// ```
pub trait Scope: sealed::List + fmt::Debug {
    /// What is listed of each child.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{ChildId, Local, Registry, Scope};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// let pids: Vec<<Local as Scope>::Item<ChildId, u32>> = registry.process_list(Local);
    /// assert_eq!(pids, [] as [(ChildId, u32); 0]);
    /// ```
    type Item<K, P>;
}

/// Every child with all its bindings.
///
/// # Examples
///
/// ```
/// # use process_registry::{Child, Global, Registry};
/// # let registry: Registry<&str, u32> = Registry::new("node-a");
/// registry.insert("worker", Child::new("spec").on("node-b", 1));
/// assert_eq!(registry.process_list(Global).len(), 1);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Global;

/// Every child that is bound to the local node, with its pid there.
///
/// # Examples
///
/// ```
/// # use process_registry::{Child, Local, Registry};
/// # let registry: Registry<&str, u32> = Registry::new("node-a");
/// registry.insert("worker", Child::new("spec").on("node-b", 1));
/// assert_eq!(registry.process_list(Local), []);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Local;

impl Scope for Global {
    type Item<K, P> = (K, Vec<(Node, P)>);
}

impl Scope for Local {
    type Item<K, P> = (K, P);
}

/// An id and all its bindings, copied from an entry that is kept.
pub(crate) fn id_and_bindings<S, P: Clone, M, K: Clone>(
    entry: &OwnedEntry<S, P, M, K>,
) -> (K, Vec<(Node, P)>) {
    (entry.id().clone(), entry.bindings().to_vec())
}

pub(crate) mod sealed {
    use super::*;

    /// How a scope is listed.
    pub trait List {
        /// The items; [`Scope::Item`] says what they are.
        fn list<S, P: Clone, M, K: Hash + Eq + Clone, H>(
            registry: &Registry<S, P, M, K, H>,
        ) -> Vec<<Self as Scope>::Item<K, P>>
        where
            Self: Scope;
    }

    impl List for Global {
        fn list<S, P: Clone, M, K: Hash + Eq + Clone, H>(
            registry: &Registry<S, P, M, K, H>,
        ) -> Vec<(K, Vec<(Node, P)>)> {
            let entries = keep(registry.pin().iter());
            copied(entries, |entry| Some(id_and_bindings(entry)))
        }
    }

    impl List for Local {
        fn list<S, P: Clone, M, K: Hash + Eq + Clone, H>(
            registry: &Registry<S, P, M, K, H>,
        ) -> Vec<(K, P)> {
            let node = &registry.local_node;
            let entries = keep(registry.pin().children_on(node));
            copied(entries, |entry| Some((entry.id().clone(), entry.pid_on(node)?.clone())))
        }
    }
}
