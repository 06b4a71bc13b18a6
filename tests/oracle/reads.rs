//! Every read of every kind, compared with the model.

use std::collections::{BTreeMap, HashMap};
use std::ops::Deref;

use process_registry::{ChildId, Entry, Global, Local, OwnedEntry, Registry};

use crate::relations::Relations;
use crate::support::Hashing;
use crate::support::oracle::{Oracle, Row};
use crate::support::plain;

/// Ids that are numbers to the model.
pub(crate) trait Key:
    std::hash::Hash + Eq + Clone + Ord + std::fmt::Debug + Send + Sync + 'static
{
    fn of(number: u32) -> Self;
    fn number(&self) -> u32;
}

impl Key for ChildId {
    fn of(number: u32) -> Self {
        // Short ones and ones that do not fit inline.
        match number % 2 {
            0 => format!("{number}").into(),
            _ => format!("a-child-with-a-name-too-long-to-be-kept-inline/{number}").into(),
        }
    }

    fn number(&self) -> u32 {
        let digits = self.as_str().rsplit('/').next().expect("never empty");
        digits.parse().expect("ends in its number")
    }
}

impl Key for u64 {
    fn of(number: u32) -> Self {
        number.into()
    }

    fn number(&self) -> u32 {
        u32::try_from(*self).expect("made from a u32")
    }
}

pub(crate) type Tested<K> = Registry<u32, u32, u32, K, Hashing>;
type Shown<K> = Entry<u32, u32, u32, K>;

/// The names that occur, and some that do not.
pub(crate) struct Names<'a> {
    pub(crate) nodes: &'a [String],
    pub(crate) tags: &'a [String],
}

pub(crate) fn compare<K: Key>(
    registry: &Tested<K>,
    oracle: &Oracle,
    relations: &mut Relations,
    ids: impl Iterator<Item = u32>,
    names: &Names<'_>,
) {
    let ids: Vec<K> = ids.map(K::of).collect();
    points(registry, oracle, relations, &ids);
    batches(registry, oracle, relations, &ids);
    by_tag(registry, oracle, relations, names);
    by_node(registry, oracle, relations, names);
    wholes(registry, oracle, relations);
    counts(registry, oracle, names);
}

fn points<K: Key>(registry: &Tested<K>, oracle: &Oracle, relations: &mut Relations, ids: &[K]) {
    let pin = registry.pin();
    for id in ids {
        let live = oracle.live(id.number());
        let pids: Vec<u32> = live.iter().flat_map(|r| &r.bindings).map(|b| b.1).collect();
        let local = live.and_then(|row| row.pid_on(oracle.local()));
        let present = oracle.present(id.number()).is_some();

        relations.maybe("lookup", registry.lookup(id).as_deref(), live);
        relations.maybe("get_owned", registry.get_owned(id).as_deref(), live);
        assert_eq!(registry.contains(id), live.is_some(), "contains");
        assert_eq!(registry.entry_exists(id), present, "entry_exists");
        assert_eq!(registry.get_pid(id), pids.first().copied(), "get_pid");
        assert_eq!(registry.get_pids(id), pids, "get_pids");
        assert_eq!(registry.local_pid(id), local, "local_pid");

        let entry = pin.lookup(id);
        relations.maybe("pinned lookup", entry, live);
        assert!(entry.is_none_or(|entry| entry.id() == id), "id");
        assert_eq!(pin.contains(id), live.is_some(), "pinned contains");
        assert_eq!(pin.entry_exists(id), present, "pinned entry_exists");
        assert_eq!(pin.get_pid(id), pids.first(), "pinned get_pid");
    }
}

fn batches<K: Key>(registry: &Tested<K>, oracle: &Oracle, relations: &mut Relations, ids: &[K]) {
    // The argument's order counts, and a repetition in it does not.
    let asked = || ids.iter().rev().chain(ids.iter().take(2));
    let mut want: Vec<&K> = ids.iter().rev().collect();
    want.retain(|id| oracle.live(id.number()).is_some());
    assert_eq!(registry.contains_children(asked()), want, "contains_children");

    let pin = registry.pin();
    for five in ids.chunks_exact(5) {
        let got = pin.get_many([&five[3], &five[0], &five[1], &five[3], &five[4]]);
        for (got, at) in got.into_iter().zip([3, 0, 1, 3, 4]) {
            relations.maybe("get_many", got, oracle.live(five[at].number()));
        }
    }
    let mut answered = 0;
    for (got, id) in pin.get_many_iter(asked()).zip(asked()) {
        relations.maybe("get_many_iter", got, oracle.live(id.number()));
        answered += 1;
    }
    assert_eq!(answered, asked().count(), "get_many_iter answers each");
}

/// Compares a list of entries in no order with what it ought to hold, each once.
fn all_once<K: Key, E: Deref<Target = Shown<K>>>(
    what: &str,
    got: impl IntoIterator<Item = E>,
    want: &BTreeMap<u32, &Row>,
    relations: &mut Relations,
) {
    let mut seen = BTreeMap::new();
    for entry in got {
        let id = entry.id().number();
        let row = want.get(&id);
        let row = row.unwrap_or_else(|| panic!("{what} returns {id}, which does not match"));
        relations.same(&entry, row);
        assert!(seen.insert(id, ()).is_none(), "{what} returns {id} twice");
    }
    assert_eq!(seen.len(), want.len(), "{what} misses {want:?}");
}

fn pairs(want: &BTreeMap<u32, &Row>) -> Vec<(u32, Vec<(String, u32)>)> {
    let pair = |(id, row): (&u32, &&Row)| (*id, row.bindings.clone());
    want.iter().map(pair).collect()
}

fn sorted_pairs<K: Key>(
    got: Vec<(K, Vec<(process_registry::Node, u32)>)>,
) -> Vec<(u32, Vec<(String, u32)>)> {
    let mut got: Vec<_> =
        got.into_iter().map(|(id, bindings)| (id.number(), plain(&bindings))).collect();
    got.sort();
    got
}

fn by_tag<K: Key>(
    registry: &Tested<K>,
    oracle: &Oracle,
    relations: &mut Relations,
    names: &Names<'_>,
) {
    let pin = registry.pin();
    for tag in names.tags {
        let want = oracle.tagged(tag);
        assert_eq!(sorted_pairs(registry.match_tag(tag)), pairs(&want), "match_tag");
        all_once("pinned match_tag", pin.match_tag(tag), &want, relations);
    }
    for two in names.tags.windows(2).chain(names.tags.windows(3)) {
        let asked: Vec<&str> = two.iter().map(String::as_str).collect();
        let mut want = oracle.tagged(asked[0]);
        want.retain(|_, row| asked.iter().all(|tag| row.has_tag(tag)));
        assert_eq!(sorted_pairs(registry.match_all(&asked)), pairs(&want), "match_all");
        all_once("pinned match_all", pin.match_all(&asked), &want, relations);
    }
}

fn as_map<K: Key>(
    what: &str,
    got: &HashMap<K, OwnedEntry<u32, u32, u32, K>>,
    want: &BTreeMap<u32, &Row>,
    relations: &mut Relations,
) {
    for (id, entry) in got {
        assert_eq!(id, entry.id(), "{what}: the key is the entry's id");
    }
    all_once(what, got.values().cloned(), want, relations);
}

fn by_node<K: Key>(
    registry: &Tested<K>,
    oracle: &Oracle,
    relations: &mut Relations,
    names: &Names<'_>,
) {
    let pin = registry.pin();
    for node in names.nodes {
        let want = oracle.bound_to(node);
        all_once("children_on", registry.children_on(node), &want, relations);
        all_once("pinned children_on", pin.children_on(node), &want, relations);
    }
    let local = oracle.bound_to(oracle.local());
    all_once("local_data", registry.local_data(), &local, relations);
    as_map("local_children", &registry.local_children(), &local, relations);

    let mut specs = registry.local_child_specs();
    specs.sort_unstable();
    let mut want: Vec<u32> = local.values().map(|row| row.spec).collect();
    want.sort_unstable();
    assert_eq!(specs, want, "local_child_specs");

    let mut pids: Vec<(u32, u32)> =
        registry.process_list(Local).into_iter().map(|(id, pid)| (id.number(), pid)).collect();
    pids.sort_unstable();
    let pid = |row: &Row| row.pid_on(oracle.local()).expect("bound to the local node");
    let want: Vec<(u32, u32)> = local.iter().map(|(id, row)| (*id, pid(row))).collect();
    assert_eq!(pids, want, "process_list(Local)");
}

fn wholes<K: Key>(registry: &Tested<K>, oracle: &Oracle, relations: &mut Relations) {
    let live: BTreeMap<u32, &Row> = oracle.all_live().collect();
    let present: BTreeMap<u32, &Row> = oracle.all_present().collect();
    as_map("dump", &registry.dump(), &live, relations);
    as_map("dump_all", &registry.dump_all(), &present, relations);
    all_once("iter", registry.pin().iter(), &live, relations);

    let mut visited = Vec::new();
    registry.for_each(|entry| visited.push(entry.share()));
    all_once("for_each", visited, &live, relations);
    let mut visited = Vec::new();
    registry.pin().for_each(|entry| visited.push(entry.share()));
    all_once("pinned for_each", visited, &live, relations);

    let listed = registry.process_list(Global);
    assert_eq!(sorted_pairs(listed), pairs(&live), "process_list(Global)");

    #[expect(deprecated, reason = "deprecated from birth, and kept working")]
    let old_style = registry.registry();
    let mut specs = BTreeMap::new();
    let mut bindings = Vec::new();
    for (id, (spec, bound)) in old_style {
        specs.insert(id.number(), spec);
        bindings.push((id, bound));
    }
    assert_eq!(sorted_pairs(bindings), pairs(&live), "registry");
    assert!(live.iter().all(|(id, row)| specs[id] == row.spec), "registry");
}

fn counts<K: Key>(registry: &Tested<K>, oracle: &Oracle, names: &Names<'_>) {
    assert_eq!(registry.len(), oracle.len(), "len");
    assert_eq!(registry.len_all(), oracle.len_all(), "len_all");
    assert_eq!(registry.is_empty(), oracle.len() == 0, "is_empty");

    let want = oracle.tag_counts();
    let mut got: Vec<String> = registry.tags().iter().map(|tag| tag.as_str().into()).collect();
    got.sort();
    assert!(got.iter().eq(want.keys()), "tags(): {got:?}, {want:?}");
    for tag in names.tags {
        let count = want.get(tag).copied().unwrap_or(0);
        assert_eq!(registry.tag_len(tag), count, "tag_len({tag})");
    }

    let want = oracle.node_counts();
    let mut got: Vec<String> = registry.nodes().iter().map(|node| node.as_str().into()).collect();
    got.sort();
    assert!(got.iter().eq(want.keys()), "nodes(): {got:?}, {want:?}");
    for node in names.nodes {
        let count = want.get(node).copied().unwrap_or(0);
        assert_eq!(registry.node_len(node), count, "node_len({node})");
    }
}
