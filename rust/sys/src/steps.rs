//! The vocabulary of programs: one typed method for each thing a container's start is made of.

use crate::builder::{Arg, Builder, Slot};
use crate::program::{OnError, op};
use crate::raw::nr;

const AT_FDCWD: i32 = -100;
const AT_EMPTY_PATH: u64 = 0x1000;

/// Flags of the mount calls, under the kernel's names.
#[allow(missing_docs)]
pub mod attr {
    pub const RDONLY: u64 = 1;
    pub const NOSUID: u64 = 2;
    pub const NODEV: u64 = 4;
    pub const NOEXEC: u64 = 8;
    pub const IDMAP: u64 = 0x0010_0000;
    pub const MS_BIND: u64 = 4096;
    pub const MS_REC: u64 = 16384;
    pub const MS_PRIVATE: u64 = 1 << 18;
    pub const MS_SLAVE: u64 = 1 << 19;
    pub const MS_SHARED: u64 = 1 << 20;
}

/// Bytes of `struct mount_attr` (mount_setattr(2)): attributes to set and to clear, no id map.
fn mount_attr(set: u64, clear: u64) -> Vec<u8> {
    [set, clear, 0, 0]
        .iter()
        .flat_map(|v| v.to_ne_bytes())
        .collect()
}

impl Builder {
    /// SIGKILL when the parent thread ends (PR_SET_PDEATHSIG). An id change clears it.
    pub fn die_with_parent(&mut self) -> &mut Self {
        self.call(nr::PRCTL, [1.into(), 9.into()])
    }

    /// openat(2); `dir` None is the working directory. The fd is close-on-exec.
    pub fn open(
        &mut self,
        dir: Option<Slot>,
        path: impl Into<Arg>,
        flags: i32,
        out: Slot,
    ) -> &mut Self {
        const O_CLOEXEC: i32 = 0o2000000;
        self.opens(out);
        self.call_into(
            out,
            nr::OPENAT,
            [
                dir_arg(dir),
                path.into(),
                (flags | O_CLOEXEC).into(),
                0.into(),
            ],
        )
    }

    /// write(2) of a few bytes at once.
    pub fn write(&mut self, fd: Slot, bytes: &str) -> &mut Self {
        self.call(
            nr::WRITE,
            [
                fd.into(),
                Arg::Bytes(bytes.as_bytes().to_vec()),
                (bytes.len() as u64).into(),
            ],
        )
    }

    /// unshare(2).
    pub fn unshare(&mut self, flags: u64) -> &mut Self {
        self.call(nr::UNSHARE, [flags.into()])
    }

    /// Waits at the gate in a slot ([`crate::launch::Launch::gate`]).
    pub fn wait(&mut self, gate: Slot) -> &mut Self {
        self.call(op::WAIT, [gate.into()])
    }

    /// setns(2) into the namespace of type `flag`.
    pub fn setns(&mut self, fd: Slot, flag: u64) -> &mut Self {
        self.call(nr::SETNS, [fd.into(), flag.into()])
    }

    /// fsopen(2).
    pub fn fsopen(&mut self, fs: &str, out: Slot) -> &mut Self {
        self.opens(out);
        self.call_into(out, nr::FSOPEN, [fs.into(), 1.into()])
    }

    /// fsconfig(2), FSCONFIG_SET_STRING.
    pub fn fsconfig(&mut self, fs: Slot, key: &str, value: impl Into<Arg>) -> &mut Self {
        self.call(
            nr::FSCONFIG,
            [fs.into(), 1.into(), key.into(), value.into(), 0.into()],
        )
    }

    /// fsconfig(2), FSCONFIG_SET_FLAG.
    pub fn fsconfig_flag(&mut self, fs: Slot, key: &str) -> &mut Self {
        self.call(
            nr::FSCONFIG,
            [fs.into(), 0.into(), key.into(), 0.into(), 0.into()],
        )
    }

    /// fsconfig(2), FSCONFIG_SET_FD.
    pub fn fsconfig_fd(&mut self, fs: Slot, key: &str, fd: Slot) -> &mut Self {
        self.call(
            nr::FSCONFIG,
            [fs.into(), 5.into(), key.into(), 0.into(), fd.into()],
        )
    }

    /// fsconfig(2), FSCONFIG_CMD_CREATE.
    pub fn fsconfig_create(&mut self, fs: Slot) -> &mut Self {
        self.call(
            nr::FSCONFIG,
            [fs.into(), 6.into(), 0.into(), 0.into(), 0.into()],
        )
    }

    /// fsmount(2): a detached mount with `attributes` ([`attr`]).
    pub fn fsmount(&mut self, fs: Slot, attributes: u64, out: Slot) -> &mut Self {
        self.opens(out);
        self.call_into(out, nr::FSMOUNT, [fs.into(), 1.into(), attributes.into()])
    }

    /// A detached mount of a file system that takes string options only.
    pub fn filesystem(
        &mut self,
        fs: &str,
        options: &[(&str, Arg)],
        attributes: u64,
        out: Slot,
    ) -> &mut Self {
        let context = self.slot();
        self.fsopen(fs, context);
        // What is shown as its device.
        if options.iter().all(|(key, _)| *key != "source") {
            self.fsconfig(context, "source", fs);
        }
        for (key, value) in options {
            match value {
                Arg::Str(s) if s.is_empty() => self.fsconfig_flag(context, key),
                value => self.fsconfig(context, key, value.clone()),
            };
        }
        self.fsconfig_create(context)
            .fsmount(context, attributes, out)
            .close(context)
    }

    /// open_tree(2) with OPEN_TREE_CLONE: a detached copy of the mount at `path` (below `dir`, or of `dir` itself
    /// when the path is empty).
    pub fn clone_mount(
        &mut self,
        dir: Option<Slot>,
        path: impl Into<Arg>,
        recursive: bool,
        out: Slot,
    ) -> &mut Self {
        const OPEN_TREE_CLONE: u64 = 1;
        const O_CLOEXEC: u64 = 0o2000000;
        const AT_RECURSIVE: u64 = 0x8000;
        let flags =
            OPEN_TREE_CLONE | O_CLOEXEC | AT_EMPTY_PATH | if recursive { AT_RECURSIVE } else { 0 };
        self.opens(out);
        self.call_into(
            out,
            nr::OPEN_TREE,
            [dir_arg(dir), path.into(), flags.into()],
        )
    }

    /// mount_setattr(2) on the mount at `path`.
    pub fn mount_attributes(
        &mut self,
        path: &str,
        set: u64,
        recursive: bool,
        on_error: OnError,
    ) -> &mut Self {
        let flags: u64 = if recursive { 0x8000 } else { 0 };
        let args = [
            AT_FDCWD.into(),
            path.into(),
            flags.into(),
            Arg::Bytes(mount_attr(set, 0)),
            32.into(),
        ];
        self.step(nr::MOUNT_SETATTR, args, on_error, None)
    }

    /// mount_setattr(2) on a detached mount.
    pub fn mount_fd_attributes(&mut self, mount: Slot, set: u64, recursive: bool) -> &mut Self {
        let flags = AT_EMPTY_PATH | if recursive { 0x8000 } else { 0 };
        self.call(
            nr::MOUNT_SETATTR,
            [
                mount.into(),
                "".into(),
                flags.into(),
                Arg::Bytes(mount_attr(set, 0)),
                32.into(),
            ],
        )
    }

    /// move_mount(2): attaches a detached mount at `path`.
    pub fn attach(&mut self, mount: Slot, path: impl Into<Arg>) -> &mut Self {
        self.call(
            nr::MOVE_MOUNT,
            [
                mount.into(),
                "".into(),
                AT_FDCWD.into(),
                path.into(),
                4.into(),
            ],
        )
    }

    /// move_mount(2): attaches a detached mount on what `target` is open at.
    pub fn attach_at(&mut self, mount: Slot, target: Slot) -> &mut Self {
        self.call(
            nr::MOVE_MOUNT,
            [
                mount.into(),
                "".into(),
                target.into(),
                "".into(),
                0x44.into(),
            ],
        )
    }

    /// openat2(2) of a mount target below the working directory's root, never through a symbolic link.
    pub fn open_target(&mut self, path: &str, out: Slot) -> &mut Self {
        const O_PATH: u64 = 0o10000000;
        const O_CLOEXEC: u64 = 0o2000000;
        const NO_MAGICLINKS_NO_SYMLINKS_IN_ROOT: u64 = 0x02 | 0x04 | 0x10;
        let how = [O_PATH | O_CLOEXEC, 0, NO_MAGICLINKS_NO_SYMLINKS_IN_ROOT];
        let how = how.iter().flat_map(|v| v.to_ne_bytes()).collect();
        self.opens(out);
        self.call_into(
            out,
            nr::OPENAT2,
            [AT_FDCWD.into(), path.into(), Arg::Bytes(how), 24.into()],
        )
    }

    /// openat2(2) of a directory that lies below the working directory, which is taken for the root: symbolic links
    /// are followed within it, and those of proc, which lead anywhere a process has something open, are refused.
    pub fn open_directory_beneath(&mut self, path: &str, out: Slot) -> &mut Self {
        const O_PATH_DIRECTORY_CLOEXEC: u64 = 0o12200000;
        const NO_MAGICLINKS_IN_ROOT: u64 = 0x02 | 0x10;
        let how = [O_PATH_DIRECTORY_CLOEXEC, 0, NO_MAGICLINKS_IN_ROOT];
        let how = how.iter().flat_map(|v| v.to_ne_bytes()).collect();
        self.opens(out);
        self.call_into(
            out,
            nr::OPENAT2,
            [AT_FDCWD.into(), path.into(), Arg::Bytes(how), 24.into()],
        )
    }

    /// mount(2).
    pub fn mount(
        &mut self,
        source: &str,
        target: &str,
        fs: &str,
        flags: u64,
        data: impl Into<Arg>,
        on_error: OnError,
    ) -> &mut Self {
        let args = [
            source.into(),
            target.into(),
            fs.into(),
            flags.into(),
            data.into(),
        ];
        self.step(nr::MOUNT, args, on_error, None)
    }

    /// umount2(2) with MNT_DETACH.
    pub fn detach(&mut self, path: &str) -> &mut Self {
        self.call(nr::UMOUNT2, [path.into(), 2.into()])
    }

    /// mkdirat(2) below the directory in `dir`.
    pub fn mkdir(&mut self, dir: Slot, path: impl Into<Arg>, mode: u32) -> &mut Self {
        self.call(nr::MKDIRAT, [dir.into(), path.into(), mode.into()])
    }

    /// The same for `owner` (group the same), where it may be there already.
    pub fn mkdir_missing(&mut self, dir: Slot, path: &str, mode: u32, owner: Slot) -> &mut Self {
        let args = [dir.into(), path.into(), mode.into()];
        self.step(nr::MKDIRAT, args, OnError::Ignore, None);
        self.chown(dir, path, owner)
    }

    /// fchownat(2) below the directory in `dir`, to the owner in a slot (group the same).
    pub fn chown(&mut self, dir: Slot, path: impl Into<Arg>, owner: Slot) -> &mut Self {
        self.call(
            nr::FCHOWNAT,
            [
                dir.into(),
                path.into(),
                owner.into(),
                owner.into(),
                0.into(),
            ],
        )
    }

    /// symlinkat(2) below the directory in `dir`.
    pub fn symlink(&mut self, target: &str, dir: Slot, path: &str) -> &mut Self {
        self.call(nr::SYMLINKAT, [target.into(), dir.into(), path.into()])
    }

    /// fchown(2) to ids as this process sees them. A slot without an fd is of no matter.
    pub fn chown_fd(&mut self, fd: Slot, uid: u32, gid: u32) -> &mut Self {
        self.step(
            nr::FCHOWN,
            [fd.into(), uid.into(), gid.into()],
            OnError::Ignore,
            None,
        )
    }

    /// fchown(2) of the owner alone, to the id in a slot.
    pub fn chown_fd_to(&mut self, fd: Slot, owner: Slot) -> &mut Self {
        self.call(nr::FCHOWN, [fd.into(), owner.into(), u32::MAX.into()])
    }

    /// Makes the other side of the pseudo terminal whose master is open in `master`, unlocked (ioctl_tty(2),
    /// TIOCSPTLCK and TIOCGPTPEER): no path is followed to it.
    pub fn open_slave(&mut self, master: Slot, out: Slot) -> &mut Self {
        const TIOCSPTLCK: u64 = 0x4004_5431;
        const TIOCGPTPEER: u64 = 0x5441;
        const O_RDWR_NOCTTY_CLOEXEC: u64 = 0o2 | 0o400 | 0o2000000;
        let unlocked = Arg::Bytes(vec![0; 4]);
        self.opens(out);
        self.call(nr::IOCTL, [master.into(), TIOCSPTLCK.into(), unlocked])
            .call_into(
                out,
                nr::IOCTL,
                [
                    master.into(),
                    TIOCGPTPEER.into(),
                    O_RDWR_NOCTTY_CLOEXEC.into(),
                ],
            )
    }

    /// The size of a terminal in rows and columns (ioctl_tty(2), TIOCSWINSZ).
    pub fn terminal_size(&mut self, terminal: Slot, rows: u16, columns: u16) -> &mut Self {
        const TIOCSWINSZ: u64 = 0x5414;
        let size = [rows, columns, 0, 0];
        let size = size.iter().flat_map(|v| v.to_ne_bytes()).collect();
        self.call(
            nr::IOCTL,
            [terminal.into(), TIOCSWINSZ.into(), Arg::Bytes(size)],
        )
    }

    /// Makes a terminal the controlling one of this process's new session (ioctl_tty(2), TIOCSCTTY).
    pub fn controlling_terminal(&mut self, terminal: Slot) -> &mut Self {
        const TIOCSCTTY: u64 = 0x540e;
        self.call(nr::IOCTL, [terminal.into(), TIOCSCTTY.into(), 0.into()])
    }

    /// Hands an open file to whoever reads the other end of a socket ([`crate::channel::Channel`]).
    pub fn send_fd(&mut self, socket: Slot, fd: Slot) -> &mut Self {
        self.call(op::SEND_FD, [socket.into(), fd.into()])
    }

    /// fchdir(2).
    pub fn fchdir(&mut self, fd: Slot) -> &mut Self {
        self.call(nr::FCHDIR, [fd.into()])
    }

    /// chdir(2).
    pub fn chdir(&mut self, path: &str) -> &mut Self {
        self.call(nr::CHDIR, [path.into()])
    }

    /// pivot_root(2).
    pub fn pivot_root(&mut self, new_root: &str, put_old: &str) -> &mut Self {
        self.call(nr::PIVOT_ROOT, [new_root.into(), put_old.into()])
    }

    /// sethostname(2) from a slot that holds the address of a string and one that holds its length.
    pub fn sethostname(&mut self, name: Slot, length: Slot) -> &mut Self {
        self.call(nr::SETHOSTNAME, [name.into(), length.into()])
    }

    /// setdomainname(2).
    pub fn setdomainname(&mut self, name: &str) -> &mut Self {
        let length = name.len() as u64;
        self.call(nr::SETDOMAINNAME, [name.into(), length.into()])
    }

    /// Brings the loopback device of the present network namespace up (netdevice(7), SIOCSIFFLAGS).
    pub fn loopback_up(&mut self) -> &mut Self {
        let mut request = [0u8; 40];
        request[..2].copy_from_slice(b"lo");
        request[16] = 0x41; // IFF_UP | IFF_RUNNING
        let socket = self.slot();
        self.opens(socket);
        self.call_into(
            socket,
            nr::SOCKET,
            [2.into(), (2 | 0o2000000).into(), 0.into()],
        );
        self.call(
            nr::IOCTL,
            [socket.into(), 0x8914.into(), Arg::Bytes(request.to_vec())],
        )
        .close(socket)
    }

    /// Every signal at its default disposition.
    pub fn reset_signals(&mut self) -> &mut Self {
        self.call(op::RESET_SIGNALS, [])
    }

    /// No signal blocked.
    pub fn unblock_signals(&mut self) -> &mut Self {
        self.call(
            nr::RT_SIGPROCMASK,
            [2.into(), Arg::Bytes(vec![0; 8]), 0.into(), 8.into()],
        )
    }

    /// setsid(2).
    pub fn setsid(&mut self) -> &mut Self {
        self.call(nr::SETSID, [])
    }

    /// umask(2).
    pub fn umask(&mut self, mask: u32) -> &mut Self {
        self.call(nr::UMASK, [mask.into()])
    }

    /// prlimit(2) on the process itself.
    pub fn rlimit(&mut self, resource: u32, soft: u64, hard: u64) -> &mut Self {
        let limit = [soft, hard].iter().flat_map(|v| v.to_ne_bytes()).collect();
        self.call(
            nr::PRLIMIT64,
            [0.into(), resource.into(), Arg::Bytes(limit), 0.into()],
        )
    }

    /// Keeps in the bounding set only the capabilities whose bits are in `keep`.
    pub fn keep_bounding(&mut self, keep: u64) -> &mut Self {
        self.call(op::KEEP_BOUNDING, [keep.into()])
    }

    /// capset(2): permitted, effective and inheritable sets by bit.
    pub fn capset(&mut self, permitted: u64, effective: u64, inheritable: u64) -> &mut Self {
        let header: Vec<u8> = [0x2008_0522u32, 0]
            .iter()
            .flat_map(|v| v.to_ne_bytes())
            .collect();
        let half = |v: u64, n: u32| (v >> (32 * n)) as u32;
        let data: Vec<u8> = (0..2)
            .flat_map(|n| [half(effective, n), half(permitted, n), half(inheritable, n)])
            .flat_map(u32::to_ne_bytes)
            .collect();
        self.call(nr::CAPSET, [Arg::Bytes(header), Arg::Bytes(data)])
    }

    /// Loads a seccomp filter: instructions of 8 bytes each, SECCOMP_FILTER_FLAG_* (seccomp(2),
    /// SECCOMP_SET_MODE_FILTER).
    pub fn seccomp(&mut self, instructions: Vec<u8>, flags: u32) -> &mut Self {
        let filter = Arg::Filter(instructions);
        self.call(nr::SECCOMP, [1.into(), flags.into(), filter])
    }

    /// PR_SET_NO_NEW_PRIVS.
    pub fn no_new_privs(&mut self) -> &mut Self {
        self.call(
            nr::PRCTL,
            [38.into(), 1.into(), 0.into(), 0.into(), 0.into()],
        )
    }

    /// PR_SET_DUMPABLE to the value in a slot: an id change clears the flag in the memory shared with the caller.
    pub fn dumpable(&mut self, value: Slot) -> &mut Self {
        self.call(
            nr::PRCTL,
            [4.into(), value.into(), 0.into(), 0.into(), 0.into()],
        )
    }

    /// PR_SET_DUMPABLE to 0: nobody traces this process, which still shares the caller's memory (ptrace(2)).
    pub fn undumpable(&mut self) -> &mut Self {
        self.call(
            nr::PRCTL,
            [4.into(), 0.into(), 0.into(), 0.into(), 0.into()],
        )
    }

    /// A new session keyring (keyctl(2), KEYCTL_JOIN_SESSION_KEYRING): the caller's keys are the caller's.
    pub fn new_session_keyring(&mut self) -> &mut Self {
        self.step(
            nr::KEYCTL,
            [1.into(), 0.into()],
            OnError::IgnoreUnsupported,
            None,
        )
    }

    /// setgroups(2).
    pub fn setgroups(&mut self, groups: &[u32]) -> &mut Self {
        let bytes = groups.iter().flat_map(|g| g.to_ne_bytes()).collect();
        self.call(
            nr::SETGROUPS,
            [(groups.len() as u64).into(), Arg::Bytes(bytes)],
        )
    }

    /// setresgid(2), then setresuid(2).
    pub fn setids(&mut self, uid: u32, gid: u32) -> &mut Self {
        self.call(nr::SETRESGID, [gid.into(), gid.into(), gid.into()]);
        self.call(nr::SETRESUID, [uid.into(), uid.into(), uid.into()])
    }

    /// dup3(2): the fd in `from` becomes number `to`, kept over exec.
    pub fn dup(&mut self, from: Slot, to: u32) -> &mut Self {
        self.call(nr::DUP3, [from.into(), to.into(), 0.into()])
    }

    /// close_range(2) with CLOSE_RANGE_CLOEXEC: nothing from `first` on outlives the exec.
    pub fn close_on_exec(&mut self, first: u32) -> &mut Self {
        self.call(nr::CLOSE_RANGE, [first.into(), u32::MAX.into(), 4.into()])
    }

    /// Takes FD_CLOEXEC off an fd (fcntl(2), F_SETFD): it outlives the next exec.
    pub fn keep_over_exec(&mut self, fd: Slot) -> &mut Self {
        self.call(nr::FCNTL, [fd.into(), 2.into(), 0.into()])
    }

    /// execve(2) of the first path that is there; `paths`, `argv` and `envp` are slots with arrays
    /// ([`crate::launch::Launch::array`]).
    pub fn exec(&mut self, paths: Slot, argv: Slot, envp: Slot) -> &mut Self {
        self.call(op::EXEC, [paths.into(), argv.into(), envp.into()])
    }

    /// execveat(2) of an open file (AT_EMPTY_PATH).
    pub fn execveat(&mut self, file: Slot, argv: Slot, envp: Slot) -> &mut Self {
        self.call(
            nr::EXECVEAT,
            [
                file.into(),
                "".into(),
                argv.into(),
                envp.into(),
                AT_EMPTY_PATH.into(),
            ],
        )
    }

    /// Clones the process that goes on, as a child of this one's parent; `args` is the slot with the clone_args.
    pub fn clone_again(&mut self, args: Slot) -> &mut Self {
        self.call(op::CLONE, [args.into()])
    }

    /// Clones the process that goes on, as a child of this one's parent with memory of its own; `args` is the slot
    /// with the clone_args. This one tells of it over a socket, and ends ([`op::PART`]).
    pub fn part(&mut self, args: Slot, socket: Slot) -> &mut Self {
        self.call(op::PART, [args.into(), socket.into()])
    }

    /// Ends the process.
    pub fn exit(&mut self, status: u32) -> &mut Self {
        self.call(op::EXIT, [status.into()])
    }
}

fn dir_arg(dir: Option<Slot>) -> Arg {
    dir.map_or(AT_FDCWD.into(), Arg::Slot)
}
