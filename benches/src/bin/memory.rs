//! `memory`: what the registry and its peers allocate beyond their entries.
//!
//! A program of its own, for its allocator counts: the times that the others measure would suffer.

use std::io;
use std::process::ExitCode;

use lexopt::prelude::*;
use process_registry_benches::report::table;
use process_registry_benches::rows::memory;
use process_registry_benches::run::{Options, Run};
use test_support::CountingAlloc;

#[global_allocator]
static ALLOCATOR: CountingAlloc = CountingAlloc::new();

const HELP: &str = "\
Weighs the registry and its peers while they grow and after all is removed.

  --quick          grows to one million entries instead of five
  --rows FILTER    only the cases whose name contains FILTER (see --list)
  --csv FILE       writes each row to FILE as well
  --list           lists what would be measured
  --help           prints this
";

fn main() -> ExitCode {
    let options = match options() {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("{error}; see --help");
            return ExitCode::from(2);
        }
    };
    match measure(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// `None` if help is asked for.
fn options() -> Result<Option<Options>, lexopt::Error> {
    let mut options =
        Options { quick: false, filter: None, peers: None, rounds: 1, csv: None, list: false };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("quick") => options.quick = true,
            Long("rows") => options.filter = Some(parser.value()?.string()?),
            Long("csv") => options.csv = Some(parser.value()?.into()),
            Long("list") => options.list = true,
            Short('h') | Long("help") => return Ok(None),
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(Some(options))
}

fn measure(options: Options) -> io::Result<()> {
    let listed = options.list;
    let mut run = Run::new(options, "system")?;
    memory::run(&mut run, &|| ALLOCATOR.live_bytes())?;
    if listed {
        return Ok(());
    }
    if run.report().rows().is_empty() {
        return Err(io::Error::other("no case is called that; see --list"));
    }
    print!("{}", table(run.report().rows()));
    Ok(())
}
