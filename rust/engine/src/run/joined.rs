//! `--ipc container:NAME` and `--pid container:NAME`: namespaces of a running container, of whatever process.

use super::EngineError;
use super::engine::Engine;
use super::ids::Hold;
use crate::options::{Checked, IpcMode};
use crate::owner::{Running, find};
use fastbox_container::ContainerError;
use fastbox_container::plan::Joins;
use fastbox_sys::journal::flags;
use fastbox_sys::pidfd;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::poll::PollTimeout;
use nix::sys::stat::Mode;
use nix::unistd::Uid;
use oci_spec::runtime::{LinuxNamespace, LinuxNamespaceType, Spec};
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// What a plan has of running containers. It keeps their namespaces, and the ids they had, for as long as it is there.
pub(super) struct Joined {
    /// The first id of the range that they, and so this one, have; none for the caller's ids.
    pub(super) base: Option<u32>,
    processes: Vec<(String, OwnedFd)>,
    fds: Vec<OwnedFd>,
    _ids: Option<Hold>,
}

impl Engine {
    /// Finds the containers, opens their namespaces, and names these in the document. None where there are none.
    pub(super) fn join(
        &self,
        options: &Checked,
        spec: &mut Spec,
    ) -> Result<Option<Joined>, EngineError> {
        let mut others: Vec<(String, Running)> = Vec::new();
        for (flag, name) in options.joins() {
            if !Uid::effective().is_root() {
                return Err(EngineError::NeedsRoot {
                    what: "another container's namespace",
                });
            }
            let found = find(&self.paths, name)?;
            if flag == "--ipc" && found.flags & flags::IPC == 0 {
                return Err(EngineError::NotShareable {
                    name: name.to_owned(),
                });
            }
            others.push((name.to_owned(), found));
        }
        let Some((_, first)) = others.first() else {
            return Ok(None);
        };
        let user = |pid: i32| -> Result<u64, EngineError> {
            let meta = fs::metadata(format!("/proc/{pid}/ns/user"));
            Ok(meta.map_err(gone)?.ino())
        };
        let namespace = user(first.pid)?;
        for (_, other) in &others {
            if user(other.pid)? != namespace {
                return Err(EngineError::DifferentIds);
            }
        }
        let own = fs::metadata("/proc/self/ns/user").map_err(gone)?.ino();
        let base = (namespace != own)
            .then(|| first_id(first.pid))
            .transpose()?;
        let mut fds = Vec::new();
        if base.is_some() {
            fds.push(namespace_of(first.pid, "user")?);
        }
        // In the order of the plan's list, which is the document's.
        let mut linux = spec.linux().clone().unwrap_or_default();
        let mut list = linux.namespaces().clone().unwrap_or_default();
        for ((flag, _), (_, other)) in options.joins().zip(&others) {
            let (kind, names): (_, &[&str]) = match flag {
                "--ipc" => (LinuxNamespaceType::Ipc, &["ipc", "mnt"]),
                _ => (LinuxNamespaceType::Pid, &["pid"]),
            };
            for name in names {
                fds.push(namespace_of(other.pid, name)?);
            }
            let mut namespace = LinuxNamespace::default();
            let path = PathBuf::from(format!("/proc/{}/ns/{}", other.pid, names[0]));
            namespace.set_typ(kind).set_path(Some(path));
            list.push(namespace);
        }
        linux.set_namespaces(Some(list));
        spec.set_linux(Some(linux));
        let ids = base.map(|base| self.ids.hold(base)).transpose()?;
        let joined = Joined {
            base,
            processes: others
                .into_iter()
                .map(|(name, other)| (name, other.process))
                .collect(),
            fds,
            _ids: ids,
        };
        // They were what was opened if they still run now.
        joined.still_runs()?;
        Ok(Some(joined))
    }
}

impl Joined {
    /// The namespaces for one start.
    pub(super) fn open(&self, wanted: &[Joins]) -> Result<Vec<BorrowedFd<'_>>, EngineError> {
        self.still_runs()?;
        debug_assert_eq!(wanted.len(), self.fds.len());
        Ok(self.fds.iter().map(AsFd::as_fd).collect())
    }

    /// What a failed start says of it: in a pid namespace whose first process ends the kernel has no room for more
    /// (pid_namespaces(7)).
    pub(super) fn why(&self, error: ContainerError) -> EngineError {
        let full = ContainerError::Step {
            step: "clone",
            target: "into the pid namespace".into(),
            errno: Errno::ENOMEM,
        };
        match (self.still_runs(), self.processes.last()) {
            (Err(ended), _) => ended,
            (Ok(()), Some((name, _))) if error.to_string() == full.to_string() => {
                EngineError::Ended { name: name.clone() }
            }
            _ => error.into(),
        }
    }

    fn still_runs(&self) -> Result<(), EngineError> {
        for (name, process) in &self.processes {
            if pidfd::wait_end(process, PollTimeout::ZERO) != Ok(false) {
                return Err(EngineError::Ended { name: name.clone() });
            }
        }
        Ok(())
    }
}

fn namespace_of(pid: i32, name: &str) -> Result<OwnedFd, EngineError> {
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    let path = format!("/proc/{pid}/ns/{name}");
    open(path.as_str(), flags, Mode::empty())
        .map_err(EngineError::system("open a container's namespace"))
}

/// What 0 in the process's user namespace is here.
fn first_id(pid: i32) -> Result<u32, EngineError> {
    let map = fs::read_to_string(format!("/proc/{pid}/uid_map")).map_err(gone)?;
    let mut words = map.split_ascii_whitespace();
    let zero = words.next() == Some("0");
    let base = words.next().and_then(|word| word.parse().ok());
    base.filter(|_| zero)
        .ok_or_else(|| EngineError::system("read a container's ids")(Errno::EINVAL))
}

fn gone(error: std::io::Error) -> EngineError {
    let errno = Errno::from_raw(error.raw_os_error().unwrap_or(0));
    EngineError::system("look at the container to join")(errno)
}

/// Whether containers with these options let others join their IPC namespace.
pub(super) fn shares_ipc(options: &Checked) -> bool {
    matches!(
        options.ipc,
        Some(IpcMode::Shareable | IpcMode::Host | IpcMode::Container(_))
    )
}
