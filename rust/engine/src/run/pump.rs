//! The command line's side of a container: streams passed through in bounded memory, signals passed on.

use super::Container;
use super::EngineError;
use super::communicate::Communicated;
use super::program::until;
use super::signals::{self, Signals};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc::{SIGCONT, SIGINT, SIGKILL, SIGTERM, SIGTSTP, SIGWINCH};
use nix::poll::{PollFd, PollFlags, poll};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// Bytes passed on at once.
const CHUNK: usize = 64 << 10;
/// So many times SIGINT or SIGTERM, and the container is killed.
pub(super) const PATIENCE: u32 = 3;

/// How to pass streams through.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pump<'a> {
    /// Kill everything in the container after this time.
    pub timeout: Option<Duration>,
    /// Kill it when both streams together exceed so many bytes.
    pub max_output: Option<u64>,
    /// Pass this process's signals on to the container's first process; the third Ctrl-C kills. Else those that
    /// would end this process end the container.
    pub signals: bool,
    /// Keys of a terminal that are kept for detaching from the container; none where empty.
    pub detach_keys: &'a [u8],
}

impl Container {
    /// Passes `stdin` in, output out, until the container has ended. The memory used does not depend on how much. None
    /// stands for a stream that nobody wants. A terminal, where the container has one, is shown on `stdout`.
    ///
    /// # Errors
    /// A fork's handle; an output that cannot be written to, other than one whose reader has gone: then, as with a
    /// pipe of the program's own, its next write fails.
    pub fn pump(
        &mut self,
        stdin: Option<BorrowedFd<'_>>,
        stdout: Option<BorrowedFd<'_>>,
        stderr: Option<BorrowedFd<'_>>,
        how: Pump<'_>,
    ) -> Result<Communicated, EngineError> {
        let signals = Signals::take(how.signals)?;
        if let Some(terminal) = self.terminal.take() {
            return self.converse(terminal, stdin, stdout.or(stderr), signals, &how);
        }
        let [their_stdin, their_stdout, their_stderr] = std::mem::take(&mut self.streams);
        let mut input = stdin.zip(their_stdin).map(|(from, to)| Input {
            from,
            to,
            waiting: Vec::new(),
            at: 0,
            over: false,
        });
        let mut outputs = [
            Output {
                from: their_stdout,
                to: stdout,
            },
            Output {
                from: their_stderr,
                to: stderr,
            },
        ];
        for fd in input
            .iter()
            .map(|i| &i.to)
            .chain(outputs.iter().filter_map(|o| o.from.as_ref()))
        {
            fcntl(fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
                .map_err(EngineError::system("prepare a pipe"))?;
        }
        let deadline = how
            .timeout
            .and_then(|timeout| Instant::now().checked_add(timeout));
        let mut left = how.max_output.unwrap_or(u64::MAX);
        let (mut timed_out, mut truncated, mut stops, mut killed_by) = (false, false, 0, None);
        let mut buffer = vec![0; CHUNK];
        loop {
            let mut fds = vec![
                PollFd::new(self.pidfd(), PollFlags::POLLIN),
                PollFd::new(signals.as_fd(), PollFlags::POLLIN),
            ];
            fds.extend(
                outputs
                    .iter()
                    .filter_map(|o| o.from.as_ref())
                    .map(|fd| PollFd::new(fd.as_fd(), PollFlags::POLLIN)),
            );
            if let Some(input) = &input {
                fds.push(match input.waiting.is_empty() {
                    true => PollFd::new(input.from, PollFlags::POLLIN),
                    false => PollFd::new(input.to.as_fd(), PollFlags::POLLOUT),
                });
            }
            match poll(
                &mut fds,
                until(deadline.filter(|_| !timed_out && !truncated)),
            ) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(EngineError::system("poll")(errno)),
            }
            let ended = fds[0].any() == Some(true);
            let input_ready = input.is_some() && fds.last().and_then(PollFd::any) == Some(true);
            drop(fds);
            if !timed_out && !ended && deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                timed_out = true;
                self.kill(SIGKILL)?;
            }
            for signal in signals.read() {
                match signal {
                    _ if how.signals => {
                        stops += u32::from(signal == SIGINT || signal == SIGTERM);
                        self.kill(if stops >= PATIENCE { SIGKILL } else { signal })?;
                    }
                    SIGTSTP => signals::stop(),
                    SIGCONT | SIGWINCH => {}
                    _ => {
                        killed_by = killed_by.or(Some(signal));
                        self.kill(SIGKILL)?;
                    }
                }
            }
            for output in &mut outputs {
                if !output.pass(&mut buffer, &mut left)? && !truncated {
                    truncated = true;
                    self.kill(SIGKILL)?;
                }
            }
            if input_ready && let Some(i) = &mut input {
                i.pass(&mut buffer);
                if i.over && i.waiting.is_empty() {
                    input = None;
                }
            }
            if ended && outputs.iter_mut().all(|output| output.from.is_none()) {
                break;
            }
            if ended {
                // Its writers are gone: what is left in the pipes is passed on, then they end.
                for output in &mut outputs {
                    while output.from.is_some() {
                        truncated |= !output.pass(&mut buffer, &mut left)?;
                        if output.is_dry() {
                            output.from = None;
                        }
                    }
                }
                break;
            }
        }
        let mut exit = self.ended()?;
        if let Some(signal) = killed_by {
            exit.code = 128 + signal;
        }
        Ok(Communicated {
            exit,
            stdout: None,
            stderr: None,
            timed_out,
            truncated,
            interrupted: false,
        })
    }
}

/// The caller's stdin on its way in.
struct Input<'a> {
    from: BorrowedFd<'a>,
    to: OwnedFd,
    waiting: Vec<u8>,
    at: usize,
    over: bool,
}

impl Input<'_> {
    fn pass(&mut self, buffer: &mut [u8]) {
        if self.waiting.is_empty() {
            match nix::unistd::read(self.from, buffer) {
                Ok(0) => self.over = true,
                Ok(n) => self.waiting.extend_from_slice(&buffer[..n]),
                Err(Errno::EINTR | Errno::EAGAIN) => return,
                Err(_) => self.over = true,
            }
        }
        while self.at < self.waiting.len() {
            match nix::unistd::write(&self.to, &self.waiting[self.at..]) {
                Ok(n) => self.at += n,
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return,
                // The program has closed its input: nobody will read the rest.
                Err(_) => {
                    self.over = true;
                    break;
                }
            }
        }
        self.waiting.clear();
        self.at = 0;
    }
}

/// One stream on its way out.
struct Output<'a> {
    from: Option<OwnedFd>,
    to: Option<BorrowedFd<'a>>,
}

impl Output<'_> {
    /// Passes on what one read gives. False when it was more than `left`.
    fn pass(&mut self, buffer: &mut [u8], left: &mut u64) -> Result<bool, EngineError> {
        let Some(from) = &self.from else {
            return Ok(true);
        };
        let n = match nix::unistd::read(from, buffer) {
            Ok(n) => n,
            Err(Errno::EINTR | Errno::EAGAIN) => return Ok(true),
            Err(_) => 0,
        };
        let kept = n.min(usize::try_from(*left).unwrap_or(usize::MAX));
        *left -= kept as u64;
        let mut rest = &buffer[..kept];
        while let Some(to) = self.to.filter(|_| !rest.is_empty()) {
            match nix::unistd::write(to, rest) {
                Ok(written) => rest = &rest[written..],
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => {
                    let _ = poll(
                        &mut [PollFd::new(to, PollFlags::POLLOUT)],
                        nix::poll::PollTimeout::NONE,
                    );
                }
                // Nobody reads it: closing the pipe tells the program, as it would without us.
                Err(Errno::EPIPE) => {
                    self.from = None;
                    return Ok(true);
                }
                Err(errno) => return Err(EngineError::system("write the program's output")(errno)),
            }
        }
        if n == 0 {
            self.from = None;
        }
        Ok(kept == n)
    }

    fn is_dry(&self) -> bool {
        let Some(from) = &self.from else { return true };
        let mut fds = [PollFd::new(from.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, nix::poll::PollTimeout::ZERO) == Ok(0)
    }
}
