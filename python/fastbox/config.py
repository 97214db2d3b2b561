"""The options as keywords. Written by scripts/stubs from the option table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict

__all__ = ["Config"]


class Config(TypedDict, total=False):
    """What describes a container; None is the same as not given."""

    tty: bool | None
    """Give the program a terminal: stdin, stdout and stderr are one."""

    env: Mapping[str, str | None] | Sequence[str] | None
    """Set an environment variable; a name alone takes the caller's value."""

    entrypoint: str | None
    """Run this program with the command as its arguments; an empty text is none. Default: the
    image's."""

    workdir: str | None
    """Working directory in the container; it is made if it does not exist. Default: the image's,
    else /."""

    cwd: str | None
    """The same as workdir."""

    user: str | None
    """User, and optionally group, by name or number from the image's own files. Default: the
    image's, else root."""

    group_add: Sequence[str] | None
    """Further group of the user, by name or number from the image's own file."""

    hostname: str | None
    """Hostname in the container. Default: the container's short id."""

    domainname: str | None
    """NIS domain name in the container. Default: the machine's."""

    init: bool | None
    """Run an init as the container's first process: it hands signals on and waits for processes
    that lost their parent."""

    stop_signal: str | None
    """Signal that asks the program to end; kept for containers that live on. Default: the image's,
    else SIGTERM."""

    stop_timeout: int | None
    """Seconds it then has until it is killed, -1 for all the time it wants; kept for containers
    that live on. Default: 10."""

    label: Mapping[str, str | None] | Sequence[str] | None
    """Set a label."""

    labels: Mapping[str, str | None] | Sequence[str] | None
    """The same as label."""

    annotation: Mapping[str, str | None] | Sequence[str] | None
    """Add an annotation to the container's OCI document."""

    annotations: Mapping[str, str | None] | Sequence[str] | None
    """The same as annotation."""

    expose: Sequence[str] | None
    """Note ports that the program listens on."""

    health_cmd: str | None
    """Command for the container's shell that tells whether it is well. Default: the image's."""

    health_interval: float | str | None
    """Time between two checks. Default: 30s."""

    health_timeout: float | str | None
    """Time that a check may take. Default: 30s."""

    health_retries: int | None
    """How many checks in a row must fail. Default: 3."""

    health_start_period: float | str | None
    """Time at the start in which failures do not count. Default: 0s."""

    health_start_interval: float | str | None
    """Time between two checks at the start. Default: 5s."""

    no_healthcheck: bool | None
    """Take the image's check away."""

    platform: str | None
    """Start only if the image's programs are for this platform, as linux/arm64. Default: any."""

    volumes: Mapping[str, str | None] | Sequence[str] | None
    """Bind mount a file or directory of the host; options are ro, rw and the mount propagation. A
    missing source is made as a directory."""

    volume: Mapping[str, str | None] | Sequence[str] | None
    """The same as volumes."""

    mounts: Sequence[str] | None
    """Mount with everything said: type=bind|tmpfs|image, source, target, readonly, and fields of
    the type such as bind-recursive, tmpfs-size or image-subpath. A missing source is an error."""

    mount: Sequence[str] | None
    """The same as mounts."""

    tmpfs: Mapping[str, str | None] | Sequence[str] | None
    """Mount an empty file system in memory; options as size=64m,mode=1777,exec."""

    read_only: bool | None
    """Mount the container's root file system read-only."""

    storage_opt: Mapping[str, str | None] | Sequence[str] | None
    """Limit what the container can write to its root file system. Default: no limit."""

    shm_size: int | str | None
    """Size of the shared memory file system /dev/shm. Default: 64m."""

    devices: Sequence[str] | None
    """Give a device of the host, or all in a directory; access is made of r, w and m (mknod)."""

    device: Sequence[str] | None
    """The same as devices."""

    device_cgroup_rules: Sequence[str] | None
    """Allow devices by number, as 'c 10:* rwm', whether or not there are nodes of them."""

    device_cgroup_rule: Sequence[str] | None
    """The same as device_cgroup_rules."""

    memory: int | str | None
    """Memory limit, at least 6m; 0 is no limit. What exceeds it is killed, exit code 137. Default:
    no limit."""

    cpus: float | None
    """How many CPUs' time it may use, as 1.5; 0 is no limit. Default: no limit."""

    memory_swap: int | str | None
    """Limit of memory and swap together; -1 is no limit of swap. Default: twice the memory
    limit."""

    memory_reservation: int | str | None
    """Memory that is left to it when others need some, at least 6m. Default: none."""

    memory_swappiness: int | None
    """How readily its memory is swapped out, from 0 to 100; version 1 of cgroups only. Default: the
    machine's."""

    oom_kill_disable: bool | None
    """Stop processes that exceed the memory limit instead of killing them; version 1 of cgroups
    only."""

    oom_score_adj: int | None
    """Preference for being killed when the machine runs out of memory, from -1000 to 1000. Default:
    the caller's."""

    cpu_shares: int | None
    """Share of CPU time beside others, from 2 to 262144. Default: 1024."""

    cpu_period: int | None
    """Period over which its CPU time is limited, from 1000 to 1000000. Default: 100000."""

    cpu_quota: int | None
    """CPU time it may use in each period, at least 1000; -1 is no limit. Default: no limit."""

    cpu_rt_period: int | None
    """Period over which realtime CPU time is limited; version 1 of cgroups only. Default:
    1000000."""

    cpu_rt_runtime: int | None
    """Realtime CPU time it may use in each period; version 1 of cgroups only. Default: none."""

    cpuset_cpus: str | None
    """CPUs it may run on, as 0-2,4. Default: the machine's."""

    cpuset_mems: str | None
    """Memory nodes it may use, as 0,1. Default: the machine's."""

    blkio_weight: int | None
    """Share of block devices' time beside others, from 10 to 1000. Default: 500."""

    blkio_weight_device: Mapping[str, str | int] | Sequence[str] | None
    """The same for one device."""

    device_read_bps: Mapping[str, str | int] | Sequence[str] | None
    """Limit what it reads from a block device in a second. Default: no limit."""

    device_read_iops: Mapping[str, str | int] | Sequence[str] | None
    """Limit how often it reads from a block device in a second. Default: no limit."""

    device_write_bps: Mapping[str, str | int] | Sequence[str] | None
    """Limit what it writes to a block device in a second. Default: no limit."""

    device_write_iops: Mapping[str, str | int] | Sequence[str] | None
    """Limit how often it writes to a block device in a second. Default: no limit."""

    ulimits: Mapping[str, int | tuple[int, int]] | Sequence[str] | None
    """Set a limit of its processes, as nofile=1024:2048; -1 is no limit."""

    ulimit: Mapping[str, int | tuple[int, int]] | Sequence[str] | None
    """The same as ulimits."""

    pids_limit: int | None
    """How many processes and threads it may have; 0 or -1 is no limit. Default: no limit."""

    cgroup_parent: str | None
    """Control group below which its own are made; it is made if it does not exist."""

    network: Literal["none", "host"] | None
    """Network: none has only its own loopback, host is the caller's. Default: none."""

    extra_hosts: Mapping[str, str | int] | Sequence[str] | None
    """Add a line to /etc/hosts."""

    add_host: Mapping[str, str | int] | Sequence[str] | None
    """The same as extra_hosts."""

    dns: Sequence[str] | None
    """Ask this name server. Default: the caller's with its network."""

    dns_search: Sequence[str] | None
    """Look names up in this domain; . for none."""

    dns_opt: Sequence[str] | None
    """Set an option of the resolver, as ndots:2."""

    dns_option: Sequence[str] | None
    """The same as dns_opt."""

    sysctls: Mapping[str, str | int] | Sequence[str] | None
    """Set a kernel parameter of its own namespaces: net.*, fs.mqueue.*, kernel.msg*, sem, shm*."""

    sysctl: Mapping[str, str | int] | Sequence[str] | None
    """The same as sysctls."""

    cgroupns: Literal["private", "host"] | None
    """Control groups that it sees: private from its own on, host all paths. Default: private."""

    cap_add: Sequence[str] | None
    """Add a Linux capability, or ALL."""

    cap_drop: Sequence[str] | None
    """Drop a Linux capability, or ALL."""

    security_opt: Sequence[str] | None
    """seccomp=builtin|unconfined|FILE, apparmor=PROFILE|unconfined, label=disable, no-new-
    privileges, systempaths=unconfined, mask=PATH or unmask=PATH|ALL."""

    privileged: bool | None
    """Give every capability that this process has, all devices and a writable /sys; filter and hide
    nothing; user ids are the caller's."""

    ipc: str | None
    """Shared memory and message queues: private, none (no /dev/shm), shareable (others may join),
    host, or container:NAME, whose user ids it has then. Default: private."""

    pid: str | None
    """Processes it sees and can signal: the caller's, or those of a running container, whose user
    ids it has then. Default: its own."""

    uts: str | None
    """Host and domain name: host is the caller's. Default: its own."""

    preset: Literal["untrusted"] | None
    """untrusted: for code nobody read. No new privileges, no network, a narrower system call
    filter, and limits: 512m memory, 256 pids, 1g written, 16m output; other limits can be given but
    not lifted."""

    userns: Literal["auto", "host"] | None
    """auto gives the container its own range of user ids, host the caller's. Default: auto."""

    strict: bool | None
    """Refuse to start where this machine cannot give a default protection or limit, instead of
    noting it."""
