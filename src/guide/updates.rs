//! Changing a child while others change it too.
//!
//! Entries are immutable. Whoever changes a child publishes another entry in the place of the one that
//! it has seen, in one atomic step, **if that one is still there**; else it looks again. Nobody waits,
//! and no change is lost.
//!
//! # Which operation
//!
//! | you want to | take | runs your closure | clones |
//! |---|---|---|---|
//! | replace all of it, whatever is there | [`insert`] | | nothing |
//! | insert only if the id is free | [`try_insert`], [`get_or_insert_with`], [`register`] | at most once | nothing; `register` the id |
//! | edit what is there | [`update`] | once per attempt, unpinned | `S`, `P`, `M` per attempt |
//! | edit it, or give up | [`try_update`] | the same | the same |
//! | set the pid of a node | [`rebind`] | | the same |
//! | insert, replace or remove by what is there | [`compute`] | once per attempt, under a pin | nothing by itself |
//! | remove it if it is still the one you mean | [`delete_if`] | once per attempt, under a pin | nothing |
//!
//! `update`, `try_update`, `rebind` and a `compute` that puts something over a live child carry its
//! [incarnation](crate::Entry::incarnation) and [deadline](super::expiry) on and add one to its
//! [version](crate::Entry::version). `insert` begins a new incarnation. Of these, `insert`,
//! `try_insert`, `register`, `rebind` and `delete_if` can fire [hooks](super::hooks).
//!
//! # What `update` does
//!
//! 1. It takes the current entry, by its count. None, or an empty one: [`NoChild`].
//! 2. It clones the child and lets your closure edit the copy. No pin is held, nobody waits.
//! 3. It publishes the copy if that entry is still current; else it begins again with the newer one.
//!
//! Then it returns what the closure returned when it ran last.
//!
//! ```
//! use process_registry::{Child, Registry};
//!
//! let registry: Registry<&str, u64> = Registry::new("node-a");
//! registry.insert("counter", Child::new("spec").on("node-a", 0));
//! std::thread::scope(|scope| {
//!     for _ in 0..4 {
//!         scope.spawn(|| {
//!             for _ in 0..250 {
//!                 let count = |child: &mut Child<&str, u64>| {
//!                     let next = child.pid_on("node-a").copied().unwrap_or(0) + 1;
//!                     child.bind("node-a", next);
//!                 };
//!                 registry.update("counter", count).unwrap();
//!             }
//!         });
//!     }
//! });
//! assert_eq!(registry.get_pid("counter"), Some(1000));
//! assert_eq!(registry.lookup("counter").unwrap().version(), 1001);
//! ```
//!
//! # The closure may run again
//!
//! So it should do nothing but edit. What it does besides happens once per attempt; an attempt that
//! came to nothing cannot be taken back. Compute before the call what does not depend on the child,
//! return what you want to know, and act on it afterwards. Here a conflict is made on purpose:
//!
//! ```
//! # use process_registry::{Child, Registry};
//! # let registry: Registry<&str, u32> = Registry::new("node-a");
//! registry.insert("worker", Child::new("spec").on("node-a", 1));
//!
//! let mut runs = 0;
//! let bound = registry.update("worker", |child| {
//!     runs += 1;
//!     if runs == 1 {
//!         registry.rebind("worker", "node-b", 2).unwrap(); // somebody is faster
//!     }
//!     child.add_tag("seen");
//!     child.bindings().len()
//! })?;
//!
//! assert_eq!(runs, 2);
//! assert_eq!(bound, 2); // the second run has seen the other's change
//! assert!(registry.lookup("worker").unwrap().has_tag("seen"));
//! # Ok::<(), process_registry::NoChild>(())
//! ```
//!
//! As this shows, the closure may call anything on the registry, and on the same id. A closure that
//! changes its own id **every** time it runs never comes to an end, of course: it is its own rival.
//!
//! # Contention
//!
//! An attempt fails only because another write of the same id has succeeded, so somebody always gets
//! on. But one that takes long may lose many times while many threads hammer one id. Then:
//!
//! - keep the closure short, and the clone cheap: an `Arc` around what is big;
//! - keep what changes all the time out of the entry, for instance as an atomic that all versions
//!   [share](super::ids#tags-or-metadata);
//! - ask yourself whether one child for all is what you want.
//!
//! Writes of different ids never make each other's closures run again, whatever tags they share.
//!
//! # Giving up
//!
//! [`try_update`] publishes nothing if the closure fails. That is also the way to change something
//! only if there is something to change; `update` always publishes a new version.
//!
//! ```
//! use process_registry::{Child, Registry, UpdateError};
//!
//! let registry: Registry<&str, u32> = Registry::new("node-a");
//! registry.insert("worker", Child::new("spec").on("node-a", 1).tag("idle"));
//!
//! let claim = |child: &mut Child<&str, u32>| {
//!     if child.remove_tag("idle") { Ok(()) } else { Err("busy") }
//! };
//! assert_eq!(registry.try_update("worker", claim), Ok(()));
//! assert_eq!(registry.try_update("worker", claim), Err(UpdateError::Failed("busy")));
//! assert_eq!(registry.try_update("nobody", claim), Err(UpdateError::NoChild));
//! assert_eq!(registry.lookup("worker").unwrap().version(), 2);
//! ```
//!
//! A child whose last binding is taken away by an update becomes a *pending* one: an empty entry,
//! which `update` does not find any more, and which `insert`, `try_insert` or `compute` fill.
//!
//! # By what is there
//!
//! [`compute`] asks one closure about everything: an entry, an empty entry, or none. The closure sees
//! the [`Entry`](crate::Entry) itself, with incarnation and version, so it can compare. It runs under
//! the pin of the call and should be short. It hands over a whole [`Child`](crate::Child), and clones
//! of the entry what it wants to keep.
//!
//! ```
//! use process_registry::{Child, Decision, Registry};
//!
//! let registry: Registry<String, u32> = Registry::new("node-a");
//! registry.insert("worker", Child::new(String::from("v1")).on("node-a", 1));
//! let seen = registry.get_owned("worker").unwrap();
//!
//! // Replace it, but only what was seen.
//! let swap = |pid: u32| {
//!     let seen = (seen.incarnation(), seen.version());
//!     move |current: Option<&process_registry::Entry<String, u32>>| match current {
//!         Some(entry) if (entry.incarnation(), entry.version()) == seen => {
//!             Decision::Put(Child::new(entry.spec().clone()).on("node-a", pid))
//!         }
//!         _ => Decision::Keep,
//!     }
//! };
//! assert_eq!(registry.compute("worker", swap(2)).unwrap().pid(), Some(&2));
//! assert_eq!(registry.compute("worker", swap(3)).unwrap().pid(), Some(&2));
//! ```
//!
//! To remove exactly what you have seen, ask for its incarnation; its successor stays:
//!
//! ```
//! # use process_registry::{Child, Registry};
//! # let registry: Registry<&str, u32> = Registry::new("node-a");
//! registry.insert("worker", Child::new("spec").on("node-a", 1));
//! let dead = registry.get_owned("worker").unwrap();
//! registry.insert("worker", Child::new("spec").on("node-a", 2)); // restarted meanwhile
//! let removed = registry.delete_if(dead.id(), |entry| entry.incarnation() == dead.incarnation());
//! assert!(removed.is_none() && registry.contains("worker"));
//! ```
//!
//! A [`Registration`](crate::Registration) does that by itself when it is dropped.
//!
//! # Panics
//!
//! A closure that panics changes nothing and poisons nothing; the panic goes on to the caller.
//!
//! ```
//! # use process_registry::{Child, Registry};
//! # use std::panic::{AssertUnwindSafe, catch_unwind};
//! # let registry: Registry<&str, u32> = Registry::new("node-a");
//! registry.insert("worker", Child::new("spec").on("node-a", 1));
//! let result = catch_unwind(AssertUnwindSafe(|| {
//!     registry.update("worker", |child| {
//!         child.unbind_all();
//!         panic!("changed my mind");
//!     })
//! }));
//! assert!(result.is_err());
//! assert_eq!(registry.get_pid("worker"), Some(1));
//! assert!(registry.rebind("worker", "node-a", 2).is_ok());
//! ```
//!
//! # Several children
//!
//! An operation on several ids is a sequence of steps, one for each id, and others see what lies
//! between. If several have to change together, they are one child.
//!
//! [`compute`]: crate::Registry::compute
//! [`delete_if`]: crate::Registry::delete_if
//! [`get_or_insert_with`]: crate::Registry::get_or_insert_with
//! [`insert`]: crate::Registry::insert
//! [`NoChild`]: struct@crate::NoChild
//! [`rebind`]: crate::Registry::rebind
//! [`register`]: crate::Registry::register
//! [`try_insert`]: crate::Registry::try_insert
//! [`try_update`]: crate::Registry::try_update
//! [`update`]: crate::Registry::update
