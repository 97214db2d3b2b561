//! The last step where ids are shared with the caller: the program is executed by the stub.
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
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// The pipe that the stub reports through.
pub(super) struct Report {
    read: OwnedFd,
    write: OwnedFd,
}

impl Start<'_> {
    /// Gives the launch what the stub needs. None where the child executes the program itself.
    pub(super) fn report(
        &self,
        launch: &mut Launch,
        request: &Request,
        plan: &Plan,
    ) -> Result<Option<Report>, ContainerError> {
        if !plan.by_stub() {
            return Ok(None);
        }
        let pipe = nix::unistd::pipe2(OFlag::O_CLOEXEC);
        let (read, write) = pipe.map_err(ContainerError::spawner("make a pipe"))?;
        let inside: &Inside = &self.shared.inside;
        launch.fd(slots::STUB, inside.stub.as_fd());
        launch.fd(slots::REPORT, write.as_fd());
        // As the stub reads them: its task, the pipe's number, paths to try, an empty one, arguments.
        let args = arguments(request, plan);
        let program = args.first().map_or("", String::as_str);
        let mut words = vec![CString::from(c"fastbox-stub"), CString::from(c"exec")];
        words.push(text(&write.as_raw_fd().to_string()));
        let paths = Process::candidates(program, &plan.process.env);
        words.extend(paths.iter().map(|path| text(path)));
        words.push(CString::default());
        words.extend(args.iter().map(|arg| text(arg)));
        launch.array(slots::ARGV, words);
        Ok(Some(Report { read, write }))
    }
}

impl Report {
    /// The child, once it has executed its program; the error if it could not, after its end.
    pub(super) fn wait(self, child: Child, plan: &Plan) -> Result<Child, Failure> {
        drop(self.write);
        let mut errno = [0u8; 4];
        loop {
            match nix::unistd::read(&self.read, &mut errno) {
                Err(Errno::EINTR) => {}
                Ok(4) => break,
                _ => return Ok(child),
            }
        }
        child.end();
        Err(Failure {
            step: plan.child.len().checked_sub(1),
            errno: i32::from_ne_bytes(errno),
        })
    }
}
