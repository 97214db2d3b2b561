//! What differs for an ordinary user, who has no right to mount: one user namespace for all containers of the
//! process, in which 0 is the user; the containers' own threads make all else inside it.

use super::start::Start;
use super::{Ends, Inside, Request, namespaces};
use crate::error::ContainerError;
use crate::slots;
use fastbox_sys::launch::{Launch, Stack};
use nix::errno::Errno;
use nix::unistd::{Uid, User, getegid, geteuid};
use std::fs;
use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

/// An ordinary user's namespace.
pub(super) struct Owned {
    userns: Arc<OwnedFd>,
    /// How many ids it has, from 0 on.
    pub(super) ids: u32,
    /// Why not more than one.
    pub(super) note: Option<String>,
}

/// Ids beyond the first that are of use: images have them up to 65,535.
const MORE_IDS: u32 = 65_535;

/// Makes the namespace.
pub(super) fn make(inside: &Inside) -> Result<Owned, ContainerError> {
    let mut stack = Stack::new();
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    let refused = |errno| ContainerError::NoUserNamespace {
        errno,
        remedy: remedy(Path::new("/proc/sys")),
    };
    let mut note = None;
    let ranged = match Ranges::find(uid) {
        Ok(ranges) => {
            let held = namespaces::hold(inside, &mut stack, |pid| {
                ranges.write(pid, uid, gid).map_err(|why| {
                    note = Some(why);
                    Errno::EPERM
                })
            });
            match held {
                Err(errno) if note.is_none() => return Err(refused(errno)),
                held => held.ok().map(|userns| (userns, ranges.count + 1)),
            }
        }
        Err(why) => {
            note = Some(why);
            None
        }
    };
    let (userns, ids) = match ranged {
        Some(ranged) => ranged,
        None => (single(inside, &mut stack, uid, gid).map_err(refused)?, 1),
    };
    namespaces::can_mount(inside, &mut stack, &userns).map_err(refused)?;
    Ok(Owned {
        userns: Arc::new(userns),
        ids,
        note,
    })
}

/// What everybody may write: the one id that is one's own (user_namespaces(7)).
fn single(inside: &Inside, stack: &mut Stack, uid: u32, gid: u32) -> Result<OwnedFd, Errno> {
    namespaces::hold(inside, stack, |pid| {
        namespaces::write(inside, &format!("{pid}/setgroups"), "deny")?;
        namespaces::write(inside, &format!("{pid}/uid_map"), &format!("0 {uid} 1\n"))?;
        namespaces::write(inside, &format!("{pid}/gid_map"), &format!("0 {gid} 1\n"))
    })
}

/// The user's ranges of ids: the first of each, and how many of both are used.
struct Ranges {
    uid: u32,
    gid: u32,
    count: u32,
}

impl Ranges {
    /// Looks them up (subuid(5)); else a reason.
    fn find(uid: u32) -> Result<Ranges, String> {
        let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
        let name = user.map_or(uid.to_string(), |user| user.name);
        let range = |file: &str| range(&fs::read_to_string(file).unwrap_or_default(), &name, uid);
        match (range("/etc/subuid"), range("/etc/subgid")) {
            (Some(uids), Some(gids)) => Ok(Ranges {
                uid: uids.0,
                gid: gids.0,
                count: uids.1.min(gids.1).min(MORE_IDS),
            }),
            _ => Err(format!(
                "/etc/subuid and /etc/subgid have no range for {name}: `usermod --add-subuids 100000-165535 \
                 --add-subgids 100000-165535 {name}` gives one"
            )),
        }
    }

    /// Maps the user and the range by the set-uid programs that may.
    fn write(&self, pid: i32, uid: u32, gid: u32) -> Result<(), String> {
        for (program, map, own, first) in [
            ("newuidmap", "uid_map", uid, self.uid),
            ("newgidmap", "gid_map", gid, self.gid),
        ] {
            let numbers = [pid as u32, 0, own, 1, 1, first, self.count].map(|n| n.to_string());
            let done = Command::new(program)
                .args(numbers)
                .stdin(Stdio::null())
                .output();
            // The map tells, not the status: something else in this process may wait for any child.
            if fs::read_to_string(format!("/proc/{pid}/{map}")).is_ok_and(|map| !map.is_empty()) {
                continue;
            }
            return Err(match done {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    format!("{program} is not installed: the package uidmap has it")
                }
                Err(error) => format!("{program}: {error}"),
                Ok(done) => String::from_utf8_lossy(&done.stderr).trim().to_owned(),
            });
        }
        Ok(())
    }
}

/// First id and count of the first range of a user, by name or number.
fn range(file: &str, name: &str, uid: u32) -> Option<(u32, u32)> {
    let uid = uid.to_string();
    file.lines().find_map(|line| {
        let mut fields = line.split(':').map(str::trim);
        let who = fields.next()?;
        let first = fields.next()?.parse().ok()?;
        let count = fields.next()?.parse().ok()?;
        ((who == name || who == uid) && count > 0).then_some((first, count))
    })
}

impl Start<'_> {
    /// A start without anything made outside.
    pub(super) fn start_owned(
        &mut self,
        request: &Request,
    ) -> Result<(i32, Vec<OwnedFd>, Ends), ContainerError> {
        let inside = &self.shared.inside;
        let plan = Arc::clone(self.plan);
        let mut launch = Launch::new();
        let owned = inside.owned.get().ok_or(ContainerError::Spawner {
            operation: "find the user namespace",
            errno: Errno::ENOENT,
        })?;
        launch.fd(slots::USERNS, owned.userns.as_fd());
        launch.value(slots::DUMPABLE, inside.dumpable.into());
        launch.fd(slots::PROC, inside.proc.as_fd());
        self.strings(&mut launch, request, &plan);
        let into = self.groups(&mut launch, request, &plan)?;
        let (theirs, ours, ends) = self.streams(request, &plan)?;
        for (index, fd) in theirs.iter().enumerate() {
            launch.fd(slots::STDIO[index], fd.as_fd());
            if ends[index] {
                launch.fd(slots::PIPES[index], fd.as_fd());
            }
        }
        launch.clone_again(slots::INNER, plan.namespaces);
        launch.pause_at(request.pause_at);
        let spawned = self.spawn(&mut launch, request, 0, into)?;
        Ok(spawned.answer(ours, ends))
    }
}

/// What the administrator can do.
fn remedy(sysctls: &Path) -> String {
    let is = |name: &str, value: &str| {
        fs::read_to_string(sysctls.join(name)).is_ok_and(|text| text.trim() == value)
    };
    let setting = if is("user/max_user_namespaces", "0") {
        "user.max_user_namespaces=15000"
    } else if is("kernel/unprivileged_userns_clone", "0") {
        "kernel.unprivileged_userns_clone=1"
    } else if is("kernel/apparmor_restrict_unprivileged_userns", "1") {
        "kernel.apparmor_restrict_unprivileged_userns=0"
    } else {
        return "a container or a security module around this process forbids it; run as root or outside".to_owned();
    };
    format!("root can allow it: `sysctl -w {setting}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_found_by_name_and_by_number() {
        let file = "root:1:2\n# text\nann:100000:65536\n1001:200000:10\nbob:5:0\nbob:7:3\n";
        assert_eq!(range(file, "ann", 1000), Some((100_000, 65_536)));
        assert_eq!(range(file, "carl", 1001), Some((200_000, 10)));
        assert_eq!(range(file, "bob", 1002), Some((7, 3)));
        assert_eq!(range(file, "dora", 1003), None);
    }
}
