//! What is saved comes back the same, whatever it is and by whatever format.

use std::time::Duration;

use fastrand::Rng;
use process_registry::{Child, Clock, ManualClock, Registry, Snapshot};

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

/// There are formats that know signed integers only.
#[test]
fn a_registry_goes_through_signed_integers() {
    type Saved = Snapshot<String, u32, u8>;
    let clock = ManualClock::new();
    let [original, restored]: [Registry<String, u32, u8>; 2] =
        [(); 2].map(|()| Registry::builder("here").clock(Clock::Manual(clock.clone())).build());
    let child = Child::new("s".into()).on("a", 1).on("b", u32::MAX).tag("x").metadata(7);
    original.insert("permanent", child.clone());
    original.insert("pending", Child::new("s".into()).metadata(8));
    original.insert("lease", child.ttl(60 * SECOND));

    let saved = toml::to_string(&original).unwrap();
    let snapshot: Saved = toml::from_str(&saved).unwrap();
    assert_eq!(restored.restore(snapshot.clone()), 3);
    assert_eq!(toml::from_str::<Saved>(&toml::to_string(&restored).unwrap()).unwrap(), snapshot);

    for number in ["-1", "0", "2"] {
        let wrong = saved.replace("format = 1", &format!("format = {number}"));
        let refused = toml::from_str::<Saved>(&wrong).unwrap_err();
        assert!(refused.message().contains("format"), "{refused}");
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
