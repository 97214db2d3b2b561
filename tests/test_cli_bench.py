"""`fastbox bench`: fastbox beside what else is installed, and two images beside each other."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from xml.etree import ElementTree

import cli
import fastbox
import pytest
from fastbox.bench import root
from fastbox.bench.peers import PEERS
from fastbox.exceptions import SpecError
from layers import Layer
from needs import needs, needs_root


def test_beside_what_is_installed(tmp_path: Path) -> None:
    needs("bwrap", "runc", "crun")
    needs_root()
    table = tmp_path / "table.md"
    done = cli.fastbox("bench", "--rounds", "3", "--markdown", table)
    assert done.returncode == 0, done
    assert done.stdout.strip() == table.read_text().strip()
    rows = {line.split("|")[1].strip(): line for line in done.stdout.splitlines() if "|" in line}
    absent = [line.partition(": ")[2] for line in done.stdout.splitlines() if line[:6] == "absent"]
    for peer in PEERS:
        named_absent = any(line.startswith(f"{peer.name} (") for line in absent)
        assert (peer.name in rows) != named_absent, done.stdout
    for name in ("bare process", "fastbox pool", "fastbox from Python", "bwrap --unshare-all"):
        assert name in rows, done.stdout
    assert rows["fastbox from Python"].count("| yes ") == 9
    assert rows["bare process"].count("| yes ") == 0
    # crun too, though it refuses a machine with both kinds of control groups.
    assert {"runc run", "crun run"} <= rows.keys(), done.stdout


def test_an_image_and_its_command(busybox: str) -> None:
    done = cli.fastbox("bench", "--rounds", "2", busybox, "/bin/echo", "-n", "", timeout=120)
    assert done.returncode == 0, done
    assert "2 rounds" in done.stdout
    assert "/bin/echo -n " in done.stdout
    assert "| fastbox run |" in done.stdout


def test_an_image_beside_itself(busybox: str, tmp_path: Path) -> None:
    """As few sets of rounds as there can be."""
    plot = tmp_path / "plot.svg"
    words = ["--base", busybox, "--seconds", "0", "--plot", str(plot), busybox, "/bin/true"]
    done = cli.fastbox("bench", *words, timeout=300)
    assert done.returncode == 0, done
    assert "| cold | 480 |" in done.stdout
    ElementTree.parse(plot)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--rounds", "0"], 125, "--rounds 0: there must be one at least"),
        (["--rounds", "many"], 125, "--rounds"),
        (["no-such-image"], 125, "no such image: no-such-image"),
        (["host"], 125, "host has no root file system of its own"),
        (["--base", "one"], 125, "--base needs an image"),
        (["IMAGE", "true"], 125, "give the program's whole path"),
        (["IMAGE", "/bin/false"], 125, "/bin/false ended with exit code 1"),
        (["--base", "IMAGE", "IMAGE", "/bin/false"], 125, "/bin/false ended with exit code 1"),
    ],
)
def test_senseless_calls(busybox: str, words: list[str], code: int, said: str) -> None:
    words = [busybox if word == "IMAGE" else word for word in words]
    cli.refused(cli.fastbox("bench", *words), code, said)


@contextmanager
def _image(path: Path, *layers: bytes) -> Iterator[str]:
    """The name of an image of layers, for the time."""
    digests = [f"sha256:{sha256(layer).hexdigest()}" for layer in layers]
    rootfs = {"type": "layers", "diff_ids": digests}
    config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs}
    names = [f"{number}.tar" for number in range(len(layers))]
    item = {"Config": "config.json", "RepoTags": ["bench-layers:latest"], "Layers": names}
    members = dict(zip(names, layers, strict=True))
    members["config.json"] = json.dumps(config).encode()
    members["manifest.json"] = json.dumps([item]).encode()
    with tarfile.open(path, "w") as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    fastbox.images.load(path)
    try:
        yield "bench-layers"
    finally:
        fastbox.images.remove("bench-layers")


def test_peers_see_the_images_files(tmp_path: Path) -> None:
    """All layers over one another, as the engine merges them."""
    needs_root()
    first = Layer().dir("a").add("a/gone", data=b"1").add("a/kept", data=b"1").dir("b")
    second = Layer().add("a/.wh.gone").add("b/new", data=b"2").dir("c").add("c/old", data=b"2")
    third = Layer().dir("c").add("c/.wh..wh..opq").add("c/new", data=b"3")
    folder = tmp_path / "root"
    layers = (first.bytes(), second.bytes(), third.bytes())
    with _image(tmp_path / "layered.tar", *layers) as name:
        root.of_image(name, folder, tmp_path)
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert files == ["a/kept", "b/new", "c/new"]


@pytest.mark.parametrize("entry", [".wh.victim", "victim", ".wh..wh..opq"])
def test_no_layer_reaches_outside(tmp_path: Path, entry: str) -> None:
    """A link to a folder of the host, and an entry behind it."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "victim").write_text("whole")
    link = Layer().add("link", tarfile.SYMTYPE, link=str(outside))
    behind = Layer().add(f"link/{entry}", data=b"" if entry[0] == "." else b"broken")
    with (
        _image(tmp_path / "hostile.tar", link.bytes(), behind.bytes()) as name,
        pytest.raises(SpecError, match="behind a link out of its root"),
    ):
        root.of_image(name, tmp_path / "root", tmp_path)
    assert (outside / "victim").read_text() == "whole"
