//! Registries at random, and what is to be the same of two.

use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;
use process_registry::{Child, Entry, ManualClock};

use crate::support::{plain, tags_of};
use crate::{Jobs, SECOND, world};

/// Strings that a format may stumble over, empty ones and long ones among them.
pub(crate) const NAMES: [&str; 12] = [
    "",
    "a",
    "b",
    "node-a",
    " ",
    "quo\"te",
    "back\\slash",
    "line\nline\u{0}",
    "\u{1F980} größer",
    "exactly-23-bytes-inline",
    "one that is longer than twenty-three bytes",
    "}],",
];

fn name(rng: &mut Rng) -> &'static str {
    NAMES[rng.usize(..NAMES.len())]
}

/// A registry with up to `most` entries: live ones, leases, pending ones, tombstones, and some that
/// have expired. A few have been updated, so that incarnations and versions differ.
pub(crate) fn registry(rng: &mut Rng, most: usize) -> (Jobs, ManualClock) {
    let (registry, clock) = world(rng.u32(..1000) * SECOND);
    for number in 0..rng.usize(..=most) {
        let id = format!("{}{}", name(rng), if rng.bool() { number } else { 0 });
        registry.insert(&id, child(rng));
        match rng.u8(..8) {
            0 => {
                let _ = registry.update(&id, |child| child.add_tag("updated"));
            }
            1 => registry.bulk_delete([(&id, NAMES)]),
            2 => clock.advance(SECOND / 10),
            _ => {}
        }
    }
    (registry, clock)
}

fn child(rng: &mut Rng) -> Child<String, u32, Option<i64>> {
    let mut child = Child::new(name(rng).to_owned());
    for _ in 0..rng.u8(..4) {
        child.bind(name(rng), rng.u32(..));
    }
    for _ in 0..rng.u8(..5) {
        child.add_tag(name(rng));
    }
    match rng.u8(..4) {
        0 => child.set_ttl(Duration::from_nanos(rng.u64(1..2_000_000_000))),
        1 => child.set_ttl(Duration::new(rng.u64(..1_000_000), rng.u32(..1_000_000_000))),
        _ => {}
    }
    child.metadata(rng.bool().then(|| rng.i64(..)))
}

/// All that a restore brings back of an entry; the deadline as the time that is left.
#[derive(Debug, PartialEq)]
pub(crate) struct Seen {
    spec: String,
    bindings: Vec<(String, u32)>,
    tags: Vec<String>,
    metadata: Option<i64>,
    left: Option<Duration>,
}

impl Seen {
    fn new(entry: &Entry<String, u32, Option<i64>>, clock: &ManualClock) -> Self {
        Self {
            spec: entry.spec().clone(),
            bindings: plain(entry.bindings()),
            tags: tags_of(entry),
            metadata: *entry.metadata(),
            left: entry.deadline().map(|deadline| deadline - clock.now()),
        }
    }
}

/// Everything in a registry, without the help of what is tested.
pub(crate) fn contents(registry: &Jobs, clock: &ManualClock) -> BTreeMap<String, Seen> {
    let all = registry.dump_all();
    all.iter().map(|(id, entry)| (id.as_str().to_owned(), Seen::new(entry, clock))).collect()
}
