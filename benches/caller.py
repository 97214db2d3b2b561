"""A caller of fastbox that answers each line of its standard input with the seconds of one run.

Usage: caller.py IMAGE small|large. The large one holds 2 GB, 10,000 open files and 200 threads
before it first uses fastbox.
"""

from __future__ import annotations

import os
import resource
import sys
import threading
import time

MEMORY_BYTES = 2 << 30
OPEN_FILES = 10_000
THREADS = 200


def grow() -> bytearray:
    """Becomes a large process; returns the memory, every page of it touched."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    for _ in range(OPEN_FILES):
        os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    forever = threading.Event()
    for _ in range(THREADS):
        threading.Thread(target=forever.wait, daemon=True).start()
    return bytearray(os.urandom(1 << 20)) * (MEMORY_BYTES >> 20)


def command(image: str, size: str) -> list[str]:
    """What starts one."""
    return [sys.executable, __file__, image, size]


def main() -> None:
    image, size = sys.argv[1:]
    ballast = grow() if size == "large" else bytearray()
    import fastbox

    plan = fastbox.prepare(image)
    for _ in sys.stdin:
        began = time.perf_counter()
        done = plan.run(["/bin/true"])
        took = time.perf_counter() - began
        if done.exit_code != 0:
            raise SystemExit(f"/bin/true ended with exit code {done.exit_code}")
        print(took, flush=True)
    del ballast


if __name__ == "__main__":
    main()
