//! Children and snapshots read, and checked while they are, so that an error has the position of what is
//! wrong.

use std::collections::HashSet;
use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Error, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use smallvec::{Array, SmallVec};
use smol_str::SmolStr;

use crate::child::{Bindings, Child, Lifetime, Tags};
use crate::name::{Node, Tag};
use crate::snapshot::{Children, FORMAT, LifetimeDef, Snapshot};

/// For so many children room is made in advance at most: the length that the input claims may be wrong.
const IN_ADVANCE: usize = 1024;

/// Lists up to this length are searched; for longer ones the names are hashed.
const FEW: usize = 16;

/// What `write::WrittenChild` writes.
#[derive(Deserialize)]
#[serde(
    rename = "Child",
    deny_unknown_fields,
    bound = "S: Deserialize<'de>, P: Deserialize<'de>, M: Deserialize<'de>"
)]
struct ReadChild<S, P, M> {
    #[serde(deserialize_with = "needed")]
    spec: S,
    #[serde(deserialize_with = "distinct")]
    bindings: Bindings<P>,
    #[serde(deserialize_with = "distinct")]
    tags: Tags,
    #[serde(deserialize_with = "needed")]
    metadata: M,
    #[serde(with = "LifetimeDef")]
    lifetime: Lifetime,
}

/// For a field that may be an `Option`: otherwise one that is not there would be taken for `None`.
fn needed<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    T::deserialize(deserializer)
}

/// From what `Serialize` writes, with every field. A node that is bound twice is an error, and so is a tag that is there
/// twice.
impl<'de, S, P, M> Deserialize<'de> for Child<S, P, M>
where
    S: Deserialize<'de>,
    P: Deserialize<'de>,
    M: Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ReadChild { spec, bindings, tags, metadata, lifetime } =
            ReadChild::deserialize(deserializer)?;
        Ok(Self { spec, bindings, tags, metadata, lifetime })
    }
}

/// What `write::write` writes.
#[derive(Deserialize)]
#[serde(
    rename = "Snapshot",
    deny_unknown_fields,
    bound = "S: Deserialize<'de>, P: Deserialize<'de>, M: Deserialize<'de>, K: Deserialize<'de> + Hash + Eq"
)]
struct ReadSnapshot<S, P, M, K> {
    #[serde(rename = "format", deserialize_with = "format")]
    _format: (),
    local_node: Node,
    #[serde(deserialize_with = "children")]
    children: Children<S, P, M, K>,
}

/// Checked as the documentation of [`Snapshot`] has it.
impl<'de, S, P, M, K> Deserialize<'de> for Snapshot<S, P, M, K>
where
    S: Deserialize<'de>,
    P: Deserialize<'de>,
    M: Deserialize<'de>,
    K: Deserialize<'de> + Hash + Eq,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ReadSnapshot { _format, local_node, children } =
            ReadSnapshot::deserialize(deserializer)?;
        Ok(Self { local_node, children })
    }
}

fn format<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    deserializer.deserialize_u64(Format)
}

/// Accepts the number of the one format. Within the visitor, because a format that has positions puts them
/// into errors that come from there.
struct Format;

impl Visitor<'_> for Format {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the number of the format, {FORMAT}")
    }

    fn visit_u64<E: Error>(self, format: u64) -> Result<(), E> {
        if format == FORMAT {
            return Ok(());
        }
        Err(E::custom(format_args!(
            "a snapshot of format {format}; this version of process-registry reads format {FORMAT}"
        )))
    }

    /// Of formats that hand all integers over as signed ones, as TOML does.
    fn visit_i64<E: Error>(self, format: i64) -> Result<(), E> {
        match u64::try_from(format) {
            Ok(format) => self.visit_u64(format),
            Err(_) => Err(E::invalid_value(Unexpected::Signed(format), &self)),
        }
    }
}

/// What has a name that may occur but once in a list.
trait Named {
    const LIST: &'static str;
    const TWICE: &'static str;

    fn name(&self) -> &SmolStr;
}

impl<P> Named for (Node, P) {
    const LIST: &'static str = "a list of bindings, pairs of node and pid";
    const TWICE: &'static str = "a child is bound twice to node";

    fn name(&self) -> &SmolStr {
        self.0.name()
    }
}

impl Named for Tag {
    const LIST: &'static str = "a list of tags";
    const TWICE: &'static str = "a child has twice the tag";

    fn name(&self) -> &SmolStr {
        self.name()
    }
}

fn distinct<'de, D, A>(deserializer: D) -> Result<SmallVec<A>, D::Error>
where
    D: Deserializer<'de>,
    A: Array<Item: Named + Deserialize<'de>>,
{
    deserializer.deserialize_seq(Distinct(PhantomData))
}

struct Distinct<A>(PhantomData<fn() -> A>);

impl<'de, A: Array<Item: Named + Deserialize<'de>>> Visitor<'de> for Distinct<A> {
    type Value = SmallVec<A>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(A::Item::LIST)
    }

    fn visit_seq<Q: SeqAccess<'de>>(self, mut input: Q) -> Result<SmallVec<A>, Q::Error> {
        let mut list = SmallVec::<A>::new();
        let mut names = HashSet::new();
        while let Some(item) = input.next_element::<A::Item>()? {
            let twice = if list.len() < FEW {
                list.iter().any(|other| other.name() == item.name())
            } else {
                if names.is_empty() {
                    names.extend(list.iter().map(|other| other.name().clone()));
                }
                !names.insert(item.name().clone())
            };
            if twice {
                let (what, name) = (A::Item::TWICE, item.name());
                return Err(Error::custom(format_args!("{what} {name:?}")));
            }
            list.push(item);
        }
        Ok(list)
    }
}

fn children<'de, D, S, P, M, K>(deserializer: D) -> Result<Children<S, P, M, K>, D::Error>
where
    D: Deserializer<'de>,
    S: Deserialize<'de>,
    P: Deserialize<'de>,
    M: Deserialize<'de>,
    K: Deserialize<'de> + Hash + Eq,
{
    deserializer.deserialize_seq(Many(PhantomData))
}

/// Reads all children.
struct Many<T>(PhantomData<fn() -> T>);

impl<'de, S, P, M, K> Visitor<'de> for Many<Children<S, P, M, K>>
where
    S: Deserialize<'de>,
    P: Deserialize<'de>,
    M: Deserialize<'de>,
    K: Deserialize<'de> + Hash + Eq,
{
    type Value = Children<S, P, M, K>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of children")
    }

    fn visit_seq<Q: SeqAccess<'de>>(self, mut input: Q) -> Result<Self::Value, Q::Error> {
        let room = input.size_hint().unwrap_or(0).min(IN_ADVANCE);
        let mut children = Children::with_capacity_and_hasher(room, Default::default());
        while input.next_element_seed(One(&mut children))?.is_some() {}
        Ok(children)
    }
}

/// Reads one child into the others. A visitor of its own, so that an error of it has its position.
struct One<'a, S, P, M, K>(&'a mut Children<S, P, M, K>);

impl<'de, S, P, M, K> DeserializeSeed<'de> for One<'_, S, P, M, K>
where
    S: Deserialize<'de>,
    P: Deserialize<'de>,
    M: Deserialize<'de>,
    K: Deserialize<'de> + Hash + Eq,
{
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_tuple(2, self)
    }
}

impl<'de, S, P, M, K> Visitor<'de> for One<'_, S, P, M, K>
where
    S: Deserialize<'de>,
    P: Deserialize<'de>,
    M: Deserialize<'de>,
    K: Deserialize<'de> + Hash + Eq,
{
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a pair of id and child")
    }

    fn visit_seq<Q: SeqAccess<'de>>(self, mut input: Q) -> Result<(), Q::Error> {
        let id = input.next_element()?.ok_or_else(|| Error::invalid_length(0, &self))?;
        if self.0.contains_key(&id) {
            let number = self.0.len() + 1;
            return Err(Error::custom(format_args!("child {number} has the id of an earlier one")));
        }
        let child = input.next_element()?.ok_or_else(|| Error::invalid_length(1, &self))?;
        self.0.insert(id, Box::new(child));
        Ok(())
    }
}
