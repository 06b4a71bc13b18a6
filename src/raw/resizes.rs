//! What has become of a table, kept until somebody can tell of it: those who resize are pinned.
//!
//! With the feature `tracing`.

use std::ptr;

use crate::sync::{AtomicTagged, Ordering};

/// One step in the replacement of a table by its successor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resize {
    /// Whether everything has moved, or the successor has only just been started.
    pub(crate) done: bool,
    /// Buckets of the old table.
    pub(crate) from: usize,
    /// Buckets of its successor.
    pub(crate) to: usize,
    /// How many elements there were then.
    pub(crate) len: usize,
}

struct Note {
    resize: Resize,
    next: *mut Note,
}

/// The notes of one index, the latest first. Notes are added one by one and taken all at once, so
/// a head that is met again is no harm.
pub(super) struct Resizes(AtomicTagged<Note>);

impl Resizes {
    pub(super) const fn new() -> Self {
        Resizes(AtomicTagged::new(ptr::null_mut()))
    }

    /// Lock-free; there are few notes, for a resize moves every element.
    pub(super) fn note(&self, resize: Resize) {
        // Relaxed: validated by the CAS below.
        let mut head = self.0.load(Ordering::Relaxed);
        let note = Box::into_raw(Box::new(Note { resize, next: head }));
        // Release: hands the note, and those before it, to `take` (O16).
        while let Err(seen) =
            self.0.compare_exchange(head, note, Ordering::Release, Ordering::Relaxed)
        {
            head = seen;
            // SAFETY: ours until the CAS succeeds (I13).
            unsafe { (*note).next = head };
        }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        // Relaxed: a hint; `take` acquires.
        self.0.load(Ordering::Relaxed).is_null()
    }

    /// All there is, the earliest first; it is the caller's now.
    pub(super) fn take(&self) -> Vec<Resize> {
        let mut notes = Vec::new();
        // Acquire: pairs with the CAS of `note` (O16). That is a read-modify-write, so it goes on
        // with the release of the notes before it.
        let mut head = self.0.swap(ptr::null_mut(), Ordering::Acquire);
        while !head.is_null() {
            // SAFETY: `note` made it from a box (I15), and the swap gave us the whole list (I13).
            let note = unsafe { Box::from_raw(head) };
            notes.push(note.resize);
            head = note.next;
        }
        notes.reverse();
        notes
    }
}

impl Drop for Resizes {
    fn drop(&mut self) {
        self.take();
    }
}

#[cfg(all(test, not(any(process_registry_loom, process_registry_shuttle))))]
mod tests {
    use super::*;

    fn resize(len: usize) -> Resize {
        Resize { done: false, from: 2, to: 4, len }
    }

    #[test]
    fn notes_come_in_order_and_once() {
        let resizes = Resizes::new();
        assert!(resizes.is_empty() && resizes.take().is_empty());
        (0..3).for_each(|len| resizes.note(resize(len)));
        assert!(!resizes.is_empty());
        assert_eq!(resizes.take().iter().map(|r| r.len).collect::<Vec<_>>(), [0, 1, 2]);
        assert!(resizes.is_empty() && resizes.take().is_empty());
        // One is left for the drop; a leak would show under a sanitizer.
        resizes.note(resize(3));
    }

    #[test]
    fn no_note_is_lost_between_threads() {
        const EACH: usize = 500;
        let resizes = Resizes::new();
        let mut taken = Vec::new();
        std::thread::scope(|scope| {
            let writers = [0, EACH].map(|from| {
                let resizes = &resizes;
                scope.spawn(move || (from..from + EACH).for_each(|len| resizes.note(resize(len))))
            });
            while writers.iter().any(|writer| !writer.is_finished()) {
                taken.extend(resizes.take());
            }
        });
        taken.extend(resizes.take());
        for from in [0, EACH] {
            let own = taken.iter().map(|r| r.len).filter(|len| (from..from + EACH).contains(len));
            assert!(own.eq(from..from + EACH), "all of one thread, in its order");
        }
    }
}
