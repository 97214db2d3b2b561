//! `--stop-signal`.

use super::ValueError;
use super::field::{Kind, Scalar};

/// A signal by its number, 1 to 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StopSignal(pub u8);

/// The first real-time signal that programs can use, and the last (signal(7)).
const RTMIN: u8 = 34;
const RTMAX: u8 = 64;

impl Scalar for StopSignal {
    const KIND: Kind = Kind::Str;

    /// `SIGTERM`, `term`, `15`, `RTMIN+3`, `SIGRTMAX-1`.
    fn from_text(text: &str) -> Result<StopSignal, ValueError> {
        let wrong = || ValueError::Signal;
        if let Ok(number) = text.parse::<u8>() {
            return match number {
                1..=RTMAX => Ok(StopSignal(number)),
                _ => Err(wrong()),
            };
        }
        let name = text.to_ascii_uppercase();
        let name = name.strip_prefix("SIG").unwrap_or(&name);
        let offset = |text: &str, sign: char| match text {
            "" => Some(0),
            text => text.strip_prefix(sign)?.parse::<u8>().ok(),
        };
        let real_time = if let Some(after) = name.strip_prefix("RTMIN") {
            offset(after, '+').and_then(|n| RTMIN.checked_add(n))
        } else if let Some(before) = name.strip_prefix("RTMAX") {
            offset(before, '-').and_then(|n| RTMAX.checked_sub(n))
        } else {
            let signal: Result<nix::sys::signal::Signal, _> = format!("SIG{name}").parse();
            return signal
                .map(|signal| StopSignal(signal as u8))
                .map_err(|_| wrong());
        };
        match real_time {
            Some(number @ RTMIN..=RTMAX) => Ok(StopSignal(number)),
            _ => Err(wrong()),
        }
    }
}
