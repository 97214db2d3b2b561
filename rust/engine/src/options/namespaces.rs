//! `--ipc`, `--pid` and `--uts`: namespaces of one's own or the caller's.

use super::ValueError;
use super::field::{Kind, Scalar};

/// Whose System V IPC, message queues and /dev/shm a container has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IpcMode {
    /// Its own, and nobody else's.
    Private,
    /// Its own, without /dev/shm.
    None,
    /// Its own, which others may join.
    Shareable,
    /// The caller's.
    Host,
}

impl Scalar for IpcMode {
    const KIND: Kind = Kind::Str;

    fn from_text(text: &str) -> Result<IpcMode, ValueError> {
        Ok(match text {
            "" | "private" => IpcMode::Private,
            "none" => IpcMode::None,
            "shareable" => IpcMode::Shareable,
            "host" => IpcMode::Host,
            _ => return Err(ValueError::IpcMode),
        })
    }
}

/// Whose processes a container sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PidMode {
    /// Its own.
    Private,
    /// The caller's.
    Host,
}

impl Scalar for PidMode {
    const KIND: Kind = Kind::Str;

    fn from_text(text: &str) -> Result<PidMode, ValueError> {
        Ok(match text {
            "" => PidMode::Private,
            "host" => PidMode::Host,
            _ => return Err(ValueError::PidMode),
        })
    }
}

/// Whose hostname a container has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UtsMode {
    /// Its own.
    Private,
    /// The caller's.
    Host,
}

impl Scalar for UtsMode {
    const KIND: Kind = Kind::Str;

    fn from_text(text: &str) -> Result<UtsMode, ValueError> {
        match text {
            "" => Ok(UtsMode::Private),
            "host" => Ok(UtsMode::Host),
            _ => Err(ValueError::UtsMode),
        }
    }
}
