//! A lock-free, in-process process registry: children by id, by tag and by node.
//!
//! A [`Registry`] maps a child's id to one immutable [`Entry`]: its specification, where it runs
//! as `(node, pid)` bindings, its tags, and metadata of your own. Any number of threads look
//! children up, by id, by [tag](Registry::match_tag) and by [node](Registry::children_on), while
//! others insert, update and delete them. No read ever waits for another thread, and no write does but
//! for the index of deadlines, when one is set or cleared.
//!
//! ```
//! use process_registry::{Child, NoChild, Registry};
//!
//! # fn main() -> Result<(), NoChild> {
//! let registry: Registry<&str, u32> = Registry::new("node-a");
//! registry.insert("session-42", Child::new("serve").on("node-a", 4711).tag("sessions"));
//!
//! assert_eq!(registry.get_pid("session-42"), Some(4711));
//! registry.update("session-42", |child| child.bind("node-a", 4712))?; // retried on conflict
//! for entry in registry.pin().match_tag("sessions") {
//!     println!("{} runs on {:?}", entry.id(), entry.bindings());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # A tour
//!
//! - [`Registry`]: every operation on it pins by itself. What is found is an [`EntryRef`], an
//!   entry together with its pin, or an [`OwnedEntry`], which may be kept for ever.
//! - [`Pinned`]: one pin for many operations, which is the fast path: entries are borrowed,
//!   batches of lookups overlap their cache misses, queries are iterators.
//! - [`Child`]: the owned value that is written, and that [`Registry::update`] edits.
//! - [`Registration`]: a child that is registered for as long as somebody holds on to it: a lease
//!   whose drop removes it, and nothing else.
//! - [`Hooks`]: handlers that hear of registrations, handed to the operations that shall fire
//!   them.
//! - [`Janitor`]: a thread that removes what has expired.
//!
//! # What a pin is
//!
//! Reading takes a *pin*, the guard of an epoch: while you hold it, nothing that you have found is
//! freed. It is not a lock. It blocks nobody and cannot deadlock; but a pin that is held for long holds
//! back the memory of everything that is removed meanwhile, in every registry of the process. To keep
//! an entry, [`share`](Entry::share) it.
//!
//! # More
//!
//! The [`guide`] has a chapter on each subject: which types to choose, what to hold and for how long,
//! updates and their retries, hooks, expiry, queries, memory, and how to come from a `DashMap` with
//! index maps or from ProcessHub.
//!
//! # Features
//!
//! None is on by default.
//!
//! - `huge-pages`: the big tables of a registry can ask for huge pages, on Linux: `Builder::huge_pages`
//!   has the details.
//! - `metrics`: the figures of a registry at a moment, to be exported: its sizes, and how much garbage
//!   waits for how long, which shows a pin that is stuck. See [`guide::observing`].
//! - `serde`: a registry can be saved by any format that serde has, and restored: `Snapshot` has the
//!   details.
//! - `tracing`: subscribers of that crate are told of resizes, purges, sweeps, and panics of handlers.
//!   See [`guide::observing`].
//!
//! # How it works
//!
//! The [`design`] page has the protocol, its invariants, the ordering of every atomic and the
//! linearization point of every operation.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod amend;
mod builder;
mod bulk;
mod child;
mod clock;
pub mod design;
mod entry;
mod error;
mod expiry;
mod filing;
#[cfg(any(doc, doctest))]
pub mod guide;
mod hooks;
mod iter;
mod janitor;
#[cfg(feature = "metrics")]
mod metrics;
mod name;
mod panics;
mod pinned;
#[cfg(test)]
mod probe;
mod query;
mod raw;
mod registration;
mod registry;
mod scope;
#[cfg(feature = "serde")]
mod snapshot;
mod state;
mod striped;
mod sweep;
mod sync;
mod trace;
mod write;

pub use equivalent::Equivalent;

#[cfg(any(process_registry_loom, process_registry_shuttle))]
#[doc(hidden)]
pub use self::raw::model_api as __model;

pub use self::amend::Decision;
pub use self::builder::Builder;
pub use self::child::{Child, Pids};
pub use self::clock::{Clock, ManualClock};
pub use self::entry::{Entry, EntryRef, OwnedEntry};
pub use self::error::{DuplicateHandlers, NoChild, Occupied, Taken, UpdateError};
pub use self::hooks::{Event, Handler, HookKey, Hooks, WriteOptions};
pub use self::iter::{ByNode, ByTag, GetMany, Iter};
pub use self::janitor::Janitor;
#[cfg(feature = "metrics")]
#[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
pub use self::metrics::Metrics;
pub use self::name::{ChildId, IntoId, Node, Tag};
pub use self::pinned::Pinned;
pub use self::registration::Registration;
pub use self::scope::{Global, Local, Scope};
#[cfg(feature = "serde")]
#[cfg_attr(docsrs, doc(cfg(feature = "serde")))]
pub use self::snapshot::{IntoChildren, Snapshot};
pub use self::state::Registry;
#[cfg(process_registry_failpoints)]
#[doc(hidden)]
pub use self::sync::failpoint;

/// The README's example runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
