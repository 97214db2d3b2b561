//! Annotations for what the OCI document has no field for.

/// `auto`: an own user namespace and range of ids, made per launch; `host`: the caller's.
pub const USERNS: &str = "io.fastbox.userns";

/// Bytes that the container may write to its root file system, decimal; absent: no limit.
pub const STORAGE_SIZE: &str = "io.fastbox.storage-size";

/// The preset's name; absent: none.
pub const PRESET: &str = "io.fastbox.preset";

/// The control group below which the container's own are made, relative to each hierarchy's top; absent: the top.
pub const CGROUP_PARENT: &str = "io.fastbox.cgroup-parent";

/// `true`: refuse to start where a default protection or limit cannot be had; absent: note it.
pub const STRICT: &str = "io.fastbox.strict";

/// `true`: the hostname is the first 12 digits of the container's id, filled in at each launch, and
/// so is the variable HOSTNAME where the environment has none; absent: `hostname` holds it.
pub const HOSTNAME_FROM_ID: &str = "io.fastbox.hostname-from-id";

/// The files that each launch writes and mounts into /etc, separated by commas: out of
/// `hosts`, `hostname`, `resolv.conf`; may be empty.
pub const ETC: &str = "io.fastbox.etc";

/// `true`: the container's first process is an init of the engine's, which starts the program; absent: the program.
pub const INIT: &str = "io.fastbox.init";
