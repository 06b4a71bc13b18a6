//! What the test binaries share. Each uses its part.
#![allow(dead_code, unused_imports, reason = "each test binary uses its part")]

pub(crate) mod hashing;
pub(crate) mod ledger;
pub(crate) mod oracle;
pub(crate) mod race;
pub(crate) mod recorder;
pub(crate) mod rigged;
pub(crate) mod world;

use std::hash::{BuildHasher, Hash};

use process_registry::{Entry, Node, Registry};

pub(crate) use hashing::Hashing;
pub(crate) use recorder::{Heard, Recorder};

/// An environment variable as a number.
pub(crate) fn from_env(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().expect("a number"),
        Err(_) => default,
    }
}

/// The bindings with their nodes as plain strings.
pub(crate) fn plain<P: Clone>(bindings: &[(Node, P)]) -> Vec<(String, P)> {
    let plain = bindings.iter().map(|(node, pid)| (node.as_str().to_owned(), pid.clone()));
    plain.collect()
}

/// The tags of an entry as plain strings.
pub(crate) fn tags_of<S, P, M, K>(entry: &Entry<S, P, M, K>) -> Vec<String> {
    entry.tags().iter().map(|tag| tag.as_str().to_owned()).collect()
}

/// Checks every count of a quiescent registry against a walk over its entries. Nothing in it may
/// have expired.
#[track_caller]
pub(crate) fn counts_match_a_walk<S, P, M, K, H>(registry: &Registry<S, P, M, K, H>)
where
    K: Hash + Eq + Clone,
    H: BuildHasher,
{
    use std::collections::BTreeMap;

    let all = registry.dump_all();
    let mut live = 0;
    let mut tags: BTreeMap<String, usize> = BTreeMap::new();
    let mut nodes: BTreeMap<String, usize> = BTreeMap::new();
    for entry in all.values().filter(|entry| !entry.bindings().is_empty()) {
        live += 1;
        for tag in entry.tags() {
            *tags.entry(tag.as_str().to_owned()).or_default() += 1;
        }
        for (node, _) in entry.bindings() {
            *nodes.entry(node.as_str().to_owned()).or_default() += 1;
        }
    }
    assert_eq!(registry.len_all(), all.len(), "len_all");
    assert_eq!(registry.len(), live, "len");
    assert_eq!(registry.is_empty(), live == 0, "is_empty");
    assert_eq!(registry.dump().len(), live, "dump");
    assert_eq!(registry.pin().iter().count(), live, "iter");

    let mut named: Vec<String> = registry.tags().iter().map(|tag| tag.as_str().into()).collect();
    named.sort();
    assert_eq!(named, tags.keys().cloned().collect::<Vec<_>>(), "tags()");
    for (tag, members) in &tags {
        assert_eq!(registry.tag_len(tag), *members, "tag_len({tag})");
        assert_eq!(registry.pin().match_tag(tag).count(), *members, "match_tag({tag})");
    }
    let mut named: Vec<String> = registry.nodes().iter().map(|node| node.as_str().into()).collect();
    named.sort();
    assert_eq!(named, nodes.keys().cloned().collect::<Vec<_>>(), "nodes()");
    for (node, members) in &nodes {
        assert_eq!(registry.node_len(node), *members, "node_len({node})");
        assert_eq!(registry.children_on(node).len(), *members, "children_on({node})");
    }
}
