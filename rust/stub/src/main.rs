//! fastbox-stub: what a process of ours runs inside. A tiny static program without libc's start-up: its own memory,
//! no copies of the caller's, nothing of the host's binary in it.
//!
//! `fastbox-stub hold` holds a new user namespace open until the engine has written its maps.
//! `fastbox-stub exec FD PATH... '' [ARG...]` executes the first PATH that is there with these arguments, and writes
//! its errno to FD if it cannot.
//! `fastbox-stub init FD PATH... '' [ARG...]` does so in a child and is the first process of the container for it.
//! `fastbox-stub wait FD` waits until it is told over the socket FD what to execute (`fastbox_sys::order`);
//! `fastbox-stub wait-init FD` is the init of it then.
//! `fastbox-stub join FD` reads a program of system calls from the socket FD, and runs it: into a running container
//! (`fastbox_sys::entry`).
#![no_main]
// As it ships: the standard library's words for a panic, which cannot be, would be nine tenths of it, and it is copied
// into memory for each calling process. A build of the whole workspace unwinds, for which std is needed.
#![cfg_attr(panic = "abort", no_std)]
// Where this runs nothing is linked to it at run time, so the compiler must not call memset, strlen and their like.
#![no_builtins]
#![allow(unsafe_code)]

mod enter;
mod exec;
mod init;
mod wait;

use core::arch::global_asm;
use fastbox_sys::raw::{nr, syscall};

// The kernel jumps here with the number of arguments, the arguments, a null, the environment and a null on the stack.
#[cfg(target_arch = "x86_64")]
global_asm!(
    ".globl stub_start",
    "stub_start:",
    "xor ebp, ebp",
    "mov rdi, rsp",
    "and rsp, -16",
    "call {begin}",
    begin = sym begin,
);
#[cfg(target_arch = "aarch64")]
global_asm!(
    ".globl stub_start",
    "stub_start:",
    "mov x29, xzr",
    "mov x0, sp",
    "bl {begin}",
    begin = sym begin,
);

/// No program to execute, as the shell reports it.
pub(crate) const NOTHING: u64 = 127;

/// # Safety
/// `stack` is as execve(2) leaves it.
unsafe extern "C" fn begin(stack: *mut *const u8) -> ! {
    // SAFETY: by the contract, the first word is the number of the strings that follow before a null.
    unsafe {
        let count = stack as *const usize;
        let words = stack.add(1);
        if *count >= 2 {
            match **words.add(1) {
                b'h' => hold(),
                b'e' if *count >= 5 => exec::from_words(words, *count, false),
                b'j' if *count >= 3 => enter::enter(exec::number(*words.add(2))),
                b'i' if *count >= 5 => exec::from_words(words, *count, true),
                b'w' if *count >= 3 => {
                    let init = *(*words.add(1)).add(b"wait".len()) != 0;
                    wait::wait(exec::number(*words.add(2)), init)
                }
                _ => {}
            }
        }
    }
    exit(NOTHING)
}

fn hold() -> ! {
    // PR_SET_PDEATHSIG, SIGKILL: who waits for nobody ends with the engine that started it.
    // SAFETY: no pointers.
    unsafe { syscall(nr::PRCTL as usize, &[1, 9, 0, 0, 0, 0]) };
    // The signal is missed where the engine ended before this process could ask for it. Its end of the pipe on 0 is
    // then closed: a hang-up is reported without being asked for (poll(2)).
    let mut pipe = [0u64; 1];
    loop {
        // SAFETY: one struct pollfd of 8 bytes, fd 0 and no events; no time limit, no mask.
        let ready = unsafe {
            syscall(
                nr::PPOLL as usize,
                &[pipe.as_mut_ptr() as u64, 1, 0, 0, 0, 0],
            )
        };
        if ready > 0 {
            exit(0);
        }
    }
}

pub(crate) fn exit(status: u64) -> ! {
    loop {
        // SAFETY: no pointers.
        unsafe { syscall(nr::EXIT_GROUP as usize, &[status, 0, 0, 0, 0, 0]) };
    }
}

/// Never reached: the entry point is `stub_start`. The C library's unused start-up file asks for it.
#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    exit(NOTHING)
}

#[cfg(panic = "abort")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    exit(NOTHING)
}

/// Never called: core, which was built to unwind, asks for it.
#[cfg(panic = "abort")]
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}
