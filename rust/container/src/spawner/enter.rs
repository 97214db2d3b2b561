//! One more process in a container that runs: the spawner's part, and the caller's talk with the stub.

use super::inputs::streams;
use super::start::{failed, text};
use super::{Ends, Shared, Spawner, Stream};
use crate::cgroup::Join;
use crate::error::ContainerError;
use crate::plan::{Entry, Other, Plan, Process};
use crate::slots;
use fastbox_sys::channel;
use fastbox_sys::entry::Answer;
use fastbox_sys::launch::{Child, Failure, Launch, Stack};
use fastbox_sys::parcel::{Value, parcel};
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::libc;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::sys::stat::Mode;
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::AtomicI32;

/// One more process, asked for.
pub struct Entering {
    /// The container's id.
    pub id: String,
    /// Another user or directory than the plan's.
    pub other: Other,
    /// Whose its pipes are, as seen from outside, if that can be known there.
    pub owner: Option<(u32, u32)>,
    /// The program and its arguments.
    pub args: Vec<String>,
    /// Its whole environment.
    pub env: Vec<String>,
    /// Standard input, output, error.
    pub streams: [Stream; 3],
}

/// A stub on its way into a container. Dropped, it is killed.
pub struct Entered {
    /// The caller's ends of the pipes.
    pub streams: [Option<OwnedFd>; 3],
    stub: Option<Child>,
    socket: OwnedFd,
    parcel: Vec<u8>,
    entry: Arc<Entry>,
    program: String,
}

/// The answer of the spawner's thread, but for its fds.
pub(super) struct Sent {
    stub: i32,
    ends: Ends,
    parcel: Vec<u8>,
    entry: Arc<Entry>,
    program: String,
}

impl Spawner {
    /// Sends a stub on its way into the container whose first process `container` holds (pidfd_open(2)).
    ///
    /// # Errors
    /// The step that failed. Nothing is left then.
    pub fn enter(
        &self,
        plan: &Arc<Plan>,
        mut entering: Entering,
        container: BorrowedFd<'_>,
    ) -> Result<Entered, ContainerError> {
        let handed: Vec<OwnedFd> = entering
            .streams
            .iter_mut()
            .filter_map(Stream::send)
            .collect();
        let mut sent = vec![container];
        sent.extend(handed.iter().map(AsFd::as_fd));
        let job = super::Job::Enter(Box::new(entering), Arc::clone(plan));
        let (job, fds) = self.ask(job, false, &sent)?;
        let lost = || ContainerError::spawner("reach the spawner")(Errno::EPIPE);
        let Some(super::Job::Entered(answer)) = job else {
            return Err(lost());
        };
        let answer = answer?;
        let mut fds = fds.into_iter();
        let (Some(pidfd), Some(socket)) = (fds.next(), fds.next()) else {
            return Err(lost());
        };
        let [stdin, stdout, stderr, _] =
            answer.ends.map(|came| if came { fds.next() } else { None });
        Ok(Entered {
            streams: [stdin, stdout, stderr],
            stub: Some(Child {
                pid: answer.stub,
                pidfd,
            }),
            socket,
            parcel: answer.parcel,
            entry: answer.entry,
            program: answer.program,
        })
    }
}

/// What the thread does: all but waiting for the stub, which may take as long as the container likes.
pub(super) fn begin(
    shared: &Shared,
    stack: &mut Stack,
    plan: &Plan,
    mut entering: Entering,
    fds: Vec<OwnedFd>,
) -> Result<(Sent, Vec<OwnedFd>), ContainerError> {
    let spawner = ContainerError::spawner;
    let inside = &shared.inside;
    let mut fds = fds.into_iter();
    let container = fds
        .next()
        .ok_or_else(|| spawner("receive a pidfd")(Errno::EMFILE))?;
    for stream in &mut entering.streams {
        stream.receive(&mut fds);
    }
    let group = inside.group_of(plan)?;
    let join = group.as_ref().map_or(Join::None, |g| g.join(&plan.limits));
    let (groups, born) = match join {
        Join::None => (Vec::new(), false),
        Join::V1(places) => {
            let tasks = format!("{}/tasks", entering.id);
            let open = |place| openat(place, tasks.as_str(), flags(OFlag::O_WRONLY), Mode::empty());
            let opened = places.into_iter().map(open).collect::<Result<Vec<_>, _>>();
            (opened.map_err(group_failed)?, false)
        }
        Join::V2(place) => {
            let directory = flags(OFlag::O_PATH | OFlag::O_DIRECTORY);
            let opened = openat(place, entering.id.as_str(), directory, Mode::empty());
            (vec![opened.map_err(group_failed)?], true)
        }
    };
    let entry = plan.entry(&entering.other, if born { 0 } else { groups.len() }, born);
    let (theirs, mut ours, ends) = streams(&entering.streams, &inside.null, entering.owner)?;
    let (our_socket, socket) = socketpair(
        AddressFamily::Unix,
        SockType::Stream,
        None,
        SockFlag::SOCK_CLOEXEC,
    )
    .map_err(spawner("make a socket"))?;

    let mut launch = Launch::new();
    let mut values = Vec::new();
    let mut give = |slot, fd: BorrowedFd<'_>| {
        launch.fd(slot, fd);
        values.push((slot, Value::Number(fd.as_raw_fd() as u64)));
    };
    give(slots::CONTAINER, container.as_fd());
    give(slots::PROC, inside.proc.as_fd());
    give(slots::REPORT, socket.as_fd());
    for (slot, fd) in slots::STDIO.iter().zip(&theirs) {
        give(*slot, fd.as_fd());
    }
    for (slot, fd) in slots::CGROUP_DIRS.iter().zip(&groups) {
        give(*slot, fd.as_fd());
    }
    if entering.owner.is_none() {
        // An ordinary user's: the container itself gives its pipes to its user.
        let pipes = slots::PIPES.iter().zip(&theirs).zip(ends);
        for ((slot, fd), _) in pipes.filter(|(_, pipe)| *pipe) {
            give(*slot, fd.as_fd());
        }
    }
    let born_in = groups.first().filter(|_| born).map(AsRawFd::as_raw_fd);
    values.push((slots::PART, Value::Clone(born_in)));
    let program = entering.args.first().cloned().unwrap_or_default();
    let paths = Process::candidates(&program, &entering.env);
    for (slot, list) in [
        (slots::PATHS, &paths),
        (slots::ARGV, &entering.args),
        (slots::ENVP, &entering.env),
    ] {
        let list = list.iter().map(|word| text(word)).collect();
        values.push((slot, Value::Array(list)));
    }

    launch.fd(slots::STUB, inside.stub.as_fd());
    let words = ["fastbox-stub", "join", &socket.as_raw_fd().to_string()].map(text);
    launch.array(slots::ARGV, words.into());
    launch.array(slots::ENVP, Vec::<CString>::new());
    let pid = AtomicI32::new(0);
    let stub = launch
        .spawn(&entry.child, stack, 0, None, &pid, false)
        .map_err(|failure| failed(&entry.child, failure))?;
    let parcel = parcel(&entry.stub, values);
    let mut back = vec![stub.pidfd, our_socket];
    back.append(&mut ours);
    let sent = Sent {
        stub: stub.pid,
        ends,
        parcel,
        entry,
        program,
    };
    Ok((sent, back))
}

fn flags(of: OFlag) -> OFlag {
    of | OFlag::O_CLOEXEC
}

fn group_failed(errno: Errno) -> ContainerError {
    ContainerError::Enter {
        step: "join cgroup",
        target: String::new(),
        errno,
    }
}

impl Entered {
    /// Waits until the program is executed, or that has failed: the process. `ready` waits for the socket as poll(2)
    /// does for these events; where it says no, all is killed, and the answer is None.
    ///
    /// # Errors
    /// The step that failed. Nothing is left then.
    pub fn settle(
        &mut self,
        ready: &mut dyn FnMut(BorrowedFd<'_>, libc::c_short) -> Result<bool, Errno>,
    ) -> Result<Option<Child>, ContainerError> {
        let lost = ContainerError::spawner("reach the process that enters the container");
        let mut child = None;
        let talk = self.talk(&mut child, ready);
        self.end();
        let failure = match talk {
            Ok(Talk::Over(None)) => return child.map(Some).ok_or_else(|| lost(Errno::ECHILD)),
            Ok(Talk::Over(Some(failure))) => Some(self.explained(failure)),
            Ok(Talk::Unheard) => None,
            Err(errno) => Some(lost(errno)),
        };
        // What the stub said last, before its end, may still be unread.
        while child.is_none()
            && let Ok(Some(answer)) = self.hear()
        {
            note(answer, &mut child);
        }
        if let Some(child) = child {
            child.end();
        }
        failure.map_or(Ok(None), Err)
    }

    fn talk(
        &self,
        child: &mut Option<Child>,
        ready: &mut dyn FnMut(BorrowedFd<'_>, libc::c_short) -> Result<bool, Errno>,
    ) -> Result<Talk, Errno> {
        let socket = self.socket.as_fd();
        let mut rest = &self.parcel[..];
        while !rest.is_empty() {
            if !ready(socket, libc::POLLOUT)? {
                return Ok(Talk::Unheard);
            }
            match channel::send_some(socket, rest) {
                Ok(sent) => rest = &rest[sent..],
                Err(Errno::EINTR | Errno::EAGAIN) => {}
                // It ended, or failed before it had read all, which it says.
                Err(Errno::EPIPE | Errno::ECONNRESET) => break,
                Err(errno) => return Err(errno),
            }
        }
        let mut failure = None;
        loop {
            if !ready(socket, libc::POLLIN)? {
                return Ok(Talk::Unheard);
            }
            match self.hear() {
                Err(Errno::EINTR | Errno::EAGAIN) => {}
                Err(errno) => return Err(errno),
                Ok(None) => return Ok(Talk::Over(failure)),
                // No room for its pidfd here.
                Ok(Some((Answer::Begun(_), None))) => return Err(Errno::EMFILE),
                Ok(Some(answer)) => failure = note(answer, child).or(failure),
            }
        }
    }

    /// What was said, if something was; None at the end.
    fn hear(&self) -> Result<Option<Said>, Errno> {
        let mut bytes = [0; Answer::LEN];
        match channel::receive_some(self.socket.as_fd(), &mut bytes) {
            Err(Errno::ECONNRESET) => Ok(None),
            Ok((got, _)) if got < bytes.len() => Ok(None),
            received => received.map(|(_, fd)| Some((Answer::from_bytes(bytes), fd))),
        }
    }

    fn explained(&self, (step, errno): (u32, i32)) -> ContainerError {
        let failure = Failure {
            step: Some(step as usize),
            errno,
        };
        match failed(&self.entry.stub, failure) {
            ContainerError::Step {
                step: "exec",
                errno,
                ..
            } => ContainerError::Step {
                step: "exec",
                target: self.program.clone(),
                errno,
            },
            ContainerError::Step {
                step,
                target,
                errno,
            } => ContainerError::Enter {
                step,
                target,
                errno,
            },
            other => other,
        }
    }

    /// Ends the stub, which has ended by itself if all went well.
    fn end(&mut self) {
        if let Some(stub) = self.stub.take() {
            stub.end();
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.end();
    }
}

/// An answer with the fd that came with it.
type Said = (Answer, Option<OwnedFd>);

/// Takes the process that has begun; gives what has failed.
fn note((answer, pidfd): Said, child: &mut Option<Child>) -> Option<(u32, i32)> {
    match (answer, pidfd) {
        (Answer::Failed { step, errno }, _) => return Some((step, errno)),
        (Answer::Begun(pid), Some(pidfd)) => *child = Some(Child { pid, pidfd }),
        (Answer::Begun(_), None) => {}
    }
    None
}

enum Talk {
    /// The socket closed; what failed before.
    Over(Option<(u32, i32)>),
    /// Nobody waits for it any more.
    Unheard,
}
