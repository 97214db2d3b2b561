//! `-v` and `--tmpfs`, and what `--mount` makes of both.

use super::ValueError;
use super::field::{Item, Kind, Refusal};

/// How mounts made later on one side of a bind appear on the other (mount_namespaces(7)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Propagation {
    /// Neither way, the whole tree: the default.
    #[default]
    RPrivate,
    /// Neither way.
    Private,
    /// From the host into the container, the whole tree.
    RSlave,
    /// From the host into the container.
    Slave,
    /// Both ways, the whole tree.
    RShared,
    /// Both ways.
    Shared,
}

impl Propagation {
    pub(super) fn from_word(word: &str) -> Option<Propagation> {
        use Propagation::*;
        [RPrivate, Private, RSlave, Slave, RShared, Shared]
            .into_iter()
            .find(|p| p.as_str() == word)
    }

    /// The mount option's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Propagation::RPrivate => "rprivate",
            Propagation::Private => "private",
            Propagation::RSlave => "rslave",
            Propagation::Slave => "slave",
            Propagation::RShared => "rshared",
            Propagation::Shared => "shared",
        }
    }
}

/// One bind mount: `SOURCE:DESTINATION[:OPTIONS]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Bind {
    /// A path on the host: absolute, or `.`, `..` or beginning with `./` or `../`, then taken from
    /// the caller's directory. A source that does not exist is made as a directory, as Docker does.
    pub source: String,
    /// An absolute path in the container without `.`, `..` or doubled slashes; not `/`.
    pub destination: String,
    /// Whether the container cannot write through it.
    pub read_only: bool,
    /// How later mounts spread.
    pub propagation: Propagation,
    /// What becomes of mounts below the source.
    pub below: Below,
    /// Whether a source that does not exist is made, else it is an error.
    pub make: bool,
}

/// What a bind shows of mounts below its source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Below {
    /// They are there, and read-only where the bind is.
    #[default]
    Alike,
    /// They are there, as writable as on the host.
    Writable,
    /// Only what they hide.
    Left,
}

impl Item for Bind {
    const KIND: Kind = Kind::Map;

    fn from_text(text: &str) -> Result<Bind, ValueError> {
        let parts: Vec<&str> = text.split(':').collect();
        let (source, destination, options) = match parts[..] {
            [path] if path.starts_with('/') => {
                return Err(ValueError::AnonymousVolume(path.to_owned()));
            }
            [source, destination] => (source, destination, ""),
            [source, destination, options] => (source, destination, options),
            _ => return Err(ValueError::Volume),
        };
        if source.is_empty() || destination.is_empty() || (parts.len() == 3 && options.is_empty()) {
            return Err(ValueError::Volume);
        }
        if !is_path(source) {
            return Err(ValueError::NamedVolume(source.to_owned()));
        }
        let mut bind = Bind {
            source: source.to_owned(),
            destination: destination_path(destination)?,
            read_only: false,
            propagation: Propagation::default(),
            below: Below::default(),
            make: true,
        };
        bind.modes(options)?;
        Ok(bind)
    }

    /// `{source: destination[:options]}`.
    fn from_pair(source: &str, rest: Option<&str>) -> Result<Bind, Refusal> {
        if source.contains(':') {
            return Err(ValueError::Volume.into());
        }
        match rest {
            Some(rest) => Ok(Bind::from_text(&format!("{source}:{rest}"))?),
            None => Err(ValueError::Volume.into()),
        }
    }
}

/// Whether a source is a path, and no name: absolute, or beginning with `.` and `/`.
pub(super) fn is_path(source: &str) -> bool {
    let relative = ["./", "../"].iter().any(|start| source.starts_with(start));
    source.starts_with('/') || relative || source == "." || source == ".."
}

impl Bind {
    /// Applies the comma-separated options; each kind may stand once.
    fn modes(&mut self, options: &str) -> Result<(), ValueError> {
        let mut seen = [false; 4];
        for word in options.split(',').filter(|_| !options.is_empty()) {
            let kind = match word {
                "ro" | "rw" => {
                    self.read_only = word == "ro";
                    0
                }
                // A label for SELinux and a caching hint of other systems: accepted, without effect here.
                "z" | "Z" => 1,
                "consistent" | "cached" | "delegated" => 2,
                _ => {
                    let found = Propagation::from_word(word);
                    self.propagation =
                        found.ok_or_else(|| ValueError::MountMode(options.to_owned()))?;
                    3
                }
            };
            if std::mem::replace(&mut seen[kind], true) {
                return Err(ValueError::MountMode(options.to_owned()));
            }
        }
        Ok(())
    }
}

/// One temporary file system: `DESTINATION[:OPTIONS]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tmpfs {
    /// An absolute path in the container without `.`, `..` or doubled slashes; not `/`.
    pub destination: String,
    /// Mount options: Docker's defaults `noexec`, `nosuid`, `nodev`, changed by what was given.
    pub options: Vec<String>,
}

/// Flags of a tmpfs that exclude each other, the kernel's names (mount(8)).
const TMPFS_FLAGS: &[(&str, &str)] = &[
    ("exec", "noexec"),
    ("suid", "nosuid"),
    ("dev", "nodev"),
    ("rw", "ro"),
    ("async", "sync"),
    ("atime", "noatime"),
    ("diratime", "nodiratime"),
    ("relatime", "norelatime"),
    ("strictatime", "nostrictatime"),
];

/// Options of a tmpfs that take a value (tmpfs(5)).
const TMPFS_VALUES: &[&str] = &[
    "size",
    "mode",
    "uid",
    "gid",
    "nr_inodes",
    "nr_blocks",
    "mpol",
];

impl Item for Tmpfs {
    const KIND: Kind = Kind::Map;

    fn from_text(text: &str) -> Result<Tmpfs, ValueError> {
        let (destination, options) = text.split_once(':').unwrap_or((text, ""));
        Tmpfs::new(destination, options)
    }

    fn from_pair(destination: &str, options: Option<&str>) -> Result<Tmpfs, Refusal> {
        Ok(Tmpfs::new(destination, options.unwrap_or(""))?)
    }
}

impl Tmpfs {
    pub(super) fn new(destination: &str, options: &str) -> Result<Tmpfs, ValueError> {
        let mut tmpfs = Tmpfs {
            destination: destination_path(destination)?,
            options: ["noexec", "nosuid", "nodev"].map(String::from).to_vec(),
        };
        for word in options.split(',').filter(|_| !options.is_empty()) {
            tmpfs.add(word)?;
        }
        Ok(tmpfs)
    }

    /// A later option replaces an earlier one of its kind.
    pub(super) fn add(&mut self, word: &str) -> Result<(), ValueError> {
        let wrong = || ValueError::TmpfsOption(word.to_owned());
        if let Some((on, off)) = TMPFS_FLAGS
            .iter()
            .find(|(on, off)| *on == word || *off == word)
        {
            self.options.retain(|old| old != on && old != off);
        } else {
            let (key, value) = word.split_once('=').ok_or_else(wrong)?;
            if value.is_empty() || !TMPFS_VALUES.contains(&key) {
                return Err(wrong());
            }
            if !tmpfs_value(key, value) {
                return Err(wrong());
            }
            self.options
                .retain(|old| old.split_once('=').is_none_or(|(old, _)| old != key));
        }
        self.options.push(word.to_owned());
        Ok(())
    }
}

/// Whether the kernel would take the value: an early word instead of EINVAL at the mount.
fn tmpfs_value(key: &str, value: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match key {
        "mode" => value.len() <= 5 && value.bytes().all(|b| (b'0'..=b'7').contains(&b)),
        "uid" | "gid" => value.parse::<u32>().is_ok(),
        "mpol" => true,
        "size" if value.ends_with('%') => number(&value[..value.len() - 1]),
        _ => number(
            value
                .strip_suffix(['k', 'm', 'g', 'K', 'M', 'G'])
                .unwrap_or(value),
        ),
    }
}

/// Checks and cleans a destination lexically; links are followed beneath the container's root at the mount.
pub(super) fn destination_path(text: &str) -> Result<String, ValueError> {
    if !text.starts_with('/') {
        return Err(ValueError::RelativeDestination(text.to_owned()));
    }
    let clean = super::clean_path(text);
    match clean.as_str() {
        "/" => Err(ValueError::RootDestination),
        // A mount over procfs or in it would take the place of its masks.
        "/proc" => Err(ValueError::ProcDestination(clean)),
        _ if clean.starts_with("/proc/") => Err(ValueError::ProcDestination(clean)),
        _ => Ok(clean),
    }
}
