//! `--ipc`, `--pid` and `--uts`: namespaces of one's own, the caller's, another container's.

use super::ValueError;
use super::field::{Kind, Scalar};

/// How another container is named as the one whose namespace is shared.
const CONTAINER: &str = "container:";

/// Whose System V IPC, message queues and /dev/shm a container has.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum IpcMode {
    /// Its own, and nobody else's.
    Private,
    /// Its own, without /dev/shm.
    None,
    /// Its own, which others may join.
    Shareable,
    /// The caller's.
    Host,
    /// Those of the running container of this name or id.
    Container(String),
}

impl Scalar for IpcMode {
    const KIND: Kind = Kind::Str;

    fn from_text(text: &str) -> Result<IpcMode, ValueError> {
        Ok(match text {
            "" | "private" => IpcMode::Private,
            "none" => IpcMode::None,
            "shareable" => IpcMode::Shareable,
            "host" => IpcMode::Host,
            other => IpcMode::Container(container(other).ok_or(ValueError::IpcMode)?),
        })
    }
}

/// Whose processes a container sees.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PidMode {
    /// Its own.
    Private,
    /// The caller's.
    Host,
    /// Those of the running container of this name or id.
    Container(String),
}

impl Scalar for PidMode {
    const KIND: Kind = Kind::Str;

    fn from_text(text: &str) -> Result<PidMode, ValueError> {
        Ok(match text {
            "" => PidMode::Private,
            "host" => PidMode::Host,
            other => PidMode::Container(container(other).ok_or(ValueError::PidMode)?),
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

/// The name after `container:`; none where there is none.
fn container(text: &str) -> Option<String> {
    let name = text.strip_prefix(CONTAINER)?;
    (!name.is_empty()).then(|| name.to_owned())
}
