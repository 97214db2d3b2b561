//! The lean mount namespace: an empty tmpfs as root. No proc and no sysfs in it, or a user namespace made inside a
//! container could mount a fresh one without our masks.

use crate::error::ContainerError;
use crate::features::Features;
use crate::plan::{DEV_DIRECTORIES, DEV_LINKS};
use crate::slots::MAX_LAYERS;
use fastbox_sys::mount::{self, attr};
use nix::mount::{MntFlags, MsFlags, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{Mode, SFlag, makedev, mkdirat, mknodat};
use nix::unistd::{fchdir, pivot_root, symlinkat};
use std::os::fd::OwnedFd;
use std::path::Path;

/// Moves this thread, and those it starts, there.
///
/// A kernel that takes detached layers can copy detached mounts too; for others `dev` and `uppers` are attached, and
/// there are directories to attach layers on.
pub(super) fn enter(
    features: Features,
    dev: &OwnedFd,
    uppers: &OwnedFd,
) -> Result<(), ContainerError> {
    let failed = ContainerError::spawner;
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_FS)
        .map_err(failed("unshare the mount namespace"))?;
    let none: Option<&str> = None;
    nix::mount::mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .map_err(failed("make mounts private"))?;
    let root = mount::filesystem("tmpfs", &[("mode", "0755"), ("size", "64k")], 0)
        .map_err(failed("make a tmpfs"))?;
    // Over any directory there is: it is gone a moment later.
    mount::attach(&root, Path::new("/proc")).map_err(failed("attach a tmpfs"))?;
    fchdir(&root).map_err(failed("enter a tmpfs"))?;
    let mut names = vec!["r".to_owned(), "old".to_owned()];
    if !features.detached_layers {
        names.extend(["d", "e", "u"].map(str::to_owned));
        names.extend((0..MAX_LAYERS).map(|n| n.to_string()));
    }
    for name in &names {
        mkdirat(&root, name.as_str(), Mode::from_bits_truncate(0o755))
            .map_err(failed("make a directory"))?;
    }
    pivot_root(".", "old").map_err(failed("pivot_root"))?;
    umount2("old", MntFlags::MNT_DETACH).map_err(failed("detach the old root"))?;
    nix::unistd::chdir("/").map_err(failed("enter the new root"))?;
    nix::unistd::unlinkat(&root, "old", nix::unistd::UnlinkatFlags::RemoveDir)
        .map_err(failed("remove a directory"))?;
    if !features.detached_layers {
        mount::attach(dev, Path::new("/d")).map_err(failed("attach /dev"))?;
        mount::attach(uppers, Path::new("/u")).map_err(failed("attach the uppers"))?;
    }
    Ok(())
}

/// The /dev that every container gets a copy of: Docker's nodes and links, read-only, empty mount points.
pub(super) fn dev() -> Result<OwnedFd, ContainerError> {
    let failed = ContainerError::spawner;
    let dev = mount::filesystem("tmpfs", &[("mode", "0755"), ("size", "64k")], 0)
        .map_err(failed("make /dev"))?;
    let all = Mode::from_bits_truncate(0o666);
    for (name, major, minor) in [
        ("null", 1, 3),
        ("zero", 1, 5),
        ("full", 1, 7),
        ("random", 1, 8),
        ("urandom", 1, 9),
        ("tty", 5, 0),
    ] {
        mknodat(&dev, name, SFlag::S_IFCHR, all, makedev(major, minor))
            .map_err(failed("make a device node"))?;
        // The umask is the caller's process's: not ours to change.
        nix::sys::stat::fchmodat(
            &dev,
            name,
            all,
            nix::sys::stat::FchmodatFlags::FollowSymlink,
        )
        .map_err(failed("open a device node to all"))?;
    }
    for name in DEV_DIRECTORIES {
        mkdirat(&dev, name, Mode::from_bits_truncate(0o755))
            .map_err(failed("make a directory in /dev"))?;
    }
    for (name, target) in DEV_LINKS {
        symlinkat(target, &dev, name).map_err(failed("make a link in /dev"))?;
    }
    mount::set_attributes(
        &dev,
        attr::RDONLY | attr::NOSUID | attr::NOEXEC,
        None,
        false,
    )
    .map_err(failed("make /dev read-only"))?;
    Ok(dev)
}
