"""Archives of a million entries, of 64 layers, of a gigabyte: in bounded memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest
from fastbox import images
from layers import tree as merged

# What a process that loads may have in memory at most; Python alone has about 15 MiB.
MOST_MIB = 96
_LOAD = """
import sys
from fastbox import images
print(images.load(sys.argv[1])[0].id)
status = open("/proc/self/status").read()
print(status.split("VmHWM:")[1].split()[0])
"""


def header(name: str, size: int, kind: bytes = b"0") -> bytes:
    """A tar header; tarfile would take minutes for a million of them."""
    head = bytearray(512)
    head[: len(name)] = name.encode()
    head[100:107] = b"0000644" if kind == b"0" else b"0000755"
    head[108:124] = b"0000000\0" * 2
    head[124:135] = b"%011o" % size
    head[136:147] = b"13743420000"
    head[148:156] = b" " * 8
    head[156:157] = kind
    head[257:265] = b"ustar\00000"[:8]
    head[148:155] = b"%06o\0" % sum(head)
    return bytes(head)


def a_million() -> list[Iterator[bytes]]:
    """A layer of a million small files and one that hides and replaces a few."""

    def low() -> Iterator[bytes]:
        for directory in range(1000):
            yield header(f"d{directory}/", 0, b"5")
            yield b"".join(
                header(f"d{directory}/f{number}", 1) + b"x".ljust(512, b"\0")
                for number in range(999)
            )
        yield bytes(1024)

    def top() -> Iterator[bytes]:
        yield header("d0/.wh.f0", 0) + header("d1/f1", 0) + bytes(1024)

    return [low(), top()]


def sixty_four() -> list[Iterator[bytes]]:
    """64 layers of 4 MiB."""

    def layer(number: int) -> Iterator[bytes]:
        yield header(f"layer-{number}", 4 << 20)
        yield os.urandom(1 << 20) * 4
        yield bytes(1024)

    return [layer(number) for number in range(64)]


def a_gigabyte() -> list[Iterator[bytes]]:
    """8 layers of 128 MiB in one file each."""

    def layer(number: int) -> Iterator[bytes]:
        yield header(f"layer-{number}", 128 << 20)
        block = os.urandom(1 << 20)
        for _ in range(128):
            yield block
        yield bytes(1024)

    return [layer(number) for number in range(8)]


def written(path: Path, layers: list[Iterator[bytes]]) -> None:
    """Writes a docker-archive, never holding a layer."""
    names, digests = [], []
    with path.open("wb") as file:
        for number, layer in enumerate(layers):
            names.append(f"{number}/layer.tar")
            start = file.tell()
            file.write(bytes(512))
            digest, size = sha256(), 0
            for part in layer:
                digest.update(part)
                size += len(part)
                file.write(part)
            file.write(bytes(-size % 512))
            end = file.tell()
            file.seek(start)
            file.write(header(names[-1], size))
            file.seek(end)
            digests.append(f"sha256:{digest.hexdigest()}")
        rootfs = {"type": "layers", "diff_ids": digests}
        config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs}
        item = {"Config": "config.json", "RepoTags": ["large:1"], "Layers": names}
        with tarfile.open(fileobj=file, mode="w") as archive:
            for name, document in (("config.json", config), ("manifest.json", [item])):
                text = json.dumps(document).encode()
                member = tarfile.TarInfo(name)
                member.size = len(text)
                archive.addfile(member, BytesIO(text))


@pytest.mark.long
@pytest.mark.parametrize("layers", [a_million, sixty_four, a_gigabyte])
def test_memory(tmp_path: Path, layers: Callable[[], list[Iterator[bytes]]]) -> None:
    path = tmp_path / "large.tar"
    written(path, layers())
    command = [sys.executable, "-c", _LOAD, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    identity, kibibytes = done.stdout.split()
    mebibytes = int(kibibytes) >> 10
    print(
        f"REPORT: {layers.__name__}: {path.stat().st_size >> 20} MiB in {mebibytes} MiB of memory"
    )
    assert mebibytes <= MOST_MIB
    image = images.get("large:1")
    assert image.id == identity
    if layers is a_million:
        tree = merged("large:1")
        assert len(list((tree / "d0").iterdir())) == 998
        assert (tree / "d1/f1").stat().st_size == 0
    images.remove("large:1")
    path.unlink()
