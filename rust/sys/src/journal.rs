//! The table of an owner's containers: a file in shared memory that outlives its writer by one reader.
//!
//! The owner maps it and gives the kernel the address of a slot's pid (`CLONE_PARENT_SETTID`), so that a
//! child is on record before its first instruction, however the owner dies. Claiming and releasing a slot
//! are a few atomic operations and no system call. Readers never map the file, they read it: a truncated
//! file must not raise SIGBUS, nor a hole take memory.
//!
//! A process forked from the owner inherits the map but not the right to write: a page that the kernel
//! wipes on fork (`MADV_WIPEONFORK`, madvise(2)) tells the two apart without a system call.
use std::fs::File;
use std::num::NonZero;
use std::os::fd::AsRawFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};
use nix::time::{ClockId, clock_gettime};

/// Containers that one owner can have at a time.
pub const SLOTS: usize = 16384;
/// Bytes of a slot; two cache lines.
pub const SLOT_SIZE: usize = 128;
/// Bytes of the header: one page, so that slots never straddle pages.
pub const HEADER_SIZE: usize = 4096;
/// Bytes of the whole file, sparse.
pub const FILE_SIZE: usize = HEADER_SIZE + SLOTS * SLOT_SIZE;
/// The file's first bytes.
pub const MAGIC: [u8; 8] = *b"fbxtable";
/// Version of the layout.
pub const VERSION: u32 = 1;
/// Bytes of a container's id, lower-case hexadecimal.
pub const ID_SIZE: usize = 64;

/// Slots that get backing store at once: 16 KiB.
const CHUNK: usize = 128;
const WORDS: usize = SLOTS / 64;

/// A slot's state: nobody's.
const FREE: u32 = 0;
/// A slot's state: a container is being made or runs.
const CLAIMED: u32 = 1;

/// What a slot says about its container beyond its pid, told to readers.
pub mod flags {
    /// It has an upper directory on disk.
    pub const UPPER: u32 = 1;
    /// It has cgroups.
    pub const CGROUP: u32 = 1 << 1;
    /// It has a reserved name.
    pub const NAME: u32 = 1 << 2;
    /// Others may join its IPC namespace.
    pub const IPC: u32 = 1 << 3;
}

#[repr(C)]
struct RawHeader {
    magic: [u8; 8],
    version: u32,
    slot_size: u32,
    slots: u32,
    pid: i32,
    start: u64,
    boot: [u8; 36],
}

#[repr(C)]
struct RawSlot {
    state: AtomicU32,
    pid: AtomicI32,
    stamp: AtomicU64,
    closed: AtomicU64,
    flags: AtomicU32,
    reserved: AtomicU32,
    id: [AtomicU64; ID_SIZE / 8],
    spare: [AtomicU64; 4],
}
const _: () = assert!(size_of::<RawSlot>() == SLOT_SIZE);
const _: () = assert!(size_of::<RawHeader>() <= HEADER_SIZE);

/// Who writes the table; what a reader needs to judge it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The owner's pid.
    pub pid: i32,
    /// Its start time in clock ticks since boot (proc_pid_stat(5), field 22).
    pub start: u64,
    /// The boot it lives in (`/proc/sys/kernel/random/boot_id`), as text.
    pub boot: [u8; 36],
}

/// A container on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its first process in the owner's pid namespace; never 0 or less.
    pub pid: i32,
    /// CLOCK_BOOTTIME in ns just before the clone.
    pub stamp: u64,
    /// CLOCK_BOOTTIME in ns just after the clone; none if the owner never got that far.
    pub closed: Option<NonZero<u64>>,
    /// A sum of [`flags`].
    pub flags: u32,
    /// Its id, 64 lower-case hexadecimal digits.
    pub id: String,
}

/// Why no slot was given.
#[derive(Debug, PartialEq, Eq)]
pub enum ClaimError {
    /// All [`SLOTS`] are taken.
    Full,
    /// This process was forked from the one that made the table.
    Forked,
    /// No backing store: `ENOSPC` where the file system that holds the run directory is full.
    Store(Errno),
}

/// The writer's side of the table.
pub struct Table {
    file: File,
    map: NonNull<u8>,
    mark: NonNull<AtomicU32>,
    used: Box<[AtomicU64]>,
    backed: AtomicU32,
    growing: Mutex<()>,
}

// SAFETY: both maps live as long as the table, and all that is changed behind them is atomic.
unsafe impl Send for Table {}
// SAFETY: as above.
unsafe impl Sync for Table {}

impl Table {
    /// Makes an empty table in `file`, which is new, empty, and open for reading and writing.
    ///
    /// # Errors
    /// Those of fallocate(2), mmap(2) and madvise(2).
    pub fn create(file: File, header: &Header) -> Result<Table, Errno> {
        nix::unistd::ftruncate(&file, FILE_SIZE as i64)?;
        // A write into a hole of a full tmpfs would be a SIGBUS, so every page is backed before its use.
        fallocate(
            &file,
            FallocateFlags::empty(),
            0,
            (HEADER_SIZE + CHUNK * SLOT_SIZE) as i64,
        )?;
        let anonymous = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let mark = map(HEADER_SIZE, anonymous, -1)?;
        // SAFETY: the page just mapped, not used yet.
        Errno::result(unsafe {
            libc::madvise(mark.as_ptr().cast(), HEADER_SIZE, libc::MADV_WIPEONFORK)
        })?;
        let map = map(FILE_SIZE, libc::MAP_SHARED, file.as_raw_fd())?;
        let table = Table {
            file,
            map,
            mark: mark.cast(),
            used: (0..WORDS).map(|_| AtomicU64::new(0)).collect(),
            backed: AtomicU32::new(CHUNK as u32),
            growing: Mutex::new(()),
        };
        table.mark().store(1, Ordering::Relaxed);
        // SAFETY: the map is page-aligned, longer than a header and not shared with any reference yet.
        unsafe {
            table.map.cast::<RawHeader>().write(RawHeader {
                magic: MAGIC,
                version: VERSION,
                slot_size: SLOT_SIZE as u32,
                slots: SLOTS as u32,
                pid: header.pid,
                start: header.start,
                boot: header.boot,
            });
        }
        Ok(table)
    }

    /// Whether this process made the table; false in one forked from it.
    pub fn is_mine(&self) -> bool {
        self.mark().load(Ordering::Relaxed) == 1
    }

    /// Takes a free slot for the container `id`.
    pub fn claim(self: &Arc<Self>, id: &[u8; ID_SIZE], flags: u32) -> Result<Slot, ClaimError> {
        if !self.is_mine() {
            return Err(ClaimError::Forked);
        }
        let index = self.take_index().ok_or(ClaimError::Full)?;
        if index >= self.backed.load(Ordering::Acquire) as usize
            && let Err(errno) = self.back(index)
        {
            self.give_index(index);
            return Err(ClaimError::Store(errno));
        }
        let slot = Slot {
            table: Arc::clone(self),
            index,
        };
        let raw = slot.raw();
        for (word, bytes) in raw.id.iter().zip(id.as_chunks::<8>().0) {
            word.store(u64::from_ne_bytes(*bytes), Ordering::Relaxed);
        }
        raw.flags.store(flags, Ordering::Relaxed);
        raw.state.store(CLAIMED, Ordering::Release);
        Ok(slot)
    }

    fn mark(&self) -> &AtomicU32 {
        // SAFETY: the page lives as long as the table and is only ever used as this atomic.
        unsafe { self.mark.as_ref() }
    }

    /// The lowest free index: few pages stay in use, and hot.
    fn take_index(&self) -> Option<usize> {
        for (at, word) in self.used.iter().enumerate() {
            let mut seen = word.load(Ordering::Relaxed);
            while seen != u64::MAX {
                let bit = 1 << seen.trailing_ones();
                seen = word.fetch_or(bit, Ordering::Acquire);
                if seen & bit == 0 {
                    return Some(at * 64 + bit.trailing_zeros() as usize);
                }
            }
        }
        None
    }

    fn give_index(&self, index: usize) {
        self.used[index / 64].fetch_and(!(1 << (index % 64)), Ordering::Release);
    }

    fn back(&self, index: usize) -> Result<(), Errno> {
        let _growing = self.growing.lock().unwrap_or_else(PoisonError::into_inner);
        let backed = self.backed.load(Ordering::Acquire) as usize;
        let wanted = (index / CHUNK + 1) * CHUNK;
        if wanted <= backed {
            return Ok(());
        }
        fallocate(
            &self.file,
            FallocateFlags::empty(),
            (HEADER_SIZE + backed * SLOT_SIZE) as i64,
            ((wanted - backed) * SLOT_SIZE) as i64,
        )?;
        self.backed.store(wanted as u32, Ordering::Release);
        Ok(())
    }
}

/// A new mapping, readable and writable, where the kernel likes.
fn map(size: usize, flags: libc::c_int, fd: libc::c_int) -> Result<NonNull<u8>, Errno> {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: without MAP_FIXED it disturbs no other memory.
    let at = unsafe { libc::mmap(std::ptr::null_mut(), size, access, flags, fd, 0) };
    if at == libc::MAP_FAILED {
        return Err(Errno::last());
    }
    NonNull::new(at.cast()).ok_or(Errno::ENOMEM)
}

impl Drop for Table {
    fn drop(&mut self) {
        // SAFETY: both were mapped by `create` with these lengths, and every slot, which holds the table
        // alive, is gone. munmap of a whole mapping cannot fail.
        unsafe {
            libc::munmap(self.map.as_ptr().cast(), FILE_SIZE);
            libc::munmap(self.mark.as_ptr().cast(), HEADER_SIZE);
        }
    }
}

/// One container's place in the table.
///
/// Dropping it without [`Slot::release`] leaves it taken until the owner ends: the safe direction, since
/// what is on record gets cleaned up.
#[must_use = "a slot stays taken until it is released"]
pub struct Slot {
    table: Arc<Table>,
    index: usize,
}

impl Slot {
    /// Where the kernel is to write the child's pid: its address is `parent_tid` of clone3(2), with
    /// `CLONE_PARENT_SETTID`. 0 before the clone.
    pub fn pid(&self) -> &AtomicI32 {
        &self.raw().pid
    }

    /// Notes the time. To be called just before the clone: a pid counts only for a process that began
    /// after it. It also makes sure that the page is present and writable when the kernel writes the pid.
    pub fn stamp(&self) {
        let raw = self.raw();
        raw.pid.store(0, Ordering::Relaxed);
        raw.closed.store(0, Ordering::Relaxed);
        raw.stamp.store(boottime_ns(), Ordering::Release);
    }

    /// Notes the time again, just after the clone has returned: a pid counts only for a process that began
    /// before it.
    pub fn started(&self) {
        self.raw().closed.store(boottime_ns(), Ordering::Release);
    }

    /// Gives the slot back, after the process is reaped. Without effect in a forked process.
    pub fn release(self) {
        if self.table.is_mine() {
            let raw = self.raw();
            raw.pid.store(0, Ordering::Relaxed);
            raw.stamp.store(0, Ordering::Relaxed);
            raw.state.store(FREE, Ordering::Release);
            self.table.give_index(self.index);
        }
    }

    fn raw(&self) -> &RawSlot {
        // SAFETY: the index is below SLOTS, so the slot lies within the map, which the table held by `self`
        // keeps; 128 divides the page size, so it is aligned; all of its fields are atomic.
        unsafe {
            self.table
                .map
                .add(HEADER_SIZE + self.index * SLOT_SIZE)
                .cast::<RawSlot>()
                .as_ref()
        }
    }
}

/// CLOCK_BOOTTIME in ns: the clock by which the kernel stamps a process's start.
pub fn boottime_ns() -> u64 {
    // With this clock, which every supported kernel has, the call cannot fail.
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(0, |time| {
        time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64
    })
}

/// Reads a table's header from the bytes of its file: none unless it is a table of this version.
pub fn read_header(bytes: &[u8]) -> Option<Header> {
    let known = bytes.get(..8)? == MAGIC.as_slice()
        && u32_at(bytes, 8)? == VERSION
        && u32_at(bytes, 12)? == SLOT_SIZE as u32;
    known.then_some(())?;
    Some(Header {
        pid: u32_at(bytes, 20)? as i32,
        start: u64_at(bytes, 24)?,
        boot: bytes.get(32..68)?.try_into().ok()?,
    })
}

/// The containers on record in the bytes of a table's file; what makes no sense is left out.
pub fn read_entries(bytes: &[u8]) -> impl Iterator<Item = Entry> + '_ {
    let slots = bytes.get(HEADER_SIZE..).unwrap_or_default();
    read_slots(&slots[..slots.len().min(SLOTS * SLOT_SIZE)])
}

/// The same of a part of the file that begins with a slot.
pub fn read_slots(bytes: &[u8]) -> impl Iterator<Item = Entry> + '_ {
    bytes.chunks_exact(SLOT_SIZE).filter_map(read_entry)
}

fn read_entry(slot: &[u8]) -> Option<Entry> {
    if u32_at(slot, 0)? != CLAIMED {
        return None;
    }
    let id = slot.get(32..32 + ID_SIZE)?;
    let is_id = id.iter().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
    let entry = Entry {
        pid: u32_at(slot, 4)? as i32,
        stamp: u64_at(slot, 8)?,
        closed: NonZero::new(u64_at(slot, 16)?),
        flags: u32_at(slot, 24)?,
        id: str::from_utf8(id).ok()?.to_owned(),
    };
    (is_id && entry.pid > 0 && entry.stamp > 0).then_some(entry)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}
