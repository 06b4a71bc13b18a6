//! Pins and entries that are kept: what to hold, and for how long.
//!
//! To read an entry without copying it, something has to keep its memory from being freed. There are
//! two ways. A **pin** says "this thread is reading": it costs next to nothing, covers everything at
//! once, and holds back everything that anybody removes meanwhile. A **count** says "this entry is in
//! use": it costs an atomic addition, covers one entry, and holds back nothing else.
//!
//! | you hold | you get it from | by | lives | leaves its thread |
//! |---|---|---|---|---|
//! | a copy of a pid | [`Registry::get_pid`] and its kind | a clone | as you like | if the pid does |
//! | `&Entry` | a lookup or query of a [`Pinned`] | its pin | as long as the pin | no |
//! | [`EntryRef`] | [`Registry::lookup`] | a pin of its own | a moment | no |
//! | [`OwnedEntry`] | [`Registry::get_owned`], [`Entry::share`], every list, every write that returns an entry | a count | for ever, past the registry | yes |
//! | [`Registration`] | [`Registry::register`] | nothing: it names the child, and looks it up | for ever | yes |
//!
//! Neither pins nor counts are locks. They block nobody, and no order of taking them can deadlock.
//!
//! # Which to take
//!
//! - **One question, answered at once**: the operation of the registry. It pins by itself.
//! - **A loop, or several questions**: [`Registry::pin`]. One pin serves them all, nothing is cloned,
//!   batches of lookups overlap their cache misses, and queries are iterators.
//! - **Whatever is to be kept**, sent to a thread, put into a struct, or held across `.await`:
//!   [`OwnedEntry`].
//!
//! ```
//! use process_registry::{Child, OwnedEntry, Registry};
//!
//! let registry: Registry<&str, u32> = Registry::new("node-a");
//! for pid in 1..=3 {
//!     registry.insert(format!("worker-{pid}"), Child::new("spec").on("node-a", pid).tag("pool"));
//! }
//!
//! // One question.
//! assert_eq!(registry.get_pid("worker-1"), Some(1));
//!
//! // Several, under one pin: borrowed, not copied.
//! let pinned = registry.pin();
//! let [first, none] = pinned.get_many(["worker-1", "worker-9"]);
//! assert!(first.is_some() && none.is_none());
//! let sum: u32 = pinned.match_tag("pool").flat_map(|entry| entry.pids()).sum();
//! assert_eq!(sum, 6);
//!
//! // To be kept.
//! let kept: OwnedEntry<&str, u32> = first.unwrap().share();
//! drop(pinned);
//! registry.clear_all();
//! assert_eq!(kept.pid(), Some(&1));
//! ```
//!
//! # A pin is not a snapshot
//!
//! Under one pin, every operation is still one of its own: it sees what is current when it looks. What
//! was read before stays readable, and stays as it was.
//!
//! ```
//! # use process_registry::{Child, Registry};
//! # let registry: Registry<&str, u32> = Registry::new("node-a");
//! registry.insert("worker", Child::new("spec").on("node-a", 1));
//! let pinned = registry.pin();
//! let before = pinned.lookup("worker").unwrap();
//! registry.insert("worker", Child::new("spec").on("node-a", 2)); // by whichever thread
//! let after = pinned.lookup("worker").unwrap();
//! assert_eq!((before.pid(), after.pid()), (Some(&1), Some(&2)));
//! ```
//!
//! # How long
//!
//! While any thread holds a pin that is older than a removal, what was removed is not freed, in
//! **any** registry of the process: all of them share one epoch. [`memory`](super::memory) has the
//! numbers. So a pin is for a loop, not for a wait. A loop that goes on lets go now and then:
//!
//! ```
//! # use process_registry::{Child, Registry};
//! # let registry: Registry<&str, u32> = Registry::new("node-a");
//! let mut pinned = registry.pin();
//! for job in 0..1000 {
//!     pinned.insert("last-job", Child::new("spec").on("node-a", job));
//!     if job % 64 == 0 {
//!         pinned.refresh(); // nothing read before can be in use: the compiler sees to it
//!     }
//! }
//! assert_eq!(pinned.get_pid("last-job"), Some(&999));
//! ```
//!
//! Pins nest. An inner one costs less than the first, but adds nothing: the thread is pinned until the
//! last is gone, and [`refresh`](crate::Pinned::refresh) lets go only if it is the thread's only one.
//! An [`EntryRef`] is a pin too: do not collect them in a `Vec`; collect [`OwnedEntry`]s.
//!
//! # Writes under a pin
//!
//! A [`Pinned`] writes as well: `insert`, `try_insert`, `delete`, `delete_if`, `compute`. They return
//! what was there as a reference, where the registry's own return an [`OwnedEntry`]; so they touch no
//! count. What they remove is dropped after the pin, by the pin's own end or a later write. Handlers
//! of [hooks](super::hooks) run under the pin then, which is why a slow handler belongs to the
//! registry's own operations.
//!
//! There is no `update` on a [`Pinned`]: its closure is to run unpinned. Calling the registry's own
//! while you hold a pin works, only that its closure then runs under your pin.
//!
//! # Why a pin stays on its thread
//!
//! A pin is a mark of the thread that took it: another thread could not take it away. So [`Pinned`],
//! [`EntryRef`] and all that is borrowed from them are `!Send`, and a future that holds one across
//! `.await` is `!Send`: a runtime with several threads does not accept it. One with a single thread
//! would, and then the pin would last as long as the wait. **End the pin before you wait**:
//!
//! ```
//! use std::sync::Arc;
//! use process_registry::{Child, Registry};
//!
//! async fn greet(registry: Arc<Registry<&'static str, u32>>) -> Option<u32> {
//!     let worker = registry.get_owned("worker")?; // no pin is left
//!     std::future::ready(()).await; // for as long as it takes
//!     let tagged = registry.pin().match_tag("pool").count(); // a pin of one expression
//!     std::future::ready(()).await;
//!     Some(worker.pid()? + tagged as u32)
//! }
//!
//! fn spawn<T>(task: impl Future<Output = T> + Send + 'static) -> impl Future<Output = T> {
//!     task
//! }
//!
//! let registry = Arc::new(Registry::new("node-a"));
//! registry.insert("worker", Child::new("spec").on("node-a", 41).tag("pool"));
//! let task = spawn(greet(registry));
//! # use std::task::{Context, Poll, Waker};
//! # let mut task = std::pin::pin!(task);
//! # let answer = task.as_mut().poll(&mut Context::from_waker(Waker::noop()));
//! # assert_eq!(answer, Poll::Ready(Some(42)));
//! ```
//!
//! # What each costs
//!
//! | | writes shared memory | while it is held |
//! |---|---|---|
//! | a pin | a word of the thread's own, and a fence; now and then a try to advance the epoch | holds back all that is removed meanwhile |
//! | a pin inside another | no | the same |
//! | a lookup, a query | no | |
//! | `share`, `get_owned`, cloning or dropping an [`OwnedEntry`] | one addition to the entry's count | holds back that entry: its id, specification, bindings, tags and metadata |
//! | `get_pid`, `get_pids`, `local_pid` of the registry | whatever cloning the pid does | |
//!
//! Threads that share *the same* entry all the time contend for its count; under a pin they do not.
//!
//! An [`OwnedEntry`] shows the child as it was. To see whether that is still so, look again and
//! compare [`incarnation`](crate::Entry::incarnation) and [`version`](crate::Entry::version):
//!
//! ```
//! # use process_registry::{Child, Registry};
//! # let registry: Registry<&str, u32> = Registry::new("node-a");
//! registry.insert("worker", Child::new("spec").on("node-a", 1));
//! let kept = registry.get_owned("worker").unwrap();
//! registry.rebind("worker", "node-a", 2)?;
//! let now = registry.lookup(kept.id()).unwrap();
//! assert_eq!(now.incarnation(), kept.incarnation()); // the same child
//! assert!(now.version() > kept.version()); // which has changed
//! # Ok::<(), process_registry::NoChild>(())
//! ```
//!
//! [`Entry::share`]: crate::Entry::share
//! [`EntryRef`]: crate::EntryRef
//! [`OwnedEntry`]: crate::OwnedEntry
//! [`Pinned`]: crate::Pinned
//! [`Registration`]: crate::Registration
//! [`Registry::get_owned`]: crate::Registry::get_owned
//! [`Registry::get_pid`]: crate::Registry::get_pid
//! [`Registry::lookup`]: crate::Registry::lookup
//! [`Registry::pin`]: crate::Registry::pin
//! [`Registry::register`]: crate::Registry::register
