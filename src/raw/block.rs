//! What an index holds: an element in a counted allocation.
//!
//! An element's life: a [`Draft`](super::draft::Draft) owns it; publishing shares it with whoever is
//! pinned; unlinking and retiring it ends that; once no pin from before is left, the index gives up its
//! own count, and the last [`Counted`](super::counted::Counted) reference, if any, is what keeps it.

use std::alloc::Layout;
use std::marker::PhantomData;
use std::mem::{self, ManuallyDrop};
use std::ops::Range;
use std::ptr::{self, NonNull};
use std::slice;

use smallvec::SmallVec;
use smol_str::SmolStr;

use super::chunk::Place;
use super::parts::{Counts, Offsets, Shape};
use super::word::FINGERPRINT_BITS;
use crate::sync::{AtomicU8, AtomicU32, Canary, Mutant, Ordering, mutant};

/// For tests of what a write costs.
#[inline(always)]
pub(super) fn looked_at() {
    #[cfg(test)]
    crate::probe::count(crate::probe::Event::NameLookedAt);
}

/// One of the secondary indexes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
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
    /// All the rest, as it is handed in, and back.
    type Value;
    /// What lookups read of that.
    type Head;
    /// What has a name in the first dimension,
    type First;
    /// and in the second one.
    type Second;
    /// What is left.
    type Rest;

    /// The element of a block.
    fn wrap(block: Block<Self>) -> Self;
    /// The block of an element.
    fn block(&self) -> &Block<Self>;
    /// The block of an element that nobody else sees yet.
    fn block_mut(&mut self) -> &mut Block<Self>;
    /// Takes a value apart.
    fn split(value: Self::Value) -> Parts<Self>;
    /// Puts it together again.
    fn join(parts: Parts<Self>) -> Self::Value;
    /// The name under which an element is to be found for the sake of this.
    fn first_name(first: &Self::First) -> &SmolStr;
    /// The same in the second dimension.
    fn second_name(second: &Self::Second) -> &SmolStr;
    /// Whether the element counts as live: only then it is found by names. (The store keeps a count of
    /// those.)
    fn is_live(parts: &Parts<Self>) -> bool;
    /// Whether the element has a deadline.
    fn is_timed(rest: &Self::Rest) -> bool;
    /// Called when the element has been put into a block, its first or another, which nobody else sees
    /// yet: for what has to know where.
    fn placed(&self) {}
}

/// What is to become an element, but for its key.
pub(crate) struct Parts<E: Element> {
    /// What lookups read.
    pub(crate) head: E::Head,
    /// What has names in the first dimension; the size is that of what writers hand in.
    pub(crate) firsts: SmallVec<[E::First; 2]>,
    /// What has names in the second one; likewise.
    pub(crate) seconds: SmallVec<[E::Second; 1]>,
    /// What is left.
    pub(crate) rest: E::Rest,
}

/// Set on an element seen committed, before anything tries to unlink it (I7).
const WAS_COMMITTED: u8 = 1;
/// All but key and hash has moved to another block: this one was killed, so nobody ever read that.
const VACATED: u8 = 2;

/// The inside of an element: its key and head with what the index needs to know about them. The other
/// parts lie behind it, in the same allocation.
#[repr(C)]
pub(crate) struct Block<E: Element> {
    /// One for the index, until the epoch has passed after its removal, and one for each
    /// [`Counted`](super::counted::Counted).
    pub(super) count: AtomicU32,
    flags: AtomicU8,
    shape: Shape,
    /// The pointer to this block that comes of the one it was allocated with. Whoever frees it, and whoever reads
    /// what is behind it, does so through this one: a pointer derived from `&E` may not.
    origin: *mut E,
    // 16 bytes from the beginning, which is not 32 bytes into a line where that can be helped
    // (`Offsets::begin`): then a key of 24 bytes and a word of the head after it are in one line.
    key: E::Key,
    /// Taken out of a killed block only, with VACATED set (I10); so is the rest.
    head: ManuallyDrop<E::Head>,
    rest: ManuallyDrop<E::Rest>,
    canary: Canary,
    /// What is behind it.
    _lists: PhantomData<(E::First, E::Second)>,
}

/// Where the parts of an element with such lists are.
#[inline(always)]
pub(super) const fn offsets<E: Element>(counts: Counts) -> Offsets {
    counts.offsets::<E, E::Second, E::First>()
}

/// The lists of an element.
struct Lists<'e, E: Element> {
    counts: Counts,
    firsts: &'e [E::First],
    seconds: &'e [E::Second],
    /// As many as `counts` says, once they have been found.
    places: *mut Place,
}

// SAFETY: `origin` points to this very block (I15), which is sent as its parts are.
unsafe impl<E: Element> Send for Block<E>
where
    E::Key: Send,
    E::Head: Send,
    E::First: Send,
    E::Second: Send,
    E::Rest: Send,
{
}
// SAFETY: `count` and `flags` are atomic, and nobody writes the rest once it is shared (I10, I13).
// Whoever shares it may `share` it, and then drop it as its last owner: so `Send`, too (I11).
unsafe impl<E: Element> Sync for Block<E>
where
    E::Key: Send + Sync,
    E::Head: Send + Sync,
    E::First: Send + Sync,
    E::Second: Send + Sync,
    E::Rest: Send + Sync,
{
}

impl<E: Element> Block<E> {
    /// Where in an element that is which every lookup reads, with the first word of the head, which
    /// is read next of what was found.
    pub(super) const SOUGHT: Range<usize> =
        mem::offset_of!(Self, key)..mem::offset_of!(Self, head) + mem::size_of::<usize>();

    /// How much memory most elements take.
    pub(super) const USUAL: usize = offsets::<E>(Counts::USUAL).size();

    /// The block that is to begin at `origin`, with what its lists are like.
    pub(super) fn new(
        shape: Shape,
        key: E::Key,
        (head, rest): (E::Head, E::Rest),
        origin: NonNull<E>,
    ) -> Self {
        Block {
            count: AtomicU32::new(1),
            flags: AtomicU8::new(0),
            shape,
            origin: origin.as_ptr(),
            key,
            head: ManuallyDrop::new(head),
            rest: ManuallyDrop::new(rest),
            canary: Canary::new(),
            _lists: PhantomData,
        }
    }

    /// What the element is found by.
    #[inline]
    pub(crate) fn key(&self) -> &E::Key {
        &self.key
    }

    /// What lookups read.
    #[inline]
    pub(crate) fn head(&self) -> &E::Head {
        self.canary.touch();
        &self.head
    }

    #[inline(always)]
    pub(super) fn counts(&self) -> Counts {
        self.shape.counts(|| {
            let at = Counts::numbers_at::<E>();
            // SAFETY: where lists are long, `Draft::new` has written the numbers there (I14).
            unsafe { self.behind::<[usize; 2]>(at).read() }
        })
    }

    /// A part behind the block.
    #[inline(always)]
    pub(super) fn behind<T>(&self, at: usize) -> *mut T {
        self.origin.wrapping_byte_add(at).cast()
    }

    /// The lists behind the block.
    #[inline(always)]
    fn lists(&self) -> Lists<'_, E> {
        self.canary.touch();
        let counts = self.counts();
        let offsets = offsets::<E>(counts);
        // SAFETY: so many are there (I14), and nobody writes them once they are shared (I13). Of a block that
        // was vacated nobody reads them (I10).
        unsafe {
            Lists {
                counts,
                firsts: slice::from_raw_parts(self.behind(offsets.firsts), counts.firsts),
                seconds: slice::from_raw_parts(self.behind(offsets.seconds), counts.seconds),
                places: self.behind(offsets.places),
            }
        }
    }

    /// What has a name in the first dimension.
    #[inline]
    pub(crate) fn firsts(&self) -> &[E::First] {
        self.lists().firsts
    }

    /// What has a name in the second dimension.
    #[inline]
    pub(crate) fn seconds(&self) -> &[E::Second] {
        self.lists().seconds
    }

    /// What is left.
    #[inline]
    pub(crate) fn rest(&self) -> &E::Rest {
        self.canary.touch();
        &self.rest
    }

    /// The same, to change, of an element that nobody else sees yet.
    pub(super) fn rest_mut(&mut self) -> &mut E::Rest {
        &mut self.rest
    }

    /// Where the slots of the element's names are, first those of the first dimension, in the order of the
    /// lists. They have been found.
    #[inline]
    pub(super) fn places(&self) -> &[Place] {
        let Lists { counts, places, .. } = self.lists();
        // SAFETY: so many are there (I14), and nobody writes them once they are shared (I13).
        unsafe { slice::from_raw_parts(places, counts.places()) }
    }

    /// Takes over the places of another element, if both have the same names in the same order; says whether
    /// they have. Tried with every replacement: most change no name.
    pub(super) fn take_over_places(&mut self, other: &Self) -> bool {
        let (mine, other) = (self.lists(), other.lists());
        let same_firsts =
            |nth| E::first_name(&mine.firsts[nth]) == E::first_name(&other.firsts[nth]);
        let same_seconds =
            |nth| E::second_name(&mine.seconds[nth]) == E::second_name(&other.seconds[nth]);
        let same = mine.counts == other.counts
            && (0..mine.counts.seconds).all(same_seconds)
            && (0..mine.counts.firsts).all(same_firsts);
        if same {
            // One by one: there are one or two, and to copy them together is a call.
            for nth in 0..mine.counts.places() {
                // SAFETY: both have as many (I14); nobody writes those of the other, and the element is lent
                // to us alone (I13).
                unsafe { mine.places.add(nth).write(other.places.add(nth).read()) };
            }
        }
        same
    }

    /// Asks for the place of each name.
    pub(super) fn find_places(&mut self, mut find: impl FnMut(Dim, &SmolStr) -> Place) {
        let Lists { counts, firsts, seconds, places } = self.lists();
        if counts.places() == 0 {
            return;
        }
        let mut found = 0;
        let mut put = |dim, name: &SmolStr| {
            let place = find(dim, name);
            // SAFETY: there is one for each name (I14). Names are elsewhere, and the element is lent to us
            // alone (I13).
            unsafe {
                places.add(found).write(place);
            }
            found += 1;
        };
        firsts.iter().for_each(|first| put(Dim::FIRST, E::first_name(first)));
        seconds.iter().for_each(|second| put(Dim::SECOND, E::second_name(second)));
        // SAFETY: so many have been written (I13, I14).
        let places = unsafe { slice::from_raw_parts(places, found) };
        // It would be given back twice.
        assert!(found < 2 || Self::differ(places), "an element that has a name twice");
    }

    /// Whether each of the places is there once.
    #[inline(always)]
    fn differ(places: &[Place]) -> bool {
        if places.len() <= Place::FEW {
            places.iter().enumerate().all(|(nth, place)| !places[..nth].contains(place))
        } else {
            Self::many_differ(places)
        }
    }

    #[cold]
    #[inline(never)]
    fn many_differ(places: &[Place]) -> bool {
        let mut sorted = places.to_vec();
        sorted.sort_unstable();
        sorted.windows(2).all(|pair| pair[0] != pair[1])
    }

    /// Where the slot of a name is, if the element has that name and counts as live.
    pub(super) fn place_of(&self, dim: Dim, name: &SmolStr) -> Option<Place> {
        // Else it has names all the same, however many.
        if !self.is_live() {
            return None;
        }
        let is_it = |known: &SmolStr| {
            looked_at();
            known == name
        };
        let lists = self.lists();
        let nth = if dim == Dim::FIRST {
            lists.firsts.iter().position(|first| is_it(E::first_name(first)))
        } else {
            let nth = lists.seconds.iter().position(|second| is_it(E::second_name(second)));
            nth.map(|nth| lists.firsts.len() + nth)
        };
        self.places().get(nth?).copied()
    }

    /// Its names, each with its place. None if it does not count as live: then it has no places.
    pub(super) fn named_places(&self) -> impl Iterator<Item = (Dim, &SmolStr, Place)> {
        let Lists { firsts, seconds, .. } = self.lists();
        let firsts = firsts.iter().map(|first| (Dim::FIRST, E::first_name(first)));
        let seconds = seconds.iter().map(|second| (Dim::SECOND, E::second_name(second)));
        firsts.chain(seconds).zip(self.places()).map(|((dim, name), place)| (dim, name, *place))
    }

    /// The hash it was published under.
    #[inline]
    pub(crate) fn hash(&self) -> u64 {
        let at = self.behind::<u64>(offsets::<E>(self.counts()).hash);
        // SAFETY: it is there (I14), and nobody writes it (I13).
        unsafe { at.read() }
    }

    /// Whether it may be under that hash, having been met where that belongs. Fingerprints have said so, and
    /// hold the bit that tells the two sources of a halving apart (I5). Where words have none, an `Eq` that
    /// lies could hand a writer an element of the other source, or readers one that writers do not find. There it
    /// costs a hit a line, for the hash is the last part of an element.
    #[inline(always)]
    pub(super) fn may_have(&self, hash: u64) -> bool {
        FINGERPRINT_BITS != 0 || self.hash() == hash
    }

    /// Whether somebody may have unlinked the element since it was found: read at the end of a
    /// scan, while still pinned, to know whether one key may have been met twice.
    #[inline]
    pub(crate) fn superseded(&self) -> bool {
        // Relaxed: on an element that was met and replaced before the reader met its successor,
        // the mark came before the CAS that made the successor, which the reader acquired (O8).
        self.flags.load(Ordering::Relaxed) & WAS_COMMITTED != 0
    }

    /// Whether the element counts as live.
    #[inline]
    pub(crate) fn is_live(&self) -> bool {
        self.shape.is_live()
    }

    /// Whether the element has a deadline.
    #[inline]
    pub(crate) fn is_timed(&self) -> bool {
        self.shape.is_timed()
    }

    /// Whether lookups have to look at more than the key.
    #[inline]
    pub(super) fn is_special(&self) -> bool {
        self.shape.is_special()
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

    /// Under a model: looks whether the element is still there.
    pub(super) fn touch(&self) {
        self.canary.touch();
    }

    pub(super) fn shape(&self) -> Shape {
        self.shape
    }

    /// What the element was made of.
    ///
    /// # Safety
    /// The element is the caller's, and nothing is done with it after this but to free its memory.
    pub(super) unsafe fn take_apart(&self) -> (E::Key, Parts<E>) {
        // SAFETY: each part is where it is read (I14); the caller's promise: for the last time (I13).
        let all = unsafe {
            let parts = Parts {
                head: ptr::read(&raw const *self.head),
                firsts: self.firsts().iter().map(|first| ptr::read(first)).collect(),
                seconds: self.seconds().iter().map(|second| ptr::read(second)).collect(),
                rest: ptr::read(&raw const *self.rest),
            };
            (ptr::read(&raw const self.key), parts)
        };
        self.canary.kill();
        all
    }

    /// Takes all but key and hash out of a block: head and rest are returned, the lists are the caller's to
    /// copy. What is there stays as it is, for others may go on to read key, hash and layout.
    ///
    /// # Safety
    /// Nobody looks at anything else any more, and nobody has called this before.
    pub(super) unsafe fn vacate(&self) -> (E::Head, E::Rest) {
        // Relaxed: only the destructor reads it, ordered by retirement.
        self.flags.fetch_or(VACATED, Ordering::Relaxed);
        // SAFETY: the caller's promise: they are there, and read for the last time (I10).
        unsafe { (ptr::read(&raw const *self.head), ptr::read(&raw const *self.rest)) }
    }

    /// Where its parts are.
    pub(super) fn offsets(&self) -> Offsets {
        offsets::<E>(self.counts())
    }

    /// How the element was allocated.
    pub(super) fn layout(&self) -> Layout {
        self.offsets().layout()
    }

    pub(super) fn origin(&self) -> NonNull<E> {
        // SAFETY: `Draft::new` set it to where it put the element (I15).
        unsafe { NonNull::new_unchecked(self.origin) }
    }
}

impl<E: Element> Drop for Block<E> {
    fn drop(&mut self) {
        self.canary.kill();
        // Relaxed: whoever drops has exclusive access, with the epoch's or the count's ordering.
        if self.flags.load(Ordering::Relaxed) & VACATED != 0 {
            return;
        }
        let counts = self.counts();
        let offsets = offsets::<E>(counts);
        let (firsts, seconds) = (self.behind(offsets.firsts), self.behind(offsets.seconds));
        // Each goes, even if the destructor of another one panics.
        let _rest = InPlace(&raw mut *self.rest);
        let _firsts = InPlace(ptr::slice_from_raw_parts_mut::<E::First>(firsts, counts.firsts));
        let _seconds = InPlace(ptr::slice_from_raw_parts_mut::<E::Second>(seconds, counts.seconds));
        // SAFETY: dropped once, here (I13); VACATED is set where it was taken (I10).
        unsafe { ManuallyDrop::drop(&mut self.head) };
    }
}

/// A part that goes with this. Made by the drop of a block that has all its parts, once for each.
struct InPlace<T: ?Sized>(*mut T);

impl<T: ?Sized> Drop for InPlace<T> {
    fn drop(&mut self) {
        // SAFETY: the part is there (I14), and its block is being dropped, once (I13).
        unsafe { ptr::drop_in_place(self.0) };
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
