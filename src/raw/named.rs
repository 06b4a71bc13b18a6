//! Which name of an element has which place, for a write that changes some of its names.
//!
//! Few are gone through one by one, many are found by hash or by order: a write costs what its names cost, not
//! each name times each other.

use std::collections::HashMap;

use ahash::RandomState;
use smol_str::SmolStr;

use super::block::{Block, Dim, Element, looked_at};
use super::chunk::Place;

/// Many names of an element that is to be replaced.
pub(super) struct Named<'a>(HashMap<(Dim, &'a SmolStr), Place, RandomState>);

impl<'a> Named<'a> {
    pub(super) fn new<E: Element>(block: &'a Block<E>) -> Self {
        Named(block.named_places().map(|(dim, name, place)| ((dim, name), place)).collect())
    }

    /// The place of a name, if the element has that name.
    pub(super) fn place_of(&self, dim: Dim, name: &SmolStr) -> Option<Place> {
        self.0.get(&(dim, name)).copied()
    }
}

/// Those of the places that are not among the kept ones, of which there are many.
#[cold]
pub(super) fn gone(places: &[Place], kept: &[Place]) -> Vec<Place> {
    let mut kept = kept.to_vec();
    kept.sort_unstable();
    places.iter().filter(|place| kept.binary_search(place).is_err()).copied().collect()
}

/// Whether a place is among others, for few of one or the other.
#[inline(always)]
pub(super) fn among(others: &[Place], place: &Place) -> bool {
    others.iter().any(|other| {
        looked_at();
        other == place
    })
}
