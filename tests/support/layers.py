"""Layers with everything a layer can have, and the tools that make images of them."""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

# VFS_CAP_REVISION_2 with cap_net_raw effective and permitted, as file capabilities are stored.
NET_RAW = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)


class Layer:
    """The archive of a layer being put together."""

    def __init__(self) -> None:
        self.buffer = io.BytesIO()
        self.tar = tarfile.open(  # noqa: SIM115 - closed by write()
            fileobj=self.buffer, mode="w", format=tarfile.PAX_FORMAT, errors="surrogateescape"
        )
        self.count = 0

    def add(self, name: str | bytes, kind: bytes = tarfile.REGTYPE, **more: object) -> Layer:
        """Adds an entry; `data`, `link`, `xattrs` and the fields of a TarInfo may be given."""
        self.count += 1
        member = tarfile.TarInfo(os.fsdecode(name))
        member.type = kind
        member.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
        data = more.pop("data", b"")
        assert isinstance(data, bytes)
        member.size = len(data)
        member.linkname = str(more.pop("link", ""))
        xattrs = more.pop("xattrs", {})
        assert isinstance(xattrs, dict)
        # Nanoseconds, different for each entry, and exact: a float would not be.
        headers = {"mtime": f"{1_600_000_000 + self.count}.{123_456_700 + self.count}"}
        for key, value in xattrs.items():
            headers[f"SCHILY.xattr.{key}"] = value.decode("utf-8", "surrogateescape")
        member.pax_headers = headers
        for key, value in more.items():
            setattr(member, key, value)
        self.tar.addfile(member, io.BytesIO(data))
        return self

    def dir(self, name: str | bytes, **more: object) -> Layer:
        """Adds a directory."""
        return self.add(name, tarfile.DIRTYPE, **more)

    def bytes(self) -> bytes:
        """The whole archive."""
        self.tar.close()
        return self.buffer.getvalue()


def sparse() -> bytes:
    """A tar with one sparse file, as GNU tar packs it."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sparse"
        with path.open("wb") as file:
            file.seek(4 << 20)
            file.write(b"data in the middle")
            file.truncate(9 << 20)
        os.utime(path, (1_500_000_000, 1_500_000_000))
        command = ["tar", "--sparse", "--format=pax", "--owner=0", "--group=0", "--numeric-owner"]
        done = subprocess.run(
            [*command, "--pax-option=delete=atime,delete=ctime", "-C", folder, "-c", "sparse"],
            check=True,
            capture_output=True,
        )
        return done.stdout


def layers(*, everything: bool = True) -> list[bytes]:
    """Three layers and an empty one.

    `everything`: with hard links into lower layers and a sparse file, which Docker and Podman
    unpack or pack wrongly.
    """
    long = "long/" + "/".join(f"{n}-" + "n" * 60 for n in range(6))
    low = (
        Layer()
        .dir(".", mode=0o755)
        .dir("bin")
        .add("bin/tool", data=b"#!/bin/sh\n", mode=0o4755, uid=12, gid=34)
        .add("bin/other", tarfile.LNKTYPE, link="bin/tool")
        .add("bin/cap", data=b"cap", mode=0o755, xattrs={"security.capability": NET_RAW})
        .dir("etc", mode=0o2775, gid=50)
        .add("etc/conf", data=b"low", xattrs={"user.key": b"value"})
        .add("etc/gone", data=b"low")
        .add("etc/link", tarfile.SYMTYPE, link="conf", mode=0o777)
        .dir("etc/gone.d")
        .add("etc/gone.d/x", data=b"low")
        .dir("opaque", mode=0o711)
        .add("opaque/low", data=b"low")
        .dir("dir-to-file")
        .add("dir-to-file/x", data=b"low")
        .add("file-to-dir", data=b"low")
        .add("link-to-dir", tarfile.SYMTYPE, link="etc", mode=0o777)
        .dir("dev", mode=0o755)
        .add("dev/null", tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666)
        .add("dev/loop", tarfile.BLKTYPE, devmajor=7, devminor=0, mode=0o660, gid=6)
        .add("dev/fifo", tarfile.FIFOTYPE, mode=0o600)
        .dir("tmp", mode=0o1777)
        .dir("kept", mode=0o750, uid=7, xattrs={"user.dir": b"kept"})
        .dir("kept/sub", mode=0o700)
        .add("kept/sub/f", data=b"low")
        .add(b"bytes-\xff\xfe-\xc3\xa9", data=b"name of bytes")
        .dir("long")
    )
    parts = long.split("/")
    for depth in range(2, len(parts) + 1):
        low.dir("/".join(parts[:depth]))
    low.add(f"{long}/{'f' * 200}", data=b"deep")
    middle = (
        Layer()
        .dir("etc", mode=0o755)
        .add("etc/conf", data=b"middle", uid=1000, gid=1000)
        .add("etc/.wh.gone")
        .add("etc/.wh.gone.d")
        .dir("opaque", mode=0o755)
        .add("opaque/.wh..wh..opq")
        .add("opaque/middle", data=b"middle")
        .add("dir-to-file", data=b"middle")
        .dir("file-to-dir", mode=0o700)
        .add("file-to-dir/x", data=b"middle")
        .dir("link-to-dir")
        .add("link-to-dir/x", data=b"middle")
        .add("bin/tool", data=b"#!/bin/sh\nexit 0\n", mode=0o755)
        .add("big", data=bytes(range(256)) * 4096)
    )
    top = (
        Layer()
        .dir("etc/gone.d", mode=0o711)
        .add("etc/gone.d/new", data=b"top")
        .add(".wh.file-to-dir")
        .add("opaque/top", data=b"top")
        .add("etc/link", tarfile.SYMTYPE, link="elsewhere", mode=0o777)
    )
    if not everything:
        return [low.bytes(), middle.bytes(), Layer().bytes(), top.bytes()]
    top.add("linked", tarfile.LNKTYPE, link="bin/other")
    top.add("linked-again", tarfile.LNKTYPE, link="linked")
    return [low.bytes(), middle.bytes(), sparse(), Layer().bytes(), top.bytes()]


def umoci(folder: Path, tag: str, archives: list[bytes]) -> Path:
    """An OCI layout folder with an image of these layers, written by umoci."""
    layout = folder / "layout"
    run = tool(folder)
    if not layout.exists():
        run("umoci", "init", "--layout", layout)
    image = f"{layout}:{tag}"
    run("umoci", "new", "--image", image)
    for number, archive in enumerate(archives):
        path = folder / f"layer-{number}.tar"
        path.write_bytes(archive)
        run("umoci", "raw", "add-layer", "--image", image, path)
    config = ["--config.cmd", "/bin/sh", "--config.env", "A=<b> & c", "--config.workingdir", "/w"]
    run("umoci", "config", "--image", image, *config, "--config.label", "k=v")
    return layout


def tool(folder: Path) -> Callable[..., str]:
    """Runs a program to its end in a folder; its output."""

    def run(*command: str | Path, **more: object) -> str:
        done = subprocess.run(
            [*map(str, command)],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            **more,  # type: ignore[call-overload]
        )
        assert done.returncode == 0, f"{command}: {done.stderr}{done.stdout}"
        return str(done.stdout).strip()

    return run


def image_id(layout: Path, tag: str) -> str:
    """The id of an image in a layout: the digest of its config."""
    index = json.loads((layout / "index.json").read_text())
    for entry in index["manifests"]:
        if entry.get("annotations", {}).get("org.opencontainers.image.ref.name") == tag:
            algorithm, digest = entry["digest"].split(":")
            manifest = json.loads((layout / "blobs" / algorithm / digest).read_text())
            return str(manifest["config"]["digest"])
    raise KeyError(tag)


def tree(name: str) -> Path:
    """The merged tree of an image of the store."""
    from fastbox import images

    image = images.get(name)
    diff_ids = image.document()["rootfs"]["diff_ids"]
    chain = diff_ids[0]
    for diff_id in diff_ids[1:]:
        chain = f"sha256:{hashlib.sha256(f'{chain} {diff_id}'.encode()).hexdigest()}"
    return Path(image.layers[0]).parents[1] / "trees" / chain.removeprefix("sha256:")
