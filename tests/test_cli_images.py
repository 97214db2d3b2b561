"""`fastbox import`, `images`, `rmi`, and the commands around them."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cli
import fastbox
import pytest
from fastbox.cli._words import age, human_size


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A root of one file."""
    path = tmp_path / "root.tar"
    with tarfile.open(path, "w") as tar:
        member = tarfile.TarInfo("etc/motd")
        member.size = 1500
        tar.addfile(member, io.BytesIO(bytes(1500)))
    return path


@pytest.fixture
def image(archive: Path) -> Iterator[str]:
    """The name of its image, which is gone afterwards."""
    fastbox.import_image(archive, "cli-test:1")
    yield "cli-test:1"
    if any("cli-test:1" in image.tags for image in fastbox.list_images()):
        fastbox.remove_image("cli-test:1")


def test_import_and_rmi(archive: Path) -> None:
    done = cli.fastbox("import", archive, "cli-import")
    assert done.stdout.startswith("sha256:")
    assert len(done.stdout.strip()) == 71
    listed = cli.fastbox("images", "-q", "--no-trunc")
    assert done.stdout.strip() in listed.stdout.split()
    removed = cli.fastbox("rmi", "cli-import:latest")
    lines = removed.stdout.splitlines()
    assert lines[0] == "Untagged: cli-import:latest"
    assert lines[1] == f"Deleted: {done.stdout.strip()}"
    assert done.stdout.strip() not in cli.fastbox("images", "-q", "--no-trunc").stdout


def test_import_from_stdin(archive: Path) -> None:
    command = cli.command("import", "-", "cli-stdin", "--message", "from a pipe")
    done = subprocess.run(command, input=archive.read_bytes(), stdout=-1, timeout=60)
    assert done.returncode == 0
    assert done.stdout.startswith(b"sha256:")
    assert fastbox.remove_image("cli-stdin")[0].endswith("cli-stdin:latest")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--max-bytes", "1k"], "max_bytes"),
        (["--max-entries", "0"], "max_entries"),
        (["--max-bytes", "lots"], "max_bytes"),
        (["--max-entries", "lots"], "--max-entries"),
    ],
)
def test_import_limits(archive: Path, options: list[str], words: str) -> None:
    cli.refused(cli.fastbox("import", *options, archive, "never"), 125, words)
    assert "never" not in cli.fastbox("images").stdout


def test_bad_archives(tmp_path: Path, archive: Path) -> None:
    cli.refused(cli.fastbox("import", tmp_path / "none", "x"), 125, "no such file")
    cli.refused(cli.fastbox("import", tmp_path, "x"), 125, "directory")
    (tmp_path / "text").write_text("this is no archive" * 100)
    cli.refused(cli.fastbox("import", tmp_path / "text", "x"), 125, "tar")
    (tmp_path / "short").write_bytes(archive.read_bytes()[:700])
    cli.refused(cli.fastbox("import", tmp_path / "short", "x"), 125, "truncated")
    cli.refused(
        cli.fastbox("import", archive, "Not-A-Name"), 125, "repository name must be lowercase"
    )


def test_images(image: str) -> None:
    head, *rows = cli.fastbox("images").stdout.splitlines()
    assert head.split() == ["REPOSITORY", "TAG", "IMAGE", "ID", "CREATED", "SIZE"]
    row = next(row for row in rows if row.startswith("cli-test "))
    assert row.split()[1] == "1"
    assert row.endswith("1.5kB")
    assert " ago " in row


def test_images_as_json(image: str) -> None:
    rows = [
        json.loads(line) for line in cli.fastbox("images", "--format", "json").stdout.splitlines()
    ]
    row = next(row for row in rows if row["Repository"] == "cli-test")
    assert row["Tag"] == "1"
    assert row["Size"] == "1.5kB"
    assert len(row["ID"]) == 12


def test_rmi_goes_on_after_an_error(image: str) -> None:
    done = cli.fastbox("rmi", "no-such-image", image)
    assert done.returncode == 1
    assert "fastbox: no such image: no-such-image" in done.stderr
    assert done.stdout.startswith("Untagged:")


def test_rmi_by_id_with_several_names(archive: Path, image: str) -> None:
    made = fastbox.import_image(archive, "cli-test:1")
    assert made.unchanged
    assert cli.fastbox("rmi", "-f", made.id).returncode == 0


def test_rmi_while_in_use(image: str) -> None:
    plan = fastbox.prepare(image)
    cli_error = cli.fastbox("rmi", image)
    assert cli_error.returncode == 1
    assert "in use" in cli_error.stderr
    with pytest.raises(fastbox.Conflict):
        fastbox.remove_image(image)
    del plan


@pytest.mark.parametrize("args", [["--help"], ["-h"], ["help"], []])
def test_help(args: list[str]) -> None:
    done = cli.fastbox(*args)
    assert done.returncode == 0
    assert done.stdout.startswith("Usage:  fastbox [OPTIONS] COMMAND")


@pytest.mark.parametrize("name", ["run", "images", "import", "rmi", "tag", "history", "image"])
def test_help_of_a_command(name: str) -> None:
    assert cli.fastbox("help", name).stdout == cli.fastbox(name, "--help").stdout
    assert f"fastbox {name}" in cli.fastbox(name, "--help").stdout


@pytest.mark.parametrize("name", ["version", "--version", "-v"])
def test_version(name: str) -> None:
    assert cli.fastbox(name).stdout == f"fastbox {fastbox.__version__}\n"


def test_mistakes() -> None:
    cli.refused(cli.fastbox("bogus"), 1, "unknown command: bogus")
    cli.refused(cli.fastbox("--bogus"), 125, "unknown flag: --bogus")
    cli.refused(cli.fastbox("images", "--bogus"), 125, "--bogus")
    cli.refused(cli.fastbox("rmi"), 125, "IMAGE")
    cli.refused(cli.fastbox("import"), 125, "FILE")


def test_reader_that_goes_away(image: str) -> None:
    command = "{} images --format json; echo code $? >&2".format(" ".join(cli.command()))
    done = subprocess.run(
        ["bash", "-c", f"({command}) | true"], stderr=subprocess.PIPE, text=True, timeout=60
    )
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


@pytest.mark.parametrize(
    ("size", "shown"),
    [(0, "0B"), (999, "999B"), (1500, "1.5kB"), (4_260_000, "4.26MB"), (12_300_000_000, "12.3GB")],
)
def test_sizes_in_words(size: int, shown: str) -> None:
    assert human_size(size) == shown


@pytest.mark.parametrize(
    ("ago", "shown"),
    [
        (timedelta(seconds=0.4), "Less than a second ago"),
        (timedelta(seconds=1), "1 second ago"),
        (timedelta(seconds=59), "59 seconds ago"),
        (timedelta(seconds=61), "About a minute ago"),
        (timedelta(minutes=3), "3 minutes ago"),
        (timedelta(minutes=61), "About an hour ago"),
        (timedelta(hours=47), "47 hours ago"),
        (timedelta(days=13), "13 days ago"),
        (timedelta(days=15), "2 weeks ago"),
        (timedelta(days=70), "2 months ago"),
        (timedelta(days=800), "2 years ago"),
    ],
)
def test_ages_in_words(ago: timedelta, shown: str) -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    assert age(now - ago, now) == shown
