//! Sets of ids in a map whose readers take no lock.

use std::ops::Deref;

use ahash::RandomState;
use hashbrown::HashSet;
use parking_lot::{RwLock, RwLockReadGuard};
use process_registry::ChildId;

/// The ids under a tag or a node.
pub(super) type Ids = HashSet<ChildId, RandomState>;

/// Such a set under a lock of its own.
///
/// Not a concurrent set of either family: this is one table with the ids in it, that a query walks
/// from end to end, and two threads seldom write the same set.
///
/// Somebody may still look at a set that is taken out of the map because it is empty. So that
/// nothing is added to it that nobody would find, it is *retired* first.
#[derive(Debug, Default)]
pub(super) struct Members(RwLock<State>);

#[derive(Debug, Default)]
struct State {
    ids: Ids,
    retired: bool,
}

impl Members {
    /// Adds an id; `false`, and nothing done, if the set is retired.
    pub(super) fn add(&self, id: &ChildId) -> bool {
        let mut state = self.0.write();
        if !state.retired {
            state.ids.insert(id.clone());
        }
        !state.retired
    }

    /// Removes an id; whether the set is retired thereby.
    pub(super) fn remove(&self, id: &ChildId) -> bool {
        let mut state = self.0.write();
        let last = state.ids.remove(id) && state.ids.is_empty();
        state.retired |= last;
        last
    }

    /// Takes all ids and retires the set.
    pub(super) fn take(&self) -> Ids {
        let mut state = self.0.write();
        state.retired = true;
        std::mem::take(&mut state.ids)
    }

    pub(super) fn is_retired(&self) -> bool {
        self.0.read().retired
    }

    /// The ids; writers of this set wait meanwhile.
    pub(super) fn ids(&self) -> impl Deref<Target = Ids> {
        RwLockReadGuard::map(self.0.read(), |state| &state.ids)
    }
}
