//! One raw system call: no errno, no libc, usable where the address space is borrowed from a suspended thread.

use core::arch::asm;

/// Makes system call `nr` and returns the kernel's answer: a negative errno on failure (syscall(2)).
///
/// # Safety
/// The arguments must be valid for that call: pointers live and large enough, ids and fds the caller may use.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub unsafe fn syscall(nr: usize, a: &[u64; 6]) -> isize {
    let ret: isize;
    // SAFETY: the x86-64 system call convention; rcx and r11 are the only other registers the kernel changes.
    unsafe {
        asm!("syscall", inlateout("rax") nr as isize => ret, in("rdi") a[0], in("rsi") a[1], in("rdx") a[2],
            in("r10") a[3], in("r8") a[4], in("r9") a[5], lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    ret
}

/// Makes system call `nr` and returns the kernel's answer: a negative errno on failure (syscall(2)).
///
/// # Safety
/// The arguments must be valid for that call: pointers live and large enough, ids and fds the caller may use.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
pub unsafe fn syscall(nr: usize, a: &[u64; 6]) -> isize {
    let ret: isize;
    // SAFETY: the aarch64 system call convention; no register but x0 changes.
    unsafe {
        asm!("svc 0", in("x8") nr, inlateout("x0") a[0] as isize => ret, in("x1") a[1], in("x2") a[2],
            in("x3") a[3], in("x4") a[4], in("x5") a[5], options(nostack));
    }
    ret
}

/// System call numbers by name, for the architecture that is built for.
#[allow(missing_docs)]
pub mod nr {
    macro_rules! table {
        ($($name:ident $x86:literal $arm:literal;)*) => { $(
            #[cfg(target_arch = "x86_64")] pub const $name: u32 = $x86;
            #[cfg(target_arch = "aarch64")] pub const $name: u32 = $arm;
        )* };
    }
    table! {
        READ 0 63; WRITE 1 64; CLOSE 3 57; FCHOWN 93 55; FCHDIR 81 50; CHDIR 80 49; IOCTL 16 29;
        RT_SIGACTION 13 134; RT_SIGPROCMASK 14 135; SOCKET 41 198; SENDMSG 46 211; EXECVE 59 221; EXIT 60 93; EXIT_GROUP 231 94;
        FCNTL 72 25; UMASK 95 166; SETSID 112 157; SETGROUPS 116 159; SETRESUID 117 147; SETRESGID 119 149;
        CAPSET 126 91; CLONE 56 220; WAIT4 61 260; KILL 62 129; GETPID 39 172; SETPGID 109 154;
        RT_SIGTIMEDWAIT 128 137;
        PIVOT_ROOT 155 41; PRCTL 157 167; MOUNT 165 40; UMOUNT2 166 39; SETHOSTNAME 170 161; SETDOMAINNAME 171 162;
        CLOCK_GETTIME 228 113; NANOSLEEP 35 101; OPENAT 257 56; MKDIRAT 258 34; FCHOWNAT 260 54; UNSHARE 272 97;
        DUP3 292 24; PIPE2 293 59; PRLIMIT64 302 261; SETNS 308 268; SECCOMP 317 277; EXECVEAT 322 281;
        OPEN_TREE 428 428; MOVE_MOUNT 429 429; FSOPEN 430 430; FSCONFIG 431 431; FSMOUNT 432 432;
        PIDFD_SEND_SIGNAL 424 424; PIDFD_OPEN 434 434; CLONE3 435 435; CLOSE_RANGE 436 436; OPENAT2 437 437;
        RECVMSG 47 212; MMAP 9 222;
        MOUNT_SETATTR 442 442; SYMLINKAT 266 36; KEYCTL 250 219; FUTEX 202 98; GETPPID 110 173; PPOLL 271 73;
    }
}
