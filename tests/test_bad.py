"""Mistakes that were kept: each is told by what is wrong, with code 125, and leaves nothing."""

from __future__ import annotations

import os
import random
import shlex
from collections.abc import Iterator
from pathlib import Path

import cli
import fastbox.cli
import pytest

HERE = Path(__file__).parent / "bad"


def lines() -> Iterator[tuple[str, str]]:
    for name in ("generated.txt", "handmade.txt"):
        for line in (HERE / name).read_text().splitlines():
            args, _, words = line.partition("\t")
            yield args, words


def files() -> Iterator[tuple[str, str]]:
    for block in (HERE / "config.txt").read_text().split("=== ")[1:]:
        words, _, text = block.partition("\n")
        yield text, words


LINES = sorted(dict(lines()).items())
FILES = [*files()]


def judge(code: int, error: str, words: str) -> None:
    assert code == 125, error
    assert "Traceback" not in error
    assert [line for line in error.splitlines() if line.startswith("fastbox: ")], error
    for word in words.split(" & "):
        assert word.lower() in error.lower(), error


def test_there_are_enough() -> None:
    assert len(LINES) + len(FILES) >= 200


@pytest.mark.parametrize(("args", "words"), LINES, ids=[args[:60] for args, _ in LINES])
def test_a_bad_command_line(
    busybox: str, args: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if args.startswith("-"):  # settings are read once in a process
        done = cli.fastbox(*shlex.split(args))
        code, out, error = done.returncode, done.stdout, done.stderr
    else:
        code = fastbox.cli.main(shlex.split(args))
        out, error = capsys.readouterr()
    assert out == ""
    judge(code, error, words)


def test_a_sample_as_commands(busybox: str, dice: random.Random) -> None:
    """The same from a shell, where an exception would show."""
    for args, words in dice.sample(LINES, 12):
        done = cli.fastbox(*shlex.split(args))
        assert done.stdout == ""
        judge(done.returncode, done.stderr, words)


@pytest.mark.parametrize(("text", "words"), FILES, ids=[words for _, words in FILES])
def test_a_bad_configuration_file(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    root = tmp_path / "root"
    environment = {**os.environ, "FASTBOX_CONFIG": str(file), "FASTBOX_ROOT": str(root)}
    done = cli.fastbox("images", env=environment)
    judge(done.returncode, done.stderr, f"{file} & {words}")
    assert done.stdout == ""
    assert not root.exists()
