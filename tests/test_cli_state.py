"""Stores and run directories that are full, someone else's, damaged or nowhere: said clearly."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import cli
import roots
from needs import needs_root


def run(
    root: Path | str, run_directory: Path | str, *args: str
) -> subprocess.CompletedProcess[str]:
    environment = {"FASTBOX_ROOT": str(root), "FASTBOX_RUN": str(run_directory)}
    return cli.fastbox(*args, env={**os.environ, **environment})


@contextlib.contextmanager
def small_disk(path: Path, size: str) -> Iterator[Path]:
    needs_root()
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "t", path], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=True)


def fill(path: Path) -> None:
    """Takes all there is, to the last page."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


def test_full_disk_at_an_import(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "1m") as disk:
        root = disk / "root"
        done = run(root, tmp_path / "run", "import", str(roots.busybox()), "box")
        cli.refused(done, 125, "no space left")
        assert not [*(root / "layers").iterdir()]
        assert not [*(root / "tmp").iterdir()]
        assert run(root, tmp_path / "run", "images", "-q").stdout == ""


def test_full_disk_at_a_run(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "8m") as disk:
        root = disk / "root"
        archive = str(roots.busybox())
        assert run(root, tmp_path / "run", "import", archive, "box").returncode == 0
        fill(disk / "ballast")
        done = run(root, tmp_path / "run", "run", "box", "sh", "-c", "echo x > /file || exit 7")
        if done.returncode == 125:
            cli.refused(done, 125, "no space left")
        else:
            assert (done.returncode, "No space left" in done.stderr) == (7, True)
        (disk / "ballast").unlink()
        assert run(root, tmp_path / "run", "run", "box", "true").returncode == 0


def test_relative_directories(tmp_path: Path) -> None:
    cli.refused(run("root", tmp_path / "run", "images"), 125, "must be an absolute path, not root")
    cli.refused(run(tmp_path / "root", "run", "images"), 125, "must be an absolute path, not run")


def test_someone_elses_directory(tmp_path: Path) -> None:
    needs_root()
    (tmp_path / "root").mkdir()
    os.chown(tmp_path / "root", 1234, 1234)
    cli.refused(run(tmp_path / "root", tmp_path / "run", "images"), 125, "belongs to user 1234")


def test_a_directory_where_others_may_write(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(0o777)
    cli.refused(run(tmp_path / "root", tmp_path / "run", "images"), 125, "others may write")


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "root").write_text("")
    cli.refused(run(tmp_path / "root", tmp_path / "run", "images"), 125, "not a directory")


def test_a_store_of_another_version(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir(0o700)
    (tmp_path / "root" / "oci-layout").write_text('{"imageLayoutVersion":"9.0.0"}')
    cli.refused(run(tmp_path / "root", tmp_path / "run", "images"), 125, "9.0.0")


def test_a_damaged_image(tmp_path: Path) -> None:
    root = tmp_path / "root"
    made = run(root, tmp_path / "run", "import", str(roots.busybox()), "box")
    blob = root / "blobs" / "sha256" / made.stdout.strip().removeprefix("sha256:")
    blob.write_text("{}")
    cli.refused(run(root, tmp_path / "run", "run", "box", "true"), 125, "damaged image store")
