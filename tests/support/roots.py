"""Root filesystems for tests and benchmarks, each a tar file or a folder.

They lie in one cache outside the clone, `$XDG_CACHE_HOME/fastbox-tests` (else
`~/.cache/fastbox-tests`), under a hash of their recipe: changing a recipe builds anew, and nothing
else does. Building happens under a lock and is published by rename, so several processes may ask
for the same root at once. `python tests/support/roots.py NAME...` prints paths, building what is
absent; a NAME is busybox, bookworm or bullseye.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

# What each Debian release brings beside apt: its Python, a compiler and its own PHP.
DEBIAN_PACKAGES = {
    "bookworm": ["python3", "gcc", "libc6-dev", "php8.2-cli"],
    "bullseye": ["python3", "gcc", "libc6-dev", "php7.4-cli"],
}
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

_BUSYBOX_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n"
    "daemon:x:1:1:daemon:/usr/sbin:/bin/false\n"
    "www-data:x:33:33:www-data:/var/www:/bin/false\n"
    "user:x:1000:1000:user:/home/user:/bin/sh\n"
    "nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
    "etc/group": "root:x:0:\ndaemon:x:1:\nwww-data:x:33:\nuser:x:1000:\nnogroup:x:65534:\n",
    "etc/shadow": "root:*:::::::\nuser:*:::::::\n",
}
_BUSYBOX_FOLDERS = {
    "bin": 0o755,
    "dev": 0o755,
    "etc": 0o755,
    "home": 0o755,
    "home/user": 0o755,
    "proc": 0o755,
    "root": 0o700,
    "sbin": 0o755,
    "sys": 0o755,
    "tmp": 0o1777,
    "usr": 0o755,
    "usr/bin": 0o755,
    "usr/sbin": 0o755,
    "var": 0o755,
    "var/tmp": 0o1777,
}


def cache() -> Path:
    """The folder of all test roots."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "fastbox-tests"


def published(name: str, recipe: object, make: Callable[[Path], None], suffix: str = "") -> Path:
    """The path of what `make` makes; made now where the cache lacks it for this recipe.

    `make` is given a path that does not exist yet, in the cache's own file system.
    """
    digest = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:16]
    place = cache() / f"{name}-{digest}{suffix}"
    if place.exists():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    with (place.parent / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            scratch = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=place.parent))
            try:
                make(scratch / "made")
                (scratch / "made").rename(place)
            finally:
                shutil.rmtree(scratch)
    return place


def busybox() -> Path:
    """A tar of a small root: a static busybox with its commands, users, the usual folders."""
    program = shutil.which("busybox")
    if program is None:
        raise FileNotFoundError("busybox is not installed (Debian: busybox-static)")
    content = Path(program).read_bytes()
    listing = subprocess.run(
        [program, "--list-full"], check=True, stdout=subprocess.PIPE, text=True
    )
    applets = sorted(set(listing.stdout.split()) - {"linuxrc", "bin/busybox"})
    recipe = [hashlib.sha256(content).hexdigest(), _BUSYBOX_FILES, _BUSYBOX_FOLDERS, applets]

    def make(path: Path) -> None:
        with tarfile.open(path, "w") as archive:
            for name, mode in _BUSYBOX_FOLDERS.items():
                member = tarfile.TarInfo(name)
                member.type = tarfile.DIRTYPE
                member.mode = mode
                if name == "home/user":
                    member.uid = member.gid = 1000
                archive.addfile(member)
            files = {name: text.encode() for name, text in _BUSYBOX_FILES.items()}
            for name, data in {**files, "bin/busybox": content}.items():
                member = tarfile.TarInfo(name)
                member.mode = {"bin/busybox": 0o755, "etc/shadow": 0o600}.get(name, 0o644)
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
            for name in applets:
                member = tarfile.TarInfo(name)
                member.type = tarfile.LNKTYPE
                member.mode = 0o755
                member.linkname = "bin/busybox"
                archive.addfile(member)

    return published("busybox", recipe, make, ".tar")


def _mirror() -> list[str]:
    """The archive this machine takes Debian from; empty (mmdebstrap's own) where it has none."""
    targets = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(LABEL)\t$(REPO_URI)", "Created-By: Packages"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    rows = (line.split("\t") for line in targets.stdout.splitlines())
    return [uri for label, uri in rows if label == "Debian"][:1]


def debian(release: str) -> Path:
    """A tar of a Debian release with the packages of `DEBIAN_PACKAGES`, made by mmdebstrap.

    About 450 MB and half a minute.
    """
    packages = DEBIAN_PACKAGES[release]

    def make(path: Path) -> None:
        memory = Path("/dev/shm")
        roomy = memory.is_dir() and shutil.disk_usage(memory).free > 3 << 30
        command = ["mmdebstrap", "--quiet", "--variant=apt", f"--include={','.join(packages)}"]
        command += [f"--keyring={_KEYRING}", release, f"{path}.tar", *_mirror()]
        environment = {**os.environ, "TMPDIR": str(memory) if roomy else tempfile.gettempdir()}
        subprocess.run(command, check=True, env=environment)
        Path(f"{path}.tar").rename(path)

    return published(f"debian-{release}", ["apt", packages], make, ".tar")


def unpacked(archive: Path) -> Path:
    """A folder with the content of one of the tars above, owners kept. Needs root; leave as is."""

    def make(path: Path) -> None:
        path.mkdir()
        command = ["tar", "--extract", "--numeric-owner", "--same-owner", "--preserve-permissions"]
        subprocess.run([*command, "--file", archive, "--directory", path], check=True)

    return published(f"{archive.stem}-unpacked", archive.name, make)


if __name__ == "__main__":
    for wanted in sys.argv[1:]:
        print(busybox() if wanted == "busybox" else debian(wanted))
