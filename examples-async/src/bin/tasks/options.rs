//! The command line.

use std::ffi::OsString;

use examples_async::options::whole;
use lexopt::prelude::*;

pub(crate) const USAGE: &str = "\
Tokio tasks under a supervisor, found by way of a registry. Workers crash and come
back while jobs are sent to them; in the end every job is accounted for.

usage: tasks [OPTIONS]

  --workers N   workers, of three kinds (default 24; 3 to 1000)
  --crashes N   crashes to bring about (default 60; 0 to 10000)
  --seconds N   keep going for N seconds (default 3; 1 to 3600)
  --seed N      of the random choices (default 1)
  --verbose     print what came and went, as the hooks tell it
  -h, --help    print this

Exit status: 0 all is as it should be, 1 something differs, 2 bad option.
";

#[derive(Debug)]
pub(crate) enum Request {
    Help,
    Run(Options),
}

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) workers: u64,
    pub(crate) crashes: u64,
    pub(crate) seconds: u64,
    pub(crate) seed: u64,
    pub(crate) verbose: bool,
    /// Enters one job twice, to show that the check can fail.
    pub(crate) corrupt: bool,
}

/// Reads the command line, the program's name included. The error is a message.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Request, String> {
    let mut options =
        Options { workers: 24, crashes: 60, seconds: 3, seed: 1, verbose: false, corrupt: false };
    let mut parser = lexopt::Parser::from_iter(args);
    while let Some(arg) = parser.next().map_err(|error| error.to_string())? {
        match arg {
            Long("workers") => options.workers = whole(&mut parser, "--workers", 3..=1000)?,
            Long("crashes") => options.crashes = whole(&mut parser, "--crashes", 0..=10_000)?,
            Long("seconds") => options.seconds = whole(&mut parser, "--seconds", 1..=3600)?,
            Long("seed") => options.seed = whole(&mut parser, "--seed", 0..=u64::MAX)?,
            Long("verbose") => options.verbose = true,
            Long("corrupt") => options.corrupt = true,
            Short('h') | Long("help") => return Ok(Request::Help),
            _ => return Err(arg.unexpected().to_string()),
        }
    }
    Ok(Request::Run(options))
}
