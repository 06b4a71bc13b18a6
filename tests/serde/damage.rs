//! Damaged input: an error that says where, and a registry that is as it was.

use fastrand::Rng;
use process_registry::{Child, Snapshot};
use serde::de::value::{self, SeqDeserializer};
use serde::de::{DeserializeSeed, IntoDeserializer, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, forward_to_deserialize_any};
use serde_json::error::Category;

use crate::making::{contents, registry};
use crate::support::{counts_match_a_walk, from_env};
use crate::{Saved, read, text};

/// A part of `GOOD`, what it is damaged into, and what is said about that.
const WRONG: [(&str, &str, &str); 15] = [
    (
        "\"format\": 1",
        "\"format\": 2",
        "a snapshot of format 2; this version of process-registry reads format 1",
    ),
    (
        "\"format\": 1",
        "\"format\": \"1\"",
        "invalid type: string \"1\", expected the number of the format, 1",
    ),
    (
        "\"format\": 1",
        "\"format\": -1",
        "invalid value: integer `-1`, expected the number of the format, 1",
    ),
    (
        "\"local_node\": \"here\"",
        "\"local_node\": 7",
        "invalid type: integer `7`, expected the name of a node, a string",
    ),
    (
        "\"local_node\"",
        "\"local-node\"",
        "unknown field `local-node`, expected one of `format`, `local_node`, `children`",
    ),
    ("[\"y\"", "[\"x\"", "child 2 has the id of an earlier one"),
    ("[\"y\"", "[[\"y\"]", "invalid type: sequence, expected the id of a child, a string"),
    ("[\"b\", 2]", "[\"a\", 2]", "a child is bound twice to node \"a\""),
    ("[\"b\", 2]", "[\"b\"]", "invalid length 1, expected a tuple of size 2"),
    ("[\"b\", 2]", "[\"b\", -2]", "invalid value: integer `-2`, expected u32"),
    ("[\"b\", 2]", "2", "invalid type: integer `2`, expected a tuple of size 2"),
    ("[\"t\", \"u\"]", "[\"t\", \"t\"]", "a child has twice the tag \"t\""),
    ("[\"t\", \"u\"]", "\"t\"", "invalid type: string \"t\", expected a list of tags"),
    (
        "\"permanent\"",
        "\"forever\"",
        "unknown variant `forever`, expected one of `keep`, `permanent`, `ttl`",
    ),
    ("\n}", "\n} x", "trailing characters"),
];

const GOOD: &str = r#"{
  "format": 1,
  "local_node": "here",
  "children": [
    ["x", {
      "spec": "s", "bindings": [["a", 1], ["b", 2]],
      "tags": ["t", "u"], "metadata": null,
      "lifetime": "permanent" }],
    ["y", {
      "spec": "s", "bindings": [], "tags": [], "metadata": 7,
      "lifetime": {"ttl": {"secs": 1, "nanos": 5}} }]
  ]
}"#;

#[test]
fn an_error_says_what_is_wrong_and_where() {
    assert_eq!(read(GOOD).len(), 2);
    for (part, wrong, message) in WRONG {
        assert_eq!(GOOD.matches(part).count(), 1, "{part}");
        let damaged = GOOD.replace(part, wrong);
        let error = serde_json::from_str::<Saved>(&damaged).unwrap_err();
        assert!(error.to_string().starts_with(message), "{wrong}: {error}");

        let lines = damaged.split_inclusive('\n').take(error.line() - 1);
        let position = lines.map(str::len).sum::<usize>() + error.column();
        let start = GOOD.find(part).unwrap();
        // It may have read the separator that follows.
        let end = start + wrong.len() + 2;
        assert!((start..=end).contains(&position), "{wrong}: {error}");
    }
}

#[test]
fn every_field_is_needed_and_known() {
    for field in
        ["format", "local_node", "children", "spec", "bindings", "tags", "metadata", "lifetime"]
    {
        let error = serde_json::from_str::<Saved>(&GOOD.replacen(field, "other", 1)).unwrap_err();
        assert!(error.to_string().starts_with("unknown field `other`"), "{field}: {error}");

        let mut value: serde_json::Value = serde_json::from_str(GOOD).unwrap();
        let child = value["children"][0][1].as_object_mut().unwrap();
        if child.remove(field).is_none() {
            value.as_object_mut().unwrap().remove(field).unwrap();
        }
        let error = serde_json::from_str::<Saved>(&value.to_string()).unwrap_err();
        assert!(error.to_string().starts_with(&format!("missing field `{field}`")), "{error}");
    }
}

/// Names are compared one by one in short lists and hashed in long ones.
#[test]
fn a_name_that_comes_twice_is_found_in_lists_of_any_length() {
    for length in 0..40 {
        let names: Vec<_> = (0..length).map(|at| format!("n{at}")).collect();
        let child = Child::<_, u8>::new("s").tagged(&names);
        let child = names.iter().fold(child, |child, node| child.on(node, 0));
        assert_eq!(serde_json::from_str::<Child<&str, u8>>(&text(&child)).unwrap(), child);
        for first in 0..length {
            let value = serde_json::to_value(&child).unwrap();
            for list in ["tags", "bindings"] {
                let mut value = value.clone();
                let again = value[list][first].clone();
                value[list].as_array_mut().unwrap().push(again);
                let error =
                    serde_json::from_str::<Child<&str, u8>>(&value.to_string()).unwrap_err();
                assert!(error.to_string().contains("twice"), "{error}");
                assert!(error.to_string().contains(&format!("\"n{first}\"")), "{error}");
            }
        }
    }
}

#[test]
fn what_breaks_off_is_refused_wherever_it_does() {
    for length in 0..GOOD.len() {
        let half = &GOOD[..length];
        let error = serde_json::from_str::<Saved>(half).unwrap_err();
        assert_eq!(error.classify(), Category::Eof, "{length}: {error}");
        let line = half.matches('\n').count() + 1;
        let column = length - half.rfind('\n').map_or(0, |at| at + 1);
        assert_eq!((error.line(), error.column()), (line, column), "{length}: {error}");
    }
    let bytes = postcard::to_stdvec(&read(GOOD)).unwrap();
    for length in 0..bytes.len() {
        assert!(postcard::from_bytes::<Saved>(&bytes[..length]).is_err(), "{length}");
    }
}

/// A snapshot without children whose list of them claims to be as long as a list can be.
enum Part {
    Format,
    LocalNode,
    Children,
}

impl<'de> Deserializer<'de> for Part {
    type Error = value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, value::Error> {
        match self {
            Self::Format => visitor.visit_u64(1),
            Self::LocalNode => visitor.visit_str("here"),
            Self::Children => visitor.visit_seq(self),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl IntoDeserializer<'_> for Part {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> SeqAccess<'de> for Part {
    type Error = value::Error;

    fn next_element_seed<T>(&mut self, _: T) -> Result<Option<T::Value>, value::Error>
    where
        T: DeserializeSeed<'de>,
    {
        Ok(None)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(usize::MAX)
    }
}

/// Room is not made for what is only claimed to come.
#[test]
fn a_wrong_length_costs_nothing() {
    let parts = [Part::Format, Part::LocalNode, Part::Children];
    let snapshot = Saved::deserialize(SeqDeserializer::new(parts.into_iter())).unwrap();
    assert!(snapshot.is_empty());

    let empty = postcard::to_stdvec(&snapshot).unwrap();
    let (length, start) = empty.split_last().unwrap();
    assert_eq!(*length, 0);
    let huge = [start, &postcard::to_stdvec(&(u64::MAX >> 1)).unwrap()].concat();
    assert!(postcard::from_bytes::<Saved>(&huge).is_err());
}

/// Damages a few bytes in one of the ways in which files are.
fn damage(bytes: &mut Vec<u8>, rng: &mut Rng) {
    for _ in 0..rng.u8(1..4) {
        let at = rng.usize(..bytes.len().max(1));
        let end = bytes.len().min(at + rng.usize(1..200));
        match rng.u8(..6) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            3 => bytes.insert(at, rng.u8(..)),
            4 if !bytes.is_empty() => bytes[at] ^= 1 << rng.u8(..8),
            _ if !bytes.is_empty() => bytes[at] = b"0123456789,:[]{}\"\\ tfn-"[rng.usize(..23)],
            _ => {}
        }
    }
}

/// Either an error that has a position, and the registry is as it was; or a snapshot of something else, and
/// the registry is whole and holds it.
#[test]
fn damage_is_refused_or_harmless() {
    let (mut refused, mut harmless) = (0, 0);
    for seed in 0..200 * from_env("STRESS", 1) {
        let mut rng = Rng::with_seed(seed);
        let saved = text(&registry(&mut rng, 8).0);
        let (target, clock) = registry(&mut rng, 8);
        for _ in 0..50 {
            let mut bytes = saved.clone().into_bytes();
            damage(&mut bytes, &mut rng);
            let before = contents(&target, &clock);
            match serde_json::from_slice::<Saved>(&bytes) {
                Err(error) => {
                    let lines = bytes.iter().filter(|byte| **byte == b'\n').count() + 1;
                    assert!((1..=lines).contains(&error.line()), "seed {seed}: {error}");
                    assert!(error.column() <= bytes.len(), "seed {seed}: {error}");
                    assert_eq!(contents(&target, &clock), before, "seed {seed}");
                    refused += 1;
                }
                Ok(snapshot) => {
                    holds(&target, snapshot);
                    harmless += 1;
                }
            }
        }
    }
    assert!(refused > 10 * harmless && harmless > 20, "{refused} refused, {harmless} harmless");
}

/// The same for a format whose every byte means something.
#[test]
fn damaged_bytes_are_refused_or_harmless() {
    let (mut refused, mut harmless) = (0, 0);
    for seed in 0..200 * from_env("STRESS", 1) {
        let mut rng = Rng::with_seed(seed);
        let saved = postcard::to_stdvec(&registry(&mut rng, 8).0).unwrap();
        let (target, clock) = registry(&mut rng, 8);
        for _ in 0..50 {
            let mut bytes = saved.clone();
            damage(&mut bytes, &mut rng);
            let before = contents(&target, &clock);
            match postcard::from_bytes::<Saved>(&bytes) {
                Err(_) => {
                    assert_eq!(contents(&target, &clock), before, "seed {seed}");
                    refused += 1;
                }
                Ok(snapshot) => {
                    holds(&target, snapshot);
                    harmless += 1;
                }
            }
        }
    }
    assert!(refused > 1000 && harmless > 100, "{refused} refused, {harmless} harmless");
}

/// Restores a snapshot of whatever and checks that the registry holds it.
#[track_caller]
fn holds(target: &crate::Jobs, snapshot: Snapshot<String, u32, Option<i64>>) {
    let expected = snapshot.clone();
    assert_eq!(target.restore(snapshot), expected.len());
    let after = read(&text(target));
    for (id, child) in expected.iter() {
        match after.get(id) {
            Some(restored) => assert_eq!(restored.clone().permanent(), child.clone().permanent()),
            // A deadline of zero.
            None => assert!(!target.entry_exists(id)),
        }
    }
    target.purge_expired();
    counts_match_a_walk(target);
}
