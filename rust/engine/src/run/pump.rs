//! The command line's side of a container: streams passed through in bounded memory, signals passed on.

use super::EngineError;
use super::communicate::Communicated;
use super::container::{Container, until};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, pthread_sigmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// Bytes passed on at once.
const CHUNK: usize = 64 << 10;
/// So many times SIGINT or SIGTERM, and the container is killed.
const PATIENCE: u32 = 3;

/// How to pass streams through.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pump {
    /// Kill everything in the container after this time.
    pub timeout: Option<Duration>,
    /// Kill it when both streams together exceed so many bytes.
    pub max_output: Option<u64>,
    /// Pass this process's signals on to the container's first process; the third Ctrl-C kills.
    pub signals: bool,
}

impl Container {
    /// Passes `stdin` in, output out, until the container has ended. The memory used does not depend on how much.
    ///
    /// # Errors
    /// A fork's handle; an output that cannot be written to, other than one whose reader has gone: then, as with a
    /// pipe of the program's own, its next write fails.
    pub fn pump(
        &mut self,
        stdin: Option<BorrowedFd<'_>>,
        stdout: BorrowedFd<'_>,
        stderr: BorrowedFd<'_>,
        how: Pump,
    ) -> Result<Communicated, EngineError> {
        let signals = how.signals.then(Signals::take).transpose()?;
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
        let (mut timed_out, mut truncated, mut stops) = (false, false, 0);
        let mut buffer = vec![0; CHUNK];
        loop {
            let mut fds = vec![PollFd::new(self.pidfd(), PollFlags::POLLIN)];
            fds.extend(
                signals
                    .iter()
                    .map(|s| PollFd::new(s.fd.as_fd(), PollFlags::POLLIN)),
            );
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
                self.kill(nix::libc::SIGKILL)?;
            }
            for signal in signals.iter().flat_map(Signals::read) {
                stops += u32::from(signal == nix::libc::SIGINT || signal == nix::libc::SIGTERM);
                self.kill(if stops >= PATIENCE {
                    nix::libc::SIGKILL
                } else {
                    signal
                })?;
            }
            for output in &mut outputs {
                if !output.pass(&mut buffer, &mut left)? && !truncated {
                    truncated = true;
                    self.kill(nix::libc::SIGKILL)?;
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
        let exit = self.ended()?;
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
    to: BorrowedFd<'a>,
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
        while !rest.is_empty() {
            match nix::unistd::write(self.to, rest) {
                Ok(written) => rest = &rest[written..],
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => {
                    let _ = poll(
                        &mut [PollFd::new(self.to, PollFlags::POLLOUT)],
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

/// This thread's signals as a file, all but those that are about this process itself.
struct Signals {
    fd: SignalFd,
    before: SigSet,
}

impl Signals {
    fn take() -> Result<Signals, EngineError> {
        let mut set = SigSet::all();
        for own in [
            Signal::SIGCHLD,
            Signal::SIGPIPE,
            Signal::SIGURG,
            Signal::SIGSEGV,
            Signal::SIGBUS,
            Signal::SIGFPE,
            Signal::SIGILL,
            Signal::SIGTSTP,
            Signal::SIGTTIN,
            Signal::SIGTTOU,
            Signal::SIGCONT,
        ] {
            set.remove(own);
        }
        let mut before = SigSet::empty();
        pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&set), Some(&mut before))
            .map_err(EngineError::system("block signals"))?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        let fd =
            SignalFd::with_flags(&set, flags).map_err(EngineError::system("receive signals"))?;
        Ok(Signals { fd, before })
    }

    fn read(&self) -> Vec<i32> {
        let mut signals = Vec::new();
        while let Ok(Some(info)) = self.fd.read_signal() {
            signals.push(info.ssi_signo as i32);
        }
        signals
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        let _ = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&self.before), None);
    }
}
