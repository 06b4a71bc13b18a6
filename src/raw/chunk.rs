//! One chunk of a member set: a bitmap and its slots.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::mem;
use std::ptr::NonNull;

use super::limbo::Reclaim;
use crate::sync::{self, AtomicU64, Canary, MODEL, Mutant, Ordering, Step, failpoint, mutant};

/// No bit to be had: every slot is in use, or the chunk is closed. Nobody may ask which.
const FULL: u64 = u64::MAX;

/// The head of a chunk; its slots follow it in the same allocation.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Chunk {
    /// A bit for each slot in use. Bits beyond the chunk's slots are always set.
    bitmap: AtomicU64,
    canary: Canary,
}

/// What clearing a bit has left.
#[must_use]
pub(super) enum Cleared {
    /// Other members, or somebody else's claim.
    Open,
    /// Nothing: this call has closed the chunk, and is the one to unlink and retire it.
    Closed,
}

/// Slots of the chunk at an index: the first one is small, since most sets are.
pub(super) const fn slots_of(index: usize) -> u32 {
    match (MODEL, index) {
        (true, _) => 2,
        // With its bitmap a little less than a cache line, as allocators like it.
        (false, 0) => 6,
        (false, _) => 64,
    }
}

/// The bits that stand for no slot.
const fn reserved(slots: u32) -> u64 {
    if slots == 64 { 0 } else { u64::MAX << slots }
}

/// A chunk with its slots, the smallest there is: where the slots begin is the same in all.
#[repr(C)]
struct WithSlots {
    head: Chunk,
    slots: [AtomicU64; 1],
}

const SLOTS: usize = mem::offset_of!(WithSlots, slots);

impl Chunk {
    fn layout(slots: u32) -> Layout {
        let size = SLOTS + slots as usize * mem::size_of::<AtomicU64>();
        Layout::from_size_align(size, mem::align_of::<WithSlots>()).expect("a small layout")
    }

    /// A chunk with one member, in slot 0, in nobody's sight yet.
    pub(super) fn with_member(index: usize, hash: u64) -> NonNull<Chunk> {
        let slots = slots_of(index);
        let layout = Self::layout(slots);
        // SAFETY: not empty: a bitmap comes first (I14).
        let memory = unsafe { alloc(layout) };
        let Some(memory) = NonNull::new(memory) else { handle_alloc_error(layout) };
        let chunk = memory.cast::<Chunk>();
        // SAFETY: the head of the allocation, then its slots, as `layout` places them (I14); ours
        // alone until it is linked (I13).
        unsafe {
            chunk.write(Chunk {
                bitmap: AtomicU64::new(reserved(slots) | 1),
                canary: Canary::new(),
            });
            let first = memory.add(SLOTS).cast::<AtomicU64>();
            for i in 0..slots as usize {
                first.add(i).write(AtomicU64::new(if i == 0 { hash } else { 0 }));
            }
        }
        chunk
    }

    /// # Safety
    /// `this` came from `with_member` for the same index, and nobody can reach it any more.
    pub(super) unsafe fn free(this: NonNull<Chunk>, index: usize) {
        // SAFETY: the caller's promise: alive until here, and nobody else's (I13).
        unsafe { this.as_ref() }.canary.kill();
        let layout = Self::layout(slots_of(index));
        if MODEL {
            sync::keep_until_end(this.cast(), layout);
            return;
        }
        // SAFETY: the caller's promise: allocated for that index, so with this layout (I15).
        unsafe { dealloc(this.as_ptr().cast(), layout) };
    }
}

/// A chunk that the caller may use: linked when it was read, under a pin that lives during `'g`.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChunkRef<'g> {
    chunk: NonNull<Chunk>,
    index: usize,
    _pinned: std::marker::PhantomData<&'g Chunk>,
}

impl<'g> ChunkRef<'g> {
    /// # Safety
    /// `chunk` is null or was read from index `index` of a chunk array while pinned, or under a
    /// claim to one of its slots, and that lasts for `'g` (I8).
    #[inline]
    pub(super) unsafe fn new(chunk: *mut Chunk, index: usize) -> Option<Self> {
        let chunk = NonNull::new(chunk)?;
        Some(ChunkRef { chunk, index, _pinned: std::marker::PhantomData })
    }

    #[inline]
    fn head(&self) -> &'g Chunk {
        // SAFETY: what `new` was promised: a pin or a claim keeps the chunk during `'g` (I8, I12).
        let head = unsafe { self.chunk.as_ref() };
        head.canary.touch();
        head
    }

    #[inline]
    fn slot(&self, bit: u32) -> &'g AtomicU64 {
        debug_assert!(bit < slots_of(self.index));
        self.head();
        // SAFETY: as `layout` places it: `bit` was claimed or is one of `bits`, so below the number
        // of slots (I14); alive as the head is (I8, I12).
        unsafe { self.chunk.byte_add(SLOTS).cast::<AtomicU64>().add(bit as usize).as_ref() }
    }

    /// Tries to claim a slot and to write `hash` into it: `Ok(Some)` is the slot, `Ok(None)` a
    /// chunk without one, `Err` a lost race.
    pub(super) fn claim(&self, hash: u64) -> Result<Option<u32>, ()> {
        let bitmap = &self.head().bitmap;
        // Acquire: pairs with the release of the bit by its last owner (O10).
        let seen = bitmap.load(Ordering::Acquire);
        if seen == FULL {
            return Ok(None);
        }
        let bit = (!seen).trailing_zeros();
        // AcqRel: one winner for a bit; a closed word is FULL and lets nobody in (O10).
        bitmap
            .compare_exchange(seen, seen | 1 << bit, Ordering::AcqRel, Ordering::Relaxed)
            .map_err(drop)?;
        failpoint(Step::BitClaimed);
        if !mutant(Mutant::LateHash) {
            self.write_hash(bit, hash);
        }
        Ok(Some(bit))
    }

    /// Writes the hash of a claimed slot's member. Before the member is published.
    #[inline]
    pub(super) fn write_hash(&self, bit: u32, hash: u64) {
        // Relaxed: the primary's CAS that publishes the member releases it (O9).
        self.slot(bit).store(hash, Ordering::Relaxed);
    }

    /// Clears the bit of a claimed slot, and closes the chunk if that was its last.
    pub(super) fn clear(&self, bit: u32) -> Cleared {
        let bitmap = &self.head().bitmap;
        let none = reserved(slots_of(self.index));
        // AcqRel: hands the slot on to the next claim (O10). An RMW: a store could undo a claim.
        let before = bitmap.fetch_and(!(1 << bit), Ordering::AcqRel);
        debug_assert!(before & 1 << bit != 0, "a slot given back twice");
        failpoint(Step::BitCleared);
        if before & !(1 << bit) != none {
            return Cleared::Open;
        }
        // AcqRel: one word decides between closing and claiming (O10).
        match bitmap.compare_exchange(none, FULL, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => Cleared::Closed,
            Err(_) => Cleared::Open,
        }
    }

    /// The bits of the slots in use. A closed chunk shows all, which does no harm: what they hold
    /// names no entry any more.
    #[inline]
    pub(super) fn bits(&self) -> u64 {
        // Acquire: pairs with the claims; the hashes are read next (O10).
        self.head().bitmap.load(Ordering::Acquire) & !reserved(slots_of(self.index))
    }

    #[inline]
    pub(super) fn hash(&self, bit: u32) -> u64 {
        // Relaxed: a member whose publication we have seen has its hash visible by that; any
        // other value yields no entry (O9).
        self.slot(bit).load(Ordering::Relaxed)
    }

    pub(super) fn as_ptr(&self) -> *mut Chunk {
        self.chunk.as_ptr()
    }
}

/// The chunk of index 0 on its way to the allocator, and that of any other index: they differ in
/// size.
pub(super) struct First;
/// See [`First`].
pub(super) struct Further;

impl Reclaim for First {
    unsafe fn reclaim(this: NonNull<Self>) {
        // SAFETY: limbo calls this once, in time (I8, I13); retired as the chunk of index 0 (I15).
        unsafe { Chunk::free(this.cast(), 0) };
    }
}

impl Reclaim for Further {
    unsafe fn reclaim(this: NonNull<Self>) {
        // SAFETY: limbo calls this once, in time (I8, I13); retired as one of a higher index (I15).
        unsafe { Chunk::free(this.cast(), 1) };
    }
}
