"""Runs after a power failure: blobs are on the disk, what was unpacked of them is not."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from subprocess import PIPE, Popen

import power
import pytest
from killing import Place, adopting, finished, until
from needs import missing, needs, needs_root
from roots import busybox


@pytest.fixture(autouse=True)
def _adopting() -> Iterator[None]:
    with adopting():
        yield


@pytest.fixture
def place(tmp_path: Path) -> Place:
    needs_root()
    needs("busybox")
    place = Place(tmp_path)
    finished(place.fastbox("import", "-q", str(busybox()), "box", stdout=PIPE))
    assert place.left() == []
    return place


def ended(caller: Popen[str]) -> tuple[int, str]:
    with caller:
        _, errors = caller.communicate(timeout=60)
    return caller.returncode, errors


def test_the_watchdog_waits_for_the_disk(place: Place) -> None:
    # It has, where nothing is left of it.
    assert ["unsettled" in record for _, record in power.records(place.root)] == [False]


def test_a_caller_that_lives_on_has_not_waited(place: Place) -> None:
    code = """
    import sys, fastbox
    fastbox.import_image(sys.argv[1], "again")
    print("made")
    sys.stdin.read()
    """
    with place.python(code, str(busybox()), stdin=PIPE) as caller:
        assert caller.stdout is not None
        assert caller.stdout.readline() == "made\n"
        assert any("unsettled" in record for _, record in power.records(place.root))
        assert caller.stdin is not None
        caller.stdin.close()
    assert place.left() == []
    assert not any("unsettled" in record for _, record in power.records(place.root))


@contextmanager
def mounted(disk: Path, at: Path) -> Iterator[Path]:
    at.mkdir()
    done = subprocess.run(["mount", "-o", "loop", disk, at], capture_output=True, text=True)
    if done.returncode:
        missing(f"no file can be mounted as a disk here: {done.stderr.strip()}")
    try:
        yield at
    finally:
        assert until(lambda: subprocess.run(["umount", at]).returncode == 0)


def test_a_disk_as_it_was_when_the_power_failed(tmp_path: Path) -> None:
    needs_root()
    needs("busybox", "mkfs.ext4")
    disk, copy = tmp_path / "disk", tmp_path / "copy"
    with disk.open("wb") as file:
        file.truncate(64 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", disk], check=True)
    code = """
    import sys, fastbox
    fastbox.import_image(sys.argv[1], "box")
    print("made")
    sys.stdin.read()
    """
    with mounted(disk, tmp_path / "before") as before:
        place = Place(tmp_path, before / "root")
        with place.python(code, str(busybox()), stdin=PIPE) as caller:
            assert caller.stdout is not None
            assert caller.stdout.readline() == "made\n"
            # What the disk has by now, and nothing of what the kernel has in memory.
            shutil.copyfile(disk, copy)
            assert caller.stdin is not None
            caller.stdin.close()
        assert place.left() == []
    with mounted(copy, tmp_path / "after") as after:
        power.comes_back(after / "root")
        place = Place(tmp_path, after / "root")
        script = "cat /etc/group; exec sha256sum /bin/busybox"
        lines = finished(place.fastbox("run", "--rm", "box", "sh", "-c", script, stdout=PIPE))
        assert lines.startswith("root:x:0:")
        with tarfile.open(busybox()) as archive:
            program = archive.extractfile("bin/busybox")
            assert program is not None
            assert lines.split()[-2] == sha256(program.read()).hexdigest()
        assert place.left() == []


def test_many_runs_at_once(place: Place) -> None:
    power.fails(place.root)
    command = ["run", "--rm", "box", "sh", "-c", "cat /etc/group; echo $0", "end"]
    callers = [place.fastbox(*command, stdout=PIPE) for _ in range(6)]
    for caller in callers:
        assert finished(caller).splitlines()[-1] == "end"
    assert place.left() == []
    # Unpacked again once, and on the disk by now.
    assert ["unsettled" in record for _, record in power.records(place.root)] == [False]
    assert list((place.root / "tmp").iterdir()) == []


def test_killed_while_it_unpacks_again(place: Place) -> None:
    work = place.root / "tmp"
    for wait in (0.0, 0.001, 0.003, 0.01, 0.03):
        power.fails(place.root)
        with place.fastbox("run", "--rm", "box", "true", stdout=PIPE, stderr=PIPE) as caller:
            assert until(lambda: any(work.iterdir()))
            time.sleep(wait)
            caller.kill()
        assert "root:x:0:" in finished(
            place.fastbox("run", "--rm", "box", "cat", "/etc/passwd", stdout=PIPE)
        )
        assert place.left() == []
        assert list((place.root / "tmp").iterdir()) == []


def test_a_blob_that_is_lost_too(place: Place) -> None:
    power.fails(place.root)
    (record,) = (record for _, record in power.records(place.root))
    blobs = record["blobs"]
    assert isinstance(blobs, list)
    blob = place.root / "blobs" / "sha256" / blobs[0].removeprefix("sha256:")
    blob.write_bytes(b"x" * 10240)
    code, errors = ended(place.fastbox("run", "--rm", "box", "true", stderr=PIPE))
    assert code == 125, errors
    assert errors.startswith("fastbox: ")
    for words in ("image box", blob.name, "load or import it again"):
        assert words in errors
    assert "Traceback" not in errors
    finished(place.fastbox("import", "-q", str(busybox()), "box", stdout=PIPE))
    finished(place.fastbox("run", "--rm", "box", "true", stdout=PIPE))
    # What lost its name to the new one, and shares its layer.
    finished(place.fastbox("image", "prune", "-f", stdout=PIPE))
    finished(place.fastbox("run", "--rm", "box", "true", stdout=PIPE))
    assert place.left() == []
