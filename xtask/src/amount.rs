//! How much a check has done, read off what it printed.

/// What is counted, and where the output says how many.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Amount {
    pub(crate) unit: &'static str,
    find: Find,
}

#[derive(Clone, Copy, Debug)]
enum Find {
    /// Every number with this text right behind it.
    Before(&'static str),
    /// Every number with this text right before it.
    After(&'static str),
    /// Every line that ends so.
    Lines(&'static str),
}

impl Amount {
    /// Numbers followed by ` text`.
    pub(crate) const fn before(unit: &'static str, text: &'static str) -> Self {
        Self { unit, find: Find::Before(text) }
    }

    /// Numbers that follow `text`, perhaps after spaces.
    pub(crate) const fn after(unit: &'static str, text: &'static str) -> Self {
        Self { unit, find: Find::After(text) }
    }

    /// Lines that end with `text`.
    pub(crate) const fn lines(unit: &'static str, text: &'static str) -> Self {
        Self { unit, find: Find::Lines(text) }
    }

    /// The tests of one or more test binaries that passed.
    pub(crate) const TESTS: Self = Self::before("tests", " passed;");

    /// The sum of what the output tells.
    pub(crate) fn in_output(self, output: &str) -> u64 {
        match self.find {
            Find::Before(text) => {
                output.match_indices(text).filter_map(|(at, _)| ending(&output[..at])).sum()
            }
            Find::After(text) => output
                .match_indices(text)
                .filter_map(|(at, text)| beginning(output[at + text.len()..].trim_start()))
                .sum(),
            Find::Lines(text) => output.lines().filter(|line| line.ends_with(text)).count() as u64,
        }
    }
}

/// The number a text ends with.
fn ending(text: &str) -> Option<u64> {
    let digits = text.bytes().rev().take_while(u8::is_ascii_digit).count();
    text[text.len() - digits..].parse().ok()
}

/// The number a text begins with.
fn beginning(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    text[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_what_several_binaries_tell() {
        let output = "test result: ok. 107 passed; 0 failed; 0 ignored\n\
                      test result: ok. 9 passed; 0 failed; 0 ignored\n";
        assert_eq!(Amount::TESTS.in_output(output), 116);
        assert_eq!(Amount::TESTS.in_output("error: could not compile"), 0);
    }

    #[test]
    fn numbers_stand_before_or_behind_a_word() {
        let runs = Amount::before("executions", " executions");
        assert_eq!(runs.in_output("ok a: 12 executions, 3 s\nok b: 30 executions, 1 s"), 42);
        assert_eq!(runs.in_output("no executions"), 0);
        let execs = Amount::after("execs", "units:");
        assert_eq!(execs.in_output("stat::units: 20395\nstat::units:   5\nunits: none"), 20_400);
        let passed = Amount::lines("rows", "killed");
        assert_eq!(passed.in_output("a killed\nb survived\nc killed"), 2);
    }
}
