//! Makes up operations, does each on the registry and on the model, and compares what comes back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use process_registry::{
    Child, Clock, Decision, ManualClock, OwnedEntry, Registry, UpdateError, WriteOptions,
};

use crate::making::{edit_all, offered};
use crate::reads::{Key, Names, Tested, compare};
use crate::relations::Relations;
use crate::support::oracle::{Choice, Life, Oracle, Row, Wish};
use crate::support::{Hashing, Recorder};
use crate::trail::Trail;

/// Time passes in steps of ten, deadlines end in five: no operation meets its deadline exactly.
pub(crate) const STEP: Duration = Duration::from_millis(10);
const GRACE: Duration = Duration::from_millis(205);

/// What kind of sequence is made up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Profile {
    pub(crate) hashing: Hashing,
    pub(crate) capacity: usize,
    /// Ids in use at a time.
    pub(crate) keys: u32,
    /// Whether the ids in use move on, so that old ones never return.
    pub(crate) fresh_ids: bool,
    pub(crate) steps: u32,
    /// Steps from one comparison of all reads to the next.
    pub(crate) compare_every: u32,
    pub(crate) nodes: usize,
    pub(crate) tags: usize,
}

/// How likely what is, in parts of a sequence.
#[derive(Clone, Copy, Debug)]
enum Mood {
    Mixed,
    Growing,
    Shrinking,
}

pub(crate) struct Driver<K: Key> {
    pub(crate) rng: fastrand::Rng,
    pub(crate) profile: Profile,
    mood: Mood,
    /// The first id in use.
    pub(crate) base: u32,
    registry: Arc<Tested<K>>,
    clock: ManualClock,
    recorder: Recorder<K>,
    pub(crate) oracle: Oracle,
    relations: Relations,
    pub(crate) nodes: Vec<String>,
    pub(crate) tags: Vec<String>,
    /// Entries kept from earlier: they never change.
    held: Vec<(OwnedEntry<u32, u32, u32, K>, Row)>,
    trail: Trail,
}

impl<K: Key> Driver<K> {
    pub(crate) fn new(seed: u64, profile: Profile) -> Self {
        let clock = ManualClock::new();
        let registry = Registry::<u32, u32, u32, K>::builder("n0")
            .capacity(profile.capacity)
            .hasher(profile.hashing)
            .tombstone_ttl(GRACE)
            .clock(Clock::Manual(clock.clone()))
            .build();
        let named = |letter: char, count| (0..count).map(|n| format!("{letter}{n}")).collect();
        Self {
            rng: fastrand::Rng::with_seed(seed),
            profile,
            mood: Mood::Mixed,
            base: 0,
            registry: Arc::new(registry),
            oracle: Oracle::new("n0", clock.now(), GRACE),
            clock,
            recorder: Recorder::new(),
            relations: Relations::default(),
            nodes: named('n', profile.nodes),
            tags: named('t', profile.tags),
            held: Vec::new(),
            trail: Trail::new(seed, profile),
        }
    }

    pub(crate) fn run(mut self) {
        let eighth = self.profile.steps.div_ceil(8);
        for step in 0..self.profile.steps {
            self.mood = match step / eighth {
                0 | 4 | 5 => Mood::Growing,
                2 | 6 => Mood::Shrinking,
                _ => Mood::Mixed,
            };
            if self.profile.fresh_ids && self.rng.u8(..4) == 0 {
                self.base += 1;
            }
            if self.rng.u8(..40) == 0 {
                self.pinned_for_a_while();
            }
            self.step();
            if step % self.profile.compare_every == 0 {
                self.compare();
            }
        }
        self.compare();
        self.finish();
    }

    fn finish(self) {
        let Self { registry, held, .. } = self;
        drop(registry);
        let mut relations = Relations::default();
        for (entry, row) in &held {
            relations.same(entry, row);
        }
    }

    fn compare(&mut self) {
        // A few ids that are not in use any more, or not yet.
        let ids = self.base.saturating_sub(3)..self.base + self.profile.keys + 2;
        let mut nodes = self.nodes.clone();
        nodes.push("nowhere".into());
        let mut tags = self.tags.clone();
        tags.push("nothing".into());
        let names = Names { nodes: &nodes, tags: &tags };
        compare(&self.registry, &self.oracle, &mut self.relations, ids, &names);
        for (entry, row) in &self.held {
            self.relations.same(entry, row);
        }
    }

    /// Several operations under one pin: what it read stays as it was.
    fn pinned_for_a_while(&mut self) {
        let registry = Arc::clone(&self.registry);
        let mut pin = registry.pin();
        for _ in 0..2 {
            let (id, other) = (self.id(), self.id());
            let rows = [id, other].map(|id| self.oracle.live(id).cloned());
            let keys = [K::of(id), K::of(other)];
            let entries = pin.get_many([&keys[0], &keys[1]]);
            let kept = registry.lookup(&keys[0]);
            for _ in 0..3 {
                self.step();
            }
            for (entry, row) in entries.into_iter().zip(&rows) {
                self.relations.maybe("kept", entry, row.as_ref());
            }
            self.relations.maybe("kept ref", kept.as_deref(), rows[0].as_ref());
            pin.refresh();
        }
        assert_eq!(pin.registry().len_all(), self.oracle.len_all());
    }

    // ---- one operation ------------------------------------------------------------------------

    fn step(&mut self) {
        let (inserts, deletes) = match self.mood {
            Mood::Mixed => (28, 12),
            Mood::Growing => (50, 2),
            Mood::Shrinking => (6, 44),
        };
        let roll = self.rng.u32(..100);
        if roll < inserts {
            self.insertion();
        } else if roll < inserts + deletes {
            self.deletion();
        } else {
            match self.rng.u32(..100) {
                0..25 => self.update(),
                25..40 => self.compute(),
                40..50 => self.rebind(),
                50..65 => self.bulk_insert(),
                65..80 => self.bulk_delete(),
                80..92 => self.pass(),
                92..97 => self.upkeep(),
                _ => self.sweep(),
            }
        }
        self.oracle.settle(self.registry.len_all());
        self.hear();
        if self.rng.u8(..16) == 0 {
            self.hold();
        }
    }

    /// Compares what the hooks heard.
    fn hear(&mut self) {
        let heard = self.recorder.take();
        let fired = self.oracle.take_fired();
        assert_eq!(heard.len(), fired.len(), "{heard:?}, not {fired:?}");
        for (heard, fired) in heard.iter().zip(&fired) {
            let got = (heard.kind, heard.id.number(), &heard.bindings);
            assert_eq!(got, (fired.kind, fired.id, &fired.bindings));
            assert_eq!(heard.version, fired.version, "version of {fired:?}");
            self.relations.incarnation(heard.incarnation, fired.incarnation);
        }
    }

    fn hold(&mut self) {
        let id = self.id();
        let kept = self.registry.get_owned(&K::of(id));
        if let (Some(entry), Some(row)) = (kept, self.oracle.live(id)) {
            self.held.push((entry, row.clone()));
        }
        if self.held.len() > 12 {
            let at = self.rng.usize(..self.held.len());
            self.held.swap_remove(at);
        }
    }

    fn insertion(&mut self) {
        let registry = Arc::clone(&self.registry);
        let (id, wish, way) = (self.id(), self.wish(), self.rng.u8(..10));
        self.trail.note(format!("insertion {way} of {id}: {wish:?}"));
        let (key, child) = (K::of(id), offered(&wish));
        match way {
            0..4 => {
                let want = self.oracle.insert(id, &wish, false);
                let pin = registry.pin();
                if way < 2 {
                    let got = registry.insert(key, child);
                    self.relations.maybe("insert", got.as_deref(), want.as_ref());
                } else {
                    let got = pin.insert(key, child);
                    self.relations.maybe("insert", got, want.as_ref());
                }
            }
            4..6 => {
                // Options outrank the child's own lifetime.
                let ttl = self.rng.bool().then(|| self.ttl());
                let merged = Wish { life: ttl.map_or(wish.life, Life::For), ..wish.clone() };
                let mut options = WriteOptions::new().hooks(&self.recorder.hooks);
                if let Some(ttl) = ttl {
                    options = options.ttl(ttl);
                }
                let want = self.oracle.insert(id, &merged, true);
                if way == 4 {
                    let got = registry.insert_with(key, child, options);
                    self.relations.maybe("insert_with", got.as_deref(), want.as_ref());
                } else {
                    let pin = registry.pin();
                    let got = pin.insert_with(key, child, options);
                    self.relations.maybe("insert_with", got, want.as_ref());
                }
            }
            6..9 => self.try_insert(&registry, id, &wish, way),
            _ => {
                let want = self.oracle.try_insert(id, &wish, false);
                let mut made = false;
                let got = registry.get_or_insert_with(key, || {
                    made = true;
                    child
                });
                assert_eq!(made, want.is_ok(), "get_or_insert_with calls its closure");
                let want = want.unwrap_or_else(|current| current);
                self.relations.same(&got, &want);
            }
        }
    }

    fn try_insert(&mut self, registry: &Tested<K>, id: u32, wish: &Wish, way: u8) {
        let hooked = way == 8;
        let want = self.oracle.try_insert(id, wish, hooked);
        let (key, child) = (K::of(id), offered(wish));
        if way == 6 {
            let pin = registry.pin();
            match (pin.try_insert(key.clone(), child.clone()), want) {
                (Ok(got), Ok(want)) => self.relations.same(got, &want),
                (Err(got), Err(want)) => {
                    self.relations.same(got.current(), &want);
                    let (back, offered, _) = got.into_parts();
                    assert!(back == key && offered == child, "handed back");
                }
                (got, want) => panic!("{got:?}, not {want:?}"),
            }
            return;
        }
        let got = if hooked {
            let options = WriteOptions::new().hooks(&self.recorder.hooks);
            registry.try_insert_with(key.clone(), child.clone(), options)
        } else {
            registry.try_insert(key.clone(), child.clone())
        };
        match (got, want) {
            (Ok(got), Ok(want)) => self.relations.same(&got, &want),
            (Err(got), Err(want)) => {
                self.relations.same(got.holder(), &want);
                let (back, offered, _) = got.into_parts();
                assert!(back == key && offered == child, "handed back");
            }
            (got, want) => panic!("{got:?}, not {want:?}"),
        }
    }

    fn deletion(&mut self) {
        let registry = Arc::clone(&self.registry);
        let (id, way, answer) = (self.id(), self.rng.u8(..8), self.rng.u8(..3) > 0);
        self.trail.note(format!("deletion {way} of {id}, answer {answer}"));
        let key = K::of(id);
        let pin = registry.pin();
        match way {
            0..2 => {
                let want = self.oracle.delete(id, false);
                let got = registry.delete(&key);
                self.relations.maybe("delete", got.as_deref(), want.as_ref());
            }
            2 => {
                let want = self.oracle.delete(id, true);
                let got = registry.delete_with(&key, &self.recorder.hooks);
                self.relations.maybe("delete_with", got.as_deref(), want.as_ref());
            }
            3 => {
                let want = self.oracle.delete(id, false);
                self.relations.maybe("delete", pin.delete(&key), want.as_ref());
            }
            4..7 => {
                let (seen, want) = self.oracle.delete_if(id, answer, way == 4);
                let mut shown = None;
                let judge = |entry: &process_registry::Entry<u32, u32, u32, K>| {
                    shown = Some(entry.share());
                    answer
                };
                match way {
                    4 => {
                        let hooks = &self.recorder.hooks;
                        let got = registry.delete_if_with(&key, judge, hooks);
                        self.relations.maybe("delete_if_with", got.as_deref(), want.as_ref());
                    }
                    5 => {
                        let got = registry.delete_if(&key, judge);
                        self.relations.maybe("delete_if", got.as_deref(), want.as_ref());
                    }
                    _ => {
                        let got = pin.delete_if(&key, judge);
                        self.relations.maybe("delete_if", got, want.as_ref());
                    }
                }
                self.relations.maybe("delete_if shows", shown.as_deref(), seen.as_ref());
            }
            _ => {
                let want = self.oracle.delete_if_expired(id);
                let got = registry.delete_if_expired(&key);
                self.relations.maybe("delete_if_expired", got.as_deref(), want.as_ref());
            }
        }
    }

    fn update(&mut self) {
        let (id, edits) = (self.id(), self.edits());
        let fails = self.rng.u8(..5) == 0;
        self.trail.note(format!("update of {id}, fails {fails}: {edits:?}"));
        let key = K::of(id);
        if fails {
            let runs = self.oracle.try_update_failing(id);
            let got = self.registry.try_update(&key, |child| {
                edit_all(child, &edits);
                Err::<(), _>("no")
            });
            match got {
                Err(UpdateError::Failed("no")) if runs => {}
                Err(UpdateError::NoChild) if !runs => {}
                got => panic!("{got:?} although the closure runs: {runs}"),
            }
            return;
        }
        let want = self.oracle.update(id, &edits);
        let mut runs = 0;
        let mut f = |child: &mut Child<u32, u32, u32>| {
            runs += 1;
            edit_all(child, &edits)
        };
        let got = if self.rng.bool() {
            self.registry.update(&key, f).ok()
        } else {
            let got = self.registry.try_update(&key, |child| Ok::<_, ()>(f(child)));
            got.ok()
        };
        assert_eq!(got, want, "update");
        assert_eq!(runs, u32::from(want.is_some()), "runs of the closure");
    }

    fn compute(&mut self) {
        let (id, pinned) = (self.id(), self.rng.bool());
        let choice = match self.rng.u8(..5) {
            0 => Choice::Keep,
            1 => Choice::Remove,
            _ => Choice::Put(self.wish()),
        };
        self.trail.note(format!("compute on {id}, pinned {pinned}: {choice:?}"));
        let (seen, want) = self.oracle.compute(id, &choice);
        let mut shown = None;
        let decide = |entry: Option<&process_registry::Entry<u32, u32, u32, K>>| {
            shown = entry.map(process_registry::Entry::share);
            match &choice {
                Choice::Keep => Decision::Keep,
                Choice::Remove => Decision::Remove,
                Choice::Put(wish) => Decision::Put(offered(wish)),
            }
        };
        if pinned {
            let pin = self.registry.pin();
            let got = pin.compute(K::of(id), decide);
            self.relations.maybe("compute", got, want.as_ref());
        } else {
            let got = self.registry.compute(K::of(id), decide);
            self.relations.maybe("compute", got.as_deref(), want.as_ref());
        }
        self.relations.maybe("compute shows", shown.as_deref(), seen.as_ref());
    }

    fn rebind(&mut self) {
        let (id, node, pid, hooked) = (self.id(), self.node(), self.pid(), self.rng.bool());
        self.trail.note(format!("rebind of {id} on {node}: {pid}"));
        let want = self.oracle.rebind(id, &node, pid, hooked);
        let key = K::of(id);
        let got = if hooked {
            let hooks = &self.recorder.hooks;
            self.registry.rebind_with(&key, node.as_str(), pid, hooks)
        } else {
            self.registry.rebind(&key, node.as_str(), pid)
        };
        assert_eq!(got.ok(), want, "rebind");
    }

    fn bulk_insert(&mut self) {
        let (count, way) = (self.few(6), self.rng.u8(..4));
        let children: Vec<(u32, Wish)> = (0..count).map(|_| (self.id(), self.wish())).collect();
        self.trail.note(format!("bulk_insert {way}: {children:?}"));
        self.oracle.bulk_insert(&children, way >= 2);
        let given = children.iter().map(|(id, wish)| (K::of(*id), offered(wish)));
        let hooks = &self.recorder.hooks;
        match way {
            0 => self.registry.bulk_insert(given),
            1 => self.registry.bulk_insert_by(given, |a, b| a == b),
            2 => self.registry.bulk_insert_with(given, hooks),
            _ => self.registry.bulk_insert_by_with(given, |a, b| a == b, hooks),
        }
    }

    fn bulk_delete(&mut self) {
        let (count, hooked) = (self.few(6), self.rng.bool());
        let mut children = Vec::new();
        for _ in 0..count {
            let nodes = self.few(5);
            let nodes: Vec<String> = (0..nodes).map(|_| self.node()).collect();
            children.push((self.id(), nodes));
        }
        self.trail.note(format!("bulk_delete: {children:?}"));
        self.oracle.bulk_delete(&children, hooked);
        let keys: Vec<K> = children.iter().map(|(id, _)| K::of(*id)).collect();
        let given = keys.iter().zip(children.iter().map(|(_, nodes)| nodes));
        if hooked {
            self.registry.bulk_delete_with(given, &self.recorder.hooks);
        } else {
            self.registry.bulk_delete(given);
        }
    }

    fn pass(&mut self) {
        let by = STEP * self.rng.u32(1..4);
        self.trail.note(format!("{by:?} pass"));
        self.clock.advance(by);
        self.oracle.advance(by);
        if self.rng.u8(..3) == 0 {
            self.trail.note("purge_expired".into());
            let purged = self.registry.purge_expired();
            assert_eq!(purged, self.oracle.purge_expired(), "purge_expired");
        }
    }

    /// What changes nothing that can be seen.
    fn upkeep(&mut self) {
        let way = self.rng.u8(..3);
        self.trail.note(format!("upkeep {way}"));
        match way {
            0 => self.registry.shrink_to_fit(),
            1 => self.registry.collect(),
            _ => self.registry.reserve(self.rng.usize(..64)),
        }
        assert!(self.registry.capacity() < 1 << 24, "capacity out of all reason");
    }

    /// What takes many entries at once.
    fn sweep(&mut self) {
        match (self.rng.u8(..8), self.mood) {
            (0, _) | (1, Mood::Shrinking) => {
                self.trail.note("clear_all".into());
                self.registry.clear_all();
                self.oracle.clear_all();
            }
            (2 | 3, Mood::Mixed) | (2..6, Mood::Shrinking) => self.retain(),
            _ => {
                let node = self.node();
                self.trail.note(format!("remove_node {node}"));
                let mut got: Vec<u32> =
                    self.registry.remove_node(&node).iter().map(K::number).collect();
                got.sort_unstable();
                assert_eq!(got, self.oracle.remove_node(&node), "remove_node");
            }
        }
    }

    fn retain(&mut self) {
        let part = self.rng.u32(1..4);
        self.trail.note(format!("retain specs not divisible by {part}"));
        let want: BTreeMap<u32, Row> =
            self.oracle.retain(|row| row.spec % part != 0).into_iter().collect();
        let mut seen = BTreeMap::new();
        self.registry.retain(|entry| {
            let before = seen.insert(entry.id().number(), entry.share());
            assert!(before.is_none(), "retain asks twice");
            entry.spec() % part != 0
        });
        assert!(seen.keys().eq(want.keys()), "retain asks for {seen:?}");
        for (id, row) in &want {
            self.relations.same(&seen[id], row);
        }
    }
}
