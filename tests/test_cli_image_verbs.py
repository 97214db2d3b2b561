"""`fastbox tag`, `history`, `image inspect`, `image prune`, and what `images` can print."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import cli
import fastbox
import pytest
import roots
from fastbox import _image_filters
from fastbox.cli import _image_history, _image_list
from fastbox.cli._template import _functions

CHANGES = ['CMD ["/bin/busybox", "true"]', "ENV A=1 B='two words'", "LABEL stage=test empty="]


@pytest.fixture
def image() -> Iterator[str]:
    """An image with a config, of which nothing is left afterwards."""
    made = fastbox.images.import_(
        roots.busybox(), "verbs.example:5000/app:1", changes=CHANGES, message="a comment"
    )
    yield made.id
    for found in fastbox.images.list():
        if found.id == made.id:
            fastbox.images.remove(made.id, force=True)


NAME = "verbs.example:5000/app:1"
HEAD = ["REPOSITORY", "TAG", "IMAGE", "ID", "CREATED", "SIZE"]


def out(*args: str | Path) -> str:
    done = cli.fastbox(*args)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def test_tag_and_untag(image: str) -> None:
    assert out("tag", image[7:19], "verbs-two") == ""
    assert out("image", "tag", "verbs-two", "verbs-two:x") == ""
    assert out("images", "-q").count(image[7:19]) == 3
    listed = out("images", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}")
    for name in (NAME, "verbs-two:latest", "verbs-two:x"):
        assert f"{name} {image}\n" in listed
    refused = cli.fastbox("rmi", image[7:19])
    cli.refused(refused, 1, "several names")
    assert out("rmi", "verbs-two", "verbs-two:x") == (
        "Untagged: verbs-two:latest\nUntagged: verbs-two:x\n"
    )
    gone = out("image", "rm", NAME).splitlines()
    assert gone[:2] == [f"Untagged: {NAME}", f"Deleted: {image}"]


def test_rmi_by_id_takes_all_names_by_force(image: str) -> None:
    out("tag", image, "verbs-two")
    gone = out("rmi", "-f", image).splitlines()
    assert gone[:3] == ["Untagged: verbs-two:latest", f"Untagged: {NAME}", f"Deleted: {image}"]


def test_an_image_in_use(image: str) -> None:
    command = cli.command("run", "-i", NAME, "/bin/busybox", "cat")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        running.stdin.write(b"started\n")
        running.stdin.flush()
        assert running.stdout.readline() == b"started\n"
        cli.refused(cli.fastbox("rmi", NAME), 1, "in use")
        cli.refused(cli.fastbox("rmi", "-f", image), 1, "in use")
        # The name can go, the image stays until it is not used.
        assert out("rmi", "-f", NAME) == f"Untagged: {NAME}\n"
        assert image in out("images", "-q", "--no-trunc", "--filter", "dangling=true").split()
        assert image not in out("image", "prune", "-f")
    assert running.returncode == 0
    assert f"deleted: {image}\n" in out("image", "prune", "--force")


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (["label=stage=test"], True),
        (["label=stage"], True),
        (["label=empty"], True),
        (["label=stage=other"], False),
        (["label=stage", "label=none"], False),
        (["label!=none"], True),
        (["label!=stage=test"], False),
        (["dangling=false"], True),
        (["dangling=true"], False),
        (["reference=verbs.example:5000/*"], True),
        (["reference=verbs.example:5000/app:?"], True),
        (["reference=*/[a-c]pp"], True),
        (["reference=*app"], False),
        (["reference=none", "reference=*/app"], True),
        (["until=1h"], False),
        (["until=2100-01-01"], True),
        (["before=verbs-later"], True),
        (["since=verbs-later"], False),
        (["label=stage", "reference=*/app", "dangling=0"], True),
    ],
)
def test_filters(image: str, filters: list[str], found: bool) -> None:
    later = fastbox.images.import_(roots.busybox(), "verbs-later", message="another")
    flags = [word for text in filters for word in ("--filter", text)]
    assert (image in out("images", "-q", "--no-trunc", *flags).split()) is found
    # before and since leave out the image itself.
    if filters[0].startswith(("before", "since")):
        assert later.id not in out("images", "-q", "--no-trunc", *flags)
    fastbox.images.remove("verbs-later")


def test_operand_of_images(image: str) -> None:
    for name in ("verbs.example:5000/app", NAME, "verbs.example:5000/a*"):
        assert out("images", "-q", name) == f"{image[7:19]}\n"
    assert out("images", "-q", "verbs.example:5000/other") == ""
    assert out("images", "nothing").split() == [
        "REPOSITORY",
        "TAG",
        "IMAGE",
        "ID",
        "CREATED",
        "SIZE",
    ]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--filter", "bogus=1"], "invalid filter 'bogus'"),
        (["--filter", "dangling=perhaps"], "dangling=perhaps"),
        (["--filter", "dangling"], "--filter dangling"),
        (["--filter", "before=no-such-image"], "no such image: no-such-image"),
        (["--filter", "reference=["], "reference=["),
        (["--filter", "until=yesterday"], "until=yesterday"),
        (["--format", "{{.Bogus}}", NAME], "no field Bogus; there are ID, Repository"),
        (["--format", "table {{.ID"], "not closed"),
        (["--quiet=perhaps"], "--quiet=perhaps"),
        (["one", "two"], "two"),
    ],
)
def test_mistakes_of_images(image: str, words: list[str], expected: str) -> None:
    cli.refused(cli.fastbox("images", *words), 125, expected)


def test_switches_with_values(image: str) -> None:
    assert out("images", "--quiet=true", NAME) == f"{image[7:19]}\n"
    assert out("images", "-q=false", NAME).startswith("REPOSITORY")


def test_digests(image: str) -> None:
    head, row = out("images", "--digests", NAME).splitlines()
    assert head.split()[:3] == ["REPOSITORY", "TAG", "DIGEST"]
    digest = row.split()[2]
    found = fastbox.images.get(f"verbs.example:5000/app@{digest}")
    assert found.id == image
    assert found.digests == [f"verbs.example:5000/app@{digest}"]


def test_inspect(image: str) -> None:
    (document,) = json.loads(out("image", "inspect", NAME))
    assert document == fastbox.images.inspect(image)
    assert document["Id"] == image
    assert document["RepoTags"] == [NAME]
    assert document["Config"]["Env"] == ["A=1", "B=two words"]
    assert document["Config"]["Labels"] == {"stage": "test", "empty": ""}
    assert document["Comment"] == "a comment"
    assert document["Size"] == fastbox.images.get(image).size
    assert document["Metadata"]["LastTagTime"].startswith("20")
    assert Path(document["GraphDriver"]["Data"]["UpperDir"], "bin").is_dir()
    template = "{{.Os}} {{range .Config.Env}}{{.}};{{end}} {{.Config.Labels.none}}"
    assert out("image", "inspect", "-f", template, image) == "linux A=1;B=two words; <no value>\n"
    assert json.loads(out("image", "inspect", "--format", "json", image)) == [document]


def test_inspect_of_what_is_not_there(image: str) -> None:
    done = cli.fastbox("image", "inspect", "no-such-image", NAME)
    assert done.returncode == 1
    assert done.stderr == "fastbox: no such image: no-such-image\n"
    assert len(json.loads(done.stdout)) == 1
    done = cli.fastbox("image", "inspect", "no-such-image")
    assert (done.returncode, done.stdout) == (1, "[]\n")
    cli.refused(cli.fastbox("image", "inspect", "No"), 125, "repository name must be lowercase")
    cli.refused(cli.fastbox("image", "inspect", "-f", "{{.No}}", NAME), 125, "no field No")
    cli.refused(cli.fastbox("image", "inspect"), 125, "IMAGE")


def test_history(image: str) -> None:
    head, row = out("history", NAME).splitlines()
    assert head.split() == ["IMAGE", "CREATED", "CREATED", "BY", "SIZE", "COMMENT"]
    assert row.startswith(image[7:19])
    assert row.endswith("a comment")
    assert out("image", "history", "-q", "--no-trunc", NAME) == f"{image}\n"
    size = fastbox.images.get(image).size
    assert out("history", "--human=false", "--format", "{{.Size}}", NAME) == f"{size}\n"
    (step,) = fastbox.images.history(NAME)
    assert (step["Id"], step["Size"], step["Tags"]) == (image, size, [NAME])
    cli.refused(cli.fastbox("history", "no-such-image"), 125, "no such image: no-such-image")


def test_prune(image: str) -> None:
    fastbox.images.import_(roots.busybox(), NAME, message="takes the name")
    asked = cli.fastbox("image", "prune", input="n\n")
    assert (asked.returncode, asked.stdout.endswith("[y/N] ")) == (0, True)
    assert fastbox.images.get(image).tags == []
    assert "deleted" not in out("image", "prune", "-f", "--filter", "label=none")
    assert "deleted" not in out("image", "prune", "-f", "--filter", "until=1h")
    assert "deleted" not in out("image", "prune", "-f", "--filter", "label!=stage")
    agreed = cli.fastbox("image", "prune", input="y\n")
    assert f"deleted: {image}\n" in agreed.stdout
    # Its layer is that of the image that took its name.
    assert agreed.stdout.endswith("Total reclaimed space: 0B\n")
    cli.refused(cli.fastbox("image", "prune", "--filter", "dangling=true"), 125, "dangling")
    size = fastbox.images.get(NAME).size
    gone, reclaimed = fastbox.images.prune({"label": "none"}, all=True)
    assert (gone, reclaimed) == ([], 0)
    fastbox.images.tag(NAME, "verbs-two")
    fastbox.images.remove(NAME)
    gone, reclaimed = fastbox.images.prune({"reference": "verbs-two"}, all=True)
    assert gone[0] == "verbs-two:latest"
    # Other tests' images may have the layer.
    assert reclaimed == (size if gone[2:] else 0)


def test_import_without_a_name() -> None:
    identity = out("import", "-q", "-m", "nameless", roots.busybox()).strip()
    assert fastbox.images.get(identity).tags == []
    assert identity in out("images", "-q", "--no-trunc", "--filter", "dangling=true").split()
    row = out("images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", "dangling=true")
    assert "<none>:<none>\n" in row
    assert out("run", "-q", identity, "/bin/busybox", "echo", "runs") == "runs\n"
    assert fastbox.images.import_(roots.busybox(), message="another").name is None
    fastbox.images.prune()
    with pytest.raises(fastbox.ImageNotFound):
        fastbox.images.get(identity)


def test_changes_reach_the_container() -> None:
    words = [
        'ENTRYPOINT ["/bin/busybox"]',
        'CMD ["sh", "-c", "echo $A; pwd; id -u"]',
        "ENV A=value",
        "WORKDIR /tmp",
        "USER 1000",
    ]
    flags = [word for text in words for word in ("--change", text)]
    out("import", *flags, roots.busybox(), "verbs-changed")
    assert out("run", "-q", "--network", "none", "verbs-changed") == "value\n/tmp\n1000\n"
    fastbox.images.remove("verbs-changed")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--change", "RUN x"], "RUN is no change"),
        (["-c", "ENV"], "ENV needs a value"),
        (["-c", "EXPOSE many"], 'port "many"'),
        (["--platform", "windows/amd64"], 'invalid platform "windows/amd64"'),
        (["--platform", "linux/vax"], "architecture is unknown"),
    ],
)
def test_changes_that_are_none(words: list[str], expected: str) -> None:
    done = cli.fastbox("import", *words, roots.busybox(), "never")
    cli.refused(done, 125, expected)
    assert fastbox.images.list({"reference": "never"}) == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Upper", "repository name must be lowercase"),
        ("host", "reserved"),
        ("a:b:c", "may only have"),
        ("a@sha256:00", "digest"),
        ("f" * 64, "id, not a name"),
        ("a:-x", "tag may not begin"),
        ("", "empty"),
    ],
)
def test_names_that_cannot_be_given(image: str, name: str, words: str) -> None:
    cli.refused(cli.fastbox("tag", image, name), 125, words)


def test_addresses_are_not_fetched() -> None:
    done = cli.fastbox("import", "https://example.com/root.tar", "never")
    cli.refused(done, 125, "https://example.com/root.tar: fetch it first")


def test_family() -> None:
    assert out("image") == out("image", "--help")
    for name in ("history", "import", "inspect", "ls", "prune", "rm", "tag"):
        assert f"  {name} " in out("image")
        assert out("image", name, "--help").startswith("Usage:  fastbox ")
    cli.refused(cli.fastbox("image", "bogus"), 1, "unknown command: image bogus")


def test_images_of_python(image: str) -> None:
    found = fastbox.images.get(image[7:])
    assert found.id == image
    assert found.short_id == image[7:19]
    assert found.tags == [NAME]
    assert found.document()["config"] == found.config
    assert found.config["Env"] == ["A=1", "B=two words"]
    assert found.labels == {"stage": "test", "empty": ""}
    assert fastbox.images.history(found) == fastbox.images.history(NAME)
    assert fastbox.images.inspect(found) == fastbox.images.inspect(NAME)
    assert found.layer_sizes == [found.size]
    assert found.created <= found.tagged <= time.strftime("%Y-%m-%dT%H:%M:%SZ~", time.gmtime())
    assert [i.id for i in fastbox.images.list({"label": ["stage=test"]})] == [image]
    assert fastbox.images.tag(NAME, "verbs-two") == image
    assert fastbox.images.remove("verbs-two") == ["verbs-two:latest"]
    with pytest.raises(fastbox.SpecError, match="invalid filter"):
        fastbox.images.list({"bogus": True})
    with pytest.raises(fastbox.ImageNotFound):
        fastbox.images.get("no-such-image")
    fastbox.images.remove(NAME)
    with pytest.raises(fastbox.ImageNotFound):
        found.document()


def test_the_page_names_all_there_is() -> None:
    page = (Path(__file__).parents[1] / "docs" / "images.md").read_text()
    names = {*_image_list.HEADERS, *_image_history.HEADERS, *_functions.ALL, "break", "block"}
    assert [name for name in names if f"`{name}`" not in page] == []
    assert [name for name in _image_filters.NAMES if f"`{name}=" not in page] == []
