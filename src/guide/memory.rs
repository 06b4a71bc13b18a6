//! Memory: when it is freed, when destructors run, and what a long pin costs.
//!
//! # What takes memory
//!
//! - **Entries**, one allocation each: what `size_of` says of your `Entry`, which is the id, the
//!   specification, the metadata and 40 bytes; for each binding 24 bytes and the pid, for each tag 24; 8
//!   for each of either; and 8 more. Names of up to 23 bytes lie inline. (With glibc it is 136 bytes at
//!   least: less it merges all at once, some time after it was freed, while somebody waits.)
//! - **The table**: a bucket of one cache line for every four entries it is meant for.
//! - **Member sets**: eight bytes for each tag and each node of an entry, and some for each set.
//! - **Limbo**: what was removed and not yet freed.
//!
//! ```
//! use process_registry::{ChildId, Entry, Node, Registry};
//!
//! assert_eq!(size_of::<Entry<u64, u64>>(), size_of::<(ChildId, u64)>() + 40);
//! assert_eq!(size_of::<(Node, u64)>(), 32); // a binding; 120 bytes with one, and no tag
//! let registry: Registry<&str, u32> = Registry::builder("node-a").capacity(1_000_000).build();
//! assert!(registry.capacity() >= 1_000_000); // 16 MiB and more of buckets
//! ```
//!
//! # The life of what is removed
//!
//! What a write removes or replaces is *unlinked* first: from then on nobody finds it. Somebody may
//! still be reading it, so it goes into limbo, with the others of its batch. When every pin that was
//! held then has been given up it is due: later writes drop it, each of them as many things as it has
//! removed itself and a few more. (Time is counted in coarse epochs, so a pin that begins just after a
//! removal may hold it back like one from before.) So
//!
//! - reads free nothing and run no destructor, but those that return a list of copies: they own the entries
//!   while they copy, and may be the last who do;
//! - no write of a single id pays at once for the garbage of others; `retain`, `clear_all` and `purge_expired`
//!   free all that is due in the end, as `collect` does;
//! - without writes, what is in limbo stays there until somebody calls
//!   [`collect`](crate::Registry::collect) or [`purge_expired`](crate::Registry::purge_expired).
//!
//! **After a few calls of `collect` without old pins, everything that was removed before has been
//! dropped**, but for what an [`OwnedEntry`](crate::OwnedEntry) keeps. A thread that holds a pin itself
//! frees nothing in `collect`.
//!
//! ```
//! use std::sync::Arc;
//! use process_registry::{Child, Registry};
//!
//! let registry: Registry<Arc<()>, u32> = Registry::new("node-a");
//! let spec = Arc::new(());
//! for round in 0..20_000 {
//!     registry.insert("worker", Child::new(Arc::clone(&spec)).on("node-a", round));
//! }
//! let alive = Arc::strong_count(&spec) - 1;
//! assert!(alive < 1_000, "writes alone keep limbo small, not {alive}");
//!
//! for _ in 0..4 {
//!     registry.collect();
//! }
//! assert_eq!(Arc::strong_count(&spec) - 1, 1); // the one that is there
//! ```
//!
//! # What a long pin costs
//!
//! One pin, held by anyone, keeps **everything** that is removed meanwhile, in all registries of the
//! process: `writes × size of an entry`, and whatever the entries own.
//!
//! ```
//! use std::sync::{Arc, mpsc};
//! use process_registry::{Child, Registry};
//!
//! let registry: Registry<Arc<()>, u32> = Registry::new("node-a");
//! let spec = Arc::new(());
//! let alive = || Arc::strong_count(&spec) - 1;
//!
//! std::thread::scope(|scope| {
//!     let (pinned, when_pinned) = mpsc::channel();
//!     let (unpin, when_to_unpin) = mpsc::channel::<()>();
//!     let registry = &registry;
//!     scope.spawn(move || {
//!         let pin = registry.pin(); // it reads nothing at all
//!         pinned.send(()).unwrap();
//!         when_to_unpin.recv().unwrap();
//!         drop(pin);
//!     });
//!
//!     when_pinned.recv().unwrap();
//!     for round in 0..20_000 {
//!         registry.insert("worker", Child::new(Arc::clone(&spec)).on("node-a", round));
//!     }
//!     registry.collect();
//!     assert_eq!(alive(), 20_000); // every version that there has been
//!     unpin.send(()).unwrap();
//! });
//!
//! for _ in 0..4 {
//!     registry.collect();
//! }
//! assert_eq!(alive(), 1);
//! ```
//!
//! At 100,000 changes a second and 150 bytes an entry, a pin of a millisecond holds back 15 kB, one of
//! a second 15 MB, and one of a minute 0.9 GB. Lookups are not slower for that, and nobody
//! waits for a pin; but writes that find no freed memory to use again ask the allocator for fresh pages, and
//! their latencies grow. When the pin ends, later writes work the rest off bit by bit.
//!
//! A thread that is put to sleep by the system while it is pinned is a long pin too. So do not pin
//! around blocking calls. [`refresh`](crate::Pinned::refresh) ends a pin and begins another; what was
//! removed just before may have to wait for the next one.
//!
//! An [`OwnedEntry`](crate::OwnedEntry) that is kept costs that one entry, whole, and nothing else.
//!
//! # Destructors are deferred
//!
//! The values of a removed child are dropped by whichever thread writes or collects when they are due.
//! So **nothing urgent should depend on a drop**. A receiver does not learn from a `delete` that its
//! sender is gone; tell it:
//!
//! ```
//! use std::sync::mpsc::{Sender, TryRecvError, channel};
//! use process_registry::{Child, Registry};
//!
//! enum Order {
//!     Stop,
//! }
//!
//! let registry: Registry<&str, Sender<Order>> = Registry::new("node-a");
//! let (sender, receiver) = channel();
//! registry.insert("worker", Child::new("spec").on("node-a", sender));
//!
//! if let Some(worker) = registry.delete("worker") {
//!     for sender in worker.pids() {
//!         let _ = sender.send(Order::Stop);
//!     }
//! }
//! assert!(matches!(receiver.try_recv(), Ok(Order::Stop))); // at once
//! while !matches!(receiver.try_recv(), Err(TryRecvError::Disconnected)) {
//!     registry.collect(); // and the end of the channel when the sender is dropped
//! }
//! ```
//!
//! A destructor may call the registry. If it panics, the panic reaches the call that was freeing:
//! nothing is poisoned, and the write of that call stands.
//!
//! # Giving memory back
//!
//! | | |
//! |---|---|
//! | of removed entries | after their drop some of it is kept for new entries, of a few hundred for each thread at most, until [`shrink_to_fit`](crate::Registry::shrink_to_fit); the rest goes back to the allocator |
//! | of tags and nodes without members | freed like entries |
//! | of the table | grows by itself, piece by piece, while everybody goes on; [`reserve`](crate::Registry::reserve) does so beforehand, [`shrink_to_fit`](crate::Registry::shrink_to_fit) gives back what so few entries do not need |
//!
//! The pieces are moved by writes. **Where writes end, the table may stay half moved**, with both tables in
//! memory, and a lookup looks into both: load a registry with a capacity, or call
//! [`collect`](crate::Registry::collect) when it is loaded, which moves the rest. (So do `retain`, `clear_all`
//! and a janitor.)
//!
//! ```
//! # use process_registry::{Child, Registry};
//! # let registry: Registry<&str, u32, (), u32> = Registry::new("node-a");
//! for id in 0..10_000 {
//!     registry.insert(id, Child::new("spec").on("node-a", id));
//! }
//! registry.clear_all();
//! assert!(registry.capacity() > 5_000); // it is empty and keeps its room
//! registry.shrink_to_fit();
//! assert!(registry.capacity() < 100);
//! ```
//!
//! # Huge pages
//!
//! With the feature `huge-pages`, a registry that is told so by `Builder::huge_pages` asks Linux for
//! transparent huge pages for each table of 4 MiB and more, whenever it is made: at first, when the
//! table grows, is rebuilt or is halved. On other systems nothing happens.
//!
//! ```
//! # #[cfg(feature = "huge-pages")]
//! # {
//! use process_registry::Registry;
//!
//! let registry: Registry<&str, u32> =
//!     Registry::builder("node-a").capacity(1_000_000).huge_pages(true).build(); // 16 MiB of buckets
//! # assert!(registry.capacity() >= 1_000_000);
//! # }
//! ```
//!
//! - **What it is good for**: a table of 16 MiB takes eight page faults instead of four thousand. Most
//!   of the slowest writes are those that touch a page of a new table first: while a table of 8 MiB
//!   took over, the 99th percentile of inserts fell from 3.8 to 1.3 microseconds on an Intel Xeon, the
//!   99.9th from 5.9 to 1.7. Lookups gain a few per cent at most with a million entries.
//!   Entries lie elsewhere and gain nothing: for them it is the allocator that has to ask, as glibc's does
//!   if the program is started with `GLIBC_TUNABLES=glibc.malloc.hugetlb=1`. With that, lookups of
//!   strings among a million took an eighth to a third less.
//! - **The worst case is worse**: the insert that touches a huge page first waits until the system has
//!   cleared 2 MiB, some tenths of a millisecond, and longer where it has to make room for one.
//! - **Memory comes sooner**: a huge page is there as a whole when the first entry comes to it, so a new
//!   table has all its memory after a few inserts for each of its huge pages, and not only when as
//!   many entries are there or a resize has come to its end. While a table grows, the old one and the
//!   new one are both there, as they are anyway in the end: three times the old one. What does not fill
//!   a huge page stays in small ones, so no table is larger than it would be. It takes up to 2 MiB more
//!   of *addresses*, for it begins at a multiple of that; an allocator that clears memory itself touches
//!   those too.
//! - **It is a request**. Where `/sys/kernel/mm/transparent_hugepage/enabled` says `never`, or no huge
//!   page is free, the pages are small, and nothing fails. Memory that the allocator has used before
//!   keeps the pages that it has until the system exchanges them.
//!
//! # The end of a registry
//!
//! When a registry is dropped, every entry that nobody owns is dropped before `drop` returns, those in
//! limbo included. An [`OwnedEntry`](crate::OwnedEntry) lives on by itself; a
//! [`Registration`](crate::Registration) is lost and does nothing.
//!
//! ```
//! use std::sync::Arc;
//! use process_registry::{Child, Registry};
//!
//! let registry: Registry<Arc<()>, u32> = Registry::new("node-a");
//! let spec = Arc::new(());
//! for id in ["a", "b", "c"] {
//!     registry.insert(id, Child::new(Arc::clone(&spec)).on("node-a", 1));
//! }
//! registry.delete("a");
//! let kept = registry.get_owned("b");
//! drop(registry);
//! assert_eq!(Arc::strong_count(&spec), 2); // ours, and that of what is kept
//! drop(kept);
//! assert_eq!(Arc::strong_count(&spec), 1);
//! ```
