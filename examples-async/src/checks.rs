//! The account of what a program has checked of its own results.

use std::fmt;

/// What was checked, and what was found to be wrong.
#[derive(Debug, Default)]
pub struct Checks {
    made: usize,
    faults: Vec<String>,
}

impl Checks {
    /// Notes a fault unless the two are the same.
    pub fn same<T: PartialEq + fmt::Debug>(&mut self, what: &str, expected: &T, found: &T) {
        self.holds(expected == found, || format!("{what}: expected {expected:?}, found {found:?}"));
    }

    /// Notes a fault unless this holds.
    pub fn holds(&mut self, holds: bool, fault: impl FnOnce() -> String) {
        self.made += 1;
        if !holds {
            self.faults.push(fault());
        }
    }

    /// How many checks were made.
    #[must_use]
    pub fn made(&self) -> usize {
        self.made
    }

    /// What was wrong, in the order in which it was found.
    #[must_use]
    pub fn faults(&self) -> &[String] {
        &self.faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_a_fault() {
        let mut checks = Checks::default();
        checks.same("pids", &1, &1);
        checks.same("pids", &1, &2);
        checks.holds(true, || unreachable!("it holds"));
        checks.holds(false, || "not so".to_owned());
        assert_eq!(checks.made(), 4);
        assert_eq!(checks.faults(), ["pids: expected 1, found 2", "not so"]);
    }
}
