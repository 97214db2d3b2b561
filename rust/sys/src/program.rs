//! The child program: a list of system calls as data, and the interpreter that makes them.
//!
//! What a container's child does between clone and exec is compiled into [`Step`]s ahead of the request. The
//! interpreter allocates nothing, takes no lock, calls no libc and never unwinds, so that it may run in a child
//! that borrows its parent's memory (CLONE_VM|CLONE_VFORK), and in a static program without std.

use crate::entry::Answer;
use crate::raw::{nr, syscall};

/// How many values a launch can hand to its program and pass between steps.
pub const SLOTS: usize = 256;

/// How one argument of a step is to be read.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The value itself.
    Value = 0,
    /// An offset into the program's data: becomes an address.
    Data = 1,
    /// The number of a slot: becomes the slot's value.
    Slot = 2,
}

/// What an error of a step means.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// The program ends here with a record of this step.
    Fail = 0,
    /// It is of no matter.
    Ignore = 1,
    /// ENOENT is of no matter (a path to mask that this kernel does not have).
    IgnoreMissing = 2,
    /// ENOSYS is of no matter (a kernel built without that part).
    IgnoreUnsupported = 3,
}

/// Steps that are not one system call; numbers above every system call's.
#[allow(missing_docs)]
pub mod op {
    /// Default disposition for every signal: a caller's ignored signals do not reach the container.
    pub const RESET_SIGNALS: u32 = 0x8000_0000;
    /// Drop from the bounding set every capability whose bit is not in args[0] (prctl(2), PR_CAPBSET_DROP).
    pub const KEEP_BOUNDING: u32 = 0x8000_0001;
    /// execve(2) of the first that is there among the paths of a NULL-ended array: args are the array, argv, envp.
    pub const EXEC: u32 = 0x8000_0002;
    /// clone3 once more (args[0]: address of clone_args) with CLONE_PARENT: the new child goes on with the next step, this one exits.
    pub const CLONE: u32 = 0x8000_0003;
    /// End the process with status args[0].
    pub const EXIT: u32 = 0x8000_0004;
    /// close(2) of the fd in the slot whose number is args[0]; the slot names none from then on.
    pub const CLOSE: u32 = 0x8000_0005;
    /// Wait at the gate whose state is at address args[0] (crate::gate): 1 is through, a negative errno an error.
    pub const WAIT: u32 = 0x8000_0006;
    /// Send a byte and the fd args[1] over the socket args[0] (unix(7), SCM_RIGHTS).
    pub const SEND_FD: u32 = 0x8000_0007;
    /// clone3 once more (args[0]: address of clone_args) with CLONE_PARENT and CLONE_PIDFD: the new child goes on with
    /// the next step, this process tells of it over the socket args[1] ([`crate::entry::Answer`]) and exits.
    pub const PART: u32 = 0x8000_0008;
}

/// One step: a system call with its arguments, or an [`op`].
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// System call number, or one of [`op`].
    pub nr: u32,
    /// How each argument is read.
    pub kinds: [Kind; 6],
    /// What an error means.
    pub on_error: OnError,
    /// Slot that takes the result; [`NO_SLOT`] for none.
    pub out: u8,
    /// The arguments.
    pub args: [u64; 6],
}

/// No slot takes the result.
pub const NO_SLOT: u8 = u8::MAX;

/// Where a running program says how far it is; lives in memory the spawner shares with the child.
#[repr(C)]
#[derive(Debug)]
pub struct Record {
    /// errno of the step that failed; 0 while none has.
    pub errno: i32,
    /// Index of the step being made.
    pub step: u32,
    /// Where to write the time at the start of each step (CLOCK_MONOTONIC, ns); null when nobody asked.
    pub times: *mut u64,
    /// A step to sleep before, for tests that kill the caller there; `u32::MAX` for none.
    pub pause_at: u32,
}

impl Record {
    /// A record for a program not yet run, timing off.
    #[inline]
    pub const fn new() -> Record {
        Record {
            errno: 0,
            step: 0,
            times: core::ptr::null_mut(),
            pause_at: u32::MAX,
        }
    }
}

impl Default for Record {
    fn default() -> Record {
        Record::new()
    }
}

const ENOENT: i32 = 2;
const EACCES: i32 = 13;
const ENOTDIR: i32 = 20;
const ENOSYS: i32 = 38;

#[inline(always)]
unsafe fn call(nr: u32, a: [u64; 6]) -> isize {
    // SAFETY: handed on from the caller.
    unsafe { syscall(nr as usize, &a) }
}

/// CLOCK_MONOTONIC in nanoseconds by a plain system call: the vDSO is not ours to call here.
#[inline]
pub(crate) fn now() -> u64 {
    let mut t = [0i64; 2];
    // SAFETY: `t` is a timespec of two words.
    unsafe { call(nr::CLOCK_GETTIME, [1, t.as_mut_ptr() as u64, 0, 0, 0, 0]) };
    t[0] as u64 * 1_000_000_000 + t[1] as u64
}

/// Makes the steps in order. True when all succeeded; false with `record` telling which failed.
///
/// A step that execs or exits does not come back.
///
/// It and what it calls are inlined, and so compiled for the stub as that needs: nothing relocates or links it.
///
/// # Safety
/// Every step must be valid as a system call when its arguments are read from `data` and `slots`; `slots` has
/// [`SLOTS`] values, `record` is writable, and `record.times`, unless null, has a place for each step and one more.
#[inline]
pub unsafe fn run(steps: &[Step], data: *const u8, slots: *mut u64, record: *mut Record) -> bool {
    // SAFETY: `record`, `slots` and `data` are valid by this function's contract; they are read and written through
    // raw pointers because another thread of the parent, or the parent after it resumes, looks at them too.
    unsafe {
        for (index, step) in steps.iter().enumerate() {
            core::ptr::write_volatile(&raw mut (*record).step, index as u32);
            if !(*record).times.is_null() {
                *(*record).times.add(index) = now();
            }
            if (*record).pause_at == index as u32 {
                let t = [10u64, 0];
                call(nr::NANOSLEEP, [t.as_ptr() as u64, 0, 0, 0, 0, 0]);
            }
            let mut a = step.args;
            for (value, kind) in a.iter_mut().zip(step.kinds) {
                match kind {
                    Kind::Value => {}
                    Kind::Data => *value = data.add(*value as usize) as u64,
                    Kind::Slot => *value = *slots.add(*value as usize),
                }
            }
            let ret = match step.nr {
                op::CLOSE => {
                    // Were the number left there, whoever closes what a failed program had open would close it again,
                    // and by then it may be another thread's.
                    let slot = slots.add(a[0] as usize);
                    call(nr::CLOSE, [slot.replace(u64::MAX), 0, 0, 0, 0, 0]);
                    0
                }
                number if number < op::RESET_SIGNALS => call(number, a),
                number => special(number, a),
            };
            if ret < 0 {
                let errno = -ret as i32;
                match step.on_error {
                    OnError::Ignore => continue,
                    OnError::IgnoreMissing if errno == ENOENT => continue,
                    OnError::IgnoreUnsupported if errno == ENOSYS => continue,
                    _ => {}
                }
                core::ptr::write_volatile(&raw mut (*record).errno, errno);
                return false;
            }
            if step.out != NO_SLOT {
                *slots.add(step.out as usize) = ret as u64;
            }
        }
        if !(*record).times.is_null() {
            *(*record).times.add(steps.len()) = now();
        }
    }
    true
}

/// Sends bytes with an fd (unix(7), SCM_RIGHTS).
#[inline]
unsafe fn send_fd(socket: u64, bytes: &[u8], fd: u64) -> isize {
    // struct cmsghdr of 20 bytes, SOL_SOCKET = 1 and SCM_RIGHTS = 1; struct msghdr without a name. MSG_NOSIGNAL.
    let control = [20u64, 1 | 1 << 32, fd & 0xffff_ffff];
    let parts = [bytes.as_ptr() as u64, bytes.len() as u64];
    let message = [
        0,
        0,
        parts.as_ptr() as u64,
        1,
        control.as_ptr() as u64,
        size_of_val(&control) as u64,
        0,
    ];
    let message = message.as_ptr() as u64;
    // SAFETY: all of it lives here, or with the caller, as long as the call.
    unsafe { call(nr::SENDMSG, [socket, message, 0x4000, 0, 0, 0]) }
}

/// The steps that are not one system call. Their contract is that of [`run`].
#[inline]
unsafe fn special(op: u32, a: [u64; 6]) -> isize {
    // SAFETY: by the contract of `run`; the structures passed are local and of the kernel's layout.
    unsafe {
        match op {
            op::RESET_SIGNALS => {
                // struct kernel_sigaction with SIG_DFL, no flags, empty mask; 64 signals, of which KILL and STOP refuse.
                let action = [0u64; 4];
                for signal in 1..=64u64 {
                    call(
                        nr::RT_SIGACTION,
                        [signal, action.as_ptr() as u64, 0, 8, 0, 0],
                    );
                }
                0
            }
            op::KEEP_BOUNDING => {
                for cap in 0..64u64 {
                    if a[0] >> cap & 1 == 0 {
                        let ret = call(nr::PRCTL, [24, cap, 0, 0, 0, 0]);
                        if ret == -22 {
                            break; // EINVAL: past the kernel's last capability
                        }
                        if ret < 0 {
                            return ret;
                        }
                    }
                }
                0
            }
            op::EXEC => {
                let mut path = a[0] as *const u64;
                let mut error = ENOENT;
                while *path != 0 {
                    let errno = -call(nr::EXECVE, [*path, a[1], a[2], 0, 0, 0]) as i32;
                    match errno {
                        // Of the reasons along PATH, "not allowed" says more than "not there" (execvp(3)).
                        EACCES => error = EACCES,
                        ENOENT | ENOTDIR => {}
                        _ => return -(errno as isize),
                    }
                    path = path.add(1);
                }
                -(error as isize)
            }
            op::CLONE => {
                // The new child shares this stack: safe, for CLONE_VFORK suspends this one until it has exec'ed or
                // exited, and this one then exits without returning into a frame the child may have changed.
                let ret = call(nr::CLONE3, [a[0], 88, 0, 0, 0, 0]);
                if ret > 0 {
                    loop {
                        call(nr::EXIT, [0; 6]);
                    }
                }
                ret
            }
            op::WAIT => {
                let state = a[0] as *const i32;
                loop {
                    match core::ptr::read_volatile(state) {
                        1 => break 0,
                        error if error < 0 => break error as isize,
                        // FUTEX_WAIT = 0, until it is no longer what was just read.
                        closed => call(nr::FUTEX, [a[0], 0, closed as u64, 0, 0, 0]),
                    };
                }
            }
            op::SEND_FD => send_fd(a[0], &[0], a[1]),
            op::PART => {
                // Nothing is shared with the new child, which somebody may reach into; this one goes at once.
                let pid = call(nr::CLONE3, [a[0], 88, 0, 0, 0, 0]);
                if pid > 0 {
                    let pidfd = *(*(a[0] as *const u64).add(1) as *const i32);
                    let answer = Answer::Begun(pid as i32).bytes();
                    if send_fd(a[1], &answer, pidfd as u64) < 0 {
                        // Nobody would know of it.
                        call(nr::PIDFD_SEND_SIGNAL, [pidfd as u64, 9, 0, 0, 0, 0]);
                    }
                    loop {
                        call(nr::EXIT_GROUP, [0; 6]);
                    }
                }
                pid
            }
            op::EXIT => loop {
                call(nr::EXIT, [a[0], 0, 0, 0, 0, 0]);
            },
            _ => -38,
        }
    }
}
