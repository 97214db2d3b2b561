//! A socket pair between threads that do not share a table of open files: messages carry fds (unix(7), SCM_RIGHTS).

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg,
    sendmsg, socketpair,
};
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// How many fds one message can carry (SCM_MAX_FD).
pub const MAX_FDS: usize = 253;

/// One end.
#[derive(Debug)]
pub struct Channel(OwnedFd);

impl Channel {
    /// Both ends of a new one.
    pub fn pair() -> Result<(Channel, Channel), Errno> {
        let (a, b) = socketpair(
            AddressFamily::Unix,
            SockType::SeqPacket,
            None,
            SockFlag::SOCK_CLOEXEC,
        )?;
        Ok((Channel(a), Channel(b)))
    }

    /// This end's fd.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// The number of this end's fd.
    pub fn number(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// The same number as an end of its own, for the thread that is about to get its own table
    /// ([`own_file_table`]) and until then must not drop it.
    pub fn twin(&self) -> Channel {
        // SAFETY: the number is owned twice only until the tables part; then each table's entry has one owner.
        Channel(unsafe { OwnedFd::from_raw_fd(self.number()) })
    }

    /// Sends one byte and fds.
    pub fn send(&self, byte: u8, fds: &[BorrowedFd<'_>]) -> Result<(), Errno> {
        let raw: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
        let rights = [ControlMessage::ScmRights(&raw)];
        let control = if raw.is_empty() {
            &rights[..0]
        } else {
            &rights[..]
        };
        loop {
            match sendmsg::<()>(
                self.number(),
                &[IoSlice::new(&[byte])],
                control,
                MsgFlags::MSG_NOSIGNAL,
                None,
            ) {
                Err(Errno::EINTR) => {}
                sent => return sent.map(drop),
            }
        }
    }

    /// Receives a byte and fds; None when the other end is closed.
    pub fn receive(&self) -> Result<Option<(u8, Vec<OwnedFd>)>, Errno> {
        let mut byte = [0u8];
        let mut space = nix::cmsg_space!([RawFd; MAX_FDS]);
        loop {
            let mut parts = [IoSliceMut::new(&mut byte)];
            match recvmsg::<()>(
                self.number(),
                &mut parts,
                Some(&mut space),
                MsgFlags::MSG_CMSG_CLOEXEC,
            ) {
                Err(Errno::EINTR) => continue,
                Err(errno) => return Err(errno),
                Ok(message) => {
                    let mut fds = Vec::new();
                    for control in message.cmsgs()? {
                        if let ControlMessageOwned::ScmRights(raw) = control {
                            // SAFETY: the kernel has just opened these for this receiver alone.
                            fds.extend(
                                raw.into_iter()
                                    .map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }),
                            );
                        }
                    }
                    let bytes = message.bytes;
                    return Ok((bytes > 0).then_some((byte[0], fds)));
                }
            }
        }
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Writes what there is room for, without waiting for more.
pub fn send_some(socket: BorrowedFd<'_>, bytes: &[u8]) -> Result<usize, Errno> {
    let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
    sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(bytes)], &[], flags, None)
}

/// Reads what is there, up to so many bytes, with the one fd that may come with them; 0 at the end.
pub fn receive_some(
    socket: BorrowedFd<'_>,
    bytes: &mut [u8],
) -> Result<(usize, Option<OwnedFd>), Errno> {
    let mut space = nix::cmsg_space!(RawFd);
    let mut parts = [IoSliceMut::new(bytes)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC | MsgFlags::MSG_DONTWAIT;
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut space), flags)?;
    let mut fd = None;
    if let Ok(controls) = message.cmsgs() {
        for control in controls {
            if let ControlMessageOwned::ScmRights(raw) = control {
                // SAFETY: the kernel has just opened it for this receiver alone.
                fd = raw.first().map(|fd| unsafe { OwnedFd::from_raw_fd(*fd) });
            }
        }
    }
    Ok((message.bytes, fd))
}

/// Gives this thread a table of open files of its own, in which only `keep` is left, and 0, 1 and 2 as /dev/null.
///
/// The ends in `keep` are the same numbers as before. Nothing else in this thread, nor in threads it starts, may
/// hold an fd from before.
pub fn own_file_table(keep: &[&Channel]) -> Result<(), Errno> {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_FILES)?;
    let mut numbers: Vec<RawFd> = keep.iter().map(|c| c.number()).filter(|n| *n > 2).collect();
    numbers.sort_unstable();
    let mut first: u32 = 0;
    for number in numbers.iter().map(|n| *n as u32).chain([u32::MAX]) {
        if number > first {
            // SAFETY: the table is this thread's own since the unshare; close_range(2) closes numbers, no memory.
            Errno::result(unsafe { libc::syscall(libc::SYS_close_range, first, number - 1, 0) })?;
        }
        first = number.saturating_add(1);
    }
    for number in 0..3 {
        // SAFETY: opens /dev/null as the lowest free number, which is this one, and leaves it open for good.
        let fd = unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) };
        Errno::result(fd)?;
        debug_assert_eq!(fd, number);
    }
    Ok(())
}

/// A sealed copy of a program in memory: what runs from it cannot change it, and no path leads to it
/// (memfd_create(2), F_ADD_SEALS).
pub fn sealed_program(bytes: &[u8]) -> Result<OwnedFd, Errno> {
    use nix::fcntl::{FcntlArg, SealFlag, fcntl};
    use nix::sys::memfd::{MFdFlags, memfd_create};
    let fd = memfd_create(
        "fastbox-stub",
        MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING,
    )?;
    let mut rest = bytes;
    while !rest.is_empty() {
        let n = nix::unistd::write(&fd, rest)?;
        rest = &rest[n..];
    }
    fcntl(&fd, FcntlArg::F_ADD_SEALS(SealFlag::all()))?;
    Ok(fd)
}
