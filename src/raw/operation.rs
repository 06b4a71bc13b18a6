//! One write operation: what it claims, what it publishes, what it gives back.
//!
//! Claims belong to the operation, not to an element: an element that was killed hands them to its
//! successor. Before the compare-and-swap that publishes an element, each of its names has a slot:
//! the one of the element it replaces, if that has the name too, else one claimed here. After it,
//! the winner gives back what the old element had and the new one has not. Nobody else does.

use smallvec::SmallVec;
use smol_str::SmolStr;
use std::ptr::NonNull;

use super::block::{Block, Dim, Element, element, looked_at};
use super::chunk::Place;
use super::draft::Draft;
use super::named::{Named, among, gone};
use super::prefetch::prefetch_rest;
use super::primary::{Context, Held};
use super::store::Store;
use crate::sync::{Guard, Mutant, Step, failpoint, mutant};

/// One write. Dropped, it gives back what it claimed and did not use.
pub(crate) struct Operation<'g, E: Element> {
    store: &'g Store<E>,
    hash: u64,
    context: Context<'g>,
    claims: SmallVec<[Place; 4]>,
    /// How many of the claims, the first ones, the draft that was planned last has no use for.
    unused: usize,
    /// That draft's element, if it was planned for the case that its key is absent.
    planned: Option<NonNull<E>>,
    /// Whether the element being inserted counts as live.
    live: bool,
}

impl<'g, E: Element> Operation<'g, E> {
    pub(super) fn new(store: &'g Store<E>, hash: u64, guard: &'g Guard) -> Self {
        Operation {
            store,
            hash,
            context: Context::new(guard, &store.limbo),
            claims: SmallVec::new(),
            unused: 0,
            planned: None,
            live: false,
        }
    }

    /// The current element of this operation's hash that `accept` takes. Helps a migration first.
    pub(crate) fn locate(&mut self, mut accept: impl FnMut(&E) -> bool) -> Option<Held<'g, E>> {
        let accept = |element: &E| {
            // Its lists are going to be read as well. (6 to 8 % off removals among a million.)
            prefetch_rest(element, Block::<E>::USUAL);
            accept(element)
        };
        self.store.primary.locate(self.hash, accept, &self.context)
    }

    /// Whether a look at the filter shows that the draft's key is absent. If so, this claims what the draft
    /// needs: meanwhile the line of its bucket is on its way, which is what an insert waits for.
    ///
    /// Linearization of an absence: where the filter was loaded (L1).
    #[inline]
    pub(crate) fn prepare(&mut self, draft: &mut Draft<E>) -> bool {
        debug_assert_eq!(draft.hash(), self.hash);
        let lacks = self.store.primary.lacks(self.hash, self.context.guard);
        if lacks {
            self.plan(None, draft);
        }
        lacks
    }

    /// Publishes `draft` in the place of `base`. `still` is asked right before the
    /// compare-and-swap. On a conflict the draft comes back: locate again.
    pub(crate) fn replace(
        &mut self,
        base: &Held<'g, E>,
        mut draft: Draft<E>,
        still: impl FnOnce() -> bool,
    ) -> Result<&'g E, Draft<E>> {
        debug_assert_eq!(draft.hash(), self.hash);
        self.plan(Some(base.entry()), &mut draft);
        if !still() {
            return Err(draft);
        }
        let live = draft.is_live();
        let new = draft.into_raw();
        if !self.store.primary.replace(base, new) {
            // SAFETY: from `into_raw`; the compare-and-swap failed, so it was not published (I13).
            return Err(unsafe { Draft::from_raw(new) });
        }
        failpoint(Step::Replaced);
        self.keep_used();
        // SAFETY: published under this operation's guard (I8).
        let new = unsafe { element(new.as_ptr()) };
        let was_live = base.entry().block().is_live();
        if live != was_live {
            self.store.empty.add(isize::from(was_live) - isize::from(live));
        }
        self.retire(base.entry(), new.block().places());
        Ok(new)
    }

    /// Publishes `draft`, whose key is absent. If it is not, the draft comes back: locate again.
    pub(crate) fn insert(&mut self, mut draft: Draft<E>) -> Result<&'g E, Draft<E>>
    where
        E::Key: Eq + Clone,
    {
        // A draft may have been planned by another operation, and a planned one may be gone, with this in its
        // place.
        if !draft.is_planned() || self.planned != Some(draft.block().origin()) {
            self.plan(None, &mut draft);
        }
        debug_assert!(
            draft.block().places().iter().all(|p| self.claims[self.unused..].contains(p)),
            "I12"
        );
        self.live = draft.is_live();
        let new = self.store.primary.insert(self.hash, draft, &self.context)?;
        self.keep_used();
        // Committed, by whomever: its slots are its own or have been given back by its remover.
        self.count_inserted();
        Ok(new)
    }

    /// Takes `base` out; says whether this call did.
    pub(crate) fn remove(&mut self, base: &Held<'g, E>, still: impl FnOnce() -> bool) -> bool {
        if !still() {
            return false;
        }
        if mutant(Mutant::FreeSlotEarly) {
            self.release(base.entry().block().places(), &[]);
        }
        if mutant(Mutant::RetireBeforeUnlink) {
            let old = base.entry().block().origin();
            // SAFETY: none: this is a seeded bug, against I8.
            unsafe { self.context.limbo.retire_element(old, self.context.guard) };
        }
        failpoint(Step::RemovalBegun);
        if !self.store.primary.unlink(base) {
            return false;
        }
        failpoint(Step::Unlinked);
        if !base.entry().block().is_live() {
            self.store.empty.add(-1);
        }
        self.retire(base.entry(), &[]);
        true
    }

    /// Gives every name of the draft a slot: handed on from the base, or this operation's own.
    fn plan(&mut self, base: Option<&E>, draft: &mut Draft<E>) {
        self.planned = base.is_none().then(|| draft.block().origin());
        draft.set_planned(base.is_none());
        let base = base.filter(|_| !mutant(Mutant::ClaimAnew)).map(E::block);
        // What is taken over from the base is none of them.
        self.unused = self.claims.len();
        if !base.is_some_and(|base| draft.block_mut().take_over_places(base)) {
            self.find_places(base, draft);
        }
    }

    /// The same where the names differ from those of the base.
    #[inline(never)]
    fn find_places(&mut self, base: Option<&Block<E>>, draft: &mut Draft<E>) {
        // To look for each name among them would cost more than to claim them again.
        if self.claims.len() > Place::FEW {
            self.give_up_claims();
        }
        let earlier = self.claims.len();
        match base {
            Some(base) if base.places().len() > Place::FEW => {
                self.find_among_many(base, draft, earlier);
            }
            _ => draft.block_mut().find_places(|dim, name| {
                let handed = base.and_then(|base| base.place_of(dim, name));
                handed.unwrap_or_else(|| self.own(dim, name, earlier))
            }),
        }
        // The unused ones first. What was claimed just now is used.
        self.unused = 0;
        if earlier != 0 {
            let claims = &mut self.claims[..];
            let used = draft.block().places();
            for i in 0..earlier {
                if !among(used, &claims[i]) {
                    claims.swap(i, self.unused);
                    self.unused += 1;
                }
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn find_among_many(&mut self, base: &Block<E>, draft: &mut Draft<E>, earlier: usize) {
        let base = Named::new(base);
        draft.block_mut().find_places(|dim, name| {
            base.place_of(dim, name).unwrap_or_else(|| self.own(dim, name, earlier))
        });
    }

    /// A slot of this operation's own for a name: among so many claims of before, or claimed now. (No name comes
    /// twice in one plan, so it is not among those of this one: they are not looked through, however many there are.)
    #[inline(never)]
    fn own(&mut self, dim: Dim, name: &SmolStr, earlier: usize) -> Place {
        let before = self.claims[..earlier].iter().find(|place| {
            looked_at();
            // SAFETY: the claim keeps the chunk (I12).
            let set = unsafe { place.chunk() }.set();
            set.set().dim() == dim && set.name() == name
        });
        if let Some(&place) = before {
            return place;
        }
        // Room first: a claim must not get lost to a failing allocation.
        self.claims.reserve(1);
        let Context { limbo, guard, .. } = self.context;
        let place = self.store.directory(dim).claim(name, self.hash, limbo, guard);
        self.claims.push(place);
        place
    }

    /// Counts the element that this operation has inserted, if it is not live: most are.
    fn count_inserted(&self) {
        if !self.live {
            self.store.empty.add(1);
        }
    }

    /// The used claims have gone over to the published element.
    fn keep_used(&mut self) {
        #[cfg(process_registry_mutants)]
        if mutant(Mutant::LateHash) {
            for place in &self.claims[self.unused..] {
                // SAFETY: the claim keeps the chunk (I12), or the pin does (I8).
                unsafe { place.chunk() }.write_hash(place.bit(), self.hash);
            }
        }
        self.claims.truncate(self.unused);
    }

    /// What the winner does about the element it has unpublished, except for the slots that its
    /// successor has taken over.
    fn retire(&self, old: &'g E, kept: &[Place]) {
        if !mutant(Mutant::FreeSlotEarly) {
            self.release(old.block().places(), kept);
        }
        failpoint(Step::SlotsGivenBack);
        if mutant(Mutant::RetireBeforeUnlink) {
            return;
        }
        let old: NonNull<E> = old.block().origin();
        // SAFETY: unlinked by our compare-and-swap, which only one wins (I13): it was published
        // once, and what a migration left behind is frozen (I2, I6).
        unsafe { self.context.limbo.retire_element(old, self.context.guard) };
    }

    /// The end of an operation that has claims left, or that unwinds.
    #[cold]
    fn give_back(&mut self) {
        if self.context.escaped.get() {
            // The insert unwound out of the user's code, but a helper had committed its element.
            self.count_inserted();
            self.keep_used();
        }
        self.give_up_claims();
    }

    /// Gives back all that it has claimed and not used.
    #[cold]
    #[inline(never)]
    fn give_up_claims(&mut self) {
        while let Some(place) = self.claims.pop() {
            self.release_place(place);
        }
    }

    fn release(&self, places: &[Place], kept: &[Place]) {
        // Most replacements keep them all.
        if places != kept {
            self.release_others(places, kept);
        }
    }

    #[inline(never)]
    fn release_others(&self, places: &[Place], kept: &[Place]) {
        if kept.len() > Place::FEW {
            gone(places, kept).into_iter().for_each(|place| self.release_place(place));
        } else {
            let gone = places.iter().filter(|place| !among(kept, place));
            gone.for_each(|place| self.release_place(*place));
        }
    }

    fn release_place(&self, place: Place) {
        // SAFETY: a chunk is kept by the claim that is given up here (I12).
        let dim = unsafe { place.chunk() }.set().set().dim();
        let Context { limbo, guard, .. } = self.context;
        // SAFETY: claimed in that directory; given back once, by the winner of the CAS that
        // unpublished its element, or by the operation that did not use it (I12).
        unsafe { self.store.directory(dim).release(place, limbo, guard) };
    }
}

impl<E: Element> Drop for Operation<'_, E> {
    #[inline]
    fn drop(&mut self) {
        // Most operations have used what they claimed.
        if self.context.escaped.get() || !self.claims.is_empty() {
            self.give_back();
        }
    }
}
