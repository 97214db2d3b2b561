"""The audit sees one planted leak of each kind, and no more once it is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from audit import Audit
from needs import needs_root

CONTAINER = "c0" * 32


@pytest.fixture(autouse=True)
def as_root() -> None:
    needs_root()


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    """A root and a run directory that nobody uses."""
    root, run = tmp_path / "root", tmp_path / "run"
    for path in (root / "run", run / "owners", run / "names"):
        path.mkdir(parents=True)
    return root, run


@pytest.fixture
def quiet(places: tuple[Path, Path]) -> Audit:
    """An audit that has found nothing yet."""
    audit = Audit(*places)
    assert not [leak for leak in audit.leaks(0) if not leak.startswith("namespace:")]
    return audit


def caught(look: Callable[[], list[str]], word: str) -> bool:
    return any(word in leak for leak in look())


def test_mount(quiet: Audit, places: tuple[Path, Path]) -> None:
    target = places[0] / "leaked"
    target.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "leak", target], check=True)
    try:
        assert caught(quiet.mounts, str(target))
        assert caught(lambda: quiet.leaks(0), "mount:")
    finally:
        subprocess.run(["umount", target], check=True)
    assert quiet.mounts() == []


@pytest.fixture
def group(quiet: Audit) -> Iterator[Path]:
    """A container's group, whose owner has ended, in a hierarchy that is mounted here."""
    top = next(path.parent for path in quiet.cgroup_tops() if os.access(path.parent, os.W_OK))
    owner = top / "fastbox" / f"{quiet.tag}0123456789"
    made = [path for path in (top / "fastbox", owner, owner / CONTAINER) if not path.exists()]
    for path in made:
        path.mkdir()
    yield owner / CONTAINER
    for path in reversed(made):
        path.rmdir()


def test_cgroup(quiet: Audit, group: Path) -> None:
    assert caught(quiet.cgroups, str(group))
    assert caught(quiet.cgroups, str(group.parent))
    assert caught(lambda: quiet.leaks(0), "cgroup:")


def test_process_in_a_group(quiet: Audit, group: Path) -> None:
    with subprocess.Popen(["sleep", "100"]) as process:
        (group / "cgroup.procs").write_text(str(process.pid))
        assert caught(quiet.processes, f"{process.pid} sleep 100")
        process.kill()
    assert quiet.processes() == []


def test_watchdog_without_an_owner(quiet: Audit, places: tuple[Path, Path]) -> None:
    owner = places[1] / "owners" / "0123456789abcdef"
    with subprocess.Popen(["sh", "-c", "read line", "watch", owner], stdin=-1) as process:
        assert caught(quiet.processes, str(owner))
        process.kill()
    assert quiet.processes() == []


def test_child_nobody_waited_for(quiet: Audit) -> None:
    process = subprocess.Popen(["true"])
    deadline = time.monotonic() + 10
    while not caught(quiet.processes, str(process.pid)):
        assert time.monotonic() < deadline
    process.wait()
    assert not caught(quiet.processes, str(process.pid))


def test_namespace(quiet: Audit) -> None:
    with subprocess.Popen(["unshare", "--net", "sleep", "100"]) as process:
        link = Path(f"/proc/{process.pid}/ns/net")
        own = Path("/proc/self/ns/net").readlink()
        while link.readlink() == own:
            time.sleep(0.01)
        name = str(link.readlink())
        assert caught(quiet.namespaces, name)
        os.kill(process.pid, signal.SIGKILL)
    assert not caught(quiet.namespaces, name)


@pytest.mark.parametrize(
    "below",
    [
        "run/names/some-name",
        "run/owners/0123456789abcdef",
        f"root/run/0123456789abcdef/{CONTAINER}",
        f"root/run/0123456789abcdef/d7/{CONTAINER}.work",
    ],
)
def test_directory(quiet: Audit, places: tuple[Path, Path], below: str) -> None:
    path = places[0].parent / below
    path.mkdir(parents=True)
    assert caught(quiet.directories, str(path))
    assert caught(lambda: quiet.leaks(0), "directory:")


def test_what_a_living_owner_has_may_stay(quiet: Audit, places: tuple[Path, Path]) -> None:
    stat = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    owner = places[1] / "owners" / "0123456789abcdef"
    owner.mkdir()
    (owner / "pid").write_text(f"{os.getpid()} {stat[19]} boot view\n")
    (places[0] / "run" / owner.name / "plan-1").mkdir(parents=True)
    assert quiet.directories() == []
    (places[0] / "run" / owner.name / CONTAINER).mkdir()
    assert caught(quiet.directories, CONTAINER)
