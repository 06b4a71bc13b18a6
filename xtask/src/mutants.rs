//! `cargo xtask mutants`: every seeded bug, by every tool that could find it.
//!
//! A bug is a `Mutant` of `src/sync/mutants.rs`. Models take its name as an argument, ordinary
//! programs from their environment; each run is a process of its own. A failed assertion, a report
//! of a race, a crash, and no end are all a catch, and told apart. Without a bug the same programs
//! must find nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Places;
use crate::amount::Amount;
use crate::checks::{self, OPERATIONS, minutes};
use crate::process::{self, End, Step};
use crate::table::Outcome;

/// Takes the name of a bug, in programs that are built with them.
const VARIABLE: &str = "PROCESS_REGISTRY_MUTANT";

/// For ordinary programs. With failpoints, the histories interrupt threads between two steps.
const FLAGS: &str = "--cfg process_registry_mutants --cfg process_registry_failpoints";

/// The search of all states is of a transcription that has bugs of its own: which test says that
/// the counterpart of a bug is found.
const COUNTERPARTS: [(&str, &str); 19] = [
    ("RetireBeforeUnlink", "bugs::an_entry_is_retired_before_it_is_unlinked"),
    ("RepublishKilled", "bugs::a_killed_entry_is_published_again"),
    ("MigratedBeforeFill", "bugs::migrated_is_set_before_the_fill"),
    ("ReaderIgnoresMigrated", "bugs::a_reader_ignores_migrated"),
    ("NoValidation", "bugs::an_insert_commits_without_a_look"),
    ("NeverCommitted", "bugs::the_mark_is_never_set"),
    ("LateHash", "members_hold::a_slot_says_too_late_whose_it_is"),
    ("ClaimClosed", "members_hold::a_closed_set_accepts_a_claim"),
    ("UnlinkAny", "members_hold::a_set_takes_its_successor_out_of_the_directory"),
    ("NoFreezeOverflow", "bugs::the_end_of_a_chain_is_not_frozen"),
    ("LateTop", "members_hold::a_chunk_is_linked_before_scans_are_told"),
    ("MovePending", "bugs::a_migration_moves_what_is_pending"),
    ("TakePending", "bugs::a_reader_takes_what_is_pending"),
    ("SkipHelping", "bugs::a_writer_does_not_help"),
    ("FreezeBySight", "bugs::vacant_slots_are_not_frozen"),
    ("LateFilter", "bugs::a_filter_is_told_after_the_commit"),
    ("EmptyFilter", "bugs::a_migration_forgets_the_filter"),
    ("OpenFilter", "bugs::a_filter_says_of_a_chain_that_has_moved_what_is_not_there"),
    ("NoSecondLook", "bugs::a_glance_takes_what_is_frozen"),
];

/// Weakened orderings, which x86-64 gives no program to see: a tool has to look at what was asked
/// for.
const ORDERINGS: [&str; 2] = ["RelaxedPublish", "RelaxedShelf"];

/// Fences: two of the models stand for orderings of one operation each, and the others are fences that no tool for
/// ordinary programs sees.
const MODELS_ALONE: [&str; 4] = ["NoPassFence", "NoHelperFence", "NoRepinFence", "NoDeadlineFence"];

/// What a tool had to say about a bug.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fate {
    Assertion,
    Race,
    Crash,
    Hang,
    Missed,
    /// Nothing that the tool could see.
    Unseen,
    NotRun(String),
}

impl Fate {
    fn of(end: &End) -> Self {
        match end {
            End::Exited(status) => match status.code() {
                Some(0) => Self::Missed,
                // A panic in an ordinary program, and in a model.
                Some(101 | 42) => Self::Assertion,
                // Thread sanitizer's.
                Some(66) => Self::Race,
                Some(134) | None => Self::Crash,
                Some(_) => Self::NotRun(status.to_string()),
            },
            End::TooLong(_) => Self::Hang,
            End::NotRun(why) => Self::NotRun(why.clone()),
        }
    }

    const fn is_caught(&self) -> bool {
        matches!(self, Self::Assertion | Self::Race | Self::Crash | Self::Hang)
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Assertion => "yes",
            Self::Race => "race",
            Self::Crash => "crash",
            Self::Hang => "hang",
            Self::Missed => "no",
            Self::Unseen => "-",
            Self::NotRun(_) => "DID NOT RUN",
        })
    }
}

/// How a tool is asked about a bug.
enum Way {
    /// A program of models, which looks for the bug with one after the other.
    Hunt(Step),
    /// The tests of the transcription.
    Search(Step),
    /// Ordinary programs, each with as much to do every time, one after the other.
    Native { programs: Vec<Step>, sees_orderings: bool },
}

struct Tool {
    name: &'static str,
    way: Way,
}

struct Run<'p> {
    places: &'p Places,
    log: PathBuf,
}

/// Runs every bug whose name contains a filter by every tool. Whether each was caught by one, and
/// every tool ran.
pub(crate) fn run(places: &Places, filters: &[&str]) -> Result<bool, String> {
    let begun = Instant::now();
    let run = Run { places, log: places.work.join("logs/mutants.log") };
    process::fresh(&run.log)?;
    let (models, tools) = run.tools()?;
    let mut bugs = run.bugs(&models)?;
    bugs.retain(|bug| filters.is_empty() || filters.iter().any(|filter| bug.contains(filter)));
    if bugs.is_empty() {
        return Err(format!("no bug is called anything like {}", filters.join(" or ")));
    }
    let limits = run.without_a_bug(&tools)?;

    let width = bugs.iter().map(String::len).max().unwrap_or(0);
    let names: Vec<_> = tools.iter().map(|tool| tool.name).collect();
    println!("\n| {:width$} | {} |", "bug", names.join(" | "));
    let dashes: Vec<_> = names.iter().map(|name| "-".repeat(name.len())).collect();
    println!("| {} | {} |", "-".repeat(width), dashes.join(" | "));
    let (mut caught, mut not_run) = (0, Vec::new());
    for bug in &bugs {
        let fates: Vec<_> =
            tools.iter().zip(&limits).map(|(tool, limit)| run.ask(tool, bug, *limit)).collect();
        let cells = tools.iter().zip(&fates).map(|(tool, fate)| {
            let width = tool.name.len();
            format!("{fate:width$}")
        });
        println!("| {bug:width$} | {} |", cells.collect::<Vec<_>>().join(" | "));
        caught += usize::from(fates.iter().any(Fate::is_caught));
        for (tool, fate) in tools.iter().zip(fates) {
            if let Fate::NotRun(why) = fate {
                not_run.push(format!("{}, {bug}: did not run: {why}", tool.name));
            }
        }
    }
    println!("\n{caught} bugs caught, of {}, {} s", bugs.len(), begun.elapsed().as_secs());
    println!("all that was run: {}", run.log.display());
    not_run.iter().for_each(|line| println!("{line}"));
    Ok(caught == bugs.len() && not_run.is_empty())
}

impl Run<'_> {
    /// Builds everything. Returns the program of the models, and the tools.
    fn tools(&self) -> Result<(Step, Vec<Tool>), String> {
        let places = self.places;
        let (root, models) = (&places.root, places.root.join("loom-tests"));
        let loom = self.build(checks::models(places, "loom", "").args("--test models"))?;
        let shuttle = checks::models(places, "shuttle", checks::SHUTTLE);
        let shuttle = self.build(shuttle.args("--test models --test registry"))?;
        let native = Step::new(&places.cargo, root, minutes(15))
            .env("RUSTFLAGS", FLAGS)
            .args("test --profile checked --test exhaustive --test histories --test oracle")
            .args("--test stress --test stress_reads --target-dir")
            .arg(places.work.join("mutants"));
        let native = self.build(native)?;
        let flags = format!("{} --cfg process_registry_mutants", checks::THREAD_SANITIZER);
        let (build, sanitized) = checks::stress(places, "tsan", &flags, 1);
        self.must_pass(&build)?;

        let model = |programs: &Programs, name| {
            Ok::<_, String>(Step::new(program(programs, name)?, &models, minutes(20)))
        };
        let native = |name| Ok::<_, String>(Step::new(program(&native, name)?, root, minutes(5)));
        let histories = native("histories")?
            .env("HISTORIES", "200")
            // It makes flaws of its own.
            .args("--skip flawed_registries_are_caught");
        let stress = |name| Ok::<_, String>(native(name)?.env("STRESS", "8"));
        let stress = vec![stress("stress")?, stress("stress_reads")?];
        let sanitized = sanitized.env("TSAN_OPTIONS", "halt_on_error=1").args("--ops 60000");
        let tool = |name, way| Tool { name, way };
        let plain = |programs| Way::Native { programs, sees_orderings: false };
        let loom = model(&loom, "models")?;
        let tools = vec![
            tool("loom", Way::Hunt(loom.clone())),
            tool("shuttle, core", Way::Hunt(model(&shuttle, "models")?)),
            tool("shuttle, registry", Way::Hunt(model(&shuttle, "registry")?)),
            tool("search", Way::Search(native("exhaustive")?)),
            tool("histories", plain(vec![histories])),
            tool("oracle", plain(vec![native("oracle")?])),
            tool("stress", plain(stress)),
            tool(
                "thread sanitizer",
                Way::Native { programs: vec![sanitized], sees_orderings: true },
            ),
        ];
        Ok((loom, tools))
    }

    /// The test programs that a step builds, by their names.
    fn build(&self, step: Step) -> Result<Programs, String> {
        let output = self.must_pass(&step.args("--no-run --quiet --message-format json"))?;
        Ok(programs(&output))
    }

    fn must_pass(&self, step: &Step) -> Result<String, String> {
        println!("{}", step.show(&self.places.root));
        let (output, outcome) = process::run(step, self.places, &self.log);
        match outcome {
            Outcome::Passed => Ok(output),
            Outcome::Failed(why) | Outcome::NotRun(why) => {
                process::show_end(&output);
                Err(format!("{}: {why}", step.show(&self.places.root)))
            }
        }
    }

    /// The names of all bugs.
    fn bugs(&self, models: &Step) -> Result<Vec<String>, String> {
        let output = self.must_pass(&models.clone().arg("--mutants"))?;
        Ok(output.lines().map(str::to_owned).collect())
    }

    /// Runs the ordinary programs as they should be. Returns how long each tool may take with a bug
    /// before that counts as no end: several times as long as without.
    fn without_a_bug(&self, tools: &[Tool]) -> Result<Vec<Duration>, String> {
        let mut limits = Vec::new();
        for tool in tools {
            let begun = Instant::now();
            if let Way::Native { programs, .. } = &tool.way {
                for step in programs {
                    let output = self.must_pass(&step.clone().env(VARIABLE, ""))?;
                    if Amount::TESTS.in_output(&output) + OPERATIONS.in_output(&output) == 0 {
                        return Err(format!("{}: nothing was run", step.show(&self.places.root)));
                    }
                }
            }
            limits.push(Duration::from_secs(20) + 6 * begun.elapsed());
        }
        Ok(limits)
    }

    /// What a tool says about a bug.
    fn ask(&self, tool: &Tool, bug: &str, limit: Duration) -> Fate {
        match &tool.way {
            Way::Hunt(step) => {
                match Fate::of(&self.end(&step.clone().arg("--hunt").arg(bug)).1) {
                    // A model ends: it has a bound.
                    Fate::Hang => Fate::NotRun("out of time".into()),
                    fate => fate,
                }
            }
            Way::Search(step) => {
                let Some((_, test)) = COUNTERPARTS.iter().find(|one| one.0 == bug) else {
                    return Fate::Unseen;
                };
                let (output, end) = self.end(&step.clone().arg("--exact").arg(test));
                match Fate::of(&end) {
                    Fate::Missed if Amount::TESTS.in_output(&output) == 1 => Fate::Assertion,
                    Fate::Assertion => Fate::Missed,
                    _ => Fate::NotRun(format!("{test}: {end}")),
                }
            }
            Way::Native { .. } if MODELS_ALONE.contains(&bug) => Fate::Unseen,
            Way::Native { sees_orderings: false, .. }
                if cfg!(target_arch = "x86_64") && ORDERINGS.contains(&bug) =>
            {
                Fate::Unseen
            }
            Way::Native { programs, .. } => {
                let fates = programs.iter().map(|step| {
                    Fate::of(&self.end(&step.clone().env(VARIABLE, bug).limit(limit)).1)
                });
                fates.into_iter().find(|fate| *fate != Fate::Missed).unwrap_or(Fate::Missed)
            }
        }
    }

    fn end(&self, step: &Step) -> (String, End) {
        process::end(step, self.places, &self.log)
    }
}

type Programs = BTreeMap<String, PathBuf>;

fn program<'p>(programs: &'p Programs, name: &str) -> Result<&'p Path, String> {
    let program = programs.get(name).ok_or_else(|| format!("cargo has built no {name}"))?;
    Ok(program)
}

/// The test programs that cargo tells of, by their names.
fn programs(output: &str) -> Programs {
    let messages = output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let one = |message: Value| {
        let name = message.pointer("/target/name")?.as_str()?.to_owned();
        let is_test = message.pointer("/target/kind/0")?.as_str()? == "test";
        is_test.then_some((name, PathBuf::from(message["executable"].as_str()?)))
    };
    messages.filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn read(path: &str) -> String {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the checkout");
        fs::read_to_string(root.join(path)).expect("readable")
    }

    #[test]
    fn bugs_and_their_counterparts_exist() {
        let bugs = read("src/sync/mutants.rs");
        let there = |bug: &str| bugs.contains(&format!("Mutant::{bug},"));
        for (bug, test) in COUNTERPARTS {
            let (module, test) = test.split_once("::").expect("a path");
            let tests = read(&format!("tests/exhaustive/{module}.rs"));
            assert!(there(bug) && tests.contains(&format!("fn {test}()")), "{bug}: {test}");
        }
        assert!(ORDERINGS.iter().chain(&MODELS_ALONE).all(|bug| there(bug)));
        assert!(bugs.contains(&format!("\"{VARIABLE}\"")));
    }

    #[cfg(unix)]
    #[test]
    fn ends_are_told_apart() {
        use std::os::unix::process::ExitStatusExt;
        use std::process::ExitStatus;

        // As the system has it: the code above the signal.
        let fate = |status| Fate::of(&End::Exited(ExitStatus::from_raw(status)));
        assert_eq!(fate(0), Fate::Missed);
        assert_eq!((fate(101 << 8), fate(42 << 8)), (Fate::Assertion, Fate::Assertion));
        assert_eq!(fate(66 << 8), Fate::Race);
        assert_eq!((fate(11), fate(134 << 8)), (Fate::Crash, Fate::Crash));
        assert_eq!(Fate::of(&End::TooLong(Duration::ZERO)), Fate::Hang);
        // There is no such bug: nothing was caught.
        assert!(matches!(fate(2 << 8), Fate::NotRun(_)));
        assert!(matches!(Fate::of(&End::NotRun("no".into())), Fate::NotRun(_)));
    }

    #[test]
    fn programs_are_found_in_what_cargo_tells() {
        let line = |kind: &str, name: &str, executable: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","target":{{"kind":["{kind}"],"name":"{name}"}},"executable":{executable}}}"#
            )
        };
        let output = [
            line("lib", "process-registry", "null"),
            line("test", "oracle", "\"/there/oracle-1\""),
            line("bin", "xtask", "\"/there/xtask\""),
            "warning: something".into(),
        ]
        .join("\n");
        let expected = [("oracle".to_owned(), PathBuf::from("/there/oracle-1"))];
        assert_eq!(programs(&output), Programs::from(expected));
    }
}
