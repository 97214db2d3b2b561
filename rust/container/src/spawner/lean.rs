//! The lean mount namespace: an empty tmpfs as root. No proc and no sysfs in it, or a user namespace made inside a
//! container could mount a fresh one without our masks.

use crate::error::ContainerError;
use crate::features::Features;
use crate::plan::{DEV_DIRECTORIES, DEV_LINKS, Device, STANDARD_DEVICES};
use crate::slots::MAX_LAYERS;
use fastbox_sys::mount::{self, attr};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::mount::{MntFlags, MsFlags, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{FchmodatFlags, Mode, SFlag, fchmodat, makedev, mkdirat, mknodat};
use nix::unistd::{Gid, Uid, fchdir, fchownat, pivot_root, symlinkat};
use std::os::fd::OwnedFd;
use std::path::Path;

/// Moves this thread, and those it starts, there; [`leave_old`] is to follow.
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
    nix::unistd::chdir("/").map_err(failed("enter the new root"))?;
    if !features.detached_layers {
        mount::attach(dev, Path::new("/d")).map_err(failed("attach /dev"))?;
        mount::attach(uppers, Path::new("/u")).map_err(failed("attach the uppers"))?;
    }
    Ok(())
}

/// Takes the old root away. By another thread of the same namespace, beside what else is to be made: it waits for a
/// grace period of RCU (namespace_unlock in the kernel).
pub(super) fn leave_old() -> Result<(), ContainerError> {
    let failed = ContainerError::spawner;
    umount2("/old", MntFlags::MNT_DETACH).map_err(failed("detach the old root"))?;
    nix::unistd::unlinkat(AT_FDCWD, "/old", nix::unistd::UnlinkatFlags::RemoveDir)
        .map_err(failed("remove a directory"))
}

/// The /dev that every container gets a copy of: Docker's nodes and links, read-only, empty mount points. For one with
/// `more` devices, which belong to its ids, counted from `base`, or with a terminal, which has its place at `console`,
/// it is its own.
pub(super) fn dev(more: &[Device], base: u32, console: bool) -> Result<OwnedFd, ContainerError> {
    let failed = ContainerError::spawner;
    let dev = mount::filesystem("tmpfs", &[("mode", "0755"), ("size", "64k")], 0)
        .map_err(failed("make /dev"))?;
    for (name, major, minor) in STANDARD_DEVICES {
        let number = makedev(major, minor);
        node(&dev, Path::new(name), SFlag::S_IFCHR, number, 0o666)
            .map_err(failed("make a device node"))?;
    }
    for device in more.iter().filter(|device| device.path.is_relative()) {
        add(&dev, device, base).map_err(|errno| ContainerError::Step {
            step: "make device",
            target: Path::new("/dev").join(&device.path).display().to_string(),
            errno,
        })?;
    }
    for name in DEV_DIRECTORIES {
        mkdirat(&dev, name, Mode::from_bits_truncate(0o755))
            .map_err(failed("make a directory in /dev"))?;
    }
    for (name, target) in DEV_LINKS {
        symlinkat(target, &dev, name).map_err(failed("make a link in /dev"))?;
    }
    if console {
        match mknodat(&dev, "console", SFlag::S_IFREG, Mode::empty(), 0) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(failed("make a file in /dev")(errno)),
        }
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

/// The nodes of devices that lie elsewhere than in /dev, under numbers.
pub(super) fn elsewhere(devices: &[&Device], base: u32) -> Result<OwnedFd, ContainerError> {
    let nodes = mount::filesystem("tmpfs", &[("mode", "0755"), ("size", "64k")], 0)
        .map_err(ContainerError::spawner("make a tmpfs of devices"))?;
    for (number, device) in devices.iter().enumerate() {
        let numbered = Device {
            path: number.to_string().into(),
            ..(*device).clone()
        };
        add(&nodes, &numbered, base).map_err(|errno| ContainerError::Step {
            step: "make device",
            target: device.path.display().to_string(),
            errno,
        })?;
    }
    Ok(nodes)
}

/// A device node of these permissions: the umask is the caller's process's, and not ours to change.
fn node(dev: &OwnedFd, path: &Path, kind: SFlag, number: u64, mode: u32) -> Result<(), Errno> {
    let mode = Mode::from_bits_truncate(mode);
    mknodat(dev, path, kind, mode, number)?;
    fchmodat(dev, path, mode, FchmodatFlags::FollowSymlink)
}

/// One more, with the directories it lies in.
fn add(dev: &OwnedFd, device: &Device, base: u32) -> Result<(), Errno> {
    let directories: Vec<&Path> = device.path.ancestors().skip(1).collect();
    for directory in directories
        .into_iter()
        .rev()
        .filter(|path| *path != Path::new(""))
    {
        match mkdirat(dev, directory, Mode::from_bits_truncate(0o755)) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno),
        }
    }
    let kind = match device.block {
        true => SFlag::S_IFBLK,
        false => SFlag::S_IFCHR,
    };
    let number = makedev(device.major, device.minor);
    node(dev, &device.path, kind, number, device.mode)?;
    let (uid, gid) = (
        base.saturating_add(device.uid),
        base.saturating_add(device.gid),
    );
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    let flags = AtFlags::AT_SYMLINK_NOFOLLOW;
    fchownat(dev, &device.path, Some(uid), Some(gid), flags)
}
