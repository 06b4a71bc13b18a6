//! References to elements that count, and the end of an element.

use std::fmt;
use std::ops::Deref;
use std::ptr::NonNull;

use super::block::{Block, Element, element};
use super::room::{Room, drop_element};
use crate::sync::{Mutant, Ordering, mutant};

impl<E: Element> Block<E> {
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

/// Gives up the index's own count of an element, once the epoch has passed. Returns its memory if
/// that was the last count.
///
/// # Safety
/// The element was unlinked and retired once, no pin from before is left (I8), and this is the
/// only call for it.
pub(super) unsafe fn give_up<E: Element>(element: NonNull<E>) -> Option<Room> {
    // SAFETY: the index's own count still keeps it (I11).
    let block = unsafe { element.as_ref() }.block();
    block.touch();
    // Acquire: pairs with the Release of the owners that are gone (O13). Where no other is left,
    // as is most often so, none can come: a locked operation is saved.
    let alone = block.count.load(Ordering::Acquire) == 1;
    // SAFETY: the index's own count, given up here, once (I11, I13).
    if !alone && !unsafe { release(element) } {
        return None;
    }
    // SAFETY: the last count is gone, and no pin is left, so nobody else has a reference (I8, I11).
    Some(unsafe { drop_element(element) })
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
            // SAFETY: the last count is gone (I11). The memory goes to the allocator, not to a
            // limbo, which may be gone.
            unsafe { drop_element(self.0) };
        }
    }
}

impl<E: Element + fmt::Debug> fmt::Debug for Counted<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
