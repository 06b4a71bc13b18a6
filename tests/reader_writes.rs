//! Reads write no shared memory: all memory of a registry is made read-only, and it is read.
//!
//! A write of a reader would end the process by a signal. That it would is shown too: a process of
//! its own writes, and has to end so.
#![cfg(unix)]

mod support;

use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::thread;
use std::time::Duration;

use process_registry::{Child, Clock, ManualClock, Registry};
use test_support::{CountingAlloc, Vault};

use support::Hashing;

#[global_allocator]
static ALLOC: Vault<CountingAlloc> = Vault::new(CountingAlloc::new());

type Numbers = Registry<u64, u64, u64, u64, Hashing>;

/// What the process of its own is to do wrong, in its environment.
const DAMAGE: &str = "READER_WRITES_DAMAGE";
/// Turns of each reader, of seven pins or more.
const TURNS: u64 = 80_000;
/// Ids of the past: what is left of them is expired or empty in part.
const FIRST: u64 = 600;

fn child(n: u64) -> Child<u64, u64, u64> {
    let child = Child::new(n).on("here", n).metadata(n).tag("all");
    let child = if n.is_multiple_of(3) { child.on("there", n) } else { child };
    if n.is_multiple_of(50) { child.tag("few") } else { child }
}

/// A registry with a past: replaced, updated, deleted, expired, halved and grown.
fn with_a_past(hashing: Hashing) -> Numbers {
    let clock = ManualClock::new();
    let registry = Registry::<u64, u64, u64, u64>::builder("here")
        .hasher(hashing)
        .clock(Clock::Manual(clock.clone()))
        .build();
    for n in 0..FIRST {
        let lease = Duration::from_secs(1 + n % 2);
        let given = if n.is_multiple_of(5) { child(n).ttl(lease) } else { child(n) };
        registry.insert(n, given);
    }
    for n in 0..FIRST {
        match n % 7 {
            0 => drop(registry.delete(&n)),
            1 => drop(registry.insert(n, child(n).tag("other"))),
            2 => registry.bulk_delete([(&n, ["here", "there"])]),
            3 => assert!(registry.update(&n, |child| child.bind("new", n)).is_ok()),
            _ => {}
        }
    }
    registry.shrink_to_fit();
    // Odd leases go on, even ones are over and not swept.
    clock.advance(Duration::from_millis(1500));
    registry
}

/// The same, in the middle of a migration.
fn in_motion() -> Numbers {
    let more = |registry: &Numbers, to: u64| {
        let before = registry.capacity();
        let grows = |n| {
            registry.insert(n, child(n));
            registry.capacity() > before && registry.capacity() >= 4096
        };
        (1000..to).find(|n| grows(*n))
    };
    // The hasher has no random part: the second goes the same way as the first, and stops early.
    let promoted = more(&with_a_past(Hashing::Normal), 100_000).expect("it grows");
    let registry = with_a_past(Hashing::Normal);
    assert_eq!(more(&registry, promoted - 10), None);
    registry
}

/// Gives the collector's own memory, part of which is in the vault, a place outside.
fn settle(registries: &[Numbers]) {
    registries.iter().for_each(Registry::collect);
    let other: Registry<(), u64, (), u64> = Registry::new("here");
    for round in 0..4 {
        other.insert(1, Child::new(()).on("here", round));
        other.collect();
    }
}

/// Every read that hands out neither a counted reference nor a copy of a name.
fn read(registry: &Numbers, round: u64) -> u64 {
    let id = round % 2000;
    let mut found = u64::from(registry.contains(&id)) + u64::from(registry.entry_exists(&id));
    found += registry.get_pid(&id).is_some() as u64 + registry.local_pid(&id).is_some() as u64;
    if let Some(entry) = registry.lookup(&id) {
        found += *entry.spec();
    }
    let mut pin = registry.pin();
    found += pin.get_many([&id, &(id + 1), &(id + 7), &(id + 500)]).iter().flatten().count() as u64;
    pin.refresh();
    found += pin.lookup(&(id + 1)).map_or(0, |entry| *entry.metadata());
    if round.is_multiple_of(512) {
        let ids: Vec<u64> = (id..id + 40).collect();
        found += pin.get_many_iter(&ids).flatten().count() as u64;
        found += registry.contains_children(&ids).len() as u64;
        found += pin.match_tag("few").count() as u64 + pin.match_tag("none").count() as u64;
        found += pin.match_all(&["all", "few"]).count() as u64;
        found += pin.children_on("there").count() as u64;
        found += (registry.len() + registry.len_all() + registry.tag_len("all")) as u64;
        found += (registry.node_len("here") + registry.capacity()) as u64;
    }
    if round.is_multiple_of(8192) {
        found += pin.iter().map(|entry| entry.version()).sum::<u64>();
        found += (registry.tags().len() + registry.nodes().len()) as u64;
        registry.for_each(|entry| found += entry.bindings().len() as u64);
    }
    found
}

#[test]
fn readers_write_no_shared_memory() {
    // The thread's own handle of the collector is not shared memory of the registry's.
    drop(Registry::<(), u64>::new("here").pin());
    let registries = ALLOC.fill(|| {
        let hashings = [Hashing::Normal, Hashing::Colliding, Hashing::UpperBits];
        let mut registries: Vec<Numbers> = hashings.map(with_a_past).into_iter().collect();
        registries.push(in_motion());
        registries
    });
    // The last one would end its migration.
    settle(&registries[..3]);
    for registry in &registries {
        assert!(ALLOC.holds(registry) && registry.pin().iter().all(|entry| ALLOC.holds(entry)));
    }
    let damage = std::env::var(DAMAGE);
    let frees = ALLOC.frees();
    let locked = ALLOC.lock();
    let readers = thread::scope(|scope| {
        let reader = || {
            let turn = |round| read(&registries[(round % 4) as usize], round / 4);
            let turns = if damage.is_ok() { TURNS / 100 } else { TURNS };
            (0..turns).map(turn).fold(0, u64::wrapping_add)
        };
        let readers = [scope.spawn(reader), scope.spawn(reader)];
        readers.map(|reader| reader.join().expect("reads well"))
    });
    assert_eq!(readers[0], readers[1], "the same turns read the same");
    assert!(readers[0] > 0 && ALLOC.frees() == frees, "something was freed");
    match damage.as_deref() {
        Ok("count") => drop(registries[0].pin().iter().next().map(|entry| entry.share())),
        Ok("write") => drop(registries[0].insert(1, child(1))),
        Ok("help") => drop(registries[3].delete(&u64::MAX)),
        _ => {}
    }
    drop(locked);
    // A few inserts more end the migration: it was in the middle all the time.
    let (moving, id) = (&registries[3], 1 << 40);
    let before = moving.capacity();
    (id..id + 40).for_each(|n| drop(moving.insert(n, child(n))));
    assert!(moving.capacity() > before);
}

/// What the test above rests on: a write does end the process.
#[test]
fn a_write_is_noticed() {
    for damage in ["none", "count", "write", "help"] {
        let mut process = Command::new(std::env::current_exe().expect("this program"));
        process.args(["--exact", "readers_write_no_shared_memory"]).env(DAMAGE, damage);
        let end = process.output().expect("it starts").status;
        // A sanitizer turns the signal into a status; a test that fails has another.
        let killed = end.signal().is_some() || end.code() == Some(1);
        assert_eq!((killed, end.success()), (damage != "none", damage == "none"), "{damage}");
    }
}
