//! The caller's terminal in raw mode, and put back at any end.

use super::super::EngineError;
use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, pthread_sigmask};
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use std::io::{Read, Write};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// To the watchdog: the terminal is raw from now on.
pub const RAW: u8 = b'1';
/// To the watchdog: it is as it was before; from the watchdog: it knows how that is.
pub const RESTORED: u8 = b'0';

/// A terminal in raw mode. Dropping it puts the terminal back; so does the watchdog, a process of its own, when this
/// process is killed.
pub(super) struct Raw<'a> {
    terminal: BorrowedFd<'a>,
    before: Termios,
    watchdog: Child,
    line: UnixStream,
}

impl<'a> Raw<'a> {
    /// Makes `terminal` raw (cfmakeraw(3)), once the watchdog, `program`, watches it.
    pub(super) fn enter(terminal: BorrowedFd<'a>, program: &Path) -> Result<Raw<'a>, EngineError> {
        let failed = |error: std::io::Error| EngineError::System {
            operation: "start the watchdog of the terminal",
            errno: Errno::from_raw(error.raw_os_error().unwrap_or(Errno::EIO as i32)),
        };
        let before =
            tcgetattr(terminal).map_err(EngineError::system("read the terminal's settings"))?;
        let (line, theirs) = UnixStream::pair().map_err(failed)?;
        let copy = terminal.try_clone_to_owned().map_err(failed)?;
        let watchdog = Command::new(program)
            .arg("terminal")
            .env_clear()
            .stdin(OwnedFd::from(theirs))
            .stdout(copy)
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let mut raw = Raw {
            terminal,
            before,
            watchdog,
            line,
        };
        raw.line.read_exact(&mut [0]).map_err(failed)?;
        raw.again();
        Ok(raw)
    }

    /// Raw, after [`Raw::restore`].
    pub(super) fn again(&mut self) {
        let mut raw = self.before.clone();
        cfmakeraw(&mut raw);
        // A watchdog that was killed is no reason to stop, nor is a terminal that is gone: reading it ends.
        let _ = self.line.write_all(&[RAW]);
        let _ = tcsetattr(self.terminal, SetArg::TCSANOW, &raw);
    }

    /// As it was.
    pub(super) fn restore(&mut self) {
        // From the background as well: blocked, SIGTTOU does not stop who sets a terminal (tcsetattr(3)).
        let mut stop = SigSet::empty();
        stop.add(Signal::SIGTTOU);
        let mut mask = SigSet::empty();
        let _ = pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&stop), Some(&mut mask));
        let _ = tcsetattr(self.terminal, SetArg::TCSANOW, &self.before);
        let _ = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&mask), None);
        let _ = self.line.write_all(&[RESTORED]);
    }
}

impl Drop for Raw<'_> {
    fn drop(&mut self) {
        self.restore();
        // It ends at that, and lets go of the terminal.
        let _ = self.line.shutdown(std::net::Shutdown::Both);
        let _ = self.watchdog.wait();
    }
}
