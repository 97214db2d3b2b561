"""An OCI bundle for the runtimes that need one: Docker's capabilities and seccomp profile."""

from __future__ import annotations

import json
import platform
import subprocess
from pathlib import Path
from typing import Any

# A link to the profile that the engine holds.
PROFILE = Path(__file__).with_name("seccomp-default.json")
CAPABILITIES = [
    f"CAP_{name}"
    for name in [
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "NET_RAW",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    ]
]
# Docker's names for the processors in the profile's conditions, and OCI's for the same.
_PROCESSORS = {"x86_64": ("amd64", "SCMP_ARCH_X86_64"), "aarch64": ("arm64", "SCMP_ARCH_AARCH64")}


def _applies(rule: dict[str, Any]) -> bool:
    docker, _ = _PROCESSORS[platform.machine()]
    included, excluded = rule.get("includes", {}), rule.get("excludes", {})
    # minKernel is left out: all that the profile asks for are older than fastbox's floor.
    return (
        docker in included.get("arches", [docker])
        and set(included.get("caps", [])) <= set(CAPABILITIES)
        and docker not in excluded.get("arches", [])
        and not set(excluded.get("caps", [])) & set(CAPABILITIES)
    )


def _seccomp() -> dict[str, Any]:
    profile = json.loads(PROFILE.read_text())
    _, processor = _PROCESSORS[platform.machine()]
    family = next(row for row in profile["archMap"] if row["architecture"] == processor)
    kept = ("names", "action", "errnoRet", "args")
    return {
        "defaultAction": profile["defaultAction"],
        "defaultErrnoRet": profile["defaultErrnoRet"],
        "architectures": [processor, *(family["subArchitectures"] or [])],
        "syscalls": [
            {key: rule[key] for key in kept if rule.get(key) is not None}
            for rule in profile["syscalls"]
            if _applies(rule)
        ],
    }


def write(folder: Path, root: Path, arguments: list[str], runtime: str) -> None:
    """Writes `config.json`: the runtime's own default document, brought to Docker's defaults."""
    subprocess.run([runtime, "spec"], check=True, cwd=folder)
    path = folder / "config.json"
    spec = json.loads(path.read_text())
    spec["root"] = {"path": str(root), "readonly": True}
    spec["process"].update(args=arguments, terminal=False, noNewPrivileges=False)
    held = ("bounding", "effective", "permitted")
    spec["process"]["capabilities"] = dict.fromkeys(held, CAPABILITIES)
    spec["linux"]["seccomp"] = _seccomp()
    path.write_text(json.dumps(spec))
