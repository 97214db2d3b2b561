"""`fastbox load` beside `docker load`: a 1 GB archive of 8 gzip layers, until it is ready to run.

Usage: python benches/load.py [--rounds 3] [--megabytes 1024] [--layers 8]
Each round loads the archive with one and then the other, into stores without the image, its pages
in the cache; the medians' ratio is printed. Needs root, and dockerd for the comparison.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from hashlib import sha256
from io import BytesIO
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

import cli
from needs import docker_daemon

GOAL = 0.3


def main() -> int:
    """Measures, prints, and fails where the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--megabytes", type=int, default=1024)
    parser.add_argument("--layers", type=int, default=8)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, docker_daemon() as host:
        archive = Path(folder) / "archive.tar"
        print(f"archive: {make(archive, given.megabytes, given.layers) >> 20} MiB", flush=True)
        fastbox = {"FASTBOX_ROOT": f"{folder}/root", "FASTBOX_RUN": f"{folder}/run"}
        commands = {
            "fastbox": (
                cli.command("load", "-i", archive),
                cli.command("rmi", "load-bench"),
                fastbox,
            ),
            "docker": (
                ["docker", "load", "-i", str(archive)],
                ["docker", "rmi", "load-bench"],
                {"DOCKER_HOST": host},
            ),
        }
        spent: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(given.rounds):
            for name, (load, remove, more) in commands.items():
                environment = {**os.environ, **more}
                os.sync()
                start = time.perf_counter()
                subprocess.run(load, check=True, env=environment, stdout=subprocess.DEVNULL)
                spent[name].append(time.perf_counter() - start)
                subprocess.run(remove, check=True, env=environment, stdout=subprocess.DEVNULL)
                print(f"{name}: {spent[name][-1]:.2f} s", flush=True)
        medians = {name: statistics.median(times) for name, times in spent.items()}
    ratio = medians["fastbox"] / medians["docker"]
    print(f"fastbox {medians['fastbox']:.2f} s, docker {medians['docker']:.2f} s: {ratio:.2f}")
    return 0 if ratio <= GOAL else 1


def make(path: Path, megabytes: int, count: int) -> int:
    """A docker-archive of gzip layers whose files compress about as programs do."""
    dice = random.Random(17)
    words = [dice.randbytes(dice.randint(4, 24)) for _ in range(512)]
    members: dict[str, bytes] = {}
    digests = []
    for number in range(count):
        layer = BytesIO()
        with tarfile.open(fileobj=layer, mode="w") as archive:
            left = (megabytes << 20) // count
            files = 0
            while left > 0:
                size = min(left, int(dice.paretovariate(0.7) * 4096), 16 << 20)
                data = b"".join(dice.choices(words, k=size // 12 + 1))[:size]
                member = tarfile.TarInfo(f"usr/lib/{number}/{files % 50}/{files}")
                member.size = len(data)
                archive.addfile(member, BytesIO(data))
                left -= len(data)
                files += 1
        tar = layer.getvalue()
        digests.append(f"sha256:{sha256(tar).hexdigest()}")
        members[f"{number}/layer.tar"] = gzip.compress(tar, 6, mtime=0)
    rootfs = {"type": "layers", "diff_ids": digests}
    config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs}
    item = {"Config": "config.json", "RepoTags": ["load-bench:latest"], "Layers": [*members]}
    members["config.json"] = json.dumps(config).encode()
    members["manifest.json"] = json.dumps([item]).encode()
    with tarfile.open(path, "w") as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, BytesIO(data))
    return path.stat().st_size


if __name__ == "__main__":
    raise SystemExit(main())
