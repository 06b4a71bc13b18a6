//! Two ways to keep an entry: counted, and with its pin.

use std::fmt;
use std::ops::Deref;

use crate::entry::Entry;
use crate::name::ChildId;
use crate::raw::{Counted, PinnedRef};

/// An entry that is kept: it may be held for ever, across `.await` and on any thread, and outlives the
/// registry.
///
/// It shows the child as it was when it was taken; what has happened since is seen by looking again. The
/// last of its kind to be dropped, on whatever thread, drops the entry if the registry has let go of it.
///
/// # Examples
///
/// ```
/// use process_registry::{Child, Registry};
///
/// let registry: Registry<&str, u32> = Registry::new("node-a");
/// registry.insert("worker", Child::new("spec").on("node-a", 4711));
///
/// let worker = registry.get_owned("worker").expect("just inserted");
/// registry.delete("worker");
/// std::thread::spawn(move || assert_eq!(worker.pid(), Some(&4711))).join().unwrap();
/// ```
pub struct OwnedEntry<S, P, M = (), K = ChildId>(Counted<Entry<S, P, M, K>>);

impl<S, P, M, K> OwnedEntry<S, P, M, K> {
    pub(super) fn new(entry: Counted<Entry<S, P, M, K>>) -> Self {
        Self(entry)
    }
}

impl<S, P, M, K> Clone for OwnedEntry<S, P, M, K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S, P, M, K> Deref for OwnedEntry<S, P, M, K> {
    type Target = Entry<S, P, M, K>;

    #[inline]
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<S, P, M, K> fmt::Debug for OwnedEntry<S, P, M, K>
where
    Entry<S, P, M, K>: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

/// An entry with the pin that keeps it alive, as [`Registry::lookup`](crate::Registry::lookup) returns it.
///
/// It is not a lock: it blocks nobody, and any number may be held by any number of threads. But while it
/// lives nothing that is removed from any registry can be freed; for longer than a moment take an
/// [`OwnedEntry`] by [`share`](Entry::share). It stays on its thread, for it is the thread that is pinned: a
/// future that holds one across `.await` is not `Send`.
///
/// # Examples
///
/// ```
/// use process_registry::{Child, Registry};
///
/// let registry: Registry<&str, u32> = Registry::new("node-a");
/// registry.insert("worker", Child::new("spec").on("node-a", 4711));
///
/// let entry = registry.lookup("worker").expect("just inserted");
/// registry.delete("worker");
/// assert_eq!(entry.pid(), Some(&4711));
/// ```
///
/// Another thread cannot have it:
///
/// ```compile_fail,E0277
/// # use process_registry::{Child, Registry};
/// # let registry: Registry<&str, u32> = Registry::new("node-a");
/// # registry.insert("worker", Child::new("spec").on("node-a", 4711));
/// let entry = registry.lookup("worker").expect("just inserted");
/// std::thread::scope(|scope| scope.spawn(move || println!("{entry:?}")).join().unwrap());
/// ```
///
/// It can have an entry that is shared:
///
/// ```
/// # use process_registry::{Child, Registry};
/// # let registry: Registry<&str, u32> = Registry::new("node-a");
/// # registry.insert("worker", Child::new("spec").on("node-a", 4711));
/// let entry = registry.lookup("worker").expect("just inserted").share();
/// std::thread::scope(|scope| scope.spawn(move || println!("{entry:?}")).join().unwrap());
/// ```
pub struct EntryRef<'r, S, P, M = (), K = ChildId>(PinnedRef<'r, Entry<S, P, M, K>>);

impl<'r, S, P, M, K> EntryRef<'r, S, P, M, K> {
    pub(crate) fn new(entry: PinnedRef<'r, Entry<S, P, M, K>>) -> Self {
        Self(entry)
    }
}

impl<S, P, M, K> Deref for EntryRef<'_, S, P, M, K> {
    type Target = Entry<S, P, M, K>;

    #[inline]
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<S, P, M, K> fmt::Debug for EntryRef<'_, S, P, M, K>
where
    Entry<S, P, M, K>: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
