//! Executing a program.

use crate::init;
use fastbox_sys::raw::{nr, syscall};

pub const ENOENT: i32 = 2;
const EACCES: i32 = 13;
const ENOTDIR: i32 = 20;

/// Executes what the words say, in a child with this process as its `init`. Comes back only if they make no sense, or
/// nothing could be executed, which is then reported.
///
/// # Safety
/// `words` are `count` strings, at least five, a null, the environment and a null.
pub unsafe fn from_words(words: *mut *const u8, count: usize, init: bool) {
    // SAFETY: all reads are of the strings up to their NUL and of the words up to `count`; the system calls take
    // them as execve(2) left them to us.
    unsafe {
        let fd = number(*words.add(2));
        let mut separator = 3;
        while separator < count && **words.add(separator) != 0 {
            separator += 1;
        }
        if separator >= count {
            return;
        }
        close_on_exec(fd);
        let (args, environment) = (words.add(separator + 1), words.add(count + 1));
        let errno = match if init { init::split(fd) } else { 0 } {
            0 => first(words.add(3), separator - 3, args, environment),
            errno => errno,
        };
        let report = &raw const errno;
        syscall(nr::WRITE as usize, &[fd, report as u64, 4, 0, 0, 0]);
    }
}

/// Executes the first of `count` paths that is there. Comes back with an errno if that cannot be.
///
/// # Safety
/// `paths` are so many strings; `args` and `environment` are strings up to a null.
pub unsafe fn first(
    paths: *const *const u8,
    count: usize,
    args: *const *const u8,
    environment: *const *const u8,
) -> i32 {
    let mut errno = ENOENT;
    for index in 0..count {
        // SAFETY: by this function's contract.
        let failed = unsafe {
            let path = *paths.add(index);
            let call = [path as u64, args as u64, environment as u64, 0, 0, 0];
            -syscall(nr::EXECVE as usize, &call) as i32
        };
        match failed {
            // Of the reasons along PATH, "not allowed" says more than "not there" (execvp(3)).
            EACCES => errno = EACCES,
            ENOENT | ENOTDIR => {}
            other => return other,
        }
    }
    errno
}

/// A decimal number.
///
/// # Safety
/// `text` is a string.
pub unsafe fn number(text: *const u8) -> u64 {
    let (mut number, mut digit) = (0u64, text);
    // SAFETY: up to the NUL.
    unsafe {
        while *digit != 0 {
            number = number
                .wrapping_mul(10)
                .wrapping_add((*digit).wrapping_sub(b'0').into());
            digit = digit.add(1);
        }
    }
    number
}

/// F_SETFD, FD_CLOEXEC.
pub fn close_on_exec(fd: u64) {
    // SAFETY: no pointers.
    unsafe { syscall(nr::FCNTL as usize, &[fd, 2, 1, 0, 0, 0]) };
}
