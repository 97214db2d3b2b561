//! Random bytes of the kernel's.

use nix::errno::Errno;

/// Fills `bytes` (getrandom(2)); nothing is kept between calls that a fork could repeat.
///
/// # Errors
/// `ENOSYS` where a filter denies the call.
pub fn fill(mut bytes: &mut [u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        // SAFETY: writes at most the length given, into memory that is ours.
        let n = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
        match Errno::result(n) {
            Ok(n) => bytes = &mut bytes[n as usize..],
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}
