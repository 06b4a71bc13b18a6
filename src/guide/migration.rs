//! Coming from a `DashMap` with index maps beside it.
//!
//! A map by id, a map from tag to ids, a map from node to ids: that is how it usually begins. Each map
//! is sound; the races are between them.
//!
//! # Before
//!
//! ```ignore (needs the crate dashmap, on which this one does not depend)
//! use std::collections::HashSet;
//! use dashmap::DashMap;
//!
//! #[derive(Clone)]
//! struct Worker {
//!     command: String,
//!     node: String,
//!     pid: u32,
//!     tags: Vec<String>,
//! }
//!
//! #[derive(Default)]
//! struct Workers {
//!     by_id: DashMap<String, Worker>,
//!     by_tag: DashMap<String, HashSet<String>>,
//!     by_node: DashMap<String, HashSet<String>>,
//! }
//!
//! impl Workers {
//!     fn start(&self, id: &str, worker: Worker) -> bool {
//!         if self.by_id.contains_key(id) {
//!             return false;
//!         }
//!         // (1) two callers may be here with the same id
//!         for tag in &worker.tags {
//!             self.by_tag.entry(tag.clone()).or_default().insert(id.to_owned());
//!         }
//!         self.by_node.entry(worker.node.clone()).or_default().insert(id.to_owned());
//!         // (2) the indexes name an id that is not there yet
//!         self.by_id.insert(id.to_owned(), worker);
//!         true
//!     }
//!
//!     fn stop(&self, id: &str) {
//!         if let Some((_, worker)) = self.by_id.remove(id) {
//!             // (3) `start` may have put the id back by now, and loses its index entries here
//!             for tag in &worker.tags {
//!                 if let Some(mut ids) = self.by_tag.get_mut(tag) {
//!                     ids.remove(id); // (4) an empty set stays for ever
//!                 }
//!             }
//!             if let Some(mut ids) = self.by_node.get_mut(&worker.node) {
//!                 ids.remove(id);
//!             }
//!         }
//!     }
//!
//!     fn move_to(&self, id: &str, node: &str, pid: u32) {
//!         if let Some(mut worker) = self.by_id.get_mut(id) {
//!             // (5) a lock of one map is held while those of another are taken
//!             if let Some(mut ids) = self.by_node.get_mut(&worker.node) {
//!                 ids.remove(id);
//!             }
//!             self.by_node.entry(node.to_owned()).or_default().insert(id.to_owned());
//!             worker.node = node.to_owned();
//!             worker.pid = pid;
//!         }
//!     }
//!
//!     fn tagged(&self, tag: &str) -> Vec<(String, u32)> {
//!         let ids = self.by_tag.get(tag).map(|ids| ids.clone()).unwrap_or_default();
//!         // (6) each of them may have gone or lost the tag by now
//!         let workers = ids.into_iter().filter_map(|id| {
//!             let worker = self.by_id.get(&id)?;
//!             Some((id, worker.pid))
//!         });
//!         workers.collect()
//!     }
//!
//!     fn lost(&self, node: &str) {
//!         // (7) who starts there meanwhile is dropped from the index, and stays in `by_id`
//!         if let Some((_, ids)) = self.by_node.remove(node) {
//!             for id in ids {
//!                 self.stop(&id);
//!             }
//!         }
//!     }
//! }
//! ```
//!
//! # After
//!
//! The same functions. The indexes are kept by the registry, in the same atomic step as the entry:
//!
//! ```
//! use process_registry::{Child, Registry};
//!
//! type Workers = Registry<String, u32>;
//!
//! fn start(workers: &Workers, id: &str, child: Child<String, u32>) -> bool {
//!     workers.try_insert(id, child).is_ok()
//! }
//!
//! fn stop(workers: &Workers, id: &str) {
//!     workers.delete(id);
//! }
//!
//! fn move_to(workers: &Workers, id: &str, node: &str, pid: u32) {
//!     let moved = workers.update(id, |child| {
//!         child.unbind_all();
//!         child.bind(node, pid);
//!     });
//!     let _ = moved; // an error if it has stopped meanwhile
//! }
//!
//! fn tagged(workers: &Workers, tag: &str) -> Vec<(String, u32)> {
//!     let pinned = workers.pin();
//!     let tagged = pinned.match_tag(tag);
//!     tagged.filter_map(|entry| Some((entry.id().to_string(), *entry.pid()?))).collect()
//! }
//!
//! fn lost(workers: &Workers, node: &str) {
//!     workers.remove_node(node);
//! }
//!
//! let workers = Workers::new("node-a");
//! let worker = |pid| Child::new(String::from("serve")).on("node-a", pid).tag("web");
//! assert!(start(&workers, "w1", worker(1)));
//! assert!(!start(&workers, "w1", worker(2)));
//!
//! // Starts, stops and moves at once; whoever asks gets answers that fit together.
//! std::thread::scope(|scope| {
//!     let mover = scope.spawn(|| {
//!         for round in 0..500 {
//!             move_to(&workers, "w1", ["node-a", "node-b"][round % 2], round as u32);
//!         }
//!     });
//!     scope.spawn(|| {
//!         for _ in 0..500 {
//!             start(&workers, "w2", worker(7));
//!             stop(&workers, "w2");
//!         }
//!     });
//!     while !mover.is_finished() {
//!         // `w1` carries the tag all the time and is never missing, nor there twice.
//!         assert_eq!(tagged(&workers, "web").iter().filter(|(id, _)| id == "w1").count(), 1);
//!         for entry in workers.pin().children_on("node-b") {
//!             assert!(entry.pid_on("node-b").is_some());
//!         }
//!     }
//! });
//!
//! assert_eq!(workers.node_len("node-b"), 1);
//! lost(&workers, "node-b");
//! assert_eq!(workers.len(), 0);
//! assert!(workers.tags().is_empty() && workers.nodes().is_empty()); // nothing is left behind
//! ```
//!
//! # Which races go away
//!
//! | | before | after |
//! |---|---|---|
//! | 1 | two callers both find an id free | `try_insert` lets one in and hands the child back to the other |
//! | 2 | an index names what the map has not, or the reverse | one step for the id, the tags and the nodes |
//! | 3 | a late `stop` takes the index entries of the successor | an entry takes its own places with it; to spare a successor altogether, [`delete_if`](crate::Registry::delete_if) its incarnation, or hold a [`Registration`](crate::Registration) |
//! | 4 | sets that nobody is in stay | a set goes with its last member |
//! | 5 | whoever takes two locks the other way round, or holds a guard across a call or `.await` that wants it, deadlocks | there are no locks to hold |
//! | 6 | a query by tag returns what has not got the tag | what is returned carried it at some instant of the call |
//! | 7 | a node's last children slip through | `remove_node` asks the index entry by entry; what was bound during the whole call has gone |
//!
//! # Operation by operation
//!
//! | `DashMap` | here | |
//! |---|---|---|
//! | `insert` | [`insert`](crate::Registry::insert) | returns the old entry, not a copy |
//! | `get` | [`lookup`](crate::Registry::lookup), [`Pinned::lookup`](crate::Pinned::lookup) | no lock; never waits |
//! | `get_mut`, `alter` | [`update`](crate::Registry::update) | edits a copy; the closure may run again |
//! | `entry(..).or_insert_with` | [`get_or_insert_with`](crate::Registry::get_or_insert_with) | |
//! | `entry(..)` with `and_modify`, `remove` | [`compute`](crate::Registry::compute) | one closure, in one atomic step |
//! | `remove`, `remove_if` | [`delete`](crate::Registry::delete), [`delete_if`](crate::Registry::delete_if) | the entry is dropped later |
//! | `contains_key`, `len`, `is_empty` | [`contains`](crate::Registry::contains), [`len`](crate::Registry::len), [`is_empty`](crate::Registry::is_empty) | counting takes constant time |
//! | `iter` | [`Pinned::iter`](crate::Pinned::iter) | keeps nobody from writing |
//! | `iter_mut`, `alter_all` | `iter`, and an `update` for each id | not one step together |
//! | `retain`, `clear` | [`retain`](crate::Registry::retain), [`clear_all`](crate::Registry::clear_all) | |
//! | `shrink_to_fit`, `capacity` | [`shrink_to_fit`](crate::Registry::shrink_to_fit), [`capacity`](crate::Registry::capacity) | |
//! | a map from tag to ids | [`Child::tag`](crate::Child::tag), [`match_tag`](crate::Registry::match_tag), [`tag_len`](crate::Registry::tag_len) | |
//! | a map from node to ids | [`Child::on`](crate::Child::on), [`children_on`](crate::Registry::children_on), [`remove_node`](crate::Registry::remove_node) | |
//! | a task that deletes what is old | [`Child::ttl`](crate::Child::ttl), [`Janitor`](crate::Janitor) | |
//!
//! # What you give up
//!
//! - **Changing in place.** A change copies the child: `update` asks for `Clone`, and an `Arc` around
//!   what is big.
//! - **Memory.** An entry is larger than a bare value, and what is removed is
//!   [freed later](super::memory).
//! - **Destructors at once.** They run when the last old pin is gone.
//!
//! If the id is all you ever ask for, stay with a map.
