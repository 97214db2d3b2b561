//! Feeding a container and collecting its output, until it has ended.

use super::EngineError;
use super::container::{Container, until};
use super::exit::Exit;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, poll};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

/// Bytes read at once: what a pipe holds.
const CHUNK: usize = 64 << 10;

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

impl Container {
    /// Writes `input`, reads what stdout and stderr give while they are pipes still held, and waits for the end.
    ///
    /// When `timeout` is over, both streams together exceed `max_output` bytes, or `interrupted` (called when a
    /// signal handler ran) says so, everything in the container is killed; the result has the output so far.
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
        let [stdin, stdout, stderr] = std::mem::take(&mut self.streams);
        let mut input = input.unwrap_or_default();
        let mut stdin = stdin.filter(|_| !input.is_empty());
        let mut readers = [Capture::new(stdout), Capture::new(stderr)];
        for fd in stdin
            .iter()
            .chain(readers.iter().filter_map(|reader| reader.fd.as_ref()))
        {
            fcntl(fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
                .map_err(EngineError::system("prepare a pipe"))?;
        }
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut left = max_output.unwrap_or(u64::MAX);
        let mut result = Killed::default();
        let mut buffer = Vec::new();
        loop {
            let mut fds = vec![PollFd::new(self.pidfd(), PollFlags::POLLIN)];
            fds.extend(
                readers
                    .iter()
                    .filter_map(|r| r.fd.as_ref())
                    .map(|fd| PollFd::new(fd.as_fd(), PollFlags::POLLIN)),
            );
            fds.extend(
                stdin
                    .iter()
                    .map(|fd| PollFd::new(fd.as_fd(), PollFlags::POLLOUT)),
            );
            let (ready, ended) = match poll(&mut fds, until(deadline.filter(|_| !result.killed())))
            {
                Ok(n) => (n > 0, fds[0].any() == Some(true)),
                Err(Errno::EINTR) => {
                    result.interrupted |= !result.killed() && interrupted();
                    if result.interrupted {
                        self.kill(nix::libc::SIGKILL)?;
                    }
                    continue;
                }
                Err(errno) => return Err(EngineError::system("poll")(errno)),
            };
            drop(fds);
            if !ready
                && !result.killed()
                && deadline.is_some_and(|deadline| Instant::now() >= deadline)
            {
                result.timed_out = true;
                self.kill(nix::libc::SIGKILL)?;
            }
            if let Some(fd) = &stdin {
                match nix::unistd::write(fd, input) {
                    Ok(n) => input = &input[n..],
                    Err(Errno::EAGAIN | Errno::EINTR) => {}
                    // It does not want to read it: as with subprocess, no error.
                    Err(_) => input = &[],
                }
                if input.is_empty() {
                    stdin = None;
                }
            }
            for reader in &mut readers {
                if !reader.read(&mut buffer, &mut left) && !result.killed() {
                    result.truncated = true;
                    self.kill(nix::libc::SIGKILL)?;
                }
            }
            if ended {
                break;
            }
        }
        // All writers are gone with the container: what the pipes still hold is all there is.
        for reader in &mut readers {
            result.truncated |= !reader.read(&mut buffer, &mut left);
        }
        let exit = self.ended()?;
        let [stdout, stderr] = readers.map(|reader| reader.bytes);
        Ok(Communicated {
            exit,
            stdout,
            stderr,
            timed_out: result.timed_out,
            truncated: result.truncated,
            interrupted: result.interrupted,
        })
    }
}

/// Why the container was killed.
#[derive(Default)]
struct Killed {
    timed_out: bool,
    truncated: bool,
    interrupted: bool,
}

impl Killed {
    fn killed(&self) -> bool {
        self.timed_out || self.truncated || self.interrupted
    }
}

/// One stream being collected.
struct Capture {
    fd: Option<OwnedFd>,
    bytes: Option<Vec<u8>>,
}

impl Capture {
    fn new(fd: Option<OwnedFd>) -> Capture {
        Capture {
            bytes: fd.is_some().then(Vec::new),
            fd,
        }
    }

    /// Reads what is there. False when it was more than `left`.
    fn read(&mut self, buffer: &mut Vec<u8>, left: &mut u64) -> bool {
        while let (Some(fd), Some(bytes)) = (&self.fd, &mut self.bytes) {
            buffer.resize(CHUNK, 0);
            match nix::unistd::read(fd, buffer) {
                Ok(0) => self.fd = None,
                Ok(n) => {
                    let kept = n.min(usize::try_from(*left).unwrap_or(usize::MAX));
                    bytes.extend_from_slice(&buffer[..kept]);
                    *left -= kept as u64;
                    // The pipe stays open until everything is killed: the program must not end of writing to it first.
                    if kept < n {
                        return false;
                    }
                    if n < CHUNK {
                        return true;
                    }
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return true,
                Err(_) => self.fd = None,
            }
        }
        true
    }
}
