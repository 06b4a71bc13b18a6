//! Member sets: which elements carry a name.
//!
//! A set is an array of chunks, a chunk one bitmap word and some slots. A slot holds a member's
//! *key hash*, not a pointer: a scan probes the primary index with it and accepts only the
//! current element that names this very slot as its own. So a stale, reused or unpublished slot
//! yields nothing, and slots need no reclamation. A member never moves to another slot of its
//! set: a scan could miss it.
//!
//! A set with no member left closes, leaves its directory and is retired; so does a chunk.

use std::ptr::NonNull;

use smol_str::SmolStr;

use super::block::{Block, Dim, Element};
use super::chunks::Chunks;
use super::limbo::Limbo;
use super::pad::CachePadded;
use crate::striped;
use crate::sync::{self, AtomicUsize, Guard, Mutant, Ordering, Step, failpoint, mutant};

/// A set in its directory.
pub(super) struct NamedSet(Block<NamedSet>);

impl Element for NamedSet {
    type Key = SmolStr;
    type Value = Set;

    fn wrap(block: Block<Self>) -> Self {
        NamedSet(block)
    }
    fn block(&self) -> &Block<Self> {
        &self.0
    }
    fn block_mut(&mut self) -> &mut Block<Self> {
        &mut self.0
    }
    fn names<'v>(_: &'v Set, _: &mut dyn FnMut(Dim, &'v SmolStr)) {}
    fn is_live(_: &Set) -> bool {
        true
    }
    fn is_timed(_: &Set) -> bool {
        false
    }
}

impl NamedSet {
    pub(super) fn name(&self) -> &SmolStr {
        self.0.key()
    }

    pub(super) fn set(&self) -> &Set {
        self.0.value()
    }
}

/// Where one membership is: a set, and a slot of it. Whoever holds the claim keeps the set open,
/// so the pointer is good for as long as the claim, and under a pin from before its release.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub(super) set: NonNull<NamedSet>,
    pub(super) slot: SlotId,
}

/// A slot of a set: its stripe (4 bits), its chunk (22 bits), its bit (6 bits).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct SlotId(u32);

/// The most stripes a set has.
pub(super) const MOST_STRIPES: usize = 16;
/// The most chunks a stripe has.
pub(super) const MOST_CHUNKS: usize = 1 << 22;

impl SlotId {
    pub(super) fn new(stripe: usize, chunk: usize, bit: u32) -> Self {
        debug_assert!(stripe < MOST_STRIPES && chunk < MOST_CHUNKS && bit < 64);
        SlotId((stripe as u32) << 28 | (chunk as u32) << 6 | bit)
    }

    fn stripe(self) -> usize {
        (self.0 >> 28) as usize
    }

    fn chunk(self) -> usize {
        (self.0 >> 6) as usize & (MOST_CHUNKS - 1)
    }

    fn bit(self) -> u32 {
        self.0 & 63
    }
}

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
    Slot(SlotId),
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
    /// A set with one member, in nobody's sight yet, and that member's slot.
    pub(super) fn with_member(dim: Dim, stripes: usize, hash: u64) -> (Self, SlotId) {
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
        let slot = stripe.chunks.first_member(hash);
        (set, SlotId::new(number, 0, slot))
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

    /// Claims a slot and writes the member's hash into it. Before the primary index publishes
    /// the member.
    pub(super) fn claim(&self, hash: u64, guard: &Guard) -> Claim {
        let number = self.own_stripe();
        let stripe = self.stripe(number);
        match self.enter(stripe) {
            Entry::Refused => Claim::Closed,
            Entry::ClosedHere => Claim::ClosedHere,
            Entry::Granted(members) => {
                #[cfg(test)]
                crate::probe::count(crate::probe::Event::SlotClaimed);
                failpoint(Step::UnitTaken);
                let (chunk, bit) = stripe.chunks.claim(hash, members, guard);
                Claim::Slot(SlotId::new(number, chunk, bit))
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
        if self.live.fetch_sub(1, Ordering::AcqRel) != 1 {
            return Released::Open;
        }
        failpoint(Step::UnitGivenBack);
        // AcqRel: whoever wins closes; a claim that came between has made it fail (O11).
        match self.live.compare_exchange(0, CLOSED, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => Released::Closed,
            Err(_) => Released::Open,
        }
    }

    /// Gives a slot back. After the CAS that has unpublished its entry, or if it never published
    /// one; once for every claim.
    pub(super) fn release(&self, slot: SlotId, limbo: &Limbo, guard: &Guard) -> Released {
        #[cfg(test)]
        crate::probe::count(crate::probe::Event::SlotReleased);
        let stripe = self.stripe(slot.stripe());
        stripe.chunks.release(slot.chunk(), slot.bit(), limbo, guard);
        // AcqRel: as in `enter` (O11).
        if self.is_striped() && stripe.count.fetch_sub(1, Ordering::AcqRel) != 1 {
            return Released::Open;
        }
        failpoint(Step::CountGivenBack);
        self.give_unit()
    }

    /// Writes a claimed slot's hash too late.
    #[cfg(process_registry_mutants)]
    pub(super) fn write_hash(&self, slot: SlotId, hash: u64) {
        self.stripe(slot.stripe()).chunks.write_hash(slot.chunk(), slot.bit(), hash);
    }

    /// All slots that are in use, with what they hold.
    pub(super) fn scan<'g>(&'g self, guard: &'g Guard) -> Scan<'g> {
        Scan { set: self, stripe: 0, chunks: self.stripe(0).chunks.scan(guard), guard }
    }
}

enum Entry {
    /// To one of so many members.
    Granted(usize),
    Refused,
    ClosedHere,
}

/// An iterator over the slots of a set: the hash in each, and which slot it is.
pub(super) struct Scan<'g> {
    set: &'g Set,
    stripe: usize,
    chunks: super::chunks::Scan<'g>,
    guard: &'g Guard,
}

impl Iterator for Scan<'_> {
    type Item = (u64, SlotId);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((hash, chunk, bit)) = self.chunks.next() {
                return Some((hash, SlotId::new(self.stripe, chunk, bit)));
            }
            if self.stripe + 1 == self.set.stripes() {
                return None;
            }
            self.stripe += 1;
            self.chunks = self.set.stripe(self.stripe).chunks.scan(self.guard);
        }
    }
}
