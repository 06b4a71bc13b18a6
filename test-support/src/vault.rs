//! An allocator whose memory can be locked against writing.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering::Relaxed};

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// An allocator that puts what [`fill`](Vault::fill) allocates into memory of its own, which
/// [`lock`](Vault::lock) makes read-only: whoever writes there then, ends the process by a signal.
/// All else it hands on to another allocator.
///
/// What is freed in the vault is not used again. To be made the `#[global_allocator]` of a test
/// program.
#[derive(Debug)]
pub struct Vault<A> {
    outside: A,
    start: AtomicPtr<u8>,
    used: AtomicUsize,
    frees: AtomicU64,
}

/// Bytes of the vault, of which only those that are used take memory.
const SIZE: usize = 1 << 30;

/// Makes the vault writable again when it goes.
#[derive(Debug)]
pub struct Locked<'v, A>(&'v Vault<A>);

impl<A> Vault<A> {
    /// An empty vault, with an allocator for the rest.
    #[must_use]
    pub const fn new(outside: A) -> Self {
        Self {
            outside,
            start: AtomicPtr::new(ptr::null_mut()),
            used: AtomicUsize::new(0),
            frees: AtomicU64::new(0),
        }
    }

    /// Runs `f`; what this thread allocates meanwhile is in the vault.
    ///
    /// # Panics
    ///
    /// If there is no memory for the vault.
    pub fn fill<R>(&self, f: impl FnOnce() -> R) -> R {
        if self.start.load(Relaxed).is_null() {
            let access = libc::PROT_READ | libc::PROT_WRITE;
            let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
            // SAFETY: a new mapping, wherever there is room.
            let start = unsafe { libc::mmap(ptr::null_mut(), SIZE, access, kind, -1, 0) };
            assert_ne!(start, libc::MAP_FAILED, "no memory for the vault");
            // One thread fills it first; should two, one mapping is not used.
            self.start.store(start.cast(), Relaxed);
        }
        INSIDE.set(true);
        let result = f();
        INSIDE.set(false);
        result
    }

    /// Makes everything in the vault read-only until the answer is dropped.
    #[must_use]
    pub fn lock(&self) -> Locked<'_, A> {
        self.protect(libc::PROT_READ);
        Locked(self)
    }

    /// Whether something stands in the vault.
    pub fn holds<T: ?Sized>(&self, thing: &T) -> bool {
        self.has(ptr::from_ref(thing).cast())
    }

    /// How often something in the vault has been freed.
    #[must_use]
    pub fn frees(&self) -> u64 {
        self.frees.load(Relaxed)
    }

    fn has(&self, address: *const u8) -> bool {
        let start = self.start.load(Relaxed).addr();
        start != 0 && (start..start + SIZE).contains(&address.addr())
    }

    fn protect(&self, access: i32) {
        let start = self.start.load(Relaxed);
        // SAFETY: the mapping that `fill` made.
        let done = unsafe { libc::mprotect(start.cast(), SIZE, access) };
        assert_eq!(done, 0, "the vault cannot be locked");
    }

    /// Memory of the vault, if it is to be there and there is room.
    fn place(&self, layout: Layout) -> Option<*mut u8> {
        if !INSIDE.try_with(Cell::get).unwrap_or(false) {
            return None;
        }
        let start = self.start.load(Relaxed);
        let mut used = self.used.load(Relaxed);
        loop {
            // The mapping begins with a page.
            let from = used.next_multiple_of(layout.align());
            let to = from.checked_add(layout.size()).filter(|to| *to <= SIZE)?;
            match self.used.compare_exchange(used, to, Relaxed, Relaxed) {
                // SAFETY: within the mapping.
                Ok(_) => return Some(unsafe { start.add(from) }),
                Err(now) => used = now,
            }
        }
    }
}

impl<A> Drop for Locked<'_, A> {
    fn drop(&mut self) {
        self.0.protect(libc::PROT_READ | libc::PROT_WRITE);
    }
}

// SAFETY: a block is either one of the other allocator, to which every call about it is handed on,
// or a part of the mapping that is given away once and never again; that part is zero at first.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Vault<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `alloc`, which is the same.
        self.place(layout).unwrap_or_else(|| unsafe { self.outside.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `alloc_zeroed`, which is the same.
        self.place(layout).unwrap_or_else(|| unsafe { self.outside.alloc_zeroed(layout) })
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if self.has(block) {
            self.frees.fetch_add(1, Relaxed);
        } else {
            // SAFETY: not the vault's, so it is the other allocator's.
            unsafe { self.outside.dealloc(block, layout) };
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let inside = INSIDE.try_with(Cell::get).unwrap_or(false);
        if !inside && !self.has(block) {
            // SAFETY: not the vault's, and not to be.
            return unsafe { self.outside.realloc(block, layout, new_size) };
        }
        // SAFETY: the caller's promise: `new_size` and this alignment make a layout; the blocks
        // are of these sizes and do not overlap.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(new_size, layout.align()));
            if !new.is_null() {
                ptr::copy_nonoverlapping(block, new, layout.size().min(new_size));
                self.dealloc(block, layout);
            }
            new
        }
    }
}
