//! The caller's terminal, put back to what it was when the caller is killed while it is raw.
//!
//! stdin is a socket to the caller, stdout the terminal, as it was before. One byte says that this process knows it;
//! the caller then says [`RAW`] or [`RESTORED`] each time, and closes the socket by its end, however that comes.
use std::io::{Read, stdin, stdout};
use std::os::fd::AsFd;

use fastbox_engine::daemon;
use fastbox_engine::run::{RAW, RESTORED};
use nix::errno::Errno;
use nix::sys::signal::SigSet;
use nix::sys::termios::{SetArg, tcgetattr, tcsetattr};
use nix::unistd::write;

/// Watches until the caller closes the socket.
pub fn watch() -> Result<(), Errno> {
    // What the terminal sends to its session is not for this process: it is of another one in a moment.
    SigSet::all().thread_block()?;
    // From another session it may be changed even while others have it.
    daemon::leave()?;
    let terminal = stdout();
    let before = tcgetattr(&terminal)?;
    write(stdin().as_fd(), &[RESTORED])?;
    let mut last = [RESTORED];
    while let Ok(1) = stdin().read(&mut last) {}
    if last == [RAW] {
        tcsetattr(&terminal, SetArg::TCSANOW, &before)?;
    }
    Ok(())
}
