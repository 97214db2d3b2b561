"""Everything that can be seen of a directory tree, to compare two of them."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

Row = dict[str, object]


def listing(root: str | os.PathLike[str]) -> dict[bytes, Row]:
    """A row for each path below: type, mode, owner, times, attributes, contents, links."""
    rows: dict[bytes, Row] = {}
    inodes: dict[int, list[bytes]] = {}
    base = os.fsencode(root)
    waiting = [b""]
    while waiting:
        path = waiting.pop()
        full = base + b"/" + path
        rows[path] = _row(full)
        found = os.lstat(full)
        if stat.S_ISDIR(found.st_mode):
            waiting += [path + b"/" + name if path else name for name in _names(full)]
        else:
            inodes.setdefault(found.st_ino, []).append(path)
    for names in inodes.values():
        for name in names:
            rows[name]["names"] = sorted(names)
    return rows


def _names(directory: bytes) -> list[bytes]:
    with os.scandir(directory) as entries:
        return [entry.name for entry in entries]


def _row(path: bytes) -> Row:
    found = os.lstat(path)
    row: Row = {
        "mode": oct(found.st_mode),
        "owner": (found.st_uid, found.st_gid),
        "mtime": found.st_mtime_ns,
        "xattrs": {
            key: os.getxattr(path, key, follow_symlinks=False)
            for key in os.listxattr(path, follow_symlinks=False)
        },
    }
    if stat.S_ISLNK(found.st_mode):
        row["target"] = str(Path(os.fsdecode(path)).readlink())
    elif stat.S_ISREG(found.st_mode):
        row["size"] = found.st_size
        with Path(os.fsdecode(path)).open("rb") as file:
            row["sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
    elif not stat.S_ISDIR(found.st_mode):
        row["device"] = found.st_rdev
    return row


def differences(left: dict[bytes, Row], right: dict[bytes, Row]) -> list[str]:
    """What differs, a line for each path."""
    lines = []
    for path in sorted(left.keys() | right.keys()):
        mine, theirs = left.get(path), right.get(path)
        if mine is None or theirs is None:
            lines.append(f"{path!r}: only {'right' if mine is None else 'left'}")
        elif mine != theirs:
            keys = [key for key in mine.keys() | theirs.keys() if mine.get(key) != theirs.get(key)]
            told = [f"{key} {mine.get(key)!r} / {theirs.get(key)!r}" for key in sorted(keys)]
            lines.append(f"{path!r}: {', '.join(told)}")
    return lines
