//! fastbox-stub: what a waiting process runs. A tiny static program without libc's start-up: its own memory, no
//! copies of the caller's, nothing of the host's binary in it.
//!
//! So far it has one use: it holds a new user namespace open until the engine has written its maps.
#![no_main]
#![allow(unsafe_code)]

use fastbox_sys::raw::{nr, syscall};

/// The kernel jumps here with the stack as execve(2) leaves it; nothing of it is read.
#[unsafe(no_mangle)]
extern "C" fn stub_start() -> ! {
    // PR_SET_PDEATHSIG, SIGKILL: who waits for nobody ends with the engine that started it.
    // SAFETY: no pointers.
    unsafe { syscall(nr::PRCTL as usize, &[1, 9, 0, 0, 0, 0]) };
    // The signal is missed where the engine ended before this process could ask for it. Its end of the pipe on 0 is
    // then closed: a hang-up is reported without being asked for (poll(2)).
    let mut pipe = [0u64; 1];
    loop {
        // SAFETY: one struct pollfd of 8 bytes, fd 0 and no events; no time limit, no mask.
        let ready = unsafe { syscall(nr::PPOLL as usize, &[pipe.as_mut_ptr() as u64, 1, 0, 0, 0, 0]) };
        if ready > 0 {
            // SAFETY: no pointers.
            unsafe { syscall(nr::EXIT_GROUP as usize, &[0; 6]) };
        }
    }
}

/// Never reached: the entry point is [`stub_start`]. The C library's unused start-up file asks for it.
#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    stub_start()
}
