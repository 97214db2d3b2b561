"""Images that other tools wrote, loaded here: what they are, and what their trees show."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import cli
import fastbox
import layers
import pytest
import roots
from fastbox import images
from listing import Row, differences, listing
from needs import needs, needs_root


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A layout of umoci's with the images `everything` and `plain`."""
    needs_root()
    needs("umoci", "skopeo")
    folder = tmp_path_factory.mktemp("made")
    layers.umoci(folder, "everything", layers.layers())
    layers.umoci(folder, "plain", layers.layers(everything=False))
    return folder


@pytest.fixture(scope="module")
def unpacked(made: Path) -> Callable[[str], dict[bytes, Row]]:
    """What umoci unpacks of an image."""

    def rows(tag: str) -> dict[bytes, Row]:
        bundle = made / f"bundle-{tag}"
        if not bundle.exists():
            layers.tool(made)("umoci", "unpack", "--image", f"layout:{tag}", bundle)
        return listing(bundle / "rootfs")

    return rows


@pytest.fixture(autouse=True)
def nothing_of_it_left() -> Iterator[None]:
    """What a test loads goes, and with it all that came."""

    def parts() -> dict[str, list[str]]:
        names = ("layers", "notes", "trees", "tmp", "blobs/sha256", "refs", "leases")
        root = Path(os.environ["FASTBOX_ROOT"])
        return {name: sorted(path.name for path in (root / name).iterdir()) for name in names}

    before = {image.id for image in images.list()}
    there = parts()
    yield
    for image in images.list():
        if image.id not in before:
            images.remove(image.id, force=True)
    assert parts() == there


def same(name: str, wanted: dict[bytes, Row]) -> None:
    found = differences(listing(layers.tree(name)), wanted)
    assert not found, "\n".join(found)


def test_a_layout_of_umocis(made: Path, unpacked: Callable[[str], dict[bytes, Row]]) -> None:
    loaded = images.load(made / "layout")
    assert [image.tags for image in loaded] == [[], []]
    assert [image.id for image in loaded] == [
        layers.image_id(made / "layout", tag) for tag in ("everything", "plain")
    ]
    for image, tag in zip(loaded, ("everything", "plain"), strict=True):
        assert image.skipped_total == 0
        same(image.id, unpacked(tag))
    sparse = layers.tree(loaded[0].id) / "sparse"
    assert sparse.stat().st_size == 9 << 20
    assert sparse.stat().st_blocks * 512 < 1 << 20


_ARCHIVES = [
    ("docker-archive:image.tar:name.example/skopeo:1", ()),
    ("oci-archive:image.tar:name.example/skopeo:1", ()),
    ("oci-archive:image.tar:name.example/skopeo:1", ("--dest-compress-format", "zstd")),
]
_FOLDERS = [
    ("oci:folder:name.example/skopeo:1", ("--dest-compress-format", "zstd")),
    ("oci:folder:name.example/skopeo:1", ("--dest-decompress",)),
]
_WAYS = [(*archive, way) for archive in _ARCHIVES for way in ("path", "pipe", "compressed")]


@pytest.mark.parametrize(
    ("target", "options", "through"), [*_WAYS, *((*folder, "path") for folder in _FOLDERS)]
)
def test_skopeo(
    made: Path,
    unpacked: Callable[[str], dict[bytes, Row]],
    tmp_path: Path,
    target: str,
    options: tuple[str, ...],
    through: str,
) -> None:
    run = layers.tool(tmp_path)
    run("skopeo", "copy", *options, f"oci:{made}/layout:everything", target)
    source = tmp_path / ("folder" if target.startswith("oci:") else "image.tar")
    if through == "compressed":
        run("gzip", "-1", source)
        source = tmp_path / "image.tar.gz"
    if through == "pipe":
        with subprocess.Popen(["cat", source], stdout=subprocess.PIPE) as cat:
            done = cli.fastbox("load", stdin=cat.stdout)
    else:
        done = cli.fastbox("load", "-i", source)
    assert done.stdout == "Loaded image: name.example/skopeo:1\n", done
    wanted = run("skopeo", "inspect", "--config", "--raw", f"oci:{made}/layout:everything")
    if "docker-archive" not in target:
        assert images.get("name.example/skopeo:1").document() == json.loads(wanted)
    same("name.example/skopeo:1", unpacked("everything"))


def test_several_in_one_layout(made: Path, tmp_path: Path) -> None:
    run = layers.tool(tmp_path)
    for tag in ("everything", "plain"):
        run("skopeo", "copy", f"oci:{made}/layout:{tag}", f"oci:all:several/{tag}:1")
    run("tar", "-C", "all", "-cf", "all.tar", ".")
    done = cli.fastbox("load", "--input", tmp_path / "all.tar")
    assert done.stdout == "Loaded image: several/everything:1\nLoaded image: several/plain:1\n"
    assert images.get("several/everything:1").id != images.get("several/plain:1").id


def test_docker_save(
    made: Path,
    unpacked: Callable[[str], dict[bytes, Row]],
    docker_client: Callable[..., str],
    tmp_path: Path,
) -> None:
    run = layers.tool(tmp_path)
    run("skopeo", "copy", f"oci:{made}/layout:plain", "docker-archive:in.tar:from-docker:1")
    docker_client("load", "-i", tmp_path / "in.tar")
    docker_client("tag", "from-docker:1", "from-docker:2")
    saved = tmp_path / "out.tar"
    docker_client("save", "-o", saved, "from-docker")
    identity = docker_client("image", "inspect", "--format", "{{.Id}}", "from-docker:1")
    done = cli.fastbox("load", "-i", saved)
    lines = ["Loaded image: from-docker:1", "Loaded image: from-docker:2"]
    assert sorted(done.stdout.splitlines()) == lines
    assert images.get("from-docker:1").id == identity
    same("from-docker:2", unpacked("plain"))
    # By its id it has no name.
    docker_client("save", "-o", saved, identity)
    images.remove(identity, force=True)
    done = cli.fastbox("load", "-i", saved)
    assert done.stdout == f"Loaded image ID: {identity}\n"


def test_the_oldest_layout_has_dockers_id(
    made: Path, docker_client: Callable[..., str], tmp_path: Path
) -> None:
    run = layers.tool(tmp_path)
    run("skopeo", "copy", f"oci:{made}/layout:plain", "docker-archive:in.tar:legacy:1")
    docker_client("load", "-i", tmp_path / "in.tar")
    docker_client("save", "-o", tmp_path / "out.tar", "legacy:1")
    old = tmp_path / "old"
    old.mkdir()
    run("tar", "-xf", "out.tar", "-C", "old")
    (old / "manifest.json").unlink()
    for config in old.glob("*.json"):
        config.unlink()
    top = json.loads((old / "repositories").read_text())["legacy"]["1"]
    document = json.loads((old / top / "json").read_text())
    if document.get("docker_version", "") < "1.8.3":
        document["docker_version"] = "1.9.1"
        (old / top / "json").write_text(json.dumps(document))
    run("tar", "-cf", "old.tar", "-C", "old", ".")
    docker_client("rmi", "legacy:1")
    docker_client("load", "-i", tmp_path / "old.tar")
    identity = docker_client("image", "inspect", "--format", "{{.Id}}", "legacy:1")
    assert images.load(tmp_path / "old.tar")[0].tags == ["legacy:1"]
    assert images.get("legacy:1").id == identity


@pytest.mark.parametrize("form", ["docker-archive", "oci-archive", "oci-dir"])
def test_podman_save(
    made: Path,
    unpacked: Callable[[str], dict[bytes, Row]],
    podman: Callable[..., str],
    tmp_path: Path,
    form: str,
) -> None:
    run = layers.tool(tmp_path)
    run("skopeo", "copy", f"oci:{made}/layout:plain", "docker-archive:in.tar:name.example/pod:1")
    podman("podman", "load", "-i", tmp_path / "in.tar")
    saved = tmp_path / "saved"
    podman("podman", "save", "--format", form, "-o", saved, "name.example/pod:1")
    identity = podman("podman", "image", "inspect", "--format", "{{.Id}}", "name.example/pod:1")
    loaded = images.load(saved)
    assert len(loaded) == 1
    assert loaded[0].id == f"sha256:{identity}" or form != "docker-archive"
    assert loaded[0].tags == ["name.example/pod:1"]
    same(loaded[0].id, unpacked("plain"))


def test_buildah(made: Path, podman: Callable[..., str], tmp_path: Path) -> None:
    working = podman("buildah", "from", f"oci:{made}/layout:plain")
    (tmp_path / "added").write_text("by buildah")
    podman("buildah", "copy", working, tmp_path / "added", "/etc/added")
    podman("buildah", "config", "--cmd", "/bin/tool", "--stop-signal", "SIGQUIT", working)
    out = tmp_path / "built.tar"
    podman("buildah", "commit", working, f"oci-archive:{out}:name.example/built:1")
    [loaded] = images.load(out)
    assert loaded.tags == ["name.example/built:1"]
    layers.tool(tmp_path)("skopeo", "copy", f"oci-archive:{out}", "oci:check:built")
    layers.tool(tmp_path)("umoci", "unpack", "--image", "check:built", "bundle")
    same(loaded.id, listing(tmp_path / "bundle" / "rootfs"))
    assert (layers.tree(loaded.id) / "etc/added").read_text() == "by buildah"
    document = images.get(loaded.id).document()["config"]
    assert (document["Cmd"], document["StopSignal"]) == (["/bin/tool"], "SIGQUIT")


def test_a_container_of_it_sees_the_merged_tree(tmp_path: Path) -> None:
    needs("umoci", "busybox")
    lower = Path(roots.busybox()).read_bytes()
    upper = layers.Layer().add("etc/.wh.shadow").add("etc/passwd", data=b"root:x:0:0::/:/bin/sh\n")
    layers.umoci(tmp_path, "run", [lower, upper.add("new", data=b"new").bytes()])
    [loaded] = images.load(tmp_path / "layout")
    assert loaded.tags == []
    done = fastbox.run(
        loaded.id, ["sh", "-c", "cat /new; echo; ls /etc/shadow; wc -l < /etc/passwd"]
    )
    assert done.stdout.split() == [b"new", b"1"]
    assert b"No such file" in done.stderr


def test_what_cannot_be_loaded(tmp_path: Path) -> None:
    cli.refused(cli.fastbox("load", "-i", tmp_path / "none"), 125, "none: No such file")
    cli.refused(cli.fastbox("load", "-i", tmp_path), 125, "no oci-layout")
    cli.refused(cli.fastbox("load"), 125, "truncated archive")
    (tmp_path / "text").write_text("hello" * 500)
    cli.refused(cli.fastbox("load", "-i", tmp_path / "text"), 125, "not a tar archive")
    (tmp_path / "config").write_text("{}")
    layers.tool(tmp_path)("tar", "-cf", "root.tar", "config")
    cli.refused(cli.fastbox("load", "-i", tmp_path / "root.tar"), 125, "fastbox import")
    cli.refused(cli.fastbox("load", "archive.tar"), 125, "unrecognized arguments: archive.tar")
    script = shutil.which("script")
    assert script, "util-linux is always there"
    command = " ".join(cli.command("load"))
    done = subprocess.run([script, "-qec", command, "/dev/null"], capture_output=True, timeout=60)
    assert b"standard input is a terminal" in done.stdout
    assert done.returncode == 125
