//! clone3 in the manner of vfork: the child runs a function on a stack of its own in the parent's memory.

use crate::raw::nr;
use core::arch::asm;
use core::ffi::c_void;

/// `struct clone_args` of clone3(2).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct CloneArgs {
    pub flags: u64,
    pub pidfd: u64,
    pub child_tid: u64,
    pub parent_tid: u64,
    pub exit_signal: u64,
    pub stack: u64,
    pub stack_size: u64,
    pub tls: u64,
    pub set_tid: u64,
    pub set_tid_size: u64,
    pub cgroup: u64,
}

/// Flags of clone(2) used here.
#[allow(missing_docs)]
pub mod flags {
    pub const VM: u64 = 0x100;
    pub const FS: u64 = 0x200;
    pub const FILES: u64 = 0x400;
    pub const PIDFD: u64 = 0x1000;
    pub const VFORK: u64 = 0x4000;
    pub const PARENT: u64 = 0x8000;
    pub const PARENT_SETTID: u64 = 0x10_0000;
    pub const NEWNS: u64 = 0x2_0000;
    pub const NEWCGROUP: u64 = 0x0200_0000;
    pub const NEWUTS: u64 = 0x0400_0000;
    pub const NEWIPC: u64 = 0x0800_0000;
    pub const NEWUSER: u64 = 0x1000_0000;
    pub const NEWPID: u64 = 0x2000_0000;
    pub const NEWNET: u64 = 0x4000_0000;
    pub const INTO_CGROUP: u64 = 0x2_0000_0000;
}

/// Clones a child that calls `entry(arg)` on the stack given in `args`; returns its pid, or a negative errno.
///
/// # Safety
/// `args` must hold CLONE_VM and CLONE_VFORK and a stack of its own that nothing else uses until this returns;
/// `entry` must not return, allocate, lock, unwind or touch thread-local data, and must keep to memory that stays
/// valid and unshared with this (suspended) thread's frames.
pub unsafe fn vfork(
    args: &CloneArgs,
    entry: extern "C" fn(*mut c_void) -> !,
    arg: *mut c_void,
) -> isize {
    debug_assert!(
        args.flags & (flags::VM | flags::VFORK) == flags::VM | flags::VFORK && args.stack != 0
    );
    let ret: isize;
    // SAFETY: the child comes out of the call with all registers of the parent but the stack pointer and the result,
    // and goes straight into `entry`, which does not return: it never touches this frame.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!(
            "syscall", "test rax, rax", "jnz 2f", "xor ebp, ebp", "mov rdi, r12", "call r13", "ud2", "2:",
            inlateout("rax") nr::CLONE3 as isize => ret, in("rdi") args, in("rsi") size_of::<CloneArgs>(),
            in("r12") arg, in("r13") entry, lateout("rcx") _, lateout("r11") _,
        );
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!(
            "svc 0", "cbnz x0, 2f", "mov x29, xzr", "mov x0, x20", "blr x21", "brk 1", "2:",
            in("x8") nr::CLONE3 as usize, inlateout("x0") args as *const _ as isize => ret,
            in("x1") size_of::<CloneArgs>(), in("x20") arg, in("x21") entry,
        );
    }
    ret
}
