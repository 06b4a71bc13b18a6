//! What is saved comes back the same, whatever it is and by whatever format.

use std::time::Duration;

use fastrand::Rng;
use process_registry::{Child, Registry, Snapshot};
use serde::de::value::MapDeserializer;
use serde::de::{IntoDeserializer, Visitor};
use serde::{Deserialize, Deserializer, forward_to_deserialize_any};
use serde_json::Value;

use crate::making::{contents, registry};
use crate::support::{counts_match_a_walk, from_env};
use crate::{Jobs, SECOND, Saved, read, text, world};

/// Through a format, there and back.
type Way = fn(&Jobs) -> Saved;

const WAYS: [(&str, Way); 4] = [
    ("text", |registry| read(&text(registry))),
    ("a reader", |registry| {
        let pretty = serde_json::to_vec_pretty(registry).unwrap();
        serde_json::from_reader(&*pretty).unwrap()
    }),
    // Fields in the order of their names: the format does not come first.
    ("a value", |registry| {
        serde_json::from_value(serde_json::to_value(registry).unwrap()).unwrap()
    }),
    // Does not describe itself.
    ("bytes", |registry| postcard::from_bytes(&postcard::to_stdvec(registry).unwrap()).unwrap()),
];

#[test]
fn a_restored_registry_is_the_same() {
    for seed in 0..200 * from_env("STRESS", 1) {
        let mut rng = Rng::with_seed(seed);
        let (original, clock) = registry(&mut rng, 40);
        let expected = contents(&original, &clock);
        let all_restored = WAYS.map(|(way, through)| {
            let snapshot = through(&original);
            assert_eq!(snapshot.len(), expected.len(), "seed {seed}, {way}");
            let (restored, later) = world(rng.u32(1000..2000) * SECOND);
            assert_eq!(restored.restore(snapshot.clone()), expected.len());
            assert_eq!(contents(&restored, &later), expected, "seed {seed}, {way}");
            counts_match_a_walk(&restored);
            assert_eq!(through(&restored), snapshot, "seed {seed}, {way}: saved again");
            (restored, later)
        });

        // Time goes on alike.
        let pass = Duration::from_nanos(rng.u64(..2_000_000_000));
        clock.advance(pass);
        let expected = contents(&original, &clock);
        for (restored, later) in all_restored {
            later.advance(pass);
            assert_eq!(contents(&restored, &later), expected, "seed {seed}: later");
            assert_eq!(read(&text(&restored)), read(&text(&original)), "seed {seed}: later");
        }
    }
}

/// A field of a snapshot, as a format hands it over that knows signed integers only, such as TOML.
struct Signed(Value);

impl<'de> Deserializer<'de> for Signed {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self.0.as_i64() {
            Some(number) => visitor.visit_i64(number),
            None => self.0.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl IntoDeserializer<'_, serde_json::Error> for Signed {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

fn signed(saved: Value) -> Result<Saved, serde_json::Error> {
    let Value::Object(fields) = saved else { panic!("a snapshot has fields: {saved}") };
    let fields = fields.into_iter().map(|(name, value)| (name, Signed(value)));
    Saved::deserialize(MapDeserializer::new(fields))
}

#[test]
fn a_registry_goes_through_signed_integers() {
    let (original, _) = world(SECOND);
    let child = Child::new("s".into()).on("a", 1).on("b", u32::MAX).tag("x").metadata(Some(7));
    original.insert("permanent", child.clone());
    original.insert("pending", Child::new("s".into()).metadata(None));
    original.insert("lease", child.ttl(60 * SECOND));

    let saved = serde_json::to_value(&original).unwrap();
    let snapshot = signed(saved.clone()).unwrap();
    let (restored, _) = world(SECOND);
    assert_eq!(restored.restore(snapshot.clone()), 3);
    assert_eq!(signed(serde_json::to_value(&restored).unwrap()).unwrap(), snapshot);

    for number in [-1, 0, 2] {
        let mut wrong = saved.clone();
        wrong["format"] = number.into();
        let refused = signed(wrong).unwrap_err().to_string();
        assert!(refused.contains("format"), "{refused}");
    }
}

/// A million of them, where the code is fast.
#[test]
fn many_children_are_restored() {
    const MANY: u64 = if cfg!(debug_assertions) { 100_000 } else { 1_000_000 };
    let original: Registry<u8, u64, (), u64> =
        Registry::builder("here").capacity(MANY as usize).build();
    for id in 0..MANY {
        let child = Child::new((id % 7) as u8).tag(TAGS[(id % 3) as usize]);
        original.insert(id, if id % 10 == 0 { child } else { child.on("here", id * 3) });
    }
    let saved = postcard::to_stdvec(&original).unwrap();
    drop(original);

    let snapshot: Snapshot<u8, u64, (), u64> = postcard::from_bytes(&saved).unwrap();
    let restored: Registry<u8, u64, (), u64> = Registry::new("there");
    assert_eq!(restored.restore(snapshot), MANY as usize);
    assert_eq!((restored.len_all(), restored.len()), (MANY as usize, MANY as usize / 10 * 9));
    assert_eq!(restored.node_len("here"), restored.len());
    let tagged: usize = TAGS.iter().map(|tag| restored.tag_len(tag)).sum();
    assert_eq!(tagged, restored.len());
    let pinned = restored.pin();
    let mut found = 0;
    for id in 0..MANY {
        if let Some(entry) = pinned.lookup(&id) {
            assert_eq!((entry.pid(), *entry.spec()), (Some(&(id * 3)), (id % 7) as u8));
            assert_eq!(entry.tags(), [TAGS[(id % 3) as usize]]);
            found += 1;
        }
    }
    assert_eq!(found, restored.len());
}

const TAGS: [&str; 3] = ["red", "green", "blue"];
