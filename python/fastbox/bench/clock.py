"""Spawning on the clock; as a program, for whoever writes commands to its standard input."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence


def spawned(command: Sequence[str], environment: Mapping[str, str] = os.environ) -> float:
    """Seconds from spawning a program to having reaped it."""
    path = command[0]
    began = time.perf_counter()
    pid = os.posix_spawn(path, [*command], environment)
    _, status = os.waitpid(pid, 0)
    took = time.perf_counter() - began
    if status != 0:
        raise RuntimeError(f"{' '.join(command)} ended with wait status {status:#x}")
    return took


if __name__ == "__main__":
    for line in sys.stdin:
        print(spawned(json.loads(line)), flush=True)
