//! The command line: one program for each global allocator, all alike.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{self, ExitCode};

use lexopt::prelude::*;

use crate::pages;
use crate::paired::MIN_ROUNDS;
use crate::report;
use crate::rows;
use crate::run::{Options, Run};

const HELP: &str = "\
Measures the registry against other maps; prints ratios.

  --quick          maps of at most a million entries, the more important cases, against
                   the peers that are near the best, few rounds
  --rows FILTER    only the cases whose name contains FILTER (see --list)
  --peers A,B      only against these peers
  --rounds N       rounds for each comparison, at least 15
  --csv FILE       writes each row to FILE as soon as it is measured
  --huge-pages     runs with transparent huge pages for the whole heap, of ours and of
                   the peers, and lets ours ask for them for its tables
  --list           lists what would be measured
  --help           prints this
";

/// How a program's allocator is asked for huge pages: by a variable that it reads when it starts.
#[derive(Clone, Copy, Debug)]
pub struct HugePages {
    /// The variable.
    pub variable: &'static str,
    /// The value that asks for them.
    pub value: &'static str,
}

/// Where the kernel tells whether programs may ask for huge pages.
const POLICY: &str = "/sys/kernel/mm/transparent_hugepage/enabled";

/// What the command line asks for.
#[derive(Debug)]
enum Command {
    Measure { options: Options, huge_pages: bool },
    Help,
}

fn parse(
    arguments: impl IntoIterator<Item = impl Into<OsString>>,
) -> Result<Command, lexopt::Error> {
    let mut options =
        Options { quick: false, filter: None, peers: None, rounds: 0, csv: None, list: false };
    let mut rounds = None;
    let mut huge_pages = false;
    let mut parser = lexopt::Parser::from_iter(arguments);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("quick") => options.quick = true,
            Long("rows") => options.filter = Some(parser.value()?.string()?),
            Long("peers") => options.peers = Some(known_peers(&parser.value()?.string()?)?),
            Long("rounds") => rounds = Some(parser.value()?.parse()?),
            Long("csv") => options.csv = Some(parser.value()?.into()),
            Long("huge-pages") => huge_pages = true,
            Long("list") => options.list = true,
            Long("help") | Short('h') => return Ok(Command::Help),
            _ => return Err(argument.unexpected()),
        }
    }
    options.rounds = rounds.unwrap_or(if options.quick { MIN_ROUNDS } else { 31 });
    if options.rounds < MIN_ROUNDS {
        return Err(format!("--rounds must be at least {MIN_ROUNDS}").into());
    }
    Ok(Command::Measure { options, huge_pages })
}

fn known_peers(list: &str) -> Result<Vec<String>, lexopt::Error> {
    let names: Vec<String> = list.split(',').map(str::to_owned).collect();
    match names.iter().find(|name| !rows::peers().any(|known| known == *name)) {
        None => Ok(names),
        Some(unknown) => {
            let known: Vec<&str> = rows::peers().collect();
            Err(format!("no peer is called `{unknown}`; there are {}", known.join(", ")).into())
        }
    }
}

/// The whole of a program: reads the command line, measures, prints the table.
///
/// `allocator` is what reports call the program's global allocator.
#[must_use]
pub fn main(allocator: &str, huge: HugePages) -> ExitCode {
    let (options, huge_pages) = match parse(env::args_os()) {
        Ok(Command::Measure { options, huge_pages }) => (options, huge_pages),
        Ok(Command::Help) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("{error}; see --help");
            return ExitCode::from(2);
        }
    };
    let ready = if huge_pages { with_huge_pages(huge) } else { Ok(()) };
    let measured = ready.and_then(|()| measure(options, allocator, huge_pages));
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns in a program that has been started with the variable set; starts it over if need be.
fn with_huge_pages(huge: HugePages) -> io::Result<()> {
    let policy = fs::read_to_string(POLICY)?;
    if policy.contains("[never]") {
        return Err(io::Error::other(format!("{POLICY} is `never`: no huge pages to be had")));
    }
    if env::var_os(huge.variable).is_some_and(|value| value == huge.value) {
        return Ok(());
    }
    let mut again = process::Command::new(env::current_exe()?);
    Err(again.args(env::args_os().skip(1)).env(huge.variable, huge.value).exec())
}

fn measure(options: Options, allocator: &str, huge_pages: bool) -> io::Result<()> {
    let listed = options.list;
    let mut run = Run::new(options, allocator)?;
    if huge_pages {
        pages::ask_for_huge();
        run = run.with_huge_pages();
    }
    rows::run_all(&mut run)?;
    if listed {
        return Ok(());
    }
    if run.report().rows().is_empty() {
        return Err(io::Error::other("no case is called that; see --list"));
    }
    print!("{}", report::table(run.report().rows()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, String> {
        let arguments = ["system"].into_iter().chain(line.split_whitespace());
        parse(arguments).map_err(|error| error.to_string())
    }

    #[test]
    fn options_are_taken() {
        let line = "--quick --rows hit --peers papaya,dashmap --rounds 21 --csv out.csv --list";
        let Ok(Command::Measure { options, huge_pages }) = parsed(line) else { panic!("{line}") };
        assert!(options.quick && options.list && !huge_pages);
        assert_eq!(options.filter.as_deref(), Some("hit"));
        assert_eq!(options.peers, Some(vec!["papaya".to_owned(), "dashmap".to_owned()]));
        assert_eq!(options.rounds, 21);
        assert_eq!(options.csv, Some("out.csv".into()));
        assert!(matches!(parsed("--huge-pages"), Ok(Command::Measure { huge_pages: true, .. })));
        assert!(matches!(parsed("--help"), Ok(Command::Help)));
    }

    #[test]
    fn a_quick_run_takes_fewer_rounds() {
        let rounds = |line| match parsed(line) {
            Ok(Command::Measure { options, .. }) => options.rounds,
            other => panic!("{other:?}"),
        };
        assert_eq!((rounds("--quick"), rounds("")), (MIN_ROUNDS, 31));
    }

    #[test]
    fn mistakes_are_named() {
        let told = |line| parsed(line).unwrap_err();
        assert_eq!(told("--slow"), "invalid option '--slow'");
        assert_eq!(told("all"), "unexpected argument \"all\"");
        assert_eq!(told("--rounds 3"), "--rounds must be at least 15");
        assert!(told("--rounds many").contains("many"));
        assert_eq!(told("--csv"), "missing argument for option '--csv'");
        assert!(told("--peers papaya,nobody").starts_with("no peer is called `nobody`; there are"));
    }
}
