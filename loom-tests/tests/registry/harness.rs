//! Runs scenarios: each in a process of its own, two at a time.
//!
//! A process of its own, because the first panic ends it: the other tasks of that execution are not
//! to go on, and the switch of the seeded bugs is global.

use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use process_registry::__model;
use shuttle::scheduler::{PctScheduler, RandomScheduler, ReplayScheduler};
use shuttle::{Config, Runner};

/// A scenario.
pub struct Scenario {
    pub name: &'static str,
    pub run: fn(),
}

/// A seeded bug and the scenario that has to find it.
#[derive(Clone, Copy)]
pub struct Catch {
    pub mutant: &'static str,
    pub scenario: &'static str,
    /// What the failure says, one of these. Any change of the core moves the schedules, so that all
    /// that the bug can do stands here, not what it did last.
    pub says: &'static [&'static str],
}

/// How many priority changes PCT makes, plus one.
const DEPTH: usize = 3;

/// Schedules of each kind for a seeded bug at most, drawn from a fixed seed: what finds it finds it
/// again.
const HUNT: usize = 20_000;
const SEED: u64 = 42;

/// The same for each of all scenarios where none is known to find it.
const SEARCH: usize = 500;

/// Schedules of each kind for a scenario, unless `SHUTTLE_SCHEDULES` says otherwise.
const SCHEDULES: usize = 1_000;

static EXECUTIONS: AtomicUsize = AtomicUsize::new(0);

fn config() -> Config {
    let mut config = Config::new();
    config.stack_size = 1 << 18;
    config.silence_warnings = true;
    config
}

/// Says what is wrong and ends the process: shuttle has printed the schedule before.
fn fail_at_once() {
    std::panic::set_hook(Box::new(|info| {
        let message = info.payload_as_str().unwrap_or("a panic");
        let at = info.location().map(|at| format!(" ({}:{})", at.file(), at.line()));
        let executions = EXECUTIONS.load(Ordering::Relaxed);
        println!("{executions} {}{}", message.replace('\n', " "), at.unwrap_or_default());
        std::process::exit(42);
    }));
}

fn counted(run: fn()) -> impl Fn() + Send + Sync + 'static {
    move || {
        EXECUTIONS.fetch_add(1, Ordering::Relaxed);
        run();
    }
}

fn switch_on(mutant: &str) {
    assert!(mutant.is_empty() || __model::set_mutant(mutant), "no mutant {mutant}");
}

fn child(run: fn(), mutant: &str, schedules: usize) -> ! {
    fail_at_once();
    switch_on(mutant);
    if mutant.is_empty() {
        Runner::new(RandomScheduler::new(schedules), config()).run(counted(run));
        Runner::new(PctScheduler::new(DEPTH, schedules), config()).run(counted(run));
    } else {
        // PCT first: what one preemption at the right place shows, it finds at once.
        let pct = PctScheduler::new_from_seed(SEED, DEPTH, schedules);
        Runner::new(pct, config()).run(counted(run));
        let random = RandomScheduler::new_from_seed(SEED, schedules);
        Runner::new(random, config()).run(counted(run));
    }
    println!("{} ok", EXECUTIONS.load(Ordering::Relaxed));
    std::process::exit(0);
}

/// What a process has to say for itself.
struct Report {
    executions: String,
    message: String,
    code: Option<i32>,
    time: Duration,
    /// With the schedule that fails, if one does.
    stderr: String,
}

fn parent(scenario: &str, mutant: &str, schedules: usize) -> Report {
    let start = Instant::now();
    let output = Command::new(std::env::current_exe().expect("our own name"))
        .args(["--child", scenario, mutant, &schedules.to_string()])
        .stdin(Stdio::null())
        .output()
        .expect("a process");
    let said = String::from_utf8_lossy(&output.stdout);
    let last = said.lines().last().unwrap_or("0 nothing").to_string();
    let (executions, message) = last.split_once(' ').unwrap_or(("0", &last));
    Report {
        executions: executions.to_string(),
        message: message.to_string(),
        code: output.status.code(),
        time: start.elapsed(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs one and says how it went; returns whether it went well.
fn run(scenario: &str, catch: Option<Catch>) -> bool {
    let report = match catch {
        None => {
            let schedules = std::env::var("SHUTTLE_SCHEDULES").ok().and_then(|n| n.parse().ok());
            parent(scenario, "", schedules.unwrap_or(SCHEDULES))
        }
        Some(catch) => parent(scenario, catch.mutant, HUNT),
    };
    let Report { executions, message, code, time, stderr } = report;
    let (good, what) = match catch {
        None => (code == Some(0), String::new()),
        Some(catch) => {
            let found = code == Some(42) && catch.says.iter().any(|says| message.contains(says));
            (found, format!(" with {}", catch.mutant))
        }
    };
    let verdict = if good { "ok  " } else { "FAIL" };
    let seconds = time.as_secs_f32();
    println!("{verdict} {scenario}{what}: {executions} executions, {seconds:.1} s: {message}");
    if !good && catch.is_none() {
        let again = "SHUTTLE_REPLAY='the schedule' cargo test --release --test registry --";
        println!("{stderr}\nto see it again: {again} --replay {scenario}");
    }
    good
}

/// Looks for a seeded bug with the scenario that is known to find it or, if there is none, with one
/// after the other, and ends the process: with 42 at the first failure, with 0 if there is none.
fn hunt(scenarios: &[Scenario], catches: &[Catch], mutant: &str) -> ! {
    if __model::mutants().iter().all(|name| name != mutant) {
        eprintln!("there is no {mutant}");
        std::process::exit(2);
    }
    let known = catches.iter().find(|catch| catch.mutant == mutant);
    let jobs: Vec<_> = match known {
        Some(catch) => vec![(catch.scenario, HUNT)],
        None => scenarios.iter().map(|scenario| (scenario.name, SEARCH)).collect(),
    };
    for (scenario, schedules) in jobs {
        let Report { executions, message, code, time, .. } = parent(scenario, mutant, schedules);
        let seconds = time.as_secs_f32();
        println!("{scenario}: {executions} executions, {seconds:.1} s: {message}");
        if code != Some(0) {
            // What dies without a word ends as a shell would tell it.
            std::process::exit(code.unwrap_or(134));
        }
    }
    println!("{mutant} is not found");
    std::process::exit(0);
}

/// Runs what the arguments ask for, and ends the process.
pub fn main(scenarios: &[Scenario], catches: &[Catch]) -> ! {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let find = |name: &str| {
        let found = scenarios.iter().find(|scenario| scenario.name == name);
        found.unwrap_or_else(|| panic!("no scenario {name}")).run
    };
    match &arguments[..] {
        [flag, name, mutant, schedules] if flag == "--child" => {
            child(find(name), mutant, schedules.parse().expect("a number"))
        }
        [flag, mutant] if flag == "--hunt" => hunt(scenarios, catches, mutant),
        [flag, name, mutant @ ..] if flag == "--replay" => {
            let schedule = std::env::var("SHUTTLE_REPLAY").expect("a schedule in SHUTTLE_REPLAY");
            switch_on(mutant.first().map_or("", String::as_str));
            fail_at_once();
            let replay = ReplayScheduler::new_from_encoded(&schedule);
            Runner::new(replay, config()).run(find(name));
            println!("nothing is wrong with this schedule");
            std::process::exit(0);
        }
        _ => {}
    }
    let plain = scenarios.iter().map(|scenario| (scenario.name, None));
    let seeded = catches.iter().map(|catch| (catch.scenario, Some(*catch)));
    let mut jobs: Vec<_> = plain.chain(seeded).collect();
    let wanted: Vec<_> = arguments.iter().filter(|a| !a.starts_with('-')).collect();
    jobs.retain(|(scenario, catch)| {
        let mutant = catch.map_or("", |catch| catch.mutant);
        wanted.is_empty() || wanted.iter().any(|w| scenario.contains(*w) || mutant.contains(*w))
    });
    if arguments.iter().any(|argument| argument == "--list") {
        for (scenario, catch) in &jobs {
            println!("{scenario} {}", catch.map_or("", |catch| catch.mutant));
        }
        std::process::exit(0);
    }
    let (next, bad, start) = (AtomicUsize::new(0), Mutex::new(Vec::new()), Instant::now());
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some((scenario, catch)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if !run(scenario, *catch) {
                        let mutant = catch.map_or("", |catch| catch.mutant);
                        let name = format!("{scenario} {mutant}");
                        bad.lock().expect("no panic").push(name);
                    }
                }
            });
        }
    });
    let bad = bad.into_inner().expect("no panic");
    let seconds = start.elapsed().as_secs_f32();
    println!("{} scenarios, {} bad, {seconds:.0} s {}", jobs.len(), bad.len(), bad.join(", "));
    std::process::exit(i32::from(!bad.is_empty()));
}
