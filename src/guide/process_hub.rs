//! Coming from ProcessHub: where each function of `ProcessHub.Service.ProcessRegistry` is.
//!
//! The names, and what they mean, are those of that Elixir module (ProcessHub 0.5.0-beta) wherever
//! Rust allows it. There, a registry is a table with an owner through which some writes go, and is
//! named by its hub; here it is a value that any number of threads use at once. So no function has a
//! `hub_id`, and none has a timeout: there is nothing to wait for.
//!
//! # Every function
//!
//! | there | here | what differs |
//! |---|---|---|
//! | `bulk_delete/3` | [`bulk_delete`], [`bulk_delete_with`] | The hook names the bindings that went, and does not fire if none did. The tombstone lasts 30 seconds here too, [or as you say](crate::Builder::tombstone_ttl). |
//! | `bulk_insert/3` | [`bulk_insert`], [`bulk_insert_with`] | Pids without an equality: [`bulk_insert_by`]. A tombstone is revived; a live entry keeps its deadline. |
//! | `child_spec/1` | [`Janitor::spawn`] | There is no process to supervise. What ran in it, the expiry, is a thread that you start, or [`purge_expired`] from a timer of your own. |
//! | `clear_all/1` | [`clear_all`] | Returns nothing, for it cannot fail. |
//! | `contains_children/2` | [`contains_children`] | In the order of the argument, by lookups instead of a pass over the table. |
//! | `delete/3` | [`delete`], [`delete_with`] | Returns what it removed. The hook fires only if bindings went, and names them. |
//! | `dump/1` | [`dump`] | Entries are shared, not copied. |
//! | `dump_all/1` | [`dump_all`] | The same. |
//! | `entry_exists?/2` | [`entry_exists`] | |
//! | `get_pid/2` | [`get_pid`] | An `Option` instead of a pid or `nil`. |
//! | `get_pids/2` | [`get_pids`] | |
//! | `insert/4` | [`insert`], [`insert_with`] | The id is an argument, not a field of the specification. Returns what it replaced. The options are below. |
//! | `local_child_specs/1` | [`local_child_specs`] | Takes time in proportion to the local children. |
//! | `local_children/1` | [`local_children`] | The same. |
//! | `local_data/1` | [`local_data`] | The same; the entries come with their metadata. |
//! | `local_pid/2` | [`local_pid`] | An `Option`. |
//! | `lookup/3` | [`lookup`] | Returns the entry; its metadata need not be asked for. |
//! | `match_tag/2` | [`match_tag`] | A child has any number of tags. Takes time in proportion to the result. Shows no empty entries, and shows those with a deadline. |
//! | `process_list/2` | [`process_list`] | `:global` and `:local` are the types [`Global`](crate::Global) and [`Local`](crate::Local), so each has a result type of its own. |
//! | `registry/1` | [`registry`] | Deprecated, as announced there. Use [`dump`]. |
//! | `update/3` | [`update`], [`try_update`] | The function edits a [`Child`](crate::Child), so it cannot return anything invalid. It may run several times. The deadline stays. |
//!
//! # Every option and type
//!
//! | there | here |
//! |---|---|
//! | `:hook_storage` | [`Hooks`](crate::Hooks), handed to the operations that shall fire them |
//! | `:metadata` of `insert` | [`Child::tag`](crate::Child::tag) and [`Child::metadata`](crate::Child::metadata) |
//! | `:table` of `insert` | another [`Registry`](crate::Registry) |
//! | `:timeout` | nothing: no operation waits for an owner |
//! | `metadata()`, a map with a tag | the tags of an entry, and its `M` |
//! | `registry()`, `registry_dump()` | `HashMap<K, (S, Vec<(Node, P)>)>`, `HashMap<K, OwnedEntry>` |
//! | `"No child found"` | [`NoChild`](struct@crate::NoChild) |
//! | `"Invalid arguments returned from the update function"` | does not compile |
//!
//! # Side by side
//!
//! ```text
//! ProcessRegistry.insert(hub, %{id: "w1", start: start}, [{:"a@host", pid}], metadata: %{tag: "web"})
//! ProcessRegistry.update(hub, "w1", fn spec, pids, metadata ->
//!   {spec, pids ++ [{:"b@host", other}], metadata}
//! end)
//! ProcessRegistry.match_tag(hub, "web")
//! ProcessRegistry.bulk_delete(hub, [{"w1", [:"a@host"]}])
//! ProcessRegistry.get_pids(hub, "w1")
//! ```
//!
//! ```
//! use process_registry::{Child, Registry};
//!
//! let registry: Registry<&str, u32> = Registry::new("a@host");
//! registry.insert("w1", Child::new("start").on("a@host", 1).tag("web"));
//! registry.update("w1", |child| child.bind("b@host", 2))?;
//! let bindings = vec![("a@host".into(), 1), ("b@host".into(), 2)];
//! assert_eq!(registry.match_tag("web"), [("w1".into(), bindings)]);
//! registry.bulk_delete([("w1", ["a@host"])]);
//! assert_eq!(registry.get_pids("w1"), [2]);
//! # Ok::<(), process_registry::NoChild>(())
//! ```
//!
//! # The deliberate differences
//!
//! - **A node occurs at most once in an entry.** A list that names one twice keeps its first place and
//!   its last pid.
//! - **A deadline that has passed makes an entry absent at once**, not when the janitor comes by.
//!   Counts alone include what has not been swept.
//! - **An update keeps the deadline**, unless it sets one or makes the child permanent. There it makes
//!   the child permanent, and a lease that is updated would never end.
//! - **`ChildUnregistered` says which bindings went**, and is not fired where none did.
//! - **`match_tag` shows live children**, with a deadline or without; not pending ones.
//! - **A child may carry several tags.**
//! - **`delete` and `insert` return** what was there.
//! - **`contains_children` keeps the order** of its argument, and costs what its argument costs.
//! - **Handlers** have unique ids for each key; registering a taken one is an error. One that panics
//!   does not keep the others from running.
//!
//! ```
//! use std::time::Duration;
//! use process_registry::{Child, Clock, ManualClock, Registry};
//!
//! let time = ManualClock::new();
//! let registry: Registry<&str, u32> =
//!     Registry::builder("a").clock(Clock::Manual(time.clone())).build();
//!
//! // A node twice.
//! registry.insert("w", Child::new("spec").on("a", 1).on("b", 2).on("a", 3));
//! assert_eq!(registry.get_pids("w"), [3, 2]);
//!
//! // A lease that is updated is a lease still, found by its tag, and gone in time.
//! registry.insert("w", Child::new("spec").on("a", 1).tag("web").ttl(Duration::from_secs(5)));
//! registry.rebind("w", "a", 2)?;
//! assert_eq!(registry.match_tag("web").len(), 1);
//! time.advance(Duration::from_secs(5));
//! assert!(registry.lookup("w").is_none() && registry.match_tag("web").is_empty());
//!
//! // Order, and what was there.
//! registry.insert("x", Child::new("spec").on("a", 1));
//! registry.insert("y", Child::new("spec").on("a", 2));
//! assert_eq!(registry.contains_children(["y", "-", "x", "y"]), ["y", "x"]);
//! assert_eq!(registry.delete("x").unwrap().pid(), Some(&1));
//! # Ok::<(), process_registry::NoChild>(())
//! ```
//!
//! # Beyond it
//!
//! - By id: [`try_insert`](crate::Registry::try_insert), [`register`](crate::Registry::register),
//!   [`get_or_insert_with`](crate::Registry::get_or_insert_with),
//!   [`compute`](crate::Registry::compute), [`rebind`](crate::Registry::rebind),
//!   [`delete_if`](crate::Registry::delete_if), [`contains`](crate::Registry::contains),
//!   [`get_many`](crate::Pinned::get_many)
//! - By group: [`match_all`](crate::Registry::match_all),
//!   [`children_on`](crate::Registry::children_on), [`remove_node`](crate::Registry::remove_node),
//!   [`retain`](crate::Registry::retain), [`for_each`](crate::Registry::for_each),
//!   [`iter`](crate::Pinned::iter)
//! - Counts: [`len`](crate::Registry::len), [`len_all`](crate::Registry::len_all),
//!   [`tag_len`](crate::Registry::tag_len), [`node_len`](crate::Registry::node_len),
//!   [`tags`](crate::Registry::tags), [`nodes`](crate::Registry::nodes)
//! - To hold: [`Pinned`](crate::Pinned), [`EntryRef`](crate::EntryRef),
//!   [`OwnedEntry`](crate::OwnedEntry), [`Registration`](crate::Registration)
//!
//! [`bulk_delete`]: crate::Registry::bulk_delete
//! [`bulk_delete_with`]: crate::Registry::bulk_delete_with
//! [`bulk_insert`]: crate::Registry::bulk_insert
//! [`bulk_insert_by`]: crate::Registry::bulk_insert_by
//! [`bulk_insert_with`]: crate::Registry::bulk_insert_with
//! [`clear_all`]: crate::Registry::clear_all
//! [`contains_children`]: crate::Registry::contains_children
//! [`delete`]: crate::Registry::delete
//! [`delete_with`]: crate::Registry::delete_with
//! [`dump`]: crate::Registry::dump
//! [`dump_all`]: crate::Registry::dump_all
//! [`entry_exists`]: crate::Registry::entry_exists
//! [`get_pid`]: crate::Registry::get_pid
//! [`get_pids`]: crate::Registry::get_pids
//! [`insert`]: crate::Registry::insert
//! [`insert_with`]: crate::Registry::insert_with
//! [`Janitor::spawn`]: crate::Janitor::spawn
//! [`local_child_specs`]: crate::Registry::local_child_specs
//! [`local_children`]: crate::Registry::local_children
//! [`local_data`]: crate::Registry::local_data
//! [`local_pid`]: crate::Registry::local_pid
//! [`lookup`]: crate::Registry::lookup
//! [`match_tag`]: crate::Registry::match_tag
//! [`process_list`]: crate::Registry::process_list
//! [`purge_expired`]: crate::Registry::purge_expired
//! [`registry`]: crate::Registry::registry
//! [`try_update`]: crate::Registry::try_update
//! [`update`]: crate::Registry::update
