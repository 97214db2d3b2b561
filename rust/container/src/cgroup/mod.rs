//! Control groups: v1, v2 and the hybrid of both.
//!
//! [`Driver`] says what this host has, [`Limits`] is what one Plan asks for, compiled, [`OwnerGroup`] is the
//! directory `fastbox/<owner>` in each hierarchy, in which a container's groups are made, joined and removed by a
//! few system calls each. [`Reader`] reads and kills from a thread that sees the cgroup file systems by path.
//!
//! Sources: cgroups(7), the kernel's `admin-guide/cgroup-v1` and `admin-guide/cgroup-v2`, and the Linux part of the
//! OCI runtime specification (`config-linux.md`, "Control groups").

mod clean;
mod controller;
mod counters;
mod device_program;
mod devices;
mod driver;
mod error;
mod founding;
mod io;
mod limits;
mod mounts;
mod owner;
mod parent;
mod reader;
mod resources;
mod special;
mod steps;
mod tree;
mod values;

#[cfg(test)]
mod tests;

pub use clean::{Cleaned, clean_owner, clean_owner_below, owners};
pub use controller::Controller;
pub use counters::Counters;
pub use driver::{Driver, Kind, Missing};
pub use error::CgroupError;
pub use founding::Bases;
pub use limits::Limits;
pub use owner::{Join, OwnerGroup};
pub use parent::{Parent, make_parent, remove_parents};
pub use reader::{Reader, Usage};
