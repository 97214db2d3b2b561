//! Feeding a container and collecting its output, until it has ended.

use super::exchange::Exchange;
use super::exit::Exit;
use super::program::until;
use super::{Container, EngineError, Program};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use std::borrow::Cow;
use std::time::Duration;

/// A container's end with what it wrote.
#[derive(Debug)]
pub struct Communicated {
    /// The end.
    pub exit: Exit,
    /// What it wrote to stdout, where that is a pipe of the caller's.
    pub stdout: Option<Vec<u8>>,
    /// The same for stderr.
    pub stderr: Option<Vec<u8>>,
    /// It was killed because its time was up.
    pub timed_out: bool,
    /// It was killed because it wrote more than allowed; the output ends at the limit.
    pub truncated: bool,
    /// It was killed because the caller was interrupted.
    pub interrupted: bool,
}

/// As [`Program::communicate`].
pub(super) fn communicate(
    program: &mut dyn Program,
    input: Option<&[u8]>,
    timeout: Option<Duration>,
    max_output: Option<u64>,
    interrupted: &mut dyn FnMut() -> bool,
) -> Result<Communicated, EngineError> {
    let input = Cow::Borrowed(input.unwrap_or_default());
    let mut exchange = Exchange::new(program, input, timeout, max_output)?;
    let mut buffer = Vec::new();
    loop {
        let mut fds = vec![PollFd::new(program.pidfd(), PollFlags::POLLIN)];
        fds.extend(
            exchange
                .reads()
                .map(|fd| PollFd::new(fd, PollFlags::POLLIN)),
        );
        fds.extend(
            exchange
                .writes()
                .map(|fd| PollFd::new(fd, PollFlags::POLLOUT)),
        );
        let (ready, ended) = match poll(&mut fds, until(exchange.deadline())) {
            Ok(n) => (n > 0, fds[0].any() == Some(true)),
            Err(Errno::EINTR) => {
                if interrupted() {
                    exchange.interrupt(program)?;
                }
                continue;
            }
            Err(errno) => return Err(EngineError::system("poll")(errno)),
        };
        if !ready {
            exchange.expire(program)?;
        }
        exchange.advance(program, &mut buffer)?;
        if ended {
            return exchange.finish(program, &mut buffer);
        }
    }
}

impl Container {
    /// As [`Program::communicate`].
    ///
    /// # Errors
    /// A fork's handle.
    pub fn communicate(
        &mut self,
        input: Option<&[u8]>,
        timeout: Option<Duration>,
        max_output: Option<u64>,
        interrupted: &mut dyn FnMut() -> bool,
    ) -> Result<Communicated, EngineError> {
        communicate(self, input, timeout, max_output, interrupted)
    }
}
