//! The command line, and how many connections the system allows.

use std::ffi::OsString;

use examples_async::options::whole;
use lexopt::prelude::*;

pub(crate) const USAGE: &str = "\
A chat server on the loopback interface, whose table of connections is a registry,
and its clients. Every notice that reaches a client is accounted for.

usage: sessions [OPTIONS]

  --connections N  clients (default 4000, or as many as the limit of open files
                   allows; at least 40)
  --seed N         of the random choices (default 1)
  -h, --help       print this

Each connection takes two descriptors, one at either end, and a few are needed
while clients connect again. The limit of open files is raised as far as the
system lets this program raise it.

Exit status: 0 all is as it should be, 1 something differs, 2 bad option.
";

/// So that each room has several members, and each node several sessions.
const FEWEST: u64 = 40;

const DEFAULT: u64 = 4_000;

/// Descriptors for anything but the clients' connections: listeners, the runtime, the terminal.
const SPARE: u64 = 100;

#[derive(Debug)]
pub(crate) enum Request {
    Help,
    Run(Options),
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// The default if it is not given.
    pub(crate) connections: Option<u64>,
    pub(crate) seed: u64,
    /// Sends one notice twice, to show that the check can fail.
    pub(crate) corrupt: bool,
}

/// Reads the command line, the program's name included. The error is a message.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Request, String> {
    let mut options = Options { connections: None, seed: 1, corrupt: false };
    let mut parser = lexopt::Parser::from_iter(args);
    while let Some(arg) = parser.next().map_err(|error| error.to_string())? {
        match arg {
            Long("connections") => {
                options.connections = Some(whole(&mut parser, "--connections", FEWEST..=u64::MAX)?);
            }
            Long("seed") => options.seed = whole(&mut parser, "--seed", 0..=u64::MAX)?,
            Long("corrupt") => options.corrupt = true,
            Short('h') | Long("help") => return Ok(Request::Help),
            _ => return Err(arg.unexpected().to_string()),
        }
    }
    Ok(Request::Run(options))
}

/// How many clients there are to be, with this limit of open files. The error is a message.
pub(crate) fn connections(asked: Option<u64>, open_files: u64) -> Result<usize, String> {
    // Two for each connection. And when a node is drained, less than half of the clients connect again,
    // while the server has perhaps not closed their former connections yet.
    let most = open_files.saturating_sub(SPARE) / 5 * 2;
    let limit = format!("the limit of open files, {open_files}, allows {most} connections");
    if most < FEWEST {
        return Err(format!("{limit}, and it takes {FEWEST} at least"));
    }
    match asked {
        Some(asked) if asked > most => Err(format!("{limit}, not {asked}")),
        Some(asked) => Ok(asked as usize),
        None => Ok(DEFAULT.min(most) as usize),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_open_files_decides() {
        assert_eq!(connections(None, 1_048_576), Ok(4_000));
        assert_eq!(connections(None, 1_024), Ok(368));
        assert_eq!(connections(Some(368), 1_024), Ok(368));
        assert_eq!(connections(Some(7_000), 20_000), Ok(7_000));
        let refused = connections(Some(369), 1_024).unwrap_err();
        assert_eq!(refused, "the limit of open files, 1024, allows 368 connections, not 369");
        assert!(connections(None, 199).unwrap_err().ends_with("and it takes 40 at least"));
    }
}
