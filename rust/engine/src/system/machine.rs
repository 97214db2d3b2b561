//! Facts that files of the system tell.

use std::fs;
use std::path::{Path, PathBuf};

use fastbox_container::cgroup::{Controller, Driver, Kind};

/// The controllers that options of containers use.
pub const OF_USE: [Controller; 7] = [
    Controller::Devices,
    Controller::Memory,
    Controller::Cpuacct,
    Controller::Pids,
    Controller::Cpu,
    Controller::Cpuset,
    Controller::Io,
];

/// The first line of a file without its end, empty where it cannot be read.
pub fn line(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().next().unwrap_or_default().trim().to_owned()
}

/// The kernel's release, as `6.18.0-generic`.
pub fn kernel() -> String {
    line("/proc/sys/kernel/osrelease")
}

/// Version and patch level of a kernel's release.
pub fn version(release: &str) -> (u32, u32) {
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map(|n| n.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// The distribution's name, os-release(5).
pub fn operating_system() -> String {
    let text = ["/etc/os-release", "/usr/lib/os-release"]
        .iter()
        .find_map(|path| fs::read_to_string(path).ok())
        .unwrap_or_default();
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.map_or("Linux".to_owned(), |name| {
        name.trim_matches(['"', '\'']).to_owned()
    })
}

/// All memory, in bytes.
pub fn memory() -> u64 {
    nix::sys::sysinfo::sysinfo().map_or(0, |info| info.ram_total())
}

/// All swap, in bytes.
pub fn swap() -> u64 {
    nix::sys::sysinfo::sysinfo().map_or(0, |info| info.swap_total())
}

/// The name of the file system that a path lies on, by proc_pid_mountinfo(5); empty where it cannot be told.
pub fn file_system(path: &Path) -> String {
    let path = nearest_there(path);
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let below = |line: &str| {
        let (head, tail) = line.split_once(" - ")?;
        let point = head.split(' ').nth(4)?.replace("\\040", " ");
        let kind = tail.split(' ').next()?;
        path.starts_with(&point)
            .then(|| (point.len(), kind.to_owned()))
    };
    // Of two at one point the later is on top.
    let found = mounts
        .lines()
        .filter_map(below)
        .max_by_key(|(length, _)| *length);
    found.map_or(String::new(), |(_, kind)| kind)
}

/// Bytes that are free where a path lies.
pub fn free(path: &Path) -> u64 {
    nix::sys::statvfs::statvfs(&nearest_there(path))
        .map_or(0, |disk| disk.blocks_available() * disk.fragment_size())
}

/// The path, or the nearest of its parents that exists, without symbolic links.
fn nearest_there(path: &Path) -> PathBuf {
    let there = path.ancestors().find_map(|path| path.canonicalize().ok());
    there.unwrap_or_else(|| PathBuf::from("/"))
}

/// Where a program is, in `PATH` and where administrators' programs are.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(more)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// The version of control groups, as `docker info` has it; both where controllers are in version 1.
pub fn cgroup_version(driver: &Driver) -> &'static str {
    match driver.kind() {
        Kind::V1 => "1",
        Kind::V2 => "2",
        Kind::Hybrid => "1, with 2 beside it",
        Kind::None => "none",
    }
}

/// The controllers that can be had.
pub fn controllers(driver: &Driver) -> Vec<&'static str> {
    let lacks = |one| {
        driver
            .missing()
            .iter()
            .any(|missing| missing.controller == one)
    };
    let all = OF_USE.into_iter();
    all.filter(|one| !lacks(*one))
        .map(|one| one.v1_name())
        .collect()
}

/// Whether AppArmor is on.
pub fn apparmor() -> bool {
    line("/sys/module/apparmor/parameters/enabled") == "Y"
}

/// Whether processes can have seccomp filters (seccomp(2), /proc interfaces).
pub fn seccomp() -> bool {
    !line("/proc/sys/kernel/seccomp/actions_avail").is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine() {
        assert!(version(&kernel()) >= (5, 15));
        assert_eq!(version("6.1.0-13-amd64"), (6, 1));
        assert_eq!(file_system(Path::new("/proc/self/none")), "proc");
        assert!(memory() > 1 << 20 && free(Path::new("/no/such")) > 0);
        assert!(program("sh").is_some() && program("no-such-program").is_none());
    }
}
