//! The size of a terminal (ioctl_tty(2)).

use nix::errno::Errno;
use std::os::fd::{AsFd, AsRawFd};

/// Rows and columns of a terminal; None of what is none.
pub fn size(terminal: impl AsFd) -> Option<(u16, u16)> {
    let mut size = [0u16; 4];
    let fd = terminal.as_fd().as_raw_fd();
    // SAFETY: `size` is a struct winsize, four numbers of 16 bits.
    let asked = unsafe { libc::ioctl(fd, libc::TIOCGWINSZ, size.as_mut_ptr()) };
    Errno::result(asked).ok().map(|_| (size[0], size[1]))
}

/// Gives it another; the programs in its foreground get SIGWINCH if it is another.
pub fn resize(terminal: impl AsFd, rows: u16, columns: u16) -> Result<(), Errno> {
    let size = [rows, columns, 0, 0];
    let fd = terminal.as_fd().as_raw_fd();
    // SAFETY: `size` is a struct winsize, four numbers of 16 bits.
    Errno::result(unsafe { libc::ioctl(fd, libc::TIOCSWINSZ, size.as_ptr()) }).map(drop)
}
