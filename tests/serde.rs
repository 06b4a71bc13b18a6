//! Registries that are saved and restored: what is written, what comes back, what is refused.

mod support;

#[path = "serde/damage.rs"]
mod damage;
#[path = "serde/making.rs"]
mod making;
#[path = "serde/round_trips.rs"]
mod round_trips;

use std::iter::FusedIterator;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use process_registry::{
    Child, ChildId, Clock, IntoChildren, ManualClock, Node, Registry, Snapshot, Tag,
};
use serde::de::DeserializeOwned;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use support::race::watched;
use support::{Hashing, counts_match_a_walk};

const SECOND: Duration = Duration::from_secs(1);

type Jobs = Registry<String, u32, Option<i64>>;
type Saved = Snapshot<String, u32, Option<i64>>;

/// A registry on node `here` with time of its own, which began a while ago.
fn world(age: Duration) -> (Jobs, ManualClock) {
    let clock = ManualClock::new();
    clock.advance(age);
    (Registry::builder("here").clock(Clock::Manual(clock.clone())).build(), clock)
}

fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain data")
}

#[track_caller]
fn read(text: &str) -> Saved {
    serde_json::from_str(text).expect("a snapshot")
}

#[test]
fn snapshots_are_ordinary_values() {
    fn send_and_sync<T: Send + Sync>() {}
    fn fused<T: FusedIterator + ExactSizeIterator>(_: T) {}
    send_and_sync::<(Saved, IntoChildren<u8, u8>)>();
    let snapshot = read(&text(&world(SECOND).0));
    fused(snapshot.iter());
    fused(snapshot.into_iter());
}

#[test]
fn names_are_plain_strings() {
    fn there_and_back<T: Serialize + DeserializeOwned + PartialEq + for<'s> From<&'s str>>() {
        for name in
            ["", "a", "exactly-23-bytes-inline", "a name of more than 23 bytes", "ö\"\n\u{1F980}"]
        {
            let written = text(&T::from(name));
            assert_eq!(written, text(&name));
            assert!(serde_json::from_str::<T>(&written).expect("a name") == T::from(name));
            // From a reader, which has no string to lend.
            assert!(
                serde_json::from_reader::<_, T>(written.as_bytes()).expect("a name")
                    == T::from(name)
            );
        }
    }
    there_and_back::<ChildId>();
    there_and_back::<Node>();
    there_and_back::<Tag>();

    let refused = serde_json::from_str::<Node>("7").unwrap_err();
    let expected =
        "invalid type: integer `7`, expected the name of a node, a string at line 1 column 1";
    assert_eq!(refused.to_string(), expected);
    let refused = serde_json::from_str::<Tag>("null").unwrap_err();
    assert!(refused.to_string().contains("expected a tag, a string"), "{refused}");
    let refused = serde_json::from_str::<ChildId>("[]").unwrap_err();
    assert!(refused.to_string().contains("expected the id of a child, a string"), "{refused}");
}

#[test]
fn children_are_written_with_everything() {
    let child = Child::new("spec").on("b", 2).on("a", 1).tagged(["y", "x"]).metadata(7);
    let parts = json!({
        "spec": "spec",
        "bindings": [["b", 2], ["a", 1]],
        "tags": ["y", "x"],
        "metadata": 7,
        "lifetime": "keep",
    });
    assert_eq!(serde_json::to_value(&child).unwrap(), parts);

    for (child, lifetime) in [
        (child.clone(), json!("keep")),
        (child.clone().permanent(), json!("permanent")),
        (child.clone().ttl(Duration::new(30, 5)), json!({"ttl": {"secs": 30, "nanos": 5}})),
        (child.clone().ttl(Duration::ZERO), json!({"ttl": {"secs": 0, "nanos": 0}})),
        (child.ttl(Duration::MAX), json!({"ttl": {"secs": u64::MAX, "nanos": 999_999_999}})),
    ] {
        let written = text(&child);
        assert_eq!(serde_json::from_str::<Value>(&written).unwrap()["lifetime"], lifetime);
        assert_eq!(serde_json::from_str::<Child<&str, u32, i32>>(&written).unwrap(), child);
        let packed = postcard::to_stdvec(&child).unwrap();
        assert_eq!(postcard::from_bytes::<Child<&str, u32, i32>>(&packed).unwrap(), child);
    }
}

#[test]
fn entries_are_written_for_information() {
    let (registry, _) = world(SECOND);
    let child = Child::new("old".into()).on("a", 1).tag("x").metadata(Some(7)).ttl(SECOND);
    registry.insert("id", child);
    registry.update("id", |child| child.set_spec("new".into())).unwrap();
    let entry = registry.get_owned("id").unwrap();
    let parts = json!({
        "id": "id",
        "spec": "new",
        "bindings": [["a", 1]],
        "tags": ["x"],
        "metadata": 7,
        "incarnation": entry.incarnation(),
        "version": 2,
    });
    assert_eq!(serde_json::to_value(&*entry).unwrap(), parts);
    assert_eq!(serde_json::to_value(&entry).unwrap(), parts);
    assert_eq!(serde_json::to_value(registry.lookup("id").unwrap()).unwrap(), parts);
}

/// Whoever changes the format changes its number and this test.
#[test]
fn this_is_the_format() {
    let (registry, clock) = world(SECOND);
    assert_eq!(text(&registry), r#"{"format":1,"local_node":"here","children":[]}"#);
    registry.insert("id", Child::new("s".into()).on("a", 1).tag("x").metadata(None).ttl(SECOND));
    clock.advance(SECOND / 4);
    let written = concat!(
        r#"{"format":1,"local_node":"here","children":[["id",{"spec":"s","bindings":[["a",1]],"#,
        r#""tags":["x"],"metadata":null,"lifetime":{"ttl":{"secs":0,"nanos":750000000}}}]]}"#
    );
    assert_eq!(text(&registry), written);
    assert_eq!(text(&read(written)), written);
    registry.update("id", Child::make_permanent).unwrap();
    let permanent = written.replace(r#"{"ttl":{"secs":0,"nanos":750000000}}"#, r#""permanent""#);
    assert_eq!(text(&registry), permanent);
}

#[test]
fn a_snapshot_can_be_looked_at() {
    let (registry, _) = world(SECOND);
    let child = |pid| Child::new("s".into()).on("a", pid).metadata(None).permanent();
    registry.insert("x", child(1));
    registry.insert("y", child(2));
    let snapshot = read(&text(&registry));
    assert_eq!(
        (snapshot.local_node().as_str(), snapshot.len(), snapshot.is_empty()),
        ("here", 2, false)
    );
    assert_eq!((snapshot.get("x"), snapshot.get("z")), (Some(&child(1)), None));
    assert_eq!(format!("{snapshot:?}"), r#"Snapshot { local_node: "here", len: 2, .. }"#);
    let mut seen: Vec<_> = snapshot.iter().map(|(id, child)| (id.clone(), child.clone())).collect();
    seen.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(seen, [("x".into(), child(1)), ("y".into(), child(2))]);

    assert_eq!(snapshot.clone(), snapshot);
    registry.insert("y", child(3));
    assert_ne!(read(&text(&registry)), snapshot);
    registry.insert("y", child(2));
    assert_eq!(read(&text(&registry)), snapshot);
    registry.delete("x");
    assert_ne!(read(&text(&registry)), snapshot);

    let mut children = snapshot.into_iter();
    assert_eq!((children.len(), children.by_ref().count()), (2, 2));
    assert_eq!((children.len(), children.next()), (0, None));
}

#[test]
fn a_restore_replaces_what_it_names_and_nothing_else() {
    let (registry, clock) = world(SECOND);
    let child = |pid| Child::new("s".into()).on("a", pid).tag(format!("t{pid}")).metadata(None);
    registry.insert("same", child(1));
    registry.insert("gone", child(2));
    registry.insert("lease", child(3).ttl(10 * SECOND));
    registry.update("same", |child| child.set_spec("u".into())).unwrap();
    let before = registry.get_owned("same").unwrap();
    let saved = text(&registry);

    registry.delete("gone");
    registry.insert("other", child(4));
    registry.rebind("lease", "b", 5).unwrap();
    clock.advance(20 * SECOND);

    assert_eq!(registry.restore(read(&saved)), 3);
    let after = registry.get_owned("same").unwrap();
    assert_eq!((after.spec().as_str(), after.bindings()), ("u", before.bindings()));
    assert!(after.incarnation() > before.incarnation());
    assert_eq!((before.version(), after.version()), (2, 1));
    assert_eq!(registry.get_pid("gone"), Some(2));
    assert_eq!(registry.get_pids("lease"), [3]);
    assert_eq!(registry.get_pid("other"), Some(4));
    assert_eq!((registry.len_all(), registry.tag_len("t3"), registry.node_len("b")), (4, 1, 0));
    counts_match_a_walk(&registry);

    // The time between does not count.
    clock.advance(10 * SECOND - Duration::from_nanos(1));
    assert!(registry.contains("lease"));
    clock.advance(Duration::from_nanos(1));
    assert!(!registry.contains("lease"));
    assert_eq!(registry.purge_expired(), 1);
}

#[test]
fn a_restore_makes_room_where_there_is_none() {
    const MANY: u32 = 8500;
    let make = |capacity| -> Jobs { Registry::builder("here").capacity(capacity).build() };
    let registry = make(MANY as usize);
    for id in 0..MANY {
        registry.insert(format!("{id}"), Child::new(String::new()).on("a", id).metadata(None));
    }
    let (capacity, saved) = (registry.capacity(), text(&registry));
    assert_eq!(registry.restore(read(&saved)), MANY as usize);
    assert_eq!(registry.capacity(), capacity, "no room is needed for what is there");
    let empty = make(0);
    assert_eq!(empty.restore(read(&saved)), MANY as usize);
    assert_eq!((empty.len(), empty.capacity()), (MANY as usize, capacity));
}

#[test]
fn what_has_expired_is_not_saved() {
    let (registry, clock) = world(SECOND);
    let child = || Child::new("s".into()).metadata(None);
    registry.insert("lease", child().on("a", 1).ttl(SECOND));
    registry.insert("longer", child().on("a", 2).ttl(2 * SECOND));
    registry.insert("grave", child().on("a", 3));
    registry.bulk_delete([("grave", ["a"])]);
    assert_eq!(read(&text(&registry)).len(), 3);
    clock.advance(SECOND);
    let snapshot = read(&text(&registry));
    assert_eq!((snapshot.len(), snapshot.get("lease")), (2, None));
    clock.advance(29 * SECOND);
    assert!(read(&text(&registry)).is_empty());
    assert_eq!(registry.len_all(), 3, "nothing was swept");
}

#[test]
fn deadlines_at_the_end_of_time_stay_there() {
    let (registry, _) = world(SECOND);
    registry.insert("x", Child::new("s".into()).on("a", 1).metadata(None).ttl(Duration::MAX));
    let (restored, clock) = world(1000 * SECOND);
    restored.restore(read(&text(&registry)));
    clock.advance(100 * 365 * 86_400 * SECOND);
    assert!(restored.contains("x"));
    assert!(restored.lookup("x").unwrap().deadline().is_some());
}

/// Ids of every kind: a format without names for its maps' keys has no trouble with them.
#[test]
fn ids_may_be_of_any_type() {
    let registry: Registry<u8, (), (), (u64, String)> = Registry::new("here");
    registry.insert((1, "x".into()), Child::new(1).on("a", ()));
    registry.insert((1, "y".into()), Child::new(2));
    let saved = text(&registry);
    let snapshot: Snapshot<u8, (), (), (u64, String)> = serde_json::from_str(&saved).unwrap();
    let restored = Registry::new("here");
    assert_eq!(restored.restore(snapshot), 2);
    assert_eq!(*restored.get_owned(&(1, "x".into())).unwrap().spec(), 1);
    assert!(restored.entry_exists(&(1, "y".into())) && !restored.contains(&(1, "y".into())));
}

/// A spec that writes to its own registry while it is serialized.
enum Nosy {
    Writes,
    Held(#[expect(dead_code, reason = "it is there to be dropped")] Arc<()>),
}

static NOSY: LazyLock<Registry<Nosy, ()>> = LazyLock::new(|| Registry::new("here"));

impl Serialize for Nosy {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        let dropped = Arc::new(());
        NOSY.insert("short-lived", Child::new(Self::Held(dropped.clone())));
        NOSY.delete("short-lived");
        // Other tests of this binary pin for a moment; a pin of this thread would last.
        let begun = Instant::now();
        while Arc::strong_count(&dropped) > 1 {
            assert!(begun.elapsed() < 30 * SECOND, "it is under a pin");
            NOSY.collect();
            thread::yield_now();
        }
        serializer.serialize_unit()
    }
}

#[test]
fn a_registry_is_written_under_no_pin() {
    NOSY.insert("nosy", Child::new(Nosy::Writes));
    assert!(text(&*NOSY).contains("nosy"));
}

/// While others write: what is there throughout is in every snapshot, and no id is in one twice, or it
/// could not be read. In a single chain that is walked from slot to slot, ids change places all the time.
#[test]
fn registries_are_saved_while_they_change() {
    const STILL: u32 = 100;
    const MOVING: u32 = 100;
    let registry: Registry<String, u32, Option<i64>, ChildId, Hashing> =
        Registry::builder("here").hasher(Hashing::Constant).build();
    let child = |pid| Child::new(String::new()).on("a", pid).metadata(None);
    for id in 0..STILL {
        registry.insert(format!("moving-{id}"), child(id));
        registry.insert(format!("still-{id}"), child(id));
    }
    let rounds = 500 * support::from_env("STRESS", 1);
    let seed = AtomicU64::new(0);
    watched(
        1,
        |_| {
            for _ in 0..rounds {
                let snapshot = read(&text(&registry));
                let still = snapshot.iter().filter(|(id, _)| id.starts_with("still-")).count();
                assert_eq!(still, STILL as usize);
            }
        },
        1,
        |_| {
            let mut rng = Rng::with_seed(seed.fetch_add(1, Ordering::Relaxed));
            let pair = [(); 2].map(|()| format!("moving-{}", rng.u32(..MOVING)));
            // The first vacant slot is taken: the two change places.
            pair.iter().for_each(|id| drop(registry.delete(id)));
            pair.iter().rev().for_each(|id| drop(registry.insert(id, child(0))));
            registry
                .update(&format!("still-{}", rng.u32(..STILL)), |child| child.bind("b", 1))
                .unwrap();
        },
    );
}
