//! Lines on stdout and stderr. `println!` would panic where its reader has gone.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use crate::checks::Checks;

/// A line on stdout.
pub fn say(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// A line on stderr.
pub fn complain(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// The last lines of a program and its exit status: what differs and 1, or the summary and 0.
#[must_use]
pub fn conclude(program: &str, checks: &Checks, summary: fmt::Arguments<'_>) -> ExitCode {
    for fault in checks.faults() {
        say(format_args!("{program}: {fault}"));
    }
    if checks.faults().is_empty() {
        say(format_args!("{program}: ok, {} checks, {summary}", checks.made()));
        ExitCode::SUCCESS
    } else {
        let faults = checks.faults().len();
        say(format_args!("{program}: FAILED, {faults} of {} checks", checks.made()));
        ExitCode::FAILURE
    }
}
