"""Tests in containers, by the plugin, as pytest users see them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

_SUITE = """
import os, sys
from pathlib import Path
import pytest

HERE = Path(__file__).parent

@pytest.fixture
def word():
    yield "word"
    print("torn down")

def where():
    return Path("/proc/self/uid_map").read_text().split()[1]

@pytest.mark.container
def test_marked(word):
    assert where() != "0", "a user namespace of its own"
    assert len(list(Path("/proc").glob("[0-9]*"))) <= 2
    Path("/tmp/left").write_text(word)

@pytest.mark.container
def test_each_has_its_own():
    assert not Path("/tmp/left").exists()
    with pytest.raises(OSError):
        (HERE / "x").write_text("the project is read-only")

@pytest.mark.container(memory="64m", hostname="h")
def test_options():
    assert os.uname().nodename == "h"

@pytest.mark.container
@pytest.mark.parametrize("n", [1, 2])
def test_fails(n):
    print("said", n)
    assert n == 1, "as it should"

@pytest.mark.container
def test_skips():
    pytest.skip("reason inside")

@pytest.mark.container
def test_dies():
    os._exit(7)

@pytest.mark.container("no-such-image")
def test_no_image():
    pass

def test_outside():
    assert where() == WHERE
"""


def run_suite(folder: Path, *options: str) -> str:
    where = Path("/proc/self/uid_map").read_text().split()[1]
    (folder / "test_suite.py").write_text(_SUITE.replace("WHERE", repr(where)))
    (folder / "pytest.ini").write_text("[pytest]\ncontainer_timeout = 60\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-rA", "-p", "no:cacheprovider", *options],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=200,
        env={key: value for key, value in os.environ.items() if not key.startswith("PYTEST")},
    )
    return done.stdout + done.stderr


def outcomes(output: str) -> dict[str, str]:
    found = re.findall(r"^test_suite.py::(\S+) (PASSED|FAILED|SKIPPED|ERROR)", output, re.M)
    return dict(found)


def test_marked_tests_run_inside(tmp_path: Path) -> None:
    output = run_suite(tmp_path)
    assert outcomes(output) == {
        "test_marked": "PASSED",
        "test_each_has_its_own": "PASSED",
        "test_options": "PASSED",
        "test_fails[1]": "PASSED",
        "test_fails[2]": "FAILED",
        "test_skips": "SKIPPED",
        "test_dies": "FAILED",
        "test_no_image": "FAILED",
        "test_outside": "PASSED",
    }, output
    for word in ("as it should", "said 2", "reason inside", "exit code 7", "no-such-image"):
        assert word in output, output


def test_all_run_inside_when_asked(tmp_path: Path) -> None:
    output = run_suite(tmp_path, "--in-container", "-k", "outside or marked")
    assert outcomes(output) == {"test_marked": "PASSED", "test_outside": "FAILED"}, output
