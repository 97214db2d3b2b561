//! `--sysctl`.

use super::ValueError;
use super::field::{Item, Kind, Refusal};

/// Parameters that each ipc namespace has (ipc_namespaces(7)).
const OF_IPC: &[&str] = &[
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
];

/// The namespace that a parameter belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SysctlOf {
    /// The ipc namespace: System V and POSIX message queues, semaphores, shared memory.
    Ipc,
    /// The network namespace: everything below `net`.
    Network,
}

/// One kernel parameter of the container's own namespaces (sysctl(8)).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sysctl {
    /// Its name with dots, as `net.core.somaxconn`.
    pub name: String,
    /// What is written there.
    pub value: String,
    /// Whose it is.
    pub of: SysctlOf,
}

impl Item for Sysctl {
    const KIND: Kind = Kind::Values;

    fn from_text(text: &str) -> Result<Sysctl, ValueError> {
        let (name, value) = text.split_once('=').ok_or(ValueError::SysctlSyntax)?;
        let refused = || ValueError::SysctlNotNamespaced(name.to_owned());
        // A slash is a dot here, so that no name can lead out of its directory.
        let name = name.replace('/', ".");
        let part = |part: &str| {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-:@".contains(&b);
            !part.is_empty() && part.bytes().all(plain)
        };
        let of = if OF_IPC.contains(&name.as_str()) || name.starts_with("fs.mqueue.") {
            SysctlOf::Ipc
        } else if name.starts_with("net.") {
            SysctlOf::Network
        } else {
            return Err(refused());
        };
        if !name.split('.').all(part) {
            return Err(refused());
        }
        Ok(Sysctl {
            value: value.to_owned(),
            name,
            of,
        })
    }

    fn from_pair(name: &str, value: Option<&str>) -> Result<Sysctl, Refusal> {
        let value = value.ok_or(ValueError::SysctlSyntax)?;
        Ok(Sysctl::from_text(&format!("{name}={value}"))?)
    }
}
