"""`fastbox version`, `info` and `doctor`."""

from __future__ import annotations

import json
import platform
import sys
from typing import Any

from fastbox import __version__
from fastbox.cli._arguments import Given, Parser
from fastbox.cli._table import compact
from fastbox.cli._template import Template, typed
from fastbox.cli._words import human_size
from fastbox.system import Info, doctor, info

# Docker's word for a processor, by Python's.
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def _with_format(parser: Parser) -> Parser:
    parser.add_argument("-f", "--format", metavar="FORMAT", help="json, or a Go template")
    return parser


def _formatted(given: Given, data: dict[str, Any]) -> str | None:
    """The data in the format asked for; None where none was."""
    if given.format in (None, ""):
        return None
    if given.format == "json":
        return compact(data)
    text = given.format.replace("\\t", "\t").replace("\\n", "\n")
    return Template(text).render(typed(data, frozenset(), frozenset()))


def version_parser() -> Parser:
    """How to print it."""
    return _with_format(Parser("version", "[OPTIONS]", "Show the version."))


def version_command(given: Given) -> int:
    """One line, or what Docker's keys name: there is no server, so it is the client's."""
    machine = platform.machine()
    one = {
        "Version": __version__,
        "Os": "linux",
        "Arch": ARCHITECTURES.get(machine, machine),
        "KernelVersion": platform.release(),
    }
    print(_formatted(given, {"Client": one, "Server": one}) or f"fastbox {__version__}")
    return 0


def info_parser() -> Parser:
    """How to print it."""
    text = "Show what this machine is and what fastbox has on it."
    return _with_format(Parser("info", "[OPTIONS]", text))


def info_command(given: Given) -> int:
    """A fact a line, or Docker's keys for them."""
    found = info()
    shown = _formatted(given, _docker_keys(found))
    if shown is not None:
        print(shown)
        return 0
    rows = {
        "Version": found.version,
        "Images": found.images,
        "Containers running": found.containers_running,
        "Root": f"{found.root} ({found.root_file_system})",
        "Run root": found.run_root,
        "Configuration": ", ".join(map(str, found.settings_files)) or "none",
        "Control groups": f"version {found.cgroup_version}",
        "Controllers": ", ".join(found.cgroup_controllers) or "none",
        "Security": ", ".join(found.security) or "none",
        "User": "an ordinary one" if found.rootless else "root",
        "Kernel": found.kernel,
        "System": found.operating_system,
        "Processor": f"{found.cpus} of {found.architecture}",
        "Memory": human_size(found.memory_bytes),
        "Machine": found.hostname,
    }
    for key, value in rows.items():
        print(f"{key}: {value}")
    for lacking in found.lacking:
        print(f"Lacking: {lacking}")
    return 0


def _docker_keys(found: Info) -> dict[str, Any]:
    """The facts by the names that `docker info` has, and ours for what Docker does not tell."""
    return {
        "Architecture": found.architecture,
        "CgroupControllers": found.cgroup_controllers,
        "CgroupDriver": "none" if found.cgroup_version == "none" else "cgroupfs",
        "CgroupVersion": found.cgroup_version[0] if found.cgroup_version != "none" else "",
        "Containers": found.containers_running,
        "ContainersPaused": 0,
        "ContainersRunning": found.containers_running,
        "ContainersStopped": 0,
        "DockerRootDir": str(found.root),
        "Driver": "overlay",
        "Images": found.images,
        "KernelVersion": found.kernel,
        "MemTotal": found.memory_bytes,
        "NCPU": found.cpus,
        "Name": found.hostname,
        "OSType": "linux",
        "OperatingSystem": found.operating_system,
        "RunRoot": str(found.run_root),
        "SecurityOptions": [f"name={word}" for word in found.security],
        "ServerVersion": found.version,
        "SettingsFiles": [str(path) for path in found.settings_files],
        "Warnings": found.lacking,
    }


def doctor_parser() -> Parser:
    """How to print it."""
    text = "Tell what this machine can and cannot do, and what helps."
    parser = Parser("doctor", "[OPTIONS]", text)
    parser.add_argument("--json", action="store_true", help="Print a JSON array")
    return parser


def doctor_command(given: Given) -> int:
    """A line for each check; the code is 1 where containers cannot run."""
    checks = doctor()
    cannot = [check for check in checks if check["essential"] and not check["ok"]]
    if given.json:
        print(json.dumps(checks, indent=4, ensure_ascii=False))
        return 1 if cannot else 0
    wide = max(len(check["name"]) for check in checks)
    for check in checks:
        print(f"{'ok' if check['ok'] else 'missing':8}{check['name']:{wide}}  {check['found']}")
        if check["remedy"]:
            print(f"{'':{8 + wide}}  remedy: {check['remedy']}")
    sys.stdout.flush()
    if cannot:
        names = ", ".join(check["name"] for check in cannot)
        print(f"fastbox: containers cannot run here: see {names}", file=sys.stderr)
    return 1 if cannot else 0
