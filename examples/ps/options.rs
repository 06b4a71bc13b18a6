//! The command line.

use std::ffi::OsString;
use std::time::Duration;

use lexopt::prelude::*;

use crate::scan;

pub(crate) const USAGE: &str = "\
The processes of this machine in a registry, kept up to date while readers query it.

usage: ps [OPTIONS] [-- CMD ARGS...]

  --seconds N   run for N seconds (default 5; fractions are allowed)
  --tag T       list the processes that carry tag T at the end:
                user:NAME, comm:NAME or state:NAME
  --id I        show the process with child id I, `pid@starttime`; a bare pid will do
  --top         every second, show the churn and the largest users and names
  --json        print one JSON document instead of the report; the final line goes
                to stderr, and with it what --top shows
  -h, --help    print this

  -- CMD ARGS   run CMD during the measurement to have processes come and go;
                its output goes to stderr, and it is killed at the end

The report ends with `ps: N processes, agree` if registry and process list agree.
Exit status: 0 they agree; 1 they do not, or the machine cannot be read;
2 a bad option, an unknown id or tag, or a command that does not start.
";

const MAX_SECONDS: f64 = 86_400.0;

#[derive(Debug)]
pub(crate) enum Request {
    Help,
    Run(Options),
}

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) duration: Duration,
    pub(crate) tag: Option<String>,
    pub(crate) id: Option<String>,
    pub(crate) top: bool,
    pub(crate) json: bool,
    /// Damages one entry before the check, to show that the check can fail.
    pub(crate) corrupt: bool,
    pub(crate) command: Option<Vec<OsString>>,
}

/// Reads the command line, the program's name included. The error is a message.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Request, String> {
    let mut options = Options {
        duration: Duration::from_secs(5),
        tag: None,
        id: None,
        top: false,
        json: false,
        corrupt: false,
        command: None,
    };
    let mut parser = lexopt::Parser::from_iter(args);
    loop {
        if let Some(mut rest) = parser.try_raw_args()
            && rest.next_if(|arg| arg == "--").is_some()
        {
            let command: Vec<OsString> = rest.collect();
            if command.is_empty() {
                return Err("there is no command after `--`".to_owned());
            }
            options.command = Some(command);
            return Ok(Request::Run(options));
        }
        let Some(arg) = parser.next().map_err(|error| error.to_string())? else {
            return Ok(Request::Run(options));
        };
        match arg {
            Long("seconds") => options.duration = seconds(&text(&mut parser, "--seconds")?)?,
            Long("tag") => options.tag = Some(tag(text(&mut parser, "--tag")?)?),
            Long("id") => options.id = Some(id(text(&mut parser, "--id")?)?),
            Long("top") => options.top = true,
            Long("json") => options.json = true,
            Long("corrupt") => options.corrupt = true,
            Short('h') | Long("help") => return Ok(Request::Help),
            Value(value) => {
                return Err(format!(
                    "unexpected argument `{}` (a command to run goes after `--`)",
                    value.to_string_lossy()
                ));
            }
            Short(_) | Long(_) => return Err(arg.unexpected().to_string()),
        }
    }
}

fn text(parser: &mut lexopt::Parser, option: &str) -> Result<String, String> {
    let value = parser.value().map_err(|error| error.to_string())?;
    value.into_string().map_err(|value| {
        format!("the value of {option} is not valid text: `{}`", value.to_string_lossy())
    })
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        // The comparison also refuses what is not a number.
        Ok(seconds) if seconds > 0.0 && seconds <= MAX_SECONDS => {
            Ok(Duration::from_secs_f64(seconds))
        }
        _ => Err(format!("--seconds takes a number above 0 and up to {MAX_SECONDS}, not `{text}`")),
    }
}

fn tag(text: String) -> Result<String, String> {
    match text.split_once(':') {
        Some(("user" | "comm", name)) if !name.is_empty() => Ok(text),
        Some(("state", name)) if scan::STATES.contains(&name) => Ok(text),
        Some(("state", _)) => {
            Err(format!("unknown tag `{text}`; the states are {}", scan::STATES.join(", ")))
        }
        _ => Err(format!("unknown tag `{text}`; tags are user:NAME, comm:NAME and state:NAME")),
    }
}

fn id(text: String) -> Result<String, String> {
    let number = |part: &str| part.parse::<u64>().is_ok();
    let valid = match text.split_once('@') {
        Some((pid, started)) => number(pid) && number(started),
        None => number(&text),
    };
    if valid {
        Ok(text)
    } else {
        Err(format!("unknown id `{text}`; ids are `pid@starttime`, or the bare pid"))
    }
}
