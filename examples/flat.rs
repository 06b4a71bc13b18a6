//! Memory stays flat while ids and tags come and go for ever.
//!
//! Two writers insert children, each under an id never used before and with a tag of its own, and
//! delete them again; at most 1,000 are alive. A reader pins, looks around, and unpins. The
//! resident memory of the process after all operations may exceed that after a tenth of them by
//! 8 MiB at most: the room of deleted entries, and of the sets of tags that nobody carries any
//! more, has to be found again.
//!
//! ```text
//! cargo run --release --example flat
//! cargo run --release --example flat -- --ops 2000000
//! ```
//!
//! Memory is read while the writers stand still, but as they left it: nothing is collected for
//! the occasion, and what the allocator keeps for itself counts. Where the system does not tell a
//! process its resident memory, this says so and succeeds.
//!
//! Exit status: 0 flat, 1 grown or an entry left over, 2 bad option.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use lexopt::prelude::*;
use process_registry::{Child, Registry};

const USAGE: &str = "\
Inserts and deletes children, each with an id and a tag never used before, and
watches the resident memory.

usage: flat [--ops N]

  --ops N     inserts, each with its delete (default 10000000)
  -h, --help  print this

Exit status: 0 flat, 1 grown, 2 bad option.
";

type Jobs = Registry<u64, u32>;

const NODE: &str = "local";
const WRITERS: u64 = 2;
/// Per writer: together 1,000.
const MAX_ALIVE: usize = 500;
/// Memory is read this often; the first reading is the baseline.
const STEPS: u64 = 10;
const LIMIT_KIB: i64 = 8 * 1024;

fn main() -> ExitCode {
    let ops = match options() {
        Ok(Some(ops)) => ops,
        Ok(None) => {
            say(format_args!("{}", USAGE.trim_end()));
            return ExitCode::SUCCESS;
        }
        Err(message) => {
            let _ = writeln!(io::stderr(), "flat: {message}; try --help");
            return ExitCode::from(2);
        }
    };
    if resident_kib().is_none() {
        say(format_args!("flat: resident memory: not supported on this system"));
        return ExitCode::SUCCESS;
    }
    run(ops)
}

/// The number of operations, or `None` for help.
fn options() -> Result<Option<u64>, String> {
    let mut ops = 10_000_000;
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next().map_err(|error| error.to_string())? {
        match arg {
            Long("ops") => {
                let value = parser.value().map_err(|error| error.to_string())?;
                ops = value
                    .to_str()
                    .and_then(|text| text.parse().ok())
                    .filter(|&ops| ops >= WRITERS * STEPS)
                    .ok_or_else(|| {
                        format!(
                            "--ops takes a whole number, {} or more, not `{}`",
                            WRITERS * STEPS,
                            value.to_string_lossy()
                        )
                    })?;
            }
            Short('h') | Long("help") => return Ok(None),
            _ => return Err(arg.unexpected().to_string()),
        }
    }
    Ok(Some(ops))
}

fn run(ops: u64) -> ExitCode {
    let registry = Jobs::new(NODE);
    let next_id = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let started = Instant::now();
    let mut readings = Vec::new();
    thread::scope(|scope| {
        let (registry, next_id, stop) = (&registry, &next_id, &stop);
        let mut writers = Vec::new();
        for seed in 0..WRITERS {
            let (step_done, steps_done) = mpsc::channel();
            let (go_on, may_go_on) = mpsc::channel();
            writers.push((steps_done, go_on));
            scope.spawn(move || {
                let mut writer = Writer::new(registry, next_id, seed);
                for step in 0..STEPS {
                    // The same division in every writer and step, so that they add up to `ops`.
                    let share = |step| (ops * step / STEPS + seed) / WRITERS;
                    for _ in share(step)..share(step + 1) {
                        writer.step();
                    }
                    // An error means that the other writer panicked.
                    if step_done.send(()).is_err() || may_go_on.recv().is_err() {
                        return;
                    }
                }
                writer.delete_all();
            });
        }
        scope.spawn(move || read(registry, next_id, stop));
        'steps: for step in 1..=STEPS {
            for (steps_done, _) in &writers {
                if steps_done.recv().is_err() {
                    break 'steps;
                }
            }
            // It could be read before the first step, so it can be read now.
            let resident = resident_kib().unwrap_or(0);
            readings.push(resident);
            say(format_args!(
                "{:>12} inserted, {:>5} alive, {:>8.1} MiB resident, {:>6.1} s",
                ops * step / STEPS,
                registry.len(),
                resident as f64 / 1024.0,
                started.elapsed().as_secs_f64()
            ));
            for (_, go_on) in &writers {
                // One that has panicked is found when the next step is waited for.
                let _ = go_on.send(());
            }
        }
        drop(writers);
        // Relaxed: nothing is handed over with it.
        stop.store(true, Ordering::Relaxed);
    });

    let left_over = (registry.len(), registry.tags().len());
    if left_over != (0, 0) {
        say(format_args!(
            "flat: all were deleted, but {} entries and {} tags are left",
            left_over.0, left_over.1
        ));
        return ExitCode::FAILURE;
    }
    let grown = readings[readings.len() - 1] - readings[0];
    let flat = grown <= LIMIT_KIB;
    say(format_args!(
        "flat: {:+.1} MiB from {} to {} inserts, at most {:+.1} MiB allowed: {}",
        grown as f64 / 1024.0,
        ops / STEPS,
        ops,
        LIMIT_KIB as f64 / 1024.0,
        if flat { "flat" } else { "grown" }
    ));
    if flat { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Inserts, and deletes what a random earlier insert left, so that some live long.
struct Writer<'r> {
    registry: &'r Jobs,
    next_id: &'r AtomicU64,
    random: fastrand::Rng,
    alive: Vec<Option<u64>>,
}

impl<'r> Writer<'r> {
    fn new(registry: &'r Jobs, next_id: &'r AtomicU64, seed: u64) -> Self {
        Self {
            registry,
            next_id,
            random: fastrand::Rng::with_seed(seed),
            alive: vec![None; MAX_ALIVE],
        }
    }

    fn step(&mut self) {
        let place = self.random.usize(..MAX_ALIVE);
        self.delete(place);
        // Relaxed: the number has to be unique, no more.
        let number = self.next_id.fetch_add(1, Ordering::Relaxed);
        let child = Child::new(number).on(NODE, number as u32).tag(format!("once-{number}"));
        self.registry.insert(id(number), child);
        self.alive[place] = Some(number);
    }

    fn delete(&mut self, place: usize) {
        if let Some(number) = self.alive[place].take() {
            self.registry.delete(id(number).as_str());
        }
    }

    fn delete_all(&mut self) {
        for place in 0..MAX_ALIVE {
            self.delete(place);
        }
    }
}

fn id(number: u64) -> String {
    format!("job-{number}")
}

/// Pins, reads a few of the newest entries and their tags, unpins.
fn read(registry: &Jobs, next_id: &AtomicU64, stop: &AtomicBool) {
    let mut random = fastrand::Rng::with_seed(WRITERS);
    while !stop.load(Ordering::Relaxed) {
        let newest = next_id.load(Ordering::Relaxed);
        let pinned = registry.pin();
        for _ in 0..random.usize(..64) {
            let number = newest.saturating_sub(random.u64(..1_000));
            let by_id = pinned.lookup(id(number).as_str());
            let by_tag = pinned.match_tag(&format!("once-{number}")).count();
            assert!(by_tag <= 1, "a tag of one entry was found on {by_tag}");
            assert!(
                by_id.is_none_or(|entry| *entry.spec() == number),
                "the entry of another id was found"
            );
        }
        drop(pinned);
        thread::yield_now();
    }
}

/// The resident memory of this process. `smaps_rollup` counts pages; the counter in `status`,
/// for kernels without the former, may lag behind by a few pages per core.
fn resident_kib() -> Option<i64> {
    let line = |path, name: &str| {
        let text = std::fs::read_to_string(path).ok()?;
        let value = text.lines().find_map(|line| line.strip_prefix(name))?;
        value.trim().strip_suffix("kB")?.trim().parse().ok()
    };
    line("/proc/self/smaps_rollup", "Rss:").or_else(|| line("/proc/self/status", "VmRSS:"))
}

/// A line on stdout; `println!` would panic where its reader has gone.
fn say(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stdout(), "{line}");
}
