//! The guide: how to use a registry well, one subject a chapter.
//!
//! The pages of the types say what each function does. These chapters say which one to take, and
//! what to expect of it. They can be read in any order. Every block of Rust on them is a test that
//! runs with all the others, but for the foreign code that [`migration`] starts from.
//!
//! | chapter | it answers |
//! |---|---|
//! | [`ids`] | Which types to choose for ids, specifications, pids and metadata, and which hasher? |
//! | [`pins`] | [`Pinned`], [`EntryRef`] or [`OwnedEntry`]: what to hold, for how long, and what it costs? |
//! | [`updates`] | How is a child changed while others change it too? |
//! | [`hooks`] | Who is told of a registration, when, and in which order? |
//! | [`expiry`] | How do children expire, how is a lease kept, how is that tested without sleeping? |
//! | [`queries`] | How are children counted, listed and found by tag and node, and what is guaranteed? |
//! | [`memory`] | When is memory freed, when do destructors run, and what does a long pin cost? |
//! | [`observing`] | Which figures and events are there, and how is a pin that is stuck found? |
//! | [`migration`] | How to come from a `DashMap` with index maps beside it, and which races go away? |
//! | [`process_hub`] | Where is each function of ProcessHub's `ProcessRegistry`, and what differs? |
//!
//! # In short
//!
//! - Use [`Registry`](crate::Registry) for single operations and [`Registry::pin`] for loops.
//! - Keep pins short. Keep entries as [`OwnedEntry`].
//! - Put an `Arc` around a specification that is large and a child that changes.
//! - Let the closure of [`update`](crate::Registry::update) do nothing but edit: it may run again.
//! - Ask for a group by tag or node; walk the whole registry only when you want all of it.
//! - Do not rely on prompt destructors: they run after the last older pin has ended.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//! use process_registry::{Child, NoChild, Registry};
//!
//! // A specification in an `Arc`, an OS pid, no metadata, string ids.
//! let registry: Arc<Registry<Arc<str>, u32>> = Arc::new(Registry::new("node-a"));
//! let spec: Arc<str> = "serve".into();
//! let child = |pid| Child::new(Arc::clone(&spec)).on("node-a", pid).tag("web");
//!
//! registry.insert("w1", child(1)); // whatever is there
//! registry.insert("w2", child(2).ttl(Duration::from_secs(60))); // for a minute
//! let lease = registry.register("w3", child(3)).unwrap(); // until it is dropped
//!
//! registry.update("w1", |child| child.bind("node-b", 4))?; // an edit, retried on conflict
//! assert_eq!(registry.get_pids("w1"), [1, 4]);
//!
//! let pinned = registry.pin(); // one pin for a loop
//! assert_eq!(pinned.match_tag("web").count(), 3);
//! assert_eq!(pinned.children_on("node-b").count(), 1);
//! drop(pinned);
//!
//! let kept = registry.get_owned("w2").unwrap(); // to keep
//! drop(lease);
//! registry.delete("w2");
//! assert_eq!((registry.len(), kept.pid()), (1, Some(&2)));
//! # Ok::<(), NoChild>(())
//! ```
//!
//! How the registry works inside is on the [`design`](crate::design) page.
//!
//! [`Pinned`]: crate::Pinned
//! [`EntryRef`]: crate::EntryRef
//! [`OwnedEntry`]: crate::OwnedEntry
//! [`Registry::pin`]: crate::Registry::pin

pub mod expiry;
pub mod hooks;
pub mod ids;
pub mod memory;
pub mod migration;
pub mod observing;
pub mod pins;
pub mod process_hub;
pub mod queries;
pub mod updates;
