//! `--device` and `--device-cgroup-rule`.

use super::ValueError;
use super::clean_path;
use super::field::{Item, Kind};

/// What a container may do with a device: a string of `r`, `w` and `m` (mknod).
fn is_access(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 3
        && text.bytes().all(|b| b"rwm".contains(&b))
        && (1..text.len()).all(|at| !text[..at].contains(&text[at..=at]))
}

/// `SOURCE[:DESTINATION][:ACCESS]`: a device of the host, or a directory of devices.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeviceFile {
    /// Its absolute path on the host.
    pub source: String,
    /// Its absolute path in the container.
    pub destination: String,
    /// Out of `r`, `w`, `m`.
    pub access: String,
}

impl Item for DeviceFile {
    const KIND: Kind = Kind::List;

    fn from_text(text: &str) -> Result<DeviceFile, ValueError> {
        let parts: Vec<&str> = text.split(':').collect();
        let (source, destination, access) = match parts[..] {
            [source] => (source, source, "rwm"),
            [source, access] if is_access(access) => (source, source, access),
            [source, destination] => (source, destination, "rwm"),
            [source, destination, access] if is_access(access) => (source, destination, access),
            [_, _, access] => return Err(ValueError::DeviceAccess(access.to_owned())),
            _ => return Err(ValueError::DeviceSyntax),
        };
        for path in [source, destination] {
            if !path.starts_with('/') {
                return Err(ValueError::DeviceRelative(path.to_owned()));
            }
        }
        Ok(DeviceFile {
            source: clean_path(source),
            destination: clean_path(destination),
            access: access.to_owned(),
        })
    }
}

/// `TYPE MAJOR:MINOR ACCESS`: a rule for the container's device list (Documentation/admin-guide/cgroup-v1/devices.rst).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeviceRule {
    /// `c`, `b` or, for both, `a`.
    pub kind: char,
    /// None for all.
    pub major: Option<u32>,
    /// None for all.
    pub minor: Option<u32>,
    /// Out of `r`, `w`, `m`.
    pub access: String,
}

impl Item for DeviceRule {
    const KIND: Kind = Kind::List;

    fn from_text(text: &str) -> Result<DeviceRule, ValueError> {
        let invalid = || ValueError::DeviceRule(text.to_owned());
        let words: Vec<&str> = text.split(' ').collect();
        let [kind @ ("a" | "b" | "c"), numbers, access] = words[..] else {
            return Err(invalid());
        };
        let (major, minor) = numbers.split_once(':').ok_or_else(invalid)?;
        let number = |text: &str| match text {
            "*" => Ok(None),
            digits if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().map(Some).map_err(|_| invalid())
            }
            _ => Err(invalid()),
        };
        if !is_access(access) {
            return Err(invalid());
        }
        Ok(DeviceRule {
            kind: kind.chars().next().unwrap_or('a'),
            major: number(major)?,
            minor: number(minor)?,
            access: access.to_owned(),
        })
    }
}
