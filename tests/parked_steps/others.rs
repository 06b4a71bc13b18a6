//! What the other threads do meanwhile: everything, each with an exact account of its own ids.

use std::collections::HashSet;

use fastrand::Rng;

use crate::stage::{Parked, SHARED, Stage, value, whole};

/// Operations of each of the other threads.
pub(crate) const OPERATIONS: u64 = 100_000;
/// Operations after which a thread that filled the table empties it, or the other way round.
const PHASE: u64 = 5_000;

/// One of the other threads, and what it knows of its own ids.
pub(crate) struct Other<'s> {
    stage: &'s Stage,
    registry: &'s Parked,
    first: u64,
    tag: String,
    node: String,
    /// Of each own id the values of spec and of metadata, while it is there.
    model: Vec<Option<(u64, u64)>>,
    rng: Rng,
}

impl<'s> Other<'s> {
    pub(crate) fn new(stage: &'s Stage, thread: u64, ids: usize) -> Self {
        Self {
            stage,
            registry: &stage.registry,
            first: (1 + thread) << 10,
            tag: format!("own-{thread}"),
            node: format!("node-{thread}"),
            model: vec![None; ids],
            rng: Rng::with_seed(thread),
        }
    }

    /// All its operations; returns the ids it leaves behind.
    pub(crate) fn run(mut self) -> HashSet<u64> {
        for step in 0..OPERATIONS {
            let filling = (step / PHASE).is_multiple_of(2);
            match self.rng.u32(0..10_000) {
                0..4_000 => self.write(step, filling),
                4_000..5_000 => self.update(step),
                5_000..6_500 => self.read(),
                6_500..9_950 => self.shared(step),
                _ => self.query(),
            }
            if !filling && (step + 1).is_multiple_of(PHASE) {
                self.registry.shrink_to_fit();
            }
        }
        self.query();
        let left = (self.first..).zip(&self.model).filter(|(_, known)| known.is_some());
        left.map(|(id, _)| id).collect()
    }

    fn pick(&mut self) -> (u64, usize) {
        let at = self.rng.usize(0..self.model.len());
        (self.first + at as u64, at)
    }

    /// Whether an entry with that spec has the thread's own tag, and is bound to its own node.
    fn marks(spec: u64) -> (bool, bool) {
        (spec.is_multiple_of(2), spec % 4 < 2)
    }

    fn write(&mut self, step: u64, filling: bool) {
        let (id, at) = self.pick();
        let known = self.model[at].map(|(spec, _)| spec);
        if self.rng.u32(0..4) == 0 || !filling {
            let old = self.registry.delete(&id);
            assert_eq!(old.map(|entry| **entry.spec()), known, "delete of {id}");
            self.model[at] = None;
            return;
        }
        let spec = value(id, step);
        let (tagged, bound) = Self::marks(spec);
        let mut child = self.stage.child(spec);
        if tagged {
            child = child.tag(self.tag.as_str());
        }
        if bound {
            child = child.on(self.node.as_str(), step);
        }
        let old = self.registry.insert(id, child);
        assert_eq!(old.map(|entry| **entry.spec()), known, "insert of {id}");
        self.model[at] = Some((spec, spec));
    }

    fn update(&mut self, step: u64) {
        let (id, at) = self.pick();
        let updated = self.stage.update(id, value(id, step));
        assert_eq!(updated, self.model[at].is_some(), "update of {id}");
        if let Some((_, metadata)) = &mut self.model[at] {
            *metadata = value(id, step);
        }
    }

    fn read(&mut self) {
        let ids: [u64; 8] = std::array::from_fn(|_| self.pick().0);
        let pin = self.registry.pin();
        for (id, entry) in ids.iter().zip(pin.get_many(ids.each_ref())) {
            let found = entry.map(|entry| (**entry.spec(), **entry.metadata()));
            assert_eq!(found, self.model[(id - self.first) as usize], "lookup of {id}");
        }
        drop(pin);
        let there = self.model[(ids[0] - self.first) as usize].is_some();
        assert_eq!(self.registry.contains(&ids[0]), there, "{} is there", ids[0]);
    }

    /// The ids that the parked thread may be in the middle of writing.
    fn shared(&mut self, step: u64) {
        let id = self.rng.u64(0..SHARED);
        match self.rng.u32(0..8) {
            0 => self.stage.put_shared(id, step, true),
            1 | 2 => self.stage.put_shared(id, step, false),
            3 => self.stage.try_put_shared(id, step),
            4 | 5 => self.stage.take_shared(id),
            6 => drop(self.stage.update(id, value(id, step))),
            _ => {
                if let Some(entry) = self.registry.lookup(&id) {
                    whole(&entry);
                }
            }
        }
    }

    /// Queries and walks: of the own ids exactly those that are known.
    fn query(&mut self) {
        let known = |wanted: fn(u64) -> bool| -> HashSet<u64> {
            let there = (self.first..).zip(&self.model);
            let wanted = there.filter(|(_, known)| known.is_some_and(|(spec, _)| wanted(spec)));
            wanted.map(|(id, _)| id).collect()
        };
        let pin = self.registry.pin();
        // Own ids of an answer that may have others': each once.
        let own = |found: &mut dyn Iterator<Item = u64>| -> HashSet<u64> {
            let ids = self.first..self.first + self.model.len() as u64;
            let found: Vec<u64> = found.filter(|id| ids.contains(id)).collect();
            let set: HashSet<u64> = found.iter().copied().collect();
            assert_eq!(set.len(), found.len(), "an id came twice");
            set
        };
        let walked = own(&mut pin.iter().map(|entry| *entry.id()));
        assert_eq!(walked, known(|_| true), "walk");
        let tagged = own(&mut pin.match_tag("all").map(|entry| *entry.id()));
        assert_eq!(tagged, walked, "the tag of all");
        let bound = own(&mut pin.children_on("here").map(|entry| *entry.id()));
        assert_eq!(bound, walked, "the node of all");
        let tagged = own(&mut pin.match_tag(&self.tag).map(|entry| *entry.id()));
        assert_eq!(tagged, known(|spec| Self::marks(spec).0), "the own tag");
        let bound = own(&mut pin.children_on(&self.node).map(|entry| *entry.id()));
        assert_eq!(bound, known(|spec| Self::marks(spec).1), "the own node");
        assert!(pin.match_tag("lonely").all(|entry| entry.has_tag("lonely")));
    }
}
