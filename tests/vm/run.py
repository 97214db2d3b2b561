"""Runs the Rust tests on Debian's stable kernel: `make test-vm`.

The kernel is taken out of Debian's package (never installed) and booted by qemu in software, with
pure cgroup v2. The tests are static programs in an initial ramfs; `init` beside this file runs them
and reports on the serial console, which is read here, up to a deadline.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
import roots  # noqa: E402

CRATES = ("fastbox-sys", "fastbox-container", "fastbox-image", "fastbox-engine")
# What the tests may mount and join; those they depend on are found.
MODULES = ("virtio_pci", "virtio_blk", "overlay", "ext4", "loop", "erofs", "veth", "bridge")
# What the engine starts, as the wheel's build makes it.
PROGRAMS = ("fastbox-stub", "fastbox-monitor")
DEADLINE_S = 1500
DISK_BYTES = 1 << 30


@dataclass(frozen=True)
class Machine:
    """What differs between the processors."""

    debian: str
    qemu: tuple[str, ...]
    console: str


MACHINES = {
    "x86_64": Machine("amd64", ("qemu-system-x86_64", "-cpu", "max"), "ttyS0"),
    "aarch64": Machine("arm64", ("qemu-system-aarch64", "-M", "virt", "-cpu", "max"), "ttyAMA0"),
}
MACHINE = MACHINES[platform.machine()]


def output(*command: str) -> str:
    """The standard output of a command that must succeed."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def kernel_package() -> tuple[str, str]:
    """Name and version of the package behind Debian's newest kernel for virtual machines."""
    meta = f"linux-image-cloud-{MACHINE.debian}"
    for _ in range(2):
        found = re.search(r"Depends: (linux-image-\S+)", output("apt-cache", "depends", meta))
        if found:
            shown = output("apt-cache", "show", "--no-all-versions", found[1])
            version = re.search(r"^Version: (\S+)", shown, re.MULTILINE)
            if version:
                return found[1], version[1]
        subprocess.run(["apt-get", "-qq", "update"], check=True)
    raise SystemExit(f"test-vm: apt knows no package {meta}")


def with_dependencies(names: tuple[str, ...], files: dict[str, Path]) -> list[str]:
    """Module names in the order in which they load; one that is built in or unknown is left out."""
    order: list[str] = []

    def add(name: str) -> None:
        name = name.replace("-", "_")
        if name in order or name not in files:
            return
        # The .modinfo section is a row of zero-ended strings.
        depends = re.search(rb"\0depends=([^\0]*)\0", files[name].read_bytes())
        for other in depends[1].decode().split(",") if depends else []:
            add(other)
        order.append(name)

    for name in names:
        add(name)
    return order


def kernel() -> Path:
    """A folder with `vmlinuz` and `modules/`, whose file `order` says how they load."""
    package, version = kernel_package()

    def make(path: Path) -> None:
        download = path.with_name("download")
        download.mkdir()
        # The folder's owner is nobody's concern: without a sandbox apt does not warn about it.
        fetch = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", package]
        subprocess.run(fetch, check=True, cwd=download)
        content = path.with_name("content")
        output("dpkg", "-x", str(next(download.glob("*.deb"))), str(content))
        found = {file.stem.replace("-", "_"): file for file in content.rglob("*.ko")}
        (path / "modules").mkdir(parents=True)
        order = with_dependencies(MODULES, found)
        for name in order:
            shutil.copy(found[name], path / "modules" / f"{name}.ko")
        (path / "modules" / "order").write_text("".join(f"{name}.ko\n" for name in order))
        shutil.copy(next(content.glob("boot/vmlinuz-*")), path / "vmlinuz")

    return roots.published("vm-kernel", [package, version, MODULES], make)


def built(*command: str) -> Iterator[dict[str, Any]]:
    """Builds static programs with cargo; yields what it says of each."""
    target = ["--target", f"{platform.machine()}-unknown-linux-musl"]
    options = ["--release", "--locked", "--message-format", "json-render-diagnostics"]
    for line in output("cargo", *command, *target, *options).splitlines():
        message = json.loads(line)
        if message.get("executable"):
            yield message


def own_programs() -> dict[str, Path]:
    """The programs of fastbox itself, one call each: what one asks for is not the other's."""
    return {
        name: Path(message["executable"])
        for name in PROGRAMS
        for message in built("build", "--package", name)
    }


def test_programs(crates: list[str]) -> Iterator[tuple[str, Path]]:
    """Builds the tests as static programs; yields a name and a path for each."""
    packages = [argument for crate in crates for argument in ("-p", crate)]
    for message in built("test", "--no-run", *packages):
        if message["profile"]["test"]:
            crate = Path(message["manifest_path"]).parent.name
            yield f"{crate}-{message['target']['name']}", Path(message["executable"])


def disk(scratch: Path) -> Path:
    """An empty ext4: on 6.1 the ids of a tmpfs cannot be mapped."""
    image = scratch / "disk"
    with image.open("wb") as file:
        file.truncate(DISK_BYTES)
    output("/sbin/mkfs.ext4", "-q", str(image))
    return image


def initial_ramfs(
    scratch: Path, modules: Path, own: dict[str, Path], programs: dict[str, Path]
) -> Path:
    """The archive the kernel boots into."""
    tree = scratch / "tree"
    for folder in ("bin", "etc", "new", "proc", "programs", "tests"):
        (tree / folder).mkdir(parents=True)
    busybox = shutil.which("busybox")
    if busybox is None:
        raise SystemExit("test-vm: busybox is not installed (Debian: busybox-static)")
    shutil.copy(busybox, tree / "bin/busybox")
    shutil.copy(Path(__file__).with_name("init"), tree / "init")
    (tree / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (tree / "etc/group").write_text("root:x:0:\n")
    shutil.copytree(modules, tree / "modules")
    for folder, files in (("programs", own), ("tests", programs)):
        for name, path in files.items():
            shutil.copy(path, tree / folder / name)
    archive = scratch / "initramfs"
    names = "\n".join(str(path.relative_to(tree)) for path in sorted(tree.rglob("*")))
    with archive.open("wb") as out:
        pack = ["cpio", "--create", "--quiet", "--format=newc", "--owner=0:0"]
        subprocess.run(pack, check=True, cwd=tree, input=names.encode(), stdout=out)
    return archive


def console(vmlinuz: Path, archive: Path, image: Path, deadline_s: float) -> Iterator[str]:
    """Boots; yields each line of the serial console until the machine is off or out of time."""
    command = [*MACHINE.qemu, "-accel", "tcg,thread=multi", "-smp", "2", "-m", "2048", "-no-reboot"]
    command += ["-nodefaults", "-display", "none", "-serial", "stdio"]
    command += ["-drive", f"file={image},if=virtio,format=raw,cache=unsafe"]
    command += ["-kernel", str(vmlinuz), "-initrd", str(archive), "-append"]
    command += [f"console={MACHINE.console} loglevel=3 panic=-1 rdinit=/init"]
    none, pipe = subprocess.DEVNULL, subprocess.PIPE
    with subprocess.Popen(command, stdin=none, stdout=pipe, text=True, errors="replace") as qemu:
        alarm = threading.Timer(deadline_s, qemu.kill)
        alarm.start()
        try:
            yield from (line.rstrip() for line in qemu.stdout or ())
        finally:
            alarm.cancel()
            qemu.kill()


def main() -> int:
    """Exit status 0 where every program ran and none of its tests failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("crates", nargs="*", default=list(CRATES), help="default: %(default)s")
    parser.add_argument(
        "--deadline", type=float, default=DEADLINE_S, help="seconds for the machine"
    )
    parser.add_argument("--only", default="", help="programs whose name holds this (a regex)")
    options = parser.parse_args()
    booted = kernel()
    own = own_programs()
    programs = {
        name: path for name, path in test_programs(options.crates) if re.search(options.only, name)
    }
    ended: dict[str, str] = {}
    passed = failed = ignored = 0
    done = False
    with tempfile.TemporaryDirectory(prefix="fastbox-vm-") as scratch:
        archive = initial_ramfs(Path(scratch), booted / "modules", own, programs)
        image = disk(Path(scratch))
        for line in console(booted / "vmlinuz", archive, image, options.deadline):
            print(line, flush=True)
            done = done or line == "VM-DONE"
            if end := re.match(r"VM-END (\S+) (\d+)", line):
                ended[end[1]] = end[2]
            # A test may write to the console just before, so not only at a line's start.
            if counts := re.search(r"test result: .* (\d+) passed; (\d+) failed; (\d+) ign", line):
                passed, failed, ignored = (
                    have + int(more)
                    for have, more in zip((passed, failed, ignored), counts.groups(), strict=True)
                )
    bad = [
        f"{name}: {ended.get(name, 'never ended')}" for name in programs if ended.get(name) != "0"
    ]
    print(f"VM: {passed} passed, {failed} failed, {ignored} ignored", *bad, sep="\nVM: ")
    return 0 if done and not bad and passed else 1


if __name__ == "__main__":
    sys.exit(main())
