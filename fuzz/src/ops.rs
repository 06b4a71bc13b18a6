//! Sequences of operations, with every read compared after every one.

use arbitrary::Arbitrary;
use process_registry::{
    Child, ChildId, Decision, Entry, EntryRef, ManualClock, OwnedEntry, UpdateError, WriteOptions,
};

use crate::reads::Key as _;
use crate::relations::Relations;
use crate::support::Recorder;
use crate::support::oracle::{Life, Row, Wish};
use crate::vocabulary::{CROWD, Change, Decide, Few, Hash, Id, NodeName, Offer, Small, Time};
use crate::world::{World, registry};

/// What the fuzzer makes up for this target.
#[derive(Arbitrary, Debug)]
pub struct Input {
    hash: Hash,
    capacity: u8,
    ops: Vec<Op>,
}

/// More variants make an operation likelier.
#[derive(Arbitrary, Debug)]
enum Op {
    Insert(Id, Offer),
    InsertPinned(Id, Offer),
    InsertWith(Id, Offer, Option<Time>),
    TryInsert(Id, Offer),
    TryInsertPinned(Id, Offer),
    TryInsertWith(Id, Offer),
    GetOrInsert(Id, Offer),
    Delete(Id),
    DeletePinned(Id),
    DeleteWith(Id),
    DeleteIf(Id, bool),
    DeleteIfPinned(Id, bool),
    DeleteIfExpired(Id),
    Update(Id, Few<Change>),
    TryUpdate(Id, Few<Change>, bool),
    Compute(Id, Decide),
    ComputePinned(Id, Decide),
    Rebind(Id, NodeName, Small),
    RebindWith(Id, NodeName, Small),
    Merge(Few<(Id, Offer)>),
    Unmerge(Few<(Id, Few<NodeName>)>),
    Pass(Time),
    Keep(Id),
    KeepPinned(Id),
    Rarely(Rare),
}

#[derive(Arbitrary, Debug)]
enum Rare {
    PurgeExpired,
    RemoveNode(NodeName),
    Retain(Small),
    ClearAll,
    ShrinkToFit,
    Collect,
    Reserve(u8),
    /// So many ids come at once: the table grows.
    Crowd(u8),
    /// They all go: it may halve.
    Disperse,
    /// Everything that was kept is given up.
    LetGo,
}

type Pinned<'r> = EntryRef<'r, u32, u32, u32>;
type Owned = OwnedEntry<u32, u32, u32>;

/// Runs an input. Panics where the registry and the model do not agree.
pub fn run(input: &Input) {
    let clock = ManualClock::new();
    let recorder = Recorder::new();
    let registry = registry(input.hash.get(), usize::from(input.capacity), &clock);
    let mut run = Run {
        world: World::new(&registry, &clock),
        recorder: &recorder,
        pinned: Vec::new(),
        owned: Vec::new(),
    };
    // Longer sequences find nothing that shorter ones do not, and make the fuzzer slow.
    for op in input.ops.iter().take(40) {
        run.step(op);
        run.check();
    }
    let owned = run.owned;
    drop(registry);
    // They outlive the registry.
    let mut relations = Relations::default();
    for (entry, row) in &owned {
        relations.same(entry, row);
    }
}

struct Run<'r> {
    world: World<'r, ChildId>,
    recorder: &'r Recorder<ChildId>,
    /// Read under pins that are still held: they stay what they were.
    pinned: Vec<(Pinned<'r>, Row)>,
    owned: Vec<(Owned, Row)>,
}

impl Run<'_> {
    fn check(&mut self) {
        let Self { world, recorder, pinned, owned } = self;
        world.check();
        let (heard, fired) = (recorder.take(), world.oracle.take_fired());
        assert_eq!(heard.len(), fired.len(), "{heard:?}, not {fired:?}");
        for (heard, fired) in heard.iter().zip(&fired) {
            world.heard(heard, fired);
        }
        for (entry, row) in pinned {
            world.relations.same(entry, row);
        }
        for (entry, row) in owned {
            world.relations.same(entry, row);
        }
    }

    fn step(&mut self, op: &Op) {
        match op {
            Op::Insert(id, offer)
            | Op::InsertPinned(id, offer)
            | Op::InsertWith(id, offer, _)
            | Op::TryInsert(id, offer)
            | Op::TryInsertPinned(id, offer)
            | Op::TryInsertWith(id, offer)
            | Op::GetOrInsert(id, offer) => self.insertion(op, *id, offer),
            Op::Delete(id)
            | Op::DeletePinned(id)
            | Op::DeleteWith(id)
            | Op::DeleteIf(id, _)
            | Op::DeleteIfPinned(id, _)
            | Op::DeleteIfExpired(id) => self.deletion(op, *id),
            Op::Update(id, changes) => self.update(*id, &changes.0),
            Op::TryUpdate(id, changes, fails) => self.try_update(*id, &changes.0, *fails),
            Op::Compute(id, decide) => self.compute(*id, decide, false),
            Op::ComputePinned(id, decide) => self.compute(*id, decide, true),
            Op::Rebind(id, node, pid) => self.rebind(*id, node.get(), pid.get(), false),
            Op::RebindWith(id, node, pid) => self.rebind(*id, node.get(), pid.get(), true),
            Op::Merge(children) => {
                let wishes: Vec<_> =
                    children.0.iter().map(|(id, offer)| (id.number(), offer.wish())).collect();
                self.world.oracle.bulk_insert(&wishes, true);
                let given = children.0.iter().map(|(id, offer)| (key(*id), offer.child()));
                self.world.registry.bulk_insert_with(given, &self.recorder.hooks);
            }
            Op::Unmerge(children) => {
                let nodes = |few: &Few<NodeName>| few.0.iter().map(|n| n.get().into()).collect();
                let children: Vec<(Id, Vec<String>)> =
                    children.0.iter().map(|(id, few)| (*id, nodes(few))).collect();
                let plain: Vec<_> =
                    children.iter().map(|(id, nodes)| (id.number(), nodes.clone())).collect();
                self.world.oracle.bulk_delete(&plain, true);
                let keys: Vec<_> = children.iter().map(|(id, nodes)| (key(*id), nodes)).collect();
                let given = keys.iter().map(|(id, nodes)| (id, *nodes));
                self.world.registry.bulk_delete_with(given, &self.recorder.hooks);
            }
            Op::Pass(time) => self.world.pass(time.get()),
            Op::Keep(id) => {
                let row = self.world.oracle.live(id.number()).cloned();
                self.owned.extend(self.world.registry.get_owned(&key(*id)).zip(row));
            }
            Op::KeepPinned(id) => {
                let row = self.world.oracle.live(id.number()).cloned();
                self.pinned.extend(self.world.registry.lookup(&key(*id)).zip(row));
            }
            Op::Rarely(rare) => self.rarely(rare),
        }
    }

    fn insertion(&mut self, op: &Op, id: Id, offer: &Offer) {
        let World { registry, oracle, relations, .. } = &mut self.world;
        let (number, key, wish, child) = (id.number(), key(id), offer.wish(), offer.child());
        let hooked = WriteOptions::new().hooks(&self.recorder.hooks);
        match op {
            Op::InsertPinned(..) => {
                let want = oracle.insert(number, &wish, false);
                relations.maybe("insert", registry.pin().insert(key, child), want.as_ref());
            }
            Op::InsertWith(_, _, ttl) => {
                // The options outrank the child's own lifetime.
                let ttl = ttl.map(Time::get);
                let wish = Wish { life: ttl.map_or(wish.life, Life::For), ..wish };
                let options = ttl.into_iter().fold(hooked, WriteOptions::ttl);
                let want = oracle.insert(number, &wish, true);
                let got = registry.insert_with(key, child, options);
                relations.maybe("insert_with", got.as_deref(), want.as_ref());
            }
            Op::TryInsert(..) => {
                let want = oracle.try_insert(number, &wish, false);
                let got = registry.try_insert(key, child);
                let got = got.as_deref().map_err(|occupied| &**occupied.holder());
                one_of(relations, got, &want);
            }
            Op::TryInsertPinned(..) => {
                let want = oracle.try_insert(number, &wish, false);
                let pin = registry.pin();
                let got = pin.try_insert(key, child).map_err(|taken| taken.into_parts().2);
                one_of(relations, got, &want);
            }
            Op::TryInsertWith(..) => {
                let want = oracle.try_insert(number, &wish, true);
                let got = registry.try_insert_with(key, child, hooked);
                let got = got.as_deref().map_err(|occupied| &**occupied.holder());
                one_of(relations, got, &want);
            }
            Op::GetOrInsert(..) => {
                let want = oracle.try_insert(number, &wish, false);
                let got = registry.get_or_insert_with(key, || child);
                relations.same(&got, want.as_ref().unwrap_or_else(|current| current));
            }
            _ => {
                let want = oracle.insert(number, &wish, false);
                relations.maybe("insert", registry.insert(key, child).as_deref(), want.as_ref());
            }
        }
    }

    fn deletion(&mut self, op: &Op, id: Id) {
        let World { registry, oracle, relations, .. } = &mut self.world;
        let (number, key, hooks) = (id.number(), key(id), &self.recorder.hooks);
        let mut shown = None;
        let mut judge = |entry: &Entry<u32, u32, u32>, answer: bool| {
            shown = Some(entry.share());
            answer
        };
        match op {
            Op::DeletePinned(_) => {
                let want = oracle.delete(number, false);
                relations.maybe("delete", registry.pin().delete(&key), want.as_ref());
            }
            Op::DeleteWith(_) => {
                let want = oracle.delete(number, true);
                let got = registry.delete_with(&key, hooks);
                relations.maybe("delete_with", got.as_deref(), want.as_ref());
            }
            Op::DeleteIf(_, answer) => {
                let (seen, want) = oracle.delete_if(number, *answer, true);
                let got = registry.delete_if_with(&key, |entry| judge(entry, *answer), hooks);
                relations.maybe("delete_if", got.as_deref(), want.as_ref());
                relations.maybe("delete_if shows", shown.as_deref(), seen.as_ref());
            }
            Op::DeleteIfPinned(_, answer) => {
                let (seen, want) = oracle.delete_if(number, *answer, false);
                let pin = registry.pin();
                let got = pin.delete_if(&key, |entry| judge(entry, *answer));
                relations.maybe("delete_if", got, want.as_ref());
                relations.maybe("delete_if shows", shown.as_deref(), seen.as_ref());
            }
            Op::DeleteIfExpired(_) => {
                let want = oracle.delete_if_expired(number);
                let got = registry.delete_if_expired(&key);
                relations.maybe("delete_if_expired", got.as_deref(), want.as_ref());
            }
            _ => {
                let want = oracle.delete(number, false);
                relations.maybe("delete", registry.delete(&key).as_deref(), want.as_ref());
            }
        }
    }

    fn update(&mut self, id: Id, changes: &[Change]) {
        let edits: Vec<_> = changes.iter().map(|change| change.edit()).collect();
        let want = self.world.oracle.update(id.number(), &edits);
        let apply = |child: &mut Plain| changes.iter().map(|c| c.apply(child)).collect();
        let got = self.world.registry.update(&key(id), apply);
        assert_eq!(got.ok(), want, "update");
    }

    fn try_update(&mut self, id: Id, changes: &[Change], fails: bool) {
        if !fails {
            let edits: Vec<_> = changes.iter().map(|change| change.edit()).collect();
            let want = self.world.oracle.update(id.number(), &edits);
            let got = self.world.registry.try_update(&key(id), |child| {
                Ok::<Vec<_>, ()>(changes.iter().map(|c| c.apply(child)).collect())
            });
            assert_eq!(got.ok(), want, "try_update");
            return;
        }
        let runs = self.world.oracle.try_update_failing(id.number());
        let got = self.world.registry.try_update(&key(id), |child| {
            changes.iter().for_each(|change| drop(change.apply(child)));
            Err::<(), _>("no")
        });
        match got {
            Err(UpdateError::Failed("no")) if runs => {}
            Err(UpdateError::NoChild) if !runs => {}
            got => panic!("{got:?} although the closure runs: {runs}"),
        }
    }

    fn compute(&mut self, id: Id, decide: &Decide, pinned: bool) {
        let World { registry, oracle, relations, .. } = &mut self.world;
        let (seen, want) = oracle.compute(id.number(), &decide.choice());
        let mut shown = None;
        let answer = |entry: Option<&Entry<u32, u32, u32>>| {
            shown = entry.map(Entry::share);
            match decide {
                Decide::Keep => Decision::Keep,
                Decide::Put(offer) | Decide::PutAgain(offer) => Decision::Put(offer.child()),
                Decide::Remove => Decision::Remove,
            }
        };
        if pinned {
            let pin = registry.pin();
            relations.maybe("compute", pin.compute(key(id), answer), want.as_ref());
        } else {
            let got = registry.compute(key(id), answer);
            relations.maybe("compute", got.as_deref(), want.as_ref());
        }
        relations.maybe("compute shows", shown.as_deref(), seen.as_ref());
    }

    fn rebind(&mut self, id: Id, node: &str, pid: u32, hooked: bool) {
        let World { registry, oracle, .. } = &mut self.world;
        let want = oracle.rebind(id.number(), node, pid, hooked);
        let got = if hooked {
            registry.rebind_with(&key(id), node, pid, &self.recorder.hooks)
        } else {
            registry.rebind(&key(id), node, pid)
        };
        assert_eq!(got.ok(), want, "rebind");
    }

    fn rarely(&mut self, rare: &Rare) {
        let World { registry, oracle, crowd, .. } = &mut self.world;
        match rare {
            Rare::PurgeExpired => {
                assert_eq!(registry.purge_expired(), oracle.purge_expired(), "purge_expired");
            }
            Rare::RemoveNode(node) => {
                let changed = registry.remove_node(node.get());
                let mut got: Vec<u32> = changed.iter().map(ChildId::number).collect();
                got.sort_unstable();
                assert_eq!(got, oracle.remove_node(node.get()), "remove_node");
            }
            Rare::Retain(spec) => {
                let want = oracle.retain(|row| row.spec != spec.get());
                let mut asked = 0;
                registry.retain(|entry| {
                    asked += 1;
                    *entry.spec() != spec.get()
                });
                assert_eq!(asked, want.len(), "retain asks once for each");
            }
            Rare::ClearAll => {
                registry.clear_all();
                oracle.clear_all();
            }
            Rare::ShrinkToFit => registry.shrink_to_fit(),
            Rare::Collect => registry.collect(),
            Rare::Reserve(more) => registry.reserve(usize::from(*more)),
            Rare::Crowd(count) => {
                *crowd = u32::from(count % 24).max(*crowd);
                for id in CROWD..CROWD + *crowd {
                    let wish = of_the_crowd(id);
                    let child = Child::new(id).metadata(id).on("n1", id);
                    oracle.insert(id, &wish, false);
                    registry.insert(ChildId::of(id), child);
                }
            }
            Rare::Disperse => {
                for id in CROWD..CROWD + *crowd {
                    let want = oracle.delete(id, false);
                    let got = registry.delete(&ChildId::of(id));
                    assert_eq!(got.is_some(), want.is_some(), "delete");
                }
            }
            Rare::LetGo => {
                self.pinned.clear();
                self.owned.clear();
            }
        }
    }
}

type Plain = Child<u32, u32, u32>;

fn key(id: Id) -> ChildId {
    ChildId::of(id.number())
}

fn of_the_crowd(id: u32) -> Wish {
    let bindings = vec![("n1".to_owned(), id)];
    Wish { spec: id, bindings, tags: Vec::new(), metadata: id, life: Life::Unsaid }
}

type Shown = Entry<u32, u32, u32>;

/// What a conditional insert answers: the new entry, or the one that is in the way.
fn one_of(relations: &mut Relations, got: Result<&Shown, &Shown>, want: &Result<Row, Row>) {
    match (got, want) {
        (Ok(got), Ok(want)) | (Err(got), Err(want)) => relations.same(got, want),
        (got, want) => panic!("{got:?}, not {want:?}"),
    }
}
