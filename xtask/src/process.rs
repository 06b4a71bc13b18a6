//! Runs a command with a time limit, and keeps what it prints.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Places;
use crate::table::Outcome;

/// A command that is part of a check.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    program: OsString,
    arguments: Vec<OsString>,
    folder: PathBuf,
    variables: Vec<(&'static str, String)>,
    limit: Duration,
}

impl Step {
    pub(crate) fn new(program: impl Into<OsString>, folder: &Path, limit: Duration) -> Self {
        let (program, folder) = (program.into(), folder.to_path_buf());
        Self { program, arguments: Vec::new(), folder, variables: Vec::new(), limit }
    }

    pub(crate) fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Arguments with spaces between them.
    pub(crate) fn args(mut self, arguments: &str) -> Self {
        self.arguments.extend(arguments.split_whitespace().map(OsString::from));
        self
    }

    pub(crate) fn env(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    pub(crate) const fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// The command as one would type it.
    pub(crate) fn show(&self, root: &Path) -> String {
        let mut line = String::new();
        if let Ok(below) = self.folder.strip_prefix(root)
            && below != Path::new("")
        {
            line = format!("cd {} && ", below.display());
        }
        // In single quotes where a shell would take it for something else.
        let quoted = |word: &str| {
            let plain = |c: char| c.is_alphanumeric() || "-_=/.,:+".contains(c);
            if word.chars().all(plain) { word.to_owned() } else { format!("'{word}'") }
        };
        for (name, value) in &self.variables {
            line.push_str(&format!("{name}={} ", quoted(value)));
        }
        let program = Path::new(&self.program);
        let cargo = program.file_name().filter(|name| *name == "cargo");
        line.push_str(&cargo.unwrap_or(&self.program).to_string_lossy());
        for argument in &self.arguments {
            line.push(' ');
            line.push_str(&quoted(&argument.to_string_lossy()));
        }
        line
    }
}

/// How a command ended.
#[derive(Debug)]
pub(crate) enum End {
    Exited(ExitStatus),
    /// It was killed after so long.
    TooLong(Duration),
    NotRun(String),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(status) => status.fmt(f),
            Self::TooLong(limit) => write!(f, "not done within {} s", limit.as_secs()),
            Self::NotRun(why) => f.write_str(why),
        }
    }
}

/// Makes an empty log.
pub(crate) fn fresh(log: &Path) -> Result<(), String> {
    let made = log.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| File::create(log));
    made.map(drop).map_err(|error| format!("{}: {error}", log.display()))
}

/// Runs a step, adding what it prints to the log. Returns that, and what it comes to.
pub(crate) fn run(step: &Step, places: &Places, log: &Path) -> (String, Outcome) {
    let (output, end) = end(step, places, log);
    let outcome = match end {
        End::Exited(status) if status.success() => Outcome::Passed,
        End::NotRun(why) => Outcome::NotRun(why),
        end => Outcome::Failed(end.to_string()),
    };
    (output, outcome)
}

/// Runs a step, adding what it prints to the log. Returns that, and how it ended.
pub(crate) fn end(step: &Step, places: &Places, log: &Path) -> (String, End) {
    let begin = match append(step, places, log) {
        Ok(begin) => begin,
        Err(error) => return (String::new(), End::NotRun(error)),
    };
    let end = start(step, log).map_or_else(End::NotRun, |child| wait(child, step.limit));
    (read_from(log, begin).unwrap_or_default(), end)
}

/// Writes the command into the log. Returns where its output begins.
fn append(step: &Step, places: &Places, log: &Path) -> Result<u64, String> {
    let write = || {
        let mut file = OpenOptions::new().append(true).open(log)?;
        writeln!(file, "$ {}", step.show(&places.root))?;
        file.metadata().map(|metadata| metadata.len())
    };
    write().map_err(|error: std::io::Error| error.to_string())
}

fn read_from(log: &Path, begin: u64) -> Option<String> {
    let mut file = File::open(log).ok()?;
    file.seek(SeekFrom::Start(begin)).ok()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn start(step: &Step, log: &Path) -> Result<Child, String> {
    let open = || OpenOptions::new().append(true).open(log).map(Stdio::from);
    let mut command = command(step);
    command.stdin(Stdio::null());
    command.stdout(open().map_err(|error| error.to_string())?);
    command.stderr(open().map_err(|error| error.to_string())?);
    command.spawn().map_err(|error| format!("{}: {error}", step.program.to_string_lossy()))
}

/// The command of a step, with as much of the environment as suits any program that is run from
/// here.
pub(crate) fn command(step: &Step) -> Command {
    let mut command = Command::new(&step.program);
    command.args(&step.arguments).current_dir(&step.folder);
    // What cargo tells the programs it runs is about this one, and exported flags would replace
    // those that the packages set for themselves.
    for (name, _) in std::env::vars_os() {
        if !is_kept(&name.to_string_lossy()) {
            command.env_remove(&name);
        }
    }
    command.envs(step.variables.iter().map(|(name, value)| (name, value)));
    command
}

/// Whether a program that is run from here has this variable, too. Of cargo's own: where it is, and how it
/// gets at what it needs (proxies, certificates, mirrors).
fn is_kept(name: &str) -> bool {
    const KEPT: [&str; 4] =
        ["CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_TERM_COLOR", "CARGO_BUILD_JOBS"];
    const ACCESS: [&str; 4] = ["CARGO_NET_", "CARGO_HTTP_", "CARGO_REGISTRIES_", "CARGO_SOURCE_"];
    if name.contains("RUSTFLAGS") || name.contains("RUSTDOCFLAGS") {
        return false;
    }
    !name.starts_with("CARGO_")
        || KEPT.contains(&name)
        || ACCESS.iter().any(|access| name.starts_with(access))
}

fn wait(mut child: Child, limit: Duration) -> End {
    let begun = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return End::Exited(status),
            Ok(None) if begun.elapsed() < limit => thread::sleep(Duration::from_millis(50)),
            Ok(None) => {
                kill(&mut child);
                let _ = child.wait();
                return End::TooLong(limit);
            }
            Err(error) => return End::NotRun(error.to_string()),
        }
    }
}

/// Kills a process and all that it has started: cargo's death alone would leave the tests running.
/// Not as a group of their own, which an interrupt at the terminal would not reach. Parents go first:
/// a shell goes on to its next command when one dies.
fn kill(child: &mut Child) {
    let mut tree = children(child.id());
    let mut at = 0;
    while let Some(process) = tree.get(at) {
        tree.extend(children(*process));
        at += 1;
    }
    let _ = child.kill();
    for process in tree {
        let _ = Command::new("kill").args(["-KILL", &process.to_string()]).status();
    }
}

/// The processes whose parent that is, where the system shows them.
fn children(parent: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let of_parent = |process: &u32| {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        // The name of the program comes first, in parentheses, and may contain anything.
        let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        rest.split_whitespace().nth(1) == Some(&parent.to_string())
    };
    numbers.filter(of_parent).collect()
}

/// Prints the last lines of an output.
pub(crate) fn show_end(output: &str) {
    let lines: Vec<&str> = output.lines().collect();
    for line in &lines[lines.len().saturating_sub(60)..] {
        println!("        > {line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> Places {
        let root = std::env::temp_dir();
        let (target, work) = (root.clone(), root.clone());
        Places { root, target, work, host: "any".into(), cargo: "cargo".into() }
    }

    fn shell(name: &str, script: &str) -> (String, Outcome) {
        let places = places();
        let log = places.work.join(format!("xtask-{}-{name}.log", std::process::id()));
        fresh(&log).expect("a log");
        let step = Step::new("sh", &places.root, Duration::from_secs(2)).arg("-c").arg(script);
        let result = run(&step, &places, &log);
        fs::remove_file(log).expect("there");
        result
    }

    #[test]
    fn flags_and_what_cargo_tells_of_this_program_are_left_out() {
        for kept in [
            "PATH",
            "HTTPS_PROXY",
            "CARGO_HOME",
            "CARGO_NET_OFFLINE",
            "CARGO_HTTP_CAINFO",
            "CARGO_REGISTRIES_OURS_INDEX",
            "CARGO_SOURCE_CRATES_IO_REPLACE_WITH",
        ] {
            assert!(is_kept(kept), "{kept}");
        }
        for left_out in [
            "CARGO_PKG_NAME",
            "CARGO_MANIFEST_DIR",
            "CARGO_BUILD_RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "RUSTFLAGS",
            "RUSTDOCFLAGS",
        ] {
            assert!(!is_kept(left_out), "{left_out}");
        }
    }

    #[test]
    fn both_outputs_are_kept_and_the_status_counts() {
        let (output, outcome) = shell("kept", "echo one; echo two >&2");
        assert!(output.contains("one") && output.contains("two"));
        assert!(!output.contains("echo"), "the command itself is no output");
        assert!(matches!(outcome, Outcome::Passed));
        assert!(matches!(shell("status", "exit 3").1, Outcome::Failed(_)));
    }

    #[test]
    fn what_takes_too_long_is_killed_with_all_it_started() {
        let begun = Instant::now();
        let (output, outcome) = shell("long", "(sleep 30; echo late) & wait");
        assert!(matches!(outcome, Outcome::Failed(why) if why.contains("within")));
        assert!(begun.elapsed() < Duration::from_secs(20) && !output.contains("late"));
    }

    #[test]
    fn a_program_that_is_missing_did_not_run() {
        let places = places();
        let log = places.work.join(format!("xtask-{}-missing.log", std::process::id()));
        fresh(&log).expect("a log");
        let step = Step::new("no-such-program", &places.root, Duration::from_secs(2));
        assert!(matches!(run(&step, &places, &log).1, Outcome::NotRun(_)));
        fs::remove_file(log).expect("there");
    }
}
