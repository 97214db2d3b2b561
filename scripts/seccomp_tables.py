#!/usr/bin/env python3
"""Write the system call tables of rust/container/src/security/seccomp/tables.

The numbers come from Go's golang.org/x/sys (generated from the kernel's own
tables, and newer than most distributions' headers). It has no x32: those come
from the installed kernel headers (asm/unistd_x32.h, package linux-libc-dev),
and calls newer than the headers have the x86-64 number, because every call
after 423 has one number for both, save the few in NOT_X32.

Needs go and the kernel headers; run it from anywhere in the repository.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import textwrap
from pathlib import Path

MODULE = "golang.org/x/sys@v0.49.0"
X32_HEADER = Path("/usr/include/x86_64-linux-gnu/asm/unistd_x32.h")
X32_BIT = 0x4000_0000
# Marked "64" in the kernel's syscall_64.tbl: x32 has no such call.
NOT_X32 = {"uretprobe", "uprobe", "map_shadow_stack"}
# Names that x/sys takes from the headers although no call has them.
NOT_CALLS = {"arch_specific_syscall", "syscall_mask", "oabi_syscall_base"}
# arm's private calls (asm/unistd.h, __ARM_NR_BASE), which x/sys leaves out.
ARM_PRIVATE = {
    "breakpoint": 0xF0001,
    "cacheflush": 0xF0002,
    "usr26": 0xF0003,
    "usr32": 0xF0004,
    "set_tls": 0xF0005,
    "get_tls": 0xF0006,
}
HERE = Path(__file__).resolve().parent
TABLES = HERE.parent / "rust/container/src/security/seccomp/tables"


def module_directory() -> Path:
    """Download the module through Go's own client and return its folder."""
    with tempfile.TemporaryDirectory() as empty:
        answer = subprocess.run(
            ["go", "mod", "download", "-json", MODULE],
            cwd=empty,
            check=True,
            capture_output=True,
            text=True,
        )
    directory = json.loads(answer.stdout)["Dir"]
    return Path(directory)


def from_go(directory: Path, goarch: str) -> dict[str, int]:
    """Name to number of one architecture, in the kernel's spelling."""
    text = (directory / f"unix/zsysnum_linux_{goarch}.go").read_text()
    found = re.findall(r"^\s*SYS_(\w+)\s*=\s*(\d+)$", text, re.MULTILINE)
    return {name.lower(): int(number) for name, number in found if name.lower() not in NOT_CALLS}


def x32(x86_64: dict[str, int]) -> dict[str, int]:
    """x32's calls, with the bit that marks them."""
    found = re.findall(r"__NR_(\w+) \(__X32_SYSCALL_BIT \+ (\d+)\)", X32_HEADER.read_text())
    table = {name: int(number) for name, number in found}
    for name, number in x86_64.items():
        if number > 423 and name not in NOT_X32:
            table.setdefault(name, number)
    return {name: number | X32_BIT for name, number in table.items()}


def write(abi: str, table: dict[str, int]) -> None:
    """One table as a Rust file, sorted by name for the binary search."""
    lines = [
        f"//! System calls of {abi}. Written by scripts/seccomp_tables.py from {MODULE}.",
        "",
        "/// Name and number, sorted by name.",
        "#[rustfmt::skip]",
        "pub const TABLE: &[(&str, u32)] = &[",
    ]
    entries = " ".join(f'("{name}",{number}),' for name, number in sorted(table.items()))
    lines += textwrap.wrap(entries, 100, initial_indent="    ", subsequent_indent="    ")
    lines += ["];", ""]
    (TABLES / f"{abi}.rs").write_text("\n".join(lines))


def main() -> None:
    """Write all five tables."""
    directory = module_directory()
    x86_64 = from_go(directory, "amd64")
    write("x86_64", x86_64)
    write("i386", from_go(directory, "386"))
    write("x32", x32(x86_64))
    write("aarch64", from_go(directory, "arm64"))
    write("arm", from_go(directory, "arm") | ARM_PRIVATE)


if __name__ == "__main__":
    main()
