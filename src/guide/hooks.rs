//! Hooks: who is told of a registration, when, and in which order.
//!
//! A set of [`Hooks`](crate::Hooks) holds handlers. It belongs to you, not to the registry: **an
//! operation fires hooks only if it is handed a set**, by [`WriteOptions`](crate::WriteOptions) or by
//! the variant of its name that ends in `_with`. One set may serve many registries, and may be
//! changed while it is in use.
//!
//! ```
//! use std::sync::mpsc;
//! use process_registry::{Child, Event, Handler, HookKey, Hooks, Registry, WriteOptions};
//!
//! let (news, inbox) = mpsc::channel();
//! let hooks = Hooks::new();
//! for key in [HookKey::ChildRegistered, HookKey::ChildUnregistered] {
//!     let news = news.clone();
//!     let tell = move |event: &Event<'_, u32>| {
//!         news.send((event.kind(), event.id().clone(), event.bindings().len())).unwrap();
//!     };
//!     hooks.register(key, Handler::new("news", tell))?;
//! }
//!
//! let registry: Registry<&str, u32> = Registry::new("node-a");
//! let child = Child::new("spec").on("node-a", 1).on("node-b", 2);
//! registry.insert_with("worker", child, WriteOptions::new().hooks(&hooks));
//! registry.delete_with("worker", &hooks);
//! registry.insert("silent", Child::new("spec").on("node-a", 3)); // no set, no news
//!
//! let news: Vec<_> = inbox.try_iter().collect();
//! assert_eq!(
//!     news,
//!     [
//!         (HookKey::ChildRegistered, "worker".into(), 2),
//!         (HookKey::ChildUnregistered, "worker".into(), 2),
//!     ]
//! );
//! # Ok::<(), process_registry::DuplicateHandlers<u32>>(())
//! ```
//!
//! # What fires, and what does not
//!
//! | operation with hooks | event | names |
//! |---|---|---|
//! | `insert_with`, `try_insert_with`, `register_with` | `ChildRegistered` | all bindings |
//! | `bulk_insert_with`, `bulk_insert_by_with` | `ChildRegistered` per id | the bindings whose node is new or whose pid has changed |
//! | `rebind_with` | `ChildRegistered` | that binding |
//! | `delete_with`, `delete_if_with`, [`release_with`](crate::Registration::release_with) | `ChildUnregistered` | all bindings that it had |
//! | `bulk_delete_with` | `ChildUnregistered` per id | the bindings that went |
//!
//! - An event never has an empty list: where no binding came or went, nothing is fired. So a pending
//!   child is registered in silence, and so is a merge that brings nothing new.
//! - `update`, `try_update`, `compute`, `retain`, `clear_all`, `remove_node`, `purge_expired`,
//!   `delete_if_expired`, the passing of a deadline, and the drop of a registration never fire.
//! - An `insert` over a live child fires `ChildRegistered` only: whoever mirrors the registry takes
//!   the new list for the old.
//!
//! ```
//! # use std::sync::{Arc, Mutex};
//! # use process_registry::{Child, Event, Handler, HookKey, Hooks, Registry};
//! # let registry: Registry<&str, u32> = Registry::new("node-a");
//! # let hooks = Hooks::new();
//! # let told = Arc::new(Mutex::new(Vec::new()));
//! # let log = Arc::clone(&told);
//! # hooks.register(HookKey::ChildRegistered, Handler::new("log", move |event: &Event<'_, u32>| {
//! #     log.lock().unwrap().push(event.bindings().to_vec());
//! # }))?;
//! registry.insert("worker", Child::new("spec").on("node-a", 1).on("node-b", 2));
//! let child = || Child::new("spec").on("node-a", 1).on("node-b", 3);
//! registry.bulk_insert_with([("worker", child())], &hooks);
//! registry.bulk_insert_with([("worker", child())], &hooks); // the same again: nothing is fired
//! registry.update("worker", |child| child.bind("node-c", 4))?; // never fires
//! assert_eq!(*told.lock().unwrap(), [[("node-b".into(), 3)]]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # When, where and in which order
//!
//! Handlers run in the thread that writes, **after the write is visible to all and before the call
//! returns**: one of higher [priority](crate::Handler::priority) first, and among equals the one that
//! was registered first. They may call anything on the registry. They are part of what the write
//! costs: send a message to do what takes long. An operation of the registry calls them unpinned; one
//! of a [`Pinned`](crate::Pinned) calls them under its pin.
//!
//! The list of handlers is read once per event. One that is registered or cancelled meanwhile counts
//! from the next event on.
//!
//! A handler that needs the registry should own a `Weak`, or a reference to a static, unless it is to
//! keep it alive:
//!
//! ```
//! use std::sync::{Arc, Weak};
//! use process_registry::{Child, Event, Handler, HookKey, Hooks, Registry, WriteOptions};
//!
//! type Jobs = Registry<&'static str, u32>;
//!
//! /// Sees to it that there is a monitor for whatever is registered.
//! fn monitors(jobs: Weak<Jobs>) -> Handler<u32> {
//!     Handler::new("monitors", move |event: &Event<'_, u32>| {
//!         let Some(jobs) = jobs.upgrade() else { return };
//!         assert!(jobs.contains(event.id()), "the write is visible");
//!         let id = format!("monitor of {}", event.id());
//!         jobs.get_or_insert_with(id, || Child::new("monitor").on("node-a", 0));
//!     })
//! }
//!
//! let jobs: Arc<Jobs> = Arc::new(Registry::new("node-a"));
//! let hooks = Hooks::new();
//! hooks.register(HookKey::ChildRegistered, monitors(Arc::downgrade(&jobs)).priority(10))?;
//! jobs.insert_with("job", Child::new("spec").on("node-a", 1), WriteOptions::new().hooks(&hooks));
//! assert!(jobs.contains("monitor of job"));
//! # Ok::<(), process_registry::DuplicateHandlers<u32>>(())
//! ```
//!
//! # Events that overtake each other
//!
//! Two threads that write the same id call their handlers independently. So the events may arrive in
//! another order than the writes were made. Each carries the
//! [incarnation](crate::Event::incarnation) and the [version](crate::Event::version) of its entry:
//!
//! - within an incarnation, the greater version is the later;
//! - what replaces an entry, or is registered after it has gone, has the greater incarnation.
//!
//! That tells which of two events is the later one, unless two registrations of an id overlap and one's entry
//! is removed before the other's is published: then [the number](crate::Event::incarnation) of the later may be
//! smaller. A mirror that has to be right in the end does not
//! apply events at all: it takes them for hints and **looks the id up**, under a lock of its own:
//!
//! ```
//! use std::collections::HashMap;
//! use std::sync::{Arc, Mutex};
//! use process_registry::{Child, ChildId, Event, Handler, HookKey, Hooks, Registry, WriteOptions};
//!
//! type Jobs = Registry<&'static str, u32>;
//! type Mirror = Mutex<HashMap<ChildId, (u64, u64, u32)>>;
//!
//! fn note(jobs: &Jobs, mirror: &Mirror, event: &Event<'_, u32>) {
//!     // The lookup comes under the lock, so what is written last was looked up last.
//!     let mut mirror = mirror.lock().unwrap();
//!     match jobs.lookup(event.id()) {
//!         None => drop(mirror.remove(event.id())),
//!         Some(entry) => {
//!             let now = (entry.incarnation(), entry.version(), *entry.pid().unwrap());
//!             mirror.insert(event.id().clone(), now);
//!         }
//!     }
//! }
//!
//! let (jobs, mirror) = (Arc::new(Jobs::new("node-a")), Arc::new(Mirror::default()));
//! let hooks = Arc::new(Hooks::new());
//! for key in [HookKey::ChildRegistered, HookKey::ChildUnregistered] {
//!     let (jobs, mirror) = (Arc::clone(&jobs), Arc::clone(&mirror));
//!     let note = move |event: &Event<'_, u32>| note(&jobs, &mirror, event);
//!     hooks.register(key, Handler::new("mirror", note))?;
//! }
//!
//! std::thread::scope(|scope| {
//!     for thread in 0..4 {
//!         let (jobs, hooks) = (&jobs, &hooks);
//!         scope.spawn(move || {
//!             for round in 0..100 {
//!                 let child = Child::new("spec").on("node-a", thread * 1000 + round);
//!                 jobs.insert_with("job", child, WriteOptions::new().hooks(hooks));
//!                 if round % 3 == 0 {
//!                     jobs.delete_with("job", hooks);
//!                 }
//!             }
//!         });
//!     }
//! });
//! let pid = |(_, _, pid): &(u64, u64, u32)| *pid;
//! assert_eq!(mirror.lock().unwrap().get("job").map(pid), jobs.get_pid("job"));
//! # Ok::<(), process_registry::DuplicateHandlers<u32>>(())
//! ```
//!
//! # Panics
//!
//! If a handler panics, the write stays, the remaining handlers are called, and then the panic, the
//! first if there were several, reaches the caller of the write. Of a bulk operation, the children
//! that come after the one it was told of are not written then. Of a `register_with`, the panic drops
//! the registration that nobody would hold, so the child goes again.
//!
//! ```
//! # use std::panic::{AssertUnwindSafe, catch_unwind};
//! # use std::sync::Arc;
//! # use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
//! # use process_registry::{Child, Handler, HookKey, Hooks, Registry, WriteOptions};
//! # let registry: Registry<&str, u32> = Registry::new("node-a");
//! let hooks: Hooks<u32> = Hooks::new();
//! let called = Arc::new(AtomicBool::new(false));
//! let flag = Arc::clone(&called);
//! hooks.register_all(
//!     HookKey::ChildRegistered,
//!     [
//!         Handler::new("bad", |_| panic!("bad handler")).priority(1),
//!         Handler::new("good", move |_| flag.store(true, Relaxed)),
//!     ],
//! )?;
//! let result = catch_unwind(AssertUnwindSafe(|| {
//!     let options = WriteOptions::new().hooks(&hooks);
//!     registry.insert_with("worker", Child::new("spec").on("node-a", 1), options)
//! }));
//! assert!(result.is_err() && called.load(Relaxed) && registry.contains("worker"));
//! # Ok::<(), process_registry::DuplicateHandlers<u32>>(())
//! ```
//!
//! # Ids of handlers
//!
//! A handler has an id, unique for its key. Registering one that is taken is an error that names it
//! and changes nothing; [`register_all`](crate::Hooks::register_all) registers all or none;
//! [`cancel`](crate::Hooks::cancel) removes by id and says whether there was one.
//!
//! ```
//! use process_registry::{Handler, HookKey, Hooks};
//!
//! let hooks: Hooks<u32> = Hooks::new();
//! hooks.register(HookKey::ChildRegistered, Handler::new("log", |_| {}))?;
//! let handlers = ["log", "audit"].map(|id| Handler::new(id, |_| {}));
//! let refused = hooks.register_all(HookKey::ChildRegistered, handlers).unwrap_err();
//! assert_eq!(refused.ids(), ["log"]);
//! assert_eq!(hooks.handlers(HookKey::ChildRegistered), ["log"]);
//! assert!(hooks.cancel(HookKey::ChildRegistered, "log"));
//! # Ok::<(), process_registry::DuplicateHandlers<u32>>(())
//! ```
