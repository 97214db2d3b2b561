//! Whether this kernel knows x32, x86-64's ABI of 32-bit pointers (CONFIG_X86_X32_ABI).

use nix::errno::Errno;

/// Whether it surely does not: asked by making one of its calls, but not where a filter would answer for the kernel, or
/// end this process for asking (seccomp(2)).
#[must_use]
pub fn is_missing() -> bool {
    if !cfg!(target_arch = "x86_64") {
        return true;
    }
    /// The bit that marks x32's numbers, and getpid(2).
    const X32_GETPID: libc::c_long = 0x4000_0000 | 39;
    // SAFETY: both calls take no memory of ours, and neither changes anything.
    unsafe {
        libc::prctl(libc::PR_GET_SECCOMP) == 0
            && libc::syscall(X32_GETPID) == -1
            && Errno::last() == Errno::ENOSYS
    }
}
