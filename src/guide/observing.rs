//! Observing: what a registry tells of itself, and how a pin that is stuck is found.
//!
//! Two features, each by itself, neither on by default. Without them nothing of this is compiled.
//!
//! # Figures
//!
//! With the feature `metrics`, `Registry::metrics` returns the figures of the moment as a plain struct,
//! `Metrics`: how many entries, tags and nodes, how large the table, how much garbage and how old. It
//! counts nothing by itself, and exports nothing: call it at an interval, and hand on what you want by
//! whatever you export with.
//!
//! ```
//! # #[cfg(feature = "metrics")] {
//! use process_registry::{Child, Registry};
//!
//! let registry: Registry<&str, u32> = Registry::new("node-a");
//! registry.insert("worker", Child::new("spec").on("node-a", 1).tag("db"));
//! registry.insert("pending", Child::new("spec"));
//!
//! let now = registry.metrics();
//! assert_eq!((now.entries, now.live_entries, now.tags, now.nodes), (2, 1, 1, 1));
//! assert_eq!(now.capacity, registry.capacity());
//! # }
//! ```
//!
//! # A pin that is stuck
//!
//! A pin that somebody keeps is no error, and nobody waits for it; it shows in memory, which is late, and in
//! inserts that take fresh pages. It shows earlier in the age of the oldest garbage. But garbage is freed only
//! by writes, by `collect` and by the sweeps of a [`Janitor`](crate::Janitor): where there are none of these,
//! the age says nothing about pins. **With a janitor, an age of more than two or three of its intervals is a pin that has been held
//! for so long.**
//!
//! ```
//! # #[cfg(feature = "metrics")] {
//! use std::sync::mpsc;
//! use std::time::Duration;
//! use process_registry::{Child, Registry};
//!
//! let registry: Registry<&str, u32> = Registry::new("node-a");
//! std::thread::scope(|scope| {
//!     let (pinned, when_pinned) = mpsc::channel();
//!     let (unpin, when_to_unpin) = mpsc::channel::<()>();
//!     let registry = &registry;
//!     scope.spawn(move || {
//!         let pin = registry.pin();
//!         pinned.send(()).unwrap();
//!         when_to_unpin.recv().unwrap(); // a blocking call under a pin
//!         drop(pin);
//!     });
//!
//!     when_pinned.recv().unwrap();
//!     registry.insert("worker", Child::new("old").on("node-a", 1));
//!     registry.insert("worker", Child::new("new").on("node-a", 2));
//!     std::thread::sleep(Duration::from_millis(20));
//!     registry.collect(); // as the sweep of a janitor does
//!     let now = registry.metrics();
//!     assert_eq!((now.retired, now.due), (1, 0));
//!     assert!(now.oldest_retired.unwrap() >= Duration::from_millis(20));
//!     unpin.send(()).unwrap();
//! });
//!
//! while registry.metrics().retired > 0 {
//!     registry.collect();
//! }
//! assert_eq!(registry.metrics().oldest_retired, None);
//! # }
//! ```
//!
//! # Events
//!
//! With the feature `tracing`, subscribers of the crate of that name are told what happens seldom and may
//! explain something. All events have the target `process_registry`.
//!
//! | message | level | fields | when |
//! |---|---|---|---|
//! | `resize began`, `resize ended` | debug | `node`, `table`, `from`, `to`, `len` | a table grows, is halved, or is rebuilt at its size |
//! | `purged` | debug | `node`, `swept` | at the end of [`purge_expired`](crate::Registry::purge_expired) |
//! | `janitor began`, `janitor ended` | debug | `node`, and `interval` | the first and the last thing its thread does |
//! | `janitor swept` | trace | `node`, `swept` | after each sweep |
//! | `janitor panicked` | error | `node`, `panic` | a destructor has ended a sweep |
//! | `handler panicked` | error | `handler`, `key`, `panic` | for each handler that does |
//!
//! `node` is the [`local_node`](crate::Registry::local_node) of the registry; `table` is `children`,
//! `tags` or `nodes`; `from` and `to` are numbers of buckets, and `len` is the number of entries, tags
//! or nodes; `handler` is the id of the handler, and `key` the [`HookKey`](crate::HookKey) it was called
//! for; `panic` is the message of the panic.
//!
//! Lookups, queries and ordinary writes tell nothing. A subscriber costs the operation that tells it
//! whatever it costs, and nobody else:
//!
//! - It runs in the thread of an operation, after the operation has taken effect, and holds nothing of the
//!   registry: no pin but the caller's own, no lock. It may be slow, and may call the registry.
//! - A resize happens in the midst of writes, under their pins. It is told by the next write that ends
//!   unpinned, whoever makes it, or by a call of `reserve`, `shrink_to_fit` or `collect`. So the time of
//!   the event may be later than that of the resize; and where two threads tell of a beginning and of its
//!   end, the end may come first.
//! - What a subscriber causes by calling a registry, other than resizes, which are told afterwards, is
//!   not told: it might never end.
//! - A panic of a subscriber ends there. The operation returns as if there were no subscriber.
