//! The one table.

use std::time::Duration;

use serde::Serialize;

use super::field::{Field, Kind, Refusal};
use super::{
    Annotation, Attach, Bind, CgroupNamespace, CgroupParent, DetachKeys, DeviceFile, DeviceRule,
    Entrypoint, EnvVar, Expose, ExtraHost, FilePath, HealthCommand, Hostname, IpcMode, Label,
    Microseconds, MountFlag, Name, NameServer, NanoCpus, Network, NodeList, OfDevice, OnByDefault,
    OomScore, Operations, OptionError, PidMode, PlatformName, Preset, ResolverOption, SearchDomain,
    SecurityOpt, Size, StopSignal, StorageOpt, SwapSize, Swappiness, Sysctl, Tmpfs, Ulimit,
    UserNamespace, UserSpec, UtsMode, Value, Weight, Workdir,
};

/// Where an option exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// On the command line only.
    Cli,
    /// As a keyword in Python only.
    Python,
    /// On both.
    Both,
}

/// What an option belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// To one run; a Plan is the same with or without it.
    Run,
    /// To the container's description, and so to the Plan.
    Container,
}

/// One option.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The field of [`Options`], and the keyword in Python.
    pub name: &'static str,
    /// Another keyword for the same in Python; empty if there is none.
    pub alias: &'static str,
    /// The long flag, without its dashes.
    pub flag: &'static str,
    /// The short flag's letter.
    pub short: Option<char>,
    /// The shape of the value.
    pub kind: Kind,
    /// The words allowed, for [`Kind::Choice`].
    pub choices: &'static [&'static str],
    /// What stands for the value in help; empty for switches.
    pub metavar: &'static str,
    /// What holds when it is not given, in words for help; empty if nothing.
    pub default: &'static str,
    /// One sentence.
    pub help: &'static str,
    /// The heading it stands under in help.
    pub group: &'static str,
    /// Where it exists.
    pub side: Side,
    /// What it belongs to.
    pub scope: Scope,
}

impl Row {
    /// The flag as help and errors print it: `-m, --memory`.
    pub fn label(&self) -> String {
        match self.short {
            Some(letter) => format!("-{letter}, --{}", self.flag),
            None => format!("--{}", self.flag),
        }
    }
}

/// The row of an option by its name or its alias.
pub fn row(name: &str) -> Option<&'static Row> {
    TABLE
        .iter()
        .find(|row| row.name == name || (!row.alias.is_empty() && row.alias == name))
}

fn accept<F: Field>(row: &'static Row, field: &mut F, value: Value) -> Result<(), OptionError> {
    let (shown, got) = (value.to_string(), value.type_name());
    field.accept(value).map_err(|refusal| match refusal {
        Refusal::Type => OptionError::WrongType {
            name: row.name,
            expected: row.kind.expected(),
            got,
        },
        Refusal::Value(reason) => OptionError::InvalidValue {
            name: row.name,
            value: shown,
            reason,
        },
    })
}

/// Why there is no such option.
fn unknown(name: &str, value: &Value) -> OptionError {
    match super::refused::keyword(name) {
        Some(refused) => OptionError::NotHere {
            flag: name.to_owned(),
            value: Some(value.to_string()),
            why: refused.why,
        },
        None => OptionError::UnknownOption {
            name: name.to_owned(),
        },
    }
}

/// Generates the struct and the table from one list, so that they cannot differ.
macro_rules! options {
    ($($group:literal { $(
        $name:ident $(($alias:literal))? : $type:ty, $flag:literal $(, $short:literal)?;
        $metavar:literal, $default:literal, $side:ident, $scope:ident;
        $help:literal
    )* })*) => {
        /// All options with the values given; a scalar that was not given is `None`, a list empty,
        /// a switch off. [`Options::check`] looks at them together.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
        pub struct Options { $($(
            #[doc = $help]
            pub $name: $type,
        )*)* }

        /// Every option, in the order of help.
        pub const TABLE: &[Row] = &[$($(Row {
            name: stringify!($name),
            alias: concat!($($alias)?),
            flag: $flag,
            short: options!(@short $($short)?),
            kind: <$type as Field>::KIND,
            choices: <$type as Field>::CHOICES,
            metavar: $metavar,
            default: $default,
            help: $help,
            group: $group,
            side: Side::$side,
            scope: Scope::$scope,
        },)*)*];

        impl Options {
            /// Gives one option a value, by its name or alias: a scalar is replaced, a list grows.
            ///
            /// # Errors
            /// [`OptionError::UnknownOption`], [`OptionError::WrongType`] or
            /// [`OptionError::InvalidValue`]; a list may then have taken the entries before the bad one.
            pub fn set(&mut self, name: &str, value: Value) -> Result<(), OptionError> {
                let row = row(name).ok_or_else(|| unknown(name, &value))?;
                match row.name {
                    $($(stringify!($name) => accept(row, &mut self.$name, value),)*)*
                    _ => Err(OptionError::UnknownOption { name: name.to_owned() }),
                }
            }

            /// Whether an option was given (a switch: whether it is on); false for a name the table does not have.
            pub fn is_set(&self, name: &str) -> bool {
                match row(name).map(|row| row.name) {
                    $($(Some(stringify!($name)) => self.$name.is_set(),)*)*
                    _ => false,
                }
            }
        }
    };
    (@short $short:literal) => { Some($short) };
    (@short) => { None };
}

options! {
    "Run" {
        interactive: bool, "interactive", 'i'; "", "", Cli, Run;
        "Keep stdin open and pass it on; without it the program's stdin is empty."
        tty: bool, "tty", 't'; "", "", Both, Container;
        "Give the program a terminal: stdin, stdout and stderr are one."
        attach: Vec<Attach>, "attach", 'a'; "STREAM", "", Cli, Run;
        "Pass on only the streams named: stdin, stdout, stderr."
        sig_proxy: OnByDefault, "sig-proxy"; "", "true", Cli, Run;
        "Pass signals on to the program; with =false those that end fastbox end the container."
        detach_keys: Option<DetachKeys>, "detach-keys"; "KEYS", "ctrl-p,ctrl-q", Cli, Run;
        "Keys of the terminal kept for detaching, which comes with containers that live on."
        cidfile: Option<FilePath>, "cidfile"; "FILE", "", Cli, Run;
        "Write the container's id to a new file."
        rm: bool, "rm"; "", "true", Cli, Run;
        "Remove the container at its end; every run is removed for now, so it changes nothing."
        name: Option<Name>, "name"; "NAME", "", Both, Run;
        "Name of the container; two running containers cannot have the same."
        timeout: Option<Duration>, "timeout"; "DURATION", "no limit", Both, Run;
        "Kill everything in the container after this time (seconds, or 1m30s); the exit code is then 124."
        max_output: Option<Size>, "max-output"; "SIZE", "no limit", Both, Run;
        "Kill the container once its stdout and stderr together exceed this size."
        timings: bool, "timings"; "", "", Cli, Run;
        "Print on stderr at the end when each step of the start began and how long it took."
        timings_file: Option<FilePath>, "timings-file"; "FILE", "", Cli, Run;
        "Write that to a file for Chrome's trace viewer or Perfetto (Trace Event Format)."
        quiet: bool, "quiet", 'q'; "", "", Cli, Run;
        "Do not print notes about defaults that this machine cannot give."
    }
    "Program" {
        env: Vec<EnvVar>, "env", 'e'; "NAME[=VALUE]", "", Both, Container;
        "Set an environment variable; a name alone takes the caller's value."
        env_file: Vec<String>, "env-file"; "FILE", "", Cli, Container;
        "Read variables from a file: lines NAME=VALUE, taken as they are, or NAME for the caller's value."
        entrypoint: Option<Entrypoint>, "entrypoint"; "PROGRAM", "the image's", Both, Container;
        "Run this program with the command as its arguments; an empty text is none."
        workdir("cwd"): Option<Workdir>, "workdir", 'w'; "DIR", "the image's, else /", Both, Container;
        "Working directory in the container; it is made if it does not exist."
        user: Option<UserSpec>, "user", 'u'; "USER[:GROUP]", "the image's, else root", Both, Container;
        "User, and optionally group, by name or number from the image's own files."
        group_add: Vec<String>, "group-add"; "GROUP", "", Both, Container;
        "Further group of the user, by name or number from the image's own file."
        hostname: Option<Hostname>, "hostname", 'h'; "NAME", "the container's short id", Both, Container;
        "Hostname in the container."
        domainname: Option<Hostname>, "domainname"; "NAME", "the machine's", Both, Container;
        "NIS domain name in the container."
        init: bool, "init"; "", "", Both, Container;
        "Run an init as the container's first process: it hands signals on and waits for processes that lost their parent."
        stop_signal: Option<StopSignal>, "stop-signal"; "SIGNAL", "the image's, else SIGTERM", Both, Container;
        "Signal that asks the program to end; kept for containers that live on."
        stop_timeout: Option<i64>, "stop-timeout"; "SECONDS", "10", Both, Container;
        "Seconds it then has until it is killed, -1 for all the time it wants; kept for containers that live on."
    }
    "Metadata" {
        label("labels"): Vec<Label>, "label", 'l'; "NAME[=VALUE]", "", Both, Container;
        "Set a label."
        label_file: Vec<String>, "label-file"; "FILE", "", Cli, Container;
        "Read labels from a file of lines NAME=VALUE."
        annotation("annotations"): Vec<Annotation>, "annotation"; "NAME=VALUE", "", Both, Container;
        "Add an annotation to the container's OCI document."
        expose: Vec<Expose>, "expose"; "PORT[-PORT][/PROTOCOL]", "", Both, Container;
        "Note ports that the program listens on."
    }
    "Health (kept for containers that live on)" {
        health_cmd: Option<HealthCommand>, "health-cmd"; "COMMAND", "the image's", Both, Container;
        "Command for the container's shell that tells whether it is well."
        health_interval: Option<Duration>, "health-interval"; "DURATION", "30s", Both, Container;
        "Time between two checks."
        health_timeout: Option<Duration>, "health-timeout"; "DURATION", "30s", Both, Container;
        "Time that a check may take."
        health_retries: Option<i64>, "health-retries"; "NUMBER", "3", Both, Container;
        "How many checks in a row must fail."
        health_start_period: Option<Duration>, "health-start-period"; "DURATION", "0s", Both, Container;
        "Time at the start in which failures do not count."
        health_start_interval: Option<Duration>, "health-start-interval"; "DURATION", "5s", Both, Container;
        "Time between two checks at the start."
        no_healthcheck: bool, "no-healthcheck"; "", "", Both, Container;
        "Take the image's check away."
    }
    "Files" {
        platform: Option<PlatformName>, "platform"; "OS/ARCH", "any", Both, Container;
        "Start only if the image's programs are for this platform, as linux/arm64."
        volumes("volume"): Vec<Bind>, "volume", 'v'; "SOURCE:DEST[:OPTIONS]", "", Both, Container;
        "Bind mount a file or directory of the host; options are ro, rw and the mount propagation. A missing source is made as a directory."
        mounts("mount"): Vec<MountFlag>, "mount"; "type=TYPE,...", "", Both, Container;
        "Mount with everything said: type=bind|tmpfs|image, source, target, readonly, and fields of the type such as bind-recursive, tmpfs-size or image-subpath. A missing source is an error."
        tmpfs: Vec<Tmpfs>, "tmpfs"; "DEST[:OPTIONS]", "", Both, Container;
        "Mount an empty file system in memory; options as size=64m,mode=1777,exec."
        read_only: bool, "read-only"; "", "", Both, Container;
        "Mount the container's root file system read-only."
        storage_opt: Vec<StorageOpt>, "storage-opt"; "size=SIZE", "no limit", Both, Container;
        "Limit what the container can write to its root file system."
        shm_size: Option<Size>, "shm-size"; "SIZE", "64m", Both, Container;
        "Size of the shared memory file system /dev/shm."
        devices("device"): Vec<DeviceFile>, "device"; "SOURCE[:DEST][:ACCESS]", "", Both, Container;
        "Give a device of the host, or all in a directory; access is made of r, w and m (mknod)."
        device_cgroup_rules("device_cgroup_rule"): Vec<DeviceRule>, "device-cgroup-rule"; "RULE", "", Both, Container;
        "Allow devices by number, as 'c 10:* rwm', whether or not there are nodes of them."
    }
    "Limits" {
        memory: Option<Size>, "memory", 'm'; "SIZE", "no limit", Both, Container;
        "Memory limit, at least 6m; 0 is no limit. What exceeds it is killed, exit code 137."
        cpus: Option<NanoCpus>, "cpus"; "NUMBER", "no limit", Both, Container;
        "How many CPUs' time it may use, as 1.5; 0 is no limit."
        memory_swap: Option<SwapSize>, "memory-swap"; "SIZE", "twice the memory limit", Both, Container;
        "Limit of memory and swap together; -1 is no limit of swap."
        memory_reservation: Option<Size>, "memory-reservation"; "SIZE", "none", Both, Container;
        "Memory that is left to it when others need some, at least 6m."
        memory_swappiness: Option<Swappiness>, "memory-swappiness"; "NUMBER", "the machine's", Both, Container;
        "How readily its memory is swapped out, from 0 to 100; version 1 of cgroups only."
        oom_kill_disable: bool, "oom-kill-disable"; "", "", Both, Container;
        "Stop processes that exceed the memory limit instead of killing them; version 1 of cgroups only."
        oom_score_adj: Option<OomScore>, "oom-score-adj"; "NUMBER", "the caller's", Both, Container;
        "Preference for being killed when the machine runs out of memory, from -1000 to 1000."
        cpu_shares: Option<i64>, "cpu-shares", 'c'; "NUMBER", "1024", Both, Container;
        "Share of CPU time beside others, from 2 to 262144."
        cpu_period: Option<Microseconds>, "cpu-period"; "MICROSECONDS", "100000", Both, Container;
        "Period over which its CPU time is limited, from 1000 to 1000000."
        cpu_quota: Option<i64>, "cpu-quota"; "MICROSECONDS", "no limit", Both, Container;
        "CPU time it may use in each period, at least 1000; -1 is no limit."
        cpu_rt_period: Option<Microseconds>, "cpu-rt-period"; "MICROSECONDS", "1000000", Both, Container;
        "Period over which realtime CPU time is limited; version 1 of cgroups only."
        cpu_rt_runtime: Option<Microseconds>, "cpu-rt-runtime"; "MICROSECONDS", "none", Both, Container;
        "Realtime CPU time it may use in each period; version 1 of cgroups only."
        cpuset_cpus: Option<NodeList>, "cpuset-cpus"; "LIST", "the machine's", Both, Container;
        "CPUs it may run on, as 0-2,4."
        cpuset_mems: Option<NodeList>, "cpuset-mems"; "LIST", "the machine's", Both, Container;
        "Memory nodes it may use, as 0,1."
        blkio_weight: Option<i64>, "blkio-weight"; "NUMBER", "500", Both, Container;
        "Share of block devices' time beside others, from 10 to 1000."
        blkio_weight_device: Vec<OfDevice<Weight>>, "blkio-weight-device"; "DEVICE:NUMBER", "", Both, Container;
        "The same for one device."
        device_read_bps: Vec<OfDevice<Size>>, "device-read-bps"; "DEVICE:SIZE", "no limit", Both, Container;
        "Limit what it reads from a block device in a second."
        device_read_iops: Vec<OfDevice<Operations>>, "device-read-iops"; "DEVICE:NUMBER", "no limit", Both, Container;
        "Limit how often it reads from a block device in a second."
        device_write_bps: Vec<OfDevice<Size>>, "device-write-bps"; "DEVICE:SIZE", "no limit", Both, Container;
        "Limit what it writes to a block device in a second."
        device_write_iops: Vec<OfDevice<Operations>>, "device-write-iops"; "DEVICE:NUMBER", "no limit", Both, Container;
        "Limit how often it writes to a block device in a second."
        ulimits("ulimit"): Vec<Ulimit>, "ulimit"; "NAME=SOFT[:HARD]", "", Both, Container;
        "Set a limit of its processes, as nofile=1024:2048; -1 is no limit."
        pids_limit: Option<i64>, "pids-limit"; "NUMBER", "no limit", Both, Container;
        "How many processes and threads it may have; 0 or -1 is no limit."
        cgroup_parent: Option<CgroupParent>, "cgroup-parent"; "PATH", "", Both, Container;
        "Control group below which its own are made; it is made if it does not exist."
    }
    "Isolation" {
        network: Option<Network>, "network"; "none|host", "none", Both, Container;
        "Network: none has only its own loopback, host is the caller's."
        extra_hosts("add_host"): Vec<ExtraHost>, "add-host"; "NAME:ADDRESS", "", Both, Container;
        "Add a line to /etc/hosts."
        dns: Vec<NameServer>, "dns"; "ADDRESS", "the caller's with its network", Both, Container;
        "Ask this name server."
        dns_search: Vec<SearchDomain>, "dns-search"; "DOMAIN", "", Both, Container;
        "Look names up in this domain; . for none."
        dns_opt("dns_option"): Vec<ResolverOption>, "dns-option"; "OPTION", "", Both, Container;
        "Set an option of the resolver, as ndots:2."
        sysctls("sysctl"): Vec<Sysctl>, "sysctl"; "NAME=VALUE", "", Both, Container;
        "Set a kernel parameter of its own namespaces: net.*, fs.mqueue.*, kernel.msg*, sem, shm*."
        cgroupns: Option<CgroupNamespace>, "cgroupns"; "private|host", "private", Both, Container;
        "Control groups that it sees: private from its own on, host all paths."
        cap_add: Vec<String>, "cap-add"; "CAPABILITY", "", Both, Container;
        "Add a Linux capability, or ALL."
        cap_drop: Vec<String>, "cap-drop"; "CAPABILITY", "", Both, Container;
        "Drop a Linux capability, or ALL."
        security_opt: Vec<SecurityOpt>, "security-opt"; "OPTION", "", Both, Container;
        "seccomp=builtin|unconfined|FILE, apparmor=PROFILE|unconfined, label=disable, no-new-privileges, systempaths=unconfined, mask=PATH or unmask=PATH|ALL."
        privileged: bool, "privileged"; "", "", Both, Container;
        "Give every capability that this process has, all devices and a writable /sys; filter and hide nothing; user ids are the caller's."
        ipc: Option<IpcMode>, "ipc"; "MODE", "private", Both, Container;
        "Shared memory and message queues: private, none (no /dev/shm), shareable (others may join), host, or container:NAME, whose user ids it has then."
        pid: Option<PidMode>, "pid"; "host|container:NAME", "its own", Both, Container;
        "Processes it sees and can signal: the caller's, or those of a running container, whose user ids it has then."
        uts: Option<UtsMode>, "uts"; "host", "its own", Both, Container;
        "Host and domain name: host is the caller's."
        preset: Option<Preset>, "preset"; "untrusted", "", Both, Container;
        "untrusted: for code nobody read. No new privileges, no network, a narrower system call filter, and limits: 512m memory, 256 pids, 1g written, 16m output; other limits can be given but not lifted."
        userns: Option<UserNamespace>, "userns"; "auto|host", "auto", Both, Container;
        "auto gives the container its own range of user ids, host the caller's."
        strict: bool, "strict"; "", "", Both, Container;
        "Refuse to start where this machine cannot give a default protection or limit, instead of noting it."
    }
}
