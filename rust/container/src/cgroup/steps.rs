//! The single steps that the owner's groups are made of.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::write;

use super::devices::DeviceList;
use super::error::CgroupError;
use super::owner::Branch;
use super::{device_program, tree};

/// Groups are readable by all, as the kernel's own are.
pub(super) const MODE: Mode = Mode::from_bits_truncate(0o755);

/// How long to wait until the kernel lets go of a group whose last process has ended.
const REMOVE_FOR: Duration = Duration::from_secs(2);

pub(super) fn system(operation: &'static str, path: PathBuf, errno: Errno) -> CgroupError {
    CgroupError::System {
        operation,
        path,
        errno,
    }
}

pub(super) fn refused(path: PathBuf, value: &str, errno: Errno) -> CgroupError {
    CgroupError::Write {
        path,
        value: value.to_owned(),
        errno,
    }
}

pub(super) fn check_name(name: &str) -> Result<(), CgroupError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty() || name.len() > 128 || name.starts_with('.') || !name.bytes().all(plain) {
        return Err(CgroupError::Name {
            name: name.to_owned(),
        });
    }
    Ok(())
}

/// `<container>[/<file>]` in the buffer `path`, which is used again from step to step.
pub(super) fn at<'b>(path: &'b mut Vec<u8>, container: &str, file: &str) -> &'b [u8] {
    path.clear();
    path.extend_from_slice(container.as_bytes());
    if !file.is_empty() {
        path.push(b'/');
        path.extend_from_slice(file.as_bytes());
    }
    path
}

pub(super) fn open_dir(dir: BorrowedFd<'_>, path: &[u8]) -> nix::Result<OwnedFd> {
    tree::open(dir, path, OFlag::O_PATH | OFlag::O_DIRECTORY)
}

/// Makes a directory that others may make at the same time.
pub(super) fn make_dir(branch: &Branch, path: &str) -> Result<(), CgroupError> {
    match mkdirat(branch.base.as_fd(), path, MODE) {
        Ok(()) | Err(Errno::EEXIST) => Ok(()),
        Err(errno) => Err(system("make", branch.base_path.join(path), errno)),
    }
}

/// A new v1 cpuset is empty and takes no process: `dir` gets all that the group above it has.
pub(super) fn fill_cpuset(
    base: BorrowedFd<'_>,
    base_path: &Path,
    dir: &str,
) -> Result<(), CgroupError> {
    let above = dir.rsplit_once('/').map_or("", |(above, _)| above);
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let own = format!("{dir}/{file}");
        if read_line(base, base_path, &own)?.is_empty() {
            let from = format!("{above}/{file}");
            let value = read_line(base, base_path, from.trim_start_matches('/'))?;
            tree::put(base, own.as_bytes(), &value)
                .map_err(|errno| refused(base_path.join(&own), &value, errno))?;
        }
    }
    Ok(())
}

/// From now on the kernel fills the cpusets below `dir` as they are made.
pub(super) fn inherit_cpuset(branch: &Branch, dir: &str) -> Result<(), CgroupError> {
    let file = format!("{dir}/cgroup.clone_children");
    tree::put(branch.base.as_fd(), file.as_bytes(), "1")
        .map_err(|errno| refused(branch.base_path.join(&file), "1", errno))
}

fn read_line(base: BorrowedFd<'_>, base_path: &Path, file: &str) -> Result<String, CgroupError> {
    let mut buffer = [0; 4096];
    let got = tree::open(base, file.as_bytes(), OFlag::O_RDONLY)
        .and_then(|opened| nix::unistd::read(opened.as_fd(), &mut buffer))
        .map_err(|errno| system("read", base_path.join(file), errno))?;
    Ok(String::from_utf8_lossy(&buffer[..got]).trim().to_owned())
}

/// v2: puts the device list on the group `dir`.
pub(super) fn attach_devices(
    branch: &Branch,
    dir: &str,
    list: &DeviceList,
) -> Result<(), CgroupError> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
    tree::open(branch.base.as_fd(), dir.as_bytes(), flags)
        .and_then(|group| device_program::attach(group.as_fd(), list))
        .map_err(|errno| {
            system(
                "attach the device program to",
                branch.base_path.join(dir),
                errno,
            )
        })
}

/// v1: writes a device list into the new group `dir`, whose parent allows everything.
pub(super) fn write_devices(
    branch: &Branch,
    dir: &str,
    list: &DeviceList,
) -> Result<(), CgroupError> {
    let DeviceList::Own {
        allow_rest,
        exceptions,
    } = list
    else {
        return Ok(());
    };
    let base = branch.base.as_fd();
    let deny = format!("{dir}/devices.deny");
    if !allow_rest {
        tree::put(base, deny.as_bytes(), "a")
            .map_err(|errno| refused(branch.base_path.join(&deny), "a", errno))?;
    }
    let file = if *allow_rest {
        deny
    } else {
        format!("{dir}/devices.allow")
    };
    let opened = tree::open(base, file.as_bytes(), OFlag::O_WRONLY)
        .map_err(|errno| system("open", branch.base_path.join(&file), errno))?;
    for rule in exceptions {
        let text = rule.text();
        write(opened.as_fd(), text.as_bytes())
            .map_err(|errno| refused(branch.base_path.join(&file), &text, errno))?;
    }
    Ok(())
}

/// Removes a group the kernel called busy: because it has groups below it, or because its last process is just
/// ending.
pub(super) fn remove_busy(
    dir: BorrowedFd<'_>,
    group: &[u8],
    whole: PathBuf,
) -> Result<(), CgroupError> {
    let until = Instant::now() + REMOVE_FOR;
    let mut pause = Duration::from_micros(100);
    loop {
        let mut removed = 0;
        match tree::remove(dir, group, &mut removed) {
            Ok(()) => return Ok(()),
            Err((_, Errno::EBUSY)) if Instant::now() < until => {
                sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(10));
            }
            Err((_, Errno::EBUSY)) => {
                let mut processes = std::collections::BTreeSet::new();
                tree::processes(dir, group, &mut processes);
                return Err(CgroupError::Busy {
                    path: whole,
                    processes: processes.len(),
                });
            }
            Err((_, errno)) => return Err(system("remove", whole, errno)),
        }
    }
}
