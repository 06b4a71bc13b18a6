//! The report, as text and as JSON, and what `--top` shows. The numbers of processes come from
//! the registry.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use process_registry::Entry;
use serde_json::{Value, json};

use crate::check::{Check, Tally};
use crate::mirror::Churn;
use crate::options::Options;
use crate::scan::{List, Program};
use crate::{Processes, Run, readers, watch};

/// Lines of a table before the rest is summed up.
const SHOWN_GROUPS: usize = 10;
const SHOWN_IN_VIEW: usize = 5;
const SHOWN_MISMATCHES: usize = 20;

#[derive(Debug)]
pub(crate) struct Report<'a> {
    pub(crate) options: &'a Options,
    pub(crate) host: &'a str,
    pub(crate) registry: &'a Processes,
    pub(crate) list: &'a List,
    pub(crate) churn: Churn,
    pub(crate) run: &'a Run,
    pub(crate) check: &'a Check,
}

impl Report<'_> {
    /// The last line.
    pub(crate) fn verdict(&self) -> String {
        let processes = self.list.len();
        match self.check.mismatches.len() {
            0 => format!("ps: {processes} processes, agree"),
            1 => format!("ps: {processes} processes, 1 mismatch"),
            many => format!("ps: {processes} processes, {many} mismatches"),
        }
    }

    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        self.write_text(&mut out).expect("writing to a string does not fail");
        out
    }

    fn write_text(&self, out: &mut String) -> std::fmt::Result {
        let run = self.run;
        writeln!(
            out,
            "{} processes on {}, {} scans in {:.1} s, the slowest {:.1} ms",
            self.registry.len(),
            self.host,
            run.scans,
            run.elapsed.as_secs_f64(),
            run.slowest_scan.as_secs_f64() * 1e3,
        )?;
        if let Some(command) = &run.command {
            writeln!(out, "command: {command}")?;
        }
        for (title, prefix) in [("by user", "user:"), ("by name", "comm:")] {
            writeln!(out, "\n{title}")?;
            write_groups(out, &groups(self.registry, prefix), SHOWN_GROUPS)?;
        }
        let Churn { added, updated, removed } = self.churn;
        writeln!(out, "\nchurn: {added} added, {updated} updated, {removed} removed")?;
        self.write_reads(out)?;
        if let Some(tag) = &self.options.tag {
            self.write_tag(out, tag)?;
        }
        if let Some(id) = &self.options.id {
            self.write_id(out, id)?;
        }
        self.write_check(out)?;
        writeln!(out, "{}", self.verdict())
    }

    fn write_reads(&self, out: &mut String) -> std::fmt::Result {
        let run = self.run;
        writeln!(
            out,
            "\n{:<24} {:>11} {:>12} {:>9} {:>9} {:>9} {:>9}",
            format!("reads by {} threads", run.readers),
            "calls",
            "per second",
            "p50",
            "p99",
            "p99.9",
            "max"
        )?;
        for (kind, name) in readers::KINDS.into_iter().enumerate() {
            let histogram = run.reads.histogram(kind);
            let name = if name == "get_many" {
                format!("{name} of {}", readers::BATCH_SIZE)
            } else {
                name.to_owned()
            };
            writeln!(
                out,
                "{name:<24} {:>11} {:>12.0} {:>9} {:>9} {:>9} {:>9}",
                histogram.len(),
                histogram.len() as f64 / run.elapsed.as_secs_f64(),
                time(histogram.value_at_quantile(0.5)),
                time(histogram.value_at_quantile(0.99)),
                time(histogram.value_at_quantile(0.999)),
                time(histogram.max()),
            )?;
        }
        writeln!(out, "ids found {}, gone meanwhile {}", run.reads.hits, run.reads.misses)
    }

    fn write_tag(&self, out: &mut String, tag: &str) -> std::fmt::Result {
        let pinned = self.registry.pin();
        let mut carriers: Vec<_> = pinned.match_tag(tag).collect();
        carriers.sort_by_key(|entry| entry.pid_on(self.host).copied());
        writeln!(out, "\n{}: {} processes", printable(tag), carriers.len())?;
        for entry in carriers {
            writeln!(out, "  {:<20} {}", entry.id(), command_line(entry.spec()))?;
        }
        Ok(())
    }

    fn write_id(&self, out: &mut String, id: &str) -> std::fmt::Result {
        let pinned = self.registry.pin();
        let Some(entry) = watch::resolve(self.list, id).and_then(|id| pinned.lookup(id)) else {
            return writeln!(out, "\n{id}: ended during the run");
        };
        writeln!(out, "\n{}", entry.id())?;
        writeln!(out, "  executable   {}", printable(&entry.spec().executable))?;
        writeln!(out, "  command line {}", command_line(entry.spec()))?;
        for (node, pid) in entry.bindings() {
            writeln!(out, "  binding      {node}: {pid}")?;
        }
        for tag in entry.tags() {
            writeln!(out, "  tag          {}", printable(tag))?;
        }
        writeln!(out, "  incarnation  {}, version {}", entry.incarnation(), entry.version())
    }

    fn write_check(&self, out: &mut String) -> std::fmt::Result {
        let check = self.check;
        writeln!(out, "\n{:<24} {:>11} {:>12}", "check", "list", "registry")?;
        let tags = Tally::sum(check.by_tag.values());
        let nodes = Tally::sum(check.by_node.values());
        for (what, tally) in [
            ("by id".to_owned(), check.by_id),
            (format!("by tag ({})", check.by_tag.len()), tags),
            (format!("by node ({})", check.by_node.len()), nodes),
        ] {
            writeln!(out, "{what:<24} {:>11} {:>12}", tally.list, tally.registry)?;
        }
        for mismatch in check.mismatches.iter().take(SHOWN_MISMATCHES) {
            writeln!(out, "mismatch: {}", printable(mismatch))?;
        }
        if let Some(more @ 1..) = check.mismatches.len().checked_sub(SHOWN_MISMATCHES) {
            writeln!(out, "and {more} more mismatches")?;
        }
        Ok(())
    }

    pub(crate) fn json(&self) -> String {
        let run = self.run;
        let seconds = run.elapsed.as_secs_f64();
        let reads: serde_json::Map<String, Value> = readers::KINDS
            .into_iter()
            .enumerate()
            .map(|(kind, name)| {
                let histogram = run.reads.histogram(kind);
                let value = json!({
                    "calls": histogram.len(),
                    "per_second": histogram.len() as f64 / seconds,
                    "p50_ns": histogram.value_at_quantile(0.5),
                    "p99_ns": histogram.value_at_quantile(0.99),
                    "p999_ns": histogram.value_at_quantile(0.999),
                    "max_ns": histogram.max(),
                });
                (name.to_owned(), value)
            })
            .collect();
        let mut document = json!({
            "host": self.host,
            "processes": self.registry.len(),
            "seconds": seconds,
            "scans": run.scans,
            "slowest_scan_ms": run.slowest_scan.as_secs_f64() * 1e3,
            "users": groups_json(self.registry, "user:"),
            "names": groups_json(self.registry, "comm:"),
            "churn": {
                "added": self.churn.added,
                "updated": self.churn.updated,
                "removed": self.churn.removed,
            },
            "readers": run.readers,
            "batch_size": readers::BATCH_SIZE,
            "reads": reads,
            "ids_found": run.reads.hits,
            "ids_gone": run.reads.misses,
            "check": {
                "by_id": tally_json(&self.check.by_id),
                "by_tag": tallies_json(&self.check.by_tag),
                "by_node": tallies_json(&self.check.by_node),
                "mismatches": self.check.mismatches,
            },
            "agree": self.check.agrees(),
            "verdict": self.verdict(),
        });
        if let Some(command) = &run.command {
            document["command"] = json!(command);
        }
        let pinned = self.registry.pin();
        if let Some(tag) = &self.options.tag {
            let carriers: Vec<Value> = pinned.match_tag(tag).map(entry_json).collect();
            document["tag"] = json!({ "name": tag, "processes": carriers });
        }
        if let Some(id) = &self.options.id {
            // Null if the process has ended during the run.
            document["id"] = watch::resolve(self.list, id)
                .and_then(|id| pinned.lookup(id))
                .map_or(Value::Null, entry_json);
        }
        format!("{document:#}")
    }
}

/// What `--top` shows: the state of things in the registry now.
pub(crate) fn view(registry: &Processes, elapsed: Duration, churn: Churn) -> String {
    let mut out = format!(
        "{:.0} s: {} processes, {} added, {} updated, {} removed\n",
        elapsed.as_secs_f64(),
        registry.len(),
        churn.added,
        churn.updated,
        churn.removed
    );
    for (title, prefix) in [("users", "user:"), ("names", "comm:")] {
        let groups = groups(registry, prefix);
        let largest: Vec<String> = groups
            .iter()
            .take(SHOWN_IN_VIEW)
            .map(|(name, count)| format!("{} {count}", printable(name)))
            .collect();
        out += &format!("  {title}: {}\n", largest.join(", "));
    }
    out
}

/// How many processes carry each tag with this prefix, the largest first.
fn groups(registry: &Processes, prefix: &str) -> Vec<(String, usize)> {
    let mut groups: Vec<(String, usize)> = registry
        .tags()
        .iter()
        .filter_map(|tag| {
            let name = tag.strip_prefix(prefix)?;
            Some((name.to_owned(), registry.tag_len(tag)))
        })
        .collect();
    groups.sort_by(|(a, m), (b, n)| n.cmp(m).then_with(|| a.cmp(b)));
    groups
}

fn groups_json(registry: &Processes, prefix: &str) -> Value {
    groups(registry, prefix)
        .into_iter()
        .map(|(name, count)| (name, Value::from(count)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn write_groups(out: &mut String, groups: &[(String, usize)], shown: usize) -> std::fmt::Result {
    for (name, count) in groups.iter().take(shown) {
        writeln!(out, "  {count:>7}  {}", printable(name))?;
    }
    let rest = groups.get(shown..).unwrap_or_default();
    if !rest.is_empty() {
        let count: usize = rest.iter().map(|(_, count)| count).sum();
        writeln!(out, "  {count:>7}  in {} more", rest.len())?;
    }
    Ok(())
}

fn tally_json(tally: &Tally) -> Value {
    json!({ "list": tally.list, "registry": tally.registry })
}

fn tallies_json(tallies: &BTreeMap<String, Tally>) -> Value {
    tallies
        .iter()
        .map(|(name, tally)| (name.clone(), tally_json(tally)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn entry_json(entry: &Entry<Arc<Program>, u32>) -> Value {
    let bindings: Vec<Value> = entry
        .bindings()
        .iter()
        .map(|(node, pid)| json!({ "node": node.as_str(), "pid": pid }))
        .collect();
    let tags: Vec<&str> = entry.tags().iter().map(|tag| tag.as_str()).collect();
    json!({
        "id": entry.id().as_str(),
        "executable": entry.spec().executable,
        "command_line": entry.spec().command_line,
        "bindings": bindings,
        "tags": tags,
        "incarnation": entry.incarnation(),
        "version": entry.version(),
    })
}

fn command_line(program: &Program) -> String {
    printable(&program.command_line.join(" "))
}

/// Without control characters: processes choose their names and arguments themselves, and the
/// report goes to a terminal.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// A time in nanoseconds, in the unit that suits it.
fn time(nanos: u64) -> String {
    match nanos {
        0..1_000 => format!("{nanos} ns"),
        1_000..1_000_000 => format!("{:.1} us", nanos as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} ms", nanos as f64 / 1e6),
        _ => format!("{:.1} s", nanos as f64 / 1e9),
    }
}
