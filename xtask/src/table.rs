//! The table at the end.

use std::fmt;

/// How a check ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    Passed,
    Failed(String),
    /// Says nothing about what was to be checked, and counts as a failure.
    NotRun(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => f.write_str("passed"),
            Self::Failed(why) => write!(f, "FAILED: {why}"),
            Self::NotRun(why) => write!(f, "DID NOT RUN: {why}"),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) amount: String,
    pub(crate) outcome: Outcome,
    pub(crate) seconds: u64,
}

pub(crate) fn print(rows: &[Row], seconds: u64) {
    let widest = |text: fn(&Row) -> String| rows.iter().map(|r| text(r).len()).max().unwrap_or(0);
    let name = widest(|row| row.name.clone()).max("check".len());
    let amount = widest(|row| row.amount.clone()).max("amount".len());
    let result = widest(|row| row.outcome.to_string()).max("result".len());
    let line = |a: &str, b: &str, c: &str, d: &str| {
        println!("| {a:name$} | {b:>amount$} | {c:result$} | {d:>7} |");
    };
    println!();
    line("check", "amount", "result", "seconds");
    let dashes = |width| "-".repeat(width);
    line(&dashes(name), &dashes(amount), &dashes(result), &dashes(7));
    for row in rows {
        line(&row.name, &row.amount, &row.outcome.to_string(), &row.seconds.to_string());
    }
    let bad = rows.iter().filter(|row| !matches!(row.outcome, Outcome::Passed)).count();
    println!("\n{} checks, {bad} bad, {seconds} s", rows.len());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_passed_reads_so() {
        assert_eq!(Outcome::Passed.to_string(), "passed");
        assert!(Outcome::Failed("x".into()).to_string().starts_with("FAILED"));
        assert!(Outcome::NotRun("x".into()).to_string().starts_with("DID NOT RUN"));
    }
}
