//! Runs models: each in a process of its own, in each of its modes, two at a time.
//!
//! A process of its own, because a seeded bug leaves the threads of its execution half unwound,
//! and because a model's switches are global.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use process_registry::__model::{self, Toys};

use crate::checker;

/// How the loads of a model are done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Loads {
    /// As written: explores stale reads.
    Written,
    /// As read-modify-writes: explores interleavings that loom misses otherwise.
    Rmw,
    /// As written, and nothing is reclaimed before the end.
    Bare,
}

/// A model, and what is to be done with it.
#[derive(Clone, Copy)]
pub struct Model {
    pub name: &'static str,
    pub run: fn(),
    /// The preemption bound, unless `LOOM_MAX_PREEMPTIONS` says otherwise.
    pub bound: usize,
    /// The same in the mode with read-modify-writes; 0 leaves the mode out of the quick tier.
    pub bound_rmw: usize,
    /// The bound with loads as written and without reclamation, which multiplies what has to be
    /// explored; 0 leaves that mode out.
    pub bound_bare: usize,
    /// Whether nothing is reclaimed before the end in any mode.
    pub bare: bool,
    /// Whether it asks what is reclaimed, so that there is no such mode for it.
    pub reclaims: bool,
    /// Whether all threads share their stripes.
    pub one_stripe: bool,
}

/// A seeded bug and the model that has to find it.
#[derive(Clone, Copy)]
pub struct Catch {
    pub mutant: &'static str,
    pub model: &'static str,
    pub loads: Loads,
    pub bound: usize,
    /// What the failure says.
    pub says: &'static str,
}

/// One process.
#[derive(Clone)]
struct Job {
    model: &'static str,
    loads: Loads,
    bound: usize,
    catch: Option<Catch>,
}

impl Job {
    /// What has to find a seeded bug.
    fn of(catch: &Catch) -> Self {
        let Catch { model, loads, bound, .. } = *catch;
        Job { model, loads, bound, catch: Some(*catch) }
    }

    /// The bug that is switched on, if any.
    fn mutant(&self) -> &'static str {
        self.catch.map_or("", |catch| catch.mutant)
    }
}

static EXECUTIONS: AtomicUsize = AtomicUsize::new(0);

/// What one execution of a model does: `operations` at once on `toys`, the first of them on this
/// thread. Returns the store and what each operation returned.
pub fn at_once<R: Send + 'static, const N: usize>(
    toys: Toys,
    operations: [fn(&Toys) -> R; N],
) -> (Toys, [R; N]) {
    let toys = Arc::new(toys);
    let mut others = Vec::new();
    for operation in &operations[1..] {
        let (toys, operation) = (Arc::clone(&toys), *operation);
        others.push(checker::thread::spawn(move || operation(&toys)));
    }
    let mut results = vec![operations[0](&toys)];
    results.extend(others.into_iter().map(|other| other.join().expect("no panic")));
    let toys = Arc::try_unwrap(toys).expect("the threads have ended");
    let Ok(results) = results.try_into() else { unreachable!("as many as operations") };
    (toys, results)
}

/// The end of an execution: everything is freed, once.
pub fn end(toys: Toys) {
    drop(toys);
    assert_eq!(__model::blocks(), 0, "memory is lost");
}

/// Asserts all that is to hold of a store at rest.
pub fn check(toys: &Toys, content: &[(u8, u64)], names: &[(&str, &[u8])]) {
    assert_eq!(toys.walk(), content, "walk");
    assert_eq!(toys.len(), content.len(), "length");
    let live = content.iter().filter(|one| one.1 != 0).count();
    assert_eq!(toys.live_len(), live, "live length");
    for (name, keys) in names {
        let found: Vec<_> = toys.named(name).into_iter().map(|one| one.0).collect();
        assert_eq!(found, *keys, "members of {name}");
        assert_eq!(toys.member_count(name), keys.len(), "member count of {name}");
        assert_eq!(toys.slots_in_use(name), keys.len(), "slots of {name}");
    }
    let first = names.iter().filter(|(name, keys)| !name.starts_with('@') && !keys.is_empty());
    let mut first: Vec<_> = first.map(|(name, keys)| (name.to_string(), keys.len())).collect();
    first.sort_unstable();
    assert_eq!(toys.names(), first, "names");
}

fn child(model: &Model, loads: Loads, bound: usize, mutant: &str) -> ! {
    std::panic::set_hook(Box::new(|info| {
        let message = info.payload_as_str().unwrap_or("a panic");
        let at = info.location().map(|l| format!(" ({}:{})", l.file(), l.line()));
        let executions = EXECUTIONS.load(Ordering::Relaxed);
        println!("{executions} {}{}", message.replace('\n', " "), at.unwrap_or_default());
        // No unwinding: the threads of the execution are not to go on.
        std::process::exit(42);
    }));
    if !mutant.is_empty() {
        assert!(__model::set_mutant(mutant), "no mutant {mutant}");
    }
    __model::loads_as_rmw(loads == Loads::Rmw);
    __model::never_raise(model.bare || loads == Loads::Bare);
    __model::one_stripe(model.one_stripe);
    let run = model.run;
    let counted = move || {
        EXECUTIONS.fetch_add(1, Ordering::Relaxed);
        run();
    };
    let complete = explore(counted, bound);
    let executions = EXECUTIONS.load(Ordering::Relaxed);
    println!("{executions} {}", if complete { "ok" } else { "out of time" });
    std::process::exit(if complete { 0 } else { 43 });
}

#[cfg(process_registry_loom)]
fn explore(run: impl Fn() + Send + Sync + 'static, bound: usize) -> bool {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or((bound < 9).then_some(bound));
    builder.max_branches = builder.max_branches.max(20_000);
    builder.checkpoint_interval = 100;
    if std::env::var_os("MODELS_LONG").is_some() && builder.max_duration.is_none() {
        builder.max_duration = Some(Duration::from_secs(300));
    }
    let (start, most) = (Instant::now(), builder.max_duration);
    builder.check(run);
    most.is_none_or(|most| start.elapsed() < most)
}

#[cfg(not(process_registry_loom))]
fn explore(run: impl Fn() + Send + Sync + 'static, _bound: usize) -> bool {
    let variable = |name: &str| std::env::var(name).ok().and_then(|v| v.parse().ok());
    let schedules = variable("SHUTTLE_SCHEDULES").unwrap_or(2_000);
    let run = Arc::new(run);
    let random = Arc::clone(&run);
    shuttle::check_random(move || random(), schedules);
    shuttle::check_pct(move || run(), schedules, 3);
    true
}

/// What a process said: executions, message, and whether it ended well.
fn parent(job: &Job, mutant: &str) -> (String, String, Option<i32>, Duration) {
    let start = Instant::now();
    let mut command = Command::new(std::env::current_exe().expect("our own name"));
    command
        .args(["--child", job.model, &format!("{:?}", job.loads), &job.bound.to_string(), mutant])
        .env("SHUTTLE_SILENCE_WARNINGS", "1")
        .stderr(Stdio::null());
    if job.catch.is_some() {
        // A bug is found within the bound that is known, and perhaps not within another.
        command.env_remove("LOOM_MAX_PREEMPTIONS").env_remove("LOOM_MAX_DURATION");
    } else if std::env::args().any(|argument| argument == "--long") {
        command.env("MODELS_LONG", "1");
    }
    let output = command.output().expect("a process");
    let said = String::from_utf8_lossy(&output.stdout);
    let last = said.lines().last().unwrap_or("0 nothing").to_string();
    let (executions, message) = last.split_once(' ').unwrap_or(("0", &last));
    (executions.to_string(), message.to_string(), output.status.code(), start.elapsed())
}

/// The processes of a model: in each of its modes with these bounds, or for shuttle, which knows
/// neither, one.
fn jobs_of(model: &Model, bounds: [usize; 3]) -> impl Iterator<Item = Job> {
    let Model { name, reclaims, .. } = *model;
    let loom = cfg!(process_registry_loom);
    let modes = [Loads::Written, Loads::Rmw, Loads::Bare].into_iter().zip(bounds);
    let modes = modes
        .filter(move |(loads, bound)| if loom { *bound > 0 } else { *loads == Loads::Written })
        .filter(move |(loads, _)| !(reclaims && *loads == Loads::Bare));
    modes.map(move |(loads, bound)| Job { model: name, loads, bound, catch: None })
}

/// Looks for a seeded bug with one model after the other, beginning with those that are known to
/// find it, and ends the process: with 42 at the first failure, with 0 if there is none.
fn hunt(models: &[Model], catches: &[Catch], mutant: &str) -> ! {
    if __model::mutants().iter().all(|name| name != mutant) {
        eprintln!("there is no {mutant}");
        std::process::exit(2);
    }
    let known: Vec<_> = catches.iter().filter(|catch| catch.mutant == mutant).collect();
    let is_known = |model: &&Model| known.iter().any(|catch| catch.model == model.name);
    let (first, others): (Vec<_>, Vec<_>) = models.iter().partition(is_known);
    let loom = cfg!(process_registry_loom);
    let mut jobs: Vec<_> = known.iter().filter(|_| loom).map(|catch| Job::of(catch)).collect();
    for model in first.into_iter().filter(|_| !loom).chain(others) {
        jobs.extend(jobs_of(model, [model.bound, model.bound_rmw, model.bound_bare]));
    }
    let mut total = 0;
    for job in jobs {
        let (executions, message, code, time) = parent(&job, mutant);
        let Job { model, loads, bound, .. } = job;
        let seconds = time.as_secs_f32();
        println!(
            "{model}, {loads:?} loads, bound {bound}: {executions} executions, {seconds:.1} s: {message}"
        );
        total += executions.parse::<u64>().unwrap_or(0);
        if code != Some(0) {
            // What dies without a word ends as a shell would tell it.
            std::process::exit(code.unwrap_or(134));
        }
    }
    println!("{mutant} is not found in {total} executions");
    std::process::exit(0);
}

/// Runs what the arguments ask for, and ends the process.
pub fn main(models: &[Model], catches: &[Catch]) -> ! {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let find = |name: &str| models.iter().find(|model| model.name == name);
    if let [child_flag, name, loads, bound, mutant] = &arguments[..]
        && child_flag == "--child"
    {
        let loads = match &loads[..] {
            "Rmw" => Loads::Rmw,
            "Bare" => Loads::Bare,
            _ => Loads::Written,
        };
        let model = find(name).expect("a model");
        child(model, loads, bound.parse().expect("a number"), mutant);
    }
    match &arguments[..] {
        [flag] if flag == "--mutants" => {
            __model::mutants().iter().for_each(|mutant| println!("{mutant}"));
            std::process::exit(0);
        }
        [flag, mutant] if flag == "--hunt" => hunt(models, catches, mutant),
        _ => {}
    }
    for mutant in __model::mutants() {
        assert!(catches.iter().any(|catch| catch.mutant == mutant), "nothing finds {mutant}");
    }
    let long = arguments.iter().any(|argument| argument == "--long");
    let wanted: Vec<_> = arguments.iter().filter(|a| !a.starts_with('-')).collect();
    let loom = cfg!(process_registry_loom);
    let asked = std::env::var("LOOM_MAX_PREEMPTIONS").ok().and_then(|bound| bound.parse().ok());
    let mut jobs = Vec::new();
    for model in models {
        let bounds = [model.bound, model.bound_rmw, model.bound_bare];
        jobs.extend(jobs_of(model, if long { [asked.unwrap_or(3); 3] } else { bounds }));
    }
    for catch in catches.iter().filter(|_| loom) {
        assert!(find(catch.model).is_some(), "no model {}", catch.model);
        jobs.push(Job::of(catch));
    }
    jobs.retain(|job| {
        let is_wanted = |w: &&String| job.model.contains(*w) || job.mutant().contains(*w);
        wanted.is_empty() || wanted.iter().any(is_wanted)
    });
    if arguments.iter().any(|argument| argument == "--list") {
        for job in &jobs {
            println!("{} {:?} {}", job.model, job.loads, job.mutant());
        }
        std::process::exit(0);
    }
    let (next, bad, total) = (AtomicUsize::new(0), Mutex::new(Vec::new()), Instant::now());
    let (exhausted, out_of_time) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (executions, message, code, time) = parent(job, job.mutant());
                    match (job.catch, code) {
                        (None, Some(0)) => exhausted.fetch_add(1, Ordering::Relaxed),
                        (None, Some(43)) => out_of_time.fetch_add(1, Ordering::Relaxed),
                        _ => 0,
                    };
                    // Out of time is no failure where time is all that ends a search.
                    let (good, what) = match job.catch {
                        None => (code == Some(0) || long && code == Some(43), String::new()),
                        Some(catch) => (
                            code == Some(42) && message.contains(catch.says),
                            format!(" with {}", catch.mutant),
                        ),
                    };
                    let line = format!(
                        "{} {}{what}, {:?} loads, bound {}: {executions} executions, {:.1} s: {message}",
                        if good { "ok  " } else { "FAIL" },
                        job.model,
                        job.loads,
                        job.bound,
                        time.as_secs_f32(),
                    );
                    println!("{line}");
                    if !good {
                        bad.lock().expect("no panic").push(line);
                    }
                }
            });
        }
    });
    let bad = bad.into_inner().expect("no panic");
    println!("{} runs, {} bad, {:.0} s", jobs.len(), bad.len(), total.elapsed().as_secs_f32());
    if loom {
        let (exhausted, out_of_time) = (exhausted.into_inner(), out_of_time.into_inner());
        println!("models without a bug: {exhausted} exhausted, {out_of_time} out of time");
    }
    bad.iter().for_each(|line| println!("{line}"));
    std::process::exit(i32::from(!bad.is_empty()));
}
