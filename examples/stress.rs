//! The whole registry under many threads, with exact accounts at the end: the program the
//! sanitizers run.
//!
//! A round makes a registry, lets every thread do every operation on it, and checks at rest what
//! must add up: increments, hook events, leases, counts, and the values made and dropped. Rounds
//! differ in how badly ids hash. Meanwhile a reader checks that entries that never go away are
//! found exactly once by every query.
//!
//! ```text
//! cargo run --release --example stress -- --seconds 10
//! cargo run --release --example stress -- --ops 500000 --seed 7
//! ```
//!
//! It is no test of the harness kind because thread sanitizer does not see through the standard
//! library's own locks: here threads are started and joined, share atomics, and nothing else.
//!
//! Exit status: 0 all exact, 2 bad option; a panic otherwise.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use lexopt::prelude::*;
use process_registry::{
    Child, Clock, Decision, Entry, Event, Handler, HookKey, Hooks, ManualClock, OwnedEntry,
    Registry, WriteOptions,
};

#[path = "../tests/support/mod.rs"]
mod support;

use support::{Hashing, counts_match_a_walk};

const USAGE: &str = "\
Lets many threads do everything to a registry and checks that all adds up.

usage: stress [--seconds N | --ops N] [--threads N] [--seed N]

  --seconds N  begin no round later than this (default 5)
  --ops N      begin no round after so many operations, instead
  --threads N  threads that write; one more reads (default 4)
  --seed N     what the first round draws from (default 1)
  -h, --help   print this

Exit status: 0 all exact, 2 bad option; a panic otherwise.
";

struct Options {
    seconds: u64,
    ops: Option<u64>,
    threads: u64,
    seed: u64,
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(Some(options)) => options,
        Ok(None) => {
            let _ = write!(io::stdout(), "{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(message) => {
            let _ = writeln!(io::stderr(), "stress: {message}; try --help");
            return ExitCode::from(2);
        }
    };
    // The collector is set up here: thread sanitizer does not see the order that the standard
    // library's lazy cells give.
    drop(Registry::<u64, u64>::new("here").pin());

    let begun = Instant::now();
    let (mut done, mut rounds) = (0, 0);
    while match options.ops {
        Some(ops) => done < ops,
        None => begun.elapsed() < Duration::from_secs(options.seconds),
    } {
        done += round(options.seed + rounds, options.threads);
        rounds += 1;
    }
    let threads = options.threads;
    let line = format!("stress: {done} operations, {rounds} rounds, {threads} threads, all exact");
    let _ = writeln!(io::stdout(), "{line}");
    ExitCode::SUCCESS
}

/// What was asked for, or `None` for help.
fn options() -> Result<Option<Options>, String> {
    let mut options = Options { seconds: 5, ops: None, threads: 4, seed: 1 };
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next().map_err(|error| error.to_string())? {
        let number = |parser: &mut lexopt::Parser| {
            let value = parser.value().and_then(|value| value.parse::<u64>());
            value.map_err(|error| error.to_string())
        };
        match arg {
            Long("seconds") => options.seconds = number(&mut parser)?,
            Long("ops") => options.ops = Some(number(&mut parser)?),
            Long("threads") => options.threads = number(&mut parser)?.clamp(1, 64),
            Long("seed") => options.seed = number(&mut parser)?,
            Short('h') | Long("help") => return Ok(None),
            other => return Err(other.unexpected().to_string()),
        }
    }
    Ok(Some(options))
}

// ---- values ---------------------------------------------------------------------------------------

static MADE: AtomicU64 = AtomicU64::new(0);
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// A number on the heap that is counted in and out. It is written when it is made and when it is
/// dropped, by plain stores, for the sanitizers to see; a value that was dropped says so.
struct Value(Box<u64>);

const GONE: u64 = u64::MAX;

impl Value {
    fn new(number: u64) -> Self {
        // Relaxed, here and in `drop`: read after all threads have been joined.
        MADE.fetch_add(1, Ordering::Relaxed);
        Value(Box::new(number))
    }

    fn get(&self) -> u64 {
        assert_ne!(*self.0, GONE, "read after its drop");
        *self.0
    }
}

impl Clone for Value {
    fn clone(&self) -> Self {
        Value::new(self.get())
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        assert_ne!(*self.0, GONE, "dropped twice");
        *self.0 = GONE;
        DROPPED.fetch_add(1, Ordering::Relaxed);
    }
}

type Jobs = Registry<Value, u64, Value, u64, Hashing>;
type Job = Child<Value, u64, Value>;

/// A child whose parts say the same.
fn job(number: u64) -> Job {
    Child::new(Value::new(number)).metadata(Value::new(number)).on("here", number)
}

/// One of those that are there throughout, `number - id` times incremented.
fn fixed(id: u64, number: u64) -> Job {
    let child = Child::new(Value::new(id)).metadata(Value::new(number));
    child.on("here", id).on("anchor", number - id).tag("fixed")
}

// ---- ids ------------------------------------------------------------------------------------------

/// There throughout, and incremented by all: id, spec and first pid are the same.
const FIXED: u64 = 1 << 32;
/// How many of them.
const FIXED_COUNT: u64 = 8;
/// Each belongs to one thread, which knows what is under it.
const OWNED: u64 = 2 << 32;
/// Anybody does anything with these.
const SHARED: u64 = 3 << 32;
/// Used once each, with a deadline.
const LEASES: u64 = 4 << 32;

const TAGS: [&str; 3] = ["red", "green", "blue"];
/// Nodes that are taken away as a whole now and then.
const FAR: [&str; 3] = ["there", "elsewhere", "far"];

/// What a thread has done that must add up.
#[derive(Default)]
struct Tally {
    operations: u64,
    increments: u64,
    registered: u64,
    unregistered: u64,
    leases: u64,
    swept: u64,
}

/// Counts the events of a key.
fn heard(hooks: &Hooks<u64, u64>, key: HookKey) -> std::sync::Arc<AtomicU64> {
    let count = std::sync::Arc::new(AtomicU64::new(0));
    let counter = std::sync::Arc::clone(&count);
    let note = move |event: &Event<'_, u64, u64>| {
        assert!(!event.bindings().is_empty(), "an event names its bindings");
        counter.fetch_add(1, Ordering::Relaxed);
    };
    hooks.register(key, Handler::new("count", note)).expect("the only one");
    count
}

/// Lets all threads loose on a fresh registry. Returns how many operations they did.
fn round(number: u64, threads: u64) -> u64 {
    let hashing = Hashing::ALL[usize::try_from(number).unwrap_or(0) % Hashing::ALL.len()];
    // Chains of everything are slow, and show what they have to show sooner.
    let turns = match hashing {
        Hashing::Normal | Hashing::LowerBits => 12_000,
        _ => 2_500,
    };
    let clock = ManualClock::new();
    // Where leases are counted, tombstones must not come due among them.
    let grace = if number.is_multiple_of(2) { Duration::MAX } else { Duration::from_secs(1) };
    let jobs = Registry::<Value, u64, Value, u64>::builder("here")
        .tombstone_ttl(grace)
        .hasher(hashing)
        .clock(Clock::Manual(clock.clone()))
        .build();
    let hooks = Hooks::new();
    let came = heard(&hooks, HookKey::ChildRegistered);
    let went = heard(&hooks, HookKey::ChildUnregistered);
    for id in FIXED..FIXED + FIXED_COUNT {
        jobs.insert(id, fixed(id, id));
    }

    let running = AtomicUsize::new(usize::try_from(threads).unwrap_or(1));
    let mut total = Tally::default();
    let mut kept = Vec::new();
    thread::scope(|scope| {
        let (jobs, clock, hooks, running) = (&jobs, &clock, &hooks, &running);
        let writers: Vec<_> = (0..threads)
            .map(|thread| {
                scope.spawn(move || {
                    let mut writer = Writer::new(jobs, clock, hooks, number, thread, threads);
                    (0..turns).for_each(|turn| writer.turn(turn));
                    // Release: the reader stops after the last writer has.
                    running.fetch_sub(1, Ordering::Release);
                    (writer.tally, writer.kept)
                })
            })
            .collect();
        let reader = scope.spawn(move || {
            let mut operations = 0;
            while running.load(Ordering::Acquire) > 0 {
                operations += look_around(jobs);
            }
            operations
        });
        // A thread that had to wait inside scc left its handle with whoever woke it. Thread sanitizer
        // does not see the fence with which the last owner of a handle frees it, so none is freed
        // before all who may have owned one have been joined.
        let mut handles: Vec<_> = writers.iter().map(|writer| writer.thread().clone()).collect();
        handles.push(reader.thread().clone());
        // Joined one by one: the end of a scope alone is a wait that thread sanitizer cannot see.
        for writer in writers {
            let (tally, entries) = writer.join().expect("a writer failed");
            total.operations += tally.operations;
            total.increments += tally.increments;
            total.registered += tally.registered;
            total.unregistered += tally.unregistered;
            total.leases += tally.leases;
            total.swept += tally.swept;
            kept.extend(entries);
        }
        total.operations += reader.join().expect("the reader failed");
        drop(handles);
    });

    clock.advance(Duration::from_secs(60));
    total.swept += jobs.purge_expired() as u64;
    if number.is_multiple_of(2) {
        assert_eq!(total.swept, total.leases, "each lease is swept once");
    }
    assert_eq!(came.load(Ordering::Relaxed), total.registered, "children that came");
    assert_eq!(went.load(Ordering::Relaxed), total.unregistered, "children that went");
    let mut sum = 0;
    for id in FIXED..FIXED + FIXED_COUNT {
        let entry = jobs.lookup(&id).expect("there throughout");
        assert_eq!(entry.version(), entry.metadata().get() - id + 1, "a version for each change");
        sum += entry.metadata().get() - id;
    }
    assert_eq!(sum, total.increments, "no increment is lost");
    counts_match_a_walk(&jobs);
    jobs.clear_all();
    assert_eq!((jobs.len_all(), jobs.tags().len(), jobs.nodes().len()), (0, 0, 0), "cleared");

    // Entries outlive the registry for those who keep them, and nobody else.
    drop(jobs);
    kept.iter().for_each(|entry| whole(entry));
    drop(kept);
    let (made, dropped) = (MADE.load(Ordering::Relaxed), DROPPED.load(Ordering::Relaxed));
    assert_eq!(made, dropped, "values made and dropped");
    total.operations
}

type Kept = OwnedEntry<Value, u64, Value, u64>;

/// Checks that the parts of an entry belong together.
fn whole(entry: &Entry<Value, u64, Value, u64>) {
    let (id, spec, metadata) = (*entry.id(), entry.spec().get(), entry.metadata().get());
    if (FIXED..OWNED).contains(&id) {
        assert_eq!((spec, entry.pid()), (id, Some(&id)));
        assert_eq!(entry.pid_on("anchor"), Some(&(metadata - id)), "written together");
    } else {
        assert_eq!(spec, metadata, "written together");
    }
}

/// Queries of every kind, as a reader does them.
fn look_around(jobs: &Jobs) -> u64 {
    fn fixed_once<'a>(
        what: &str,
        entries: impl IntoIterator<Item = &'a Entry<Value, u64, Value, u64>>,
    ) {
        let mut seen = [0; FIXED_COUNT as usize];
        for entry in entries {
            whole(entry);
            if (FIXED..FIXED + FIXED_COUNT).contains(entry.id()) {
                seen[usize::try_from(entry.id() - FIXED).expect("a small number")] += 1;
            }
        }
        assert_eq!(seen, [1; FIXED_COUNT as usize], "{what} finds each exactly once");
    }

    let pin = jobs.pin();
    fixed_once("match_tag", pin.match_tag("fixed"));
    fixed_once("children_on", pin.children_on("anchor"));
    fixed_once("iter", pin.iter());
    let ids: [u64; FIXED_COUNT as usize] = std::array::from_fn(|n| FIXED + n as u64);
    fixed_once("get_many", pin.get_many(ids.each_ref()).into_iter().flatten());
    for tag in TAGS {
        pin.match_tag(tag).for_each(whole);
    }
    pin.children_on("here").for_each(whole);
    drop(pin);
    let dump = jobs.dump_all();
    dump.values().for_each(|entry| whole(entry));
    assert!((FIXED..FIXED + FIXED_COUNT).all(|id| dump.contains_key(&id)), "dump_all");
    10 + FIXED_COUNT
}

// ---- writing --------------------------------------------------------------------------------------

struct Writer<'a> {
    jobs: &'a Jobs,
    clock: &'a ManualClock,
    hooks: &'a Hooks<u64, u64>,
    /// Odd rounds sweep by predicate, which may take expired leases along: even ones have leases.
    round: u64,
    thread: u64,
    threads: u64,
    rng: fastrand::Rng,
    /// What is under the ids of this thread.
    mine: [Option<u64>; 8],
    tally: Tally,
    kept: Vec<Kept>,
}

impl<'a> Writer<'a> {
    fn new(
        jobs: &'a Jobs,
        clock: &'a ManualClock,
        hooks: &'a Hooks<u64, u64>,
        round: u64,
        thread: u64,
        threads: u64,
    ) -> Self {
        let rng = fastrand::Rng::with_seed(round << 8 | thread);
        let (mine, tally, kept) = Default::default();
        Self { jobs, clock, hooks, round, thread, threads, rng, mine, tally, kept }
    }

    fn turn(&mut self, turn: u64) {
        self.tally.operations += 1;
        match self.rng.u8(..16) {
            0..3 => self.increment(),
            3..6 => self.own(turn),
            6 if self.round.is_multiple_of(2) => self.lease(),
            6 => match self.rng.u8(..8) {
                0 => self.clock.advance(Duration::from_millis(100)),
                1 => drop(self.jobs.purge_expired()),
                2 => self.jobs.retain(|entry| *entry.id() < SHARED || entry.id() % 7 != turn % 7),
                _ => self.shared(40, turn, 0),
            },
            // The table grows through many sizes, and halves when there is nothing to do.
            _ if (turn / 1500).is_multiple_of(2) => self.shared(4000, turn, 1),
            _ => self.shared(40, turn, 4),
        }
    }

    fn increment(&mut self) {
        let id = FIXED + self.rng.u64(..FIXED_COUNT);
        if self.rng.bool() {
            let more = |child: &mut Job| {
                let number = child.get_metadata().get() + 1;
                child.set_metadata(Value::new(number));
                child.bind("anchor", number - id);
            };
            self.jobs.update(&id, more).expect("there throughout");
        } else {
            self.jobs.compute(id, |entry| {
                let number = entry.expect("there throughout").metadata().get() + 1;
                Decision::Put(fixed(id, number))
            });
        }
        self.tally.increments += 1;
    }

    /// Nobody else writes this id: everything about it is known, its events included.
    fn own(&mut self, turn: u64) {
        let at = self.rng.usize(..self.mine.len());
        let id = OWNED + at as u64 * self.threads + self.thread;
        let before = self.mine[at];
        assert_eq!(self.jobs.get_pid(&id), before, "an id of this thread's own");
        let old = if self.rng.bool() {
            self.mine[at] = Some(turn);
            self.tally.registered += 1;
            let options = WriteOptions::new().hooks(self.hooks);
            self.jobs.insert_with(id, job(turn).tag("own"), options)
        } else {
            self.mine[at] = None;
            self.tally.unregistered += u64::from(before.is_some());
            self.jobs.delete_with(&id, self.hooks)
        };
        assert_eq!(old.as_ref().map(|entry| entry.spec().get()), before, "what was there");
        if self.rng.u8(..64) == 0 {
            self.kept.extend(old);
        }
    }

    fn lease(&mut self) {
        let mine = |n: u64| LEASES + n * self.threads + self.thread;
        match self.rng.u8(..8) {
            0 => self.clock.advance(Duration::from_millis(100)),
            1 => self.tally.swept += self.jobs.purge_expired() as u64,
            2 | 3 if self.tally.leases > 0 => {
                let id = mine(self.rng.u64(..self.tally.leases));
                self.tally.swept += u64::from(self.jobs.delete_if_expired(&id).is_some());
            }
            _ => {
                let id = mine(self.tally.leases);
                let ttl = Duration::from_millis(self.rng.u64(..2000));
                self.jobs.insert(id, job(id).tag("lease").ttl(ttl));
                self.tally.leases += 1;
            }
        }
    }

    /// Any operation on an id that all share; `less` makes deletions likelier.
    fn shared(&mut self, ids: u64, turn: u64, less: u8) {
        let id = SHARED + self.rng.u64(..ids);
        let (tag, far) = (TAGS[self.rng.usize(..3)], FAR[self.rng.usize(..3)]);
        let offered = || job(turn).tag(tag).on(far, id);
        let jobs = self.jobs;
        match self.rng.u8(..18 + less) {
            0..4 => drop(jobs.insert(id, offered())),
            4 => drop(jobs.insert(id, job(turn).on("here", turn))),
            5 => drop(jobs.try_insert(id, offered())),
            6 => drop(jobs.pin().try_insert(id, offered())),
            7 => drop(jobs.get_or_insert_with(id, offered)),
            8 => drop(jobs.update(&id, |child| child.add_tag(tag))),
            9 => drop(jobs.update(&id, |child| (child.remove_tag(tag), child.unbind(far)))),
            10 => drop(jobs.rebind(&id, far, turn)),
            11 => jobs.bulk_insert([(id, offered()), (id + 1, offered())]),
            12 => jobs.bulk_delete([(&id, [far, "here"]), (&(id ^ 1), [far, "here"])]),
            13 => drop(jobs.compute(id, |_| Decision::Put(offered()))),
            14 => {
                jobs.compute(id, |entry| match entry {
                    Some(entry) if entry.has_tag(tag) => Decision::Remove,
                    _ => Decision::Keep,
                });
            }
            15 => drop(jobs.delete_if(&id, |entry| entry.has_tag(tag))),
            16 => match self.rng.u8(..16) {
                0..4 => drop(jobs.remove_node(far)),
                4 => jobs.shrink_to_fit(),
                5 => jobs.collect(),
                6 => jobs.reserve(500),
                _ => self.kept.extend(jobs.get_owned(&id).filter(|_| self.kept.len() < 32)),
            },
            _ => drop(jobs.delete(&id)),
        }
    }
}
