//! Namespaces made ahead of the child: the user namespace of a range, and the network namespace it owns.

use super::Inside;
use crate::error::ContainerError;
use crate::plan::network::open_to_all;
use crate::slots;
use fastbox_sys::builder::{Arg, Builder, Program};
use fastbox_sys::clone::flags;
use fastbox_sys::launch::{Launch, Stack};
use fastbox_sys::program::OnError;
use fastbox_sys::steps::attr;
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
    try_mount: Program,
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
        open_to_all(&mut network, slots::PROC, RANGE - 1);
        // In the table the child shares with its parent, which takes the fd from there.
        network
            .open(Some(slots::PROC), "self/ns/net", 0, slots::NETNS)
            .exit(0);
        let mut try_mount = Builder::new();
        try_mount
            .setns(slots::USERNS, flags::NEWUSER)
            .unshare(flags::NEWNS)
            .mount(
                "",
                "/",
                "",
                attr::MS_REC | attr::MS_PRIVATE,
                Arg::Value(0),
                OnError::Fail,
            )
            .exit(0);
        Programs {
            hold: hold.finish(),
            network: network.finish(),
            try_mount: try_mount.finish(),
        }
    }
}

/// A user namespace whose 0 is `base` outside.
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
    hold(inside, stack, |pid| {
        let map = format!("0 {base} {RANGE}\n");
        for file in ["gid_map", "uid_map"] {
            write(inside, &format!("{pid}/{file}"), &map)?;
        }
        Ok(())
    })
    .map_err(failed)
}

/// Writes a file of proc.
pub(super) fn write(inside: &Inside, path: &str, text: &str) -> Result<(), Errno> {
    let flags = OFlag::O_WRONLY | OFlag::O_CLOEXEC;
    let file = openat(&inside.proc, path, flags, Mode::empty())?;
    nix::unistd::write(&file, text.as_bytes()).map(drop)
}

/// A new user namespace, once `maps` has written those of the process with the pid it is given. That process waits
/// in the stub until then: a waiting child must not share this process's memory.
pub(super) fn hold(
    inside: &Inside,
    stack: &mut Stack,
    maps: impl FnOnce(i32) -> Result<(), Errno>,
) -> Result<OwnedFd, Errno> {
    let mut launch = Launch::new();
    launch.fd(slots::ROOT, inside.stub.as_fd());
    launch.fd(slots::STDIO[0], inside.alive.0.as_fd());
    launch.array(
        slots::ARGV,
        vec![CString::from(c"fastbox-stub"), CString::from(c"hold")],
    );
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
        .map_err(|failure| Errno::from_raw(failure.errno))?;
    let made = maps(holder.pid).and_then(|()| {
        let path = format!("{}/ns/user", holder.pid);
        openat(
            &inside.proc,
            path.as_str(),
            OFlag::O_RDONLY | OFlag::O_CLOEXEC,
            Mode::empty(),
        )
    });
    holder.end();
    made
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
    launch.fd(slots::PROC, inside.proc.as_fd());
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

/// Whether mounts can be made in a user namespace: some machines let everyone make one that can do nothing.
pub(super) fn can_mount(inside: &Inside, stack: &mut Stack, userns: &OwnedFd) -> Result<(), Errno> {
    let mut launch = Launch::new();
    launch.fd(slots::USERNS, userns.as_fd());
    let pid = AtomicI32::new(0);
    let program = &inside.programs.try_mount;
    match launch.spawn(program, stack, 0, None, &pid, false) {
        Ok(child) => {
            child.end();
            Ok(())
        }
        Err(failure) => Err(Errno::from_raw(failure.errno)),
    }
}
