//! Our side of a container's terminal, which the child opens and sends.

use crate::error::ContainerError;
use crate::slots;
use fastbox_sys::channel::Channel;
use fastbox_sys::launch::Launch;
use nix::errno::Errno;
use std::os::fd::OwnedFd;

/// The way it comes.
pub(super) struct Terminal {
    ours: Channel,
    theirs: Channel,
}

impl Terminal {
    /// Gives the launch the child's end of the way.
    pub(super) fn expect(launch: &mut Launch) -> Result<Terminal, ContainerError> {
        let pair = Channel::pair().map_err(ContainerError::spawner("make a socket"))?;
        let (ours, theirs) = pair;
        launch.fd(slots::TERMINAL_SOCKET, theirs.as_fd());
        Ok(Terminal { ours, theirs })
    }

    /// What a child that runs its program has sent.
    pub(super) fn receive(self) -> Result<OwnedFd, ContainerError> {
        drop(self.theirs);
        let failed = ContainerError::spawner;
        let received = self
            .ours
            .receive()
            .map_err(failed("receive the terminal"))?;
        let sent = received.and_then(|(_, mut fds)| fds.pop());
        sent.ok_or_else(|| failed("receive the terminal")(Errno::EMFILE))
    }
}
