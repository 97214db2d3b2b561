"""The package as such: its types, its weight, where it can be imported."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import fastbox
import pytest
from fastbox.command import option_table, refused_flags

ROOT = Path(__file__).parents[1]


def python(source: str) -> str:
    """What a Python program prints."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(source)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_all_is_there() -> None:
    assert all(hasattr(fastbox, name) for name in fastbox.__all__)


def test_constants_are_those_of_subprocess() -> None:
    assert (fastbox.PIPE, fastbox.STDOUT, fastbox.DEVNULL) == (
        subprocess.PIPE,
        subprocess.STDOUT,
        subprocess.DEVNULL,
    )


def test_import_is_light() -> None:
    modules = python(
        """
        import sys
        before = set(sys.modules)
        import fastbox
        print(*sorted(set(sys.modules) - before))
        """
    ).split()
    others = {name for name in modules if name.split(".")[0] != "fastbox"}
    assert others <= {"__future__", "errno"}  # the latter is in the interpreter


@pytest.mark.parametrize(
    ("platform", "remedy"),
    [("darwin", "Lima"), ("win32", "WSL 2"), ("freebsd14", "use Python on Linux")],
)
def test_elsewhere_it_says_what_is_needed(platform: str, remedy: str) -> None:
    said = python(
        f"""
        import sys
        sys.modules["fastbox._core"] = None  # there is no such module there
        sys.platform = {platform!r}
        import fastbox
        assert all(hasattr(fastbox, name) for name in fastbox.__all__)
        for call in (lambda: fastbox.run("host", ["true"]), fastbox.list_images, fastbox.Plan):
            try:
                call()
            except fastbox.FastboxError as error:
                print(error)
        from fastbox.cli import main
        sys.stderr = sys.stdout
        assert main(["run", "host", "true"]) == 125
        """
    )
    assert said.count("containers need a Linux kernel") == 4
    assert said.count(remedy) == 4


def test_keywords_come_from_the_option_table() -> None:
    subprocess.run([sys.executable, ROOT / "scripts" / "stubs", "--check"], check=True)


def test_the_page_of_run_comes_from_the_option_table() -> None:
    subprocess.run([sys.executable, ROOT / "scripts" / "run-page", "--check"], check=True)


def test_the_options_of_one_run_are_the_tables() -> None:
    """Those are parameters, not part of Config, because a Plan is the same without them."""
    wanted = {
        row["name"] for row in option_table() if row["scope"] == "run" and row["side"] == "both"
    }
    for function in (fastbox.run, fastbox.Plan.run):
        assert wanted <= inspect.signature(function).parameters.keys()


def test_overloads_have_the_implementations_keywords() -> None:
    """What type checkers read of `Plan.run` is what it takes."""
    tree = ast.parse((ROOT / "python/fastbox/_calls.py").read_text())
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    keywords: set[str] = set()
    for name in ("_Run", "_Call", "AnyCall"):
        body = classes[name].body
        keywords |= {
            node.target.id
            for node in body
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
        }
    parameters = inspect.signature(fastbox.Plan.run).parameters.keys()
    assert keywords == parameters - {"self", "command"}
    assert parameters - {"self"} <= inspect.signature(fastbox.run).parameters.keys()


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        ("fastbox.run('i', ['x'])", "_core.Completed[bytes]"),
        ("fastbox.run('i', ['x'], memory='1g', input=b'')", "_core.Completed[bytes]"),
        ("fastbox.run('i', ['x'], text=True)", "_core.Completed[str]"),
        ("fastbox.run('i', ['x'], stdout=fastbox.DEVNULL)", "_core.Completed[Any]"),
        ("fastbox.prepare('i').run(['x']).stdout", "bytes"),
        ("fastbox.run('i', ['x'], memroy='1g')", "error"),
        ("fastbox.run('i', ['x'], network='bridge')", "error"),
        ("fastbox.prepare('i', memory=1.5)", "error"),
    ],
)
def test_types(call: str, kind: str, tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    program = tmp_path / "program.py"
    program.write_text(f"import fastbox\nreveal_type({call})\n")
    cache = ROOT / ".mypy_cache" / "tests"
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", cache, program]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    if kind == "error":
        assert "error: " in done.stdout
    else:
        found = re.search(r'Revealed type is "(.*)"', done.stdout)
        assert found, done.stdout
        assert found[1].endswith(kind)


def test_flags_that_mean_nothing_here_are_no_options() -> None:
    refused = {row["flag"]: row for row in refused_flags()}
    assert not refused.keys() & {row["flag"] for row in option_table()}
    assert refused["restart"]["accepted"] == ["", "no"]
    with pytest.raises(fastbox.SpecError, match='publish "80:80" cannot be had'):
        fastbox.prepare("host", publish="80:80")  # type: ignore[call-overload]
