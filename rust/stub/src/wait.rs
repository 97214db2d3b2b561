//! Waiting for an order, and carrying it out.

use crate::{exec, exit, init};
use core::mem::MaybeUninit;
use fastbox_sys::order::streams::{CAME, JOINED, NULL_OUT};
use fastbox_sys::order::{Failure, Header, stage};
use fastbox_sys::raw::{nr, syscall};

const EIO: i32 = 5;
/// AT_FDCWD.
const HERE: u64 = -100i64 as u64;
/// Bytes of a file read at once.
const CHUNK: u64 = 64 << 10;

/// struct msghdr and struct iovec (recvmsg(2)).
#[repr(C)]
struct Message {
    name: u64,
    name_len: u64,
    parts: *mut Part,
    part_count: usize,
    control: *mut Rights,
    control_len: usize,
    flags: u64,
}

#[repr(C)]
struct Part {
    base: *mut Header,
    len: usize,
}

/// struct cmsghdr with three fds behind it (cmsg(3)).
#[repr(C, align(8))]
struct Rights {
    len: usize,
    level: i32,
    kind: i32,
    fds: [i32; 3],
    room: [i32; 3],
}

/// Waits on `socket`. Ends when the other side does. With `init` the program has this process as its init.
pub fn wait(socket: u64, init: bool) -> ! {
    exec::close_on_exec(socket);
    let mut header = Header::default();
    let mut rights = MaybeUninit::<Rights>::zeroed();
    let mut part = Part {
        base: &raw mut header,
        len: size_of::<Header>(),
    };
    let mut message = Message {
        name: 0,
        name_len: 0,
        parts: &raw mut part,
        part_count: 1,
        control: rights.as_mut_ptr(),
        control_len: size_of::<Rights>(),
        flags: 0,
    };
    let message = &raw mut message as u64;
    // SAFETY: MSG_CMSG_CLOEXEC; message, part, header and rights live as long as the call.
    let got = unsafe {
        syscall(
            nr::RECVMSG as usize,
            &[socket, message, 0x4000_0000, 0, 0, 0],
        )
    };
    if got != size_of::<Header>() as isize {
        exit(0);
    }
    // SAFETY: zeroed is a value of it, and the kernel wrote no more than that.
    let rights = unsafe { rights.assume_init() };
    // Behind a header of 16 bytes.
    let came = rights.len.saturating_sub(16) / 4;
    let failure = if came == (header.streams & 7).count_ones() as usize {
        obey(socket, &header, &rights.fds, init)
    } else {
        failed(stage::STREAMS, -EIO as isize)
    };
    let report = &raw const failure as u64;
    // SAFETY: eight bytes that live here.
    unsafe { syscall(nr::WRITE as usize, &[socket, report, 8, 0, 0, 0]) };
    exit(127)
}

/// Comes back only with what could not be done.
fn obey(socket: u64, header: &Header, streams: &[i32; 3], init: bool) -> Failure {
    let words = (header.paths + header.args + header.envs + 2) as u64;
    let (table_len, head) = (words * 8, header.head as u64);
    // SAFETY: PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS: new memory of nobody else's.
    let memory = unsafe {
        syscall(
            nr::MMAP as usize,
            &[0, table_len + head + CHUNK, 3, 0x22, u64::MAX, 0],
        )
    };
    if memory < 0 {
        return failed(stage::ORDER, memory);
    }
    let memory = memory as *mut u8;
    // SAFETY: all within that memory: the words first, the strings behind them, a buffer last.
    let (table, strings, buffer) = unsafe {
        (
            memory.cast::<*const u8>(),
            memory.add(table_len as usize),
            memory.add((table_len + head) as usize),
        )
    };
    // SAFETY: as many bytes as there is room for.
    let got = unsafe { fill(socket, strings, head) };
    if got < 0 {
        return failed(stage::ORDER, got);
    }
    let moved = place_streams(header.streams, streams);
    if moved < 0 {
        return failed(stage::STREAMS, moved);
    }
    // SAFETY: the engine sends as many strings, each with its NUL, as the header says; the table has a place for
    // each path, argument and entry, and for the two nulls.
    unsafe {
        let mut next = strings;
        let directory = next;
        next = behind(next);
        let paths = table;
        let mut place = table;
        for _ in 0..header.paths {
            (place, next) = put(place, next);
        }
        let args = place;
        for _ in 0..header.args {
            (place, next) = put(place, next);
        }
        *place = core::ptr::null();
        let environment = place.add(1);
        place = environment;
        for _ in 0..header.envs {
            (place, next) = put(place, next);
        }
        *place = core::ptr::null();
        if *directory != 0 {
            let entered = enter(directory);
            if entered < 0 {
                return failed(stage::DIRECTORY, entered);
            }
        }
        for index in 0..header.files {
            let written = write(socket, next, buffer);
            if written < 0 {
                return failed(stage::FILE + index, written);
            }
            next = behind(next);
        }
        let errno = match if init { init::split(socket) } else { 0 } {
            0 => exec::first(paths, header.paths as usize, args, environment),
            errno => errno,
        };
        failed(stage::EXEC, -errno as isize)
    }
}

/// Makes 0, 1 and 2 what `what` says. Negative where that fails.
fn place_streams(what: u32, came: &[i32; 3]) -> isize {
    // SAFETY: no pointers.
    let dup =
        |fd: u64, target: u64| unsafe { syscall(nr::DUP3 as usize, &[fd, target, 0, 0, 0, 0]) };
    let mut moved = 0;
    for target in 0..2u64 {
        if what & NULL_OUT << target != 0 {
            // 0 still is /dev/null.
            moved |= dup(0, 1 + target);
        }
    }
    let mut next = came.iter();
    for target in 0..3u64 {
        if what & CAME << target != 0
            && let Some(fd) = next.next()
        {
            moved |= dup(*fd as u64, target);
        }
    }
    if what & JOINED != 0 {
        moved |= dup(1, 2);
    }
    moved
}

fn failed(stage: u32, answer: isize) -> Failure {
    Failure {
        stage,
        errno: -answer as i32,
    }
}

/// Reads exactly `len` bytes.
///
/// # Safety
/// There is room for them.
pub unsafe fn fill(socket: u64, memory: *mut u8, len: u64) -> isize {
    let mut done = 0;
    while done < len {
        // SAFETY: by this function's contract.
        let got = unsafe {
            let to = memory.add(done as usize) as u64;
            syscall(nr::READ as usize, &[socket, to, len - done, 0, 0, 0])
        };
        match got {
            1.. => done += got as u64,
            0 => return -EIO as isize,
            error => return error,
        }
    }
    0
}

/// Puts a string into the table; what is behind both.
///
/// # Safety
/// There are a string and a place.
unsafe fn put(place: *mut *const u8, string: *mut u8) -> (*mut *const u8, *mut u8) {
    // SAFETY: by this function's contract.
    unsafe {
        *place = string;
        (place.add(1), behind(string))
    }
}

/// What is behind a string's NUL.
///
/// # Safety
/// It is a string.
unsafe fn behind(mut string: *mut u8) -> *mut u8 {
    // SAFETY: up to the NUL.
    unsafe {
        while *string != 0 {
            string = string.add(1);
        }
        string.add(1)
    }
}

/// Changes to a directory, which is made if it is not there.
///
/// # Safety
/// It is a string that may be written to.
unsafe fn enter(directory: *mut u8) -> isize {
    // SAFETY: by this function's contract; the string is as it was after `make_parents`.
    unsafe {
        let path = [directory as u64, 0, 0, 0, 0, 0];
        let entered = syscall(nr::CHDIR as usize, &path);
        if entered != -exec::ENOENT as isize {
            return entered;
        }
        make_parents(directory);
        make(directory);
        syscall(nr::CHDIR as usize, &path)
    }
}

/// Makes the directories that a path goes through; whether that worked shows later.
///
/// # Safety
/// As [`enter`].
unsafe fn make_parents(path: *mut u8) {
    // SAFETY: by this function's contract; each slash is put back.
    unsafe {
        let mut at = path;
        while *at != 0 {
            if *at == b'/' && at != path {
                *at = 0;
                make(path);
                *at = b'/';
            }
            at = at.add(1);
        }
    }
}

/// # Safety
/// It is a string.
unsafe fn make(directory: *const u8) {
    // SAFETY: by this function's contract.
    unsafe {
        let call = [HERE, directory as u64, 0o755, 0, 0, 0];
        syscall(nr::MKDIRAT as usize, &call);
    }
}

/// Writes the file that comes next.
///
/// # Safety
/// `path` is a string that may be written to, `buffer` has room for [`CHUNK`] bytes.
unsafe fn write(socket: u64, path: *mut u8, buffer: *mut u8) -> isize {
    let mut left = 0u64;
    // SAFETY: by this function's contract; the length is read into eight bytes.
    unsafe {
        let got = fill(socket, (&raw mut left).cast(), 8);
        if got < 0 {
            return got;
        }
        make_parents(path);
        // O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC.
        let call = [HERE, path as u64, 0o2001101, 0o644, 0, 0];
        let file = syscall(nr::OPENAT as usize, &call);
        if file < 0 {
            return file;
        }
        while left > 0 {
            let chunk = left.min(CHUNK);
            let got = fill(socket, buffer, chunk);
            if got < 0 {
                return got;
            }
            let mut done = 0;
            while done < chunk {
                let from = buffer.add(done as usize) as u64;
                let call = [file as u64, from, chunk - done, 0, 0, 0];
                match syscall(nr::WRITE as usize, &call) {
                    wrote @ 1.. => done += wrote as u64,
                    error => return error,
                }
            }
            left -= chunk;
        }
        syscall(nr::CLOSE as usize, &[file as u64, 0, 0, 0, 0, 0])
    }
}
