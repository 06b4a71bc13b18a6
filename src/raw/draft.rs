//! Elements in the making: written, and not published.

use std::alloc::Layout;
use std::mem::{self, ManuallyDrop};
use std::ptr::{self, NonNull};

use smallvec::SmallVec;

use super::block::{Block, Element, Parts, offsets};
use super::parts::{Counts, Offsets};
use super::room::{Room, drop_element};

/// An element that is written but not published: whoever has the draft owns it.
pub(crate) struct Draft<E: Element> {
    element: NonNull<E>,
    /// Whether its places have been written for the case that its key is absent. Whose claims they are, if
    /// they are claims still, the operation knows that wrote them.
    planned: bool,
}

impl<E: Element> Draft<E> {
    /// An element in the room that is given for it. Its places are still to be found.
    // Into callers that make one of what they are given, for else that is copied twice.
    #[inline(always)]
    pub(super) fn new(
        hash: u64,
        key: E::Key,
        value: E::Value,
        room: impl FnOnce(Layout) -> Room,
    ) -> Self {
        let parts = E::split(value);
        let counts = Counts::new(parts.firsts.len(), parts.seconds.len(), E::is_live(&parts));
        let timed = E::is_timed(&parts.rest);
        let offsets = offsets::<E>(counts);
        let Parts { head, firsts, seconds, rest } = parts;
        let (memory, begin) = memory_for::<E>(offsets, room);
        let shape = counts.shape(timed).beginning(begin);
        let element = E::wrap(Block::new(shape, key, (head, rest), memory));
        // SAFETY: the room is memory for the block and what `counts` counts, each part at its place in it
        // (I14), and its owner gave it to us (I13).
        unsafe {
            memory.write(element);
            if let Some(numbers) = counts.numbers() {
                memory.byte_add(Counts::numbers_at::<E>()).cast().write(numbers);
            }
            move_out(seconds, memory.byte_add(offsets.seconds).cast());
            move_out(firsts, memory.byte_add(offsets.firsts).cast());
            memory.byte_add(offsets.hash).cast().write(hash);
        }
        Self::of(memory)
    }

    /// The draft of an element that has just been put there.
    #[inline(always)]
    fn of(element: NonNull<E>) -> Self {
        let draft = Draft { element, planned: false };
        draft.element().placed();
        draft
    }

    fn element(&self) -> &E {
        // SAFETY: the draft owns an initialised element (I13).
        unsafe { self.element.as_ref() }
    }

    /// The element's inside.
    pub(super) fn block(&self) -> &Block<E> {
        self.element().block()
    }

    /// The key it is going to be found by.
    pub(crate) fn key(&self) -> &E::Key {
        self.block().key()
    }

    /// What is neither key nor head nor named.
    pub(crate) fn rest(&self) -> &E::Rest {
        self.block().rest()
    }

    /// The same, to change.
    pub(super) fn block_mut(&mut self) -> &mut Block<E> {
        // SAFETY: the draft, lent to us, owns an initialised element (I13).
        unsafe { self.element.as_mut() }.block_mut()
    }

    /// What is neither key nor head nor named, to change; except for what [`Element`] asks of it, which is
    /// asked but once.
    pub(crate) fn rest_mut(&mut self) -> &mut E::Rest {
        self.block_mut().rest_mut()
    }

    pub(super) fn hash(&self) -> u64 {
        self.block().hash()
    }

    /// Whether the element counts as live.
    pub(super) fn is_live(&self) -> bool {
        let block = self.block();
        debug_assert_eq!(block.is_timed(), E::is_timed(block.rest()), "it has changed since");
        block.is_live()
    }

    /// The key and the value, given back.
    pub(crate) fn into_parts(self) -> (E::Key, E::Value) {
        let element = ManuallyDrop::new(self).element;
        // SAFETY: the draft owned an initialised element (I13).
        let block = unsafe { element.as_ref() }.block();
        // SAFETY: the draft's, and taken apart before the room is dropped (I13).
        let room = unsafe { Room::of(element) };
        // SAFETY: the draft's, and its memory alone is left (I13).
        let (key, parts) = unsafe { block.take_apart() };
        drop(room);
        (key, E::join(parts))
    }

    /// Hands the element over to the index that is about to publish it.
    pub(super) fn into_raw(self) -> NonNull<E> {
        ManuallyDrop::new(self).element
    }

    /// # Safety
    /// The element came from [`Draft::into_raw`] and was never published.
    pub(super) unsafe fn from_raw(element: NonNull<E>) -> Self {
        Draft { element, planned: false }
    }

    /// Whether its places have been written for the case that its key is absent.
    pub(super) fn is_planned(&self) -> bool {
        self.planned
    }

    /// Says whether they have been.
    pub(super) fn set_planned(&mut self, planned: bool) {
        self.planned = planned;
    }
}

impl<E: Element> Drop for Draft<E> {
    fn drop(&mut self) {
        // SAFETY: the draft owns the element and is gone after this (I13).
        unsafe { drop_element(self.element) };
    }
}

/// Memory for an element with such parts, from where that begins; and how far behind the beginning of its room.
#[inline(always)]
fn memory_for<E>(offsets: Offsets, room: impl FnOnce(Layout) -> Room) -> (NonNull<E>, usize) {
    let room = room(offsets.layout());
    let begin = offsets.begin(room.memory());
    // SAFETY: `begin` leaves the element as much as it takes (I14).
    (unsafe { room.into_memory(begin) }, begin)
}

/// Moves the items of a list to where there is room for them.
///
/// # Safety
/// There is room for as many.
#[inline(always)]
unsafe fn move_out<A: smallvec::Array>(mut list: SmallVec<A>, to: NonNull<A::Item>) {
    let (from, items) = (list.as_ptr(), list.len());
    // SAFETY: the caller's promise; what is copied is forgotten where it was (I13).
    unsafe {
        if list.spilled() {
            ptr::copy_nonoverlapping(from, to.as_ptr(), items);
            list.set_len(0);
        } else {
            // One by one: there are two at most, and to copy them together is a call.
            (0..items.min(A::size())).for_each(|i| to.add(i).write(from.add(i).read()));
            mem::forget(list);
        }
    }
}

/// Takes the payload out of a block that was published, never committed, and killed.
///
/// The key is cloned, because others that met the pending word may still be comparing with it, and with
/// the hash, which stays as well; the rest is moved, because nobody but its inserter ever looks at that of
/// an uncommitted one (I10).
///
/// # Safety
/// The caller published this element, it was killed or dropped by a migration without ever having
/// been committed, and the caller will retire it and publish it no more.
pub(super) unsafe fn salvage<E: Element>(element: &E, room: impl FnOnce(Layout) -> Room) -> Draft<E>
where
    E::Key: Clone,
{
    let block = element.block();
    let key = block.key().clone();
    let offsets = block.offsets();
    let (memory, begin) = memory_for::<E>(offsets, room);
    let behind = size_of::<E>();
    // SAFETY: others look at the key, the hash, and what says where that is: all of it stays as it is (I10).
    // What is behind the block is copied below: in a room of the same layout (I14), ours alone (I13), an element
    // has its parts where the other has them. The places are among them, for claims stay with the operation (I12).
    unsafe {
        let moved = block.vacate();
        let shape = block.shape().beginning(begin);
        memory.write(E::wrap(Block::new(shape, key, moved, memory)));
        let to = memory.cast::<u8>().add(behind).as_ptr();
        ptr::copy_nonoverlapping(block.behind::<u8>(behind), to, offsets.size() - behind);
    }
    Draft::of(memory)
}
