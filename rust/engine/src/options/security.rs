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
    /// `apparmor=PROFILE|unconfined`: none for unconfined.
    AppArmor(Option<String>),
    /// `label=disable`: containers are never confined by SELinux.
    LabelDisable,
    /// `systempaths=unconfined`: nothing of /proc and /sys is hidden or read-only.
    SystemPaths,
    /// `mask=PATH[:PATH...]`: hides more of the container's files, podman's word.
    Mask(Vec<String>),
    /// `unmask=PATH[:PATH...]`: shows what is hidden or read-only by default, podman's word; none for `ALL`.
    Unmask(Option<Vec<String>>),
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
            ("apparmor", Some("unconfined")) => Ok(SecurityOpt::AppArmor(None)),
            ("apparmor", Some(profile)) if !profile.is_empty() => {
                Ok(SecurityOpt::AppArmor(Some(profile.to_owned())))
            }
            ("label", Some("disable")) => Ok(SecurityOpt::LabelDisable),
            ("label", Some(label)) if !label.is_empty() => Err(ValueError::Label(text.to_owned())),
            ("systempaths", Some("unconfined")) => Ok(SecurityOpt::SystemPaths),
            ("mask", Some(list)) => Ok(SecurityOpt::Mask(paths(list)?)),
            ("unmask", Some("ALL" | "all")) => Ok(SecurityOpt::Unmask(None)),
            ("unmask", Some(list)) => Ok(SecurityOpt::Unmask(Some(paths(list)?))),
            _ => Err(ValueError::SecurityOpt(text.to_owned())),
        }
    }
}

/// Absolute paths with colons between, cleaned lexically.
fn paths(list: &str) -> Result<Vec<String>, ValueError> {
    let clean = |path: &str| match super::clean_path(path) {
        clean if path.starts_with('/') && clean != "/" => Ok(clean),
        _ => Err(ValueError::MaskPath(path.to_owned())),
    };
    list.split(':').map(clean).collect()
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
