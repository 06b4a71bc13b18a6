//! The checks: what there is to run, in which tier, for how long, and what of it counts.

use std::time::Duration;

use crate::Places;
use crate::amount::Amount;
use crate::fuzz;
use crate::process::Step;

/// How much time there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tier {
    /// For every change: some ten minutes on two processors.
    Quick,
    /// By hand, and before a release: some three hours on two processors.
    Long,
}

impl Tier {
    pub(crate) fn pick<T>(self, quick: T, long: T) -> T {
        match self {
            Self::Quick => quick,
            Self::Long => long,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) name: String,
    /// One after the other, until one fails.
    pub(crate) steps: Vec<Step>,
    /// What is counted in what the steps print.
    pub(crate) amount: Amount,
    /// Less than this means that it did not really run.
    pub(crate) least: u64,
}

impl Check {
    pub(crate) fn new(name: impl Into<String>, amount: Amount, least: u64) -> Self {
        Self { name: name.into(), steps: Vec::new(), amount, least }
    }

    pub(crate) fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

pub(crate) const OPERATIONS: Amount = Amount::before("operations", " operations");
const EXECUTIONS: Amount = Amount::before("executions", " executions");

pub(crate) const fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

pub(crate) fn of(tier: Tier, places: &Places) -> Vec<Check> {
    let mut checks = tests(tier, places);
    checks.extend(model_checks(tier, places));
    checks.push(thread_sanitizer(tier, places));
    checks.push(address_sanitizer(tier, places));
    if tier == Tier::Long {
        checks.push(seeded_bugs(places));
        checks.push(address_sanitizer_on_tests(places));
        checks.push(memcheck(places));
        checks.push(layouts(places));
    }
    checks.extend(fuzz::of(tier, places));
    checks
}

/// Cargo in the checkout.
fn cargo(places: &Places, limit: Duration) -> Step {
    Step::new(&places.cargo, &places.root, limit)
}

/// The tests that say more as fast code: those of the core, and those in which several threads are at work on one
/// registry. To build the others like that takes minutes; the long tier does.
const OPTIMISED: &str = "--lib --test leases --test memory --test oracle --test parked --test past_bugs \
    --test reader_purity --test reader_writes --test reclamation --test semantics_life --test stress \
    --test stress_reads --test unwinding";

fn tests(tier: Tier, places: &Places) -> Vec<Check> {
    // The standard library's own checks of its unsafe functions are compiled into whatever has
    // debug assertions: both of these builds have.
    let mut checks = vec![
        Check::new("tests", Amount::TESTS, 200)
            .step(cargo(places, minutes(15)).args("test --workspace")),
        Check::new("tests, optimised, with all assertions", Amount::TESTS, 100).step(
            cargo(places, minutes(15))
                .args("test --profile checked")
                .args(tier.pick(OPTIMISED, "--lib --tests")),
        ),
        // Failpoints are in no ordinary build.
        Check::new("threads parked between two steps", Amount::TESTS, 30).step(
            cargo(places, minutes(15))
                .env("RUSTFLAGS", "--cfg process_registry_failpoints")
                .args("test --profile checked --test parked_steps --target-dir")
                .arg(places.work.join("failpoints")),
        ),
        without_fingerprints(tier, places),
        Check::new(
            "linearizability of histories",
            Amount::before("histories", " histories,"),
            tier.pick(2_000, 20_000),
        )
        .step(
            cargo(places, tier.pick(minutes(10), minutes(120)))
                .env("HISTORIES", tier.pick("1000", "20000"))
                .args("test --profile checked --test histories -- --nocapture"),
        ),
    ];
    if tier == Tier::Long {
        checks.push(
            Check::new("exhaustive models, larger", Amount::TESTS, 30).step(
                cargo(places, minutes(30))
                    .env("EXHAUSTIVE", "1")
                    .args("test --profile checked --test exhaustive"),
            ),
        );
        checks.push(
            Check::new("stress and oracle tests, longer", Amount::TESTS, 10).step(
                cargo(places, minutes(120))
                    .env("STRESS", "20")
                    .env("ORACLE_SEQUENCES", "100")
                    .args("test --profile checked")
                    .args("--test stress --test stress_reads --test past_bugs --test oracle"),
            ),
        );
    }
    checks
}

/// Words as they are where addresses leave no room for fingerprints: here no such target is at hand.
fn without_fingerprints(tier: Tier, places: &Places) -> Check {
    const FLAGS: &str = "--cfg process_registry_failpoints --cfg process_registry_no_fingerprints";
    let tests = |tests: &str| {
        cargo(places, minutes(15))
            .env("RUSTFLAGS", FLAGS)
            .args("test --profile checked --target-dir")
            .arg(places.work.join("failpoints"))
            .args(tests)
    };
    let check = Check::new("words without fingerprints", Amount::TESTS, 10)
        .step(tests("--test parked_steps -- lawless migrate"));
    match tier {
        Tier::Quick => check,
        Tier::Long => {
            check.step(tests("--test oracle --test semantics --test past_bugs --test stress"))
        }
    }
}

/// Flags for shuttle: they replace those for loom, which are in the package's configuration.
pub(crate) const SHUTTLE: &str = "--cfg process_registry_shuttle --cfg process_registry_mutants";

/// Cargo with the models, built at a place of their own.
pub(crate) fn models(places: &Places, at: &str, flags: &str) -> Step {
    let step = Step::new(&places.cargo, &places.root.join("loom-tests"), minutes(15));
    let step = if flags.is_empty() { step } else { step.env("RUSTFLAGS", flags) };
    step.args("test --release --target-dir").arg(places.work.join(at))
}

fn model_checks(tier: Tier, places: &Places) -> Vec<Check> {
    let limit = tier.pick(minutes(15), minutes(120));
    let loom = || models(places, "loom", "").limit(limit);
    // So many seconds for each model in each mode.
    let long = |bound: &str, seconds: &str| {
        loom()
            .env("LOOM_MAX_PREEMPTIONS", bound)
            .env("LOOM_MAX_DURATION", seconds)
            .args("-- --long")
    };
    let models_and_bugs = Check::new("loom models, seeded bugs", EXECUTIONS, 10_000);
    let models_and_bugs = match tier {
        Tier::Quick => models_and_bugs.step(loom()),
        // At 3 two thirds of them are exhausted within a second. 9 is as good as no bound: more than two thirds do
        // not end within five, but their searches go where those at 3 do not.
        Tier::Long => models_and_bugs.step(long("3", "60")).step(long("9", "5")),
    };
    let shuttle = |schedules: &str| {
        models(places, "shuttle", SHUTTLE).limit(limit).env("SHUTTLE_SCHEDULES", schedules)
    };
    vec![
        models_and_bugs,
        // So many schedules of each model at random, and as many again by priorities.
        Check::new("shuttle, models of the core", EXECUTIONS, 10_000)
            .step(shuttle(tier.pick("10000", "100000")).args("--test models")),
        Check::new("shuttle, the whole registry", EXECUTIONS, 10_000)
            .step(shuttle(tier.pick("1000", "10000")).args("--test registry")),
    ]
}

/// Each seeded bug by every tool; the quick tier has each by the model that is known to find it.
fn seeded_bugs(places: &Places) -> Check {
    Check::new("seeded bugs, every tool", Amount::before("bugs", " bugs caught"), 30)
        .step(cargo(places, minutes(60)).args("xtask mutants"))
}

/// Has cargo shuffle the fields of all types of the crate, and of nothing else: among what it
/// depends on there is a crate that checks the sizes of its own.
pub(crate) fn shuffled(step: Step, profile: &str, seed: u64) -> Step {
    let flags = format!(r#"["-Zrandomize-layout", "-Zlayout-seed={seed}"]"#);
    step.env("RUSTC_BOOTSTRAP", "1")
        .args("-Zprofile-rustflags --config")
        .arg(format!("profile.{profile}.package.process-registry.rustflags={flags}"))
}

/// Steps that build the stress program with flags, some of them unstable, and that run it.
pub(crate) fn stress(places: &Places, at: &str, flags: &str, seed: u64) -> (Step, Step) {
    let folder = places.work.join(at);
    let build = shuffled(cargo(places, minutes(15)), "release", seed)
        .env("RUSTFLAGS", flags)
        .args("build --release --example stress --target")
        .arg(&places.host)
        .arg("--target-dir")
        .arg(&folder);
    let program = folder.join(&places.host).join("release/examples/stress");
    (build, Step::new(program, &places.root, minutes(30)))
}

/// The standard library comes without the sanitizer, which the second flag permits.
pub(crate) const THREAD_SANITIZER: &str =
    "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer";

fn thread_sanitizer(tier: Tier, places: &Places) -> Check {
    let (build, run) = stress(places, "tsan", THREAD_SANITIZER, 1);
    Check::new("thread sanitizer, fields shuffled", OPERATIONS, 100_000)
        .step(build)
        .step(run.args("--seconds").arg(tier.pick("20", "300")))
}

fn address_sanitizer(tier: Tier, places: &Places) -> Check {
    let flags = "-Zsanitizer=address -Cdebug-assertions";
    let (build, run) = stress(places, "asan", flags, 2);
    Check::new("address and leak sanitizer, fields shuffled", OPERATIONS, 400_000)
        .step(build)
        .step(run.args("--seconds").arg(tier.pick("20", "300")))
}

fn address_sanitizer_on_tests(places: &Places) -> Check {
    let suppressions = places.root.join("xtask/lsan.supp");
    Check::new("address and leak sanitizer, all tests", Amount::TESTS, 100).step(
        cargo(places, minutes(90))
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTFLAGS", "-Zsanitizer=address")
            // What is suppressed goes by the names of functions, of those too that have become part of others.
            .env("CARGO_PROFILE_CHECKED_DEBUG", "line-tables-only")
            .env("LSAN_OPTIONS", format!("suppressions={}", suppressions.display()))
            .args("test --profile checked --lib --tests --no-fail-fast --target")
            .arg(&places.host)
            .arg("--target-dir")
            .arg(places.work.join("asan")),
    )
}

fn memcheck(places: &Places) -> Check {
    let folder = places.work.join("memcheck");
    let program = folder.join("release/examples/stress");
    Check::new("memcheck", OPERATIONS, 100_000)
        .step(
            cargo(places, minutes(15))
                .args("build --release --example stress --target-dir")
                .arg(&folder),
        )
        .step(
            // Valgrind runs one thread at a time: without fairness one spins while others wait.
            Step::new("valgrind", &places.root, minutes(120))
                .args("--fair-sched=yes --error-exitcode=9 --leak-check=full")
                .args("--errors-for-leak-kinds=definite")
                .arg(program)
                .args("--threads 3 --ops 200000"),
        )
}

/// Twenty orders of the fields of everything.
fn layouts(places: &Places) -> Check {
    let mut check = Check::new("random layouts, 20 seeds", Amount::TESTS, 20 * 50);
    for seed in 1..=20 {
        check = check.step(
            shuffled(cargo(places, minutes(30)), "checked", seed)
                .args("test --profile checked --lib --test oracle --test stress --target-dir")
                .arg(places.work.join("layouts")),
        );
    }
    check
}
