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

/// Labels, the image's and the user's: a JSON object. Apart from the annotations, because a name in them means
/// something to a runtime.
pub const LABELS: &str = "io.fastbox.labels";

/// The image's health check as the user's options change it: a JSON object with the fields of Docker's image config.
pub const HEALTHCHECK: &str = "io.fastbox.healthcheck";

/// Seconds from the stop signal to SIGKILL, decimal; -1 is no limit; absent: 10.
pub const STOP_TIMEOUT: &str = "io.fastbox.stop-timeout";

/// The signal that asks the program to end, by name or number; absent: SIGTERM (OCI image-spec, conversion.md).
pub const STOP_SIGNAL: &str = "org.opencontainers.image.stopSignal";

/// Ports that the program listens on, as `80/tcp`, separated by commas (OCI image-spec, conversion.md).
pub const EXPOSED_PORTS: &str = "org.opencontainers.image.exposedPorts";
