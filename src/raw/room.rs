//! Memory of elements.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};

use super::block::Element;
use super::word::Word;
use crate::sync::{self, MODEL};

/// Memory of one element without an element in it.
pub(super) struct Room {
    memory: NonNull<u8>,
    layout: Layout,
}

impl Room {
    /// Room for an element of that layout.
    pub(super) fn allocate(layout: Layout) -> Self {
        // SAFETY: not empty: `Counts` lays out a block, and what is behind it (I14).
        let memory = unsafe { alloc(layout) };
        let Some(memory) = NonNull::new(memory) else { handle_alloc_error(layout) };
        Word::check_address(memory.as_ptr());
        Room { memory, layout }
    }

    /// Where it begins.
    pub(super) fn memory(&self) -> NonNull<u8> {
        self.memory
    }

    /// The memory from `begin` on, for the caller to put an element into.
    ///
    /// # Safety
    /// It is at least as long as that.
    pub(super) unsafe fn into_memory<E>(self, begin: usize) -> NonNull<E> {
        // SAFETY: the caller's promise: within the allocation (I14).
        unsafe { ManuallyDrop::new(self).memory.byte_add(begin) }.cast()
    }

    /// The room that an element has.
    ///
    /// # Safety
    /// The element is the caller's, and has gone before the room is dropped or used.
    pub(super) unsafe fn of<E: Element>(element: NonNull<E>) -> Self {
        // SAFETY: the caller's promise (I13).
        let block = unsafe { element.as_ref() }.block();
        let (begin, layout) = (block.shape().begin(), block.layout());
        // SAFETY: it was allocated so, and the element put so far behind its beginning (I14, I15).
        let memory = unsafe { element.cast::<u8>().byte_sub(begin) };
        Room { memory, layout }
    }

    /// What it is room for.
    pub(super) fn layout(&self) -> Layout {
        self.layout
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if MODEL {
            sync::keep_until_end(self.memory, self.layout);
            return;
        }
        // SAFETY: allocated by `allocate` with this layout (I15); empty, and ours alone (I13).
        unsafe { dealloc(self.memory.as_ptr(), self.layout) };
    }
}

/// Drops an element. The room it had is left, even if a destructor panics: then it goes at once.
///
/// # Safety
/// The caller owns the element, which nobody else can reach any more, and this is the only call for it.
pub(super) unsafe fn drop_element<E: Element>(element: NonNull<E>) -> Room {
    // SAFETY: the caller's promise, and the element goes right below (I13).
    let room = unsafe { Room::of(element) };
    // SAFETY: the caller's promise (I13).
    unsafe { ptr::drop_in_place(element.as_ptr()) };
    room
}
