//! `cargo xtask instructions`: how many instructions the hot operations take, held against a
//! record.
//!
//! Callgrind counts the same on every run, so that two per cent are a lot; but another compiler,
//! another version of a dependency or of valgrind counts something else. The record says with
//! which of those it was made, and binds where they are the same.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::path::PathBuf;
use std::process::Command;
use std::{fs, io};

use serde_json::Value;

use crate::Places;
use crate::checks::minutes;
use crate::process::{self, Step};
use crate::table::Outcome;

/// Where the record is, below the checkout.
const RECORD: &str = "benches/instructions/record.toml";

/// By how many per cent a count may exceed the recorded one.
const TOLERANCE: u64 = 2;

/// How many entries each benchmark touches.
const ENTRIES: f64 = 4096.0;

/// Counts the instructions and compares them with the record, or records them. Whether nothing
/// became slower.
pub(crate) fn run(places: &Places, bless: bool) -> Result<bool, String> {
    let measured = measure(places)?;
    let path = places.root.join(RECORD);
    if bless {
        fs::write(&path, measured.to_string()).map_err(|error| format!("{RECORD}: {error}"))?;
        print!("{}", table(&measured, None));
        println!("\nrecorded in {RECORD}");
        return Ok(true);
    }
    let recorded = match fs::read_to_string(&path) {
        Ok(text) => Record::parse(&text).map_err(|error| format!("{RECORD}, {error}"))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(format!(
                "{RECORD} is missing; `cargo xtask instructions --bless` writes it"
            ));
        }
        Err(error) => return Err(format!("{RECORD}: {error}")),
    };
    print!("{}", table(&measured, Some(&recorded)));
    println!();
    match compare(&recorded, &measured) {
        Verdict::Incomparable(differences) => {
            println!("{RECORD} was made with something else, and is not compared with:");
            differences.iter().for_each(|difference| println!("    {difference}"));
            println!("`cargo xtask instructions --bless` would write this:\n\n{measured}");
            Ok(true)
        }
        Verdict::Compared { slower, faster } => {
            for change in &faster {
                println!("faster: {change}");
            }
            if !faster.is_empty() {
                println!("`cargo xtask instructions --bless` keeps that.");
            }
            for change in &slower {
                println!("FAILED: {change}");
            }
            if slower.is_empty() {
                println!("{} operations, none over {TOLERANCE} % up", measured.counts.len());
            }
            Ok(slower.is_empty())
        }
    }
}

/// What the counts depend on beside the code that is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Setting {
    rustc: String,
    /// A fingerprint of the lock file.
    lock: String,
    valgrind: String,
    gungraun: String,
}

impl Setting {
    fn named(&self) -> [(&'static str, &str); 4] {
        [
            ("rustc", &self.rustc),
            ("lock", &self.lock),
            ("valgrind", &self.valgrind),
            ("gungraun", &self.gungraun),
        ]
    }
}

/// Counts, and with what they were made.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Record {
    setting: Setting,
    counts: BTreeMap<String, u64>,
}

impl Record {
    /// Reads what `Display` writes: a TOML file of a simple kind.
    fn parse(text: &str) -> Result<Self, String> {
        let mut values = BTreeMap::new();
        let mut counts = BTreeMap::new();
        let mut in_counts = false;
        for (line, number) in text.lines().zip(1..) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if line == "[instructions]" {
                in_counts = true;
                continue;
            }
            let wrong = || format!("line {number}: `{line}` is not a value that belongs here");
            let (name, value) = line.split_once('=').ok_or_else(wrong)?;
            let (name, value) = (name.trim(), value.trim());
            let new = if in_counts {
                let count: u64 = value.replace('_', "").parse().map_err(|_| wrong())?;
                counts.insert(name.to_owned(), count).is_none()
            } else {
                let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
                values.insert(name, value.ok_or_else(wrong)?.to_owned()).is_none()
            };
            if !new {
                return Err(format!("line {number}: `{name}` is there twice"));
            }
        }
        let mut take = |name| values.remove(name).ok_or(format!("`{name}` is missing"));
        let setting = Setting {
            rustc: take("rustc")?,
            lock: take("lock")?,
            valgrind: take("valgrind")?,
            gungraun: take("gungraun")?,
        };
        if counts.is_empty() {
            return Err("it records no instructions".into());
        }
        Ok(Self { setting, counts })
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "# Instructions of the hot operations on 4,096 entries each, by callgrind, and what the\n\
             # counts depend on. Written by `cargo xtask instructions --bless`.\n\n",
        )?;
        for (name, value) in self.setting.named() {
            writeln!(f, "{name} = \"{value}\"")?;
        }
        f.write_str("\n[instructions]\n")?;
        self.counts.iter().try_for_each(|(name, count)| writeln!(f, "{name} = {count}"))
    }
}

/// What a comparison says.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// The record was made with something else: what differs.
    Incomparable(Vec<String>),
    /// What is out of line, one sentence each.
    Compared { slower: Vec<String>, faster: Vec<String> },
}

fn compare(recorded: &Record, measured: &Record) -> Verdict {
    let settings = recorded.setting.named().into_iter().zip(measured.setting.named());
    let differences: Vec<String> = settings
        .filter(|(then, now)| then != now)
        .map(|((name, then), (_, now))| format!("{name}: `{then}` then, `{now}` now"))
        .collect();
    if !differences.is_empty() {
        return Verdict::Incomparable(differences);
    }
    let (mut slower, mut faster) = (Vec::new(), Vec::new());
    for (name, &then) in &recorded.counts {
        let Some(&now) = measured.counts.get(name) else {
            // An operation that nobody counts would always pass.
            slower.push(format!("{name} is recorded and was not measured"));
            continue;
        };
        let change = || {
            let percent = (now as f64 / then as f64 - 1.0) * 100.0;
            format!("{name} takes {now} instructions, recorded are {then} ({percent:+.2} %)")
        };
        if u128::from(now) * 100 > u128::from(then) * u128::from(100 + TOLERANCE) {
            slower.push(change());
        } else if u128::from(now) * 100 < u128::from(then) * u128::from(100 - TOLERANCE) {
            faster.push(change());
        }
    }
    for name in measured.counts.keys().filter(|name| !recorded.counts.contains_key(*name)) {
        slower.push(format!("{name} was measured and is not recorded"));
    }
    Verdict::Compared { slower, faster }
}

/// The counts as a table, with those of the record beside them.
fn table(measured: &Record, recorded: Option<&Record>) -> String {
    let mut table = format!(
        "{:26} {:>12} {:>10} {:>12} {:>9}\n",
        "operation", "instructions", "per entry", "recorded", "change"
    );
    for (name, &now) in &measured.counts {
        let per_entry = now as f64 / ENTRIES;
        let then = recorded.and_then(|record| record.counts.get(name).copied());
        let (then, change) = then.map_or_else(
            || (String::new(), String::new()),
            |then| {
                (then.to_string(), format!("{:+.2} %", (now as f64 / then as f64 - 1.0) * 100.0))
            },
        );
        let line = format!("{name:26} {now:>12} {per_entry:>10.1} {then:>12} {change:>9}");
        writeln!(table, "{}", line.trim_end()).expect("a string takes whatever is written");
    }
    table
}

/// Runs the benchmarks.
fn measure(places: &Places) -> Result<Record, String> {
    let folder = places.root.join("benches/instructions");
    let lock = folder.join("Cargo.lock");
    let lock = fs::read_to_string(&lock).map_err(|error| format!("{}: {error}", lock.display()))?;
    let gungraun = locked_version(&lock, "gungraun")
        .ok_or("its Cargo.lock has no package of the name gungraun")?;
    let valgrind = first_line(Command::new("valgrind").arg("--version")).map_err(|error| {
        format!("{error}; it counts the instructions, and is in the package `valgrind`")
    })?;
    let rustc = first_line(Command::new("rustc").arg("--version").current_dir(&folder))?;
    let runner = runner(places, &gungraun)?;

    let bench = Step::new(&places.cargo, &folder, minutes(15))
        .env("GUNGRAUN_RUNNER", runner.to_string_lossy())
        .args("bench --locked --bench instructions --target-dir")
        .arg(places.work.join("instructions"))
        .args("-- --output-format=json --home")
        .arg(places.work.join("gungraun"));
    let output = carried_out(&bench, places, "instructions")?;
    let setting = Setting { rustc, lock: fingerprint(lock.as_bytes()), valgrind, gungraun };
    Ok(Record { setting, counts: counts(&output)? })
}

/// The program that starts valgrind for the benchmarks; installed if it is not there. It has to be
/// of the same version as they are.
fn runner(places: &Places, version: &str) -> Result<PathBuf, String> {
    // The version is part of the path: what is there is the right one.
    let root = places.target.join("tools").join(format!("gungraun-runner-{version}"));
    let program = root.join("bin/gungraun-runner");
    if !program.exists() {
        // Unoptimised: that is built in half the time, and it has next to nothing to do.
        let install = Step::new(&places.cargo, &places.root, minutes(15))
            .env("CARGO_PROFILE_DEV_DEBUG", "false")
            .args("install --debug --locked gungraun-runner --version")
            .arg(format!("={version}"))
            .arg("--root")
            .arg(&root)
            .arg("--target-dir")
            .arg(places.work.join("tools"));
        carried_out(&install, places, "gungraun-runner")?;
    }
    Ok(program)
}

/// Runs a step to its end, which has to be a good one. Returns what it printed.
fn carried_out(step: &Step, places: &Places, name: &str) -> Result<String, String> {
    println!("{}", step.show(&places.root));
    let log = places.work.join("logs").join(format!("{name}.log"));
    process::fresh(&log)?;
    let (output, outcome) = process::run(step, places, &log);
    if matches!(outcome, Outcome::Passed) {
        return Ok(output);
    }
    process::show_end(&output);
    Err(format!("{name}: {outcome}; all it printed is in {}", log.display()))
}

fn first_line(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{program}: {error}"))?;
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    output.lines().next().map(str::to_owned).ok_or(format!("{program} tells no version"))
}

/// The version of a package in a lock file.
fn locked_version(lock: &str, package: &str) -> Option<String> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name);
    let version = lines.nth(1)?.strip_prefix("version = \"")?;
    version.strip_suffix('"').map(str::to_owned)
}

/// 64-bit FNV-1a: tells two lock files apart that nobody has made alike on purpose.
fn fingerprint(bytes: &[u8]) -> String {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{hash:016x}")
}

/// The counts in what the benchmarks print: JSON, one line for each, among cargo's own lines.
fn counts(output: &str) -> Result<BTreeMap<String, u64>, String> {
    let mut counts = BTreeMap::new();
    for line in output.lines().filter(|line| line.starts_with('{')) {
        let summary: Value = serde_json::from_str(line)
            .map_err(|error| format!("a line of gungraun's output is no JSON: {error}"))?;
        let name = summary["function_name"].as_str();
        let tools = summary["profiles"].as_array();
        let callgrind = tools.and_then(|all| all.iter().find(|tool| tool["tool"] == "Callgrind"));
        let count = callgrind
            .and_then(|tool| tool.pointer("/data/total/metrics/Ir/values/new"))
            .and_then(Value::as_u64);
        let (Some(name), Some(count)) = (name, count) else {
            return Err(format!("gungraun's output is not of the expected form: {line}"));
        };
        if count == 0 {
            return Err(format!("{name} took no instructions: callgrind has not seen it"));
        }
        if counts.insert(name.to_owned(), count).is_some() {
            return Err(format!("{name} was measured twice"));
        }
    }
    if counts.is_empty() {
        return Err("gungraun measured nothing".into());
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(counts: &[(&str, u64)]) -> Record {
        Record {
            setting: Setting {
                rustc: "rustc 1.95.0".into(),
                lock: "0123456789abcdef".into(),
                valgrind: "valgrind-3.19.0".into(),
                gungraun: "0.20.0".into(),
            },
            counts: counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect(),
        }
    }

    fn slower(recorded: &[(&str, u64)], measured: &[(&str, u64)]) -> Vec<String> {
        match compare(&record(recorded), &record(measured)) {
            Verdict::Compared { slower, .. } => slower,
            other @ Verdict::Incomparable(_) => panic!("{other:?}"),
        }
    }

    #[test]
    fn two_per_cent_pass_and_one_instruction_more_does_not() {
        let recorded = [("delete", 1000), ("lookup", 50)];
        assert_eq!(slower(&recorded, &recorded), [""; 0]);
        assert_eq!(slower(&recorded, &[("delete", 1020), ("lookup", 51)]), [""; 0]);
        let out = slower(&recorded, &[("delete", 1021), ("lookup", 51)]);
        let said = "delete takes 1021 instructions, recorded are 1000 (+2.10 %)";
        assert_eq!(out, [said]);
    }

    #[test]
    fn what_got_faster_passes_and_is_told() {
        let verdict =
            compare(&record(&[("a", 1000), ("b", 1000)]), &record(&[("a", 979), ("b", 980)]));
        let faster = "a takes 979 instructions, recorded are 1000 (-2.10 %)".to_owned();
        assert_eq!(verdict, Verdict::Compared { slower: vec![], faster: vec![faster] });
    }

    #[test]
    fn an_operation_that_only_one_side_knows_is_not_passed_over() {
        let gone = slower(&[("a", 1), ("b", 1)], &[("a", 1)]);
        assert_eq!(gone, ["b is recorded and was not measured"]);
        let new = slower(&[("a", 1)], &[("a", 1), ("b", 1)]);
        assert_eq!(new, ["b was measured and is not recorded"]);
    }

    #[test]
    fn another_setting_is_not_compared_with() {
        type Change = fn(&mut Setting) -> &mut String;
        let changes: [(Change, &str); 4] = [
            (|setting| &mut setting.rustc, "rustc: `rustc 1.95.0` then, `x` now"),
            (|setting| &mut setting.lock, "lock: `0123456789abcdef` then, `x` now"),
            (|setting| &mut setting.valgrind, "valgrind: `valgrind-3.19.0` then, `x` now"),
            (|setting| &mut setting.gungraun, "gungraun: `0.20.0` then, `x` now"),
        ];
        for (change, told) in changes {
            let mut measured = record(&[("a", 5000)]);
            *change(&mut measured.setting) = "x".into();
            let verdict = compare(&record(&[("a", 1)]), &measured);
            assert_eq!(verdict, Verdict::Incomparable(vec![told.to_owned()]));
        }
    }

    #[test]
    fn a_record_reads_as_it_was_written() {
        let written = record(&[("delete", 4_473_518), ("lookup", 345_590)]);
        assert_eq!(Record::parse(&written.to_string()), Ok(written));
    }

    #[test]
    fn a_damaged_record_says_where() {
        let good = record(&[("delete", 7)]).to_string();
        let parse = |from: &str, to: &str| {
            assert!(good.contains(from));
            Record::parse(&good.replace(from, to)).expect_err("damaged")
        };
        assert!(parse("delete = 7", "delete = seven").contains("line 10"));
        assert!(parse("delete = 7", "delete").contains("`delete`"));
        assert!(parse("delete = 7", "delete = 7\ndelete = 8").contains("`delete` is there twice"));
        assert!(parse("delete = 7", "").contains("no instructions"));
        assert!(parse("rustc = ", "cargo = ").contains("`rustc` is missing"));
        assert!(parse("\"rustc 1.95.0\"", "1.95").contains("line 4"));
    }

    #[test]
    fn counts_stand_among_other_lines() {
        let line = |name: &str, count: &str| {
            format!(
                r#"{{"function_name":"{name}","profiles":[{{"tool":"DHAT"}},{{"tool":"Callgrind","data":{{"total":{{"metrics":{{"Ir":{{"values":{{"new":{count}}}}}}}}}}}}}]}}"#
            )
        };
        let output = format!("    Finished\n{}\n{}\n", line("a", "12"), line("b", "34"));
        let expected = [("a".to_owned(), 12), ("b".to_owned(), 34)];
        assert_eq!(counts(&output), Ok(BTreeMap::from(expected)));
        assert!(counts("    Finished\n").is_err(), "nothing was measured");
        assert!(counts(&line("a", "0")).is_err(), "it was not called");
        assert!(counts(&line("a", "\"12\"")).is_err(), "no number");
        assert!(counts(&format!("{0}\n{0}", line("a", "12"))).is_err(), "twice");
        assert!(counts("{ broken").is_err());
    }

    #[test]
    fn versions_are_found_in_a_lock_file() {
        let lock = "[[package]]\nname = \"gungraun-runner\"\nversion = \"0.1.0\"\n\n\
                    [[package]]\nname = \"gungraun\"\nversion = \"0.20.0\"\n";
        assert_eq!(locked_version(lock, "gungraun").as_deref(), Some("0.20.0"));
        assert_eq!(locked_version(lock, "gung"), None);
    }

    #[test]
    fn fingerprints_are_those_of_fnv() {
        assert_eq!(fingerprint(b""), "cbf29ce484222325");
        assert_eq!(fingerprint(b"foobar"), "85944171f73967e8");
    }
}
