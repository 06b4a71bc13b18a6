//! Member sets: which elements carry a name.
//!
//! A set is an array of chunks, a chunk one bitmap word and some slots. A slot holds a member's
//! *key hash*, not a pointer: a scan probes the primary index with it and accepts only the
//! current element that names this very slot as its own, by a [`Place`]. So a stale, reused or
//! unpublished slot yields nothing, and slots need no reclamation. A member never moves to another
//! slot of its set: a scan could miss it.
//!
//! A place is an address, and memory is used again; but not while it matters. The scan has read the
//! chunk's address from the array under its pin, so that memory becomes no other chunk until the
//! scan is over (I8). What the scan accepts is current, so its claim holds the chunk that its place
//! names (I12). Both are there at once: equal addresses are one chunk.
//!
//! A set with no member left closes, leaves its directory and is retired; so does a chunk.

use std::convert::Infallible;
use std::ptr::NonNull;

use smallvec::SmallVec;
use smol_str::SmolStr;

use super::block::{Block, Dim, Element, Parts};
use super::chunk::{ChunkRef, Home, Place, Slots};
use super::chunks::{self, Chunks};
use super::limbo::Limbo;
use super::pad::CachePadded;
use crate::striped;
use crate::sync::{self, AtomicUsize, Guard, Mutant, Ordering, Step, failpoint, mutant};

/// A set in its directory.
pub(super) struct NamedSet(Block<NamedSet>);

impl Element for NamedSet {
    type Key = SmolStr;
    type Value = Set;
    type Head = Set;
    type First = Infallible;
    type Second = Infallible;
    type Rest = ();

    fn wrap(block: Block<Self>) -> Self {
        NamedSet(block)
    }
    fn block(&self) -> &Block<Self> {
        &self.0
    }
    fn block_mut(&mut self) -> &mut Block<Self> {
        &mut self.0
    }
    fn split(head: Set) -> Parts<Self> {
        Parts { head, firsts: SmallVec::new(), seconds: SmallVec::new(), rest: () }
    }
    fn join(parts: Parts<Self>) -> Set {
        parts.head
    }
    fn first_name(first: &Infallible) -> &SmolStr {
        match *first {}
    }
    fn second_name(second: &Infallible) -> &SmolStr {
        match *second {}
    }
    fn is_live(_: &Parts<Self>) -> bool {
        true
    }
    fn is_timed((): &()) -> bool {
        false
    }
    fn placed(&self) {
        // SAFETY: nobody else sees the set when this is called (I13).
        unsafe { self.set().settle(self.origin()) };
    }
}

impl NamedSet {
    pub(super) fn name(&self) -> &SmolStr {
        self.0.key()
    }

    pub(super) fn set(&self) -> &Set {
        self.0.head()
    }

    pub(super) fn origin(&self) -> NonNull<NamedSet> {
        self.0.origin()
    }

    pub(super) fn hash(&self) -> u64 {
        self.0.hash()
    }

    /// Claims a slot and writes the member's hash into it. Before the primary index publishes
    /// the member.
    pub(super) fn claim(&self, hash: u64, guard: &Guard) -> Claim {
        let set = self.set();
        let number = set.own_stripe();
        let stripe = set.stripe(number);
        match set.enter(stripe) {
            Entry::Refused => Claim::Closed,
            Entry::ClosedHere => Claim::ClosedHere,
            Entry::Granted(members) => {
                #[cfg(test)]
                crate::probe::count(crate::probe::Event::SlotClaimed);
                failpoint(Step::UnitTaken);
                let home = Home::new(self.origin(), number);
                Claim::Slot(stripe.chunks.claim(hash, members, home, guard))
            }
        }
    }
}

/// The most stripes a set has.
pub(super) const MOST_STRIPES: usize = 16;

/// The set is closed: it accepts no claim any more.
const CLOSED: usize = 1 << (usize::BITS - 1);

/// A part of a set that one group of threads claims from.
#[derive(Debug)]
struct Stripe {
    /// Members of this stripe; unused when it is the only one (`live` counts them then).
    count: AtomicUsize,
    chunks: Chunks,
}

impl Stripe {
    fn new() -> Self {
        Stripe { count: AtomicUsize::new(0), chunks: Chunks::new() }
    }
}

/// The members of one name.
#[derive(Debug)]
pub(super) struct Set {
    /// CLOSED, and the units that keep the set open: its members, or, of a striped set, its
    /// stripes that have members.
    live: AtomicUsize,
    dim: Dim,
    stripes: Stripes,
}

/// The parts of a set.
#[derive(Debug)]
enum Stripes {
    One(Stripe),
    /// Apart from each other, and from what all threads read of the set.
    Many(Box<[CachePadded<Stripe>]>),
}

/// The answer to a claim.
#[must_use]
pub(super) enum Claim {
    Slot(Place),
    /// The set is closed: take it out of the directory if it is still there, and begin again.
    Closed,
    /// This very call closed it: take it out, retire it, and begin again.
    ClosedHere,
}

/// The answer to a release: who closed the set takes it out of its directory and retires it.
#[must_use]
#[derive(PartialEq, Eq)]
pub(super) enum Released {
    Open,
    Closed,
}

/// How many stripes the sets of a dimension have.
pub(super) fn stripes(dim: Dim) -> usize {
    if dim == Dim::FIRST { 1 } else { striped::stripes().min(MOST_STRIPES) }
}

impl Set {
    /// A set with one member, in nobody's sight yet, and that member's place.
    pub(super) fn with_member(dim: Dim, stripes: usize, hash: u64) -> (Self, Place) {
        let set = Set {
            live: AtomicUsize::new(1),
            dim,
            stripes: match stripes {
                1 => Stripes::One(Stripe::new()),
                _ => Stripes::Many((0..stripes).map(|_| CachePadded(Stripe::new())).collect()),
            },
        };
        let number = set.own_stripe();
        let stripe = set.stripe(number);
        // Relaxed: in nobody's sight; the publish of the set releases it.
        stripe.count.store(1, Ordering::Relaxed);
        let place = stripe.chunks.first_member(number, hash);
        (set, place)
    }

    /// Says in which block the set stands, to the chunk of its first member.
    ///
    /// # Safety
    /// Nobody else can reach the set.
    unsafe fn settle(&self, block: NonNull<NamedSet>) {
        for number in 0..self.stripes() {
            // SAFETY: the caller's promise (I13).
            unsafe { self.stripe(number).chunks.settle(block) };
        }
    }

    pub(super) fn dim(&self) -> Dim {
        self.dim
    }

    fn stripes(&self) -> usize {
        match &self.stripes {
            Stripes::One(_) => 1,
            Stripes::Many(stripes) => stripes.len(),
        }
    }

    fn is_striped(&self) -> bool {
        matches!(self.stripes, Stripes::Many(_))
    }

    fn stripe(&self, number: usize) -> &Stripe {
        match &self.stripes {
            Stripes::One(stripe) => stripe,
            Stripes::Many(stripes) => &stripes[number].0,
        }
    }

    fn own_stripe(&self) -> usize {
        // A power of two of them.
        sync::stripe() & (self.stripes() - 1)
    }

    /// Members, exact when nobody is at work.
    pub(super) fn len(&self) -> usize {
        // Relaxed: a figure.
        match &self.stripes {
            Stripes::One(_) => match self.live.load(Ordering::Relaxed) {
                // What refused claims have added to a closed word counts nothing.
                closed if closed & CLOSED != 0 => 0,
                live => live,
            },
            Stripes::Many(stripes) => {
                stripes.iter().map(|stripe| stripe.0.count.load(Ordering::Relaxed)).sum()
            }
        }
    }

    /// Keeps the set open for one more member.
    fn enter(&self, stripe: &Stripe) -> Entry {
        if !self.is_striped() {
            return self.take_unit().map_or(Entry::Refused, Entry::Granted);
        }
        loop {
            // Relaxed: validated by the CAS.
            let count = stripe.count.load(Ordering::Relaxed);
            if count > 0 {
                // AcqRel: what matters is the modification order of the word: it was not zero, so
                // the stripe's unit keeps the set open (O11).
                let more = stripe.count.compare_exchange(
                    count,
                    count + 1,
                    Ordering::AcqRel,
                    Ordering::Relaxed,
                );
                if more.is_ok() {
                    return Entry::Granted(count + 1);
                }
                continue;
            }
            if self.take_unit().is_none() {
                return Entry::Refused;
            }
            failpoint(Step::StripeUnitTaken);
            // AcqRel: as above.
            if stripe.count.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                return Entry::Granted(1);
            }
            // Somebody else has brought the stripe's unit; ours goes back.
            if self.give_unit() == Released::Closed {
                return Entry::ClosedHere;
            }
        }
    }

    /// One more unit, if the set is open; how many that makes.
    fn take_unit(&self) -> Option<usize> {
        // AcqRel: one word decides between claiming and closing (O11).
        let before = self.live.fetch_add(1, Ordering::AcqRel);
        let open = before & CLOSED == 0 || mutant(Mutant::ClaimClosed);
        open.then_some((before & !CLOSED) + 1)
    }

    fn give_unit(&self) -> Released {
        // AcqRel: as in `take_unit` (O11).
        let before = self.live.fetch_sub(1, Ordering::AcqRel);
        debug_assert!(before != 0, "a unit given back twice");
        if before != 1 {
            return Released::Open;
        }
        failpoint(Step::UnitGivenBack);
        // AcqRel: whoever wins closes; a claim that came between has made it fail (O11).
        match self.live.compare_exchange(0, CLOSED, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => Released::Closed,
            Err(_) => Released::Open,
        }
    }

    /// Gives a slot of a chunk of this set back. After the CAS that has unpublished its entry, or
    /// if it never published one; once for every claim.
    pub(super) fn release(
        &self,
        chunk: ChunkRef<'_>,
        bit: u32,
        limbo: &Limbo,
        guard: &Guard,
    ) -> Released {
        #[cfg(test)]
        crate::probe::count(crate::probe::Event::SlotReleased);
        let stripe = self.stripe(chunk.stripe());
        stripe.chunks.release(chunk, bit, limbo, guard);
        // AcqRel: as in `enter` (O11).
        if self.is_striped() {
            let before = stripe.count.fetch_sub(1, Ordering::AcqRel);
            debug_assert!(before != 0, "a member given back twice");
            if before != 1 {
                return Released::Open;
            }
        }
        failpoint(Step::CountGivenBack);
        self.give_unit()
    }

    /// All slots that are in use, with what they hold.
    pub(super) fn scan<'g>(&'g self, guard: &'g Guard) -> Scan<'g> {
        Scan { set: self, guard, stripe: 0, chunks: self.stripe(0).chunks.scan(guard), slots: None }
    }
}

enum Entry {
    /// To one of so many members.
    Granted(usize),
    Refused,
    ClosedHere,
}

/// An iterator over the slots of a set: the hash in each, and which place it is.
pub(super) struct Scan<'g> {
    set: &'g Set,
    guard: &'g Guard,
    stripe: usize,
    chunks: chunks::Scan<'g>,
    slots: Option<Slots<'g>>,
}

impl<'g> Scan<'g> {
    /// The next chunk, of whichever stripe.
    fn next_chunk(&mut self) -> Option<ChunkRef<'g>> {
        loop {
            if let Some(chunk) = self.chunks.next() {
                self.chunks.prefetch();
                return Some(chunk);
            }
            if self.stripe + 1 == self.set.stripes() {
                return None;
            }
            self.stripe += 1;
            self.chunks = self.set.stripe(self.stripe).chunks.scan(self.guard);
        }
    }
}

impl Iterator for Scan<'_> {
    type Item = (u64, Place);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(slots) = &mut self.slots
                && let Some(slot) = slots.next()
            {
                return Some(slot);
            }
            self.slots = Some(self.next_chunk()?.slots());
        }
    }
}
