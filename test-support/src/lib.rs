//! What the tests share: an allocator that counts, and values that count their drops; and what benchmarks ask of
//! an allocator.
//!
//! ```
//! use test_support::{CountingAlloc, Counters, Tracked, thread_activity};
//!
//! #[global_allocator]
//! static ALLOC: CountingAlloc = CountingAlloc::new();
//!
//! let (boxed, activity) = thread_activity(|| Box::new(7));
//! assert_eq!((activity.allocations, activity.frees), (1, 0));
//! assert!(ALLOC.live_blocks() > 0);
//! drop(boxed);
//!
//! let counters = Counters::new();
//! let values = vec![Tracked::new(&counters, "a"); 3];
//! assert_eq!(counters.live(), 3);
//! drop(values);
//! counters.assert_all_dropped();
//! ```

// A global allocator cannot be written without it.
#![allow(unsafe_code)]

#[cfg(unix)]
mod vault;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::thread::LocalKey;

#[cfg(unix)]
pub use vault::{Locked, Vault};

/// Gives back to the system what this program has freed, where the allocator is that of glibc: whoever asks for
/// memory next gets it from the system, as in a program that has just begun.
pub fn return_free_memory() {
    // SAFETY: it asks nothing of its caller.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    unsafe {
        libc::malloc_trim(0);
    }
}

thread_local! {
    // Constants without destructors: reading them neither allocates nor registers anything, so an
    // allocator may.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static FREES: Cell<u64> = const { Cell::new(0) };
    static SMALLEST_FREED: Cell<usize> = const { Cell::new(usize::MAX) };
    static LARGEST_FREED: Cell<usize> = const { Cell::new(0) };
}

/// The allocator of the system, with counters. To be made the `#[global_allocator]` of a test
/// program.
///
/// A reallocation counts as one allocation and one free.
#[derive(Debug)]
pub struct CountingAlloc {
    // Signed: threads may be seen to free before they are seen to allocate.
    bytes: AtomicI64,
    blocks: AtomicI64,
    allocations: AtomicU64,
}

impl CountingAlloc {
    /// An allocator that has counted nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: AtomicI64::new(0), blocks: AtomicI64::new(0), allocations: AtomicU64::new(0) }
    }

    /// The bytes that are allocated now, as they were asked for.
    #[must_use]
    pub fn live_bytes(&self) -> usize {
        usize::try_from(self.bytes.load(Relaxed)).unwrap_or(0)
    }

    /// The blocks that are allocated now.
    #[must_use]
    pub fn live_blocks(&self) -> usize {
        usize::try_from(self.blocks.load(Relaxed)).unwrap_or(0)
    }

    /// All allocations there have been, by all threads.
    #[must_use]
    pub fn total_allocations(&self) -> u64 {
        self.allocations.load(Relaxed)
    }

    fn allocated(&self, size: usize) {
        self.bytes.fetch_add(signed(size), Relaxed);
        self.blocks.fetch_add(1, Relaxed);
        self.allocations.fetch_add(1, Relaxed);
        count(&ALLOCATIONS);
    }

    fn freed(&self, size: usize) {
        self.bytes.fetch_sub(signed(size), Relaxed);
        self.blocks.fetch_sub(1, Relaxed);
        count(&FREES);
        // As in `count`.
        let _ = SMALLEST_FREED.try_with(|smallest| smallest.set(smallest.get().min(size)));
        let _ = LARGEST_FREED.try_with(|largest| largest.set(largest.get().max(size)));
    }
}

impl Default for CountingAlloc {
    fn default() -> Self {
        Self::new()
    }
}

/// No block is larger than `isize::MAX` bytes.
fn signed(size: usize) -> i64 {
    size as i64
}

fn count(counter: &'static LocalKey<Cell<u64>>) {
    // An allocator must not panic, not even in a thread that is coming down.
    let _ = counter.try_with(|count| count.set(count.get() + 1));
}

// SAFETY: every call is handed on to `System` as it is, and its answer handed back; the counters
// touch no block, and counting neither allocates nor unwinds.
unsafe impl GlobalAlloc for CountingAlloc {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `alloc`, which is the same.
        let block = unsafe { System.alloc(layout) };
        if !block.is_null() {
            self.allocated(layout.size());
        }
        block
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // Not by way of `alloc`: the system has zeroed pages that nobody needs to touch.
        // SAFETY: the caller keeps the contract of `alloc_zeroed`, which is the same.
        let block = unsafe { System.alloc_zeroed(layout) };
        if !block.is_null() {
            self.allocated(layout.size());
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        self.freed(layout.size());
        // SAFETY: the caller has `block` from one of these functions, and so it is one of `System`,
        // of this layout.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller has `block` from one of these functions, and so it is one of `System`,
        // of this layout; the rest of the contract is the same.
        let moved = unsafe { System.realloc(block, layout, new_size) };
        if !moved.is_null() {
            self.freed(layout.size());
            self.allocated(new_size);
        }
        moved
    }
}

/// How often a thread has allocated and freed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// Allocations, reallocations included.
    pub allocations: u64,
    /// Frees, reallocations included.
    pub frees: u64,
}

/// How often this thread has allocated, if a [`CountingAlloc`] is the global allocator; otherwise
/// 0.
#[must_use]
pub fn thread_allocations() -> u64 {
    ALLOCATIONS.with(Cell::get)
}

/// How often this thread has freed, if a [`CountingAlloc`] is the global allocator; otherwise 0.
#[must_use]
pub fn thread_frees() -> u64 {
    FREES.with(Cell::get)
}

/// The smallest and the largest block this thread has freed since it last asked, if any.
#[must_use]
pub fn thread_freed_sizes() -> Option<(usize, usize)> {
    let (smallest, largest) = (SMALLEST_FREED.replace(usize::MAX), LARGEST_FREED.replace(0));
    (smallest <= largest).then_some((smallest, largest))
}

/// Runs `f`, and tells how often this thread allocated and freed meanwhile.
pub fn thread_activity<R>(f: impl FnOnce() -> R) -> (R, Activity) {
    let (allocations, frees) = (thread_allocations(), thread_frees());
    let result = f();
    let activity =
        Activity { allocations: thread_allocations() - allocations, frees: thread_frees() - frees };
    (result, activity)
}

/// What became of a family of [`Tracked`] values.
///
/// Relaxed counters only: they add no synchronization that could hide a race. Exact once the
/// threads that made and dropped the values have been joined.
#[derive(Debug, Default)]
pub struct Counters {
    created: AtomicU64,
    cloned: AtomicU64,
    dropped: AtomicU64,
    /// Sums of the values' marks; they tell one value dropped twice from two dropped once.
    created_marks: AtomicU64,
    dropped_marks: AtomicU64,
}

impl Counters {
    /// Counters for a new family.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// How many values were made, clones included.
    #[must_use]
    pub fn created(&self) -> u64 {
        self.created.load(Relaxed)
    }

    /// How many of them were made by cloning.
    #[must_use]
    pub fn cloned(&self) -> u64 {
        self.cloned.load(Relaxed)
    }

    /// How many drops there were.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// How many values are alive.
    ///
    /// # Panics
    ///
    /// If there were more drops than values. To be called while no thread makes or drops any.
    #[must_use]
    #[track_caller]
    pub fn live(&self) -> u64 {
        let (created, dropped) = (self.created(), self.dropped());
        created
            .checked_sub(dropped)
            .unwrap_or_else(|| panic!("{dropped} drops of {created} values"))
    }

    /// Asserts that every value there was has been dropped exactly once.
    ///
    /// # Panics
    ///
    /// If one has not, or one has been dropped more than once.
    #[track_caller]
    pub fn assert_all_dropped(&self) {
        assert_eq!(self.live(), 0, "values were not dropped");
        assert_eq!(
            self.created_marks.load(Relaxed),
            self.dropped_marks.load(Relaxed),
            "as many drops as values, yet some were dropped twice and others never"
        );
    }

    /// Counts a new value in, and gives it its mark.
    fn enter(&self) -> u64 {
        let mark = scramble(self.created.fetch_add(1, Relaxed));
        self.created_marks.fetch_add(mark, Relaxed);
        mark
    }
}

/// Spreads serial numbers so that different sets of them have different sums. (The mixer of
/// SplitMix64.)
fn scramble(serial: u64) -> u64 {
    let mut z = serial.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A value whose making, cloning and dropping is counted.
///
/// It compares, hashes and shows itself as the value it holds.
pub struct Tracked<T = ()> {
    value: T,
    mark: u64,
    counters: Arc<Counters>,
}

impl<T> Tracked<T> {
    /// A value that counts with `counters`.
    #[must_use]
    pub fn new(counters: &Arc<Counters>, value: T) -> Self {
        Self { value, mark: counters.enter(), counters: Arc::clone(counters) }
    }
}

impl<T: Clone> Clone for Tracked<T> {
    fn clone(&self) -> Self {
        // First, for it may panic.
        let value = self.value.clone();
        self.counters.cloned.fetch_add(1, Relaxed);
        Self::new(&self.counters, value)
    }
}

impl<T> Drop for Tracked<T> {
    fn drop(&mut self) {
        self.counters.dropped.fetch_add(1, Relaxed);
        self.counters.dropped_marks.fetch_add(self.mark, Relaxed);
    }
}

impl<T> Deref for Tracked<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Tracked<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl<T: PartialEq> PartialEq for Tracked<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Tracked<T> {}

impl<T: PartialOrd> PartialOrd for Tracked<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        self.value.partial_cmp(&other.value)
    }
}

impl<T: Ord> Ord for Tracked<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.value.cmp(&other.value)
    }
}

impl<T: Hash> Hash for Tracked<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.value.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;
    use std::mem::{ManuallyDrop, forget};
    use std::panic::catch_unwind;

    use super::*;

    #[global_allocator]
    static ALLOC: CountingAlloc = CountingAlloc::new();

    /// Far more than the other tests and the harness, which run at the same time, allocate.
    const BIG: usize = 64 << 20;

    #[test]
    fn a_thread_counts_its_own() {
        let (boxed, activity) = thread_activity(|| black_box(Box::new(1)));
        assert_eq!(activity, Activity { allocations: 1, frees: 0 });
        let ((), activity) = thread_activity(|| drop(black_box(boxed)));
        assert_eq!(activity, Activity { allocations: 0, frees: 1 });
        let (_, activity) = thread_activity(|| black_box(1) + 1);
        assert_eq!(activity, Activity::default());
    }

    #[test]
    fn another_thread_does_not_count() {
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            let _ = receiver.recv();
            thread_activity(|| (0..100).for_each(|i| drop(black_box(Box::new(i))))).1
        });
        let (other, own) = thread_activity(|| {
            drop(sender);
            thread.join().unwrap()
        });
        assert_eq!(other, Activity { allocations: 100, frees: 100 });
        assert!(own.allocations < 100);
    }

    #[test]
    fn a_reallocation_is_both() {
        let mut list: Vec<u64> = black_box(Vec::with_capacity(1));
        let ((), activity) = thread_activity(|| list.reserve_exact(1000));
        assert_eq!(activity, Activity { allocations: 1, frees: 1 });
        drop(black_box(list));
    }

    #[test]
    fn bytes_come_and_go() {
        let before = ALLOC.live_bytes();
        let total = ALLOC.total_allocations();
        let zeroed = black_box(vec![0_u8; BIG]);
        assert!(ALLOC.live_bytes() >= before + BIG / 2);
        let mut copied = black_box(Vec::<u8>::with_capacity(BIG));
        copied.shrink_to(16);
        assert!(ALLOC.live_bytes() < before + BIG + BIG / 2);
        assert!(ALLOC.total_allocations() >= total + 3);
        drop((zeroed, copied));
        assert!(ALLOC.live_bytes() < before + BIG / 2);
        assert!(ALLOC.live_blocks() > 0);
    }

    #[test]
    fn values_are_counted_in_and_out() {
        let counters = Counters::new();
        let one = Tracked::new(&counters, String::from("a"));
        let two = one.clone();
        assert_eq!((counters.created(), counters.cloned(), counters.live()), (2, 1, 2));
        assert_eq!(one, two);
        assert_eq!((one.len(), format!("{one:?}")), (1, "\"a\"".to_owned()));
        drop(one);
        assert_eq!((counters.dropped(), counters.live()), (1, 1));
        drop(two);
        counters.assert_all_dropped();
    }

    #[test]
    fn a_leak_is_found() {
        let counters = Counters::new();
        forget(Tracked::new(&counters, ()));
        assert!(catch_unwind(|| counters.assert_all_dropped()).is_err());
    }

    #[test]
    fn a_double_drop_is_found_even_beside_a_leak() {
        let counters = Counters::new();
        forget(Tracked::new(&counters, ()));
        let mut twice = ManuallyDrop::new(Tracked::new(&counters, ()));
        // What a second drop would count, without making one.
        let (mark, family) = (twice.mark, Arc::clone(&counters));
        // SAFETY: it is dropped once, and not used afterwards.
        unsafe { ManuallyDrop::drop(&mut twice) };
        family.dropped.fetch_add(1, Relaxed);
        family.dropped_marks.fetch_add(mark, Relaxed);
        assert_eq!(counters.live(), 0);
        assert!(catch_unwind(|| counters.assert_all_dropped()).is_err());
    }

    #[test]
    fn a_clone_that_panics_is_none() {
        struct Stubborn;
        impl Clone for Stubborn {
            fn clone(&self) -> Self {
                panic!("no");
            }
        }
        let counters = Counters::new();
        let one = Tracked::new(&counters, Stubborn);
        assert!(catch_unwind(std::panic::AssertUnwindSafe(|| one.clone())).is_err());
        drop(one);
        assert_eq!((counters.created(), counters.cloned()), (1, 0));
        counters.assert_all_dropped();
    }
}
