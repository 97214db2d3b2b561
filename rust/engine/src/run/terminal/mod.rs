//! The command line's side of a container with a terminal: keys in, what it shows out, its size, stops and signals.

mod flow;
mod keys;
mod raw;

use super::Container;
use super::communicate::Communicated;
use super::program::until;
use super::programs::monitor;
use super::pump::{PATIENCE, Pump};
use super::signals::Signals;
use super::{EngineError, signals};
use fastbox_sys::terminal;
use flow::Flow;
use keys::Keys;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::libc::{SIGCONT, SIGHUP, SIGINT, SIGKILL, SIGTERM, SIGTSTP, SIGWINCH};
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::stat::{Mode, SFlag, fstat};
use raw::Raw;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

pub use raw::{RAW, RESTORED};

/// How long a container may go on after the caller's terminal is gone, which is told by a hang-up of its own.
const FAREWELL: Duration = Duration::from_secs(10);
/// How often to look whether somebody has opened the container's terminal again.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What is said where the detach keys are pressed.
const NO_DETACHING: &str =
    "fastbox: detaching needs containers that live on, which there are not yet; this one goes on";

impl Container {
    /// Passes `stdin` on to the container's terminal and what that shows to `stdout`, until the container has ended.
    /// Where `stdin` is a terminal, it is raw meanwhile. The container's terminal has the size of `stdout`'s.
    ///
    /// # Errors
    /// A fork's handle; a terminal that cannot be made raw.
    pub(super) fn converse(
        &mut self,
        theirs: OwnedFd,
        stdin: Option<BorrowedFd<'_>>,
        stdout: Option<BorrowedFd<'_>>,
        signals: Signals,
        how: &Pump<'_>,
    ) -> Result<Communicated, EngineError> {
        fcntl(&theirs, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
            .map_err(EngineError::system("prepare the terminal"))?;
        let raw = stdin
            .filter(|fd| nix::unistd::isatty(fd).unwrap_or(false))
            .map(|fd| Raw::enter(fd, &monitor()))
            .transpose()?;
        let own = stdout.and_then(waiting_for_nobody);
        let mut talk = Talk {
            theirs: Some(theirs),
            closed: false,
            stdin,
            stdout: own.as_ref().map(AsFd::as_fd).or(stdout),
            keys: Keys::new(how.detach_keys),
            typed: Flow::new(),
            shown: Flow::new(),
            left: how.max_output.unwrap_or(u64::MAX),
            cut: false,
            raw,
        };
        talk.fit();
        let deadline = how
            .timeout
            .and_then(|timeout| Instant::now().checked_add(timeout));
        let (mut timed_out, mut truncated, mut stops, mut killed_by) = (false, false, 0, None);
        let mut alone = None;
        loop {
            if talk.is_alone() {
                // Before waiting: nothing may come any more.
                let until = *alone.get_or_insert_with(|| Instant::now() + FAREWELL);
                talk.theirs = None;
                if killed_by.is_none() && Instant::now() >= until {
                    killed_by = Some(SIGHUP);
                    self.kill(SIGKILL)?;
                }
            }
            let killed = timed_out || truncated || stops >= PATIENCE || killed_by.is_some();
            let next = match (deadline, alone) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
            let ready = talk.wait(self.pidfd(), &signals, next.filter(|_| !killed))?;
            if ready.ended && (killed || talk.is_over(ready)) {
                break;
            }
            if !ready.ended && !killed && deadline.is_some_and(|at| Instant::now() >= at) {
                timed_out = true;
                self.kill(SIGKILL)?;
            }
            for signal in signals.read() {
                match signal {
                    SIGWINCH => talk.fit(),
                    SIGTSTP => talk.stop(),
                    SIGCONT => talk.go_on(),
                    _ if !how.signals => {
                        killed_by = killed_by.or(Some(signal));
                        self.kill(SIGKILL)?;
                    }
                    _ => {
                        stops += u32::from(signal == SIGINT || signal == SIGTERM);
                        self.kill(if stops >= PATIENCE { SIGKILL } else { signal })?;
                    }
                }
            }
            talk.pass(ready);
            if talk.cut && !truncated {
                truncated = true;
                self.kill(SIGKILL)?;
            }
        }
        drop(talk);
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

/// What poll(2) said.
#[derive(Clone, Copy)]
struct Ready {
    ended: bool,
    stdin: bool,
    theirs: bool,
}

/// The two terminals and what is between them.
struct Talk<'a> {
    theirs: Option<OwnedFd>,
    /// Nobody has the other side open, for now.
    closed: bool,
    stdin: Option<BorrowedFd<'a>>,
    stdout: Option<BorrowedFd<'a>>,
    keys: Keys<'a>,
    typed: Flow,
    shown: Flow,
    /// Bytes that may still be shown.
    left: u64,
    /// There was more.
    cut: bool,
    raw: Option<Raw<'a>>,
}

impl Talk<'_> {
    /// Waits until something can be passed on, comes or ends. A slow side makes the other wait, never the process.
    fn wait(
        &self,
        pidfd: BorrowedFd<'_>,
        signals: &Signals,
        deadline: Option<Instant>,
    ) -> Result<Ready, EngineError> {
        let nothing = PollFlags::empty();
        let soon = self.closed.then(|| Instant::now() + LOOK_EVERY);
        let timeout = until(deadline.into_iter().chain(soon).min());
        let reads = |flow: &Flow| match flow.is_empty() {
            true => PollFlags::POLLIN,
            false => nothing,
        };
        let writes = |flow: &Flow| match flow.is_empty() {
            true => nothing,
            false => PollFlags::POLLOUT,
        };
        let mut fds = vec![
            PollFd::new(pidfd, PollFlags::POLLIN),
            PollFd::new(signals.as_fd(), PollFlags::POLLIN),
        ];
        let mut places = [None; 3];
        let wanted = [
            (self.stdin, reads(&self.typed)),
            (self.stdout, writes(&self.shown)),
            (
                self.theirs
                    .as_ref()
                    .map(AsFd::as_fd)
                    .filter(|_| !self.closed),
                reads(&self.shown) | writes(&self.typed),
            ),
        ];
        for (place, (fd, flags)) in places.iter_mut().zip(wanted) {
            // A hang-up is told unasked, again and again.
            if let Some(fd) = fd.filter(|_| flags != nothing) {
                *place = Some(fds.len());
                fds.push(PollFd::new(fd, flags));
            }
        }
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(EngineError::system("poll")(errno)),
        }
        let any = |at: usize| fds[at].any() == Some(true);
        let [stdin, _, theirs] = places.map(|place| place.is_some_and(any));
        Ok(Ready {
            ended: any(0),
            stdin,
            theirs,
        })
    }

    fn pass(&mut self, ready: Ready) {
        if ready.stdin
            && let Some(stdin) = self.stdin
        {
            if !self.typed.read(stdin) {
                self.stdin = None;
            }
            if self.keys.pressed(self.typed.bytes()) {
                // Raw, or not: the line begins at the left.
                let _ = write!(std::io::stderr(), "\r\n{NO_DETACHING}\r\n");
            }
        }
        let Some(theirs) = &self.theirs else { return };
        // What is typed is lost where nobody has the terminal open any more.
        self.typed.write(theirs.as_fd());
        if (ready.theirs || self.closed) && self.shown.is_empty() {
            // Who has closed it may open it again, by its name.
            self.closed = !self.shown.read(theirs.as_fd());
            let (length, kept) = (self.shown.bytes().len(), usize::try_from(self.left));
            self.shown.bytes().truncate(kept.unwrap_or(usize::MAX));
            self.left -= self.shown.bytes().len() as u64;
            self.cut |= self.shown.bytes().len() < length;
        }
        match self.stdout {
            None => self.shown.bytes().clear(),
            // Nobody looks: to the program its terminal is hung up.
            Some(stdout) if !self.shown.write(stdout) => self.theirs = None,
            Some(_) => {}
        }
    }

    /// Whether everything that the container has shown is passed on, given that it has ended.
    fn is_over(&self, ready: Ready) -> bool {
        self.shown.is_empty() && (self.theirs.is_none() || self.closed || !ready.theirs)
    }

    /// Whether the caller's terminal, which was raw, is gone.
    fn is_alone(&self) -> bool {
        self.raw.is_some() && self.stdin.is_none()
    }

    /// Gives the container's terminal the size of the caller's.
    fn fit(&self) {
        let size = self.stdout.and_then(terminal::size);
        if let (Some((rows, columns)), Some(theirs)) = (size, &self.theirs) {
            let _ = terminal::resize(theirs, rows, columns);
        }
    }

    /// Stops this process as who asked for it wants, with the terminal as it was.
    fn stop(&mut self) {
        if let Some(raw) = &mut self.raw {
            raw.restore();
        }
        signals::stop();
        self.go_on();
    }

    /// After a stop: the terminal may have been changed, and have changed its size.
    fn go_on(&mut self) {
        if let Some(raw) = &mut self.raw {
            raw.again();
        }
        self.fit();
    }
}

/// The same terminal or pipe opened again, so that writing never waits: the flag is the open file's, and the caller
/// shares that one with others (fcntl(2)). None where it cannot be, or is something else.
fn waiting_for_nobody(fd: BorrowedFd<'_>) -> Option<OwnedFd> {
    let kind = SFlag::from_bits_truncate(fstat(fd).ok()?.st_mode) & SFlag::S_IFMT;
    if kind != SFlag::S_IFIFO && !nix::unistd::isatty(fd).ok()? {
        return None;
    }
    let flags = OFlag::O_WRONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    open(path.as_str(), flags, Mode::empty()).ok()
}
