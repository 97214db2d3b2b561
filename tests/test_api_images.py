"""Images from Python, and what runs make of names that move."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

import fastbox
import pytest
import roots


def archive(motd: bytes) -> bytes:
    """A root with busybox and one file that tells it from others."""
    buffer = io.BytesIO()
    with (
        tarfile.open(fileobj=buffer, mode="w") as target,
        tarfile.open(roots.busybox()) as source,
    ):
        program = source.getmember("bin/busybox")
        content = source.extractfile(program)
        assert content is not None
        target.addfile(program, content)
        for name, data in (("motd", motd),):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            target.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def stored(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "archive"
    path.write_bytes(data)
    return path


def motd(image: str) -> bytes:
    done = fastbox.run(image, ["/bin/busybox", "cat", "/motd"])
    assert done.exit_code == 0
    return done.stdout


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lzma.compress, bz2.compress])
def test_import_run_remove(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    made = fastbox.import_image(stored(tmp_path, pack(archive(b"hello"))), "api-image:2")
    assert (made.name, made.entries, made.skipped, made.unchanged) == ("api-image:2", 2, [], False)
    image = next(image for image in fastbox.list_images() if image.id == made.id)
    assert image.tags == ["api-image:2"]
    assert image.size == made.bytes > 5
    assert image.created.endswith("Z")
    assert motd("api-image:2") == motd(made.id) == motd(made.id[7:19]) == b"hello"
    gone = fastbox.remove_image("api-image:2")
    assert gone[:2] == ["api-image:2", made.id]
    assert made.id not in {image.id for image in fastbox.list_images()}
    with pytest.raises(fastbox.ImageNotFound):
        motd("api-image:2")


def test_sources(tmp_path: Path) -> None:
    path = stored(tmp_path, archive(b"x"))
    with path.open("rb") as file:
        first = fastbox.import_image(file, "api-source")
    with path.open("rb") as file:
        second = fastbox.import_image(file.fileno(), "api-source")
    third = fastbox.import_image(str(path), "api-source")
    assert [made.unchanged for made in (first, second, third)] == [False, True, True]
    reader, writer = os.pipe()

    def feed() -> None:
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(path.read_bytes())

    thread = threading.Thread(target=feed)
    thread.start()
    assert fastbox.import_image(reader, "api-source").id == first.id
    thread.join()
    os.close(reader)
    fastbox.remove_image("api-source")


def test_a_name_that_moves(tmp_path: Path) -> None:
    first = fastbox.import_image(stored(tmp_path, archive(b"first")), "api-moves")
    plan = fastbox.prepare("api-moves")
    assert motd("api-moves") == b"first"
    second = fastbox.import_image(stored(tmp_path, archive(b"second")), "api-moves")
    assert second.replaced == first.id
    # A run looks the name up; a Plan stays with the image it was made of.
    assert motd("api-moves") == b"second"
    assert plan.run(["/bin/busybox", "cat", "/motd"]).stdout == b"first"
    with pytest.raises(fastbox.Conflict, match="in use"):
        fastbox.remove_image(first.id)
    del plan
    fastbox.remove_image(first.id)
    fastbox.remove_image("api-moves")


def test_what_cannot_be_imported(tmp_path: Path) -> None:
    data = archive(b"x")
    with pytest.raises(fastbox.SpecError, match="unsupported compression"):
        fastbox.import_image(stored(tmp_path, b"\x04\x22\x4d\x18" + data), "never")
    with pytest.raises(fastbox.SpecError, match="truncated"):
        fastbox.import_image(stored(tmp_path, gzip.compress(data)[:-100]), "never")
    with pytest.raises(fastbox.SpecError, match="max_bytes"):
        fastbox.import_image(stored(tmp_path, data), "never", max_bytes="10k", max_entries=1)
    with pytest.raises(fastbox.SpecError, match="invalid reference format"):
        fastbox.import_image(stored(tmp_path, data), "Never")
    with pytest.raises(FileNotFoundError):
        fastbox.import_image(tmp_path / "none", "never")
    with pytest.raises(OSError, match="Bad file descriptor"):
        fastbox.import_image(100_000, "never")
    assert not [image for image in fastbox.list_images() if "never:latest" in image.tags]
