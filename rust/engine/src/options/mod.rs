//! The options of a container, declared once.
//!
//! The module `table` holds the only list of them: the typed [`Options`], the command-line parser
//! ([`parse_run`]), Python's keywords, the help and the documentation ([`table_json`]) all come
//! from it. Words and meanings are Docker's (`docker run`) unless a row says otherwise.

mod check;
mod decimal;
mod devices;
mod error;
mod field;
mod files;
mod json;
mod labels;
mod limits;
mod limits_together;
mod mount_flag;
mod mounts;
mod namespaces;
mod parse;
mod ports;
mod refused;
mod resolving;
mod scalars;
mod security;
mod size;
mod stop;
mod sysctl;
mod table;
mod terminal;
mod time;
mod ulimit;
mod value;

#[cfg(test)]
mod tests;

pub use check::{Checked, UNTRUSTED, UntrustedLimits};
pub use devices::{DeviceFile, DeviceRule};
pub use error::{OptionError, ValueError};
pub use field::{Field, Kind, OnByDefault};
pub use json::{refused_json, table_json};
pub use labels::{Annotation, Label};
pub use limits::{
    Microseconds, NodeList, OfDevice, OomScore, Operations, SwapSize, Swappiness, Weight,
};
pub use mount_flag::{ImageMount, MountFlag};
pub use mounts::{Below, Bind, Propagation, Tmpfs};
pub use namespaces::{IpcMode, PidMode, UtsMode};
pub use parse::{RunCommand, check_default, parse_run, parse_run_with};
pub use ports::Expose;
pub use refused::{REFUSED, Refused};
pub use resolving::{ExtraHost, NameServer, ResolverOption, SearchDomain};
pub use scalars::{
    CgroupNamespace, CgroupParent, Entrypoint, EnvVar, FilePath, HealthCommand, Hostname, Name,
    NanoCpus, Network, PlatformName, Preset, UserNamespace, UserSpec, Workdir,
};
pub use security::{SeccompChoice, SecurityOpt, StorageOpt};
pub use size::Size;
pub use stop::StopSignal;
pub use sysctl::{Sysctl, SysctlOf};
pub use table::{Options, Row, Scope, Side, TABLE, row};
pub use terminal::{Attach, DetachKeys};
pub use ulimit::Ulimit;
pub use value::Value;

/// An absolute path without `.`, `..`, doubled or final slashes, as Docker cleans paths: lexically.
pub(crate) fn clean_path(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}
