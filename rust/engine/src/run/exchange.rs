//! What passes between a caller and a container's pipes, step by step, without ever blocking.

use super::communicate::Communicated;
use super::{EngineError, Program};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use std::borrow::Cow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// Bytes read at once: what a pipe holds.
const CHUNK: usize = 64 << 10;

/// The input that is left, the output so far, and why the container was killed, if it was.
pub(super) struct Exchange<'a> {
    stdin: Option<OwnedFd>,
    input: Cow<'a, [u8]>,
    sent: usize,
    readers: [Capture; 2],
    deadline: Option<Instant>,
    left: u64,
    timed_out: bool,
    truncated: bool,
    interrupted: bool,
}

impl<'a> Exchange<'a> {
    /// Takes a program's pipes. `timeout` begins now.
    pub(super) fn new(
        program: &mut dyn Program,
        input: Cow<'a, [u8]>,
        timeout: Option<Duration>,
        max_output: Option<u64>,
    ) -> Result<Exchange<'a>, EngineError> {
        let [mut stdin, mut stdout, stderr, terminal] = program.take_streams();
        let one_by_one = terminal.is_some();
        if let Some(terminal) = terminal {
            let copy = terminal.try_clone();
            stdin = Some(copy.map_err(|_| EngineError::system("copy an fd")(Errno::EMFILE))?);
            stdout = Some(terminal);
        }
        let mut exchange = Exchange {
            stdin: stdin.filter(|_| !input.is_empty()),
            input,
            sent: 0,
            readers: [Capture::new(stdout), Capture::new(stderr)],
            deadline: timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
            left: max_output.unwrap_or(u64::MAX),
            timed_out: false,
            truncated: false,
            interrupted: false,
        };
        exchange.readers[0].one_by_one = one_by_one;
        for fd in exchange.reads().chain(exchange.writes()) {
            fcntl(fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
                .map_err(EngineError::system("prepare a pipe"))?;
        }
        Ok(exchange)
    }

    /// Pipes that output may come from.
    pub(super) fn reads(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.readers
            .iter()
            .filter_map(|r| r.fd.as_ref())
            .map(AsFd::as_fd)
    }

    /// The pipe that takes input, while there is some.
    pub(super) fn writes(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.stdin.iter().map(AsFd::as_fd)
    }

    /// When time is up, unless the container was killed already.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline.filter(|_| !self.killed())
    }

    fn killed(&self) -> bool {
        self.timed_out || self.truncated || self.interrupted
    }

    /// Writes and reads what can be, and kills the program if its output is too long.
    pub(super) fn advance(
        &mut self,
        program: &dyn Program,
        buffer: &mut Vec<u8>,
    ) -> Result<(), EngineError> {
        if let Some(fd) = &self.stdin {
            match nix::unistd::write(fd, &self.input[self.sent..]) {
                Ok(n) => self.sent += n,
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                // It does not want to read it: as with subprocess, no error.
                Err(_) => self.sent = self.input.len(),
            }
            if self.sent == self.input.len() {
                self.stdin = None;
            }
        }
        let killed = self.killed();
        for reader in &mut self.readers {
            if !reader.read(buffer, &mut self.left) && !killed && !self.truncated {
                self.truncated = true;
                program.kill_all()?;
            }
        }
        Ok(())
    }

    /// Kills the program if its time is up.
    pub(super) fn expire(&mut self, program: &dyn Program) -> Result<(), EngineError> {
        if self
            .deadline()
            .is_some_and(|deadline| Instant::now() >= deadline)
        {
            self.timed_out = true;
            program.kill_all()?;
        }
        Ok(())
    }

    /// Kills the program because the caller wants no more of it.
    pub(super) fn interrupt(&mut self, program: &dyn Program) -> Result<(), EngineError> {
        if !self.killed() {
            self.interrupted = true;
            program.kill_all()?;
        }
        Ok(())
    }

    /// The end of a program whose pidfd says that it has ended.
    pub(super) fn finish(
        mut self,
        program: &dyn Program,
        buffer: &mut Vec<u8>,
    ) -> Result<Communicated, EngineError> {
        // All writers are gone with a container: what the pipes still hold is all there is. Whom a program in another's
        // has left behind is not waited for.
        for reader in &mut self.readers {
            self.truncated |= !reader.read(buffer, &mut self.left);
        }
        let exit = program.ended()?;
        let [stdout, stderr] = self.readers.map(|reader| reader.bytes);
        Ok(Communicated {
            exit,
            stdout,
            stderr,
            timed_out: self.timed_out,
            truncated: self.truncated,
            interrupted: self.interrupted,
        })
    }
}

/// One stream being collected.
struct Capture {
    fd: Option<OwnedFd>,
    bytes: Option<Vec<u8>>,
    /// A terminal: one read gives less than there is.
    one_by_one: bool,
}

impl Capture {
    fn new(fd: Option<OwnedFd>) -> Capture {
        Capture {
            bytes: fd.is_some().then(Vec::new),
            fd,
            one_by_one: false,
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
                    if n < CHUNK && !self.one_by_one {
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
