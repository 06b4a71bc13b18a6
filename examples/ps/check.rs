//! The final check: the registry against the list it is to mirror, by id, by every tag and by
//! node.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use process_registry::Entry;

use crate::Processes;
use crate::scan::{List, Process, Program};

/// What both sides count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) list: usize,
    pub(crate) registry: usize,
}

impl Tally {
    pub(crate) fn sum<'t>(tallies: impl IntoIterator<Item = &'t Self>) -> Self {
        tallies.into_iter().fold(Self::default(), |sum, one| Self {
            list: sum.list + one.list,
            registry: sum.registry + one.registry,
        })
    }
}

#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) by_id: Tally,
    pub(crate) by_tag: BTreeMap<String, Tally>,
    pub(crate) by_node: BTreeMap<String, Tally>,
    pub(crate) mismatches: Vec<String>,
}

type ProcessEntry = Entry<Arc<Program>, u32>;

impl Check {
    pub(crate) fn run(registry: &Processes, host: &str, list: &List) -> Self {
        let mut check = Self {
            by_id: Tally::default(),
            by_tag: BTreeMap::new(),
            by_node: BTreeMap::new(),
            mismatches: Vec::new(),
        };
        check.ids(registry, host, list);
        check.tags(registry, list);
        check.nodes(registry, host, list);
        check
    }

    pub(crate) fn agrees(&self) -> bool {
        self.mismatches.is_empty()
    }

    pub(crate) fn add_faults(&mut self, faults: impl IntoIterator<Item: Into<String>>) {
        self.mismatches.extend(faults.into_iter().map(Into::into));
    }

    fn ids(&mut self, registry: &Processes, host: &str, list: &List) {
        let pinned = registry.pin();
        for (id, process) in list {
            match pinned.lookup(id.as_str()) {
                None => self.mismatches.push(format!("{id}: not in the registry")),
                Some(entry) => self.mismatches.extend(differences(id, host, process, entry)),
            }
        }
        let walked: Vec<&str> = pinned.iter().map(|entry| entry.id().as_str()).collect();
        self.by_id = self.sets("the walk", list.keys().map(String::as_str).collect(), &walked);
        let found = registry.contains_children(list.keys().map(String::as_str)).len();
        for (what, count) in [("contains_children", found), ("len", registry.len())] {
            if count != list.len() {
                self.mismatches.push(format!("{what}: list {}, registry {count}", list.len()));
            }
        }
    }

    fn tags(&mut self, registry: &Processes, list: &List) {
        let mut expected: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        for (id, process) in list {
            for tag in process.tags() {
                expected.entry(tag).or_default().insert(id);
            }
        }
        for tag in registry.tags() {
            expected.entry(tag.as_str().to_owned()).or_default();
        }
        let pinned = registry.pin();
        for (tag, ids) in expected {
            let what = format!("tag {tag}");
            self.count(&what, ids.len(), registry.tag_len(&tag));
            let members: Vec<&str> =
                pinned.match_tag(&tag).map(|entry| entry.id().as_str()).collect();
            let tally = self.sets(&what, ids, &members);
            self.by_tag.insert(tag, tally);
        }
    }

    fn nodes(&mut self, registry: &Processes, host: &str, list: &List) {
        let mut expected: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        expected.insert(host.to_owned(), list.keys().map(String::as_str).collect());
        for node in registry.nodes() {
            expected.entry(node.as_str().to_owned()).or_default();
        }
        let pinned = registry.pin();
        for (node, ids) in expected {
            let what = format!("node {node}");
            self.count(&what, ids.len(), registry.node_len(&node));
            let members: Vec<&str> =
                pinned.children_on(&node).map(|entry| entry.id().as_str()).collect();
            let tally = self.sets(&what, ids, &members);
            self.by_node.insert(node, tally);
        }
    }

    /// Compares a count the registry keeps.
    fn count(&mut self, what: &str, list: usize, registry: usize) {
        if list != registry {
            self.mismatches.push(format!("{what}: list {list}, the registry counts {registry}"));
        }
    }

    /// Compares the ids of the list with those a query found; nobody writes, so one that comes
    /// twice is wrong too.
    fn sets(&mut self, what: &str, list: BTreeSet<&str>, found: &[&str]) -> Tally {
        let registry: BTreeSet<&str> = found.iter().copied().collect();
        let tally = Tally { list: list.len(), registry: found.len() };
        if list != registry || found.len() != registry.len() {
            let mut message = format!("{what}: list {}, registry {}", tally.list, tally.registry);
            for (side, ids) in [
                ("only in the list", list.difference(&registry)),
                ("only in the registry", registry.difference(&list)),
            ] {
                let ids: Vec<&str> = ids.copied().collect();
                if !ids.is_empty() {
                    message += &format!("; {side}: {}", some_of(&ids));
                }
            }
            if found.len() != registry.len() {
                message += &format!("; {} came twice", found.len() - registry.len());
            }
            self.mismatches.push(message);
        }
        tally
    }
}

/// Where an entry differs from the process it stands for.
fn differences(id: &str, host: &str, process: &Process, entry: &ProcessEntry) -> Vec<String> {
    let mut differences = Vec::new();
    if entry.id().as_str() != id {
        differences.push(format!("{id}: the lookup found {}", entry.id()));
    }
    if entry.spec() != &process.program {
        differences.push(format!(
            "{id}: list has the program {:?}, registry {:?}",
            process.program,
            entry.spec()
        ));
    }
    let listed = [format!("{host}: {}", process.pid)];
    let bound: Vec<String> =
        entry.bindings().iter().map(|(node, pid)| format!("{node}: {pid}")).collect();
    if listed[..] != bound {
        differences.push(format!("{id}: list has the bindings {listed:?}, registry {bound:?}"));
    }
    let expected = process.tags();
    let listed: BTreeSet<&str> = expected.iter().map(String::as_str).collect();
    let carried: BTreeSet<&str> = entry.tags().iter().map(|tag| tag.as_str()).collect();
    if listed != carried {
        differences.push(format!("{id}: list has the tags {listed:?}, registry {carried:?}"));
    }
    differences
}

/// A few of the ids, and how many more there are.
fn some_of(ids: &[&str]) -> String {
    const SHOWN: usize = 5;
    let shown = ids[..ids.len().min(SHOWN)].join(", ");
    match ids.len().checked_sub(SHOWN) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}
