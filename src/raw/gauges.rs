//! Figures of a store. With the feature `metrics`.

use super::block::{Dim, Element};
use super::limbo::Garbage;
use super::store::Store;

/// How large the primary table is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TableSize {
    /// Buckets of the root.
    pub(crate) buckets: usize,
    /// Overflow buckets it has handed out.
    pub(crate) overflow_buckets: usize,
    /// Buckets of its successor, while one is being filled.
    pub(crate) successor: Option<usize>,
}

impl<E: Element> Store<E> {
    pub(crate) fn table_size(&self) -> TableSize {
        let guard = self.pin();
        let root = self.primary.root(&guard);
        TableSize {
            buckets: root.buckets(),
            overflow_buckets: root.overflow_buckets(),
            successor: root.next().map(|next| next.buckets()),
        }
    }

    /// How many names of a dimension have members; exact when nobody writes.
    pub(crate) fn name_count(&self, dim: Dim) -> usize {
        self.directory(dim).len()
    }

    /// What is retired and not freed. Frees nothing.
    pub(crate) fn garbage(&self) -> Garbage {
        self.limbo.garbage()
    }
}
