//! Tables of buckets, and the memory they stand in.
//!
//! A table is one allocation of zeroed memory, so that its pages fault in as they are written:
//! a filter for each chain, a header, a power of two of buckets, a bitmap of finished migration chunks, and
//! one of stretches whose pages a migration has brought. A handle to it packs the address of the first bucket
//! with the table's size in the low bits, so that a lookup needs the root word, a filter, one bucket line and
//! one element line, and no header.
//!
//! Overflow buckets come from an arena of the table, segment by segment, and go with it.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::iter;
use std::marker::PhantomData;
use std::mem;
use std::ptr::{self, NonNull};

use super::filter::Filter;
use super::pad::CachePadded;
use super::pages::Pages;
use super::slack::{offset, with_slack};
use super::word::{Fingerprint, Link, Overflow, Slot, Word};
use crate::sync::{self, AtomicTagged, AtomicU64, AtomicUsize, Canary, MODEL, Ordering};

/// Slots of a bucket: seven and the overflow word fill a cache line.
pub(super) const SLOTS: usize = if MODEL { 2 } else { 7 };
/// Groups of buckets that one helper migrates where its own has moved: one, for that is what the slowest
/// inserts are made of (with four their 99.9th percentile under churn is 1.4 times what it is). A
/// migration is done long before its successor fills up all the same.
pub(super) const CHUNK: usize = 1;
/// Buckets that fill a page of memory, as most systems have them.
const PAGE: usize = 4096 / 64;
/// Filters that fill one.
const FILTER_PAGE: usize = 4096 / mem::size_of::<Filter>();
/// Buckets whose pages a migration brings at once. Were each brought when it is first written, one write
/// in a hundred would wait for a page or two, which takes several times as long as to move a group. So
/// one in some thousands waits for many, no longer than for a thread to be preempted.
const STRETCH: usize = 32 * PAGE;
/// Buckets of the first segment of the arena of overflow buckets; each further one doubles.
const FIRST_SEGMENT: usize = if MODEL { 2 } else { 8 };
const SEGMENTS: usize = if MODEL { 4 } else { 32 };

/// One cache line: seven slots and the way to the next bucket of the chain.
#[repr(C, align(64))]
#[derive(Debug)]
pub(super) struct Bucket<E> {
    pub(super) slots: [Slot<E>; SLOTS],
    pub(super) overflow: Overflow<E>,
}

const _: () = assert!(MODEL || mem::size_of::<Bucket<u64>>() == 64);
const _: () = assert!(mem::align_of::<Bucket<u64>>() > SIZE_MASK);

impl<E> Bucket<E> {
    /// A bucket that a migration or a link is still to fill.
    pub(super) fn fresh() -> Self {
        Bucket {
            slots: std::array::from_fn(|_| Slot::new(Word::UNINIT)),
            overflow: Overflow::unfilled(),
        }
    }

    /// A complete bucket, in memory that nobody shares yet.
    pub(super) fn filled(words: [Word<E>; SLOTS], link: Link<E>) -> Self {
        Bucket { slots: words.map(Slot::new), overflow: Overflow::new(link) }
    }
}

/// What a table knows besides its buckets; it stands right before the first of them.
#[repr(C, align(128))]
#[derive(Debug)]
pub(super) struct Header<E> {
    /// The successor, packed; null until a migration starts. Every write reads it, so it shares
    /// no cache line with what writes change.
    next: CachePadded<AtomicTagged<Bucket<E>>>,
    /// Hands out chunks to helpers, round and round.
    pub(super) cursor: AtomicUsize,
    /// How many chunks are done; equal to their number, the successor may become the root.
    pub(super) finished: AtomicUsize,
    /// Overflow buckets handed out.
    overflowed: AtomicUsize,
    /// How many of those went to the fill of this table by its predecessor's migration.
    pub(super) filled: AtomicUsize,
    /// How many writers have had their turn to give this table a successor because it was crowded.
    turns: AtomicUsize,
    canary: Canary,
    /// Where the allocation begins that holds this table,
    origin: NonNull<u8>,
    /// and what pages it has asked for, on which its layout depends.
    pages: Pages,
    /// Each where it begins, and in the low bits how far its allocation begins before that.
    segments: [AtomicTagged<Bucket<E>>; SEGMENTS],
}

/// A handle to a table: where its buckets are, and the logarithm of their number.
pub(super) struct Table<'g, E> {
    base: NonNull<Bucket<E>>,
    log2: u32,
    _alive: PhantomData<&'g Bucket<E>>,
}

impl<E> Clone for Table<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<E> Copy for Table<'_, E> {}
impl<E> PartialEq for Table<'_, E> {
    fn eq(&self, other: &Self) -> bool {
        self.base == other.base
    }
}

const SIZE_MASK: usize = 63;

impl<'g, E> Table<'g, E> {
    pub(super) fn layout(log2: u32) -> (Layout, usize, usize) {
        let buckets = 1_usize << log2;
        let place = Layout::array::<Filter>(buckets).and_then(|filters| {
            let (filters, _) = filters.extend(Layout::new::<Header<E>>())?;
            filters.extend(Layout::array::<Bucket<E>>(buckets)?)
        });
        let words = Layout::array::<AtomicU64>(Self::done_words(log2) + Self::brought_words(log2));
        let all = place.and_then(|(l, base)| {
            words.and_then(|w| l.extend(w)).map(|(l, done)| (l.pad_to_align(), base, done))
        });
        all.expect("a table larger than the address space")
    }

    /// Words of the bitmap of finished chunks.
    fn done_words(log2: u32) -> usize {
        (1_usize << log2).div_ceil(CHUNK * 64)
    }

    /// Words of the bitmap of stretches whose pages have been brought; a table that is hardly one has none.
    fn brought_words(log2: u32) -> usize {
        let stretches = if MODEL { 0 } else { (1_usize << log2) / STRETCH };
        stretches.div_ceil(64)
    }

    /// A new table of `1 << log2` buckets, shared with nobody.
    pub(super) fn allocate(log2: u32, pages: Pages) -> Self {
        let (layout, base, done) = Self::layout(log2);
        let layout = pages.align(layout);
        let (origin, start) = zeroed(layout);
        pages.ask_for(start, layout);
        // SAFETY: `start` is valid for `layout` and aligned to it; the header is right before the buckets
        // (I14). Ours alone (I13).
        unsafe {
            start.add(base).cast::<Header<E>>().sub(1).write(Header {
                next: CachePadded(AtomicTagged::new(ptr::null_mut())),
                cursor: AtomicUsize::new(0),
                finished: AtomicUsize::new(0),
                overflowed: AtomicUsize::new(0),
                filled: AtomicUsize::new(0),
                turns: AtomicUsize::new(0),
                canary: Canary::new(),
                origin,
                pages,
                segments: std::array::from_fn(|_| AtomicTagged::new(ptr::null_mut())),
            });
        }
        // SAFETY: within the allocation, as `layout` computed them (I14).
        let (base, done) =
            unsafe { (start.add(base).cast::<Bucket<E>>(), start.add(done).cast::<AtomicU64>()) };
        if MODEL {
            // Instrumented atomics are objects, not zeros.
            for i in 0..1_usize << log2 {
                // SAFETY: bucket `i` of the array laid out above, ours alone (I13, I14).
                unsafe { base.add(i).write(Bucket::fresh()) };
                // SAFETY: the filter of that chain, laid out above, ours alone (I13, I14).
                unsafe { Self::filter_at(base.as_ptr(), log2, i).write(Filter::new()) };
            }
            for i in 0..Self::done_words(log2) {
                // SAFETY: word `i` of the bitmap laid out above, ours alone (I13, I14).
                unsafe { done.add(i).write(AtomicU64::new(0)) };
            }
        }
        Table { base, log2, _alive: PhantomData }
    }

    /// The handle as one word.
    pub(super) fn pack(self) -> *mut Bucket<E> {
        self.base.as_ptr().map_addr(|a| a | self.log2 as usize)
    }

    /// # Safety
    /// `word` is null or was made by `pack`, and that table is not freed during `'g`.
    #[inline(always)]
    pub(super) unsafe fn unpack(word: *mut Bucket<E>) -> Option<Self> {
        // SAFETY: the caller's promise; it is not null (I8).
        NonNull::new(word).map(|_| unsafe { Self::unpack_some(word) })
    }

    /// # Safety
    /// `word` was made by `pack`, and that table is not freed during `'g`.
    #[inline(always)]
    pub(super) unsafe fn unpack_some(word: *mut Bucket<E>) -> Self {
        let base = word.map_addr(|a| a & !SIZE_MASK);
        // SAFETY: the address of a bucket, which leaves those bits free (I14).
        let base = unsafe { NonNull::new_unchecked(base) };
        Table { base, log2: (word.addr() & SIZE_MASK) as u32, _alive: PhantomData }
    }

    /// Where the bucket of a hash is, from a packed handle that may be out of date: an address to
    /// prefetch, not to read.
    #[inline(always)]
    pub(super) fn guess(word: *mut Bucket<E>, hash: u64) -> *const Bucket<E> {
        let log2 = word.addr() & SIZE_MASK;
        let index = hash as usize & ((1 << log2) - 1);
        word.map_addr(|a| a & !SIZE_MASK).wrapping_add(index)
    }

    /// The same for the filter of its chain.
    #[inline(always)]
    pub(super) fn guess_filter(word: *mut Bucket<E>, hash: u64) -> *const Filter {
        let log2 = word.addr() & SIZE_MASK;
        Self::filter_at(word.map_addr(|a| a & !SIZE_MASK), log2 as u32, hash as usize)
    }

    #[inline(always)]
    pub(super) fn log2(self) -> u32 {
        self.log2
    }

    /// Number of buckets.
    #[inline(always)]
    pub(super) fn buckets(self) -> usize {
        1 << self.log2
    }

    #[inline(always)]
    pub(super) fn index(self, hash: u64) -> usize {
        hash as usize & (self.buckets() - 1)
    }

    /// The first bucket of chain `index`, which is taken modulo the table's size.
    #[inline(always)]
    pub(super) fn bucket(self, index: usize) -> &'g Bucket<E> {
        self.header().canary.touch();
        // SAFETY: masked to the array behind `base`, of which all zeros are fresh buckets (I14); it
        // lives during 'g (I8).
        unsafe { self.base.add(index & (self.buckets() - 1)).as_ref() }
    }

    /// The first bucket of the chain of `hash`.
    #[inline(always)]
    pub(super) fn chain(self, hash: u64) -> &'g Bucket<E> {
        self.bucket(hash as usize)
    }

    /// Where the filter of chain `index` is, which is taken modulo the table's size: they end at the header, so
    /// that it takes no more than the packed handle to find them. Counted from their end, an index is that of
    /// the bucket with all upper bits set.
    #[inline(always)]
    fn filter_at(base: *mut Bucket<E>, log2: u32, index: usize) -> *mut Filter {
        let end = base.cast::<Header<E>>().wrapping_sub(1).cast::<Filter>();
        end.wrapping_add(index | usize::MAX << log2)
    }

    /// The filter of the chain of `hash`.
    #[inline(always)]
    pub(super) fn filter(self, hash: u64) -> &'g Filter {
        self.filter_of(hash as usize)
    }

    /// The filter of chain `index`, which is taken modulo the table's size.
    #[inline(always)]
    pub(super) fn filter_of(self, index: usize) -> &'g Filter {
        self.header().canary.touch();
        // SAFETY: one of the array before the header, of which all zeros are fresh filters (I14); it lives
        // during 'g (I8).
        unsafe { &*Self::filter_at(self.base.as_ptr(), self.log2, index) }
    }

    /// What the words of this table keep of a hash.
    #[inline(always)]
    pub(super) fn fingerprint(self, hash: u64) -> Fingerprint {
        Fingerprint::of(hash, self.log2)
    }

    /// Whether the filter of a hash's chain shows that nothing of the hash is there, and that the chain is not
    /// MIGRATED (I17).
    #[inline(always)]
    pub(super) fn lacks(self, hash: u64) -> bool {
        !self.filter(hash).passes(self.fingerprint(hash))
    }

    /// The bucket a link leads to. `link` was read from a bucket of this table.
    #[inline(always)]
    pub(super) fn follow(self, link: Link<E>) -> Option<&'g Bucket<E>> {
        self.header().canary.touch();
        // SAFETY: overflow buckets of a table come from its arena and live as long (I8, I14); the
        // Acquire load of the link made their words visible.
        unsafe { link.next().as_ref() }
    }

    #[inline(always)]
    pub(super) fn header(self) -> &'g Header<E> {
        // SAFETY: `allocate` put the header right before the first bucket (its size is a multiple
        // of its alignment, which is that of the buckets or more), in one allocation (I8, I14).
        unsafe { self.base.cast::<Header<E>>().sub(1).as_ref() }
    }

    /// The successor, once there is one.
    #[inline(always)]
    pub(super) fn next(self) -> Option<Self> {
        // Acquire: pairs with `set_next`; the successor's header (O7).
        let word = self.header().next.0.load(Ordering::Acquire);
        // SAFETY: packed by `set_next`; whoever reached this table was pinned before its successor,
        // the next root, was unlinked (I8).
        unsafe { Self::unpack(word) }
    }

    /// Makes `next` the successor unless there is one; says whether it did.
    #[must_use]
    pub(super) fn set_next(self, next: Self) -> bool {
        // AcqRel: Release publishes the successor's header to `next` (O7).
        self.header()
            .next
            .0
            .compare_exchange(ptr::null_mut(), next.pack(), Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// Word `index` of the bitmap of finished chunks.
    pub(super) fn done(self, index: usize) -> &'g AtomicU64 {
        debug_assert!(index < Self::done_words(self.log2), "a word of the other bitmap");
        self.word(index)
    }

    /// Word `index` behind the buckets.
    fn word(self, index: usize) -> &'g AtomicU64 {
        let (_, base, done) = Self::layout(self.log2);
        debug_assert!(index < Self::done_words(self.log2) + Self::brought_words(self.log2));
        // SAFETY: in the same allocation, `done - base` bytes after the first bucket; `index` is
        // within the bitmaps, whose length `layout` derives from the same size (I8, I14).
        unsafe { self.base.byte_add(done - base).cast::<AtomicU64>().add(index).as_ref() }
    }

    /// Has the system bring the pages of bucket `index`, which is about to be filled, and of those around
    /// it, unless somebody has.
    #[inline]
    pub(super) fn bring_pages(self, index: usize) {
        if Self::brought_words(self.log2) == 0 {
            return;
        }
        let stretch = index / STRETCH;
        let word = self.word(Self::done_words(self.log2) + stretch / 64);
        let bit = 1 << (stretch % 64);
        // Relaxed, both: nothing rests on it. Who comes while somebody is at it waits for no more than
        // the page it needs.
        if word.load(Ordering::Relaxed) & bit == 0
            && word.fetch_or(bit, Ordering::Relaxed) & bit == 0
        {
            self.bring_stretch(stretch);
        }
    }

    #[cold]
    fn bring_stretch(self, stretch: usize) {
        one_of_each_page(stretch, PAGE).for_each(|index| self.bucket(index).overflow.touch());
        one_of_each_page(stretch, FILTER_PAGE).for_each(|index| self.filter_of(index).touch());
    }

    /// A bucket from the arena, all zero and in nobody's sight. It goes with the table.
    pub(super) fn overflow_bucket(self) -> NonNull<Bucket<E>> {
        let header = self.header();
        // Relaxed: only distinct numbers matter, and the trigger of growth reads it as a hint.
        let number = header.overflowed.fetch_add(1, Ordering::Relaxed);
        let (segment, offset) = place(number);
        let slot = &header.segments[segment];
        // Acquire: pairs with the CAS below; the segment's zeros (O7).
        let mut start = slot.load(Ordering::Acquire);
        if start.is_null() {
            let fresh = new_segment::<E>(segment);
            // AcqRel: publishes the segment (O7).
            match slot.compare_exchange(start, fresh, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => start = fresh,
                Err(theirs) => {
                    // SAFETY: allocated just now for that number and never shared (I13, I15).
                    unsafe { free_segment(fresh, segment) };
                    start = theirs;
                }
            }
        }
        // SAFETY: `offset` is within the segment, which is not null (I14).
        unsafe { NonNull::new_unchecked(start.map_addr(|a| a & !SIZE_MASK).add(offset)) }
    }

    /// Overflow buckets taken by inserts, not by the fill: the measure of crowding.
    fn overflowed(self) -> usize {
        let header = self.header();
        // Relaxed, both: a hint for the trigger of growth, which acts on no other memory.
        let all = header.overflowed.load(Ordering::Relaxed);
        all.saturating_sub(header.filled.load(Ordering::Relaxed))
    }

    /// Whether the table is crowded, and the caller the one to see to a successor: overflow buckets are in use
    /// for more than a fifth of the buckets. Later saves memory (of each entry at the worst size, while the new
    /// table stands beside the old one, 46 bytes with a sixth, 43 with a fifth), and has more lookups go beyond
    /// the first bucket: at that size one in thirteen of those that hit, instead of one in sixteen.
    ///
    /// The memory may take long to get. If all writers got it, all but one would give it back: so it is the
    /// next one's turn, for the first may have been stopped, with a fifth more in use, and so on.
    pub(super) fn take_turn_to_grow(self) -> bool {
        let fifth = self.buckets() / 5;
        if MODEL {
            // Too small for a fifth, and whoever comes may come second.
            return self.overflowed() > fifth;
        }
        // Relaxed, all: hints, and only that turns are distinct matters. Whose turn it is acts on no other memory.
        let turns = &self.header().turns;
        let turn = turns.load(Ordering::Relaxed);
        self.overflowed() > fifth * (turn + 1)
            && turns.compare_exchange(turn, turn + 1, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// All overflow buckets handed out.
    #[cfg(feature = "metrics")]
    pub(super) fn overflow_buckets(self) -> usize {
        // Relaxed: a figure.
        self.header().overflowed.load(Ordering::Relaxed)
    }

    /// Frees the table and its overflow buckets, not the elements.
    ///
    /// # Safety
    /// Nobody else can reach the table any more, and this is the only call for it.
    pub(super) unsafe fn free(self) {
        let header = self.header();
        header.canary.kill();
        for (i, segment) in header.segments.iter().enumerate() {
            // Acquire: pairs with the CAS in `overflow_bucket` (O7).
            let start = segment.load(Ordering::Acquire);
            if !start.is_null() {
                // SAFETY: of that number (I15), and of a table that nobody can reach (I13).
                unsafe { free_segment(start, i) };
            }
        }
        let (layout, ..) = Self::layout(self.log2);
        let layout = header.pages.align(layout);
        let origin = header.origin;
        if MODEL {
            // So that a checker sees a late access instead of crashing on it.
            sync::keep_until_end(origin, with_slack(layout));
            return;
        }
        // SAFETY: allocated by `allocate`, by way of `zeroed` for this layout (I15).
        unsafe { dealloc(origin.as_ptr(), with_slack(layout)) };
    }
}

/// Zeroed memory: where the allocation begins, and where in it the layout does.
///
/// Of usual alignment, or the standard library would write all the zeros itself: tens of milliseconds for
/// a big table. Pages fresh from the system are zero, and come as they are touched.
fn zeroed(layout: Layout) -> (NonNull<u8>, NonNull<u8>) {
    let all = with_slack(layout);
    // SAFETY: not empty: what is laid out here holds a header or a bucket (I14).
    let origin = unsafe { alloc_zeroed(all) };
    let Some(origin) = NonNull::new(origin) else { handle_alloc_error(all) };
    // SAFETY: there is slack for the offset (I14).
    (origin, unsafe { origin.add(offset(origin, layout.align())) })
}

/// Chains of a stretch: one in each page that it has part in, wherever in a page it begins, where so many
/// of their buckets or filters fill a page.
fn one_of_each_page(stretch: usize, page: usize) -> impl Iterator<Item = usize> {
    let first = stretch * STRETCH;
    let last_of_pages = (1..=STRETCH / page).map(move |pages| first + pages * page - 1);
    iter::once(first).chain(last_of_pages)
}

/// Which segment overflow bucket `number` is in, and where.
fn place(number: usize) -> (usize, usize) {
    let block = number / FIRST_SEGMENT + 1;
    let segment = block.ilog2() as usize;
    (segment, number - ((1 << segment) - 1) * FIRST_SEGMENT)
}

fn segment_len(segment: usize) -> usize {
    FIRST_SEGMENT << segment
}

fn segment_layout<E>(segment: usize) -> Layout {
    Layout::array::<Bucket<E>>(segment_len(segment)).expect("more overflow than address space")
}

/// A segment of zeroed buckets: where it begins, with the way back to its allocation in the low
/// bits.
fn new_segment<E>(segment: usize) -> *mut Bucket<E> {
    let (origin, start) = zeroed(segment_layout::<E>(segment));
    let before = start.addr().get() - origin.addr().get();
    let start = start.cast::<Bucket<E>>().as_ptr();
    Link::check_address(start.wrapping_add(segment_len(segment)));
    if MODEL {
        for i in 0..segment_len(segment) {
            // SAFETY: within the segment just allocated, ours alone (I13, I14).
            unsafe { start.add(i).write(Bucket::fresh()) };
        }
    }
    debug_assert!(before <= SIZE_MASK);
    start.map_addr(|a| a | before)
}

/// # Safety
/// `start` came from `new_segment` for the same number, and nobody can reach it any more.
unsafe fn free_segment<E>(start: *mut Bucket<E>, segment: usize) {
    let before = start.addr() & SIZE_MASK;
    let origin = start.cast::<u8>().map_addr(|a| (a & !SIZE_MASK) - before);
    let layout = with_slack(segment_layout::<E>(segment));
    if MODEL {
        if let Some(origin) = NonNull::new(origin) {
            sync::keep_until_end(origin, layout);
        }
        return;
    }
    // SAFETY: the caller's promise: by way of `zeroed` for that number, so for this layout (I15).
    unsafe { dealloc(origin, layout) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overflow_buckets_have_places_of_their_own() {
        let mut next = [0; 12];
        for number in 0..20_000 {
            let (segment, offset) = place(number);
            assert_eq!(offset, next[segment], "dense, in order");
            assert!(offset < segment_len(segment));
            next[segment] += 1;
        }
    }

    #[test]
    fn one_writer_gets_the_memory_to_grow_and_another_only_if_that_takes_long() {
        let table = Table::<u64>::allocate(6, Pages::Usual);
        let turns: Vec<usize> = (1..=64 / 5 * 3 + 1)
            .filter(|_| {
                let _ = table.overflow_bucket();
                let mine = table.take_turn_to_grow();
                assert!(!table.take_turn_to_grow(), "of two who come, one");
                mine
            })
            .collect();
        assert_eq!(turns, [13, 25, 37]);
        // SAFETY: made above and shared with nobody (I13).
        unsafe { table.free() };
    }

    #[test]
    fn every_page_of_a_stretch_is_brought() {
        for (size, begin) in
            [PAGE, FILTER_PAGE].into_iter().flat_map(|p| (0..p).map(move |b| (p, b)))
        {
            let page = |index: usize| (begin + index) / size;
            let mut brought: Vec<usize> = one_of_each_page(1, size).map(page).collect();
            brought.dedup();
            let all: Vec<usize> = (page(STRETCH)..=page(2 * STRETCH - 1)).collect();
            assert_eq!(brought, all, "{size} {begin}");
        }
    }

    #[test]
    fn to_bring_a_stretch_changes_no_bucket() {
        let log2 = STRETCH.ilog2() + 1;
        let table = Table::<u64>::allocate(log2, Pages::Usual);
        let brought = || table.word(Table::<u64>::done_words(log2)).load(Ordering::Relaxed);
        assert_eq!(brought(), 0);
        for index in [STRETCH, 2 * STRETCH - 1] {
            table.bring_pages(index);
            assert_eq!(brought(), 2);
        }
        table.bring_pages(STRETCH - 1);
        assert_eq!(brought(), 3);
        let unchanged = |index| table.bucket(index).overflow.fill(Link::END);
        assert!((0..table.buckets()).all(unchanged), "still to be filled");
        // SAFETY: made above and shared with nobody (I13).
        unsafe { table.free() };
    }

    #[test]
    fn a_table_packs_into_a_word() {
        let sizes = [0, 1, 5, 12, 16];
        for (log2, &pages) in Pages::ALL.iter().flat_map(|p| sizes.map(|log2| (log2, p))) {
            let table = Table::<u64>::allocate(log2, pages);
            // SAFETY: packed here, and freed below only (I13).
            let again = unsafe { Table::unpack(table.pack()) }.unwrap();
            assert!(again == table && again.log2() == log2 && again.buckets() == 1 << log2);
            assert!(again.next().is_none());
            for i in 0..table.buckets() {
                assert!(table.bucket(i).slots.iter().all(|s| s.load() == Word::UNINIT));
                assert!(ptr::eq(table.bucket(i), Table::guess(table.pack(), i as u64)));
                assert!(ptr::eq(table.filter_of(i), Table::guess_filter(table.pack(), i as u64)));
                table.filter_of(i).saturate();
            }
            let words = Table::<u64>::done_words(log2);
            // Relaxed: one thread.
            assert!((0..words).all(|w| table.done(w).load(Ordering::Relaxed) == 0));
            let many: Vec<_> = (0..100).map(|_| table.overflow_bucket()).collect();
            let distinct: std::collections::HashSet<_> = many.iter().collect();
            assert_eq!(distinct.len(), 100);
            // SAFETY: shared with nobody (I13).
            unsafe { table.free() };
        }
    }
}
