//! The first process of a container with `--init`: it starts the program, hands signals on to it, waits for every
//! process that has lost its parent, and ends as the program does; the kernel then ends what is left.

use crate::{NOTHING, exit};
use fastbox_sys::raw::{nr, syscall};

const SIGCHLD: i32 = 17;
const SIG_SETMASK: u64 = 2;
const WNOHANG: u64 = 1;
const EINTR: isize = -4;
const PR_SET_NAME: u64 = 15;
const PR_SET_CHILD_SUBREAPER: u64 = 36;
const TIOCSPGRP: u64 = 0x5410;

/// Makes a child that goes on for this process, which from then on is its init and never comes back. 0 in the child; an
/// errno where none could be made. `report` is what the child will say over that it could not execute its program, and
/// closes as it does.
pub fn split(report: u64) -> i32 {
    let (all, none) = (u64::MAX, 0u64);
    mask(&all);
    let name = b"init\0";
    let name = [PR_SET_NAME, name.as_ptr() as u64, 0, 0, 0, 0];
    // Where the processes are not its own (`--pid host`), orphans would otherwise be the machine's.
    let adopt = [PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0, 0];
    // SAFETY: a name with its NUL, which lives as long as the call; no pointers; a copy of this process, as fork(2)
    // makes it, with nothing shared.
    let child = unsafe {
        syscall(nr::PRCTL as usize, &name);
        syscall(nr::PRCTL as usize, &adopt);
        syscall(nr::CLONE as usize, &[SIGCHLD as u64, 0, 0, 0, 0, 0])
    };
    if child == 0 {
        lead();
        mask(&none);
        return 0;
    }
    if child < 0 {
        return -child as i32;
    }
    // SAFETY: no pointers; the child has a copy.
    unsafe { syscall(nr::CLOSE as usize, &[report, 0, 0, 0, 0, 0]) };
    serve(child as i32, &all)
}

/// Makes this process lead a group of its own, the foreground of the terminal if there is one: what a terminal
/// sends is for the program, and reaches it once.
fn lead() {
    // SAFETY: no pointers; then one to a pid on this stack.
    unsafe {
        syscall(nr::SETPGID as usize, &[0; 6]);
        let own = syscall(nr::GETPID as usize, &[0; 6]) as i32;
        let group = &raw const own;
        syscall(nr::IOCTL as usize, &[0, TIOCSPGRP, group as u64, 0, 0, 0]);
    }
}

/// Takes signals until the child has ended.
fn serve(child: i32, all: &u64) -> ! {
    let mut info = [0u64; 16];
    loop {
        let wait = [&raw const *all as u64, info.as_mut_ptr() as u64, 0, 8, 0, 0];
        // SAFETY: a signal set of 8 bytes, and siginfo_t of 128.
        match unsafe { syscall(nr::RT_SIGTIMEDWAIT as usize, &wait) } {
            EINTR => {}
            signal if signal == SIGCHLD as isize => reap(child),
            signal if signal > 0 => {
                let call = [child as u64, signal as u64, 0, 0, 0, 0];
                // SAFETY: no pointers. A child that has just ended is told of by the next signal.
                unsafe { syscall(nr::KILL as usize, &call) };
            }
            // A filter that does not let it wait.
            _ => exit(NOTHING),
        }
    }
}

/// Waits for all that have ended; with the program's end it ends, too (wait(2)).
fn reap(child: i32) {
    loop {
        let mut status = 0i32;
        let any = -1i64 as u64;
        let call = [any, &raw mut status as u64, WNOHANG, 0, 0, 0];
        // SAFETY: the status is written where it lies.
        let ended = unsafe { syscall(nr::WAIT4 as usize, &call) };
        if ended <= 0 {
            return;
        }
        if ended as i32 == child {
            let signal = status & 0x7f;
            exit(match signal {
                0 => (status >> 8 & 0xff) as u64,
                signal => 128 + signal as u64,
            });
        }
    }
}

/// Sets which signals wait.
fn mask(set: &u64) {
    let call = [SIG_SETMASK, &raw const *set as u64, 0, 8, 0, 0];
    // SAFETY: a signal set of 8 bytes.
    unsafe { syscall(nr::RT_SIGPROCMASK as usize, &call) };
}
