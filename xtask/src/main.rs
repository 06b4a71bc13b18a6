//! `cargo xtask verify quick` and `cargo xtask verify long`: every check, each in processes of its
//! own, and a table of what was run. `cargo xtask mutants` has every tool look for every seeded bug,
//! see [`mutants`]. `cargo xtask instructions` compares the [`instructions`] that the operations take
//! with a record of them, and `cargo xtask bench` measures, see [`bench`].
//!
//! A check is one value in [`checks`]. It passes if all its commands succeed within their limits
//! and its output tells how much was done, which must not be nothing: a tool that is missing, or
//! that ran on nothing, is a failure.
#![allow(missing_docs, reason = "nobody uses this as a library")]

mod amount;
mod bench;
mod checks;
mod fuzz;
mod instructions;
mod mutants;
mod process;
mod table;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use checks::{Check, Tier};
use table::{Outcome, Row};

const USAGE: &str = "\
usage: cargo xtask verify quick|long [FILTER...]
       cargo xtask mutants [FILTER...]
       cargo xtask instructions [--bless]
       cargo xtask bench [--quick] [--rows FILTER]
       cargo xtask bench --check

verify runs the checks of a tier, or those of them whose names contain a filter,
and prints a table. With a filter `-NAME` the check of that name is left out.
On two processors quick takes some ten minutes, and long some three hours.

mutants has every tool look for every seeded bug, or for those whose names
contain a filter, and prints which tool finds which. It fails if none does.

instructions counts the instructions of the hot operations with valgrind, and
fails if one takes 2 % more than benches/instructions/record.toml says, if that was
made with the same tools. With --bless it writes that file.

bench measures the registry against its peers, prints a table, and puts rows and
plots into benches/results when all has succeeded. With --quick it takes less than
five minutes instead of hours, and measures less: benches/README.md says what. With
--rows it measures what has FILTER in its name, and leaves benches/results alone.
With --check it measures nothing, but looks at its own source: formatting, clippy,
tests.

What the first three run is logged in target/verify/logs.

Exit status: 0 all passed, 1 one failed or did not run, 2 it did not come to
that, for a bad argument for example.
";

/// Where everything is.
#[derive(Debug)]
pub(crate) struct Places {
    /// The checkout.
    pub(crate) root: PathBuf,
    /// Where cargo puts what it builds.
    pub(crate) target: PathBuf,
    /// What the checks build and print.
    pub(crate) work: PathBuf,
    /// The machine's own target, by name: with a target named, flags are for the programs alone
    /// and not for what runs while they are built.
    pub(crate) host: String,
    pub(crate) cargo: String,
}

impl Places {
    fn find() -> Result<Self, String> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = here.parent().ok_or("xtask is not below the checkout")?.to_path_buf();
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(dir) => std::path::absolute(dir).map_err(|error| error.to_string())?,
            None => root.join("target"),
        };
        let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
        let output = Command::new(&rustc).arg("-vV").output();
        let output = output.map_err(|error| format!("{rustc}: {error}"))?;
        let output = String::from_utf8_lossy(&output.stdout).into_owned();
        let host = output.lines().find_map(|line| line.strip_prefix("host: "));
        Ok(Self {
            host: host.ok_or("rustc names no host")?.to_owned(),
            work: target.join("verify"),
            target,
            cargo: std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()),
            root,
        })
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        ["verify", "quick", filters @ ..] => verify(Tier::Quick, filters),
        ["verify", "long", filters @ ..] => verify(Tier::Long, filters),
        ["mutants", filters @ ..] => seed_bugs(filters),
        ["instructions"] => count_instructions(false),
        ["instructions", "--bless"] => count_instructions(true),
        ["bench", options @ ..] => measure(options),
        ["-h" | "--help"] => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::from(2)
        }
    }
}

fn count_instructions(bless: bool) -> Result<bool, String> {
    instructions::run(&Places::find()?, bless)
}

fn seed_bugs(filters: &[&str]) -> Result<bool, String> {
    mutants::run(&Places::find()?, filters)
}

fn measure(options: &[&str]) -> Result<bool, String> {
    let options = bench::Options::parse(options)?;
    bench::run(&Places::find()?, &options)
}

/// Runs the checks one after the other: each uses all the processors there are, and what the
/// threads of one do depends on what else runs.
fn verify(tier: Tier, filters: &[&str]) -> Result<bool, String> {
    let places = Places::find()?;
    let mut checks = checks::of(tier, &places);
    let (without, with): (Vec<&str>, Vec<&str>) = filters.iter().partition(|f| f.starts_with('-'));
    checks.retain(|check| with.is_empty() || with.iter().any(|f| check.name.contains(f)));
    checks.retain(|check| without.iter().all(|f| check.name != f[1..]));
    if checks.is_empty() {
        return Err(format!("no check is called anything like {}", filters.join(" or ")));
    }
    let begun = Instant::now();
    let mut rows = Vec::new();
    for (at, check) in checks.iter().enumerate() {
        println!("[{}/{}] {}", at + 1, checks.len(), check.name);
        let row = run(check, &places);
        println!("        {}, {}, {} s", row.outcome, row.amount, row.seconds);
        rows.push(row);
    }
    table::print(&rows, begun.elapsed().as_secs());
    Ok(rows.iter().all(|row| matches!(row.outcome, Outcome::Passed)))
}

fn run(check: &Check, places: &Places) -> Row {
    let begun = Instant::now();
    let file = format!("{}.log", check.name.replace(|c: char| !c.is_alphanumeric(), "-"));
    let log = places.work.join("logs").join(file);
    let mut output = String::new();
    let mut outcome = process::fresh(&log).map_or_else(Outcome::NotRun, |()| Outcome::Passed);
    for step in &check.steps {
        if !matches!(outcome, Outcome::Passed) {
            break;
        }
        println!("        {}", step.show(&places.root));
        let (said, result) = process::run(step, places, &log);
        output.push_str(&said);
        outcome = result;
    }
    let amount = check.amount.in_output(&output);
    if matches!(outcome, Outcome::Passed) && amount < check.least {
        let least = check.least;
        outcome = Outcome::NotRun(format!("only {amount} {} of {least}", check.amount.unit));
    }
    if !matches!(outcome, Outcome::Passed) {
        process::show_end(&output);
        println!("        all of it: {}", log.display());
    }
    Row {
        name: check.name.clone(),
        amount: format!("{amount} {}", check.amount.unit),
        outcome,
        seconds: begun.elapsed().as_secs(),
    }
}
