//! Ids and values whose user code wavers: it yields or dawdles now and then, so that other threads
//! come in between in the middle of an operation.

use std::cell::Cell;
use std::hash::{Hash, Hasher};
use std::{hint, thread};

/// Ids from here on belong to no history. They come and go to make the table grow and shrink.
pub(crate) const FILLERS: u32 = 1 << 30;

thread_local! {
    /// The state of a small generator; 0 for a thread that does not waver.
    static WAVERING: Cell<u64> = const { Cell::new(0) };
}

/// Lets this thread waver from now on.
pub(crate) fn unsteady(seed: u64) {
    WAVERING.set(seed | 1);
}

/// A moment in which anything may happen, or nothing.
pub(crate) fn waver() {
    let mut state = WAVERING.get();
    if state == 0 {
        return;
    }
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    WAVERING.set(state);
    // Spinning costs less than yielding where other processes wait for their turn.
    match (state >> 32) % 48 {
        0 => thread::yield_now(),
        1..7 => (0..(state >> 40) % 150).for_each(|_| hint::spin_loop()),
        _ => {}
    }
}

/// An id.
#[derive(Clone, Copy, Debug, Eq)]
pub(crate) struct Id(pub(crate) u32);

impl PartialEq for Id {
    fn eq(&self, other: &Self) -> bool {
        if self.0 < FILLERS && other.0 < FILLERS {
            waver();
        }
        self.0 == other.0
    }
}

impl Hash for Id {
    fn hash<H: Hasher>(&self, state: &mut H) {
        waver();
        self.0.hash(state);
    }
}

/// A spec or a pid.
#[derive(Debug, Eq)]
pub(crate) struct Shaky(pub(crate) u32);

impl Clone for Shaky {
    fn clone(&self) -> Self {
        waver();
        Self(self.0)
    }
}

impl PartialEq for Shaky {
    fn eq(&self, other: &Self) -> bool {
        waver();
        self.0 == other.0
    }
}
