//! Values of command line options.

use std::ops::RangeInclusive;

/// The value of an option that takes a whole number.
///
/// # Errors
///
/// A message that names the option and what it takes, if there is no value or another one.
pub fn whole(
    parser: &mut lexopt::Parser,
    option: &str,
    range: RangeInclusive<u64>,
) -> Result<u64, String> {
    let value = parser.value().map_err(|error| error.to_string())?;
    let number = value.to_str().and_then(|text| text.parse().ok());
    number.filter(|number| range.contains(number)).ok_or_else(|| {
        let (least, most) = (range.start(), range.end());
        let value = value.to_string_lossy();
        if *most == u64::MAX {
            format!("{option} takes a whole number, {least} or more, not `{value}`")
        } else {
            format!("{option} takes a whole number from {least} to {most}, not `{value}`")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(value: &[&str], range: RangeInclusive<u64>) -> Result<u64, String> {
        let mut parser = lexopt::Parser::from_args(["--n"].iter().chain(value));
        let option = parser.next();
        assert!(matches!(option, Ok(Some(lexopt::Arg::Long("n")))));
        whole(&mut parser, "--n", range)
    }

    #[test]
    fn a_number_in_range_is_taken_and_nothing_else() {
        assert_eq!(parse(&["3"], 3..=5), Ok(3));
        assert_eq!(parse(&["5"], 3..=5), Ok(5));
        let refused =
            |value: &str| Err(format!("--n takes a whole number from 3 to 5, not `{value}`"));
        for value in ["2", "6", "x", "", "-4", "4.0"] {
            assert_eq!(parse(&[value], 3..=5), refused(value));
        }
        assert_eq!(
            parse(&["0"], 1..=u64::MAX),
            Err("--n takes a whole number, 1 or more, not `0`".to_owned())
        );
        assert!(parse(&[], 3..=5).is_err());
    }
}
