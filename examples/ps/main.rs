//! The processes of this machine in a registry, kept up to date while readers query it.
//!
//! The list of processes is read every 100 ms and the differences are applied: an insert for a
//! process that appeared, an update for one whose name or state changed, a delete for one that
//! went. Meanwhile reader threads look up ids, singly and by batch, and query tags and the node,
//! as fast as they can. At the end the registry is compared with the last list, by id, by every
//! tag and by node.
//!
//! ```text
//! cargo run --release --example ps -- --seconds 5
//! cargo run --release --example ps -- --seconds 5 -- sh -c 'for i in $(seq 200); do sleep 0.5 & done; wait'
//! ```
//!
//! Exit status: 0 if registry and list agree, 1 if they do not or the machine could not be read,
//! 2 for a bad option, an unknown id or tag, or a command that does not start.

mod check;
mod command;
mod mirror;
mod options;
mod readers;
mod report;
mod scan;
mod watch;

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use process_registry::Registry;
use sysinfo::System;

use crate::check::Check;
use crate::command::Running;
use crate::mirror::Mirror;
use crate::options::{Options, Request};
use crate::readers::Reads;
use crate::report::Report;
use crate::scan::{Program, Scanner};
use crate::watch::Watch;

/// Executable and command line of a process, by its id and its pid. The spec is behind an `Arc`
/// because an update copies it.
type Processes = Registry<Arc<Program>, u32>;

const INTERVAL: Duration = Duration::from_millis(100);

/// What ends the program early: a message for stderr and the exit status.
#[derive(Debug)]
struct Failure {
    message: String,
    status: u8,
}

impl Failure {
    /// The user asked for something that cannot be done.
    fn usage(message: impl fmt::Display) -> Self {
        Self { message: message.to_string(), status: 2 }
    }

    /// The machine did not give what was needed.
    fn machine(message: impl fmt::Display) -> Self {
        Self { message: message.to_string(), status: 1 }
    }
}

fn main() -> ExitCode {
    let outcome = match options::parse(std::env::args_os()) {
        Ok(Request::Help) => print(options::USAGE).map(|()| 0),
        Ok(Request::Run(options)) => run(options),
        Err(message) => Err(Failure::usage(format_args!("{message}; try --help"))),
    };
    match outcome {
        Ok(status) => ExitCode::from(status),
        Err(failure) => {
            complain(format_args!("ps: {}", failure.message));
            ExitCode::from(failure.status)
        }
    }
}

fn run(options: Options) -> Result<u8, Failure> {
    let host = System::host_name().unwrap_or_else(|_| "localhost".to_owned());
    let registry = Processes::new(host.as_str());
    let mut scanner = Scanner::new().map_err(Failure::machine)?;
    let mut mirror = Mirror::new(&registry, &host);
    let mut watch = Watch::new(&options);

    mirror.apply(scanner.scan(mirror.list()).map_err(Failure::machine)?);
    if mirror.list().is_empty() {
        return Err(Failure::machine("this machine shows no processes"));
    }
    mirror.forget_churn();
    watch.look(mirror.list());
    if options.command.is_none() {
        // With a command the process or the tag may still come; without one, why wait?
        watch.verdict()?;
    }

    let command = match &options.command {
        Some(argv) => Some(Running::start(argv).map_err(Failure::usage)?),
        None => None,
    };
    let job = Job {
        options: &options,
        host: &host,
        registry: &registry,
        stop: AtomicBool::new(false),
        generation: AtomicU64::new(0),
    };
    let run = job.run(&mut scanner, &mut mirror, &mut watch, command)?;
    watch.verdict()?;

    if options.corrupt {
        mirror.damage_one();
    }
    let mut check = Check::run(&registry, &host, mirror.list());
    check.add_faults(mirror.faults());
    check.add_faults(run.reads.faults());
    let report = Report {
        options: &options,
        host: &host,
        registry: &registry,
        list: mirror.list(),
        churn: mirror.churn(),
        run: &run,
        check: &check,
    };
    if options.json {
        print(&report.json())?;
        complain(format_args!("{}", report.verdict()));
    } else {
        print(&report.text())?;
    }
    Ok(if check.agrees() { 0 } else { 1 })
}

/// What a run leaves behind for the report.
#[derive(Debug)]
struct Run {
    reads: Reads,
    readers: usize,
    elapsed: Duration,
    scans: u64,
    slowest_scan: Duration,
    command: Option<String>,
}

/// One run: readers beside the loop that scans and applies.
struct Job<'a> {
    options: &'a Options,
    host: &'a str,
    registry: &'a Processes,
    stop: AtomicBool,
    /// Raised when a scan changed the registry, so that the readers fetch ids and tags anew.
    generation: AtomicU64,
}

impl Job<'_> {
    fn run(
        &self,
        scanner: &mut Scanner,
        mirror: &mut Mirror<'_>,
        watch: &mut Watch<'_>,
        command: Option<Running>,
    ) -> Result<Run, Failure> {
        // One core is left to the scans; on a small machine they share.
        let cores = thread::available_parallelism().map_or(2, usize::from);
        let readers = cores.saturating_sub(1).max(2);
        let started = Instant::now();
        thread::scope(|scope| {
            let stop = StopOnDrop(&self.stop);
            let mut handles = Vec::with_capacity(readers);
            for seed in 0..readers {
                let spawned = thread::Builder::new().name(format!("reader-{seed}")).spawn_scoped(
                    scope,
                    move || {
                        readers::read(
                            self.registry,
                            self.host,
                            &self.generation,
                            &self.stop,
                            seed as u64,
                        )
                    },
                );
                match spawned {
                    Ok(handle) => handles.push(handle),
                    Err(error) => {
                        return Err(Failure::machine(format_args!(
                            "cannot start a reader thread: {error}"
                        )));
                    }
                }
            }
            let scanned = self.scan_until_the_end(scanner, mirror, watch, command, started);
            drop(stop);
            let mut reads = Reads::new();
            for handle in handles {
                match handle.join() {
                    Ok(part) => reads.merge(&part),
                    Err(_) => reads.lost_reader(),
                }
            }
            let elapsed = started.elapsed();
            scanned.map(|scanned| Run {
                reads,
                readers,
                elapsed,
                scans: scanned.scans,
                slowest_scan: scanned.slowest,
                command: scanned.command,
            })
        })
    }

    fn scan_until_the_end(
        &self,
        scanner: &mut Scanner,
        mirror: &mut Mirror<'_>,
        watch: &mut Watch<'_>,
        mut command: Option<Running>,
        started: Instant,
    ) -> Result<Scanned, Failure> {
        let deadline = started + self.options.duration;
        let mut scanned = Scanned::default();
        let mut next_scan = started + INTERVAL;
        let mut next_view = started + Duration::from_secs(1);
        let mut last = false;
        while !last {
            thread::sleep(next_scan.min(deadline).saturating_duration_since(Instant::now()));
            if Instant::now() >= deadline {
                last = true;
                // Stopped before the last scan, so that this scan sees it gone.
                if let Some(command) = &mut command {
                    scanned.command = Some(command.stop());
                }
            } else if let Some(command) = &mut command {
                command.reap();
            }
            let begun = Instant::now();
            next_scan = (next_scan + INTERVAL).max(begun);
            let list = scanner.scan(mirror.list()).map_err(Failure::machine)?;
            watch.look(&list);
            if mirror.apply(list) {
                self.generation.fetch_add(1, Ordering::Relaxed);
            }
            scanned.scans += 1;
            scanned.slowest = scanned.slowest.max(begun.elapsed());
            if self.options.top && begun >= next_view {
                next_view += Duration::from_secs(1);
                let view = report::view(self.registry, started.elapsed(), mirror.churn());
                if self.options.json {
                    complain(format_args!("{view}"));
                } else {
                    print(&view)?;
                }
            }
        }
        Ok(scanned)
    }
}

/// Stops the readers, for which the scope waits however it is left.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        // Relaxed: nothing is handed over with it.
        self.0.store(true, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct Scanned {
    scans: u64,
    slowest: Duration,
    command: Option<String>,
}

/// Writes to stdout. A reader that has gone (`ps | head -1`) is not an error of ours; anything
/// else that keeps the report from its reader is.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let written = out
        .write_all(text.as_bytes())
        .and_then(|()| if text.ends_with('\n') { Ok(()) } else { out.write_all(b"\n") })
        .and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::machine(format_args!("cannot write: {error}")))
        }
        _ => Ok(()),
    }
}

/// Writes a line to stderr; `eprintln!` would panic where stderr is closed.
fn complain(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{line}");
}
