//! HEALTHCHECK.

use super::instruction::json;
use crate::config::Healthcheck;

const NANOS_PER_MILLI: u64 = 1_000_000;
/// Units of Go's durations, in nanoseconds.
const UNITS: [(&str, f64); 8] = [
    ("ns", 1.0),
    ("us", 1e3),
    ("µs", 1e3),
    ("μs", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
    ("m", 60e9),
    ("h", 3600e9),
];

/// `[--interval=30s …] CMD …` or `NONE`.
///
/// # Errors
/// What is wrong with it.
pub(super) fn parse(flags: &[String], rest: &str) -> Result<Healthcheck, String> {
    let (kind, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let rest = rest.trim_start();
    let mut check = Healthcheck::default();
    match kind.to_ascii_uppercase().as_str() {
        "NONE" => {
            if let Some(more) = flags
                .first()
                .map(String::as_str)
                .or((!rest.is_empty()).then_some(rest))
            {
                return Err(format!("NONE stands alone, without {more:?}"));
            }
            check.test = vec!["NONE".to_owned()];
            return Ok(check);
        }
        "CMD" => {}
        _ => return Err(format!("{kind:?} is not CMD or NONE")),
    }
    let (form, command) = match json(rest)? {
        Some(command) => ("CMD", command),
        None => (
            "CMD-SHELL",
            Vec::from_iter((!rest.is_empty()).then(|| rest.to_owned())),
        ),
    };
    if command.is_empty() {
        return Err("a command must follow CMD".to_owned());
    }
    check.test = [vec![form.to_owned()], command].concat();
    for flag in flags {
        let (name, value) = flag
            .split_once('=')
            .ok_or_else(|| format!("{flag} needs a value: {flag}=VALUE"))?;
        match name {
            "--interval" => check.interval = duration(name, value)?,
            "--timeout" => check.timeout = duration(name, value)?,
            "--start-period" => check.start_period = duration(name, value)?,
            "--start-interval" => check.start_interval = duration(name, value)?,
            "--retries" => {
                let number = value.parse::<u32>().ok().filter(|number| *number > 0);
                let number = number.ok_or_else(|| format!("{name}={value}: use a number from 1"));
                check.retries = number?.into();
            }
            _ => return Err(format!("HEALTHCHECK has no flag {name}")),
        }
    }
    Ok(check)
}

/// Nanoseconds of a duration such as `1m30s`.
fn duration(name: &str, value: &str) -> Result<u64, String> {
    let nanos = nanoseconds(value)
        .ok_or_else(|| format!("{name}={value}: use a duration such as 30s, 1m30s or 500ms"))?;
    match nanos >= NANOS_PER_MILLI {
        true => Ok(nanos),
        false => Err(format!("{name}={value}: it must be at least 1ms")),
    }
}

fn nanoseconds(mut text: &str) -> Option<u64> {
    let mut total = 0.0;
    loop {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = text[..end].parse().ok()?;
        text = &text[end..];
        let end = text.find(|c: char| c.is_ascii_digit() || c == '.');
        let (unit, rest) = text.split_at(end.unwrap_or(text.len()));
        total += number * UNITS.iter().find(|(name, _)| *name == unit)?.1;
        text = rest;
        if text.is_empty() {
            // Go's durations end with 63 bits of nanoseconds.
            return (total < i64::MAX as f64).then_some(total as u64);
        }
    }
}
