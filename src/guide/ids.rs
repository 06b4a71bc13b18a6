//! Choosing ids, specifications, pids, metadata and a hasher.
//!
//! A registry is a `Registry<S, P, M, K, H>`. Only `S` and `P` have to be named.
//!
//! | | what it is | default | found by it | cloned by |
//! |---|---|---|---|---|
//! | `S` | specification: how to start or restart the child | | no | whatever makes a new version |
//! | `P` | the handle of a running child, its *pid* | | no | the same, and `get_pid` and its kind |
//! | `M` | metadata of your own | `()` | no | the same as `S` |
//! | `K` | id | [`ChildId`] | yes | the same, `compute`, `register`, lists, and an insert that has to start over |
//! | `H` | hasher of ids | [`ahash::RandomState`] | | nothing |
//!
//! *Whatever makes a new version* is `update`, `try_update`, `rebind`, `remove_node` and the bulk
//! operations: entries are immutable, so a change copies the child and publishes the copy. `insert`,
//! `delete` and `compute` move what they are given and clone no `S`, `P` or `M`.
//!
//! A type alias saves writing all that more than once, and a `LazyLock` makes a static of it:
//!
//! ```
//! use std::sync::{Arc, LazyLock, mpsc::Sender};
//! use process_registry::{Child, Registry};
//!
//! struct Job {
//!     command: String,
//! }
//!
//! type Jobs = Registry<Arc<Job>, Sender<String>>;
//!
//! static JOBS: LazyLock<Jobs> = LazyLock::new(|| Registry::new("node-a"));
//!
//! let (sender, receiver) = std::sync::mpsc::channel();
//! let job = Arc::new(Job { command: "index".into() });
//! JOBS.insert("job-1", Child::new(job).on("node-a", sender));
//!
//! if let Some(job) = JOBS.lookup("job-1") {
//!     let sender = job.pid().expect("a child that is found has a binding");
//!     sender.send(format!("run {}", job.spec().command)).unwrap();
//! }
//! assert_eq!(receiver.recv().unwrap(), "run index");
//! ```
//!
//! A registry is `Send` and `Sync` if `S`, `P`, `M` and `K` are both (and the hasher, which usually
//! is). It asks for `'static` nowhere.
//!
//! # Ids
//!
//! **Strings.** [`ChildId`] is the default: up to 23 bytes lie inline, a longer one is shared by its
//! clones. Lookups take a `&str`, a `&String` or a `&ChildId` and allocate nothing. For an id that is
//! known when the program is compiled, [`ChildId::from_static`] copies nothing either.
//!
//! **Everything else.** Any `K: Hash + Eq + Clone` will do: numbers, tuples, types of your own. An
//! id must not change its hash or its equality while it is in use, as in any map. It is cloned, so it
//! should be cheap to clone.
//!
//! ```
//! use process_registry::{Child, Registry};
//!
//! let by_number: Registry<&str, u32, (), u64> = Registry::new("node-a");
//! by_number.insert(42, Child::new("spec").on("node-a", 1));
//! assert_eq!(by_number.get_pid(&42), Some(1));
//!
//! let by_pair: Registry<&str, u32, (), (u16, u16)> = Registry::new("node-a");
//! by_pair.insert((3, 7), Child::new("spec").on("node-a", 1));
//! assert!(by_pair.contains(&(3, 7)));
//! ```
//!
//! Operations that store an id take `impl` [`IntoId<K>`](crate::IntoId), so that a plain `"job-1"`
//! serves where the id is a string. Implement it for what your own ids are made of. Lookups take
//! every `Q: Hash +` [`Equivalent<K>`](crate::Equivalent): implement that to look a composite id up
//! by borrowed parts. **It has to hash exactly as the id does**: here both derive `Hash` over the
//! same fields in the same order, and a `String` hashes as its `str`.
//!
//! ```
//! use process_registry::{Child, Equivalent, IntoId, Registry};
//!
//! #[derive(Clone, PartialEq, Eq, Hash, Debug)]
//! struct JobId {
//!     tenant: String,
//!     number: u32,
//! }
//!
//! /// The same, borrowed.
//! #[derive(Hash)]
//! struct JobRef<'a> {
//!     tenant: &'a str,
//!     number: u32,
//! }
//!
//! impl Equivalent<JobId> for JobRef<'_> {
//!     fn equivalent(&self, id: &JobId) -> bool {
//!         self.tenant == id.tenant && self.number == id.number
//!     }
//! }
//!
//! impl IntoId<JobId> for (&str, u32) {
//!     fn into_id(self) -> JobId {
//!         JobId { tenant: self.0.to_owned(), number: self.1 }
//!     }
//! }
//!
//! let registry: Registry<&str, u32, (), JobId> = Registry::new("node-a");
//! registry.insert(("acme", 7), Child::new("spec").on("node-a", 4711));
//! assert_eq!(registry.get_pid(&JobRef { tenant: "acme", number: 7 }), Some(4711));
//! ```
//!
//! # Specifications
//!
//! The registry only keeps the specification. It is copied with every change of the child, whatever
//! the change is about; so put an [`Arc`](std::sync::Arc) around one that is expensive to clone. The
//! following counts:
//!
//! ```
//! use std::sync::Arc;
//! use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
//! use process_registry::{Child, Registry};
//!
//! static COPIES: AtomicUsize = AtomicUsize::new(0);
//!
//! struct Spec;
//!
//! impl Clone for Spec {
//!     fn clone(&self) -> Self {
//!         COPIES.fetch_add(1, Relaxed);
//!         Self
//!     }
//! }
//!
//! let plain: Registry<Spec, u32> = Registry::new("node-a");
//! plain.insert("a", Child::new(Spec).on("node-a", 1));
//! assert_eq!(COPIES.load(Relaxed), 0);
//! plain.rebind("a", "node-a", 2)?;
//! assert_eq!(COPIES.load(Relaxed), 1);
//! plain.delete("a");
//! assert_eq!(COPIES.load(Relaxed), 1);
//!
//! let shared: Registry<Arc<Spec>, u32> = Registry::new("node-a");
//! shared.insert("a", Child::new(Arc::new(Spec)).on("node-a", 1));
//! shared.rebind("a", "node-a", 2)?;
//! assert_eq!(COPIES.load(Relaxed), 1);
//! # Ok::<(), process_registry::NoChild>(())
//! ```
//!
//! # Pids and nodes
//!
//! A child has an ordered list of bindings `(node, pid)`, with each node at most once. A node is only
//! a name; a program that runs on one machine may have one node, or call its runtimes, shards or
//! cores nodes. [`get_pid`](crate::Registry::get_pid) is the first binding's pid,
//! [`local_pid`](crate::Registry::local_pid) that of the node the registry was made for.
//!
//! A pid can be anything that is cheap to clone: a number, a channel, the reference of an actor, the
//! handle that aborts a task. Reads under a [pin](super::pins) need no `Clone`, and
//! [`bulk_insert`](crate::Registry::bulk_insert) needs `PartialEq`, to know whether a pid is news;
//! for handles without an equality there is [`bulk_insert_by`](crate::Registry::bulk_insert_by).
//!
//! # Tags or metadata
//!
//! **Tags are indexed**: use them for whatever children are asked for by. Each tag of a child costs a
//! slot in an index, written when the tag comes or goes, and not by an update that leaves it. Tags of
//! which there are as many as children are fine; what nobody carries any more leaves nothing behind.
//!
//! **Metadata is not.** Read it from an entry once you have it. Metadata that changes all the time
//! need not go through the registry: every version of a child may share an atomic.
//!
//! ```
//! use std::sync::Arc;
//! use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
//! use process_registry::{Child, Registry};
//!
//! let registry: Registry<&str, u32, Arc<AtomicU64>> = Registry::new("node-a");
//! let load = Arc::new(AtomicU64::new(0));
//! registry.insert("worker", Child::new("spec").on("node-a", 1).tag("busy").metadata(load));
//!
//! registry.lookup("worker").unwrap().metadata().fetch_add(5, Relaxed); // no new version
//! registry.rebind("worker", "node-a", 2)?; // a new one, with the same counter
//! assert_eq!(registry.lookup("worker").unwrap().metadata().load(Relaxed), 5);
//! # Ok::<(), process_registry::NoChild>(())
//! ```
//!
//! # Hashers
//!
//! The default, [`ahash::RandomState`], is fast, and seeded afresh for each registry: who chooses ids
//! cannot choose their hashes. Keep it unless a measurement says otherwise.
//! [`Builder::hasher`](crate::Builder::hasher) takes any `BuildHasher`. The index takes both the
//! bucket and a fingerprint from the 64 bits of the hash, so a hasher that leaves most of them equal
//! costs comparisons. Colliding hashes make operations on the colliding ids linear in their number;
//! that is all they do.
//!
//! ```
//! use std::hash::{BuildHasherDefault, Hasher};
//! use process_registry::{Child, Registry};
//!
//! /// The worst there is.
//! #[derive(Default)]
//! struct Zero;
//!
//! impl Hasher for Zero {
//!     fn write(&mut self, _: &[u8]) {}
//!
//!     fn finish(&self) -> u64 {
//!         0
//!     }
//! }
//!
//! let registry: Registry<(), u32, (), u32, BuildHasherDefault<Zero>> =
//!     Registry::builder("node-a").hasher(BuildHasherDefault::default()).build();
//! for id in 0..100 {
//!     registry.insert(id, Child::new(()).on("node-a", id));
//! }
//! assert!((0..100).all(|id| registry.get_pid(&id) == Some(id)));
//! ```
//!
//! [`ahash::RandomState`]: https://docs.rs/ahash/latest/ahash/random_state/struct.RandomState.html
//! [`ChildId`]: crate::ChildId
//! [`ChildId::from_static`]: crate::ChildId::from_static
