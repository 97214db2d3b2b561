//! Durations: Go's grammar, or a number of seconds.

use std::time::Duration;

use super::ValueError;
use super::decimal::Decimal;
use super::field::{Kind, Refusal, Scalar};

const NANOSECOND: u64 = 1;
const SECOND: u64 = 1_000_000_000;

/// Nanoseconds of each unit.
const UNITS: &[(&str, u64)] = &[
    ("ns", NANOSECOND),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", SECOND),
    ("m", 60 * SECOND),
    ("h", 3600 * SECOND),
];

impl Scalar for Duration {
    const KIND: Kind = Kind::Duration;

    /// `30` and `1.5` are seconds; `1m30s`, `500ms`, `1.5h` add up. Never negative, at most 292 years.
    fn from_text(text: &str) -> Result<Duration, ValueError> {
        if let Some(seconds) = Decimal::parse(text) {
            return total(seconds.times(SECOND));
        }
        let mut rest = text;
        let mut nanoseconds = 0u64;
        while !rest.is_empty() {
            let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.');
            let (number, tail) = rest.split_at(number.ok_or(ValueError::Duration)?);
            let unit = tail
                .find(|c: char| c.is_ascii_digit() || c == '.')
                .unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(unit);
            let factor = UNITS
                .iter()
                .find(|(name, _)| *name == unit)
                .ok_or(ValueError::Duration)?
                .1;
            let number = Decimal::parse(number).ok_or(ValueError::Duration)?;
            nanoseconds = number
                .times(factor)
                .and_then(|part| nanoseconds.checked_add(part))
                .ok_or(ValueError::TooLarge)?;
            rest = tail;
        }
        if text.is_empty() {
            Err(ValueError::Duration)
        } else {
            total(Some(nanoseconds))
        }
    }

    fn from_int(seconds: i64) -> Result<Duration, Refusal> {
        let seconds = u64::try_from(seconds).map_err(|_| ValueError::Duration)?;
        Ok(total(seconds.checked_mul(SECOND))?)
    }

    fn from_float(seconds: f64) -> Result<Duration, Refusal> {
        let duration = Duration::try_from_secs_f64(seconds).map_err(|_| ValueError::Duration)?;
        Ok(total(u64::try_from(duration.as_nanos()).ok())?)
    }
}

/// The kernel counts nanoseconds in 63 bits.
fn total(nanoseconds: Option<u64>) -> Result<Duration, ValueError> {
    match nanoseconds {
        Some(n) if n <= i64::MAX as u64 => Ok(Duration::from_nanos(n)),
        _ => Err(ValueError::TooLarge),
    }
}
