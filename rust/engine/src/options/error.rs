//! What can be wrong with options, in sentences that name the option and the value.

/// Why options were refused. The texts are complete sentences' bodies, lower case, without a final stop.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionError {
    /// `--help` was given: not a mistake, the caller prints the help.
    #[error("help requested")]
    Help,
    /// A long flag that the table does not have.
    #[error("unknown flag: --{flag}{}", perhaps(*.near))]
    UnknownFlag {
        /// The flag without its dashes.
        flag: String,
        /// The flag that is spelt nearly so.
        near: Option<&'static str>,
    },
    /// A flag of Docker's that means nothing here, or not with this value.
    #[error("{flag}{} cannot be had: {why}", with_blank(.value))]
    NotHere {
        /// The flag as help prints it, or the keyword.
        flag: String,
        /// The value as given; `None` for a switch.
        value: Option<String>,
        /// Why, and what to do instead.
        why: &'static str,
    },
    /// A letter that is no short flag, within the group it stood in.
    #[error("unknown shorthand flag: {letter:?} in {group}")]
    UnknownShorthand {
        /// The letter.
        letter: char,
        /// The whole argument, as `-ix`.
        group: String,
    },
    /// `--=x` or `---x`.
    #[error("bad flag syntax: {argument}")]
    BadSyntax {
        /// The argument as given.
        argument: String,
    },
    /// The last argument is a flag that takes a value.
    #[error("flag needs an argument: {flag}")]
    NeedsArgument {
        /// `--memory`, or `'m' in -im`.
        flag: String,
    },
    /// Several values by default for a flag that takes one.
    #[error("{flag} takes one value, not several")]
    Several {
        /// `--memory`.
        flag: String,
    },
    /// A flag's value does not fit.
    #[error("invalid argument {value:?} for \"{flag}\" flag: {reason}")]
    InvalidFlag {
        /// The flag as help prints it: `-m, --memory`.
        flag: String,
        /// The value as given.
        value: String,
        /// What is wrong with it.
        reason: ValueError,
    },
    /// A keyword's value does not fit.
    #[error("invalid value {value:?} for {name}: {reason}")]
    InvalidValue {
        /// The option's name.
        name: &'static str,
        /// The value as given.
        value: String,
        /// What is wrong with it.
        reason: ValueError,
    },
    /// A keyword's value has the wrong type.
    #[error("{name} must be {expected}, not {got}")]
    WrongType {
        /// The option's name.
        name: &'static str,
        /// The types it takes, in Python's words.
        expected: &'static str,
        /// The type it got.
        got: &'static str,
    },
    /// A keyword that the table does not have.
    #[error("unknown option: {name}")]
    UnknownOption {
        /// The name as given.
        name: String,
    },
    /// An argument that is not UTF-8: the OCI document is JSON and cannot hold it.
    #[error("argument {argument:?} is not valid UTF-8")]
    NotUtf8 {
        /// The argument, with replacement characters.
        argument: String,
    },
    /// An argument of the command that holds a zero byte, which no program can be given.
    #[error("argument {argument:?} contains a zero byte")]
    ZeroByte {
        /// The argument.
        argument: String,
    },
    /// No image was named.
    #[error("\"fastbox run\" requires at least 1 argument: the image")]
    MissingImage,
    /// A limit that makes no sense, or not with another.
    #[error("{flag} {value}: {why}")]
    Limit {
        /// The flag.
        flag: &'static str,
        /// Its value, as it was understood.
        value: String,
        /// What is wrong with it.
        why: String,
    },
    /// Two mounts at one destination.
    #[error("duplicate mount point: {destination}")]
    DuplicateMount {
        /// The destination in the container.
        destination: String,
    },
    /// A memory limit under which no container starts.
    #[error("minimum memory limit allowed is 6MB, {bytes} bytes were asked for")]
    MemoryTooSmall {
        /// The limit in bytes.
        bytes: u64,
    },
    /// A file of variables or labels that cannot be read.
    #[error("{flag} {path}: {reason}")]
    File {
        /// The flag.
        flag: &'static str,
        /// The path as given.
        path: String,
        /// What the kernel said.
        reason: String,
    },
    /// A line of such a file that says nothing.
    #[error("{flag} {path}: line {number}: {reason}")]
    Line {
        /// The flag.
        flag: &'static str,
        /// The path as given.
        path: String,
        /// The line's number, from 1.
        number: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A number or time outside of what can be kept.
    #[error("--{flag} {value}: {reason}")]
    OutOfRange {
        /// The flag without its dashes.
        flag: &'static str,
        /// The value.
        value: String,
        /// What is allowed.
        reason: &'static str,
    },
    /// Input without any output: Docker then leaves the container in the background.
    #[error(
        "--attach stdin alone needs containers that live on, which there are not yet: attach stdout or stderr too"
    )]
    AttachAlone,
    /// Two options that exclude each other.
    #[error("conflicting options: {one} and {other}: {why}")]
    Conflict {
        /// The first, as flag and value.
        one: String,
        /// The second, as flag and value.
        other: String,
        /// Why they cannot both hold.
        why: &'static str,
    },
}

/// What is wrong with one value; the option and the value are named by [`OptionError`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Not a size such as `512m`.
    #[error("invalid size: '{0}'")]
    Size(String),
    /// A size whose unit is unknown.
    #[error("invalid suffix: '{0}'")]
    SizeSuffix(String),
    /// A number beyond what the kernel can be told.
    #[error("the number is too large")]
    TooLarge,
    /// Not a duration.
    #[error("invalid duration: use seconds (30) or units (1m30s, 500ms)")]
    Duration,
    /// Not a whole number.
    #[error("invalid whole number")]
    Integer,
    /// Not a decimal number.
    #[error("invalid number")]
    Decimal,
    /// More than nine digits after the point.
    #[error("value is too precise")]
    TooPrecise,
    /// Not a truth value.
    #[error("invalid boolean: use true or false")]
    Bool,
    /// Not one of the words allowed.
    #[error("must be one of {}", .0.join(", "))]
    Choice(&'static [&'static str]),
    /// A network name; only none and host exist.
    #[error("network not found: only none and host exist")]
    Network,
    /// No platform.
    #[error("{0}")]
    Platform(String),
    /// A zero byte in a text.
    #[error("contains a zero byte")]
    ZeroByte,
    /// An empty text.
    #[error("must not be empty")]
    Empty,
    /// A container name with other characters than Docker allows.
    #[error("invalid container name: only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")]
    Name,
    /// A hostname that is too long, or has other characters than letters, digits, `.`, `-`, `_`.
    #[error("invalid hostname: use 1 to 64 of [a-zA-Z0-9_.-]")]
    Hostname,
    /// A relative working directory.
    #[error("the working directory '{0}' is invalid, it needs to be an absolute path")]
    Workdir(String),
    /// An environment entry that begins with `=`.
    #[error("invalid environment variable: the name is empty")]
    EnvName,
    /// An environment entry without a value where none can be looked up.
    #[error("an environment entry is written NAME=VALUE")]
    EnvSyntax,
    /// A volume with no `:`, or with too many.
    #[error("invalid volume specification: use SOURCE:DESTINATION[:OPTIONS]")]
    Volume,
    /// A plain name as the source.
    #[error(
        "'{0}' is the name of a volume: named volumes do not exist yet, mount a directory by an absolute path or one that begins with ./"
    )]
    NamedVolume(String),
    /// `-v /path` without a source.
    #[error("'{0}' has no source: anonymous volumes do not exist yet, use SOURCE:DESTINATION")]
    AnonymousVolume(String),
    /// A destination that is not absolute.
    #[error("invalid mount path: '{0}' mount path must be absolute")]
    RelativeDestination(String),
    /// The container's root as destination.
    #[error("invalid specification: destination can't be '/'")]
    RootDestination,
    /// A destination in /proc, where a mount would undo its protection.
    #[error("'{0}' is inside /proc: nothing can be mounted there")]
    ProcDestination(String),
    /// An unknown mount option, or two of one kind.
    #[error("invalid mode: {0}")]
    MountMode(String),
    /// A tmpfs option outside the kernel's list.
    #[error("invalid tmpfs option '{0}'")]
    TmpfsOption(String),
    /// A field of `--mount` without a value.
    #[error("invalid field '{0}': use KEY=VALUE")]
    MountField(String),
    /// A field of `--mount` that does not exist.
    #[error("unexpected key '{0}'")]
    MountKey(String),
    /// A field's value that it cannot have.
    #[error("invalid value for {field}: '{value}'")]
    MountValue {
        /// The field.
        field: &'static str,
        /// The value as given.
        value: String,
    },
    /// A field that is missing.
    #[error("{0} is required")]
    MountNeeds(&'static str),
    /// A field that makes sense only beside another.
    #[error("{field} requires {needs} as well")]
    MountTogether {
        /// The field as given.
        field: &'static str,
        /// What has to stand beside it.
        needs: &'static str,
    },
    /// A field of another type of mount.
    #[error("{field} is only for type={only}")]
    MountMixed {
        /// The field.
        field: &'static str,
        /// The type it is for.
        only: &'static str,
    },
    /// A source for what has none.
    #[error("a tmpfs has no source: leave it out")]
    MountNoSource,
    /// An unknown type of mount.
    #[error("no mount type '{0}': use bind, tmpfs or image")]
    MountType(String),
    /// A volume.
    #[error(
        "volumes do not exist yet, and volume is the type where none is given: use type=bind with a directory, or type=tmpfs"
    )]
    VolumeMount,
    /// A quote that does not belong there, or is not closed.
    #[error("a field with quotes is written in quotes, and its own are doubled")]
    MountQuotes,
    /// An unknown `--ipc`.
    #[error("invalid IPC mode: use private, none, shareable, host or container:NAME")]
    IpcMode,
    /// An unknown `--pid`.
    #[error("invalid PID mode: use host or container:NAME")]
    PidMode,
    /// An unknown `--uts`.
    #[error("invalid UTS mode: use host")]
    UtsMode,
    /// An unknown `--security-opt`.
    #[error(
        "invalid --security-opt: '{0}': use seccomp=builtin|unconfined|FILE, apparmor=PROFILE|unconfined, label=disable, no-new-privileges[=true|false], systempaths=unconfined, mask=PATH[:PATH...] or unmask=ALL|PATH[:PATH...]"
    )]
    SecurityOpt(String),
    /// A path of `mask=` or `unmask=` that is not absolute, or the root.
    #[error("'{0}' cannot be hidden or shown: use absolute paths below /")]
    MaskPath(String),
    /// A label of SELinux.
    #[error("'{0}': containers are not labelled for SELinux here: only label=disable can be had")]
    Label(String),
    /// A number out of bounds.
    #[error("must be from {least} to {most}")]
    OutOf {
        /// The least that is possible.
        least: i64,
        /// The most.
        most: i64,
    },
    /// Not a list of CPUs or memory nodes.
    #[error("invalid list: use numbers and ranges, as 0-2,4")]
    NodeList,
    /// No `DEVICE:NUMBER`.
    #[error("invalid limit of a device: use DEVICE:NUMBER, as /dev/sda:1m")]
    OfDevice,
    /// A block device that is not given by its file.
    #[error("'{0}' is no path of a device: it begins with /dev/")]
    DevicePath(String),
    /// A weight out of bounds.
    #[error("invalid weight '{0}': must be from 10 to 1000")]
    Weight(String),
    /// Not a number of operations.
    #[error("invalid rate '{0}': must be a positive whole number")]
    Operations(String),
    /// No `NAME=SOFT[:HARD]`.
    #[error("invalid limit: use NAME=SOFT[:HARD] with whole numbers; -1 is no limit")]
    UlimitSyntax,
    /// An unknown limit.
    #[error("invalid name of a limit: must be one of {}", .0.join(", "))]
    UlimitName(&'static [&'static str]),
    /// A soft limit above the hard one.
    #[error("the soft limit must not be above the hard limit")]
    UlimitOrder,
    /// No `NAME=VALUE`.
    #[error("a kernel parameter is written NAME=VALUE")]
    SysctlSyntax,
    /// A parameter that is not each container's own.
    #[error(
        "'{0}' is not the container's own: only net.*, fs.mqueue.* and kernel.msg*, sem, shm* are"
    )]
    SysctlNotNamespaced(String),
    /// No `NAME:ADDRESS`.
    #[error("invalid host: use NAME:ADDRESS")]
    HostSyntax,
    /// The host's address on a network that there is not.
    #[error("host-gateway is the host's address on a bridge network, and there is none yet")]
    HostGateway,
    /// Not an IP address.
    #[error("'{0}' is not an IP address")]
    Address(String),
    /// Not a domain.
    #[error("'{0}' is not a valid domain")]
    Domain(String),
    /// A resolver option with blanks, or without anything.
    #[error("invalid resolver option '{0}'")]
    ResolverOption(String),
    /// Too many colons.
    #[error("invalid device: use SOURCE[:DESTINATION][:ACCESS]")]
    DeviceSyntax,
    /// Something else than `r`, `w` and `m`.
    #[error("invalid access '{0}': must be made of r, w and m")]
    DeviceAccess(String),
    /// A path of a device that is not absolute.
    #[error("'{0}' is not an absolute path")]
    DeviceRelative(String),
    /// Not a rule for devices.
    #[error("invalid device rule '{0}': use TYPE MAJOR:MINOR ACCESS, as 'c 1:3 rwm'")]
    DeviceRule(String),
    /// A path that no control group can have.
    #[error("{0}")]
    CgroupParent(String),
    /// A key that no terminal sends.
    #[error(
        "invalid detach keys: use a character, ctrl- and one of a-z@[\\]^_, or DEL, with commas between them"
    )]
    DetachKeys,
    /// An unknown stream.
    #[error("valid streams are STDIN, STDOUT and STDERR")]
    Attach,
    /// A label without a name.
    #[error("invalid label: the name is empty")]
    LabelName,
    /// An annotation without a name or a value.
    #[error("an annotation is written NAME=VALUE")]
    Annotation,
    /// An annotation in our own name.
    #[error("annotations that begin with io.fastbox. are fastbox's own")]
    OurAnnotation,
    /// Not a port or a range of ports.
    #[error("invalid port: use PORT or FIRST-LAST, 0 to 65535, and /tcp, /udp or /sctp")]
    Expose,
    /// Not a signal.
    #[error("invalid signal: use a name as SIGTERM, or a number from 1 to 64")]
    Signal,
    /// An unknown `--storage-opt`.
    #[error("unknown storage option '{0}': use size=SIZE")]
    StorageOpt(String),
}

fn perhaps(near: Option<&str>) -> String {
    near.map_or(String::new(), |near| format!("; is --{near} meant?"))
}

fn with_blank(value: &Option<String>) -> String {
    value
        .as_ref()
        .map_or(String::new(), |value| format!(" {value:?}"))
}
