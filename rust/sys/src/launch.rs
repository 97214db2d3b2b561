//! One launch of a program: its slots and strings, its record, and the ways to run it.

use crate::builder::{Program, Slot};
use crate::clone::{CloneArgs, flags, vfork};
use crate::gate::Gate;
use crate::program::{self, Record, SLOTS};
use crate::raw::{nr, syscall};
use std::ffi::{CString, c_void};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::AtomicI32;

impl Child {
    /// Kills it, if it still runs, and takes it off the kernel's list.
    pub fn end(self) {
        let (fd, none) = (self.pidfd.as_raw_fd(), std::ptr::null::<libc::siginfo_t>());
        // SAFETY: a signal by pidfd without siginfo reads no memory of ours.
        unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, libc::SIGKILL, none, 0) };
        reap(&self.pidfd);
    }
}

/// What a program was stopped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Index of the step; None when the clone itself failed.
    pub step: Option<usize>,
    /// Its errno.
    pub errno: i32,
}

/// A cloned child.
#[derive(Debug)]
pub struct Child {
    /// Its pid as the parent sees it.
    pub pid: i32,
    /// Its pidfd (pidfd_open(2)).
    pub pidfd: OwnedFd,
}

/// The values one launch puts into a program's slots, owned for as long as a child may read them.
pub struct Launch {
    slots: [u64; SLOTS],
    record: Record,
    strings: Vec<CString>,
    arrays: Vec<Box<[u64]>>,
    inner: Box<CloneArgs>,
    inner_slot: Option<Slot>,
    times: Vec<u64>,
    gates: Vec<Arc<Gate>>,
}

// SAFETY: the raw pointers inside point into memory the value owns; it may move to another thread whole.
unsafe impl Send for Launch {}

impl Default for Launch {
    fn default() -> Launch {
        Launch::new()
    }
}

impl Launch {
    /// Nothing set; every slot reads as -1.
    pub fn new() -> Launch {
        Launch {
            slots: [u64::MAX; SLOTS],
            record: Record::new(),
            strings: Vec::new(),
            arrays: Vec::new(),
            inner: Box::default(),
            inner_slot: None,
            times: Vec::new(),
            gates: Vec::new(),
        }
    }

    /// A gate, and the address of the path it opens with. It is kept as long as the launch.
    pub fn gate(&mut self, slot: Slot, path: Slot, gate: Arc<Gate>) {
        self.value(slot, gate.state_address() as u64);
        self.value(path, gate.path_address() as u64);
        self.gates.push(gate);
    }

    /// A number.
    pub fn value(&mut self, slot: Slot, value: u64) {
        self.slots[slot.0 as usize] = value;
    }

    /// The number of an fd, which must stay open until the launch is over.
    pub fn fd(&mut self, slot: Slot, fd: BorrowedFd<'_>) {
        self.value(slot, fd.as_raw_fd() as u64);
    }

    /// The address of a string.
    pub fn string(&mut self, slot: Slot, s: CString) {
        self.value(slot, s.as_ptr() as u64);
        self.strings.push(s);
    }

    /// The address of a NULL-ended array of strings, as execve(2) takes.
    pub fn array(&mut self, slot: Slot, list: Vec<CString>) {
        let array: Box<[u64]> = list.iter().map(|s| s.as_ptr() as u64).chain([0]).collect();
        self.value(slot, array.as_ptr() as u64);
        self.strings.extend(list);
        self.arrays.push(array);
    }

    /// What [`crate::builder::Builder::clone_again`] clones with: namespaces of the container proper.
    pub fn clone_again(&mut self, slot: Slot, namespaces: u64) {
        self.inner.flags = namespaces;
        self.inner_slot = Some(slot);
        self.value(slot, &raw const *self.inner as u64);
    }

    /// Takes the fd that a step of [`Launch::run`] left in `slot`.
    pub fn take_fd(&mut self, slot: Slot) -> Option<OwnedFd> {
        let fd = std::mem::replace(&mut self.slots[slot.0 as usize], u64::MAX);
        // SAFETY: programs leave fds they opened in the slots they name, and taking one forgets it here.
        i32::try_from(fd)
            .ok()
            .map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })
    }

    /// The same, while the slot goes on naming it: the fd must stay open until the launch is over.
    pub fn keep_fd(&mut self, slot: Slot) -> Option<OwnedFd> {
        let number = self.slots[slot.0 as usize];
        let fd = self.take_fd(slot);
        self.slots[slot.0 as usize] = number;
        fd
    }

    /// Sleeps for ten seconds before step `step` of the next run, for tests that kill the caller there.
    pub fn pause_at(&mut self, step: Option<u32>) {
        self.record.pause_at = step.unwrap_or(u32::MAX);
    }

    fn begin(&mut self, program: &Program, timed: bool) {
        self.record = Record {
            pause_at: self.record.pause_at,
            ..Record::new()
        };
        self.times = if timed {
            vec![0; program.len() + 1]
        } else {
            Vec::new()
        };
        self.record.times = if timed {
            self.times.as_mut_ptr()
        } else {
            std::ptr::null_mut()
        };
    }

    fn failure(&self) -> Failure {
        Failure {
            step: Some(self.record.step as usize),
            errno: self.record.errno,
        }
    }

    /// Start of each step in ns of CLOCK_MONOTONIC, and the end of the last, of the run that was just made with
    /// `timed`; steps not reached are 0.
    pub fn take_times(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.times)
    }

    /// Runs `program` in this thread. On failure the fds it had opened are closed.
    pub fn run(&mut self, program: &Program, timed: bool) -> Result<(), Failure> {
        self.begin(program, timed);
        for &slot in &program.opened {
            self.slots[slot as usize] = u64::MAX;
        }
        let (slots, record) = (self.slots.as_mut_ptr(), &raw mut self.record);
        // SAFETY: the typed builder makes only steps whose arguments are its own data or slots, which this value's
        // setters fill with live addresses, fds and numbers; `times` has a place for each step and one more.
        if unsafe { program::run(program.steps(), program.data(), slots, record) } {
            return Ok(());
        }
        let failure = self.failure();
        for &slot in &program.opened {
            self.take_fd(Slot(slot));
        }
        Err(failure)
    }

    /// Clones a child that runs `program`, and returns when the child has exec'ed, or has ended by a step that exits.
    ///
    /// `namespaces` are CLONE_NEW* flags; CLONE_FILES may be among them where the child's fds are to be kept.
    /// `pid` is where the kernel writes the child's pid before the child runs. `cgroup` is a cgroup v2 directory
    /// to be born in. No signal is sent when the child ends before its exec; after it SIGCHLD is, as for any child.
    pub fn spawn(
        &mut self,
        program: &Program,
        stack: &mut Stack,
        namespaces: u64,
        cgroup: Option<BorrowedFd<'_>>,
        pid: &AtomicI32,
        timed: bool,
    ) -> Result<Child, Failure> {
        self.begin(program, timed);
        let mut pidfd: i32 = -1;
        let doubled = self.inner_slot.is_some();
        let mut args = CloneArgs {
            flags: namespaces | flags::VM | flags::VFORK,
            pidfd: &raw mut pidfd as u64,
            parent_tid: pid.as_ptr() as u64,
            stack: stack.memory.as_mut_ptr() as u64,
            stack_size: size_of_val(&*stack.memory) as u64,
            cgroup: cgroup.map_or(0, |fd| fd.as_raw_fd() as u64),
            ..CloneArgs::default()
        };
        let announce = flags::PIDFD | flags::PARENT_SETTID;
        if doubled {
            // The pidfd of the inner child must land in this table: the outer one shares it, the inner gets a copy.
            // On record until the inner one is: a kill of the caller between the two leaves neither.
            args.flags |= flags::FILES | flags::PARENT_SETTID;
            self.inner.flags |= flags::VM | flags::VFORK | flags::PARENT | announce;
            (self.inner.pidfd, self.inner.parent_tid) = (args.pidfd, args.parent_tid);
        } else {
            args.flags |= announce;
        }
        if cgroup.is_some() {
            args.flags |= flags::INTO_CGROUP;
        }
        let mut child = Running {
            steps: program.steps(),
            data: program.data(),
            slots: self.slots.as_mut_ptr(),
            record: &raw mut self.record,
        };
        // SAFETY: VM and VFORK are set, the stack is exclusively borrowed, `enter` runs raw system calls only and
        // never returns, and what it reads lives in `self`, `program` and this frame, which wait for it.
        let ret = unsafe { vfork(&args, enter, (&raw mut child).cast()) };
        // SAFETY: the kernel stored the pidfd it opened for us there.
        let fd = (pidfd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(pidfd) });
        if ret < 0 {
            return Err(Failure {
                step: None,
                errno: -ret as i32,
            });
        }
        if doubled {
            wait_any(ret as i32);
        }
        // SAFETY: the child, which wrote it, has exec'ed or ended; the volatile read keeps the compiler from
        // assuming that nobody did.
        let errno = unsafe { std::ptr::read_volatile(&raw const self.record.errno) };
        match fd {
            Some(pidfd) if errno == 0 => Ok(Child {
                pid: pid.load(std::sync::atomic::Ordering::Relaxed),
                pidfd,
            }),
            fd => {
                if let Some(fd) = fd {
                    reap(&fd);
                }
                pid.store(0, std::sync::atomic::Ordering::Relaxed);
                let failure = self.failure();
                Err(if errno == 0 {
                    Failure {
                        errno: 10,
                        ..failure
                    }
                } else {
                    failure
                })
            }
        }
    }
}

/// What the child needs, on the parent's stack.
struct Running {
    steps: *const [program::Step],
    data: *const u8,
    slots: *mut u64,
    record: *mut Record,
}

extern "C" fn enter(arg: *mut c_void) -> ! {
    // SAFETY: `spawn` passes a Running that outlives the child's use of it.
    unsafe {
        let child = &*arg.cast::<Running>();
        program::run(&*child.steps, child.data, child.slots, child.record);
        loop {
            syscall(nr::EXIT as usize, &[127, 0, 0, 0, 0, 0]);
        }
    }
}

/// Waits for a child that has ended or will at once, whatever its exit signal.
fn reap(pidfd: &OwnedFd) {
    let mut info = [0u64; 16];
    // SAFETY: P_PIDFD = 3, WEXITED = 4, __WALL; `info` is as large as siginfo_t (128 bytes).
    while unsafe {
        libc::waitid(
            3,
            pidfd.as_raw_fd() as u32,
            info.as_mut_ptr().cast(),
            4 | 0x4000_0000,
        )
    } == -1
        && std::io::Error::last_os_error().raw_os_error() == Some(libc::EINTR)
    {}
}

fn wait_any(pid: i32) {
    // SAFETY: waiting for a child of ours by pid, status not wanted.
    while unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0x4000_0000) } == -1
        && std::io::Error::last_os_error().raw_os_error() == Some(libc::EINTR)
    {}
}

/// The stack children of one spawner run on, one at a time.
pub struct Stack {
    memory: Box<[u128]>,
}

impl Default for Stack {
    fn default() -> Stack {
        Stack::new()
    }
}

impl Stack {
    /// 64 KiB: the interpreter uses less than one.
    pub fn new() -> Stack {
        Stack {
            memory: vec![0u128; 4096].into_boxed_slice(),
        }
    }
}
