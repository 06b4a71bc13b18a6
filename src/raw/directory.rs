//! The directory of one dimension: name → member set, in an index of its own.

use std::collections::HashMap;
use std::ptr;

use ahash::RandomState;
use smol_str::SmolStr;

use super::block::Dim;
use super::chunk::Place;
use super::draft::Draft;
use super::limbo::Limbo;
use super::members::{Claim, NamedSet, Released, Set, stripes};
use super::pages::Pages;
use super::primary::{Context, Index};
#[cfg(feature = "tracing")]
use super::resizes::Resizes;
use crate::sync::{Guard, MODEL, Mutant, Step, failpoint, mutant};

/// The member sets of one dimension, by name. A set without members is not in it for long.
#[derive(Debug)]
pub(super) struct Directory {
    index: Index<NamedSet>,
    /// Random seeds: names may come from strangers.
    hasher: RandomState,
    dim: Dim,
    stripes: usize,
}

impl Directory {
    pub(super) fn new(dim: Dim, pages: Pages) -> Self {
        Directory {
            index: Index::new(0, pages),
            hasher: if MODEL {
                // A model has to do the same again.
                RandomState::with_seeds(1, 2, 3, 4)
            } else {
                RandomState::new()
            },
            dim,
            stripes: stripes(dim),
        }
    }

    /// The set of a name, if it has one.
    #[inline]
    pub(super) fn get<'g>(&'g self, name: &str, guard: &'g Guard) -> Option<&'g NamedSet> {
        let hash = self.hasher.hash_one(name);
        self.index.find(hash, |set| set.name() == name, guard).map(|found| found.entry())
    }

    /// Claims a slot in the set of `name` for a member of that hash, bringing the set if there is
    /// none. Lock-free: it begins again only where another operation has closed or brought a set.
    pub(super) fn claim<'g>(
        &'g self,
        name: &SmolStr,
        hash: u64,
        limbo: &'g Limbo,
        guard: &'g Guard,
    ) -> Place {
        let context = &Context::new(guard, limbo);
        loop {
            let Some(set) = self.get(name, context.guard) else {
                match self.bring(name, hash, context) {
                    Some(place) => return place,
                    None => continue,
                }
            };
            match set.claim(hash, context.guard) {
                Claim::Slot(place) => return place,
                Claim::Closed => {
                    // Whoever closed it may be slow; a claim does not wait for that.
                    self.unlink(set, context);
                }
                Claim::ClosedHere => self.retire(set, context),
            }
        }
    }

    /// A new set with one member, unless somebody else brings one.
    #[inline(never)]
    fn bring<'g>(&'g self, name: &SmolStr, member: u64, context: &Context<'g>) -> Option<Place> {
        let (set, place) = Set::with_member(self.dim, self.stripes, member);
        let hash = self.hasher.hash_one(name);
        let draft = Draft::new(hash, name.clone(), set, |layout| context.limbo.room(layout));
        failpoint(Step::SetBuilt);
        self.index.insert(hash, draft, context).ok()?;
        #[cfg(test)]
        crate::probe::count(crate::probe::Event::SlotClaimed);
        Some(place)
    }

    /// Gives a slot back; the set goes with its last member.
    ///
    /// # Safety
    /// The place was claimed here, under this guard or with the claim held since, and is given
    /// back once.
    pub(super) unsafe fn release(&self, place: Place, limbo: &Limbo, guard: &Guard) {
        // SAFETY: kept by the claim until now (I12), and by the pin from here on (I8).
        let chunk = unsafe { place.chunk() };
        let set = chunk.set();
        let released = set.set().release(chunk, place.bit(), limbo, guard);
        if released == Released::Closed {
            self.retire(set, &Context::new(guard, limbo));
        }
    }

    /// The end of a set, by the one call that closed it: out of the directory, whether or not a
    /// helper has seen to that, and then to the epoch.
    fn retire(&self, set: &NamedSet, context: &Context<'_>) {
        failpoint(Step::SetClosed);
        self.unlink(set, context);
        failpoint(Step::SetUnlinked);
        // SAFETY: out of the directory, and nobody puts it back (I6); closing is done by one (I13).
        unsafe { context.limbo.retire_element(set.origin(), context.guard) };
    }

    /// Takes a set out of the directory if it still is this very one.
    fn unlink(&self, set: &NamedSet, context: &Context<'_>) {
        let same = |other: &NamedSet| {
            ptr::eq(other, set) || mutant(Mutant::UnlinkAny) && other.name() == set.name()
        };
        while let Some(held) = self.index.locate(set.hash(), same, context) {
            if self.index.unlink(&held) {
                return;
            }
        }
    }

    /// Every name with its members, each once.
    pub(super) fn names<'g>(&'g self, guard: &'g Guard) -> Vec<(&'g SmolStr, usize)> {
        let mut names: HashMap<_, _, RandomState> = HashMap::default();
        for found in self.index.walk(guard) {
            // A set that was closed and brought again during the walk comes twice; later counts.
            names.insert(found.entry().name(), found.entry().set().len());
        }
        names.into_iter().filter(|&(_, members)| members > 0).collect()
    }

    /// How many names there are; exact when nobody writes.
    #[cfg(feature = "metrics")]
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    #[cfg(feature = "tracing")]
    pub(super) fn dim(&self) -> Dim {
        self.dim
    }

    #[cfg(feature = "tracing")]
    pub(super) fn resizes(&self) -> &Resizes {
        &self.index.resizes
    }

    pub(super) fn finish_resize(&self, limbo: &Limbo) {
        self.index.finish_resize(limbo);
    }

    pub(super) fn shrink_to_fit(&self, limbo: &Limbo) {
        self.index.shrink_to_fit(limbo);
    }
}
