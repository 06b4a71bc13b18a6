//! Slot words and overflow words: the only place that knows their bits.
//!
//! ```text
//! slot word      63        48 47                      4    3        2       1        0
//!               ┌────────────┬────────────────────────┬─────────┬───────┬─────────┬────────┐
//!               │fingerprint │ address of the element │ SPECIAL │ EMPTY │ PENDING │ FROZEN │
//!               └────────────┴────────────────────────┴─────────┴───────┴─────────┴────────┘
//!                bit 63 is set on every element; an all-zero word is UNINIT
//!
//! overflow word  63                                   6    2          1        0
//!               ┌─────────────────────────────────────┬──────────┬────────┬────────┐
//!               │       address of next bucket        │ MIGRATED │ FROZEN │ OVINIT │
//!               └─────────────────────────────────────┴──────────┴────────┴────────┘
//!                MIGRATED only on the first bucket of a chain; all-zero is not filled yet
//! ```
//!
//! The fingerprint lives in the word, so that one compare-and-swap decides about the element and
//! its fingerprint together. SPECIAL says of the element itself, for ever, that it is not live or has a
//! deadline (I16): of any other a lookup reads nothing but the key. Pointers keep their provenance:
//! bits are set with `map_addr`.

use std::fmt;
use std::ptr;

use super::table::Bucket;
use crate::sync::{AtomicTagged, MODEL, Mutant, Ordering, mutant};

/// How many of the upper address bits carry a fingerprint. None where a target tags pointers
/// itself or where an address fills the word: there every element matches, and hashes and keys decide.
/// None either with the cfg `process_registry_no_fingerprints`, which is for tests of just that.
pub(super) const FINGERPRINT_BITS: u32 = if cfg!(all(
    target_pointer_width = "64",
    not(target_os = "android"),
    not(process_registry_no_fingerprints)
)) {
    16
} else {
    0
};
pub(super) const FINGERPRINT_SHIFT: u32 = usize::BITS - 16;
const FINGERPRINT_MASK: usize = if FINGERPRINT_BITS == 0 { 0 } else { 0xffff << FINGERPRINT_SHIFT };

/// The ordering of what publishes a pending word; `load_in_order` is its partner.
///
/// loom takes sequentially consistent operations for acquiring and releasing ones, but it knows
/// fences: under a model a fence stands at the start of every pass instead (see `resolve`).
const IN_ORDER: Ordering = if MODEL { Ordering::AcqRel } else { Ordering::SeqCst };

const FROZEN: usize = 1;
const PENDING: usize = 2;
const EMPTY: usize = 4;
const SPECIAL: usize = 8;
/// The bits below an address.
const FLAGS: usize = FROZEN | PENDING | EMPTY | SPECIAL;
const ADDRESS: usize = !(FINGERPRINT_MASK | FLAGS);

/// What an element is aligned to, so that its address leaves the flags free: what allocators align to
/// anyway where pointers have 64 bits.
pub(super) const ELEMENT_ALIGN: usize = FLAGS + 1;

/// How many doublings in a row keep the fingerprints as they are.
const WINDOW: u32 = if MODEL { 2 } else { 8 };

/// What a slot word keeps of a hash: fifteen bits of it, with the top bit set.
///
/// Which fifteen depends on the size of the table: they begin at a multiple of eight at or below
/// the lowest bit that the index of a chain leaves out. So a table's fingerprints hold the bit that
/// tells which half of a split an element goes to, and but for every eighth doubling they hold in
/// the successor as well: a migration moves words without a look at the elements. At least eight
/// bits of a fingerprint tell elements of one chain apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Fingerprint(usize);

impl Fingerprint {
    /// The fingerprint in a table of `1 << log2` buckets.
    #[inline(always)]
    pub(super) fn of(hash: u64, log2: u32) -> Self {
        let bits = hash >> Self::window(log2) & 0x7fff | 0x8000;
        Fingerprint((bits as usize) << FINGERPRINT_SHIFT & FINGERPRINT_MASK)
    }

    /// The lowest bit of a hash that its fingerprint holds.
    #[inline(always)]
    fn window(log2: u32) -> u32 {
        log2 & !(WINDOW - 1)
    }

    /// A word of which the upper sixteen bits are those of all words with this fingerprint.
    #[cfg(all(
        target_arch = "x86_64",
        target_pointer_width = "64",
        not(target_os = "android"),
        not(any(process_registry_loom, process_registry_shuttle, miri)),
        not(process_registry_no_fingerprints)
    ))]
    #[inline(always)]
    pub(super) fn lane(self) -> usize {
        self.0
    }

    /// Two numbers below 32, of the upper eight bits of a hash that it holds: those are in no index of a
    /// table with such fingerprints. Two bits of each are in both.
    #[inline(always)]
    pub(super) fn numbers(self) -> [u32; 2] {
        [7, 10].map(|low| (self.0 >> (FINGERPRINT_SHIFT + low)) as u32 & 31)
    }

    /// Whether the fingerprints of two sizes of table are the same.
    pub(super) fn carries_over(from: u32, to: u32) -> bool {
        FINGERPRINT_BITS != 0 && Self::window(from) == Self::window(to)
    }

    /// Bit `bit` of the hash, which a table of `1 << log2` buckets has in its fingerprints.
    pub(super) fn bit(self, bit: u32, log2: u32) -> bool {
        debug_assert!(FINGERPRINT_BITS != 0 && bit - Self::window(log2) < 15);
        self.0 >> (FINGERPRINT_SHIFT + bit - Self::window(log2)) & 1 != 0
    }

    /// The slot an element is put into if it is free: inserts of several threads seldom meet.
    #[inline(always)]
    pub(super) fn preferred(self, slots: usize) -> usize {
        (((self.0 >> FINGERPRINT_SHIFT) & 0x7fff) * slots) >> 15
    }
}

/// The value of a slot at one moment.
pub(super) struct Word<E>(*mut E);

impl<E> Clone for Word<E> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}
impl<E> Copy for Word<E> {}
impl<E> PartialEq for Word<E> {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        ptr::eq(self.0, other.0)
    }
}
impl<E> Eq for Word<E> {}

impl<E> Word<E> {
    /// Never written: what a fresh table holds.
    pub(super) const UNINIT: Self = Word(ptr::null_mut());
    /// Written, and holding no element.
    pub(super) const EMPTY: Self = Word(ptr::without_provenance_mut(EMPTY));

    /// A committed element; `special` if it is not live or has a deadline.
    #[inline]
    pub(super) fn committed(element: *mut E, fingerprint: Fingerprint, special: bool) -> Self {
        debug_assert!(element.addr() & !ADDRESS == 0);
        let special = if special { SPECIAL } else { 0 };
        Word(element.map_addr(|a| a | fingerprint.0 | special))
    }

    /// Panics unless an element at this address fits into a word.
    pub(super) fn check_address(element: *mut E) {
        assert!(
            element.addr() & !ADDRESS == 0,
            "an allocation at {element:p} does not leave the bits free that a slot word needs"
        );
    }

    #[inline(always)]
    fn bits(self) -> usize {
        self.0.addr()
    }

    /// Whether there is an element, pending or committed, frozen or not.
    #[inline(always)]
    pub(super) fn is_element(self) -> bool {
        self.bits() & ADDRESS != 0
    }

    #[inline(always)]
    pub(super) fn is_committed(self) -> bool {
        self.is_element() && !self.is_pending()
    }

    #[inline(always)]
    pub(super) fn is_pending(self) -> bool {
        self.bits() & PENDING != 0
    }

    #[inline(always)]
    pub(super) fn is_frozen(self) -> bool {
        self.bits() & FROZEN != 0
    }

    /// Whether an insert may take the slot.
    #[inline(always)]
    pub(super) fn is_vacant(self) -> bool {
        self.bits() & !EMPTY == 0
    }

    /// Whether this is an element, pending or not, of that fingerprint.
    #[inline(always)]
    pub(super) fn resembles(self, fingerprint: Fingerprint) -> bool {
        self.bits() & FINGERPRINT_MASK == fingerprint.0
            && (FINGERPRINT_BITS != 0 || self.is_element())
    }

    /// Whether this is a committed element of that fingerprint: what a reader looks for.
    #[inline(always)]
    pub(super) fn matches(self, fingerprint: Fingerprint) -> bool {
        self.bits() & (FINGERPRINT_MASK | PENDING) == fingerprint.0
            && (FINGERPRINT_BITS != 0 || self.is_element())
    }

    /// Whether the element is not live or has a deadline.
    #[inline(always)]
    pub(super) fn is_special(self) -> bool {
        self.bits() & SPECIAL != 0
    }

    /// The element, if a lookup for that fingerprint looks at this one.
    #[inline(always)]
    pub(super) fn sought(self, fingerprint: Fingerprint) -> Option<*mut E> {
        let ignored = if mutant(Mutant::TakePending) { PENDING } else { 0 };
        // What is left where the fingerprint is the same has no bits of its own.
        let rest = self.0.map_addr(|a| a ^ fingerprint.0);
        let differs = rest.addr() & (FINGERPRINT_MASK | PENDING) & !ignored != 0;
        let element = rest.map_addr(|a| a & !FLAGS);
        (!differs && (FINGERPRINT_BITS != 0 || !element.is_null())).then_some(element)
    }

    /// The same, if no flag is set on it: one test for all that may be in a lookup's way, and what passes
    /// it is the address.
    #[inline(always)]
    pub(super) fn plain(self, fingerprint: Fingerprint) -> Option<*mut E> {
        let ignored = if mutant(Mutant::TakePending) { PENDING } else { 0 };
        let rest = self.0.map_addr(|a| (a ^ fingerprint.0) & !ignored);
        let plain = rest.addr() & (FINGERPRINT_MASK | FLAGS) == 0;
        (plain && (FINGERPRINT_BITS != 0 || !rest.is_null())).then_some(rest)
    }

    #[inline(always)]
    pub(super) fn element(self) -> *mut E {
        self.0.map_addr(|a| a & ADDRESS)
    }

    #[inline(always)]
    pub(super) fn fingerprint(self) -> Fingerprint {
        Fingerprint(self.bits() & FINGERPRINT_MASK)
    }

    /// The same element with the fingerprint of another table.
    pub(super) fn with(self, fingerprint: Fingerprint) -> Self {
        Word(self.0.map_addr(|a| a & !FINGERPRINT_MASK | fingerprint.0))
    }

    pub(super) fn pending(self) -> Self {
        Word(self.0.map_addr(|a| a | PENDING))
    }

    pub(super) fn without_pending(self) -> Self {
        Word(self.0.map_addr(|a| a & !PENDING))
    }

    pub(super) fn frozen(self) -> Self {
        Word(self.0.map_addr(|a| a | FROZEN))
    }

    pub(super) fn without_frozen(self) -> Self {
        Word(self.0.map_addr(|a| a & !FROZEN))
    }
}

impl<E> fmt::Debug for Word<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match (self.is_element(), self.is_pending()) {
            (true, true) => "pending",
            (true, false) => "committed",
            (false, _) if self.bits() & EMPTY != 0 => "empty",
            (false, _) => "uninit",
        };
        let frozen = if self.is_frozen() { " frozen" } else { "" };
        write!(f, "{state}{frozen} {:p}", self.element())
    }
}

/// One slot of a bucket. Every change after publication is a read-modify-write (I9).
#[repr(transparent)]
#[derive(Debug)]
pub(super) struct Slot<E>(AtomicTagged<E>);

impl<E> Slot<E> {
    /// A slot in memory that nobody shares yet.
    pub(super) fn new(word: Word<E>) -> Self {
        Slot(AtomicTagged::new(word.0))
    }

    #[inline(always)]
    pub(super) fn load(&self) -> Word<E> {
        // Acquire: pairs with the Release half of every CAS below; carries the element's
        // fields (O1, O3).
        let order =
            if mutant(Mutant::RelaxedPublish) { Ordering::Relaxed } else { Ordering::Acquire };
        Word(self.0.load(order))
    }

    /// As `load`, in the one order of all sequentially consistent operations: for a pass (O2).
    #[inline(always)]
    pub(super) fn load_in_order(&self) -> Word<E> {
        // SeqCst: the partner is `publish` (or `Overflow::extend`) by every rival. Under a model,
        // as `load`, after the pass's fence.
        if MODEL { self.load() } else { Word(self.0.load(Ordering::SeqCst)) }
    }

    #[inline(always)]
    fn swap_if(&self, from: Word<E>, to: Word<E>) -> Result<(), Word<E>> {
        self.swap_with(from, to, Ordering::AcqRel)
    }

    #[inline(always)]
    fn swap_with(&self, from: Word<E>, to: Word<E>, success: Ordering) -> Result<(), Word<E>> {
        // AcqRel or more: Release publishes the element's fields and its `was_committed` to
        // `load`; Acquire, also on failure, because the caller goes on to read what it met (O1,
        // O3).
        let (success, failure) = if mutant(Mutant::RelaxedPublish) {
            (Ordering::Relaxed, Ordering::Relaxed)
        } else {
            (success, Ordering::Acquire)
        };
        self.0.compare_exchange(from.0, to.0, success, failure).map(drop).map_err(Word)
    }

    /// vacant → pending.
    #[must_use]
    pub(super) fn publish(&self, vacant: Word<E>, pending: Word<E>) -> bool {
        debug_assert!(vacant.is_vacant() && pending.is_element() && pending.is_pending());
        // SeqCst: comes before the loads of one's own pass in the one order (O2).
        self.swap_with(vacant, pending, IN_ORDER).is_ok()
    }

    /// pending → committed: the linearization point of an insert.
    pub(super) fn commit(&self, pending: Word<E>) -> Result<(), Word<E>> {
        debug_assert!(pending.is_pending() && !pending.is_frozen());
        self.swap_if(pending, pending.without_pending())
    }

    /// pending → EMPTY.
    pub(super) fn kill(&self, pending: Word<E>) -> Result<(), Word<E>> {
        debug_assert!(pending.is_pending() && !pending.is_frozen());
        self.swap_if(pending, Word::EMPTY)
    }

    /// committed → committed, another element of the same key: the linearization point of a
    /// replace.
    #[must_use]
    pub(super) fn replace(&self, old: Word<E>, new: Word<E>) -> bool {
        debug_assert!(old.is_committed() && !old.is_frozen() && new.is_committed());
        self.swap_if(old, new).is_ok()
    }

    /// committed → EMPTY: the linearization point of a removal.
    #[must_use]
    pub(super) fn remove(&self, old: Word<E>) -> bool {
        debug_assert!(old.is_committed() && !old.is_frozen());
        let vacant = if mutant(Mutant::RemoveToUninit) { Word::UNINIT } else { Word::EMPTY };
        self.swap_if(old, vacant).is_ok()
    }

    /// Sets FROZEN for good (I2) and returns what the slot held.
    pub(super) fn freeze(&self) -> Word<E> {
        if mutant(Mutant::FreezeBySight) {
            return self.load();
        }
        // AcqRel: one word decides between freezing and every other transition; Acquire to read
        // the elements that move (O4).
        Word(self.0.fetch_or(FROZEN, Ordering::AcqRel))
    }

    /// UNINIT → content, by a migration. False: another helper has filled it, with the same.
    pub(super) fn fill(&self, content: Word<E>) -> bool {
        debug_assert!(!content.is_pending() && !content.is_frozen());
        self.swap_if(Word::UNINIT, content).is_ok()
    }
}

const OVINIT: usize = 1;
const OVERFLOW_FROZEN: usize = 2;
const MIGRATED: usize = 4;
const OVERFLOW_FLAGS: usize = 63;
const NEXT: usize = !OVERFLOW_FLAGS;

/// The value of an overflow word at one moment.
pub(super) struct Link<E>(*mut Bucket<E>);

impl<E> Clone for Link<E> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}
impl<E> Copy for Link<E> {}

impl<E> Link<E> {
    /// The end of a chain, filled.
    pub(super) const END: Self = Link(ptr::without_provenance_mut(OVINIT));

    /// Panics unless a bucket at this address fits into a word.
    pub(super) fn check_address(bucket: *mut Bucket<E>) {
        assert!(
            bucket.addr() & !NEXT == 0,
            "an allocation at {bucket:p} does not leave the bits free that an overflow word needs"
        );
    }

    /// A filled word that leads to `next`.
    pub(super) fn to(next: *mut Bucket<E>) -> Self {
        Link(next.map_addr(|a| a | OVINIT))
    }

    #[inline(always)]
    pub(super) fn next(self) -> *mut Bucket<E> {
        self.0.map_addr(|a| a & NEXT)
    }

    #[inline(always)]
    pub(super) fn is_migrated(self) -> bool {
        self.0.addr() & MIGRATED != 0
    }

    /// Whether a reader has to look in the successor.
    #[inline(always)]
    pub(super) fn sends_on(self) -> bool {
        self.is_migrated() && !mutant(Mutant::ReaderIgnoresMigrated)
    }

    pub(super) fn is_frozen(self) -> bool {
        self.0.addr() & OVERFLOW_FROZEN != 0
    }
}

impl<E> fmt::Debug for Link<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = self.0.addr() & OVERFLOW_FLAGS;
        write!(f, "{:p} flags {flags:03b}", self.next())
    }
}

/// The overflow word of a bucket.
#[repr(transparent)]
#[derive(Debug)]
pub(super) struct Overflow<E>(AtomicTagged<Bucket<E>>);

impl<E> Overflow<E> {
    /// A word in memory that nobody shares yet.
    pub(super) fn new(link: Link<E>) -> Self {
        Overflow(AtomicTagged::new(link.0))
    }

    /// A word that says that its bucket is not filled yet.
    pub(super) fn unfilled() -> Self {
        Overflow(AtomicTagged::new(ptr::null_mut()))
    }

    #[inline(always)]
    pub(super) fn load(&self) -> Link<E> {
        // Acquire: pairs with `extend` and `fill` (the next bucket's words, O1, O5) and with
        // `mark_migrated` (every word of the targets, O6). Being an Acquire load it also keeps the loads
        // of the slots after it where it comes first: a miss of `find` linearizes there. A glance has it come
        // after them.
        Link(self.0.load(Ordering::Acquire))
    }

    /// Links another bucket to the end of a chain; publishes what that bucket holds.
    #[must_use]
    pub(super) fn extend(&self, from: Link<E>, next: *mut Bucket<E>) -> bool {
        debug_assert!(!from.is_frozen() && !from.is_migrated() && from.next().is_null());
        // SeqCst: as publishing into a slot (O1, O2).
        self.0.compare_exchange(from.0, Link::to(next).0, IN_ORDER, Ordering::Acquire).is_ok()
    }

    /// As `load`, in the one order of all sequentially consistent operations: for a pass (O2).
    #[inline(always)]
    pub(super) fn load_in_order(&self) -> Link<E> {
        // SeqCst: see `Slot::load_in_order`. Under a model, as `load`, after the pass's fence.
        if MODEL { self.load() } else { Link(self.0.load(Ordering::SeqCst)) }
    }

    /// Forbids further linking, for good (I2), and returns the link.
    pub(super) fn freeze(&self) -> Link<E> {
        if mutant(Mutant::NoFreezeOverflow) {
            return self.load();
        }
        // AcqRel: decides between freezing and linking in one word (O4).
        Link(self.0.fetch_or(OVERFLOW_FROZEN, Ordering::AcqRel))
    }

    /// Fills the word of a target, last of its bucket. False: another helper has, with the same.
    pub(super) fn fill(&self, link: Link<E>) -> bool {
        // AcqRel: a reader acquires the word itself (O5).
        self.0
            .compare_exchange(ptr::null_mut(), link.0, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// Writes what is there, so that there is memory for it.
    pub(super) fn touch(&self) {
        let null = ptr::null_mut();
        // Relaxed, both: changes nothing, and what it reads is of no interest. Not `fetch_or`, of which
        // compilers make a load where it changes nothing: that would map the page of zeros.
        let _ = self.0.compare_exchange(null, null, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Says that the successor holds everything of this chain.
    pub(super) fn mark_migrated(&self) {
        // AcqRel: Release completes the fill for whoever sees MIGRATED in `load` (O6).
        self.0.fetch_or(MIGRATED, Ordering::AcqRel);
    }
}

/// What a word may lead to, in tests.
#[cfg(test)]
#[derive(Debug)]
#[repr(align(16))]
pub(super) struct Aligned(
    #[expect(dead_code, reason = "only where it lies matters")] pub(super) u64,
);

#[cfg(test)]
const _: () = assert!(align_of::<Aligned>() == ELEMENT_ALIGN);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_and_fingerprints_round_trip() {
        let element = Box::into_raw(Box::new(Aligned(7)));
        for hash in
            [0, u64::MAX, 0x8000_0000_0000_0000, 0x7fff_ffff_ffff_ffff, 0x1234_5678_9abc_def0]
        {
            let fingerprint = Fingerprint::of(hash, 20);
            let word = Word::committed(element, fingerprint, false);
            let special = Word::committed(element, fingerprint, true);
            assert!(word.is_element() && word.is_committed() && !word.is_vacant());
            assert_eq!(word.element(), element);
            assert_eq!(word.fingerprint(), fingerprint);
            assert!(word.matches(fingerprint) && word.resembles(fingerprint));
            assert_eq!(word.sought(fingerprint), Some(element));
            assert_eq!(word.plain(fingerprint), Some(element));
            assert_eq!(word.frozen().sought(fingerprint), Some(element));
            for flagged in [word.frozen(), word.pending(), special, special.frozen()] {
                assert_eq!(flagged.plain(fingerprint), None);
            }
            let other = Fingerprint::of(!hash, 20);
            assert_eq!((word.sought(other), word.plain(other)), (None, None));
            assert!(special.is_special() && !word.is_special());
            assert!(special.with(other).is_special() && special.pending().frozen().is_special());
            assert_eq!(special.sought(fingerprint), Some(element));
            assert_eq!(special.element(), element);
            let pending = word.pending();
            assert!(pending.is_pending() && !pending.matches(fingerprint));
            assert_eq!(pending.sought(fingerprint), None);
            assert!(pending.resembles(fingerprint) && pending.element() == element);
            assert!(pending.frozen().is_frozen() && pending.frozen().without_frozen() == pending);
            assert!(word.frozen().matches(fingerprint), "a reader does not mind FROZEN");
            assert!(pending.without_pending() == word);
            assert!(fingerprint.preferred(7) < 7 && fingerprint.preferred(2) < 2);
        }
        for vacant in [Word::<Aligned>::UNINIT, Word::EMPTY] {
            assert!(vacant.is_vacant() && !vacant.is_element() && !vacant.is_committed());
            assert!(!vacant.frozen().is_vacant());
            for hash in [0, u64::MAX] {
                assert!(!vacant.frozen().resembles(Fingerprint::of(hash, 3)));
                assert_eq!(vacant.sought(Fingerprint::of(hash, 3)), None);
                assert_eq!(vacant.frozen().sought(Fingerprint::of(hash, 3)), None);
                assert_eq!(vacant.plain(Fingerprint::of(hash, 3)), None);
            }
        }
        // SAFETY: allocated above by `Box::new`, used by nobody else (I13, I15).
        drop(unsafe { Box::from_raw(element) });
    }

    #[test]
    fn fingerprints_hold_the_bit_of_a_split() {
        for hash in [0x1234_5678_9abc_def0_u64, !0x1234_5678_9abc_def0, 1 << 20, u64::MAX] {
            for log2 in 0..40 {
                let fingerprint = Fingerprint::of(hash, log2);
                assert_eq!(fingerprint.bit(log2, log2), hash >> log2 & 1 != 0);
                let carried = Fingerprint::carries_over(log2, log2 + 1);
                assert_eq!(carried, (log2 + 1) % WINDOW != 0);
                if carried {
                    assert_eq!(fingerprint, Fingerprint::of(hash, log2 + 1));
                }
            }
        }
    }

    #[test]
    fn a_frozen_word_changes_no_more() {
        let mut element = Aligned(7);
        let word = Word::committed(&raw mut element, Fingerprint::of(1 << 10, 4), false);
        let slot = Slot::new(word);
        assert!(slot.freeze() == word);
        assert!(!slot.remove(word) && !slot.replace(word, word));
        assert!(slot.load() == word.frozen());
        assert!(!slot.fill(Word::EMPTY));
    }
}
