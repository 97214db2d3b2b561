//! The last step where the child becomes the stub: because it is to wait, because it is to be the container's init, or
//! because ids are shared with the caller.
//!
//! A child that has not executed anything yet has the caller's own program as its /proc/self/exe, and an image can ask
//! for that by name, also in the first line of a script. Where root inside is root outside, or the user is the user,
//! it may write to that file as soon as the caller has ended. So the child first becomes the stub, a sealed copy in
//! memory, and what the stub cannot execute it reports through a pipe that closes when it can.

use super::start::{Start, arguments, text};
use super::{Inside, Request};
use crate::error::ContainerError;
use crate::plan::{Plan, Process};
use crate::slots;
use fastbox_sys::launch::{Child, Failure, Launch};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// The stub's way to us.
pub(super) enum ByStub {
    /// A pipe, to report through what it could not execute.
    Executes { read: OwnedFd, write: OwnedFd },
    /// A socket, over which it will be told what to execute.
    Waits { ours: OwnedFd, theirs: OwnedFd },
}

impl Start<'_> {
    /// Gives the launch what the stub needs. None where the child executes the program itself.
    pub(super) fn by_stub(
        &self,
        launch: &mut Launch,
        request: &Request,
        plan: &Plan,
    ) -> Result<Option<ByStub>, ContainerError> {
        let failed = ContainerError::spawner;
        let inside: &Inside = &self.shared.inside;
        let mut words = match plan.init {
            true => vec![CString::from(c"fastbox-init")],
            false => vec![CString::from(c"fastbox-stub")],
        };
        let by_stub = if request.parked {
            let ends = socketpair(
                AddressFamily::Unix,
                SockType::Stream,
                None,
                SockFlag::SOCK_CLOEXEC,
            );
            let (ours, theirs) = ends.map_err(failed("make a socket"))?;
            launch.fd(slots::REPORT, theirs.as_fd());
            words.push(match plan.init {
                true => CString::from(c"wait-init"),
                false => CString::from(c"wait"),
            });
            words.push(text(&theirs.as_raw_fd().to_string()));
            launch.array(slots::ENVP, Vec::new());
            ByStub::Waits { ours, theirs }
        } else if plan.by_stub() {
            let pipe = nix::unistd::pipe2(OFlag::O_CLOEXEC);
            let (read, write) = pipe.map_err(failed("make a pipe"))?;
            launch.fd(slots::REPORT, write.as_fd());
            // As the stub reads them: its task, the pipe's number, paths to try, an empty one, arguments.
            let args = arguments(request, plan);
            let program = args.first().map_or("", String::as_str);
            words.push(match plan.init {
                true => CString::from(c"init"),
                false => CString::from(c"exec"),
            });
            words.push(text(&write.as_raw_fd().to_string()));
            let paths = Process::candidates(program, &plan.process.env);
            words.extend(paths.iter().map(|path| text(path)));
            words.push(CString::default());
            words.extend(args.iter().map(|arg| text(arg)));
            ByStub::Executes { read, write }
        } else {
            return Ok(None);
        };
        launch.fd(slots::STUB, inside.stub.as_fd());
        launch.array(slots::ARGV, words);
        Ok(Some(by_stub))
    }
}

impl ByStub {
    /// The child, once it has executed its program, or waits, with our end of the way to it; the error if it could
    /// not, after its end.
    pub(super) fn settled(
        self,
        child: Child,
        plan: &Plan,
    ) -> Result<(Child, Option<OwnedFd>), Failure> {
        let read = match self {
            ByStub::Waits { ours, theirs } => {
                drop(theirs);
                return Ok((child, Some(ours)));
            }
            ByStub::Executes { read, write } => {
                drop(write);
                read
            }
        };
        let mut errno = [0u8; 4];
        loop {
            match nix::unistd::read(&read, &mut errno) {
                Err(Errno::EINTR) => {}
                Ok(4) => break,
                _ => return Ok((child, None)),
            }
        }
        child.end();
        Err(Failure {
            step: plan.child.len().checked_sub(1),
            errno: i32::from_ne_bytes(errno),
        })
    }
}
