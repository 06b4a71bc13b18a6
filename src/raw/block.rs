//! What an index holds: an element in a counted allocation, from draft to destructor.
//!
//! An element's life: a [`Draft`] owns it; publishing shares it with whoever is pinned; unlinking
//! and retiring it ends that; once no pin from before is left, the index gives up its own count,
//! and the last [`Counted`] reference, if any, is what keeps it.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::fmt;
use std::mem::{self, ManuallyDrop};
use std::ops::{Deref, Range};
use std::ptr::{self, NonNull};

use smallvec::SmallVec;
use smol_str::SmolStr;

use super::chunk::Place;
use super::word::{ELEMENT_ALIGN, Word};
use crate::sync::{self, AtomicU8, AtomicU32, Canary, MODEL, Mutant, Ordering, mutant};

/// One of the secondary indexes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Dim(u8);

impl Dim {
    /// The first one; its sets are small and many.
    pub(crate) const FIRST: Dim = Dim(0);
    /// The second one; its sets are few, and many threads write each.
    pub(crate) const SECOND: Dim = Dim(1);

    pub(super) fn number(self) -> usize {
        usize::from(self.0)
    }
}

/// A type that an index holds: a new type around its [`Block`], and nothing else.
pub(crate) trait Element: Sized {
    /// What the primary index finds it by.
    type Key;
    /// All the rest.
    type Value;

    /// The element of a block.
    fn wrap(block: Block<Self>) -> Self;
    /// The block of an element.
    fn block(&self) -> &Block<Self>;
    /// The block of an element that nobody else sees yet.
    fn block_mut(&mut self) -> &mut Block<Self>;
    /// The names under which a value is to be found; asked when it is published.
    fn names<'v>(value: &'v Self::Value, each: impl FnMut(Dim, &'v SmolStr));
    /// Whether two values have the same names in the same order. Asked of every replacement: most
    /// change no name.
    fn same_names(one: &Self::Value, other: &Self::Value) -> bool {
        let mut names: SmallVec<[(Dim, &SmolStr); 4]> = SmallVec::new();
        Self::names(one, |dim, name| names.push((dim, name)));
        let mut same = 0;
        let mut all = 0;
        Self::names(other, |dim, name| {
            same += usize::from(names.get(all) == Some(&(dim, name)));
            all += 1;
        });
        same == all && all == names.len()
    }
    /// Whether the value counts as live (the store keeps a count of those).
    fn is_live(value: &Self::Value) -> bool;
    /// Whether the value has a deadline.
    fn is_timed(value: &Self::Value) -> bool;
    /// Called when the value has been put into a block, its first or another, which nobody else sees
    /// yet: for what has to know where.
    fn placed(&self) {}
}

/// Set on an element seen committed, before anything tries to unlink it (I7).
const WAS_COMMITTED: u8 = 1;
/// The value has moved to another block: this one was killed, so nobody ever read the value.
const VACATED: u8 = 2;

/// Where the slots of an element's names are, in the order of its names.
pub(super) type Places = SmallVec<[Place; 3]>;

/// The inside of an element: its key and value with what the index needs to know about them.
#[repr(C)]
pub(crate) struct Block<E: Element> {
    // What queries read, before what lookups read: neither has the other's in its midst.
    places: Places,
    /// One for the index, until the epoch has passed after its removal, and one for each
    /// [`Counted`].
    count: AtomicU32,
    flags: AtomicU8,
    /// What the value says of itself, so that nobody need fetch its line to know. Lookups know from the
    /// word whether it is both live and without a deadline.
    live: bool,
    timed: bool,
    hash: u64,
    // 48 bytes from the beginning. Most allocators' blocks of some 200 bytes begin 16 bytes after a
    // multiple of 32: then a key of 24 bytes and a word of the value after it are in one line.
    key: E::Key,
    /// Taken out of a killed block only, with VACATED set (I10).
    value: ManuallyDrop<E::Value>,
    /// The pointer this block was allocated with. Whoever frees it frees it through this one: a
    /// pointer derived from `&E` may not.
    origin: *mut E,
    canary: Canary,
}

// SAFETY: `origin` points to this very block (I15), which is sent as its key and value are.
unsafe impl<E: Element> Send for Block<E>
where
    E::Key: Send,
    E::Value: Send,
{
}
// SAFETY: `count` and `flags` are atomic, and nobody writes the rest once it is shared (I10, I13).
// Whoever shares it may `share` it, and then drop it as its last owner: so `Send`, too (I11).
unsafe impl<E: Element> Sync for Block<E>
where
    E::Key: Send + Sync,
    E::Value: Send + Sync,
{
}

impl<E: Element> Block<E> {
    /// Where in an element that is which every lookup reads, with the first word of the value, which
    /// is read next of what was found.
    pub(super) const SOUGHT: Range<usize> =
        mem::offset_of!(Self, key)..mem::offset_of!(Self, value) + mem::size_of::<usize>();

    /// What the element is found by.
    #[inline]
    pub(crate) fn key(&self) -> &E::Key {
        &self.key
    }

    /// All the rest of the element.
    #[inline]
    pub(crate) fn value(&self) -> &E::Value {
        self.canary.touch();
        &self.value
    }

    /// The hash it was published under.
    #[inline]
    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    /// Whether somebody may have unlinked the element since it was found: read at the end of a
    /// scan, while still pinned, to know whether one key may have been met twice.
    #[inline]
    pub(crate) fn superseded(&self) -> bool {
        // Relaxed: on an element that was met and replaced before the reader met its successor,
        // the mark came before the CAS that made the successor, which the reader acquired (O8).
        self.flags.load(Ordering::Relaxed) & WAS_COMMITTED != 0
    }

    /// Whether the value counts as live.
    #[inline]
    pub(crate) fn is_live(&self) -> bool {
        self.live
    }

    /// Whether the value has a deadline.
    #[inline]
    pub(crate) fn is_timed(&self) -> bool {
        self.timed
    }

    /// Whether lookups have to look at more than the key.
    #[inline]
    pub(super) fn is_special(&self) -> bool {
        !self.live || self.timed
    }

    /// Says that the element has been seen committed. Before any attempt to unlink it (I7).
    pub(super) fn mark_committed(&self) {
        if !mutant(Mutant::NeverCommitted) {
            // Relaxed: the CAS that unlinks comes after it and releases it (O8). Not one locked
            // operation, which costs more: whoever writes the flags of a committed element writes
            // the same.
            let flags = self.flags.load(Ordering::Relaxed);
            self.flags.store(flags | WAS_COMMITTED, Ordering::Relaxed);
        }
    }

    pub(super) fn places(&self) -> &Places {
        &self.places
    }

    pub(super) fn origin(&self) -> NonNull<E> {
        // SAFETY: `Draft::new` set it to where it put the element (I15).
        unsafe { NonNull::new_unchecked(self.origin) }
    }

    /// A reference that keeps the element for as long as it is wanted, pinned or not.
    pub(crate) fn share(&self) -> Counted<E> {
        if mutant(Mutant::CountAfterZero) {
            // What a count would be worth without the epoch's promise.
            let seen = self.count.load(Ordering::Relaxed);
            self.count.store(seen.wrapping_add(1), Ordering::Relaxed);
            return Counted(self.origin());
        }
        // Relaxed, as `Arc`: `&self` proves that the count is not zero, either by a `Counted` or
        // by a pin, during which the index does not give up its own (I11).
        let before = self.count.fetch_add(1, Ordering::Relaxed);
        if before > u32::MAX / 2 {
            // More references than memory could hold honestly: somebody forgets them in a loop.
            std::process::abort();
        }
        Counted(self.origin())
    }
}

/// Gives up one count; true if it was the last, and the element is the caller's to drop.
///
/// # Safety
/// The caller owns one count of the element, and gives it up here.
unsafe fn release<E: Element>(element: NonNull<E>) -> bool {
    // SAFETY: the caller's count keeps it until the subtraction (I11). Only the counter is borrowed
    // during that: as soon as it is done, somebody else may free the rest.
    let count = unsafe { &element.as_ref().block().count };
    // Release: this owner's accesses come before the drop (O13).
    if count.fetch_sub(1, Ordering::Release) != 1 {
        return false;
    }
    // Acquire: pairs with the other owners' Release, whose release sequences the subtraction above
    // goes on with (O13). Not a fence: it costs the same, and thread sanitizer sees it.
    count.load(Ordering::Acquire);
    true
}

impl<E: Element> Drop for Block<E> {
    fn drop(&mut self) {
        self.canary.kill();
        // Relaxed: whoever drops has exclusive access, with the epoch's or the count's ordering.
        if self.flags.load(Ordering::Relaxed) & VACATED == 0 {
            // SAFETY: dropped once, here (I13); VACATED is set where it was taken (I10).
            unsafe { ManuallyDrop::drop(&mut self.value) };
        }
    }
}

/// The element behind a pointer out of a slot word.
///
/// # Safety
/// The pointer was read from a word of an index while pinned, and the pin lives during `'g` (I8).
#[inline(always)]
pub(super) unsafe fn element<'g, E: Element>(pointer: *mut E) -> &'g E {
    // SAFETY: the caller's promise (I8); nobody writes what is published but through atomics (I13).
    let element = unsafe { &*pointer };
    element.block().canary.touch();
    element
}

fn layout<E>() -> Layout {
    Layout::new::<E>().align_to(ELEMENT_ALIGN).expect("a valid layout").pad_to_align()
}

/// Memory of one element without an element in it.
pub(super) struct Room<E>(NonNull<E>);

impl<E> Room<E> {
    pub(super) fn allocate() -> Self {
        // SAFETY: not empty: `E` is a `Block` with a new type around it (I14).
        let memory = unsafe { alloc(layout::<E>()) };
        let Some(memory) = NonNull::new(memory.cast::<E>()) else {
            handle_alloc_error(layout::<E>());
        };
        Word::check_address(memory.as_ptr());
        Room(memory)
    }

    /// # Safety
    /// The memory came from [`Room::into_raw`] of a type of the same layout, once.
    pub(super) unsafe fn from_raw(memory: NonNull<u8>) -> Self {
        Room(memory.cast())
    }

    pub(super) fn into_raw(self) -> NonNull<u8> {
        ManuallyDrop::new(self).0.cast()
    }
}

impl<E> Drop for Room<E> {
    fn drop(&mut self) {
        if MODEL {
            sync::keep_until_end(self.0.cast(), layout::<E>());
            return;
        }
        // SAFETY: allocated by `allocate` with this layout (I15); empty, and ours alone (I13).
        unsafe { dealloc(self.0.as_ptr().cast(), layout::<E>()) };
    }
}

/// An element that is written but not published: whoever has the draft owns it.
pub(crate) struct Draft<E: Element>(NonNull<E>);

impl<E: Element> Draft<E> {
    pub(super) fn new(room: Room<E>, hash: u64, key: E::Key, value: E::Value) -> Self {
        let memory = ManuallyDrop::new(room).0;
        let element = E::wrap(Block {
            count: AtomicU32::new(1),
            flags: AtomicU8::new(0),
            live: E::is_live(&value),
            timed: E::is_timed(&value),
            places: Places::new(),
            key,
            value: ManuallyDrop::new(value),
            hash,
            origin: memory.as_ptr(),
            canary: Canary::new(),
        });
        // SAFETY: the room is memory for one `E` (I14), and its owner gave it to us (I13).
        unsafe { memory.write(element) };
        let draft = Draft(memory);
        draft.element().placed();
        draft
    }

    fn element(&self) -> &E {
        // SAFETY: the draft owns an initialised element (I13).
        unsafe { self.0.as_ref() }
    }

    pub(super) fn block_mut(&mut self) -> &mut Block<E> {
        // SAFETY: the draft owns an initialised element, unpublished (I13).
        unsafe { self.0.as_mut() }.block_mut()
    }

    /// The key it is going to be found by.
    pub(crate) fn key(&self) -> &E::Key {
        self.element().block().key()
    }

    /// All the rest.
    pub(crate) fn value(&self) -> &E::Value {
        self.element().block().value()
    }

    /// All the rest, to change; except for what [`Element`] asks of it, which is asked but once.
    pub(crate) fn value_mut(&mut self) -> &mut E::Value {
        &mut self.block_mut().value
    }

    pub(super) fn hash(&self) -> u64 {
        self.element().block().hash
    }

    /// Whether the value counts as live.
    pub(super) fn is_live(&self) -> bool {
        let block = self.element().block();
        debug_assert!(block.is_live() == E::is_live(block.value()));
        debug_assert!(block.is_timed() == E::is_timed(block.value()));
        block.is_live()
    }

    pub(super) fn set_places(&mut self, places: Places) {
        self.block_mut().places = places;
    }

    /// The key and the value, given back.
    pub(crate) fn into_parts(self) -> (E::Key, E::Value) {
        let memory = ManuallyDrop::new(self).0;
        // SAFETY: the draft owned the element (I13); what is not moved out is dropped just below,
        // and the memory goes back as a room (I15).
        unsafe {
            let block: *mut Block<E> = (*memory.as_ptr()).block_mut();
            let key = ptr::read(&raw const (*block).key);
            let value = ptr::read(&raw const (*block).value);
            ptr::drop_in_place(&raw mut (*block).places);
            (*block).canary.kill();
            drop(Room(memory));
            (key, ManuallyDrop::into_inner(value))
        }
    }

    /// Hands the element over to the index that is about to publish it.
    pub(super) fn into_raw(self) -> NonNull<E> {
        ManuallyDrop::new(self).0
    }

    /// # Safety
    /// The element came from [`Draft::into_raw`] and was never published.
    pub(super) unsafe fn from_raw(element: NonNull<E>) -> Self {
        Draft(element)
    }
}

impl<E: Element> Drop for Draft<E> {
    fn drop(&mut self) {
        // The memory goes back even if a destructor panics.
        let _room = Room(self.0);
        // SAFETY: the draft owns the element and is gone after this (I13).
        unsafe { ptr::drop_in_place(self.0.as_ptr()) };
    }
}

/// Takes the payload out of a block that was published, never committed, and killed.
///
/// The key is cloned, because others that met the pending word may still be comparing with it;
/// the value is moved, because nobody but its inserter ever looks at an uncommitted one (I10).
///
/// # Safety
/// The caller published this element, it was killed or dropped by a migration without ever having
/// been committed, and the caller will retire it and publish it no more.
pub(super) unsafe fn salvage<E: Element>(element: &E, room: Room<E>) -> Draft<E>
where
    E::Key: Clone,
{
    let block = element.block();
    let key = block.key.clone();
    // SAFETY: nobody else looks at the value (I10). It is read once: VACATED is set right after,
    // and the block's drop then leaves it alone.
    let value = unsafe { ptr::read(&raw const *block.value) };
    // Relaxed: only the destructor reads it, ordered by retirement.
    block.flags.fetch_or(VACATED, Ordering::Relaxed);
    let mut draft = Draft::new(room, block.hash, key, value);
    // The claims stay with the operation; the new element has the same.
    draft.set_places(block.places.clone());
    draft
}

/// Gives up the index's own count of an element, once the epoch has passed. Returns its memory if
/// that was the last count.
///
/// # Safety
/// The element was unlinked and retired once, no pin from before is left (I8), and this is the
/// only call for it.
pub(super) unsafe fn give_up<E: Element>(element: NonNull<E>) -> Option<Room<E>> {
    // SAFETY: the index's own count still keeps it (I11).
    let block = unsafe { element.as_ref() }.block();
    block.canary.touch();
    // Acquire: pairs with the Release of the owners that are gone (O13). Where no other is left,
    // as is most often so, none can come: a locked operation is saved.
    let alone = block.count.load(Ordering::Acquire) == 1;
    // SAFETY: the index's own count, given up here, once (I11, I13).
    if !alone && !unsafe { release(element) } {
        return None;
    }
    // The memory goes back even if a destructor panics.
    let room = Room(element);
    // SAFETY: the last count is gone, and no pin is left, so nobody else has a reference (I8, I11).
    unsafe { ptr::drop_in_place(element.as_ptr()) };
    Some(room)
}

/// A counted reference to an element: it may be held for ever and on any thread, and outlives the
/// index it came from.
pub(crate) struct Counted<E: Element>(NonNull<E>);

// SAFETY: like `Arc`: the last owner, on any thread, drops the element (so `Send`), and all of
// them share it (so `Sync`) (I11).
unsafe impl<E: Element + Send + Sync> Send for Counted<E> {}
// SAFETY: like `Arc`: whoever shares one can clone it, and own the clone (I11).
unsafe impl<E: Element + Send + Sync> Sync for Counted<E> {}

impl<E: Element> std::panic::UnwindSafe for Counted<E> where E: std::panic::RefUnwindSafe {}
impl<E: Element> std::panic::RefUnwindSafe for Counted<E> where E: std::panic::RefUnwindSafe {}

impl<E: Element> Deref for Counted<E> {
    type Target = E;

    #[inline]
    fn deref(&self) -> &E {
        // SAFETY: this reference's count keeps the element (I11).
        unsafe { element(self.0.as_ptr()) }
    }
}

impl<E: Element> Clone for Counted<E> {
    fn clone(&self) -> Self {
        self.block().share()
    }
}

impl<E: Element> Drop for Counted<E> {
    fn drop(&mut self) {
        // SAFETY: this reference's own count, given up once (I11).
        if unsafe { release(self.0) } {
            let _room = Room(self.0);
            // SAFETY: the last count is gone (I11). The memory goes to the allocator, not to a
            // limbo, which may be gone.
            unsafe { ptr::drop_in_place(self.0.as_ptr()) };
        }
    }
}

impl<E: Element + fmt::Debug> fmt::Debug for Counted<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
