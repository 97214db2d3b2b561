//! Programs run in this thread: which fds are whose afterwards.
#![cfg(feature = "std")]

use fastbox_sys::builder::{Builder, Slot};
use fastbox_sys::launch::Launch;
use std::os::fd::AsRawFd;

#[test]
fn what_a_program_closed_is_nobodys() {
    let mut b = Builder::new();
    let (closed, kept) = (b.slot(), b.slot());
    b.open(None, "/dev/null", 0, closed)
        .close(closed)
        .open(None, "/dev/zero", 0, kept);
    let mut launch = Launch::new();
    launch.run(&b.finish(), false).unwrap();
    assert!(launch.take_fd(closed).is_none());
    assert!(launch.take_fd(kept).is_some());
}

#[test]
fn what_a_failed_program_had_open_is_closed_once() {
    let mut b = Builder::new();
    let (closed, open) = (b.slot(), b.slot());
    b.open(None, "/dev/null", 0, closed)
        .close(closed)
        .open(None, "/dev/zero", 0, open)
        .chdir("/no/such/directory");
    let mut launch = Launch::new();
    let failure = launch.run(&b.finish(), false).unwrap_err();
    assert_eq!((failure.step, failure.errno), (Some(3), 2));
    assert!(launch.take_fd(Slot(closed.0)).is_none());
    assert!(launch.take_fd(Slot(open.0)).is_none());
    // The lowest number is free again.
    let first = std::fs::File::open("/dev/null").unwrap().as_raw_fd();
    let again = std::fs::File::open("/dev/null").unwrap().as_raw_fd();
    assert_eq!(first, again);
}
