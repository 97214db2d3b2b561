//! This thread's signals as a file.

use super::EngineError;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, pthread_sigmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;
use std::os::fd::{AsFd, BorrowedFd};

/// The signals that come while it lives.
pub(super) struct Signals {
    fd: SignalFd,
    before: SigSet,
}

impl Signals {
    /// Takes all but those that are about this process itself, to pass them on; else those that end it, stop it or
    /// tell it of its terminal.
    pub(super) fn take(to_pass_on: bool) -> Result<Signals, EngineError> {
        use Signal::*;
        let mut set = SigSet::empty();
        if to_pass_on {
            set = SigSet::all();
            for own in [
                SIGCHLD, SIGPIPE, SIGURG, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTTIN, SIGTTOU,
            ] {
                set.remove(own);
            }
        } else {
            set.extend([SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH]);
        }
        let mut before = SigSet::empty();
        pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&set), Some(&mut before))
            .map_err(EngineError::system("block signals"))?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        let fd =
            SignalFd::with_flags(&set, flags).map_err(EngineError::system("receive signals"))?;
        Ok(Signals { fd, before })
    }

    /// Readable when there are some.
    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Those that came.
    pub(super) fn read(&self) -> Vec<i32> {
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

/// Stops the process as SIGTSTP would have if it were not a file, and comes back when it goes on.
pub(super) fn stop() {
    let mut stop = SigSet::empty();
    stop.add(Signal::SIGTSTP);
    let _ = kill(Pid::this(), Signal::SIGTSTP);
    // Now it comes.
    let _ = pthread_sigmask(SigmaskHow::SIG_UNBLOCK, Some(&stop), None);
    let _ = pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&stop), None);
}
