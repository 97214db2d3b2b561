//! `--security-opt` and `--storage-opt`.

use std::path::PathBuf;

use super::field::{Item, Kind, Refusal, Scalar};
use super::{Size, ValueError};

/// Which seccomp profile a container gets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SeccompChoice {
    /// Docker's default profile.
    Builtin,
    /// None: every system call reaches the kernel.
    Unconfined,
    /// A profile in Docker's JSON form, read when the container is composed; relative to the caller's directory.
    File(PathBuf),
}

/// One `--security-opt`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SecurityOpt {
    /// `no-new-privileges[=BOOL]`: setuid programs and file capabilities give nothing.
    NoNewPrivileges(bool),
    /// `seccomp=builtin|unconfined|FILE`.
    Seccomp(SeccompChoice),
}

impl Item for SecurityOpt {
    const KIND: Kind = Kind::List;

    fn from_text(text: &str) -> Result<SecurityOpt, ValueError> {
        // Docker takes `key=value` and, from its early days, `key:value`.
        let (key, value) = match text.split_once(['=', ':']) {
            Some((key, value)) => (key, Some(value)),
            None => (text, None),
        };
        match (key, value) {
            ("no-new-privileges", None | Some("true")) => Ok(SecurityOpt::NoNewPrivileges(true)),
            ("no-new-privileges", Some("false")) => Ok(SecurityOpt::NoNewPrivileges(false)),
            ("seccomp", Some("unconfined")) => Ok(SecurityOpt::Seccomp(SeccompChoice::Unconfined)),
            ("seccomp", Some("builtin")) => Ok(SecurityOpt::Seccomp(SeccompChoice::Builtin)),
            ("seccomp", Some(file)) if !file.is_empty() => Ok(SecurityOpt::Seccomp(
                SeccompChoice::File(PathBuf::from(file)),
            )),
            _ => Err(ValueError::SecurityOpt(text.to_owned())),
        }
    }
}

/// One `--storage-opt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StorageOpt {
    /// `size=SIZE`: the most the container's own writes may take; 0 is no limit.
    Size(Size),
}

impl Item for StorageOpt {
    const KIND: Kind = Kind::Map;

    fn from_text(text: &str) -> Result<StorageOpt, ValueError> {
        match text.split_once('=') {
            Some(("size", size)) => Ok(StorageOpt::Size(Size::from_text(size)?)),
            _ => Err(ValueError::StorageOpt(text.to_owned())),
        }
    }

    fn from_pair(key: &str, value: Option<&str>) -> Result<StorageOpt, Refusal> {
        match (key, value) {
            ("size", Some(size)) => Ok(StorageOpt::Size(Size::from_text(size)?)),
            _ => Err(ValueError::StorageOpt(key.to_owned()).into()),
        }
    }
}
