"""The options as keywords. Written by scripts/stubs from the option table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict

__all__ = ["Config"]


class Config(TypedDict, total=False):
    """What describes a container; None is the same as not given."""

    env: Mapping[str, str | None] | Sequence[str] | None
    """Set an environment variable; a name alone takes the caller's value."""

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

    volumes: Mapping[str, str | None] | Sequence[str] | None
    """Bind mount a file or directory of the host; options are ro, rw and the mount propagation. A
    missing source is made as a directory."""

    volume: Mapping[str, str | None] | Sequence[str] | None
    """The same as volumes."""

    tmpfs: Mapping[str, str | None] | Sequence[str] | None
    """Mount an empty file system in memory; options as size=64m,mode=1777,exec."""

    read_only: bool | None
    """Mount the container's root file system read-only."""

    storage_opt: Mapping[str, str | None] | Sequence[str] | None
    """Limit what the container can write to its root file system. Default: no limit."""

    memory: int | str | None
    """Memory limit, at least 6m; 0 is no limit. What exceeds it is killed, exit code 137. Default:
    no limit."""

    cpus: float | None
    """How many CPUs' time it may use, as 1.5; 0 is no limit. Default: no limit."""

    pids_limit: int | None
    """How many processes and threads it may have; 0 or -1 is no limit. Default: no limit."""

    network: Literal["none", "host"] | None
    """Network: none has only its own loopback, host is the caller's. Default: none."""

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
    """Shared memory and message queues: private, none (no /dev/shm), shareable or host. Default:
    private."""

    pid: str | None
    """Processes it sees and can signal: host is the caller's. Default: its own."""

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
