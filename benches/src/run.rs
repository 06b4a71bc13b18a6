//! A run: which cases it measures, and where the results go.

use std::io;
use std::path::PathBuf;

use fastrand::Rng;

use crate::paired::paired;
use crate::report::{Report, Role, Row, assert_field};

/// What a run is told to do.
#[derive(Clone, Debug)]
pub struct Options {
    /// Smaller maps and the more important cases only.
    pub quick: bool,
    /// Only cases whose name (as [`Case::id`] has it) contains this.
    pub filter: Option<String>,
    /// Only these peers; a quick run has those of them, too, that it would leave out.
    pub peers: Option<Vec<String>>,
    /// How many rounds a comparison takes.
    pub rounds: usize,
    /// The file for the rows.
    pub csv: Option<PathBuf>,
    /// Measure nothing, but say what would be.
    pub list: bool,
}

/// Something to measure of ours and of each peer.
#[derive(Clone, Debug)]
pub struct Case {
    /// The workload it belongs to.
    pub group: &'static str,
    /// Which one.
    pub name: String,
    /// What the keys are.
    pub keys: &'static str,
    /// How many threads work at once.
    pub threads: usize,
    /// What is measured, less being better.
    pub unit: &'static str,
    /// Whether a quick run has it.
    pub quick: bool,
    /// Those that a quick run compares with: the ones that have come near the best. All if empty.
    pub contenders: &'static [&'static str],
    /// The ratio to the best peer that is asked for.
    pub bar: Option<f64>,
    /// The ratio to the limit that is asked for.
    pub limit_bar: Option<f64>,
}

impl Case {
    /// A case on one thread, measured in nanoseconds, without a bar, and part of a full run only.
    ///
    /// # Panics
    ///
    /// If the name holds a comma or a line break, which cannot be reported.
    #[must_use]
    pub fn new(group: &'static str, name: impl Into<String>, keys: &'static str) -> Self {
        let name = name.into();
        assert_field(&name);
        Self {
            group,
            name,
            keys,
            threads: 1,
            unit: "ns",
            quick: false,
            contenders: &[],
            bar: None,
            limit_bar: None,
        }
    }

    /// By what it is found: `lookup hit 1M (pin reused) str x2`.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{} {} {} x{}", self.group, self.name, self.keys, self.threads)
    }
}

/// A run in progress.
#[derive(Debug)]
pub struct Run {
    options: Options,
    allocator: String,
    huge_pages: bool,
    report: Report,
}

impl Run {
    /// Begins a run of a program with this allocator.
    ///
    /// # Errors
    ///
    /// If the file for the rows cannot be written.
    pub fn new(options: Options, allocator: impl Into<String>) -> io::Result<Self> {
        let report = match &options.csv {
            Some(path) if !options.list => Report::to_file(path)?,
            _ => Report::new(),
        };
        Ok(Self { options, allocator: allocator.into(), huge_pages: false, report })
    }

    /// The same run in a program whose heap lies in huge pages; reports say so.
    #[must_use]
    pub fn with_huge_pages(mut self) -> Self {
        self.allocator.push_str(" + huge pages");
        self.huge_pages = true;
        self
    }

    /// Whether the heap lies in huge pages.
    #[must_use]
    pub fn huge_pages(&self) -> bool {
        self.huge_pages
    }

    /// Whether this is to be a quick run.
    #[must_use]
    pub fn quick(&self) -> bool {
        self.options.quick
    }

    /// Whether to measure a case against a peer. Ask before anything is built for it.
    #[must_use]
    pub fn wants(&self, case: &Case, peer: &str) -> bool {
        let Options { quick, filter, peers, list, .. } = &self.options;
        let contends = !quick || case.contenders.is_empty() || case.contenders.contains(&peer);
        let wanted = (case.quick || !quick)
            && filter.as_ref().is_none_or(|part| case.id().contains(part))
            && peers.as_ref().map_or(contends, |peers| peers.iter().any(|name| name == peer));
        if wanted && *list {
            println!("{} against {peer}", case.id());
        }
        wanted && !list
    }

    /// Measures a case: ours, as named, against a peer. See [`paired`] for the closures.
    ///
    /// # Errors
    ///
    /// If the file for the rows cannot be written.
    pub fn compare(
        &mut self,
        case: &Case,
        [ours_name, peer_name]: [&str; 2],
        role: Role,
        ours: impl FnMut(&mut Rng) -> f64,
        peer: impl FnMut(&mut Rng) -> f64,
    ) -> io::Result<()> {
        let seed = case
            .id()
            .bytes()
            .fold(0, |seed: u64, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)));
        let ratio = paired(self.options.rounds, seed, ours, peer);
        self.report.push(Row {
            group: case.group.to_owned(),
            name: case.name.clone(),
            keys: case.keys.to_owned(),
            threads: case.threads,
            allocator: self.allocator.clone(),
            ours: ours_name.to_owned(),
            peer: peer_name.to_owned(),
            role,
            unit: case.unit.to_owned(),
            ratio,
            bar: match role {
                Role::Peer => case.bar,
                Role::Limit => case.limit_bar,
            },
        })
    }

    /// What reports call the program's global allocator.
    #[must_use]
    pub fn allocator(&self) -> &str {
        &self.allocator
    }

    /// Adds a row that was measured in some other way than [`compare`](Self::compare) does.
    ///
    /// # Errors
    ///
    /// If the file for the rows cannot be written.
    pub fn push(&mut self, row: Row) -> io::Result<()> {
        self.report.push(row)
    }

    /// What has been measured so far.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(options: Options) -> Run {
        Run::new(options, "none").unwrap()
    }

    const ALL: Options =
        Options { quick: false, filter: None, peers: None, rounds: 15, csv: None, list: false };

    #[test]
    fn a_run_wants_what_its_options_say() {
        let (full, mut quick) = (Case::new("g", "full", "str"), Case::new("g", "quick", "u64"));
        quick.quick = true;
        quick.threads = 2;
        quick.contenders = &["a"];
        assert_eq!(quick.id(), "g quick u64 x2");
        let wanted = |options| {
            let run = run(options);
            [run.wants(&full, "a"), run.wants(&quick, "a"), run.wants(&quick, "b")]
        };
        assert_eq!(wanted(ALL), [true, true, true]);
        assert_eq!(wanted(Options { quick: true, ..ALL }), [false, true, false]);
        let told = Some(vec!["b".into()]);
        assert_eq!(wanted(Options { quick: true, peers: told, ..ALL }), [false, false, true]);
        assert_eq!(wanted(Options { filter: Some("u64 x2".into()), ..ALL }), [false, true, true]);
        assert_eq!(wanted(Options { peers: Some(vec!["a".into()]), ..ALL }), [true, true, false]);
        assert_eq!(wanted(Options { list: true, ..ALL }), [false, false, false]);
    }

    #[test]
    fn a_comparison_becomes_a_row_with_the_bar_of_its_role() {
        let mut case = Case::new("g", "n", "str");
        (case.bar, case.limit_bar) = (Some(1.2), Some(2.5));
        let mut run = run(ALL);
        run.compare(&case, ["ours", "p"], Role::Peer, |_| 1.0, |_| 2.0).unwrap();
        run.compare(&case, ["ours", "l"], Role::Limit, |_| 1.0, |_| 2.0).unwrap();
        let rows = run.report().rows();
        assert_eq!(
            (rows[0].ratio.median, rows[0].bar, rows[0].met()),
            (2.0, Some(1.2), Some(true))
        );
        assert_eq!((rows[1].bar, rows[1].met()), (Some(2.5), Some(false)));
        assert_eq!((rows[1].ours.as_str(), rows[1].peer.as_str()), ("ours", "l"));
    }
}
