//! One chunk of a member set: a bitmap, its slots, and where in the set it stands.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::marker::PhantomData;
use std::mem;
use std::ptr::NonNull;

use super::limbo::Reclaim;
use super::members::NamedSet;
use super::prefetch::prefetch;
use super::slack::{offset, with_slack};
use crate::sync::{self, AtomicU64, Canary, MODEL, Mutant, Ordering, Step, failpoint, mutant};

/// No bit to be had: every slot is in use, or the chunk is closed. Nobody may ask which.
const FULL: u64 = u64::MAX;

/// What chunks are aligned to: a place keeps the number of a slot in the low bits of an address.
const ALIGN: usize = 64;
const BIT: usize = ALIGN - 1;

/// The head of a chunk; its slots follow it in the same allocation.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Chunk {
    /// A bit for each slot in use. Bits beyond the chunk's slots are always set.
    bitmap: AtomicU64,
    home: Home,
    canary: Canary,
}

/// What a chunk belongs to: all that it takes to give a slot of it back. Written while nobody else
/// can reach the chunk.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Home {
    /// Dangling until a new set has been put into a block.
    pub(super) set: NonNull<NamedSet>,
    /// Where in the stripe's array.
    pub(super) index: u32,
    /// Which stripe of the set.
    pub(super) stripe: u16,
    /// How far before the chunk its allocation begins; written with the chunk.
    before: u16,
}

impl Home {
    /// The first one of a stripe of a set.
    pub(super) fn new(set: NonNull<NamedSet>, stripe: usize) -> Self {
        // At most `MOST_STRIPES`.
        Home { set, index: 0, stripe: stripe as u16, before: 0 }
    }

    /// The one at an index of the same stripe.
    pub(super) fn at(self, index: usize) -> Self {
        Home { index: index as u32, ..self }
    }
}

/// A slot of a member set: the address of its chunk, with the number of its bit in the low six
/// bits. The claim keeps the chunk and its set; so does a pin from before the claim's release.
///
/// No two claims that exist at once have the same place. Once released, it may become another's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Place(NonNull<Chunk>);

/// What clearing a bit has left.
#[must_use]
pub(super) enum Cleared {
    /// Other members, or somebody else's claim.
    Open,
    /// Nothing: this call has closed the chunk, and is the one to unlink and retire it.
    Closed,
}

/// Slots of the chunk at an index: the first one is small, since most sets are. It is a cache line
/// with its head, and any other is eight.
pub(super) const fn slots_of(index: usize) -> u32 {
    match (MODEL, index) {
        (true, _) => 2,
        (false, 0) => 5,
        (false, _) => 61,
    }
}

/// The bits that stand for no slot.
const fn reserved(slots: u32) -> u64 {
    u64::MAX << slots
}

/// A chunk with its slots, the smallest there is: where the slots begin is the same in all.
#[repr(C)]
struct WithSlots {
    head: Chunk,
    slots: [AtomicU64; 1],
}

const SLOTS: usize = mem::offset_of!(WithSlots, slots);

const _: () = assert!(MODEL || Chunk::size(0) == 64 && Chunk::size(1) == 512);
const _: () = assert!(mem::align_of::<WithSlots>() <= ALIGN && slots_of(1) as usize <= BIT);

impl Chunk {
    const fn size(index: usize) -> usize {
        SLOTS + slots_of(index) as usize * mem::size_of::<AtomicU64>()
    }

    /// How the chunk at an index is allocated.
    fn layout(index: usize) -> Layout {
        let exact = Layout::from_size_align(Self::size(index), ALIGN).expect("a small layout");
        // The first one is all that many sets have, and would be twice as large with slack. Of the others,
        // which many inserts bring, allocators make several times as much work without.
        if index == 0 { exact } else { with_slack(exact) }
    }

    /// A chunk with one member, in slot 0, in nobody's sight yet.
    pub(super) fn with_member(home: Home, hash: u64) -> NonNull<Chunk> {
        let slots = slots_of(home.index as usize);
        let layout = Self::layout(home.index as usize);
        // SAFETY: not empty: a bitmap comes first (I14).
        let memory = unsafe { alloc(layout) };
        let Some(origin) = NonNull::new(memory) else { handle_alloc_error(layout) };
        let before = offset(origin, ALIGN);
        // SAFETY: zero, or there is slack for it (I14).
        let memory = unsafe { origin.add(before) };
        let chunk = memory.cast::<Chunk>();
        // SAFETY: the head of the allocation, then its slots, as `layout` places them (I14); ours
        // alone until it is linked (I13).
        unsafe {
            chunk.write(Chunk {
                bitmap: AtomicU64::new(reserved(slots) | 1),
                home: Home { before: before as u16, ..home },
                canary: Canary::new(),
            });
            let first = memory.add(SLOTS).cast::<AtomicU64>();
            for i in 0..slots as usize {
                first.add(i).write(AtomicU64::new(if i == 0 { hash } else { 0 }));
            }
        }
        chunk
    }

    /// Says which set the chunk belongs to, now that the set stands where it is to stay, or that it
    /// has moved.
    ///
    /// # Safety
    /// `this` came from `with_member`, and nobody else can reach it.
    pub(super) unsafe fn settle(this: NonNull<Chunk>, set: NonNull<NamedSet>) {
        // SAFETY: the caller's promise (I13): a field of the head, written whole.
        let home = unsafe { &mut (*this.as_ptr()).home };
        if !mutant(Mutant::StaleSetPointer) || home.set == NonNull::dangling() {
            home.set = set;
        }
    }

    /// # Safety
    /// `this` came from `with_member`, and nobody can reach it any more.
    pub(super) unsafe fn free(this: NonNull<Chunk>) {
        // SAFETY: the caller's promise: alive until here, and nobody else's (I13).
        let chunk = unsafe { this.as_ref() };
        chunk.canary.kill();
        let layout = Self::layout(chunk.home.index as usize);
        let before = usize::from(chunk.home.before);
        // SAFETY: so far before the chunk its allocation begins (I15).
        let origin = unsafe { this.cast::<u8>().sub(before) };
        if MODEL {
            sync::keep_until_end(origin, layout);
            return;
        }
        // SAFETY: allocated for the index that its head names, so with this layout (I15).
        unsafe { dealloc(origin.as_ptr(), layout) };
    }
}

impl Reclaim for Chunk {
    unsafe fn reclaim(this: NonNull<Self>) {
        // SAFETY: limbo calls this once, in time (I8, I13).
        unsafe { Chunk::free(this) };
    }
}

impl Place {
    /// Among so many, a write looks for one by going through them all.
    pub(super) const FEW: usize = 32;

    /// Slot `bit` of a chunk.
    #[inline(always)]
    pub(super) fn new(chunk: NonNull<Chunk>, bit: u32) -> Self {
        debug_assert!(bit as usize <= BIT);
        Place(chunk.map_addr(|a| a | bit as usize))
    }

    /// Which slot of its chunk.
    #[inline(always)]
    pub(super) fn bit(self) -> u32 {
        (self.0.addr().get() & BIT) as u32
    }

    /// Asks for the line of the bitmap that it is in.
    pub(super) fn prefetch(self) {
        prefetch(self.0.as_ptr());
    }

    /// The chunk.
    ///
    /// # Safety
    /// The place is claimed, or was under a pin that goes on, and that lasts for `'g` (I8, I12).
    #[inline(always)]
    pub(super) unsafe fn chunk<'g>(self) -> ChunkRef<'g> {
        let chunk = self.0.as_ptr().map_addr(|a| a & !BIT);
        // SAFETY: the caller's promise; the address of a chunk, which is aligned, is not null (I14).
        unsafe { ChunkRef::new(chunk).unwrap_unchecked() }
    }
}

/// A chunk that the caller may use: linked when it was read, under a pin that lives during `'g`.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChunkRef<'g> {
    chunk: NonNull<Chunk>,
    _pinned: PhantomData<&'g Chunk>,
}

impl<'g> ChunkRef<'g> {
    /// # Safety
    /// `chunk` is null or was read from a chunk array of a set in sight while pinned, or under a
    /// claim to one of its slots, and that lasts for `'g` (I8, I12).
    #[inline(always)]
    pub(super) unsafe fn new(chunk: *mut Chunk) -> Option<Self> {
        let chunk = NonNull::new(chunk)?;
        Some(ChunkRef { chunk, _pinned: PhantomData })
    }

    #[inline(always)]
    fn head(self) -> &'g Chunk {
        // SAFETY: what `new` was promised: a pin or a claim keeps the chunk during `'g` (I8, I12).
        let head = unsafe { self.chunk.as_ref() };
        head.canary.touch();
        head
    }

    /// The set that the chunk belongs to.
    #[inline]
    pub(super) fn set(self) -> &'g NamedSet {
        // SAFETY: what keeps the chunk keeps its set (I8, I12), which had its place for good before
        // anybody else could reach the chunk (I13).
        unsafe { self.head().home.set.as_ref() }
    }

    pub(super) fn stripe(self) -> usize {
        self.head().home.stripe as usize
    }

    pub(super) fn index(self) -> usize {
        self.head().home.index as usize
    }

    #[inline(always)]
    fn slot(self, bit: u32) -> &'g AtomicU64 {
        debug_assert!(bit < slots_of(self.index()));
        self.head();
        // SAFETY: as `layout` places it: `bit` was claimed or is one of the bitmap's, so below the
        // number of slots (I14); alive as the head is (I8, I12).
        unsafe { self.chunk.byte_add(SLOTS).cast::<AtomicU64>().add(bit as usize).as_ref() }
    }

    /// The bits that stand for no slot of this chunk.
    #[inline(always)]
    fn reserved(self) -> u64 {
        reserved(slots_of(self.index()))
    }

    /// Tries to claim a slot and to write `hash` into it: `Ok(Some)` is the slot, `Ok(None)` a
    /// chunk without one, `Err` a lost race.
    pub(super) fn claim(self, hash: u64) -> Result<Option<Place>, ()> {
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
        Ok(Some(Place::new(self.chunk, bit)))
    }

    /// Writes the hash of a claimed slot's member. Before the member is published.
    #[inline]
    pub(super) fn write_hash(self, bit: u32, hash: u64) {
        // Relaxed: the primary's CAS that publishes the member releases it (O9).
        self.slot(bit).store(hash, Ordering::Relaxed);
    }

    /// Clears the bit of a claimed slot, and closes the chunk if that was its last.
    pub(super) fn clear(self, bit: u32) -> Cleared {
        let bitmap = &self.head().bitmap;
        let none = self.reserved();
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

    /// The slots in use. Of a closed chunk all, which does no harm: what they hold names no entry
    /// any more.
    #[inline]
    pub(super) fn slots(self) -> Slots<'g> {
        #[cfg(test)]
        crate::probe::count(crate::probe::Event::WordScanned);
        // Acquire: pairs with the claims; the hashes are read next (O10).
        let bits = self.head().bitmap.load(Ordering::Acquire) & !self.reserved();
        Slots { chunk: self, bits }
    }

    pub(super) fn pointer(self) -> NonNull<Chunk> {
        self.chunk
    }
}

/// An iterator over the slots of a chunk that were in use: the hash in each, and which place it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slots<'g> {
    chunk: ChunkRef<'g>,
    bits: u64,
}

impl Iterator for Slots<'_> {
    type Item = (u64, Place);

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        if self.bits == 0 {
            return None;
        }
        let bit = self.bits.trailing_zeros();
        self.bits &= self.bits - 1;
        #[cfg(test)]
        crate::probe::count(crate::probe::Event::WordScanned);
        // Relaxed: a member whose publication we have seen has its hash visible by that; any other
        // value yields no entry (O9).
        let hash = self.chunk.slot(bit).load(Ordering::Relaxed);
        Some((hash, Place::new(self.chunk.chunk, bit)))
    }
}
