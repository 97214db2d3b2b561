"""A machine that stops before it has written what it unpacked."""

from __future__ import annotations

import json
from pathlib import Path

_OTHER_BOOT = "00000000-0000-0000-0000-000000000000"


def records(root: Path) -> list[tuple[Path, dict[str, object]]]:
    """The documents of a store that name its images."""
    refs = (root / "refs").glob("*.json")
    return [(path, json.loads(path.read_text())) for path in refs]


def comes_back(root: Path) -> None:
    """Another boot of the kernel finds the store."""
    for path, record in records(root):
        record["unsettled"] = {"boot": _OTHER_BOOT, "publication": "0"}
        path.write_text(json.dumps(record))


def fails(root: Path) -> None:
    """Leaves of a store what ext4 does: blobs and documents, and the names of all other files."""
    comes_back(root)
    for part in ("layers", "trees", "notes"):
        for path in (root / part).rglob("*"):
            if path.is_file() and not path.is_symlink():
                path.write_bytes(b"")
