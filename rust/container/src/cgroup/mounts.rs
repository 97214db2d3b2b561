//! Where the cgroup file systems are: the two files of /proc, parsed. See proc_pid_mountinfo(5) and cgroups(7).

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// One mount of a cgroup file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// Which directory of the hierarchy is mounted there; `/` unless it is a bind or another cgroup namespace's.
    pub(super) root: PathBuf,
    pub(super) point: PathBuf,
    pub(super) v2: bool,
    /// The super block's options: on v1 the controllers' names are among them.
    pub(super) options: Vec<String>,
}

/// One line of `/proc/self/cgroup`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Membership {
    /// Controllers of a v1 hierarchy; empty for v2.
    pub(super) names: Vec<String>,
    pub(super) path: PathBuf,
}

pub(super) fn mounts(mountinfo: &str) -> Vec<Mount> {
    mountinfo.lines().filter_map(mount).collect()
}

fn mount(line: &str) -> Option<Mount> {
    let (head, tail) = line.split_once(" - ")?;
    let mut tail = tail.split(' ');
    let v2 = match tail.next()? {
        "cgroup" => false,
        "cgroup2" => true,
        _ => return None,
    };
    let mut head = head.split(' ').skip(3);
    Some(Mount {
        root: unescape(head.next()?),
        point: unescape(head.next()?),
        v2,
        options: tail.nth(1)?.split(',').map(str::to_owned).collect(),
    })
}

/// Blank, tab, newline and backslash stand as `\ooo` in mountinfo.
fn unescape(field: &str) -> PathBuf {
    let bytes = field.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let octal = bytes
            .get(at + 1..at + 4)
            .filter(|_| bytes[at] == b'\\')
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        out.push(octal.unwrap_or(bytes[at]));
        at += if octal.is_some() { 4 } else { 1 };
    }
    PathBuf::from(OsString::from_vec(out))
}

pub(super) fn memberships(cgroup: &str) -> Vec<Membership> {
    cgroup
        .lines()
        .filter_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            let names = fields.next()?;
            Some(Membership {
                names: names
                    .split(',')
                    .filter(|name| !name.is_empty())
                    .map(str::to_owned)
                    .collect(),
                path: PathBuf::from(fields.next()?),
            })
        })
        .collect()
}

/// Where the group `path` of a hierarchy is seen through `mount`; None when it lies outside what is mounted.
pub(super) fn through(mount: &Mount, path: &Path) -> Option<PathBuf> {
    let below = path.strip_prefix(&mount.root).ok()?;
    // A path as `/../..` is one that lies outside the cgroup namespace.
    if below
        .components()
        .any(|part| !matches!(part, std::path::Component::Normal(_)))
    {
        return None;
    }
    Some(mount.point.join(below))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hybrid_with_controllers_mounted_together() {
        let found = mounts(
            "25 30 0:23 / /sys rw,nosuid shared:7 - sysfs sysfs rw\n\
             33 32 0:29 / /sys/fs/cgroup/unified rw,nosuid shared:10 - cgroup2 cgroup2 rw,nsdelegate\n\
             36 32 0:32 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:15 master:2 - cgroup cgroup rw,cpu,cpuacct\n",
        );
        assert_eq!(found.len(), 2);
        assert!(found[0].v2);
        assert_eq!(found[1].point, Path::new("/sys/fs/cgroup/cpu,cpuacct"));
        assert!(found[1].options.contains(&"cpu".to_owned()));
        assert!(found[1].options.contains(&"cpuacct".to_owned()));
    }

    #[test]
    fn blanks_in_a_mount_point() {
        let found = mounts("40 1 0:31 /docker/ab /mnt/my\\040cgroups\\134x ro - cgroup2 none ro\n");
        assert_eq!(found[0].point, Path::new("/mnt/my cgroups\\x"));
        assert_eq!(found[0].root, Path::new("/docker/ab"));
    }

    #[test]
    fn own_groups() {
        let own = memberships("8:pids:/\n2:cpu,cpuacct:/a:b\n1:name=systemd:/\n0::/x/y\n");
        assert_eq!(own[1].names, ["cpu", "cpuacct"]);
        assert_eq!(own[1].path, Path::new("/a:b"));
        assert!(own[3].names.is_empty());
        assert_eq!(own[3].path, Path::new("/x/y"));
    }

    #[test]
    fn a_group_outside_the_mount_is_not_seen() {
        let mount = &mounts("40 1 0:31 /docker/ab /cg rw - cgroup2 none rw\n")[0];
        assert_eq!(
            through(mount, Path::new("/docker/ab/c")),
            Some(PathBuf::from("/cg/c"))
        );
        assert_eq!(through(mount, Path::new("/docker")), None);
        assert_eq!(through(mount, Path::new("/docker/ab/../x")), None);
    }
}
