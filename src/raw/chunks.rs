//! The growing array of chunks of a member set.
//!
//! Pointers to chunks stand in segments that never move: four in the array itself, then four,
//! eight, sixteen and so on, each published once. A chunk without a member is closed, unlinked
//! and retired; its index is used again.
//!
//! Claims go round within a *range*: the lowest chunks with a quarter more slots than the set has
//! members, so that what goes round finds room after a few slots on average, however members come
//! and go; and what stands beyond the range, from times when there were more, is not added to. Where
//! the last claim found room is where the next one begins to look, and nothing but speed hangs on
//! it.

use std::ptr::{self, NonNull};

use super::chunk::{Chunk, ChunkRef, Cleared, Home, Place, slots_of};
use super::limbo::Limbo;
use super::members::NamedSet;
use super::prefetch::{LINE, prefetch};
use crate::sync::{
    AtomicTagged, AtomicUsize, Guard, MODEL, Mutant, Ordering, Step, failpoint, mutant,
};

type Pointer = AtomicTagged<Chunk>;

/// The most chunks an array has: more than memory has room for.
const MOST_CHUNKS: usize = 1 << 30;
/// Chunk pointers in the array itself.
const INLINE: usize = 4;
/// Segments beyond those.
const SEGMENTS: usize = MOST_CHUNKS.ilog2() as usize - INLINE.ilog2() as usize;

/// The segments beyond the first few chunks.
#[derive(Debug)]
struct Directory([AtomicTagged<Pointer>; SEGMENTS]);

/// Which segment index `index >= INLINE` is in, and where.
fn place(index: usize) -> (usize, usize) {
    let segment = (index / INLINE).ilog2() as usize;
    (segment, index - (INLINE << segment))
}

/// How many chunks have a quarter more slots than there are members, and at least one more; but no
/// more than an array has.
fn range(members: usize) -> usize {
    let (first, further) = (slots_of(0) as usize, slots_of(1) as usize);
    let wanted = members + members / 4 + 1;
    (1 + wanted.saturating_sub(first).div_ceil(further)).min(MOST_CHUNKS)
}

/// The chunks of one stripe of a set.
#[derive(Debug)]
pub(super) struct Chunks {
    /// Where the last claim found room.
    cursor: AtomicUsize,
    /// Every chunk ever linked has a lower index.
    top: AtomicUsize,
    first: [Pointer; INLINE],
    directory: AtomicTagged<Directory>,
}

impl Chunks {
    pub(super) fn new() -> Self {
        Chunks {
            cursor: AtomicUsize::new(0),
            top: AtomicUsize::new(0),
            first: std::array::from_fn(|_| Pointer::new(ptr::null_mut())),
            directory: AtomicTagged::new(ptr::null_mut()),
        }
    }

    /// Adds the first member of a set that nobody sees yet, and that has no block yet.
    pub(super) fn first_member(&self, stripe: usize, hash: u64) -> Place {
        let chunk = Chunk::with_member(Home::new(NonNull::dangling(), stripe), hash);
        // Relaxed, both: the publish of the set releases them.
        self.top.store(1, Ordering::Relaxed);
        self.first[0].swap(chunk.as_ptr(), Ordering::Relaxed);
        Place::new(chunk, 0)
    }

    /// Says in which block the set stands, to the chunk of its first member.
    ///
    /// # Safety
    /// Nobody else can reach the set.
    pub(super) unsafe fn settle(&self, set: NonNull<NamedSet>) {
        // Relaxed: in nobody else's sight.
        if let Some(chunk) = NonNull::new(self.first[0].load(Ordering::Relaxed)) {
            // SAFETY: from `with_member`, reached through the set alone (I13).
            unsafe { Chunk::settle(chunk, set) };
        }
    }

    /// The pointer at an index, if its segment is there.
    fn pointer(&self, index: usize) -> Option<&Pointer> {
        if index < INLINE {
            return Some(&self.first[index]);
        }
        let (segment, offset) = place(index);
        // Acquire, both: pair with the CASes in `bring` (O12).
        // SAFETY: the directory is published once and freed with the array (I14).
        let directory = unsafe { self.directory.load(Ordering::Acquire).as_ref() }?;
        let start = NonNull::new(directory.0[segment].load(Ordering::Acquire))?;
        // SAFETY: `offset` is within the segment, which is published once and freed with the
        // array (I14).
        Some(unsafe { start.add(offset).as_ref() })
    }

    /// The pointer at an index, its segment brought if need be.
    fn ensure(&self, index: usize) -> &Pointer {
        self.pointer(index).unwrap_or_else(|| self.bring(index))
    }

    /// The pointer at an index that had no segment.
    #[cold]
    fn bring(&self, index: usize) -> &Pointer {
        assert!(index < MOST_CHUNKS, "a member set of more than {MOST_CHUNKS} chunks");
        // Acquire: pairs with the CAS below (O12).
        let mut directory = self.directory.load(Ordering::Acquire);
        if directory.is_null() {
            let fresh = Box::into_raw(Box::new(Directory(std::array::from_fn(|_| {
                AtomicTagged::new(ptr::null_mut())
            }))));
            // AcqRel: publishes the directory (O12).
            let published = self.directory.compare_exchange(
                directory,
                fresh,
                Ordering::AcqRel,
                Ordering::Acquire,
            );
            directory = match published {
                Ok(_) => fresh,
                Err(theirs) => {
                    // SAFETY: from the box above, and not published: ours alone (I13, I15).
                    drop(unsafe { Box::from_raw(fresh) });
                    theirs
                }
            };
        }
        // SAFETY: published once, freed with the array (I14).
        let directory = unsafe { &*directory };
        let (segment, _) = place(index);
        let fresh = new_segment(segment);
        // AcqRel: publishes the segment (O12).
        if directory.0[segment]
            .compare_exchange(ptr::null_mut(), fresh, Ordering::AcqRel, Ordering::Acquire)
            .is_err()
        {
            // SAFETY: of that number, and not published: ours alone (I13, I15).
            unsafe { free_segment(fresh, segment) };
        }
        self.pointer(index).expect("the segment has just been published")
    }

    /// Claims a slot for one of so many members, itself included, and writes `hash` into it. The
    /// caller has made sure that the set stays open; `home` is its, for a new chunk.
    ///
    /// Lock-free: it looks at a chunk again only where somebody else has changed it, and beyond the
    /// range there is always a chunk with room, or a place for a new one.
    pub(super) fn claim(&self, hash: u64, members: usize, home: Home, _guard: &Guard) -> Place {
        let range = range(members);
        // Relaxed: any place will do to begin at.
        let cursor = self.cursor.load(Ordering::Relaxed);
        let start = if cursor < range { cursor } else { 0 };
        let (mut index, mut looked_at) = (start, 0);
        loop {
            #[cfg(test)]
            crate::probe::count(crate::probe::Event::ChunkLookedAt);
            let pointer = self.ensure(index);
            // Acquire: pairs with the CAS below: the chunk's words (O12).
            let seen = pointer.load(Ordering::Acquire);
            // SAFETY: read while pinned: a chunk is unlinked before it is retired (I8).
            let place = match unsafe { ChunkRef::new(seen) } {
                Some(chunk) => match chunk.claim(hash) {
                    Ok(Some(place)) => place,
                    // Full or closed, nobody may ask which.
                    Ok(None) => {
                        looked_at += 1;
                        index += 1;
                        if looked_at >= range {
                            index = looked_at;
                        } else if index == range {
                            index = 0;
                        }
                        continue;
                    }
                    Err(()) => continue,
                },
                None => match self.link(pointer, home.at(index), hash) {
                    Some(place) => place,
                    None => continue,
                },
            };
            if index != cursor {
                // Relaxed: as above.
                self.cursor.store(index, Ordering::Relaxed);
            }
            return place;
        }
    }

    /// Links a new chunk with one member at an index that has none, unless somebody else does.
    #[cold]
    fn link(&self, pointer: &Pointer, home: Home, hash: u64) -> Option<Place> {
        let fresh = Chunk::with_member(home, hash);
        let top = home.index as usize + 1;
        // Release: a scan that begins after the publication of any member of the chunk sees it, for
        // whoever claims there has read the pointer that is set below (O12).
        if !mutant(Mutant::LateTop) {
            self.top.fetch_max(top, Ordering::Release);
        }
        failpoint(Step::TopRaised);
        // AcqRel: publishes the chunk's words (O12).
        let linked = pointer.compare_exchange(
            ptr::null_mut(),
            fresh.as_ptr(),
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        if linked.is_err() {
            // SAFETY: not published: ours alone (I13).
            unsafe { Chunk::free(fresh) };
        }
        failpoint(Step::ChunkLinked);
        if mutant(Mutant::LateTop) {
            self.top.fetch_max(top, Ordering::Release);
        }
        linked.is_ok().then(|| Place::new(fresh, 0))
    }

    /// Gives a claimed slot of a chunk of this array back.
    pub(super) fn release(&self, chunk: ChunkRef<'_>, bit: u32, limbo: &Limbo, guard: &Guard) {
        match chunk.clear(bit) {
            Cleared::Open => {}
            Cleared::Closed => {
                failpoint(Step::ChunkClosed);
                let pointer = self.pointer(chunk.index()).expect("a linked chunk has a segment");
                // Only the closer unlinks. AcqRel: pairs with `claim` (O12).
                let unlinked = pointer.compare_exchange(
                    chunk.pointer().as_ptr(),
                    ptr::null_mut(),
                    Ordering::AcqRel,
                    Ordering::Relaxed,
                );
                debug_assert!(unlinked.is_ok(), "a chunk unlinked by another than its closer");
                failpoint(Step::ChunkUnlinked);
                // SAFETY: unlinked by its closer alone (I13).
                unsafe { limbo.retire_memory(chunk.pointer(), guard) };
            }
        }
    }

    /// All chunks: every index to the end, past those without a chunk in the middle.
    pub(super) fn scan<'g>(&'g self, _guard: &'g Guard) -> Scan<'g> {
        // Acquire: pairs with the raise in `link` (O12).
        let top = self.top.load(Ordering::Acquire);
        Scan { chunks: self, top, next: 0 }
    }
}

impl Drop for Chunks {
    fn drop(&mut self) {
        // Acquire, all: pair with the CASes that published what is freed here (O12).
        let top = self.top.load(Ordering::Acquire);
        for index in 0..top {
            let Some(pointer) = self.pointer(index) else { continue };
            if let Some(chunk) = NonNull::new(pointer.load(Ordering::Acquire)) {
                // SAFETY: linked here and nowhere else, and `&mut self` (I13).
                unsafe { Chunk::free(chunk) };
            }
        }
        let directory = self.directory.load(Ordering::Acquire);
        if directory.is_null() {
            return;
        }
        // SAFETY: from `Box::into_raw` in `bring`, and `&mut self` (I13, I15).
        let directory = unsafe { Box::from_raw(directory) };
        for (segment, start) in directory.0.iter().enumerate() {
            let start = start.load(Ordering::Acquire);
            if !start.is_null() {
                // SAFETY: from `new_segment` of that number, and `&mut self` (I13, I15).
                unsafe { free_segment(start, segment) };
            }
        }
    }
}

fn new_segment(segment: usize) -> *mut Pointer {
    let pointers: Box<[Pointer]> =
        (0..INLINE << segment).map(|_| Pointer::new(ptr::null_mut())).collect();
    Box::into_raw(pointers).cast()
}

/// # Safety
/// `start` came from `new_segment` for the same number, and nobody can reach it any more.
unsafe fn free_segment(start: *mut Pointer, segment: usize) {
    let pointers = ptr::slice_from_raw_parts_mut(start, INLINE << segment);
    // SAFETY: the caller's promise: a boxed slice of this length (I15), nobody else's (I13).
    drop(unsafe { Box::from_raw(pointers) });
}

/// An iterator over the chunks of an array.
#[derive(Clone, Debug)]
pub(super) struct Scan<'g> {
    chunks: &'g Chunks,
    top: usize,
    next: usize,
}

impl Scan<'_> {
    /// Asks for the lines with which the next chunk begins.
    #[inline]
    pub(super) fn prefetch(&self) {
        // A model: one load less to explore.
        if !MODEL
            && self.next < self.top
            && let Some(pointer) = self.chunks.pointer(self.next)
        {
            // Relaxed: an address that is never read.
            let chunk = pointer.load(Ordering::Relaxed);
            prefetch(chunk);
            prefetch(chunk.wrapping_byte_add(LINE));
        }
    }
}

impl<'g> Iterator for Scan<'g> {
    type Item = ChunkRef<'g>;

    #[inline]
    fn next(&mut self) -> Option<ChunkRef<'g>> {
        while self.next < self.top {
            #[cfg(test)]
            crate::probe::count(crate::probe::Event::WordScanned);
            let pointer = self.chunks.pointer(self.next);
            self.next += 1;
            // Acquire: pairs with the CAS in `link` (O12). The pointer is read once.
            let seen = pointer.map_or(ptr::null_mut(), |pointer| pointer.load(Ordering::Acquire));
            // SAFETY: read under the guard that `'g` stands for (I8).
            if let Some(chunk) = unsafe { ChunkRef::new(seen) } {
                return Some(chunk);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_room_for_one_more_and_for_little_more() {
        let slots = |chunks: usize| (0..chunks).map(|i| slots_of(i) as usize).sum::<usize>();
        for members in 0..10_000 {
            let range = range(members);
            assert!(slots(range) > members);
            assert!(range == 1 || slots(range - 1) <= members + members / 4);
        }
        let most = (MOST_CHUNKS - 1) * slots_of(1) as usize;
        assert!(range(most / 5 * 4) > MOST_CHUNKS - 4);
        assert_eq!(range(most), MOST_CHUNKS, "every slot can be had");
    }

    #[test]
    fn every_index_has_a_place_of_its_own() {
        let mut next = [0; SEGMENTS];
        for index in INLINE..100_000 {
            let (segment, offset) = place(index);
            assert_eq!(offset, next[segment], "dense, in order");
            assert!(offset < INLINE << segment);
            next[segment] += 1;
        }
        assert!(place(MOST_CHUNKS - 1).0 < SEGMENTS);
    }
}
