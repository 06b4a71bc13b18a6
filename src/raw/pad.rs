//! Keeping what different threads write on different cache lines.

/// A value with the cache lines around it for itself (two lines: processors prefetch pairs).
#[repr(align(128))]
#[derive(Debug)]
pub(crate) struct CachePadded<T>(pub(crate) T);
