//! A registry of a million children is saved to a file, restored from it, and compared.
//!
//! ```text
//! cargo run --release --features serde --example dump
//! cargo run --release --features serde --example dump -- --children 1000 --file jobs.json
//! cargo run --release --features serde --example dump -- --read jobs.json
//! cargo run --release --features serde --example dump -- --corrupt twice
//! ```
//!
//! The file is JSON with one child a line, so that the line of an error is the child that is meant.
//! `--read` restores a file of before, whatever has been done to it since. `--corrupt` damages the
//! file before it is read: this has to be refused, by an error that says where, and the registry
//! that it was read for has to be as it was.
//!
//! Exit status: 0 restored and the same; 1 refused, or not the same; 2 bad option.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use lexopt::prelude::*;
use process_registry::{Child, Entry, Registry, Snapshot};
use serde::{Deserialize, Serialize};
use serde_json::ser::Formatter;

const USAGE: &str = "\
Saves a registry to a file, restores it from there, and compares the two.

usage: dump [--children N] [--file PATH] [--corrupt KIND]
       dump --read PATH

  --children N    so many children (default 1000000)
  --file PATH     where to; the file is kept (default: a temporary one)
  --read PATH     restore what was saved before, and show how much memory that takes
  --corrupt KIND  damage the file before it is read:
                  cut     its second half is missing
                  twice   the child in the middle is there twice
                  type    that child's spec is a number
                  format  its format is one that is not known
                  more    something follows the end
  -h, --help      print this

Exit status: 0 restored and the same; 1 refused, or not the same; 2 bad option.
";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Spec {
    command: String,
    restarts: u8,
}

/// Metadata: the user who wanted the job, if any did.
type User = Option<u32>;
type Jobs = Registry<Spec, u32, User>;
type Saved = Snapshot<Spec, u32, User>;

const NODES: [&str; 4] = ["node-a", "node-b", "node-c", "node-d"];
const QUEUES: [&str; 5] = ["queue:mail", "queue:video", "queue:\u{e9}t\u{e9}", "queue:", "retry"];
const HOUR: Duration = Duration::from_secs(3600);

fn main() -> ExitCode {
    let options = match options() {
        Ok(Some(options)) => options,
        Ok(None) => {
            say(format_args!("{}", USAGE.trim_end()));
            return ExitCode::SUCCESS;
        }
        Err(message) => {
            let _ = writeln!(io::stderr(), "dump: {message}; try --help");
            return ExitCode::from(2);
        }
    };
    let result = match &options.read {
        Some(path) => show(path),
        None => run(&options),
    };
    match result {
        Ok(verdict) => {
            say(format_args!("dump: {verdict}"));
            ExitCode::SUCCESS
        }
        Err(message) => {
            say(format_args!("dump: {message}"));
            ExitCode::FAILURE
        }
    }
}

struct Options {
    children: u32,
    file: Option<PathBuf>,
    read: Option<PathBuf>,
    corrupt: Option<Damage>,
}

#[derive(Clone, Copy)]
enum Damage {
    Cut,
    Twice,
    Type,
    Format,
    More,
}

/// What is asked for, or `None` for help.
fn options() -> Result<Option<Options>, String> {
    let mut options = Options { children: 1_000_000, file: None, read: None, corrupt: None };
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next().map_err(|error| error.to_string())? {
        let name = match arg {
            Short('h') | Long("help") => return Ok(None),
            Long(name @ ("children" | "file" | "read" | "corrupt")) => name.to_owned(),
            _ => return Err(arg.unexpected().to_string()),
        };
        let value = parser.value().map_err(|error| error.to_string())?;
        let refused = |what| format!("--{name} takes {what}, not `{}`", value.to_string_lossy());
        let text = value.to_str();
        match name.as_str() {
            "children" => {
                let number = text.and_then(|text| text.parse().ok()).filter(|number| *number > 0);
                options.children = number.ok_or_else(|| refused("a whole number, 1 or more"))?;
            }
            "file" => options.file = Some(value.into()),
            "read" => options.read = Some(value.into()),
            _ => {
                options.corrupt = Some(match text {
                    Some("cut") => Damage::Cut,
                    Some("twice") => Damage::Twice,
                    Some("type") => Damage::Type,
                    Some("format") => Damage::Format,
                    Some("more") => Damage::More,
                    _ => return Err(refused("cut, twice, type, format or more")),
                });
            }
        }
    }
    if options.read.is_some() && (options.file.is_some() || options.corrupt.is_some()) {
        return Err("--read goes with no other option".into());
    }
    Ok(Some(options))
}

/// Saves, damages if that is asked for, restores and compares.
fn run(options: &Options) -> Result<String, String> {
    let original = Jobs::new(NODES[0]);
    original.reserve(options.children as usize);
    for number in 0..options.children {
        original.insert(id(number), child(number));
    }
    // Every hundredth loses its bindings and becomes a tombstone.
    let lost: Vec<_> = (0..options.children).step_by(100).map(id).collect();
    original.bulk_delete(lost.iter().map(|id| (id, NODES)));

    let temporary = format!("process-registry-dump-{}.json", std::process::id());
    let path = options.file.clone().unwrap_or_else(|| std::env::temp_dir().join(temporary));
    let result = there_and_back(&original, &path, options.corrupt);
    if options.file.is_none() {
        // It may never have been made.
        let _ = fs::remove_file(&path);
    }
    result
}

fn there_and_back(original: &Jobs, path: &Path, corrupt: Option<Damage>) -> Result<String, String> {
    let place = path.display();
    let bytes = timed("saved", || save(original, path)).map_err(|e| format!("{place}: {e}"))?;
    say(format_args!("{:>10.1} MiB in {place}", bytes as f64 / f64::from(1 << 20)));
    if let Some(damage) = corrupt {
        spoil(path, damage).map_err(|error| format!("{place}: {error}"))?;
    }

    let restored = Jobs::new(NODES[0]);
    // Stays: no child has this id.
    restored.insert("before", child(1));
    let before = restored.get_owned("before").map(|entry| entry.incarnation());
    let snapshot = timed("read", || load(path)).map_err(|error| {
        let same = restored.len_all() == 1
            && restored.get_owned("before").map(|entry| entry.incarnation()) == before;
        let state = if same { "is as it was" } else { "HAS CHANGED" };
        format!("{place}: {error}; the registry {state}")
    })?;
    if corrupt.is_some() {
        return Err(format!("{place}: damaged, and yet it was read"));
    }
    timed("restored", || restored.restore(snapshot));
    restored.delete("before");
    timed("compared", || compare(original, &restored))
}

/// Restores what was saved before and shows what it is and what it takes.
fn show(path: &Path) -> Result<String, String> {
    let place = path.display();
    let start = memory("VmRSS:");
    let snapshot = timed("read", || load(path)).map_err(|error| format!("{place}: {error}"))?;
    let (node, read) = (snapshot.local_node().clone(), memory("VmRSS:"));
    let registry = Jobs::new(node);
    timed("restored", || registry.restore(snapshot));
    let (after, peak) = (memory("VmRSS:"), memory("VmHWM:"));
    if let (Some(start), Some(read), Some(after), Some(peak)) = (start, read, after, peak) {
        say(format_args!("{:>10.1} MiB for the snapshot", read - start));
        say(format_args!("{:>10.1} MiB for the registry afterwards", after - start));
        say(format_args!("{:>10.1} MiB at most", peak - start));
    }
    let mut tags = registry.tags();
    tags.sort();
    for tag in tags {
        say(format_args!("{:>10} {tag}", registry.tag_len(&tag)));
    }
    Ok(format!(
        "{} children on {}, {} of them without bindings",
        registry.len_all(),
        registry.local_node(),
        registry.len_all() - registry.len()
    ))
}

/// Writes the file; returns its length.
fn save(registry: &Jobs, path: &Path) -> io::Result<u64> {
    let mut file = BufWriter::new(File::create(path)?);
    let mut serializer = serde_json::Serializer::with_formatter(&mut file, Lines { depth: 0 });
    registry.serialize(&mut serializer)?;
    file.write_all(b"\n")?;
    Ok(file.into_inner()?.metadata()?.len())
}

/// Reads the file to its end; the error has the position.
fn load(path: &Path) -> Result<Saved, serde_json::Error> {
    let file = File::open(path).map_err(serde_json::Error::io)?;
    serde_json::from_reader(BufReader::new(file))
}

/// JSON without spaces, but with each child on a line of its own.
struct Lines {
    depth: u32,
}

impl Lines {
    /// The list of children is the one in the outermost object.
    fn among_children(&self) -> bool {
        self.depth == 2
    }
}

impl Formatter for Lines {
    fn begin_array<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.depth += 1;
        out.write_all(b"[")
    }

    fn end_array<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        let end: &[u8] = if self.among_children() { b"\n]" } else { b"]" };
        self.depth -= 1;
        out.write_all(end)
    }

    fn begin_array_value<W: Write + ?Sized>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        out.write_all(if first { b"" } else { b"," })?;
        out.write_all(if self.among_children() { b"\n" } else { b"" })
    }

    fn begin_object<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.depth += 1;
        out.write_all(b"{")
    }

    fn end_object<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.depth -= 1;
        out.write_all(b"}")
    }
}

/// Damages the file.
fn spoil(path: &Path, damage: Damage) -> io::Result<()> {
    let mut text = fs::read_to_string(path)?;
    let middle = text.len() / 2;
    // The line in the middle: a child, unless there are very few.
    let start = text[..text.floor_char_boundary(middle)].rfind('\n').map_or(0, |at| at + 1);
    let end = text[start..].find('\n').map_or(text.len(), |at| start + at);
    match damage {
        Damage::Cut => text.truncate(text.floor_char_boundary(middle)),
        Damage::Twice => {
            let line = text[start..end].trim_end_matches(',').to_owned();
            text.insert_str(start, &format!("{line},\n"));
        }
        Damage::Type => {
            let spec = text[start..end].find("{\"command\"").map_or(0, |at| start + at);
            let after = text[spec..].find('}').map_or(0, |at| spec + at + 1);
            text.replace_range(spec..after, "7");
        }
        Damage::Format => text = text.replacen("\"format\":1", "\"format\":99", 1),
        Damage::More => text.push_str("{}\n"),
    }
    fs::write(path, text)
}

/// Compares two registries by id, by tag and by node.
fn compare(original: &Jobs, restored: &Jobs) -> Result<String, String> {
    let (ours, theirs) = (original.dump_all(), restored.dump_all());
    if ours.len() != theirs.len() {
        return Err(format!("{} children became {}", ours.len(), theirs.len()));
    }
    for (id, entry) in &ours {
        match theirs.get(id) {
            Some(other) if alike(entry, other) => {}
            Some(other) => return Err(format!("{entry:?} became {other:?}")),
            None => return Err(format!("{id} is missing")),
        }
    }
    for tag in QUEUES {
        let (ours, theirs) = (original.tag_len(tag), restored.tag_len(tag));
        if ours != theirs {
            return Err(format!("{ours} children with {tag} became {theirs}"));
        }
    }
    for node in NODES {
        let (ours, theirs) = (original.node_len(node), restored.node_len(node));
        if ours != theirs {
            return Err(format!("{ours} children on {node} became {theirs}"));
        }
    }
    let empty = restored.len_all() - restored.len();
    Ok(format!("{} children, {empty} of them without bindings, agree", ours.len()))
}

fn alike(entry: &Entry<Spec, u32, User>, other: &Entry<Spec, u32, User>) -> bool {
    let deadlines = match (entry.deadline(), other.deadline()) {
        (None, None) => true,
        // What was left when it was saved is left when it is restored, which is later.
        (Some(ours), Some(theirs)) => ours <= theirs && theirs <= ours + HOUR,
        _ => false,
    };
    let parts = |entry: &Entry<Spec, u32, User>| (entry.spec().clone(), *entry.metadata());
    deadlines
        && parts(entry) == parts(other)
        && entry.bindings() == other.bindings()
        && entry.tags() == other.tags()
}

fn id(number: u32) -> String {
    format!("job-{number}")
}

/// Jobs of all kinds: on up to three nodes, some pending, some leased, one in three for a user.
fn child(number: u32) -> Child<Spec, u32, User> {
    let command = format!("run \"{number}\" --fast");
    let mut child = Child::new(Spec { command, restarts: number as u8 });
    for at in 0..number / 7 % 4 {
        child.bind(NODES[(number + at) as usize % NODES.len()], number + at);
    }
    child.add_tag(QUEUES[number as usize % 4]);
    if number.is_multiple_of(6) {
        child.add_tag("retry");
    }
    if number.is_multiple_of(5) {
        child.set_ttl(HOUR + Duration::from_nanos(number.into()));
    }
    child.metadata(number.is_multiple_of(3).then_some(number / 3))
}

/// Says how long something took.
fn timed<T>(what: &str, f: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let result = f();
    say(format_args!("{:>10.2} s   {what}", begun.elapsed().as_secs_f64()));
    result
}

/// A figure of this process in MiB, where the system tells.
fn memory(name: &str) -> Option<f64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: f64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}

/// A line on stdout; `println!` would panic where its reader has gone.
fn say(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stdout(), "{line}");
}
