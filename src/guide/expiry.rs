//! Children that expire: deadlines, leases, tombstones, the janitor, and tests of them.
//!
//! An entry is permanent unless it is given a time to live. From the moment its deadline has passed
//! **it is absent for every operation that begins**, whether it has been removed or not. Removing it is
//! a matter of memory alone: nothing has to run in time for lookups to be right.
//!
//! ```
//! use std::time::Duration;
//! use process_registry::{Child, Clock, ManualClock, Registry};
//!
//! let time = ManualClock::new();
//! let registry: Registry<&str, u32> =
//!     Registry::builder("node-a").clock(Clock::Manual(time.clone())).build();
//!
//! registry.insert("session", Child::new("spec").on("node-a", 1).ttl(Duration::from_secs(30)));
//! time.advance(Duration::from_secs(29));
//! assert!(registry.contains("session"));
//! time.advance(Duration::from_secs(1));
//! assert!(!registry.contains("session")); // absent,
//! assert_eq!(registry.len(), 1); // though not swept yet: counts do not read the clock
//! assert_eq!(registry.purge_expired(), 1);
//! assert_eq!(registry.len(), 0);
//! ```
//!
//! # Setting a deadline
//!
//! A child carries its time to live, by [`Child::ttl`](crate::Child::ttl); that of
//! [`WriteOptions::ttl`](crate::WriteOptions::ttl) outranks it. It is counted from the write on. One
//! that is longer than the clock can count is cut to its last moment, some 584 years ahead.
//!
//! | operation | a child without a ttl | a child with one |
//! |---|---|---|
//! | `insert`, `try_insert`, `register`, `get_or_insert_with` | permanent | expires after it |
//! | `bulk_insert` where nothing or an empty entry is | permanent | expires after it |
//! | `bulk_insert` into a live entry | deadline stays | deadline stays |
//! | `compute` that puts over a live entry | deadline stays | expires after it |
//! | `compute` that puts where nothing or an empty entry is | permanent | expires after it |
//! | `update`, `try_update` | deadline stays | (`set_ttl`) expires after it |
//! | `rebind` | deadline stays | |
//! | `bulk_delete` that leaves bindings | deadline stays | |
//! | `bulk_delete` that leaves none | a tombstone: expires soon | |
//!
//! So an update does not make a lease immortal. [`make_permanent`](crate::Child::make_permanent) does.
//!
//! ```
//! # use std::time::Duration;
//! # use process_registry::{Child, Registry};
//! # let registry: Registry<&str, u32> = Registry::new("node-a");
//! let deadline = || registry.lookup("session").unwrap().deadline();
//! registry.insert("session", Child::new("spec").on("node-a", 1).ttl(Duration::from_secs(30)));
//! let first = deadline();
//! registry.rebind("session", "node-a", 2)?;
//! assert_eq!(deadline(), first);
//! registry.update("session", |child| child.set_ttl(Duration::from_secs(60)))?;
//! assert!(deadline() > first);
//! registry.update("session", |child| child.make_permanent())?;
//! assert_eq!(deadline(), None);
//! # Ok::<(), process_registry::NoChild>(())
//! ```
//!
//! # Leases
//!
//! [`Registry::register`](crate::Registry::register) returns a [`Registration`](crate::Registration),
//! which removes its child when it is dropped. With a ttl the child also goes if its owner is stuck,
//! and then somebody else may have the id. The owner renews it in time, and learns from the error when
//! it was too late. It can never renew or remove what is another's by now:
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//! use process_registry::{Child, Clock, ManualClock, Registry};
//!
//! const TTL: Duration = Duration::from_secs(10);
//!
//! let time = ManualClock::new();
//! let registry: Arc<Registry<&str, u32>> =
//!     Arc::new(Registry::builder("node-a").clock(Clock::Manual(time.clone())).build());
//!
//! let first = registry.register("leader", Child::new("spec").on("node-a", 1).ttl(TTL)).unwrap();
//! time.advance(TTL / 2);
//! assert!(first.renew(TTL).is_ok()); // a heartbeat
//! assert!(registry.register("leader", Child::new("spec").on("node-b", 2)).is_err());
//!
//! time.advance(TTL); // the first one is stuck
//! let second = registry.register("leader", Child::new("spec").on("node-b", 2).ttl(TTL)).unwrap();
//! assert!(first.renew(TTL).is_err()); // and learns that it has lost
//! drop(first);
//! assert!(second.is_current());
//! ```
//!
//! Heartbeats of children without a `Registration` are updates:
//! `registry.update(id, |child| child.set_ttl(TTL))`.
//!
//! # Tombstones
//!
//! [`bulk_delete`](crate::Registry::bulk_delete) takes bindings away. A child that has none left is not
//! removed at once: an empty entry stays for 30 seconds, or
//! [as configured](crate::Builder::tombstone_ttl), with specification, tags and metadata. Lookups and
//! queries do not show it; [`entry_exists`](crate::Registry::entry_exists) and
//! [`dump_all`](crate::Registry::dump_all) do. So a registration that is on its way can be told from
//! one of an id that never was. Any write that stores a child revives the id, in a new incarnation.
//!
//! ```
//! use std::time::Duration;
//! use process_registry::{Child, Clock, ManualClock, Registry};
//!
//! let time = ManualClock::new();
//! let registry: Registry<&str, u32> =
//!     Registry::builder("node-a").clock(Clock::Manual(time.clone())).build();
//! registry.insert("worker", Child::new("spec").on("node-a", 1).tag("pool"));
//! registry.bulk_delete([("worker", ["node-a"])]);
//! assert!(!registry.contains("worker") && registry.entry_exists("worker"));
//! assert_eq!(registry.tag_len("pool"), 0); // an empty entry is in no index
//!
//! registry.bulk_insert([("worker", Child::new("spec").on("node-b", 2))]); // moved
//! time.advance(Duration::from_secs(60));
//! assert_eq!(registry.get_pid("worker"), Some(2)); // permanent again
//!
//! registry.bulk_delete([("worker", ["node-b"])]);
//! time.advance(Duration::from_secs(30));
//! assert!(!registry.entry_exists("worker"));
//! ```
//!
//! # Sweeping
//!
//! | | what it does |
//! |---|---|
//! | [`purge_expired`](crate::Registry::purge_expired) | removes all that has expired, in order of time, without looking at the rest; frees what is due; returns how many there were |
//! | [`Janitor::spawn`](crate::Janitor::spawn) | a thread that does so at an interval, until it is dropped or the registry is gone |
//! | [`delete_if_expired`](crate::Registry::delete_if_expired) | the same for one id |
//! | a write of the id | removes what it finds expired, in passing |
//!
//! What was renewed in time stays, however close it was. No sweep fires hooks. Call `purge_expired`
//! from a timer of your own if you have one; else take a janitor, which observes the registry and
//! does not keep it alive:
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//! use process_registry::{Child, Janitor, Registry};
//!
//! let registry: Arc<Registry<&str, u32>> = Arc::new(Registry::new("node-a"));
//! let janitor = Janitor::spawn(Arc::clone(&registry), Duration::from_millis(1));
//! registry.insert("brief", Child::new("spec").on("node-a", 1).ttl(Duration::from_millis(1)));
//! while registry.len_all() > 0 {
//!     std::thread::yield_now();
//! }
//! assert_eq!(janitor.stop(), None); // no destructor has panicked
//! ```
//!
//! # What it costs
//!
//! An entry without a deadline costs nothing: neither a clock reading nor a place in the index of
//! deadlines. One that has a deadline costs a clock reading per lookup, and a step in an ordered index and
//! another lookup when the deadline is set, made earlier or taken away, or the entry goes: that is the one
//! place in this crate where a write may wait, for a moment, for another. Renewing to a later time leaves
//! the index alone; the sweep puts it right when the old time comes.
//!
//! So a lease that was renewed and ends before its first deadline leaves that in the index until the time has
//! come and a sweep comes by; and so does each deadline that was shortened to and moved away again. It takes 30
//! bytes if most leases are like that, and up to 500 if few are, for it keeps its part of the index from being
//! freed: a hundred a second with an hour each, of leases that are all renewed, take 11 megabytes. A program
//! that gives deadlines and never sweeps keeps what has expired, and these.
//!
//! # Threads that end
//!
//! A destructor of a thread-local variable may find the index of deadlines out of use, because what it keeps
//! for the thread has been destroyed already. What such a destructor stores with a deadline is absent once
//! that has passed, but `purge_expired` does not find it; a write of its id then removes it, and so do `retain`
//! and `clear_all`. To find that out a panic is caught inside, so a program that is built with
//! `panic = "abort"` and has another user of `scc` in it should not store or remove children with deadlines in
//! such destructors.
//!
//! # Tests without sleeping
//!
//! Build the registry with [`Clock::Manual`](crate::Clock::Manual) and turn the clock by
//! [`advance`](crate::ManualClock::advance), as on this page. Time stands still otherwise, so what a
//! test asserts does not depend on the speed of the machine. One clock may serve several registries.
//! A janitor waits by the system's clock all the same: in a test, call `purge_expired`.
