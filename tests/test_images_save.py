"""Images saved here: what other tools make of them, and what comes back."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import cli
import fastbox
import layers
import pytest
from fastbox import images
from needs import needs, needs_root

NAMES = ("save-test/one:1", "save-test/one:2", "save-test/two:1")


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Images of several layers, plain, gzip and zstd, with their ids."""
    needs_root()
    needs("umoci", "skopeo")
    folder = tmp_path_factory.mktemp("stored")
    run = layers.tool(folder)
    layers.umoci(folder, "one", layers.layers(everything=False))
    layers.umoci(folder, "two", layers.layers(everything=False)[:2])
    ids = {}
    for name, options in (
        ("save-test/one:1", []),
        ("save-test/two:1", ["--dest-compress-format", "zstd"]),
    ):
        tag = name.partition("/")[2].partition(":")[0]
        target = f"oci-archive:{tag}.tar:{name}"
        run("skopeo", "copy", *options, f"oci:layout:{tag}", target)
        [loaded] = images.load(folder / f"{tag}.tar")
        assert loaded.tags == [name]
        ids[name] = loaded.id
    images.tag("save-test/one:1", "save-test/one:2")
    ids["save-test/one:2"] = ids["save-test/one:1"]
    yield ids
    for identity in set(ids.values()):
        images.remove(identity, force=True)


def test_it_comes_back_as_it_was(stored: dict[str, str], tmp_path: Path) -> None:
    saved = tmp_path / "saved.tar"
    images.save(NAMES, saved)
    assert saved.stat().st_mode & 0o777 == 0o600
    again = tmp_path / "again.tar"
    done = cli.fastbox("save", "--output", again, "save-test/two", "save-test/one")
    assert (done.returncode, done.stdout) == (0, "")
    # Of the same images, whatever their order, but for the lists of names.
    with tarfile.open(saved) as one, tarfile.open(again) as two:
        assert one.getnames() == two.getnames()
        assert {member.mtime for member in one} == {0}
        names = [member.name for member in one if member.isfile()]
        assert len(names) == len(set(names))
    images.save(NAMES, again)
    assert again.read_bytes() == saved.read_bytes()
    manifests = {name: images.get(name).digests for name in NAMES}
    for identity in set(stored.values()):
        images.remove(identity, force=True)
    done = cli.fastbox("load", "-i", saved)
    assert done.stdout.splitlines() == [f"Loaded image: {name}" for name in NAMES]
    assert {name: images.get(name).id for name in NAMES} == stored
    assert {name: images.get(name).digests for name in NAMES} == manifests


def test_by_id_and_to_a_pipe(stored: dict[str, str], tmp_path: Path) -> None:
    identity = stored["save-test/two:1"]
    command = cli.command("save", identity.removeprefix("sha256:")[:12])
    with subprocess.Popen(command, stdout=subprocess.PIPE) as saving:
        done = cli.fastbox("load", stdin=saving.stdout)
    assert done.stdout == f"Loaded image ID: {identity}\n"
    assert images.get(identity).tags == ["save-test/two:1"]
    saved = tmp_path / "saved"
    with saved.open("wb") as file:
        images.save("save-test/one:2", file)
    with tarfile.open(saved) as archive:
        document = archive.extractfile("manifest.json")
        assert document
        assert json.load(document)[0]["RepoTags"] == ["save-test/one:2"]


@pytest.mark.parametrize("name", ["save-test/one:1", "save-test/two:1"])
def test_skopeo_reads_both_views(stored: dict[str, str], tmp_path: Path, name: str) -> None:
    run = layers.tool(tmp_path)
    images.save([name], tmp_path / "saved.tar")
    (tmp_path / "folder").mkdir()
    run("tar", "-xf", "saved.tar", "-C", "folder")
    full = f"docker.io/{name}"
    for source in (
        f"docker-archive:saved.tar:{name}",
        f"oci-archive:saved.tar:{full}",
        f"oci:folder:{full}",
    ):
        shutil.rmtree(tmp_path / "copy", ignore_errors=True)
        run("skopeo", "copy", source, "oci:copy:x")
        if not source.startswith("docker-archive"):
            assert layers.image_id(tmp_path / "copy", "x") == stored[name]
        raw = run("skopeo", "inspect", "--config", "--raw", source)
        assert json.loads(raw)["rootfs"] == images.get(name).document()["rootfs"]


def test_docker_loads_it(
    stored: dict[str, str], docker_client: Callable[..., str], tmp_path: Path
) -> None:
    images.save(["save-test/one", "save-test/two:1"], tmp_path / "saved.tar")
    said = docker_client("load", "-i", tmp_path / "saved.tar")
    assert sorted(said.splitlines()) == [f"Loaded image: {name}" for name in NAMES]
    for name in NAMES:
        found = docker_client("image", "inspect", "--format", "{{.Id}}", name)
        assert found == stored[name]


def test_podman_loads_it(
    stored: dict[str, str], podman: Callable[..., str], tmp_path: Path
) -> None:
    for names in (["save-test/one:1"], ["save-test/two:1"], list(NAMES)):
        images.save(names, tmp_path / "saved.tar")
        said = podman("podman", "load", "-i", tmp_path / "saved.tar")
        for name in names:
            assert name in said
            found = podman("podman", "image", "inspect", "--format", "{{.Id}}", name)
            assert f"sha256:{found}" == stored[name]
        podman("podman", "rmi", "--all", "--force")


def test_what_cannot_be_saved(stored: dict[str, str], tmp_path: Path) -> None:
    cli.refused(cli.fastbox("save", "no-such-image"), 125, "no such image: no-such-image")
    target = tmp_path / "target"
    cli.refused(cli.fastbox("save", "-o", target, "save-test/one", "none"), 125, "no such image")
    assert not list(tmp_path.iterdir())
    nowhere = tmp_path / "none" / "file"
    cli.refused(cli.fastbox("save", "-o", nowhere, "save-test/one"), 125, "No such file")
    with pytest.raises(fastbox.FastboxError, match="No space left"):
        images.save("save-test/one", "/dev/full")
    script = shutil.which("script")
    assert script, "util-linux is always there"
    command = " ".join(cli.command("save", "save-test/one:1"))
    done = subprocess.run([script, "-qec", command, "/dev/null"], capture_output=True, timeout=60)
    assert b"standard output is a terminal" in done.stdout
    assert done.returncode == 125


def test_a_damaged_blob_is_found(stored: dict[str, str], tmp_path: Path) -> None:
    image = images.get("save-test/one:1")
    blobs = Path(image.layers[0]).parents[1] / "blobs/sha256"
    manifest = json.loads((blobs / image.digests[0].rpartition(":")[2]).read_bytes())
    layer = blobs / manifest["layers"][0]["digest"].removeprefix("sha256:")
    whole = layer.read_bytes()
    layer.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    try:
        with pytest.raises(fastbox.SpecError, match="not what its digest says"):
            images.save(NAMES, tmp_path / "saved.tar")
    finally:
        layer.write_bytes(whole)
    assert not list(tmp_path.iterdir())
