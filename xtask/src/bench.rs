//! `cargo xtask bench`: the measurements of `benches/`, with every allocator, and one table of
//! them all.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use crate::Places;
use crate::process::{self, Step};

/// The programs that measure, in the order in which they run; each writes a file of its name.
const PROGRAMS: [&str; 3] = ["system", "mimalloc", "memory"];

/// Those of them that a quick run leaves out: what they say is hardly different.
const NOT_QUICK: [&str; 1] = ["mimalloc"];

/// Somebody is watching.
const UNLIMITED: Duration = Duration::MAX;

/// Where the results of a whole run are put, below the checkout.
const RESULTS: &str = "benches/results";

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    quick: bool,
    filter: Option<String>,
    check: bool,
}

impl Options {
    pub(crate) fn parse(arguments: &[&str]) -> Result<Self, String> {
        let mut options = Self::default();
        let mut arguments = arguments.iter();
        while let Some(&argument) = arguments.next() {
            match argument {
                "--quick" => options.quick = true,
                "--check" => options.check = true,
                "--rows" => {
                    let filter = arguments.next().ok_or("--rows needs a filter behind it")?;
                    options.filter = Some((*filter).to_owned());
                }
                _ => return Err(format!("bench knows no `{argument}`; see --help")),
            }
        }
        if options.check && options != (Self { check: true, ..Self::default() }) {
            return Err("bench --check measures nothing, so it takes no other option".to_owned());
        }
        Ok(options)
    }

    /// The programs that are to run, as far as they have something to measure.
    fn programs(&self) -> impl Iterator<Item = &'static str> {
        PROGRAMS.into_iter().filter(|name| !self.quick || !NOT_QUICK.contains(name))
    }

    /// A program with these options.
    fn step(&self, program: &Path, places: &Places) -> Step {
        let mut step = Step::new(program, &places.root, UNLIMITED);
        if self.quick {
            step = step.arg("--quick");
        }
        if let Some(filter) = &self.filter {
            step = step.arg("--rows").arg(filter);
        }
        step
    }
}

/// Checks the package that measures as the checkout is checked: it is a workspace of its own. Stops
/// at the first check that fails.
fn check(places: &Places) -> Result<bool, String> {
    let cargo = |arguments: &str| {
        Step::new(&places.cargo, &places.root.join("benches"), UNLIMITED).args(arguments)
    };
    let target = places.work.join("benches");
    let built = |arguments| cargo(arguments).arg("--locked").arg("--target-dir").arg(&target);
    let steps = [
        cargo("fmt --check"),
        built("clippy --all-targets").args("-- -D warnings"),
        built("test --quiet"),
    ];
    for step in steps {
        let shown = step.show(&places.root);
        println!("{shown}");
        let status = process::command(&step).stdin(Stdio::null()).status();
        if !status.map_err(|error| format!("{shown}: {error}"))?.success() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Builds the programs, runs those that have something to measure, and shows the results.
pub(crate) fn run(places: &Places, options: &Options) -> Result<bool, String> {
    if options.check {
        return check(places);
    }
    let build = Step::new(&places.cargo, &places.root.join("benches"), UNLIMITED)
        .args("build --locked --release --bins --target-dir")
        .arg(places.work.join("benches"));
    watched(&build, places)?;
    let programs = places.work.join("benches/release");

    let mut wanted: Vec<&str> = Vec::new();
    for name in options.programs() {
        let list = options.step(&programs.join(name), places).arg("--list");
        if !printed(&list)?.trim().is_empty() {
            wanted.push(name);
        }
    }
    if wanted.is_empty() {
        let filter = options.filter.as_deref().unwrap_or_default();
        let list = programs.join(PROGRAMS[0]);
        return Err(format!("no row is called `{filter}`; see `{} --list`", list.display()));
    }

    // Not where the recorded ones are: a run may fail, or be of some rows.
    let results = places.work.join("results");
    fs::create_dir_all(&results).map_err(|error| format!("{}: {error}", results.display()))?;
    remove(&of_folder(&results)?)?;
    for name in wanted {
        let csv = results.join(format!("{name}.csv"));
        watched(&options.step(&programs.join(name), places).arg("--csv").arg(csv), places)?;
    }
    let summary = Step::new(programs.join("summary"), &places.root, UNLIMITED).arg(&results);
    print!("\n{}", printed(&summary)?);
    if options.filter.is_none() {
        replace(&results, &places.root.join(RESULTS))?;
        println!("\nthe rows and their plots are in {RESULTS}");
    } else {
        println!("\nthe rows and their plots are in {}", results.display());
    }
    Ok(true)
}

/// The files with results in a folder.
fn of_folder(results: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |error| format!("{}: {error}", results.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(results).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().and_then(OsStr::to_str).is_some_and(|end| ["csv", "svg"].contains(&end))
        {
            files.push(path);
        }
    }
    Ok(files)
}

fn remove(files: &[PathBuf]) -> Result<(), String> {
    files.iter().try_for_each(|file| {
        fs::remove_file(file).map_err(|error| format!("{}: {error}", file.display()))
    })
}

/// Puts the results of one folder in place of those of another.
fn replace(new: &Path, old: &Path) -> Result<(), String> {
    let files = of_folder(new)?;
    fs::create_dir_all(old).map_err(|error| format!("{}: {error}", old.display()))?;
    remove(&of_folder(old)?)?;
    for file in files {
        let to = old.join(file.file_name().unwrap_or_default());
        fs::copy(&file, &to).map_err(|error| format!("{}: {error}", to.display()))?;
    }
    Ok(())
}

/// Runs a step whose progress is shown. What it prints besides is not: the summary has it all.
fn watched(step: &Step, places: &Places) -> Result<(), String> {
    let shown = step.show(&places.root);
    println!("{shown}");
    let status = process::command(step).stdin(Stdio::null()).stdout(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{shown}: {status}")),
        Err(error) => Err(format!("{shown}: {error}")),
    }
}

/// Runs a step and returns what it printed; what it complains about is shown.
fn printed(step: &Step) -> Result<String, String> {
    let output = process::command(step).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let shown = || step.show(Path::new("/"));
    let output = output.map_err(|error| format!("{}: {error}", shown()))?;
    if !output.status.success() {
        return Err(format!("{}: {}", shown(), output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_taken_and_mistakes_named() {
        let options = Options { quick: true, filter: Some("hit 1M".into()), check: false };
        assert_eq!(Options::parse(&["--rows", "hit 1M", "--quick"]), Ok(options));
        assert_eq!(Options::parse(&[]), Ok(Options::default()));
        let told = |arguments: &[&str]| Options::parse(arguments).expect_err("a mistake");
        let check = Options::parse(&["--check"]).map(|options| options.check);
        assert_eq!(check, Ok(true));
        assert!(told(&["--check", "--quick"]).starts_with("bench --check measures nothing"));
        assert_eq!(told(&["--rows"]), "--rows needs a filter behind it");
        assert_eq!(told(&["--slow"]), "bench knows no `--slow`; see --help");
    }

    #[test]
    fn a_quick_run_has_fewer_programs() {
        let programs = |quick| Options { quick, ..Options::default() }.programs().count();
        assert_eq!((programs(true), programs(false)), (2, 3));
    }

    #[test]
    fn only_results_are_replaced() {
        let folder = std::env::temp_dir().join(format!("xtask-{}-results", std::process::id()));
        let (new, old) = (folder.join("new"), folder.join("old"));
        let fill = |folder: &Path, names: &[&str]| {
            fs::create_dir_all(folder).expect("a folder");
            for name in names {
                fs::write(folder.join(name), folder.to_str().expect("text")).expect("a file");
            }
        };
        fill(&new, &["system.csv", "lookup-system.svg", "log"]);
        assert!(replace(&old, &new).is_err(), "nothing to put there");
        fill(&old, &["system.csv", "mimalloc.csv", "notes.md"]);
        replace(&new, &old).expect("replaced");
        let there = |name: &str| fs::read_to_string(old.join(name)).ok();
        let is_new = |name: &str| there(name).is_some_and(|text| text.ends_with("new"));
        assert!(is_new("system.csv") && is_new("lookup-system.svg"));
        assert!(there("notes.md").is_some_and(|text| text.ends_with("old")));
        assert_eq!((there("mimalloc.csv"), there("log")), (None, None));
        assert_eq!(of_folder(&new).expect("readable").len(), 2, "still there");
        fs::remove_dir_all(&folder).expect("there");
    }
}
