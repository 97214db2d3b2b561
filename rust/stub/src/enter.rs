//! Running a program of system calls that comes over a socket.

use crate::wait::fill;
use crate::{NOTHING, exit};
use fastbox_sys::entry::{Answer, Header};
use fastbox_sys::program::{Record, Step, run};
use fastbox_sys::raw::{nr, syscall};

const EIO: i32 = 5;

/// Reads it and runs it; says what failed.
pub fn enter(socket: u64) -> ! {
    let mut record = Record::new();
    // SAFETY: the engine sends what its own builder made, in the layout of `entry`.
    if let Err(errno) = unsafe { obey(socket, &mut record) } {
        record.errno = errno;
    }
    let answer = Answer::Failed {
        step: record.step,
        errno: record.errno,
    };
    let bytes = answer.bytes();
    let call = [socket, bytes.as_ptr() as u64, bytes.len() as u64, 0, 0, 0];
    // SAFETY: bytes that live here.
    unsafe { syscall(nr::WRITE as usize, &call) };
    exit(NOTHING)
}

/// Comes back only if something failed: what keeps it from beginning, or what is on record.
///
/// # Safety
/// What comes over the socket is a program with all that it needs.
unsafe fn obey(socket: u64, record: &mut Record) -> Result<(), i32> {
    let mut header = Header::default();
    // SAFETY: as many bytes as the header has; then new memory of nobody else's, as much as is read into it. Places and
    // counts are within, by this function's contract.
    unsafe {
        read(socket, (&raw mut header).cast(), size_of::<Header>() as u64)?;
        // PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_POPULATE.
        let map = [0, header.len, 3, 0x8022, u64::MAX, 0];
        let memory = syscall(nr::MMAP as usize, &map);
        if memory < 0 {
            return Err(-memory as i32);
        }
        let memory = memory as *mut u8;
        read(socket, memory, header.len)?;
        let at = |offset: u64| memory.add(offset as usize);
        let relocations: *const u64 = at(header.relocations).cast();
        for index in 0..header.relocated as usize {
            let place: *mut u64 = at(*relocations.add(index)).cast();
            *place += memory as u64;
        }
        let steps: *const Step = at(header.steps).cast();
        let steps = core::slice::from_raw_parts(steps, header.count as usize);
        run(steps, at(header.data), at(header.slots).cast(), record);
    }
    match record.errno {
        0 => Err(EIO),
        errno => Err(errno),
    }
}

/// # Safety
/// There is room for so many bytes.
unsafe fn read(socket: u64, memory: *mut u8, len: u64) -> Result<(), i32> {
    // SAFETY: by this function's contract.
    match unsafe { fill(socket, memory, len) } {
        error if error < 0 => Err(-error as i32),
        _ => Ok(()),
    }
}
