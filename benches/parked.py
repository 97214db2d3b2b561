"""What a container that waits in a pool costs in memory, everything counted.

Counted is all that the machine has less of: the stub's pages, page tables, kernel stacks, slab,
per-processor memory, namespaces, files on tmpfs; not what the page cache holds of files on disks.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path

CONTAINERS = 100


def kib_each(image: str, rounds: int) -> float:
    """KiB of each: the median difference that 100 more make. Needs root."""
    import fastbox

    differences = []
    for _ in range(rounds):
        with fastbox.Pool(image, 1) as pool:
            _filled(pool, 1)
            before = _used_kib()
            with fastbox.Pool(image, CONTAINERS) as many:
                _filled(many, CONTAINERS)
                differences.append((_used_kib() - before) / CONTAINERS)
        time.sleep(1)  # what is dropped is freed after a grace period
    return statistics.median(differences)


def _filled(pool: object, count: int) -> None:
    end = time.monotonic() + 60
    while pool.waiting < count:  # type: ignore[attr-defined]
        if time.monotonic() > end:
            raise RuntimeError(f"the pool does not become {count}")
        time.sleep(0.01)


def _used_kib() -> int:
    time.sleep(1)
    # Dentries and inodes that nothing uses are no part of it.
    Path("/proc/sys/vm/drop_caches").write_text("2")
    lines = Path("/proc/meminfo").read_text().splitlines()
    kib = {key: int(value.split()[0]) for key, value in (line.split(":") for line in lines)}
    on_disk = kib["Cached"] - kib["Shmem"]
    return kib["MemTotal"] - kib["MemFree"] - kib["Buffers"] - on_disk
