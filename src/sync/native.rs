//! The facade's ordinary arm: the standard library's atomics and crossbeam-epoch.

use std::alloc::Layout;
use std::cell::Cell;
use std::ptr::NonNull;
use std::sync::OnceLock;
use std::sync::atomic::AtomicPtr;

use crossbeam_epoch as epoch;

use super::{Flag, Ordering};

pub(crate) use std::sync::atomic::{
    AtomicIsize, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, fence,
};

/// An atomic pointer whose spare bits carry flags.
#[repr(transparent)]
#[derive(Debug)]
pub(crate) struct AtomicTagged<T>(AtomicPtr<T>);

impl<T> AtomicTagged<T> {
    pub(crate) const fn new(value: *mut T) -> Self {
        AtomicTagged(AtomicPtr::new(value))
    }

    #[inline(always)]
    pub(crate) fn load(&self, order: Ordering) -> *mut T {
        self.0.load(order)
    }

    #[inline(always)]
    pub(crate) fn compare_exchange(
        &self,
        current: *mut T,
        new: *mut T,
        success: Ordering,
        failure: Ordering,
    ) -> Result<*mut T, *mut T> {
        self.0.compare_exchange(current, new, success, failure)
    }

    #[inline(always)]
    pub(crate) fn swap(&self, new: *mut T, order: Ordering) -> *mut T {
        self.0.swap(new, order)
    }

    #[inline(always)]
    pub(crate) fn fetch_or(&self, bits: usize, order: Ordering) -> *mut T {
        self.0.fetch_or(bits, order)
    }
}

/// A collector of the crate's own: on crossbeam's default one a reader's pin would run other
/// crates' destructors, and their long pins would hold back our memory.
fn collector() -> &'static epoch::Collector {
    static COLLECTOR: OnceLock<epoch::Collector> = OnceLock::new();
    COLLECTOR.get_or_init(epoch::Collector::new)
}

/// Makes what pins need once in a process, so that no read waits for another thread that is making it.
pub(crate) fn get_ready() {
    collector();
}

thread_local! {
    static HANDLE: epoch::LocalHandle = collector().register();
}

/// An epoch pin of this thread. While it lives, nothing that was reachable when it was taken or
/// later is freed.
#[derive(Debug)]
pub(crate) struct Guard(epoch::Guard);

/// Pins this thread; pins nest.
#[inline]
pub(crate) fn pin() -> Guard {
    // While the thread's locals are being destroyed a handle of the moment has to do.
    Guard(HANDLE.try_with(epoch::LocalHandle::pin).unwrap_or_else(|_| collector().register().pin()))
}

/// Whether this thread holds a pin. While its locals are being destroyed nobody can tell any more;
/// then it may.
pub(crate) fn is_pinned() -> bool {
    HANDLE.try_with(epoch::LocalHandle::is_pinned).unwrap_or(true)
}

impl Guard {
    /// Lets go of the past: what was read under the guard before must not be touched any more,
    /// which `&mut` sees to.
    #[inline]
    pub(crate) fn repin(&mut self) {
        self.0.repin();
        // SeqCst: crossbeam's `repin` has no fence, unlike its `pin`. Partner: the fence of who seals a batch,
        // after the unlinking (O18). Whoever reads next either sees the unlinking, or the batch is of this epoch or a
        // later one, and waits for this pin (I8). Without it, where loads are reordered, a read might be done
        // before the epoch is loaded, find what is being unlinked, and keep it beyond its epoch.
        fence(Ordering::SeqCst);
    }

    /// Runs `f` without this pin, and pins anew, whatever `f` does. `&mut` as for `repin`.
    pub(crate) fn unpinned(&mut self, f: impl FnOnce()) {
        if HANDLE.try_with(|_| ()).is_ok() {
            self.0.repin_after(f);
        } else {
            // While the thread's locals are being destroyed `is_pinned` says yes in any case; and
            // crossbeam wants the guard of a handle that is still there.
            self.repin();
            f();
        }
    }

    /// Raises `flag` once every pin held now has been given up.
    pub(crate) fn raise_when_unpinned(&self, flag: &'static Flag) {
        self.0.defer(move || flag.raise());
        // Hands the thread's deferred calls to the collector and tries to advance the epoch; of
        // what it may run, every call is a `raise`.
        self.0.flush();
    }

    /// Tries to advance the epoch and to run what is due.
    pub(crate) fn advance(&self) {
        self.0.flush();
    }
}

/// A small number of this thread's own, for spreading threads over stripes.
#[inline]
pub(crate) fn stripe() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static STRIPE: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    STRIPE
        .try_with(|mine| {
            let mut number = mine.get();
            if number == usize::MAX {
                // Relaxed: only distinctness matters, and an RMW gives that.
                number = NEXT.fetch_add(1, Ordering::Relaxed);
                mine.set(number);
            }
            number
        })
        .unwrap_or(0)
}

/// The stack of flags that nobody uses.
pub(crate) fn flag_pool() -> &'static AtomicTagged<Flag> {
    static POOL: AtomicTagged<Flag> = AtomicTagged::new(std::ptr::null_mut());
    &POOL
}

/// What a model does with freed memory. Never called here.
pub(crate) const fn keep_until_end(_memory: NonNull<u8>, _layout: Layout) {}

/// Marks a block of memory as alive or freed, where a model checks every access. Nothing here.
#[derive(Debug)]
pub(crate) struct Canary;

impl Canary {
    pub(crate) const fn new() -> Self {
        Canary
    }

    /// Says that the block is being read.
    #[inline(always)]
    pub(crate) fn touch(&self) {}

    /// Says that the block has been freed.
    #[inline(always)]
    pub(crate) fn kill(&self) {}
}

/// Marks what one thread at a time has for itself, where a model checks every turn. Nothing here.
#[derive(Debug)]
pub(crate) struct Turn;

impl Turn {
    pub(crate) const fn new() -> Self {
        Turn
    }

    /// Says that it is this thread's turn.
    #[inline(always)]
    pub(crate) fn touch(&self) {}
}
