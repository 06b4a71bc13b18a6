//! All of them do the same, and what they do is right.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Barrier;
use std::thread;

use fastrand::Rng;
use process_registry::{ChildId, Node, Tag};

use super::{Dash, HandBuilt, OneLock, Ours, Papaya, Pid, Reads, Scc};

const IDS: u64 = 40;
const TAGS: u64 = 5;
const NODES: u64 = 4;

fn id(number: u64) -> ChildId {
    ChildId::from(format!("id-{number}"))
}

fn tag(number: u64) -> Tag {
    Tag::from(format!("tag-{number}"))
}

fn node(number: u64) -> Node {
    Node::from(format!("node-{number}"))
}

type Bindings = Vec<(Node, Pid)>;

/// What is to come of it all.
#[derive(Default)]
struct Model(BTreeMap<ChildId, (Bindings, BTreeSet<Tag>)>);

impl Model {
    fn matching(
        &self,
        wanted: impl Fn(&Bindings, &BTreeSet<Tag>) -> bool,
    ) -> BTreeMap<ChildId, Bindings> {
        let matching = self.0.iter().filter(|(_, (bindings, tags))| wanted(bindings, tags));
        matching.map(|(id, (bindings, _))| (id.clone(), bindings.clone())).collect()
    }
}

/// One to three bindings, sometimes of one node twice, and as many tags or none.
fn child(rng: &mut Rng) -> (Bindings, Vec<Tag>) {
    let bindings = (0..rng.u64(1..4)).map(|_| (node(rng.u64(..NODES)), rng.u64(..))).collect();
    let tags = (0..rng.u64(..4)).map(|_| tag(rng.u64(..TAGS))).collect();
    (bindings, tags)
}

/// Binds as a registry is to do it.
fn bind(bindings: &mut Bindings, node: &Node, pid: Pid) {
    match bindings.iter_mut().find(|(bound, _)| bound == node) {
        Some(binding) => binding.1 = pid,
        None => bindings.push((node.clone(), pid)),
    }
}

/// What a query visits, each once.
fn visited(
    query: impl FnOnce(&mut dyn FnMut(&ChildId, &[(Node, Pid)])),
) -> BTreeMap<ChildId, Bindings> {
    let mut all = BTreeMap::new();
    query(&mut |id, bindings| {
        assert!(all.insert(id.clone(), bindings.to_vec()).is_none(), "{id} twice");
    });
    all
}

fn agrees_with_the_model<R: HandBuilt>() {
    let registry = R::with_capacity(4);
    let mut model = Model::default();
    let mut rng = Rng::with_seed(11);
    for _ in 0..3000 {
        let id = id(rng.u64(..IDS));
        let node = node(rng.u64(..NODES));
        match rng.u32(..100) {
            0..40 => {
                let (bindings, tags) = child(&mut rng);
                let new = registry.insert(id.clone(), R::value(7, bindings.clone(), tags.clone()));
                let mut bound = Bindings::new();
                bindings.iter().for_each(|(node, pid)| bind(&mut bound, node, *pid));
                let old = model.0.insert(id, (bound, tags.into_iter().collect()));
                assert_eq!(new, old.is_none());
            }
            40..70 => {
                let pid = rng.u64(..);
                let updated = registry.update_pid(&id, &node, pid);
                let child = model.0.get_mut(&id);
                assert_eq!(updated, child.is_some());
                if let Some((bindings, _)) = child {
                    bind(bindings, &node, pid);
                }
            }
            70..98 => assert_eq!(registry.remove(&id), model.0.remove(&id).is_some()),
            _ => {
                let mut purged = 0;
                model.0.retain(|_, (bindings, _)| {
                    let before = bindings.len();
                    bindings.retain(|(bound, _)| *bound != node);
                    purged += before - bindings.len();
                    !bindings.is_empty()
                });
                assert_eq!(registry.purge_node(&node), purged);
            }
        }
        check(&registry, &model);
    }
}

fn check<R: HandBuilt>(registry: &R, model: &Model) {
    let reader = registry.reader();
    for id in (0..IDS).map(id) {
        let first = model.0.get(&id).map(|(bindings, _)| bindings[0].1);
        assert_eq!(reader.lookup(&id), first, "{id}");
    }
    for tag in (0..TAGS).map(tag) {
        let matching = visited(|visit| reader.match_tag(&tag, visit));
        assert_eq!(matching, model.matching(|_, tags| tags.contains(&tag)), "{tag}");
    }
    for node in (0..NODES).map(node) {
        let children = visited(|visit| reader.children(&node, visit));
        let bound = |bindings: &Bindings| bindings.iter().any(|(bound, _)| *bound == node);
        assert_eq!(children, model.matching(|bindings, _| bound(bindings)), "{node}");
    }
}

/// Whenever threads that fought over a few ids come to rest, every index agrees with the entries, and
/// no set holds anything else. Many times over: only the last operations on an id leave a trace.
fn indexes_agree_at_rest<R: HandBuilt>() {
    let registry = &R::with_capacity(4);
    for round in 0..600 {
        let go = &Barrier::new(FIGHTERS as usize);
        thread::scope(|scope| {
            for thread in 0..FIGHTERS {
                scope.spawn(move || {
                    let mut rng = Rng::with_seed(round * FIGHTERS + thread);
                    go.wait();
                    for _ in 0..rng.u32(1..16) {
                        fight(registry, thread, &mut rng);
                    }
                });
            }
        });
        agree(registry);
    }
}

const FIGHTERS: u64 = 3;
/// How many ids they fight over.
const FEW: u64 = 2;

/// A write of an id; each thread has a tag of its own, by which it can be told whose entry is there.
fn fight<R: HandBuilt>(registry: &R, thread: u64, rng: &mut Rng) {
    let id = id(rng.u64(..FEW));
    let node = node(rng.u64(..NODES));
    match rng.u32(..20) {
        0..9 => {
            registry.insert(id, R::value(0, [(node, thread)], [tag(thread)]));
        }
        9..11 => {
            registry.update_pid(&id, &node, thread);
        }
        11..19 => {
            registry.remove(&id);
        }
        _ => {
            registry.purge_node(&node);
        }
    }
}

fn agree<R: HandBuilt>(registry: &R) {
    let reader = registry.reader();
    let mut found = BTreeMap::new();
    let mut labels = 0;
    for tag in (0..FIGHTERS).map(tag) {
        let tagged = visited(|visit| reader.match_tag(&tag, visit));
        labels += usize::from(!tagged.is_empty());
        for (id, bindings) in tagged {
            assert_eq!(reader.lookup(&id), Some(bindings[0].1), "{id}");
            assert!(found.insert(id, bindings).is_none(), "two tags at once");
        }
    }
    for id in (0..FEW).map(id) {
        assert_eq!(reader.lookup(&id).is_some(), found.contains_key(&id), "{id}");
    }
    for node in (0..NODES).map(node) {
        let children = visited(|visit| reader.children(&node, visit));
        labels += usize::from(!children.is_empty());
        let is_bound = |bindings: &Bindings| bindings.iter().any(|(bound, _)| *bound == node);
        let bound = found.iter().filter(|(_, bindings)| is_bound(bindings));
        let bound: BTreeMap<_, _> =
            bound.map(|(id, bindings)| (id.clone(), bindings.clone())).collect();
        assert_eq!(children, bound, "{node}");
    }
    // An id that is left over in a set is not seen by queries, but keeps the set.
    assert_eq!(registry.labels(), labels);
}

/// The tests of each.
macro_rules! tests {
    ($($name:ident: $registry:ty),+ $(,)?) => {$(
        mod $name {
            use super::*;

            #[test]
            fn agrees_with_the_model() {
                super::agrees_with_the_model::<$registry>();
            }

            #[test]
            fn indexes_agree_at_rest() {
                super::indexes_agree_at_rest::<$registry>();
            }
        }
    )+};
}

tests! { ours: Ours, dash: Dash, scc: Scc, papaya: Papaya, one_lock: OneLock }
