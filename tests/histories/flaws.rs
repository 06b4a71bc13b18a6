//! Registries with a fault: operations done in two steps where they should be one. Histories of these
//! must be rejected.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::thread;

use process_registry::{Child, Decision, OwnedEntry};

use crate::model::{Edit, Kind, Query};
use crate::ops::{Mix, Op};
use crate::perform::{Answers, amend};
use crate::shaky::{FILLERS, Id, Shaky};
use crate::value::{NODES, Offspring, Seen, TAGS, Tags, Wish};

/// Which fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// `update` reads, then puts whatever is there by then: updates are lost.
    UpdateInTwoSteps,
    /// `try_insert` looks whether the id is free, then inserts: two can win.
    TryInsertInTwoSteps,
    /// `delete` answers what it read before: two can have removed the same entry.
    DeleteInTwoSteps,
    /// `lookup` answers what this thread saw last time.
    StaleLookup,
    /// `match_tag` gathers ids first and looks at the entries later: some do not carry the tag.
    TagOfIdsOnly,
    /// `match_tag` leaves out what is changed while it looks.
    TagLeavesOutWhatChanges,
    /// The clock of the registry is late: entries are seen after their deadline.
    LateClock,
    /// `retain` removes what has taken the place of what was judged.
    RetainByIdOnly,
    /// `remove_node` gives up where another write came in between.
    RemoveNodeGivesUp,
}

impl Flaw {
    pub(crate) const ALL: [Self; 9] = [
        Self::UpdateInTwoSteps,
        Self::TryInsertInTwoSteps,
        Self::DeleteInTwoSteps,
        Self::StaleLookup,
        Self::TagOfIdsOnly,
        Self::TagLeavesOutWhatChanges,
        Self::LateClock,
        Self::RetainByIdOnly,
        Self::RemoveNodeGivesUp,
    ];

    /// Operations among which the fault shows.
    pub(crate) fn mix(self) -> Mix {
        let few = Mix { insert: 6, update: 10, rebind: 4, lookup: 10, ..Mix::default() };
        match self {
            Self::UpdateInTwoSteps => Mix { update: 30, ..few },
            Self::TryInsertInTwoSteps => Mix { try_insert: 20, delete: 15, ..few },
            Self::DeleteInTwoSteps => Mix { delete: 20, insert: 20, ..few },
            Self::StaleLookup => few,
            Self::TagOfIdsOnly | Self::TagLeavesOutWhatChanges => {
                Mix { by_tag: 20, compute: 20, ..few }
            }
            Self::LateClock => Mix { time: 10, ..few },
            Self::RetainByIdOnly => Mix { retain: 15, insert: 20, ..few },
            Self::RemoveNodeGivesUp => Mix { remove_node: 15, insert: 15, ..few },
        }
    }
}

thread_local! {
    static LAST: RefCell<BTreeMap<u32, Option<Seen>>> = const { RefCell::new(BTreeMap::new()) };
}

/// Time for others to come in between.
fn pause() {
    for _ in 0..3 {
        thread::yield_now();
    }
}

type Kept = OwnedEntry<Shaky, Shaky, u32, Id>;

fn copy(entry: &Kept) -> Offspring {
    let mut child = Child::new(Shaky(entry.spec().0)).metadata(*entry.metadata());
    for (node, pid) in entry.bindings() {
        child.bind(node.clone(), Shaky(pid.0));
    }
    for tag in entry.tags() {
        child.add_tag(tag.clone());
    }
    child
}

impl Answers<'_> {
    /// Does the operation in its faulty way, if this is the one with the fault.
    pub(crate) fn flawed(&mut self, op: &Op) -> Option<&'static str> {
        let (world, flaw) = (self.world, self.world.flaw?);
        let registry = &world.registry;
        match (flaw, op) {
            (Flaw::UpdateInTwoSteps, Op::Update(key, edits)) => self.lossy_update(*key, edits),
            (Flaw::TryInsertInTwoSteps, Op::TryInsert(key, wish, _)) => {
                self.greedy_insert(*key, wish)
            }
            (Flaw::DeleteInTwoSteps, Op::Delete(key, _)) => {
                let id = world.id(*key);
                let before = registry.get_owned(&id).map(|entry| world.seen(&entry));
                pause();
                registry.delete(&id);
                self.put_down(*key, before.map_or(Kind::Void, Kind::Take));
            }
            (Flaw::StaleLookup, Op::Lookup(key, _)) => {
                let id = world.id(*key);
                let seen = registry.get_owned(&id).map(|entry| world.seen(&entry));
                let before = LAST.with_borrow_mut(|last| last.insert(id.0, seen));
                self.answered(*key, Query::Live, before.unwrap_or(seen));
            }
            (Flaw::TagOfIdsOnly, Op::MatchTag(tag, _)) => {
                let found = registry.match_tag(TAGS[usize::from(*tag)]);
                pause();
                let seen = |(id, _)| Some((id, world.seen(&*registry.get_owned(&id)?)));
                let seen = found.into_iter().filter_map(seen).collect();
                self.listed(Query::Tagged(Tags(1 << tag)), false, seen);
            }
            (Flaw::TagLeavesOutWhatChanges, Op::MatchTag(tag, _)) => {
                let found: Vec<Kept> = {
                    let pinned = registry.pin();
                    let found = pinned.match_tag(TAGS[usize::from(*tag)]);
                    found.map(|entry| entry.share()).collect()
                };
                pause();
                let stamp = |entry: &Kept| (entry.incarnation(), entry.version());
                let same = |entry: &&Kept| {
                    registry.get_owned(entry.id()).is_some_and(|now| stamp(&now) == stamp(entry))
                };
                let seen = found.iter().filter(same).map(|entry| (*entry.id(), world.seen(entry)));
                let seen = seen.collect();
                self.listed(Query::Tagged(Tags(1 << tag)), false, seen);
            }
            (Flaw::RetainByIdOnly, Op::Retain) => {
                let all = registry.dump_all();
                let judged: Vec<_> =
                    all.iter().map(|(id, entry)| (*id, world.seen(entry))).collect();
                pause();
                for (id, seen) in &judged {
                    if id.0 < FILLERS && seen.spec.is_some_and(|spec| spec % 2 == 0) {
                        registry.delete(id);
                    }
                }
                self.retained(&judged);
            }
            (Flaw::RemoveNodeGivesUp, Op::RemoveNode(node)) => self.faint_remove_node(*node),
            _ => return None,
        }
        Some("flawed")
    }

    fn lossy_update(&mut self, key: u8, edits: &[Edit]) {
        let (world, id) = (self.world, self.world.id(key));
        let mut shown = None;
        let mut done = false;
        if let Some(entry) = world.registry.get_owned(&id) {
            let child = copy(&entry);
            shown = Some(Seen::child(&child));
            pause();
            world.registry.compute(id, |current| {
                done = current.is_some_and(|entry| !entry.bindings().is_empty());
                let mut child = copy(&entry);
                amend(&mut child, edits);
                if done { Decision::Put(child) } else { Decision::Keep }
            });
        }
        self.updated(key, edits, shown, done);
    }

    fn greedy_insert(&mut self, key: u8, wish: &Wish) {
        let (world, id) = (self.world, self.world.id(key));
        match world.registry.get_owned(&id) {
            Some(holder) => {
                self.answered(key, Query::Live, Some(world.seen(&holder)));
            }
            None => {
                pause();
                world.registry.insert(id, wish.child());
                self.put_down(key, Kind::Claim { wish: *wish, after: Seen::default() });
            }
        }
    }

    fn faint_remove_node(&mut self, node: u8) {
        let (world, name) = (self.world, NODES[usize::from(node)]);
        let mut changed = Vec::new();
        let found = world.registry.children_on(name);
        pause();
        for entry in found {
            let mut written = false;
            world.registry.compute(*entry.id(), |current| {
                let stamp = (entry.incarnation(), entry.version());
                written = current.is_some_and(|now| (now.incarnation(), now.version()) == stamp);
                let mut child = copy(&entry);
                child.unbind(name);
                match (written, child.bindings().is_empty()) {
                    (false, _) => Decision::Keep,
                    (true, true) => Decision::Remove,
                    (true, false) => Decision::Put(child),
                }
            });
            if written {
                changed.push(*entry.id());
            }
        }
        self.evicted(node, &changed);
    }
}
