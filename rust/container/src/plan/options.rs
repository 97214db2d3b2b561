//! Mount options of a document: attributes of the mount, propagation, and what is left for the file system.

use crate::error::PlanError;
use fastbox_sys::steps::attr;
use oci_spec::runtime::Mount;

/// The options of one mount, sorted out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    /// Attributes to set ([`attr`]).
    pub attributes: u64,
    /// Whether the attributes hold for what is mounted below as well.
    pub recursive_attributes: bool,
    /// Bind what is mounted below as well.
    pub recursive: bool,
    /// It is a bind.
    pub bind: bool,
    /// Propagation flag of mount(2), with MS_REC where asked for.
    pub propagation: Option<u64>,
    /// `key` or `key=value` for the file system itself.
    pub rest: Vec<(String, String)>,
}

const NOATIME: u64 = 0x10;
const STRICTATIME: u64 = 0x20;
const NODIRATIME: u64 = 0x80;

impl Options {
    pub(super) fn read(mount: &Mount) -> Result<Options, PlanError> {
        let mut o = Options::default();
        for option in mount.options().iter().flatten() {
            match option.as_str() {
                "defaults" | "rw" | "suid" | "dev" | "exec" | "relatime" | "atime" | "diratime" => {
                }
                "ro" => o.attributes |= attr::RDONLY,
                "rro" => {
                    o.attributes |= attr::RDONLY;
                    o.recursive_attributes = true;
                }
                "nosuid" => o.attributes |= attr::NOSUID,
                "nodev" => o.attributes |= attr::NODEV,
                "noexec" => o.attributes |= attr::NOEXEC,
                "noatime" => o.attributes |= NOATIME,
                "strictatime" => o.attributes |= STRICTATIME,
                "nodiratime" => o.attributes |= NODIRATIME,
                "bind" => o.bind = true,
                "rbind" => {
                    o.bind = true;
                    o.recursive = true;
                }
                "private" => o.propagation = Some(attr::MS_PRIVATE),
                "rprivate" => o.propagation = Some(attr::MS_PRIVATE | attr::MS_REC),
                "slave" => o.propagation = Some(attr::MS_SLAVE),
                "rslave" => o.propagation = Some(attr::MS_SLAVE | attr::MS_REC),
                "shared" => o.propagation = Some(attr::MS_SHARED),
                "rshared" => o.propagation = Some(attr::MS_SHARED | attr::MS_REC),
                other => {
                    let (key, value) = other.split_once('=').unwrap_or((other, ""));
                    o.rest.push((key.to_owned(), value.to_owned()));
                }
            }
        }
        Ok(o)
    }

    /// Nothing may be left for the file system.
    pub(super) fn complete(self, mount: &Mount) -> Result<Options, PlanError> {
        match self.rest.first() {
            None => Ok(self),
            Some((key, _)) => Err(PlanError::MountOption {
                destination: mount.destination().clone(),
                option: key.clone(),
                kind: mount.typ().clone().unwrap_or_default(),
            }),
        }
    }
}
