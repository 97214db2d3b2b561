//! Whether a directory can be the upper of an overlay: one on an overlay itself (a store inside a container), on NFS
//! or FAT cannot (Documentation/filesystems/overlayfs.rst, "Upper and lower").

use fastbox_sys::mount;
use nix::errno::Errno;
use nix::sys::statfs::{EXT4_SUPER_MAGIC, TMPFS_MAGIC, fstatfs};
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::Path;

/// Why not; asked by making an overlay where the file system is not known to be fit.
pub(super) fn refused(directory: &Path) -> Option<Errno> {
    let errno = |error: std::io::Error| Errno::from_raw(error.raw_os_error().unwrap_or(0));
    let place = match File::open(directory) {
        Ok(place) => place,
        Err(error) => return Some(errno(error)),
    };
    let fit = |kind| kind == EXT4_SUPER_MAGIC || kind == TMPFS_MAGIC;
    if fstatfs(&place).is_ok_and(|fs| fit(fs.filesystem_type())) {
        return None;
    }
    let scratch = directory.join("upper-probe");
    let made = ["lower", "upper", "work"]
        .iter()
        .try_for_each(|name| fs::create_dir_all(scratch.join(name)));
    let refused = made.map_err(errno).and_then(|()| probe(&scratch));
    let _ = fs::remove_dir_all(&scratch);
    refused.err()
}

fn probe(scratch: &Path) -> Result<(), Errno> {
    let place =
        File::open(scratch).map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(0)))?;
    // A value of fsconfig(2) ends at 256 bytes, and a comma in it at itself.
    let at = |name: &str| format!("/proc/self/fd/{}/{name}", place.as_raw_fd());
    let (lower, upper, work) = (at("lower"), at("upper"), at("work"));
    let options = [
        ("lowerdir", lower.as_str()),
        ("upperdir", &upper),
        ("workdir", &work),
    ];
    let overlay = mount::filesystem("overlay", &options, 0)?;
    // Some that cannot be written through are mounted read-only.
    nix::sys::stat::mkdirat(&overlay, "written", nix::sys::stat::Mode::S_IRWXU)
}

/// Half of the machine's memory in bytes: what a tmpfs may hold by default (tmpfs(5)).
pub(super) fn half_of_memory() -> u64 {
    nix::sys::sysinfo::sysinfo().map_or(1 << 30, |info| info.ram_total() / 2)
}
