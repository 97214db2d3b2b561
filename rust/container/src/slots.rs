//! Which slot of a launch holds what. Programs are compiled against these numbers.

use fastbox_sys::builder::Slot;

/// The container's root: a detached mount.
pub const ROOT: Slot = Slot(0);
/// A detached copy of the prepared /dev.
pub const DEV: Slot = Slot(1);
/// The container's user namespace.
pub const USERNS: Slot = Slot(2);
/// The container's network namespace, where it is made.
pub const NETNS: Slot = Slot(3);
/// The gate that the child waits at until there is a network namespace, and the path it then finds it by.
pub const NETWORK: Slot = Slot(30);
pub const NETWORK_PATH: Slot = Slot(31);
/// The directory in which uppers are made.
pub const UPPERS: Slot = Slot(4);
/// What becomes stdin, stdout and stderr.
pub const STDIO: [Slot; 3] = [Slot(5), Slot(6), Slot(7)];
/// With a terminal that is its other side; our side leaves by the socket; the id outside of its owner.
pub const TERMINAL: Slot = STDIO[0];
pub const TERMINAL_SOCKET: Slot = STDIO[1];
pub const TERMINAL_OWNER: Slot = STDIO[2];
/// Arrays for execve: arguments, environment, paths to try.
pub const ARGV: Slot = Slot(8);
pub const ENVP: Slot = Slot(9);
pub const PATHS: Slot = Slot(10);
/// The hostname and its length.
pub const HOSTNAME: Slot = Slot(11);
pub const HOSTNAME_LEN: Slot = Slot(12);
/// Strings: paths of the container's directory for both, where it has one, of its upper and of its work directory.
pub const ID: Slot = Slot(13);
pub const UPPER: Slot = Slot(14);
pub const WORK: Slot = Slot(15);
/// The id outside that is 0 inside.
pub const BASE: Slot = Slot(16);
/// Whether the caller's memory may be dumped (PR_SET_DUMPABLE): what to set it back to.
pub const DUMPABLE: Slot = Slot(17);
/// A new tmpfs for what the container writes.
pub const MEMORY: Slot = Slot(18);
/// The host's proc.
pub const PROC: Slot = Slot(19);
/// cgroup v1: a directory for each hierarchy, as many as there are controllers, and the path of `tasks` in each.
pub const CGROUP_DIRS: [Slot; 11] = [
    Slot(20),
    Slot(21),
    Slot(22),
    Slot(23),
    Slot(24),
    Slot(25),
    Slot(26),
    Slot(27),
    Slot(28),
    Slot(29),
    Slot(30),
];
pub const CGROUP_TASKS: Slot = Slot(237);

/// An ordinary user's containers, which no hierarchy of version 1 is open to: the clone_args of the second clone,
/// pipes whose ends inside are given to the container's user, the tmpfs on which the root is put together, and
/// copies of the host's device nodes.
pub const INNER: Slot = Slot(20);
pub const PIPES: [Slot; 3] = [Slot(21), Slot(22), Slot(23)];
pub const STAGE: Slot = Slot(24);
pub const NODES: [Slot; 6] = [Slot(25), Slot(26), Slot(27), Slot(28), Slot(29), Slot(30)];

/// The stub, where the child becomes it, and its end of what connects it with us.
pub const STUB: Slot = Slot(238);
pub const REPORT: Slot = Slot(239);

/// Namespaces of a running container that this one joins: the second becomes its /dev/shm. The clone_args of the child
/// that is in its pid namespace.
pub const JOIN_IPC: Slot = Slot(250);
pub const JOIN_MOUNTS: Slot = Slot(251);
pub const JOIN_PID: Slot = Slot(252);
pub const JOIN_CLONE: Slot = Slot(253);

/// One more process of a running container: the pidfd of its first one, which stands for its namespaces, and the
/// clone_args of the child that is in its pid namespace.
pub const CONTAINER: Slot = USERNS;
pub const PART: Slot = Slot(250);

/// 0 inside, as who makes the mounts sees it.
pub const ROOT_ID: Slot = Slot(236);

const LAYERS: u8 = 32;
const BINDS: u8 = 160;
const ID_TEXTS: u8 = 240;
/// How many layers a root can have.
pub const MAX_LAYERS: usize = (BINDS - LAYERS) as usize;
/// How many binds a container can have.
pub const MAX_BINDS: usize = 40;

/// Detached copies of the layers, bottom first.
pub fn layer(index: usize) -> Slot {
    Slot(LAYERS + index as u8)
}

/// Detached copies of what is bound, in the order of the plan's list.
pub fn bind(index: usize) -> Slot {
    Slot(BINDS + index as u8)
}

/// Texts of ids outside, in the order of the plan's list; none for more than fit.
pub fn id_text(index: usize) -> Option<Slot> {
    (index < 10).then(|| Slot(ID_TEXTS + index as u8))
}
