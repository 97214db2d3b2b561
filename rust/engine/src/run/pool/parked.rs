//! One container that waits, and its release.

use super::order::Order;
use super::streams::Ends;
use crate::owner::names;
use crate::run::{Container, EngineError, Prepared};
use fastbox_container::ContainerError;
use fastbox_sys::order::{Failure, stage};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use std::io::IoSlice;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

/// A container finished up to its program. Dropping it kills it and clears it away.
pub(super) struct Parked {
    container: Container,
    stub: OwnedFd,
}

impl Parked {
    /// Makes one.
    pub(super) fn make(prepared: &Arc<Prepared>) -> Result<Parked, EngineError> {
        let (mut container, stub) = prepared.park()?;
        container.park();
        Ok(Parked { container, stub })
    }

    /// Whether it still waits.
    pub(super) fn waits(&self) -> bool {
        let mut fds = [PollFd::new(self.container.pidfd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::ZERO) == Ok(0)
    }

    /// Kills it, and does not wait for the end yet.
    pub(super) fn kill(&self) {
        // It may be dead already.
        let _ = self.container.kill(nix::libc::SIGKILL);
    }

    /// Has its program executed. `name` is reserved for it; `sent` is called while it begins. None: it had died while
    /// it waited.
    pub(super) fn release(
        mut self,
        order: &Order<'_>,
        ends: &mut Ends,
        name: Option<&str>,
        sent: &mut dyn FnMut(),
    ) -> Result<Option<Container>, EngineError> {
        if !self.waits() {
            return Ok(None);
        }
        let prepared = Arc::clone(&self.container.prepared);
        let engine = &prepared.engine;
        let id = self.container.id().to_owned();
        let name = name
            .map(|name| names::reserve(&engine.paths, name, &engine.owner, &id))
            .transpose()?;
        if let Some(user) = self.container.user() {
            ends.give_to(user)?;
        }
        let (streams, fds) = ends.theirs();
        let head = order.head(prepared.plan.hostname_of(&id), streams)?;
        let heard = match self.send(&head, &fds, order) {
            Ok(()) => true,
            // It stopped reading: because something failed, which it says, or because it died.
            Err(Errno::EPIPE | Errno::ECONNRESET) => false,
            Err(errno) => return Err(EngineError::system("reach a waiting container")(errno)),
        };
        self.container.begins(name);
        sent();
        match self.failure()? {
            Answer::Failed(failure) => return Err(explained(failure, order)),
            Answer::Executed if heard => {}
            Answer::Executed | Answer::Gone => return Ok(None),
        }
        let waited = std::mem::take(&mut self.container.streams);
        self.container.streams = ends.ours(waited);
        Ok(Some(self.container))
    }

    fn send(&self, head: &[u8], fds: &[RawFd], order: &Order<'_>) -> Result<(), Errno> {
        let rights = [ControlMessage::ScmRights(fds)];
        let rights = if fds.is_empty() {
            &rights[..0]
        } else {
            &rights[..]
        };
        self.write(head, rights)?;
        for (_, contents) in order.files {
            let len = (contents.len() as u64).to_ne_bytes();
            self.write(&len, &[])?;
            self.write(contents, &[])?;
        }
        Ok(())
    }

    fn write(&self, mut bytes: &[u8], mut rights: &[ControlMessage<'_>]) -> Result<(), Errno> {
        while !bytes.is_empty() {
            let parts = [IoSlice::new(bytes)];
            let flags = MsgFlags::MSG_NOSIGNAL;
            match sendmsg::<()>(self.stub.as_raw_fd(), &parts, rights, flags, None) {
                Ok(sent) => (bytes, rights) = (&bytes[sent..], &[]),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    /// Waits until the program is executed, or that has failed.
    fn failure(&self) -> Result<Answer, EngineError> {
        let mut bytes = [0; size_of::<Failure>()];
        loop {
            return match nix::unistd::read(&self.stub, &mut bytes) {
                Err(Errno::EINTR) => continue,
                Ok(n) if n == bytes.len() => Ok(Answer::Failed(Failure::from_bytes(bytes))),
                // Whatever happens from here on, it has begun.
                Ok(_) => Ok(Answer::Executed),
                // It ended with words of ours unread (unix(7)).
                Err(Errno::ECONNRESET) => Ok(Answer::Gone),
                Err(errno) => Err(EngineError::system("hear from a waiting container")(errno)),
            };
        }
    }
}

/// What the stub said.
enum Answer {
    Executed,
    Gone,
    Failed(Failure),
}

/// A failure of the stub in the words of the step that does the same in a start without a pool.
fn explained(failure: Failure, order: &Order<'_>) -> EngineError {
    let errno = Errno::from_raw(failure.errno);
    let (step, target) = match failure.stage {
        stage::EXEC => ("exec", order.program().to_owned()),
        stage::DIRECTORY => ("change directory", order.directory.unwrap_or("").to_owned()),
        stage::STREAMS => ("stdio", String::new()),
        file if file >= stage::FILE => {
            let index = (file - stage::FILE) as usize;
            let path = order.files.get(index).map(|(path, _)| path.clone());
            ("write", path.unwrap_or_default())
        }
        _ => ("read", "its order".to_owned()),
    };
    EngineError::Container(ContainerError::Step {
        step,
        target,
        errno,
    })
}
