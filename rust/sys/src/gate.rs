//! A gate that a child waits at until another thread of its parent has what it needs.
//!
//! The child shares its parent's memory and its parent's thread is suspended (CLONE_VM|CLONE_VFORK), so that waiting
//! there is safe; what it then opens is a path, because fds made meanwhile are not in its own table.

use crate::raw::nr;
use std::cell::UnsafeCell;
use std::ffi::{CStr, c_char};
use std::sync::atomic::{AtomicI32, Ordering};

/// Longest path, with the NUL.
const LONGEST: usize = 96;

/// Closed, then open with a path or with an errno.
pub struct Gate {
    state: AtomicI32,
    path: UnsafeCell<[u8; LONGEST]>,
}

// SAFETY: the path is written only by the one call that opens the gate, before the state says so; the child reads it
// only after that.
unsafe impl Sync for Gate {}

impl Default for Gate {
    fn default() -> Gate {
        Gate::new()
    }
}

impl Gate {
    /// A closed one.
    pub fn new() -> Gate {
        Gate {
            state: AtomicI32::new(0),
            path: UnsafeCell::new([0; LONGEST]),
        }
    }

    /// Lets the child through, to open `path`. The first call counts. A path that is too long lets it fail.
    pub fn open(&self, path: &CStr) {
        let bytes = path.to_bytes_with_nul();
        // 2: being opened. Only who gets here writes the path.
        if self
            .state
            .compare_exchange(0, 2, Ordering::Acquire, Ordering::Relaxed)
            .is_err()
        {
            return;
        }
        if bytes.len() > LONGEST {
            return self.set(-libc::ENAMETOOLONG);
        }
        // SAFETY: the exchange above gave this call alone the right to write; nobody reads before state 1.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.path.get().cast(), bytes.len());
        }
        self.set(1);
    }

    /// Lets the child fail with an errno.
    pub fn fail(&self, errno: i32) {
        if self
            .state
            .compare_exchange(0, 2, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
        {
            self.set(-errno.max(1));
        }
    }

    fn set(&self, state: i32) {
        self.state.store(state, Ordering::Release);
        // SAFETY: FUTEX_WAKE = 1 takes the address as a key and reads nothing else.
        unsafe { libc::syscall(nr::FUTEX.into(), self.state.as_ptr(), 1, i32::MAX) };
    }

    pub(crate) fn state_address(&self) -> *const i32 {
        self.state.as_ptr()
    }

    pub(crate) fn path_address(&self) -> *const c_char {
        self.path.get().cast()
    }
}
