//! Children, entries and registries written.

use std::hash::Hash;
use std::time::Duration;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::child::{Child, Lifetime};
use crate::clock::Moment;
use crate::entry::{Entry, EntryRef, OwnedEntry};
use crate::name::{Node, Tag};
use crate::snapshot::{FORMAT, LifetimeDef, Snapshot};
use crate::state::Registry;

/// A child as it is written, wherever its parts are. What it has to match is `read::ReadChild`.
#[derive(Serialize)]
#[serde(rename = "Child")]
struct WrittenChild<'a, S, P, M> {
    spec: &'a S,
    bindings: &'a [(Node, P)],
    tags: &'a [Tag],
    metadata: &'a M,
    #[serde(with = "LifetimeDef")]
    lifetime: Lifetime,
}

impl<'a, S, P, M> WrittenChild<'a, S, P, M> {
    fn of_child(child: &'a Child<S, P, M>) -> Self {
        Self {
            spec: &child.spec,
            bindings: &child.bindings,
            tags: &child.tags,
            metadata: &child.metadata,
            lifetime: child.lifetime,
        }
    }

    fn of_entry<K>(entry: &'a Entry<S, P, M, K>, now: Moment) -> Self {
        Self {
            spec: entry.spec(),
            bindings: entry.bindings(),
            tags: entry.tags(),
            metadata: entry.metadata(),
            lifetime: remaining(entry.due(), now),
        }
    }
}

/// The lifetime that is left of one that ends at `due`.
fn remaining(due: Moment, now: Moment) -> Lifetime {
    if due == Moment::NEVER {
        return Lifetime::Permanent;
    }
    match (due.to_instant(), now.to_instant()) {
        (Some(due), Some(now)) => Lifetime::For(due.saturating_duration_since(now)),
        // What the platform cannot express is written as what the clock cannot.
        _ => Lifetime::For(Duration::MAX),
    }
}

/// With everything that was given to it, lifetime included.
impl<S: Serialize, P: Serialize, M: Serialize> Serialize for Child<S, P, M> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        WrittenChild::of_child(self).serialize(serializer)
    }
}

/// Id, specification, bindings, tags, metadata, incarnation and version; for information, it cannot be read
/// back. Without the deadline: an [`Instant`](std::time::Instant) means nothing elsewhere, and only the clock
/// of the registry knows how far off it is.
///
/// What is saved in order to be restored is a [`Registry`].
impl<S: Serialize, P: Serialize, M: Serialize, K: Serialize> Serialize for Entry<S, P, M, K> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        let mut entry = serializer.serialize_struct("Entry", 7)?;
        entry.serialize_field("id", self.id())?;
        entry.serialize_field("spec", self.spec())?;
        entry.serialize_field("bindings", self.bindings())?;
        entry.serialize_field("tags", self.tags())?;
        entry.serialize_field("metadata", self.metadata())?;
        entry.serialize_field("incarnation", &self.incarnation())?;
        entry.serialize_field("version", &self.version())?;
        entry.end()
    }
}

/// As the [`Entry`].
impl<S: Serialize, P: Serialize, M: Serialize, K: Serialize> Serialize for OwnedEntry<S, P, M, K> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        (**self).serialize(serializer)
    }
}

/// As the [`Entry`]; under its pin.
impl<S: Serialize, P: Serialize, M: Serialize, K: Serialize> Serialize
    for EntryRef<'_, S, P, M, K>
{
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        (**self).serialize(serializer)
    }
}

/// As a [`Snapshot`]: everything that it holds.
///
/// Gathers the entries first, which takes time in proportion to the size of the table and a word for each of
/// them, and holds up the freeing of memory meanwhile. Then it writes them, under no pin; what is removed
/// while it does is kept until it is done.
impl<S, P, M, K, H> Serialize for Registry<S, P, M, K, H>
where
    S: Serialize,
    P: Serialize,
    M: Serialize,
    K: Serialize + Hash + Eq,
{
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        let entries = self.keep_all();
        // After the walk, so that none gets more time than it has.
        let now = self.clock.now();
        let children =
            || entries.iter().map(|entry| (entry.id(), WrittenChild::of_entry(entry, now)));
        write(serializer, &self.local_node, children)
    }
}

/// As it was read.
impl<S, P, M, K> Serialize for Snapshot<S, P, M, K>
where
    S: Serialize,
    P: Serialize,
    M: Serialize,
    K: Serialize,
{
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        write(serializer, &self.local_node, || self.iter())
    }
}

/// What has to match is `read::ReadSnapshot`. The format comes first, for those who read in order.
fn write<Z, I>(
    serializer: Z,
    local_node: &Node,
    children: impl Fn() -> I,
) -> Result<Z::Ok, Z::Error>
where
    Z: Serializer,
    I: Iterator<Item: Serialize>,
{
    let mut snapshot = serializer.serialize_struct("Snapshot", 3)?;
    snapshot.serialize_field("format", &FORMAT)?;
    snapshot.serialize_field("local_node", local_node)?;
    snapshot.serialize_field("children", &Sequence(children))?;
    snapshot.end()
}

struct Sequence<F>(F);

impl<F: Fn() -> I, I: Iterator<Item: Serialize>> Serialize for Sequence<F> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        serializer.collect_seq((self.0)())
    }
}
