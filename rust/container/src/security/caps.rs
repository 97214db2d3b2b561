//! Capabilities: names, Docker's default set, `--cap-add` and `--cap-drop`.
//!
//! Source: capabilities(7); Docker's rules as its daemon applies them.

use std::fmt;

use oci_spec::runtime::{Capabilities, Capability};

/// Every capability of Linux 5.9 and later in the order of the kernel's numbers (linux/capability.h).
const NAMES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// The one word that stands for all capabilities in `--cap-add` and `--cap-drop`.
const ALL: &str = "ALL";

/// A set of capabilities: bit n is capability number n.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct CapSet(u64);

/// A capability name that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown capability: {name:?}")]
pub struct CapError {
    /// The name as it was given.
    pub name: String,
}

impl CapSet {
    /// No capability.
    pub const EMPTY: CapSet = CapSet(0);
    /// All 41 known here. The kernel may know fewer: see `/proc/sys/kernel/cap_last_cap`.
    pub const ALL: CapSet = CapSet((1 << NAMES.len()) - 1);
    /// What Docker gives a container by default: 14 capabilities.
    pub const DOCKER: CapSet = CapSet(
        1 << 0
            | 1 << 1
            | 1 << 3
            | 1 << 4
            | 1 << 5
            | 1 << 6
            | 1 << 7
            | 1 << 8
            | 1 << 10
            | 1 << 13
            | 1 << 18
            | 1 << 27
            | 1 << 29
            | 1 << 31,
    );

    /// The set with these bits; bits above the last known capability are dropped.
    pub const fn from_bits(bits: u64) -> CapSet {
        CapSet(bits & CapSet::ALL.0)
    }

    /// Bit n for capability n, as capset(2) takes it in two halves.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// How many capabilities are in it.
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether none is in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether capability `number` is in it.
    pub const fn contains(self, number: u8) -> bool {
        number < 64 && self.0 & (1 << number) != 0
    }

    /// The set and capability `number`.
    pub const fn with(self, number: u8) -> CapSet {
        CapSet::from_bits(self.0 | 1 << number)
    }

    /// What is in either.
    pub const fn union(self, other: CapSet) -> CapSet {
        CapSet(self.0 | other.0)
    }

    /// What is in both.
    pub const fn intersection(self, other: CapSet) -> CapSet {
        CapSet(self.0 & other.0)
    }

    /// What is in this one only.
    pub const fn difference(self, other: CapSet) -> CapSet {
        CapSet(self.0 & !other.0)
    }

    /// Their numbers, ascending.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (0..NAMES.len() as u8).filter(move |number| self.contains(*number))
    }

    /// Their names (`CAP_CHOWN`), in the order of the numbers.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        self.iter().map(|number| NAMES[usize::from(number)])
    }

    /// As the runtime-spec document has it.
    pub fn to_oci(self) -> Capabilities {
        self.names()
            .filter_map(|name| name["CAP_".len()..].parse::<Capability>().ok())
            .collect()
    }

    /// From the runtime-spec document's set.
    pub fn from_oci(set: &Capabilities) -> CapSet {
        set.iter()
            .filter_map(|one| number(&one.to_string()))
            .fold(CapSet::EMPTY, CapSet::with)
    }
}

impl fmt::Debug for CapSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

/// The number of a capability; upper or lower case, `CAP_` in front or not.
pub fn number(name: &str) -> Option<u8> {
    let upper = name.trim().to_ascii_uppercase();
    let bare = upper.strip_prefix("CAP_").unwrap_or(&upper);
    let position = NAMES
        .iter()
        .position(|known| &known["CAP_".len()..] == bare)?;
    u8::try_from(position).ok()
}

/// The name (`CAP_CHOWN`) of a number.
pub fn name(number: u8) -> Option<&'static str> {
    NAMES.get(usize::from(number)).copied()
}

/// What this process can hand on: its permitted set (proc_pid_status(5), CapPrm). All where it cannot be read.
pub fn available() -> CapSet {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = status
        .lines()
        .find_map(|line| line.strip_prefix("CapPrm:"))
        .and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok());
    field.map_or(CapSet::ALL, CapSet::from_bits)
}

/// Those of `names` that are not in `available`, `ALL` aside, which means no more than there are.
///
/// # Errors
/// The first name that is no capability.
pub fn missing(names: &[String], available: CapSet) -> Result<CapSet, CapError> {
    Ok(parse(names)?.0.difference(available))
}

/// The set a container gets from `--cap-add`, `--cap-drop` and `--privileged`.
///
/// Docker's rules: privileged is everything; `ALL` added is everything but what is dropped by
/// name; `ALL` dropped is only what is added; otherwise the default set, less the dropped, and
/// with the added (so adding wins over dropping the same one).
///
/// # Errors
/// The first name that is no capability, also when privileged.
pub fn resolve(add: &[String], drop: &[String], privileged: bool) -> Result<CapSet, CapError> {
    let (add, add_all) = parse(add)?;
    let (drop, drop_all) = parse(drop)?;
    Ok(if privileged {
        CapSet::ALL
    } else if add_all {
        CapSet::ALL.difference(drop)
    } else if drop_all {
        add
    } else {
        CapSet::DOCKER.difference(drop).union(add)
    })
}

/// The named set, and whether `ALL` was among the names.
fn parse(names: &[String]) -> Result<(CapSet, bool), CapError> {
    let mut set = CapSet::EMPTY;
    let mut all = false;
    for name in names {
        if name.trim().eq_ignore_ascii_case(ALL) {
            all = true;
        } else {
            let number = number(name).ok_or_else(|| CapError { name: name.clone() })?;
            set = set.with(number);
        }
    }
    Ok((set, all))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(add: &[&str], drop: &[&str]) -> CapSet {
        let own = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        resolve(&own(add), &own(drop), false).unwrap()
    }

    #[test]
    fn default_is_dockers_fourteen() {
        let mut names: Vec<_> = set(&[], &[]).names().collect();
        names.sort_unstable();
        let docker = "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE \
                      NET_RAW SETFCAP SETGID SETPCAP SETUID SYS_CHROOT";
        let docker: Vec<_> = docker
            .split(' ')
            .map(|name| format!("CAP_{name}"))
            .collect();
        assert_eq!(names, docker);
    }

    #[test]
    fn add_and_drop_merge_as_dockers() {
        assert!(set(&["net_admin"], &[]).contains(12));
        assert!(set(&["CAP_Sys_Admin"], &[]).contains(21));
        assert_eq!(set(&[], &["ALL"]), CapSet::EMPTY);
        assert_eq!(
            set(&["kill"], &["all"]).names().collect::<Vec<_>>(),
            ["CAP_KILL"]
        );
        assert_eq!(set(&["ALL"], &["ALL"]), CapSet::ALL);
        assert_eq!(
            set(&["ALL"], &["CHOWN"]),
            CapSet::ALL.difference(CapSet::from_bits(1))
        );
        assert!(set(&["CHOWN"], &["CHOWN"]).contains(0));
        assert!(!set(&[], &["CAP_CHOWN"]).contains(0));
        assert_eq!(resolve(&[], &["CHOWN".into()], true), Ok(CapSet::ALL));
    }

    #[test]
    fn unknown_names_are_errors() {
        for bad in ["CAP_ALL", "CAP_CAP_KILL", "", "CAP_", "NET ADMIN", "root"] {
            let error = resolve(&[bad.to_owned()], &[], true).unwrap_err();
            assert_eq!(error.to_string(), format!("unknown capability: {bad:?}"));
            assert!(resolve(&[], &[bad.to_owned()], false).is_err());
        }
    }

    #[test]
    fn numbers_and_names_are_inverse_and_oci_agrees() {
        for number_of in 0..41 {
            assert_eq!(number(name(number_of).unwrap()), Some(number_of));
        }
        assert_eq!(name(41), None);
        assert_eq!(CapSet::ALL.len(), 41);
        assert_eq!(CapSet::ALL.to_oci().len(), 41);
        assert_eq!(CapSet::from_oci(&CapSet::DOCKER.to_oci()), CapSet::DOCKER);
        assert_eq!(CapSet::from_bits(u64::MAX), CapSet::ALL);
    }
}
