//! `--ulimit`.

use super::ValueError;
use super::field::{Item, Kind, Refusal};

/// The limits that can be set: Docker's, without `as`, and their numbers (asm-generic/resource.h).
const NAMES: &[&str] = &[
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

/// What stands for no limit.
const UNLIMITED: i64 = -1;

/// One limit of a process (getrlimit(2)), in the kernel's units: bytes, seconds, microseconds, numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ulimit {
    /// The kernel's name for it, in lower case and without RLIMIT_.
    pub name: &'static str,
    /// What holds; `u64::MAX` is no limit.
    pub soft: u64,
    /// How far the program itself may raise it.
    pub hard: u64,
}

impl Item for Ulimit {
    const KIND: Kind = Kind::Limits;

    /// `NAME=SOFT[:HARD]`; one number is both.
    fn from_text(text: &str) -> Result<Ulimit, ValueError> {
        let (name, limits) = text.split_once('=').ok_or(ValueError::UlimitSyntax)?;
        let name = NAMES.iter().find(|known| **known == name);
        let name = name.ok_or(ValueError::UlimitName(NAMES))?;
        let number = |text: &str| match text.parse() {
            Ok(number @ UNLIMITED..) => Ok(number),
            _ => Err(ValueError::UlimitSyntax),
        };
        let (soft, hard) = match limits.split_once(':') {
            Some((soft, hard)) => (number(soft)?, number(hard)?),
            None => (number(limits)?, number(limits)?),
        };
        // -1 becomes the largest number, which is the kernel's for no limit.
        let (soft, hard) = (soft.cast_unsigned(), hard.cast_unsigned());
        match soft <= hard {
            true => Ok(Ulimit { name, soft, hard }),
            false => Err(ValueError::UlimitOrder),
        }
    }

    fn from_pair(name: &str, limits: Option<&str>) -> Result<Ulimit, Refusal> {
        let limits = limits.ok_or(ValueError::UlimitSyntax)?;
        Ok(Ulimit::from_text(&format!("{name}={limits}"))?)
    }
}
