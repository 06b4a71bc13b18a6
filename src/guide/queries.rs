//! Counting, listing, and finding by tag and node: what is guaranteed, and what it costs.
//!
//! # Who sees what
//!
//! | | live, with or without a deadline | pending | tombstone | expired |
//! |---|---|---|---|---|
//! | lookups, `contains`, `get_many`, `iter`, `dump`, `match_tag`, `children_on`, `update` | yes | no | no | no |
//! | `entry_exists`, `dump_all`, `retain`, `delete`, `delete_if`, `compute` | yes | yes | yes | no |
//! | `len`, `tag_len`, `node_len`, `tags`, `nodes` | yes | no | no | until it is swept |
//! | `len_all` | yes | yes | yes | until it is swept |
//!
//! *Pending* is an empty entry without a deadline, a *tombstone* one with a deadline; both have no
//! bindings and are in no index.
//!
//! # Counting
//!
//! [`len`](crate::Registry::len), [`len_all`](crate::Registry::len_all),
//! [`tag_len`](crate::Registry::tag_len) and [`node_len`](crate::Registry::node_len) take constant
//! time. They are exact while nobody writes, and never negative. While others write, one may already
//! or not yet count what they are at, so do not decide by a count whether an id is there.
//!
//! ```
//! use process_registry::{Child, Registry};
//!
//! let registry: Registry<&str, u32> = Registry::new("node-a");
//! registry.insert("a", Child::new("spec").on("node-a", 1).tag("db").tag("hot"));
//! registry.insert("b", Child::new("spec").on("node-a", 2).on("node-b", 3).tag("db"));
//! registry.insert("c", Child::new("spec").tag("db")); // pending
//!
//! assert_eq!((registry.len(), registry.len_all()), (2, 3));
//! assert_eq!((registry.tag_len("db"), registry.tag_len("hot")), (2, 1));
//! assert_eq!((registry.node_len("node-a"), registry.node_len("node-b")), (2, 1));
//! assert_eq!(registry.tags().len(), 2);
//! ```
//!
//! # Finding
//!
//! Each query comes in two forms. That of [`Pinned`](crate::Pinned) is an iterator of references: it
//! copies nothing, and the pin lasts as long as you iterate. That of
//! [`Registry`](crate::Registry) collects: its pin has ended when it returns, and each id is in it
//! once.
//!
//! | query | iterator | collected as | takes time in proportion to |
//! |---|---|---|---|
//! | entries that carry a tag | `match_tag` | ids and bindings | those that carry it |
//! | entries that carry several tags | `match_all` | ids and bindings | those that carry the rarest of them |
//! | entries bound to a node | `children_on` | owned entries | those bound to it |
//! | entries bound to the local node | `children_on` | `local_data`, `local_children`, `local_child_specs`, `process_list(Local)` | those bound to it |
//! | all that are not empty | `iter`, `for_each` | `dump`, `process_list(Global)`, `for_each` | the size of the table |
//! | all | | `dump_all` | the size of the table |
//! | several ids | `get_many`, `get_many_iter` | `contains_children` | the number of ids |
//!
//! A tag or a node that had many more entries once keeps the array of them until it has none: a query
//! passes by one word of it for each 61 of the most it had. Tables of many more entries once are given
//! back by [`shrink_to_fit`](crate::Registry::shrink_to_fit).
//!
//! An entry is returned whole: one that is found by a node has its other bindings too. There is no
//! order. Tags can be crossed with anything by a filter; begin with the smallest group.
//!
//! ```
//! # use process_registry::{Child, Registry};
//! # let registry: Registry<&str, u32> = Registry::new("node-a");
//! for pid in 0..100 {
//!     let node = if pid % 10 == 0 { "node-b" } else { "node-a" };
//!     let child = Child::new("spec").on(node, pid).tag("pool");
//!     let child = if pid < 50 { child.tag("hot") } else { child };
//!     registry.insert(format!("worker-{pid}"), child);
//! }
//! let pinned = registry.pin();
//! assert_eq!(pinned.match_all(&["pool", "hot"]).count(), 50);
//! assert_eq!(pinned.children_on("node-b").filter(|entry| entry.has_tag("hot")).count(), 5);
//! assert_eq!(registry.children_on("node-b").len(), 10);
//! ```
//!
//! # What is guaranteed
//!
//! A query is not a view of one instant. It says, of all that went on during the call:
//!
//! 1. **What satisfies it during the whole call is returned, exactly once**, however often it is
//!    updated or replaced meanwhile, and even if the table is rebuilt.
//! 2. **What is returned satisfied it at some instant of the call.** An entry found by a tag carries
//!    that tag; indexes cannot disagree with entries.
//! 3. **Each entry is whole**: one version, never a mixture.
//!
//! An entry that is inserted or removed during the call may be in the answer or not. Here every child is changed while it
//! is iterated over; each comes once:
//!
//! ```
//! # use process_registry::{Child, Registry};
//! # let registry: Registry<u32, u32, (), u32> = Registry::new("node-a");
//! for id in 0..100 {
//!     registry.insert(id, Child::new(0).on("node-a", id).tag("pool"));
//! }
//! let pinned = registry.pin();
//! let mut met = 0;
//! for entry in pinned.match_tag("pool") {
//!     met += 1;
//!     for id in [*entry.id(), 99 - entry.id()] {
//!         registry.update(&id, |child| *child.spec_mut() += 1).unwrap();
//!     }
//! }
//! assert_eq!(met, 100);
//! assert_eq!(pinned.iter().map(|entry| entry.spec()).sum::<u32>(), 200);
//! ```
//!
//! **The limit of iterators.** An id that is *absent* at some instant, for it is deleted and inserted
//! again (or loses the tag and gets it again), may come twice: the old entry where the iterator stood
//! first, the new one where it comes by later. An iterator cannot look back. The collected forms do:
//! of two entries of one id, they keep the later.
//!
//! # `dump` or `pin().iter()`
//!
//! | | [`dump`](crate::Registry::dump) | [`pin().iter()`](crate::Pinned::iter) |
//! |---|---|---|
//! | each id once | always | unless it goes and comes back meanwhile |
//! | cost per entry | its count up and down, its id cloned, a place in a `HashMap` | none |
//! | pin | ends when it returns | lasts as long as the iteration |
//! | what you hold | all entries, for as long as you like | one reference at a time |
//!
//! So take `iter` for a sum, a search, a metric: for what is done at once. Take `dump` if there is
//! something to do about each entry that takes time, or if an id that comes twice would hurt.
//! [`Registry::for_each`](crate::Registry::for_each) is between them: each id once, by references,
//! under the pin of the call.
//!
//! ```
//! # use process_registry::{Child, Registry};
//! # let registry: Registry<&str, u32> = Registry::new("node-a");
//! registry.insert("a", Child::new("spec").on("node-a", 1));
//! registry.insert("b", Child::new("spec").on("node-a", 2));
//!
//! let busiest = registry.pin().iter().filter_map(|entry| entry.pid().copied()).max();
//! assert_eq!(busiest, Some(2));
//!
//! let all = registry.dump();
//! registry.clear_all(); // what is held stays
//! assert_eq!(all["a"].pid(), Some(&1));
//! ```
//!
//! # Many ids at once
//!
//! [`get_many`](crate::Pinned::get_many) and [`get_many_iter`](crate::Pinned::get_many_iter) answer in
//! the order of the ids and let the cache misses of up to sixteen lookups overlap: on a registry that
//! does not fit into the caches that is a multiple of the speed. Each lookup is of its own instant.
//! [`contains_children`](crate::Registry::contains_children) returns those of the ids that are there.
//!
//! ```
//! # use process_registry::{Child, Registry};
//! # let registry: Registry<&str, u32, (), u64> = Registry::new("node-a");
//! (&registry).extend((0..50).map(|id| (id, Child::new("spec").on("node-a", id as u32))));
//! let ids = [7, 99, 3];
//! let pinned = registry.pin();
//! let pids: Vec<_> = pinned.get_many_iter(&ids).map(|entry| entry?.pid().copied()).collect();
//! assert_eq!(pids, [Some(7), None, Some(3)]);
//! assert_eq!(registry.contains_children(&ids), [&7, &3]);
//! ```
