//! What an element consists of, and where in its memory each part lies.
//!
//! ```text
//!   ┌────────────────────────────────┬─────────┬────────┬────────┬──────┐
//!   │ block: origin, key, head, rest │ seconds │ places │ firsts │ hash │
//!   └────────────────────────────────┴─────────┴────────┴────────┴──────┘
//! ```
//!
//! The lists are as long as the element has names, so that it takes no more lines of memory than it
//! needs: most have one name, in the second dimension, and then all that queries read of it lies in two
//! lines. What is seldom read comes last.

use std::alloc::Layout;
use std::mem::{align_of, size_of};

use super::chunk::Place;
use super::word::ELEMENT_ALIGN;

/// The element counts as live: it is to be found under its names, and has a place for each.
const LIVE: u8 = 1;
/// It has a deadline.
const TIMED: u8 = 2;
/// The lists are too long for a byte each to count them: the numbers stand in front of them.
const LONG: u8 = 4;

/// The least that is asked for. What is smaller, with what it adds, glibc frees into lists of its own, and
/// merges all of those at once when somebody asks for a lot: with a million elements gone, an insert that
/// brings a table waited 2.5 instead of 0.7 milliseconds, and inserts into what had been freed took a fifth
/// longer. (Another allocator under glibc may spend a few bytes on it in vain.)
const LEAST: usize = if cfg!(target_env = "gnu") { 17 * size_of::<usize>() } else { 0 };

/// Room for the numbers of long lists.
const NUMBERS: usize = size_of::<[usize; 2]>();

/// What an element says of itself in three bytes, so that nobody need fetch another line to know.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    kind: u8,
    firsts: u8,
    seconds: u8,
}

impl Shape {
    pub(super) fn is_live(self) -> bool {
        self.kind & LIVE != 0
    }

    pub(super) fn is_timed(self) -> bool {
        self.kind & TIMED != 0
    }

    /// Whether lookups have to look at more than the key.
    pub(super) fn is_special(self) -> bool {
        self.kind & (LIVE | TIMED) != LIVE
    }

    /// How long the lists are; `numbers` reads those of long ones from behind the block.
    #[inline(always)]
    pub(super) fn counts(self, numbers: impl FnOnce() -> [usize; 2]) -> Counts {
        let [firsts, seconds] = if self.kind & LONG == 0 {
            [usize::from(self.firsts), usize::from(self.seconds)]
        } else {
            numbers()
        };
        Counts { firsts, seconds, live: self.is_live(), long: self.kind & LONG != 0 }
    }
}

/// How long the lists of an element are. Where its parts lie follows from that.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Counts {
    pub(super) firsts: usize,
    pub(super) seconds: usize,
    live: bool,
    long: bool,
}

impl Counts {
    /// Those of lists of such lengths; `live` if the element is found by them.
    pub(super) fn new(firsts: usize, seconds: usize, live: bool) -> Self {
        let long = firsts.max(seconds) > usize::from(u8::MAX);
        Counts { firsts, seconds, live, long }
    }

    /// Those of most elements: one name, in the second dimension.
    pub(super) const USUAL: Self = Counts { firsts: 0, seconds: 1, live: true, long: false };

    /// How an element says so of itself.
    pub(super) fn shape(self, timed: bool) -> Shape {
        let flag = |set: bool, flag| if set { flag } else { 0 };
        let byte = |count: usize| if self.long { 0 } else { count as u8 };
        Shape {
            kind: flag(self.live, LIVE) | flag(timed, TIMED) | flag(self.long, LONG),
            firsts: byte(self.firsts),
            seconds: byte(self.seconds),
        }
    }

    /// The numbers to be written behind the block, if there are such.
    pub(super) fn numbers(self) -> Option<[usize; 2]> {
        self.long.then_some([self.firsts, self.seconds])
    }

    /// How many places the element has.
    #[inline(always)]
    pub(super) const fn places(self) -> usize {
        if self.live { self.firsts + self.seconds } else { 0 }
    }

    /// Where the numbers of long lists are, from the beginning of an element whose block is a `B`.
    #[inline(always)]
    pub(super) const fn numbers_at<B>() -> usize {
        aligned::<usize>(size_of::<B>())
    }

    /// Where all parts are behind a `B`.
    #[inline(always)]
    pub(super) const fn offsets<B, Second, First>(self) -> Offsets {
        let behind = if self.long { Self::numbers_at::<B>() + NUMBERS } else { size_of::<B>() };
        let seconds = aligned::<Second>(behind);
        let places = aligned::<Place>(seconds + self.seconds * size_of::<Second>());
        let firsts = aligned::<First>(places + self.places() * size_of::<Place>());
        let hash = aligned::<u64>(firsts + self.firsts * size_of::<First>());
        let align = const { most_aligned::<B, Second, First>() };
        Offsets { seconds, places, firsts, hash, align }
    }
}

/// Where the parts behind a block are, from the beginning of the element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offsets {
    pub(super) seconds: usize,
    pub(super) places: usize,
    pub(super) firsts: usize,
    pub(super) hash: usize,
    /// What the element is aligned to.
    align: usize,
}

impl Offsets {
    /// Where the last part ends.
    pub(super) const fn size(self) -> usize {
        self.hash + size_of::<u64>()
    }

    /// How it is allocated.
    #[inline(always)]
    pub(super) fn layout(self) -> Layout {
        let size = self.size().max(LEAST);
        Layout::from_size_align(size, self.align).expect("more than the address space")
    }
}

const fn aligned<T>(offset: usize) -> usize {
    offset.next_multiple_of(align_of::<T>())
}

/// The alignment of what is aligned most.
const fn most_aligned<B, Second, First>() -> usize {
    let parts = [
        align_of::<B>(),
        align_of::<Second>(),
        align_of::<Place>(),
        align_of::<First>(),
        align_of::<u64>(),
    ];
    let mut most = ELEMENT_ALIGN;
    let mut i = 0;
    while i < parts.len() {
        if parts[i] > most {
            most = parts[i];
        }
        i += 1;
    }
    most
}
