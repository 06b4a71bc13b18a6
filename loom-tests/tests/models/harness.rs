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
fn parent(job: &Job) -> (String, String, Option<i32>, Duration) {
    let start = Instant::now();
    let mutant = job.catch.map_or("", |catch| catch.mutant);
    let output = Command::new(std::env::current_exe().expect("our own name"))
        .args(["--child", job.model, &format!("{:?}", job.loads), &job.bound.to_string(), mutant])
        .env("SHUTTLE_SILENCE_WARNINGS", "1")
        .envs(std::env::args().any(|argument| argument == "--long").then_some(("MODELS_LONG", "1")))
        .stderr(Stdio::null())
        .output()
        .expect("a process");
    let said = String::from_utf8_lossy(&output.stdout);
    let last = said.lines().last().unwrap_or("0 nothing").to_string();
    let (executions, message) = last.split_once(' ').unwrap_or(("0", &last));
    (executions.to_string(), message.to_string(), output.status.code(), start.elapsed())
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
    let long = arguments.iter().any(|argument| argument == "--long");
    let wanted: Vec<_> = arguments.iter().filter(|a| !a.starts_with('-')).collect();
    let loom = cfg!(process_registry_loom);
    let mut jobs = Vec::new();
    for model in models {
        let Model { bound, bound_rmw, bound_bare, .. } = *model;
        let (bound, bound_rmw, bound_bare) =
            if long { (3, 3, 3) } else { (bound, bound_rmw, bound_bare) };
        let job = |loads, bound| Job { model: model.name, loads, bound, catch: None };
        if bound > 0 {
            jobs.push(job(Loads::Written, bound));
        }
        if bound_rmw > 0 && loom {
            jobs.push(job(Loads::Rmw, bound_rmw));
        }
        if bound_bare > 0 && loom {
            jobs.push(job(Loads::Bare, bound_bare));
        }
    }
    if loom {
        for catch in catches {
            assert!(find(catch.model).is_some(), "no model {}", catch.model);
            jobs.push(Job {
                model: catch.model,
                loads: catch.loads,
                bound: catch.bound,
                catch: Some(*catch),
            });
        }
    }
    jobs.retain(|job| {
        let mutant = job.catch.map_or("", |catch| catch.mutant);
        wanted.is_empty() || wanted.iter().any(|w| job.model.contains(*w) || mutant.contains(*w))
    });
    if arguments.iter().any(|argument| argument == "--list") {
        for job in &jobs {
            let mutant = job.catch.map_or("", |catch| catch.mutant);
            println!("{} {:?} {mutant}", job.model, job.loads);
        }
        std::process::exit(0);
    }
    let (next, bad, total) = (AtomicUsize::new(0), Mutex::new(Vec::new()), Instant::now());
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (executions, message, code, time) = parent(job);
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
    bad.iter().for_each(|line| println!("{line}"));
    std::process::exit(i32::from(!bad.is_empty()));
}
