//! Figures of a registry at a moment: the feature `metrics`.

use std::time::Duration;

use crate::entry::{NODES, TAGS};
use crate::state::Registry;

/// Figures of a [`Registry`] at a moment, to be exported: from [`Registry::metrics`]. With the feature
/// `metrics`.
///
/// All of them are gauges: they go up and down. They are read one after the other, so they need not fit
/// together while others write; at rest they are exact.
///
/// # Garbage, and pins that are stuck
///
/// What was removed or replaced is *retired*: it waits until no pin is left that may be reading it, and then
/// for somebody who writes or [collects](Registry::collect). The two waits are told apart only as far as
/// somebody has looked; in a registry that nobody writes to and nobody collects, garbage gets old without any
/// pin. So have it collected, most simply by a [`Janitor`](crate::Janitor), whose every sweep does: then an
/// [`oldest_retired`](Self::oldest_retired) of more than two or three of its intervals means that somebody
/// holds a pin for so long. That may be a pin of any registry of the process.
///
/// What another thread is just freeing or retiring, and what belongs to the same batch, is not seen; it will
/// be at the next call. In a destructor that a write or `collect` runs, what waits behind it in line is not
/// seen either.
///
/// How many bytes are retired nobody can say: a specification may own any amount.
///
/// # Examples
///
/// ```
/// use process_registry::{Child, Registry};
///
/// let registry: Registry<&str, u32> = Registry::new("node-a");
/// registry.insert("worker", Child::new("spec").on("node-a", 1).tag("db").tag("eu"));
/// registry.insert("pending", Child::new("spec"));
///
/// let metrics = registry.metrics();
/// assert_eq!((metrics.entries, metrics.live_entries), (2, 1));
/// assert_eq!((metrics.tags, metrics.nodes), (2, 1));
/// assert_eq!((metrics.retired, metrics.oldest_retired), (0, None));
///
/// registry.delete("worker");
/// assert!(registry.metrics().retired > 0); // the entry, and its place in the indexes
/// ```
///
/// Exported by the crate `metrics`, at an interval:
///
/// ```text
/// let now = registry.metrics();
/// metrics::gauge!("registry_entries").set(now.entries as f64);
/// metrics::gauge!("registry_retired").set(now.retired as f64);
/// let oldest = now.oldest_retired.unwrap_or_default();
/// metrics::gauge!("registry_oldest_retired_seconds").set(oldest.as_secs_f64());
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Metrics {
    /// Entries, empty ones included, as [`Registry::len_all`] counts them: pending ones, tombstones, and what
    /// has expired and was not swept.
    pub entries: usize,
    /// Entries that are not empty, as [`Registry::len`] counts them: with what has expired and was not swept.
    pub live_entries: usize,
    /// Tags that some entry carries.
    pub tags: usize,
    /// Nodes that some entry is bound to.
    pub nodes: usize,
    /// For how many entries there is room before the table grows, roughly: [`Registry::capacity`].
    pub capacity: usize,
    /// Buckets of the table of entries, 64 bytes each.
    pub buckets: usize,
    /// Overflow buckets of that table, 64 bytes each, for what does not fit into its bucket. More than
    /// one for every five buckets, not counting those that a resize brought along, makes the table grow.
    pub overflow_buckets: usize,
    /// Buckets of the table that is taking its place, while it is being resized; 64 bytes each.
    pub resizing_to: Option<usize>,
    /// Things that were unlinked and not dropped: entries and versions of entries, and parts of the indexes.
    pub retired: usize,
    /// How many of these no pin holds back any more: later writes drop them, or [`Registry::collect`] at once.
    pub due: usize,
    /// For how long the oldest of the others has been retired; `None` if there is none. By the clock of the
    /// system, whatever clock the registry has.
    pub oldest_retired: Option<Duration>,
}

impl<S, P, M, K, H> Registry<S, P, M, K, H> {
    /// The figures of this moment. With the feature `metrics`.
    ///
    /// Adds up a few counters and looks at the garbage; drops nothing and holds up nobody. Takes time in
    /// proportion to the number of processors, and of batches of garbage, which hold 64 things or more each.
    /// Call it once a second, not once a request. It may be called anywhere: under a pin, in a handler or in
    /// a destructor.
    ///
    /// # Examples
    ///
    /// ```
    /// # use process_registry::{Child, Registry};
    /// # let registry: Registry<&str, u32> = Registry::new("node-a");
    /// registry.insert("worker", Child::new("spec").on("node-a", 1));
    /// assert_eq!(registry.metrics().entries, 1);
    /// ```
    #[must_use]
    #[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
    pub fn metrics(&self) -> Metrics {
        let table = self.store.table_size();
        let garbage = self.store.garbage();
        Metrics {
            entries: self.len_all(),
            live_entries: self.len(),
            tags: self.store.name_count(TAGS),
            nodes: self.store.name_count(NODES),
            capacity: self.capacity(),
            buckets: table.buckets,
            overflow_buckets: table.overflow_buckets,
            resizing_to: table.successor,
            retired: garbage.retired,
            due: garbage.due,
            oldest_retired: garbage.since.map(|since| since.elapsed()),
        }
    }
}
