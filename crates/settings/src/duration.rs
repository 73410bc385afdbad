//! Spans of time as people write them.

use std::{str::FromStr, time::Duration};

/// A span of time written as a whole number and a unit: `250ms`, `30s`, `15m`, `12h`, `30d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

/// The text is not a span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a whole number with one of the units ms, s, m, h, d")]
pub struct InvalidSpan;

impl FromStr for Span {
    type Err = InvalidSpan;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at_checked(digits).ok_or(InvalidSpan)?;
        let number: u64 = number.parse().map_err(|_| InvalidSpan)?;
        let milliseconds = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(InvalidSpan),
        };
        number.checked_mul(milliseconds).map(|all| Self(Duration::from_millis(all))).ok_or(InvalidSpan)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{InvalidSpan, Span};

    #[test]
    fn spans_need_a_number_and_a_unit() {
        assert_eq!("250ms".parse(), Ok(Span(Duration::from_millis(250))));
        assert_eq!("15m".parse(), Ok(Span(Duration::from_mins(15))));
        assert_eq!("30d".parse(), Ok(Span(Duration::from_hours(720))));
        for bad in [
            "",
            "s",
            "15",
            "15 m",
            "-1s",
            "1.5h",
            "1w",
            "99999999999999999999s",
            "18446744073709551615d",
            "é",
        ] {
            assert_eq!(bad.parse::<Span>(), Err(InvalidSpan), "{bad}");
        }
    }
}
