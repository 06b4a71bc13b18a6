//! Queries: the elements of a member set, with many misses of the cache on their way at once.

use smol_str::SmolStr;

use super::batch::{Candidate, Rest};
use super::block::Element;
use super::chunk::Place;
use super::members::{NamedSet, Scan};
use super::prefetch::prefetch;
use super::primary::{Found, Index};
use super::table::{Bucket, Table};
use crate::sync::{Guard, MODEL, Mutant, mutant};

/// How many members are looked for at a time. The more, the fewer instructions each of them takes; that
/// counts although they wait for memory: a prefetch waits for the page tables, and meanwhile the processor
/// gets only as far as some five hundred instructions.
const STEP: usize = if MODEL { 1 } else { 8 };

/// How many members ahead others have been looked for: so long the lines of their elements take to come.
const NEAR: usize = if MODEL { 2 } else { 16 };

/// How many members ahead slots have been read: so long bucket lines take.
const FAR: usize = if MODEL { 3 } else { 32 };

/// Room for all that are ahead.
const RING: usize = FAR.next_power_of_two();

const _: () = assert!(STEP <= NEAR && NEAR <= FAR && FAR <= RING);

/// A member whose slot has been read.
struct Ahead<'g, E> {
    hash: u64,
    place: Place,
    /// Where it seems to be, once it has been looked for.
    candidate: Option<Candidate<'g, E>>,
}

impl<'g, E: Element> Ahead<'g, E> {
    /// Looks beyond the first bucket of the chain.
    #[cold]
    fn look_further(&mut self, rest: &Rest<'g, E>, bucket: &'g Bucket<E>) {
        self.candidate = rest.candidate(bucket);
        self.candidate.as_ref().inspect(|candidate| candidate.prefetch_around());
    }
}

/// An iterator over the current elements that carry a name.
///
/// While one is taken, the lines of the next elements are on their way, and the bucket lines of those
/// after them.
pub(crate) struct Members<'g, E: Element> {
    primary: &'g Index<E>,
    guard: &'g Guard,
    name: Option<&'g SmolStr>,
    /// `None` once it has come to its end.
    scan: Option<Scan<'g>>,
    /// How many members have been taken,
    taken: usize,
    /// and how many are before the next look ahead;
    until: usize,
    /// how many have been looked for,
    near: usize,
    /// and of how many the slots have been read.
    far: usize,
    /// Member `n` is at `n % RING`.
    ring: [Option<Ahead<'g, E>>; RING],
}

impl<'g, E: Element> Members<'g, E> {
    /// The members of a set, or nothing if there is none.
    pub(super) fn new(primary: &'g Index<E>, set: Option<&'g NamedSet>, guard: &'g Guard) -> Self {
        Members {
            primary,
            guard,
            name: set.map(NamedSet::name),
            scan: set.map(|set| set.set().scan(guard)),
            taken: 0,
            until: 0,
            near: 0,
            far: 0,
            ring: [const { None }; RING],
        }
    }

    /// The name, as the index keeps it; `None` if it has no members.
    pub(crate) fn name(&self) -> Option<&'g SmolStr> {
        self.name
    }

    /// Reads slots and asks for the bucket lines of what is in them.
    #[inline(always)]
    fn read(&mut self, root: Table<'g, E>) {
        let Some(scan) = &mut self.scan else { return };
        for at in self.far..self.taken + FAR {
            let Some((hash, place)) = scan.next() else {
                self.scan = None;
                self.far = at;
                return;
            };
            prefetch(root.chain(hash));
            self.ring[at % RING] = Some(Ahead { hash, place, candidate: None });
        }
        self.far = self.taken + FAR;
    }

    /// Looks for members whose slots have been read, and asks for the lines of their elements.
    #[inline(always)]
    fn look(&mut self, root: Table<'g, E>) {
        let until = self.far.min(self.taken + NEAR);
        for at in self.near..until {
            let Some(ahead) = &mut self.ring[at % RING] else { return };
            match Index::first_candidate(root, ahead.hash) {
                Ok(candidate) => {
                    candidate.prefetch_around();
                    ahead.candidate = Some(candidate);
                }
                Err(rest) => {
                    if let Some(bucket) = rest.next() {
                        ahead.look_further(&rest, bucket);
                    }
                }
            }
        }
        self.near = self.near.max(until);
    }

    /// Looks ahead; whether there is another member.
    #[inline(never)]
    fn advance(&mut self) -> bool {
        let root = self.primary.root(self.guard);
        if self.taken == 0 {
            self.read(root);
        }
        self.look(root);
        self.read(root);
        self.until = self.near.min(self.taken + STEP);
        self.taken < self.until
    }

    /// The next element. [`met`](Self::met) has what else there is to say of it.
    #[inline(always)]
    pub(crate) fn next_element(&mut self) -> Option<&'g E> {
        loop {
            if self.taken == self.until && !self.advance() {
                return None;
            }
            let Some(ahead) = &self.ring[self.taken % RING] else { return None };
            self.taken += 1;
            let place = ahead.place;
            let candidate = ahead.candidate.as_ref();
            if let Some(found) =
                candidate.and_then(|it| it.again(|element| Self::is_at(element, place)))
            {
                return Some(found.entry());
            }
            if let Some(element) = self.find_last() {
                return Some(element);
            }
        }
    }

    /// The last element, as it was met; to be asked before the next one.
    #[inline]
    pub(crate) fn met(&self) -> Option<Found<'g, E>> {
        let ahead = self.ring[self.taken.wrapping_sub(1) % RING].as_ref()?;
        Some(ahead.candidate.as_ref()?.found())
    }

    /// Only the current element whose own place this is: a stale or reused slot yields nothing, and
    /// no slot yields one element twice.
    #[inline(always)]
    fn is_at(element: &E, place: Place) -> bool {
        element.block().places().iter().any(|other| {
            // SAFETY: a current element's claims keep their chunks, or the pin does (I8, I12).
            let set = |place: Place| unsafe { place.chunk() }.set().origin();
            *other == place || mutant(Mutant::AnySlot) && set(*other) == set(place)
        })
    }

    /// The element whose turn it is, if it is not where it was looked for.
    #[cold]
    #[inline(never)]
    fn find_last(&mut self) -> Option<&'g E> {
        let ahead = self.ring[(self.taken - 1) % RING].as_mut()?;
        let accept = |element: &E| Self::is_at(element, ahead.place);
        let found = self.primary.find(ahead.hash, accept, self.guard)?;
        ahead.candidate = Some(Candidate::of(found));
        Some(found.entry())
    }
}

impl<'g, E: Element> Iterator for Members<'g, E> {
    type Item = Found<'g, E>;

    #[inline]
    fn next(&mut self) -> Option<Found<'g, E>> {
        self.next_element()?;
        self.met()
    }
}
