//! Namespaces made ahead of the child: the user namespace of a range, and the network namespace it owns.

use super::Inside;
use crate::error::ContainerError;
use crate::slots;
use fastbox_sys::builder::{Builder, Program};
use fastbox_sys::clone::flags;
use fastbox_sys::launch::{Launch, Stack};
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::AtomicI32;

/// How many ids a range has.
pub(super) const RANGE: u32 = 65_536;

/// The small programs that make them.
pub(super) struct Programs {
    hold: Program,
    network: Program,
}

impl Programs {
    pub(super) fn new() -> Programs {
        let mut hold = Builder::new();
        hold.label("user namespace", "hold")
            .die_with_parent()
            .dup(slots::STDIO[0], 0)
            .execveat(slots::ROOT, slots::ARGV, slots::ENVP);
        let mut network = Builder::new();
        network
            .label("network namespace", "")
            .setns(slots::USERNS, flags::NEWUSER)
            .unshare(flags::NEWNET)
            .loopback_up();
        // In the table the child shares with its parent, which takes the fd from there.
        network
            .open(Some(slots::DEV), "self/ns/net", 0, slots::NETNS)
            .exit(0);
        Programs {
            hold: hold.finish(),
            network: network.finish(),
        }
    }
}

/// A user namespace whose 0 is `base` outside. The process that holds it until the maps are written waits in the
/// stub: a waiting child must not share this process's memory.
pub(super) fn user(
    inside: &Inside,
    stack: &mut Stack,
    base: u32,
) -> Result<OwnedFd, ContainerError> {
    let failed = |errno| ContainerError::Step {
        step: "user namespace",
        target: base.to_string(),
        errno,
    };
    let mut launch = Launch::new();
    launch.fd(slots::ROOT, inside.stub.as_fd());
    launch.fd(slots::STDIO[0], inside.alive.0.as_fd());
    launch.array(slots::ARGV, vec![CString::from(c"fastbox-stub")]);
    launch.array(slots::ENVP, Vec::new());
    let pid = AtomicI32::new(0);
    let holder = launch
        .spawn(
            &inside.programs.hold,
            stack,
            flags::NEWUSER,
            None,
            &pid,
            false,
        )
        .map_err(|failure| failed(Errno::from_raw(failure.errno)))?;
    let made = (|| {
        let map = format!("0 {base} {RANGE}\n");
        for file in ["gid_map", "uid_map"] {
            let path = format!("{}/{file}", holder.pid);
            let fd = openat(
                &inside.proc,
                path.as_str(),
                OFlag::O_WRONLY | OFlag::O_CLOEXEC,
                Mode::empty(),
            )?;
            nix::unistd::write(&fd, map.as_bytes())?;
        }
        let path = format!("{}/ns/user", holder.pid);
        openat(
            &inside.proc,
            path.as_str(),
            OFlag::O_RDONLY | OFlag::O_CLOEXEC,
            Mode::empty(),
        )
    })();
    holder.end();
    made.map_err(failed)
}

/// A network namespace with only its loopback, up, owned by a user namespace: low ports and ping work inside.
pub(super) fn network(
    inside: &Inside,
    stack: &mut Stack,
    userns: &OwnedFd,
) -> Result<OwnedFd, ContainerError> {
    let failed = |errno| ContainerError::Step {
        step: "network namespace",
        target: String::new(),
        errno,
    };
    let mut launch = Launch::new();
    launch.fd(slots::USERNS, userns.as_fd());
    launch.fd(slots::DEV, inside.proc.as_fd());
    let pid = AtomicI32::new(0);
    let child = launch
        .spawn(
            &inside.programs.network,
            stack,
            flags::FILES,
            None,
            &pid,
            false,
        )
        .map_err(|failure| failed(Errno::from_raw(failure.errno)))?;
    child.end();
    launch
        .take_fd(slots::NETNS)
        .ok_or_else(|| failed(Errno::EBADF))
}
