//! What the thread that is parked is in the middle of.

use std::collections::HashSet;

use crate::stage::{PARKED, Stage, value};

pub(crate) struct Script {
    pub(crate) name: &'static str,
    /// What is there before; returns the ids of the parked thread's own that are.
    pub(crate) before: fn(&Stage) -> HashSet<u64>,
    /// The operation; returns the ids of the parked thread's own that it has changed from absent
    /// to present or back.
    pub(crate) run: fn(&Stage) -> HashSet<u64>,
}

/// Enough for tables of several chunks, and for sets of many.
const MANY: u64 = 2_000;

/// Shared ids other than those the parked thread works on, so that common names have members.
fn company(stage: &Stage) -> HashSet<u64> {
    stage.put_shared(5, 0, false);
    stage.put_shared(6, 0, false);
    HashSet::new()
}

/// A shared id that alone has a certain tag and a certain node.
fn with_lonely(stage: &Stage) -> HashSet<u64> {
    stage.put_shared(1, 0, true);
    company(stage)
}

fn fill(stage: &Stage) -> HashSet<u64> {
    for id in PARKED..PARKED + MANY {
        let old = stage.registry.insert(id, stage.child(value(id, 0)).tag("many"));
        assert!(old.is_none());
    }
    (PARKED..PARKED + MANY).collect()
}

/// All but a few, so that a table of another size is due.
fn empty(stage: &Stage) -> HashSet<u64> {
    for id in PARKED + 10..PARKED + MANY {
        let old = stage.registry.delete(&id);
        assert!(old.is_some_and(|old| **old.spec() == value(id, 0)));
    }
    (PARKED + 10..PARKED + MANY).collect()
}

/// Names that are known bring no set into its directory: the first insert is the primary's.
pub(crate) const INSERT: Script = Script {
    name: "insert of an absent id",
    before: company,
    run: |stage| {
        stage.put_shared(1, 1, false);
        HashSet::new()
    },
};

/// One name after the other brings its set, and then comes the id.
pub(crate) const INTRODUCE: Script = Script {
    name: "insert of an absent id with new names",
    before: company,
    run: |stage| {
        stage.put_shared(1, 1, true);
        HashSet::new()
    },
};

pub(crate) const REPLACE: Script = Script {
    name: "insert over a live id, without its names",
    before: with_lonely,
    run: |stage| {
        stage.put_shared(1, 1, false);
        HashSet::new()
    },
};

pub(crate) const UPDATE: Script = Script {
    name: "update",
    before: with_lonely,
    run: |stage| {
        // Meanwhile somebody may have removed it.
        let _ = stage.update(1, value(1, 1));
        HashSet::new()
    },
};

pub(crate) const REMOVE: Script = Script {
    name: "delete of the last with its names",
    before: with_lonely,
    run: |stage| {
        stage.take_shared(1);
        HashSet::new()
    },
};

pub(crate) const GROW: Script = Script { name: "inserts that grow", before: company, run: fill };

pub(crate) const HALVE: Script = Script {
    name: "shrink_to_fit",
    before: |stage| {
        let mut left = fill(stage);
        for id in empty(stage) {
            left.remove(&id);
        }
        left
    },
    run: |stage| {
        stage.registry.shrink_to_fit();
        HashSet::new()
    },
};

pub(crate) const DRAIN: Script =
    Script { name: "deletes that empty a set", before: fill, run: empty };
