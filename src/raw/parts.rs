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
use std::ptr::NonNull;

use super::chunk::Place;
use super::prefetch::LINE;
use super::word::ELEMENT_ALIGN;

/// The element counts as live: it is to be found under its names, and has a place for each.
const LIVE: u8 = 1;
/// It has a deadline.
const TIMED: u8 = 2;
/// The lists are too long for a byte each to count them: the numbers stand in front of them.
const LONG: u8 = 4;
/// It begins [`LATE_BY`] behind the beginning of its memory.
const LATE: u8 = 8;

/// How far behind the beginning of its memory an element begins, if not there.
const LATE_BY: usize = 16;

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

    /// The same of an element that begins so far behind the beginning of its memory.
    #[inline(always)]
    pub(super) fn beginning(self, begin: usize) -> Self {
        const { assert!(LATE_BY == 2 * LATE as usize) };
        Shape { kind: self.kind & !LATE | (begin / 2) as u8, ..self }
    }

    /// How far behind the beginning of its memory the element begins.
    #[inline(always)]
    pub(super) fn begin(self) -> usize {
        2 * usize::from(self.kind & LATE)
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

    /// How far behind the beginning of such memory it begins. Where there is room for that, later if its memory begins
    /// in the second half of a line: so none begins 32 bytes into one, where what a lookup reads would lie in two
    /// lines, as in one of four elements else; and what a query reads lies in three lines in one of four instead of
    /// two. 7 % off batches among a million and 3 % off hits, where those do not wait for page tables.
    #[inline(always)]
    pub(super) fn begin(self, memory: NonNull<u8>) -> usize {
        let room = self.size() + LATE_BY <= LEAST && self.align <= LATE_BY;
        // Without a branch: where an allocator puts something nobody foresees.
        const { assert!(LATE_BY == LINE / 4) };
        if room { (memory.addr().get() & (LINE / 2)) / 2 } else { 0 }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Where an element of a block of so many words begins, in memory that begins so far into a line.
    fn begin(counts: Counts, into: usize) -> usize {
        let offsets = counts.offsets::<[u64; 9], [u64; 4], [u64; 3]>();
        let memory = NonNull::without_provenance((4 * LINE + into).try_into().unwrap());
        offsets.begin(memory)
    }

    #[test]
    fn no_element_begins_in_the_middle_of_a_line_where_there_is_room() {
        let usual = Counts::USUAL;
        assert_eq!(usual.offsets::<[u64; 9], [u64; 4], [u64; 3]>().size(), 120);
        let late = if LEAST == 0 { 0 } else { LATE_BY };
        for (into, expected) in [(0, 0), (16, 0), (32, late), (48, late)] {
            assert_eq!(begin(usual, into), expected);
            assert!(LEAST == 0 || (into + begin(usual, into)) % LINE != LINE / 2);
            assert_eq!(begin(Counts::new(1, 1, true), into), 0, "no room");
        }
    }

    #[test]
    fn a_shape_says_where_the_element_begins() {
        for counts in [Counts::USUAL, Counts::new(300, 2, false)] {
            for timed in [false, true] {
                let shape = counts.shape(timed);
                assert_eq!(shape.begin(), 0);
                let late = shape.beginning(LATE_BY);
                assert_eq!((late.begin(), late.beginning(0).begin()), (LATE_BY, 0));
                assert_eq!((late.is_live(), late.is_timed()), (shape.is_live(), timed));
                assert_eq!(late.counts(|| [300, 2]), counts);
            }
        }
    }
}
