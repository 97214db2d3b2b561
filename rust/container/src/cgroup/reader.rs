//! What a container used, which processes it has, and how to kill them all.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::fstatat;
use nix::unistd::read;

use super::controller::{Controller, Controllers};
use super::tree;

/// How long [`Reader::kill_all`] follows processes that keep forking, on v1 without a pids controller.
const KILL_FOR: Duration = Duration::from_secs(2);

/// What a container used so far. None: cannot be known here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time in nanoseconds, exact.
    pub cpu_total_ns: Option<u64>,
    /// The part of it in user mode: the kernel's split, by sampling, scaled to the total.
    pub cpu_user_ns: Option<u64>,
    /// The part of it in the kernel.
    pub cpu_system_ns: Option<u64>,
    /// The most memory charged at once, in bytes; on v2 from Linux 5.19 on.
    pub memory_peak_bytes: Option<u64>,
    /// Whether the out-of-memory killer killed a process of it because its own limit was reached.
    pub oom_killed: Option<bool>,
}

/// Reads the groups of one container.
#[derive(Clone, Debug)]
pub struct Reader<'d> {
    v2: bool,
    groups: Vec<(Controllers, Group<'d>)>,
}

/// A group's directory: a path below an open directory, or an absolute one.
#[derive(Clone, Debug)]
pub(super) struct Group<'d> {
    pub(super) at: BorrowedFd<'d>,
    pub(super) path: PathBuf,
}

impl<'d> Reader<'d> {
    pub(super) fn new(v2: bool, groups: Vec<(Controllers, Group<'d>)>) -> Reader<'d> {
        Reader { v2, groups }
    }

    fn group(&self, controller: Controller) -> Option<&Group<'d>> {
        self.groups
            .iter()
            .find(|(controllers, _)| controllers.contains(controller))
            .map(|(_, group)| group)
    }

    /// Reads the counters; each costs an open, a read and a close.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let mut usage = Usage::default();
        if let Some(group) = self.group(Controller::Cpuacct) {
            self.cpu(group, &mut usage);
        }
        if let Some(group) = self.group(Controller::Memory) {
            let (peak, events) = if self.v2 {
                ("memory.peak", "memory.events")
            } else {
                ("memory.max_usage_in_bytes", "memory.oom_control")
            };
            usage.memory_peak_bytes = number(group, peak);
            usage.oom_killed = file(group, events, |text| {
                let killed = field(text, "oom_kill")?;
                Some(if self.v2 {
                    // oom counts how often this group's own limit was the cause.
                    killed > 0 && field(text, "oom").is_none_or(|own| own > 0)
                } else {
                    killed + v1_kills_below(group) > 0 && v1_limit_was_hit(group)
                })
            });
        }
        usage
    }

    /// How many processes of it the out-of-memory killer has killed so far.
    #[must_use]
    pub fn oom_kills(&self) -> Option<u64> {
        let group = self.group(Controller::Memory)?;
        let events = match self.v2 {
            true => "memory.events",
            false => "memory.oom_control",
        };
        let own = file(group, events, |text| field(text, "oom_kill"))?;
        Some(match self.v2 {
            true => own,
            false => own + v1_kills_below(group),
        })
    }

    fn cpu(&self, group: &Group<'_>, usage: &mut Usage) {
        if self.v2 {
            file(group, "cpu.stat", |text| {
                let ns = |name| field(text, name).map(|us| us * 1000);
                usage.cpu_total_ns = ns("usage_usec");
                usage.cpu_user_ns = ns("user_usec");
                usage.cpu_system_ns = ns("system_usec");
                Some(())
            });
            return;
        }
        usage.cpu_total_ns = number(group, "cpuacct.usage");
        let user = number(group, "cpuacct.usage_user");
        let system = number(group, "cpuacct.usage_sys");
        if let (Some(total), Some(user), Some(system)) = (usage.cpu_total_ns, user, system) {
            let (user, system) = split(total, user, system);
            usage.cpu_user_ns = Some(user);
            usage.cpu_system_ns = Some(system);
        }
    }

    /// The processes in the container's groups and all below them, as seen from this process's pid namespace.
    #[must_use]
    pub fn procs(&self) -> Vec<i32> {
        let mut found = BTreeSet::new();
        for (_, group) in &self.groups {
            tree::processes(group.at, group.path.as_os_str().as_bytes(), &mut found);
        }
        found.into_iter().collect()
    }

    /// Sends SIGKILL to every process of the container, including those that are being forked meanwhile. Returns
    /// when all have it, not when they are gone. On v1 the group's pids limit becomes 0: nothing is started in
    /// it after this. The calling process itself is spared.
    pub fn kill_all(&self) {
        if self.v2 {
            for (_, group) in &self.groups {
                let file = group.path.join("cgroup.kill");
                // ENOENT: gone already, and then nothing is left to kill.
                let _ = tree::put(group.at, file.as_os_str().as_bytes(), "1");
            }
            return;
        }
        if let Some(group) = self.group(Controller::Pids) {
            let file = group.path.join("pids.max");
            let _ = tree::put(group.at, file.as_os_str().as_bytes(), "0");
        }
        let trees: Vec<_> = self
            .groups
            .iter()
            .map(|(_, group)| (group.at, group.path.as_os_str().as_bytes().to_vec()))
            .collect();
        let until = Instant::now() + KILL_FOR;
        let mut killed = BTreeSet::new();
        // Twice in a row nothing new: a fork that had passed the limit before it fell has surfaced.
        let mut quiet = 0;
        while quiet < 2 && Instant::now() < until {
            quiet = if tree::kill_new(&trees, &mut killed) {
                quiet + 1
            } else {
                0
            };
            if quiet == 1 && !killed.is_empty() {
                sleep(Duration::from_micros(200));
            }
        }
    }
}

/// Applies `f` to the content of a file of at most one page.
fn file<T>(group: &Group<'_>, name: &str, f: impl FnOnce(&str) -> Option<T>) -> Option<T> {
    let mut path = Vec::with_capacity(192);
    path.extend_from_slice(group.path.as_os_str().as_bytes());
    path.push(b'/');
    path.extend_from_slice(name.as_bytes());
    let opened = tree::open(group.at, &path, OFlag::O_RDONLY).ok()?;
    let mut buffer = [0; 4096];
    let got = read(opened.as_fd(), &mut buffer).ok()?;
    f(std::str::from_utf8(&buffer[..got]).ok()?)
}

fn number(group: &Group<'_>, name: &str) -> Option<u64> {
    file(group, name, |text| text.trim().parse().ok())
}

/// The value behind `name` in a file of lines `name value`.
fn field(text: &str, name: &str) -> Option<u64> {
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .find(|(key, _)| *key == name)
        .and_then(|(_, value)| value.trim().parse().ok())
}

/// The v1 counter is a group's own, so a kill in a group that the container made itself stands there only.
fn v1_kills_below(group: &Group<'_>) -> u64 {
    // A group's directory has a link for each group below it, and two for itself.
    let stat = fstatat(group.at, &group.path, AtFlags::empty());
    if stat.map_or(2, |stat| stat.st_nlink) <= 2 {
        return 0;
    }
    tree::children(group.at, group.path.as_os_str().as_bytes())
        .unwrap_or_default()
        .iter()
        .map(|name| {
            let child = Group {
                at: group.at,
                path: group
                    .path
                    .join(Path::new(std::ffi::OsStr::from_bytes(name))),
            };
            file(&child, "memory.oom_control", |text| field(text, "oom_kill")).unwrap_or(0)
                + v1_kills_below(&child)
        })
        .sum()
}

/// Distinguishes the container's own limit from the whole machine running out of memory.
fn v1_limit_was_hit(group: &Group<'_>) -> bool {
    ["memory.failcnt", "memory.memsw.failcnt"]
        .iter()
        .any(|name| number(group, name).is_some_and(|count| count > 0))
}

/// Scales the sampled parts to the exact total, as the kernel does for cpu.stat of v2.
fn split(total: u64, user: u64, system: u64) -> (u64, u64) {
    let sum = u128::from(user) + u128::from(system);
    if sum == 0 {
        return (total, 0);
    }
    let user = u64::try_from(u128::from(total) * u128::from(user) / sum).unwrap_or(total);
    (user, total - user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_add_up_to_the_total() {
        assert_eq!(split(100, 0, 0), (100, 0));
        assert_eq!(split(100, 10, 30), (25, 75));
        assert_eq!(split(u64::MAX, u64::MAX, 1), (u64::MAX - 1, 1));
    }

    #[test]
    fn fields_are_whole_words() {
        let text = "oom 3\noom_kill 2\noom_group_kill 1\n";
        assert_eq!(field(text, "oom_kill"), Some(2));
        assert_eq!(field(text, "oom"), Some(3));
        assert_eq!(field(text, "kill"), None);
    }
}
