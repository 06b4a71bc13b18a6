//! What was measured: rows, the file they are kept in, and the table that judges them.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use crate::paired::Ratio;

/// In what capacity something is compared with ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// It does the same job.
    Peer,
    /// It does less (the table that nobody may write meanwhile): how fast it could be at all.
    Limit,
}

impl Role {
    const fn name(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Limit => "limit",
        }
    }
}

/// One comparison: a case, and one peer.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The workload: `lookup`, `mix`, `memory`.
    pub group: String,
    /// Which one of the group: `hit 1M, pin reused`.
    pub name: String,
    /// What the keys are: `str` or `u64`.
    pub keys: String,
    /// How many threads work at once.
    pub threads: usize,
    /// The global allocator, and whatever else holds for the whole run.
    pub allocator: String,
    /// What is measured of ours.
    pub ours: String,
    /// What it is compared with.
    pub peer: String,
    /// In what capacity.
    pub role: Role,
    /// What the values are, less being better: `ns`, `bytes`.
    pub unit: String,
    /// What came of it.
    pub ratio: Ratio,
    /// The ratio that is asked for, if any. The best peer has to be beaten by it, or the limit.
    pub bar: Option<f64>,
}

impl Row {
    /// Whether the bar is met: the interval does not lie below it. `None` without a bar.
    #[must_use]
    pub fn met(&self) -> Option<bool> {
        self.bar.map(|bar| self.ratio.high >= bar)
    }

    /// What all rows of one case have in common.
    fn case(&self) -> ([&str; 6], usize) {
        let Self { group, name, keys, allocator, ours, unit, .. } = self;
        ([group, name, keys, allocator, ours, unit], self.threads)
    }
}

const HEADER: &str = "group,name,keys,threads,allocator,ours,peer,role,unit,\
                      ratio,low,high,ours_value,peer_value,rounds,bar";

/// Why a file does not hold rows.
#[derive(Debug)]
pub enum ReadError {
    /// It cannot be read.
    Io(io::Error),
    /// A line (the header is line 1) is not one that [`Report`] writes.
    Line(usize, String),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::Line(number, what) => write!(f, "line {number}: {what}"),
        }
    }
}

impl std::error::Error for ReadError {}

/// Reads the rows that a [`Report`] has written to a file.
///
/// # Errors
///
/// If the file cannot be read, or is not of that form.
pub fn read(path: &Path) -> Result<Vec<Row>, ReadError> {
    parse(&std::fs::read_to_string(path).map_err(ReadError::Io)?)
}

fn parse(text: &str) -> Result<Vec<Row>, ReadError> {
    let mut lines = text.lines().zip(1..);
    if lines.next().is_none_or(|(header, _)| header != HEADER) {
        return Err(ReadError::Line(1, format!("expected the header `{HEADER}`")));
    }
    lines.map(|(line, number)| row_of(line).map_err(|what| ReadError::Line(number, what))).collect()
}

fn row_of(line: &str) -> Result<Row, String> {
    let fields: Vec<&str> = line.split(',').collect();
    let &[group, name, keys, threads, allocator, ours, peer, role, unit, ref numbers @ ..] =
        fields.as_slice()
    else {
        return Err(format!("{} fields are too few", fields.len()));
    };
    let &[median, low, high, ours_value, peer_value, rounds, bar] = numbers else {
        return Err(format!("expected 16 fields, found {}", fields.len()));
    };
    fn number<N: std::str::FromStr>(field: &str) -> Result<N, String> {
        field.parse().map_err(|_| format!("`{field}` is not a number of that kind"))
    }
    Ok(Row {
        group: group.into(),
        name: name.into(),
        keys: keys.into(),
        threads: number(threads)?,
        allocator: allocator.into(),
        ours: ours.into(),
        peer: peer.into(),
        role: match role {
            "peer" => Role::Peer,
            "limit" => Role::Limit,
            _ => return Err(format!("`{role}` is no role")),
        },
        unit: unit.into(),
        ratio: Ratio {
            median: number(median)?,
            low: number(low)?,
            high: number(high)?,
            ours: number(ours_value)?,
            peer: number(peer_value)?,
            rounds: number(rounds)?,
        },
        bar: if bar.is_empty() { None } else { Some(number(bar)?) },
    })
}

/// Finds out early what could not be written.
///
/// # Panics
///
/// If a text holds a comma or a line break: the file knows no quotes.
pub(crate) fn assert_field(text: &str) {
    assert!(!text.contains([',', '\n', '\r']), "`{text}` cannot be a field");
}

/// A row as a line of the file.
///
/// # Panics
///
/// If a text holds a comma or a line break: the file knows no quotes.
fn line_of(row: &Row) -> String {
    let Row { group, name, keys, threads, allocator, ours, peer, role, unit, ratio, bar } = row;
    [group, name, keys, allocator, ours, peer, unit]
        .into_iter()
        .for_each(|text| assert_field(text));
    let Ratio { median, low, high, ours: ours_value, peer: peer_value, rounds } = ratio;
    let bar = bar.map_or_else(String::new, |bar| bar.to_string());
    format!(
        "{group},{name},{keys},{threads},{allocator},{ours},{peer},{},{unit},\
         {median:.4},{low:.4},{high:.4},{ours_value:.3},{peer_value:.3},{rounds},{bar}",
        role.name()
    )
}

/// The rows of a run, in a file if so wanted, each there as soon as it has been measured.
#[derive(Debug, Default)]
pub struct Report {
    rows: Vec<Row>,
    csv: Option<File>,
}

impl Report {
    /// A report that is kept in memory only.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A report that is also written to a new file, or over an old one.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn to_file(path: &Path) -> io::Result<Self> {
        let mut file = File::create(path)?;
        writeln!(file, "{HEADER}")?;
        Ok(Self { rows: Vec::new(), csv: Some(file) })
    }

    /// Adds a row: to the file at once, and to stderr as progress.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    ///
    /// # Panics
    ///
    /// If a text of the row holds a comma or a line break.
    pub fn push(&mut self, row: Row) -> io::Result<()> {
        let line = line_of(&row);
        if let Some(file) = &mut self.csv {
            // One write for one line, past any buffer: what is measured is there.
            file.write_all(format!("{line}\n").as_bytes())?;
        }
        let Ratio { median, low, high, ours, peer, .. } = row.ratio;
        eprintln!(
            "{} {} [{} keys, {} threads, {}] against {}: {median:.2} ({low:.2}..{high:.2}), \
             {ours:.1} to {peer:.1} {}",
            row.group, row.name, row.keys, row.threads, row.ours, row.peer, row.unit
        );
        self.rows.push(row);
        Ok(())
    }

    /// The rows so far.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }
}

/// The table of a run: for each case the ratio to its best peer, the bar, and the limit.
///
/// The best peer is the one with the lowest ratio, that is, with the lowest time when each peer's
/// time is taken relative to that of ours in the same rounds. (Times of different peers were
/// measured minutes apart, and are not compared.)
#[must_use]
pub fn table(rows: &[Row]) -> String {
    // In the order in which they came.
    let mut cases: Vec<Vec<&Row>> = Vec::new();
    let mut places = HashMap::new();
    for row in rows {
        let place = *places.entry(row.case()).or_insert(cases.len());
        if place == cases.len() {
            cases.push(Vec::new());
        }
        cases[place].push(row);
    }

    let mut lines = vec![
        [
            "case",
            "keys",
            "threads",
            "allocator",
            "ours",
            "best peer",
            "ratio",
            "bar",
            "met",
            "limit",
        ]
        .map(String::from),
    ];
    for rows in &cases {
        let peer = best(rows, Role::Peer);
        let limit = best(rows, Role::Limit);
        let Some(row) = peer.or(limit) else { continue };
        let Ratio { ours, .. } = row.ratio;
        let judged = |row: &Row| match (row.bar, row.met()) {
            (Some(bar), Some(met)) => {
                let two = format!("{bar:.2}");
                // 1.0, but 0.83.
                let bar = two.strip_suffix('0').unwrap_or(&two).to_owned();
                (bar, if met { "yes" } else { "NO" })
            }
            _ => (String::new(), ""),
        };
        let (bar, met) = peer.map_or((String::new(), ""), judged);
        lines.push([
            format!("{} {}", row.group, row.name),
            row.keys.clone(),
            row.threads.to_string(),
            row.allocator.clone(),
            format!("{}: {ours:.1} {}", row.ours, row.unit),
            peer.map_or_else(String::new, |row| {
                format!("{}: {:.1} {}", row.peer, row.ratio.peer, row.unit)
            }),
            peer.map_or_else(String::new, |row| shown(&row.ratio)),
            bar,
            met.to_owned(),
            limit.map_or_else(String::new, |row| {
                let (bar, met) = judged(row);
                let bar = if bar.is_empty() { bar } else { format!(" (bar {bar}: {met})") };
                format!("{} {}{bar}", row.peer, shown(&row.ratio))
            }),
        ]);
    }
    aligned(&lines)
}

fn best<'r>(rows: &[&'r Row], role: Role) -> Option<&'r Row> {
    let of_role = rows.iter().copied().filter(|row| row.role == role);
    of_role.min_by(|a, b| a.ratio.median.total_cmp(&b.ratio.median))
}

fn shown(ratio: &Ratio) -> String {
    format!("{:.2} ({:.2}..{:.2})", ratio.median, ratio.low, ratio.high)
}

/// Lines of equally many columns, each column as wide as its widest cell.
fn aligned<const N: usize>(lines: &[[String; N]]) -> String {
    let width = |column: usize| {
        lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default()
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let mut table = String::new();
    for line in lines {
        let start = table.len();
        for (cell, width) in line.iter().zip(widths) {
            write!(table, "{cell:<width$}  ").expect("a string takes whatever is written");
        }
        table.truncate(start + table[start..].trim_end().len());
        table.push('\n');
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(peer: &str, role: Role, [low, median, high]: [f64; 3], bar: Option<f64>) -> Row {
        Row {
            group: "lookup".into(),
            name: "hit 1K".into(),
            keys: "str".into(),
            threads: 2,
            allocator: "system".into(),
            ours: "ours".into(),
            peer: peer.into(),
            role,
            unit: "ns".into(),
            ratio: Ratio { median, low, high, ours: 10.0, peer: 10.0 * median, rounds: 15 },
            bar,
        }
    }

    fn rows() -> Vec<Row> {
        vec![
            row("slow", Role::Peer, [1.9, 2.0, 2.1], Some(1.2)),
            row("fast", Role::Peer, [1.0, 1.1, 1.25], Some(1.2)),
            row("bare", Role::Limit, [0.5, 0.6, 0.7], None),
        ]
    }

    #[test]
    fn a_bar_is_met_unless_the_interval_lies_below_it() {
        let met = |interval, bar| row("p", Role::Peer, interval, bar).met();
        assert_eq!(met([1.3, 1.4, 1.5], Some(1.2)), Some(true));
        assert_eq!(met([1.0, 1.1, 1.2], Some(1.2)), Some(true));
        assert_eq!(met([1.0, 1.1, 1.19], Some(1.2)), Some(false));
        assert_eq!(met([1.0, 1.1, 1.19], None), None);
    }

    #[test]
    fn the_table_judges_by_the_best_peer_and_never_by_the_limit() {
        let table = table(&rows());
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 2, "{table}");
        assert!(lines[1].contains("fast: 11.0 ns"), "{table}");
        assert!(lines[1].contains("1.10 (1.00..1.25)  1.2  yes"), "{table}");
        assert!(lines[1].ends_with("bare 0.60 (0.50..0.70)"), "{table}");
        assert!(!table.contains("slow"), "{table}");
    }

    #[test]
    fn the_table_says_what_is_not_met() {
        let missed = [
            row("p", Role::Peer, [0.7, 0.8, 0.9], Some(1.0)),
            row("bare", Role::Limit, [2.0, 2.1, 2.2], Some(2.5)),
        ];
        let table = table(&missed);
        assert!(table.contains("0.80 (0.70..0.90)  1.0  NO"), "{table}");
        assert!(table.contains("2.10 (2.00..2.20) (bar 2.5: NO)"), "{table}");
    }

    #[test]
    fn cases_stay_apart_and_in_order() {
        let mut rows = rows();
        let mut other = rows[0].clone();
        other.threads = 1;
        rows.insert(0, other);
        let table = table(&rows);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 3, "{table}");
        assert!(lines[1].contains("slow") && lines[2].contains("fast"), "{table}");
    }

    #[test]
    fn what_is_written_can_be_read_again() {
        let path = std::env::temp_dir().join(format!("report-{}.csv", std::process::id()));
        let mut report = Report::to_file(&path).unwrap();
        for row in rows() {
            report.push(row).unwrap();
            // There before the report is done.
            assert_eq!(read(&path).unwrap(), report.rows());
        }
        drop(report);
        assert_eq!(read(&path).unwrap(), rows());
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_broken_file_is_refused_with_the_line() {
        let line = line_of(&rows()[0]);
        let told = |text: String| parse(&text).unwrap_err().to_string();
        assert!(told(String::new()).starts_with("line 1: expected the header"));
        assert!(told(format!("{HEADER}\n{line}\nlookup,hit")).starts_with("line 3: 2 fields"));
        assert!(told(format!("{HEADER}\n{line},7")).starts_with("line 2: expected 16 fields"));
        let bad = line.replace(",peer,", ",judge,");
        assert_eq!(told(format!("{HEADER}\n{bad}")), "line 2: `judge` is no role");
        let bad = line.replace(",2,", ",two,");
        assert!(told(format!("{HEADER}\n{bad}")).starts_with("line 2: `two` is not a number"));
    }

    #[test]
    #[should_panic(expected = "cannot be a field")]
    fn a_comma_in_a_text_is_refused() {
        line_of(&row("a,b", Role::Peer, [1.0, 1.0, 1.0], None));
    }
}
