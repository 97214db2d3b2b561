"""The commands for images, beside Docker's."""

from __future__ import annotations

import hashlib
import io
import json
import re
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest
import roots
from compare import Both, Result

NAME = "localhost/compared-images:1"
MADE: list[str] = []
# One for each instruction and each kind of quoting.
CHANGES = [
    ['CMD ["a", "b c"]'],
    ["CMD a  $b 'c d'"],
    ["CMD []"],
    ["CMD"],
    ["CMD [not json"],
    ["ENTRYPOINT []"],
    ['ENTRYPOINT ["e"]', 'CMD ["c"]'],
    ['CMD ["c"]', 'ENTRYPOINT ["e"]'],
    ["entrypoint exec top -b"],
    ["ENV a=b"],
    ["ENV a=b c=\"d e\" f='g h' i=j\\ k"],
    ["ENV old form  with spaces "],
    ['ENV a="x\\"y\\z\\\\" b=\\"q\\"'],
    ["ENV a=1", "ENV a=2 b=$a", "ENV c=${a}${none:-x}${a:+y} d='$a' e=\\$a f=\"$a\""],
    ["ENV a=", "ENV b='' c=\"\""],
    [
        "ENV d=/data p='80 81'",
        "WORKDIR $d",
        "EXPOSE $p 443",
        "VOLUME $d/v",
        "USER $d",
        "LABEL $d=$p",
    ],
    ["WORKDIR /a", "WORKDIR b/./c", "WORKDIR ../d"],
    ['WORKDIR "/a b"', "WORKDIR rel"],
    ["WORKDIR rel/../../x"],
    ["USER www-data:33"],
    ["USER 'quoted'"],
    ["EXPOSE 80 53/UDP 8000-8002/tcp"],
    ['LABEL a=b "c d"="e f" g.h=\'i\'', "LABEL old style label"],
    ["VOLUME /a /b", 'VOLUME ["/c d"]'],
    ["HEALTHCHECK --interval=1m30s --timeout=1.5s --retries=3 --start-period=1h CMD curl -f x"],
    ['HEALTHCHECK CMD ["a", "b"]'],
    ["HEALTHCHECK NONE"],
    ["ONBUILD RUN a  b", "onbuild copy x y"],
    ["# a comment", "ENV a=b \\", "  c=d"],
    ["ENV a=b\nUSER c"],
]


def imported(both: Both, changes: list[str], *more: str) -> tuple[Result, Result]:
    flags = [word for text in changes for word in ("--change", text)]
    words = [*more, *flags, str(roots.busybox()), NAME]
    made = both.docker("import", *words), both.fastbox("import", "-q", *words)
    MADE.extend(made[0].stdout.split())
    return made


@pytest.fixture(autouse=True, scope="module")
def nothing_stays(both: Both) -> Iterator[None]:
    """The daemon may be the user's own."""
    yield
    both.docker("rmi", "-f", *MADE)


def inspected(both: Both) -> tuple[dict[str, Any], dict[str, Any]]:
    """The documents of both."""
    done = [call("image", "inspect", NAME) for call in (both.docker, both.fastbox)]
    docker, fastbox = (json.loads(one.stdout)[0] for one in done)
    return docker, fastbox


@pytest.mark.parametrize("changes", CHANGES, ids=lambda changes: " ; ".join(changes)[:60])
def test_import_change(both: Both, changes: list[str]) -> None:
    for made in imported(both, changes):
        assert made.code == 0, made
    docker, fastbox = inspected(both)
    assert docker["Config"] == fastbox["Config"]


@pytest.mark.parametrize(
    "change",
    [
        "RUN x",
        "FROM x",
        "BOGUS",
        "ENV",
        "ENV a",
        "ENV a=b c",
        "ENV =b",
        "ENV a='b",
        "ENV a=${b",
        "ENV a=${}",
        "LABEL a",
        "USER",
        "WORKDIR",
        "EXPOSE",
        "EXPOSE x",
        "EXPOSE 90-80",
        "CMD [1]",
        "CMD --flag x",
        'VOLUME [""]',
        "HEALTHCHECK RUN x",
        "HEALTHCHECK CMD",
        "HEALTHCHECK NONE x",
        "HEALTHCHECK --interval=1 CMD x",
        "HEALTHCHECK --retries=0 CMD x",
        "HEALTHCHECK --bogus=1 CMD x",
        "ONBUILD",
        "ONBUILD FROM x",
        "ONBUILD ONBUILD RUN x",
    ],
)
def test_import_change_refused(both: Both, change: str) -> None:
    docker, fastbox = imported(both, [change])
    assert docker.code != 0, docker
    assert fastbox.code == 125, fastbox
    assert "invalid change" in fastbox.stderr


@pytest.fixture
def image(both: Both) -> Iterator[str]:
    """The same image in both."""
    changes = ["ENV A=1 B=2", 'CMD ["x", "y"]', "LABEL k=v", "EXPOSE 80"]
    for made in imported(both, changes, "--message", "a comment"):
        assert made.code == 0, made
    yield NAME
    for made in (both.docker("rmi", "-f", NAME), both.fastbox("rmi", "-f", NAME)):
        assert made.code in (0, 1), made


# What differs between any two images is not printed.
INSPECT = [
    "{{.Os}} {{.Architecture}} {{.Size}} {{.VirtualSize}} {{.Comment}} {{.RepoTags}} {{.Author}}",
    "{{.RootFS.Type}} {{.RootFS.Layers}} {{len .RootFS.Layers}}",
    "{{json .RootFS}} {{json .Config.Env}} {{json .Config.Labels}} {{json .Config.Volumes}}",
    "{{.Config.Env}} {{.Config.Labels}} {{.Config.Volumes}} {{.Config.Cmd}} {{.Config.Entrypoint}}",
    "{{range .Config.Env}}{{.}};{{end}}",
    "{{range $i, $e := .Config.Env}}{{$i}}{{$e}} {{end}}",
    "{{range $k, $v := .Config.Labels}}{{$k}}={{$v}}{{end}}",
    "{{range $p, $c := .Config.ExposedPorts}}{{$p}}{{end}}",
    '{{index .Config.Labels "k"}}{{index .Config.Labels "none"}}|{{index .Config.Env 1}}',
    "{{.Config.Labels.k}} {{.Config.Labels.none}}",
    "{{if .Config.Cmd}}cmd{{else}}none{{end}} {{if .Config.Entrypoint}}e{{else if .Os}}o{{end}}",
    "{{with .Config}}{{.Cmd}}{{end}} {{with .Config.Entrypoint}}a{{else}}b{{end}}",
    "{{upper .Os}} {{lower `AB`}} {{title .Os}} {{truncate .Comment 3}} [{{pad .Os 1 2}}]",
    '{{join .Config.Cmd ","}} {{index (split .Os "n") 0}} {{len .Config.Env}}',
    "{{.Os | upper | printf `%s!`}} {{printf `%-7s|%7d|%q|%v|%x` .Os .Size .Os .Config.Env 255}}",
    "{{eq .Os `linux`}} {{ne .Os `x`}} {{and .Os .Comment}} {{or .Author .Os}} {{not .Os}}",
    "{{print 1 2 `a` `b` 3}} {{println .Os 1}}{{html `<a>`}} {{urlquery `a b`}} {{js `it's`}}",
    "a {{- .Os -}} b {{/* comment */}} {{- `raw\\n` }} {{\"tab\\t\"}} {{'c'}} {{1.5}} {{true}}",
    "{{$x := .Os}}{{$x}} {{$.Os}} {{define `t`}}<{{.}}>{{end}}{{template `t` .Os}}",
    "{{slice .Os 1 3}} {{lt 1 2}} {{ge 2 3}}",
    "table {{.Os}}",
]


@pytest.mark.parametrize("template", INSPECT)
def test_inspect_format(both: Both, image: str, template: str) -> None:
    words = ["image", "inspect", "-f", template, image]
    docker, fastbox = both.docker(*words), both.fastbox(*words)
    assert docker.code == 0, docker
    assert (fastbox.code, fastbox.stdout) == (0, docker.stdout), fastbox


def test_inspect_document(both: Both, image: str) -> None:
    docker, fastbox = inspected(both)
    # What Docker kept of the container that an image was built with is gone from later versions.
    own = {"Container", "ContainerConfig"}
    assert docker.keys() - own == fastbox.keys()
    different = {"Id", "RepoDigests", "Created", "DockerVersion", "GraphDriver", "Metadata"}
    for key in fastbox.keys() - different:
        assert docker[key] == fastbox[key], key
    assert docker["Metadata"].keys() == fastbox["Metadata"].keys()


MISTAKES = ["{{.Nope}}", "{{.Config.Nope}}", "{{.Os", "{{foo .Os}}", "{{index .Config.Env 9}}"]


@pytest.mark.parametrize(
    "template", [*MISTAKES, "{{end}}", "{{if .Os}}", "{{$x}}", "{{nil}}", "{{eq .Os 1}}"]
)
def test_inspect_format_refused(both: Both, image: str, template: str) -> None:
    words = ["image", "inspect", "-f", template, image]
    docker, fastbox = both.docker(*words), both.fastbox(*words)
    assert docker.code != 0, docker
    assert (fastbox.code, fastbox.stdout) == (125, ""), fastbox
    assert "--format: character " in fastbox.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["--format", "{{.Repository}}:{{.Tag}} {{.Size}} {{.VirtualSize}} {{.Containers}}"],
        ["--format", "table {{.Repository}}\\t{{.Tag}}\\t{{.Size}}"],
        ["--format", "table {{.Tag}} {{upper .Repository}}"],
        ["--format", "{{.Tag}}\\t{{lower .Repository}}\\n"],
        ["--filter", "label=k=v", "--format", "{{.Tag}}"],
        ["--filter", "label=none", "--format", "{{.Tag}}"],
        ["--filter", "dangling=false", "--format", "{{.Repository}}"],
        ["--filter", "reference=localhost/*:1", "--format", "{{.Repository}}"],
        ["--filter", "reference=*images*", "--format", "{{.Repository}}"],
        ["--filter", "since=" + NAME, "--format", "{{.Repository}}"],
        ["--filter", "before=" + NAME, "--filter", "label=k", "--format", "{{.Repository}}"],
    ],
    ids=lambda words: " ".join(words),
)
def test_images(both: Both, image: str, words: list[str]) -> None:
    # Where the words filter by reference, the operand would be one more of them.
    operand = [] if any("reference" in word or "since" in word for word in words) else [image]
    docker, fastbox = (
        both.docker("images", *words, *operand),
        both.fastbox("images", *words, *operand),
    )
    assert docker.code == 0, docker
    assert (fastbox.code, fastbox.stdout) == (0, docker.stdout), fastbox


def test_images_table(both: Both, image: str) -> None:
    for flags in ([], ["--no-trunc"], ["-a"]):
        tables = [
            [re.split(r" {3,}", line) for line in call("images", *flags, image).stdout.splitlines()]
            for call in (both.docker, both.fastbox)
        ]
        assert tables[0][0] == tables[1][0] == ["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"]
        ((docker,), (fastbox,)) = (table[1:] for table in tables)
        # Each has its own id and age.
        assert len(docker[2]) == len(fastbox[2])
        assert docker[3].endswith(" ago")
        assert fastbox[3].endswith(" ago")
        assert [*docker[:2], docker[4]] == [*fastbox[:2], fastbox[4]]


@pytest.mark.parametrize(
    "words",
    [
        ["--filter", "bogus=1"],
        ["--filter", "dangling=perhaps"],
        ["--filter", "nothing"],
        ["--filter", "before=no-such-image"],
        ["--filter", "reference=["],
        ["--format", "{{.ID"],
        ["--format", "{{.Nope}}"],
        ["--bogus"],
        ["one", "two"],
    ],
    ids=lambda words: " ".join(words),
)
def test_images_refused(both: Both, image: str, words: list[str]) -> None:
    docker, fastbox = both.docker("images", *words), both.fastbox("images", *words)
    assert docker.code != 0, docker
    assert (fastbox.code, fastbox.stdout) == (125, ""), fastbox


@pytest.mark.parametrize(
    "flags",
    [
        ["--format", "{{.Size}} {{.Comment}}"],
        ["--format", "{{.Size}} {{.Comment}}", "--human=false"],
        ["--format", "table {{.Size}}\\t{{.Comment}}"],
    ],
    ids=lambda flags: " ".join(flags),
)
def test_history(both: Both, image: str, flags: list[str]) -> None:
    docker, fastbox = both.docker("history", *flags, image), both.fastbox("history", *flags, image)
    assert docker.code == 0, docker
    assert (fastbox.code, fastbox.stdout) == (0, docker.stdout), fastbox


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("rmi", ["no-such-image"]),
        ("rmi", ["no-such-image", "other:1"]),
        ("image inspect", ["no-such-image"]),
        ("image inspect", ["-f", "{{.Id}}", NAME, "no-such-image"]),
        ("image", ["bogus"]),
    ],
)
def test_codes_of_what_is_not_there(both: Both, image: str, verb: str, words: list[str]) -> None:
    docker, fastbox = (call(*verb.split(), *words) for call in (both.docker, both.fastbox))
    assert docker.code == fastbox.code == 1, (docker, fastbox)
    assert len(docker.stdout.splitlines()) == len(fastbox.stdout.splitlines()), (docker, fastbox)


@pytest.mark.parametrize(
    "name",
    ["Upper", "a:b:c", "a:-x", "f" * 64, "a//b", "a..b", "a@sha256:00", "", "a:" + "t" * 129],
)
def test_tag_refused(both: Both, image: str, name: str) -> None:
    docker, fastbox = both.docker("tag", image, name), both.fastbox("tag", image, name)
    assert docker.code != 0, docker
    assert fastbox.code == 125, fastbox
    assert "invalid reference format" in fastbox.stderr


@pytest.mark.parametrize(
    "name",
    [
        "a__b--c.d:T_1.x-",
        "docker.io/a",
        "index.docker.io/library/a:1",
        "localhost/a",
        "localhost:5000/a/b",
        "host.example/a",
        "1.2.3.4:80/x:y",
        "a/b/c:1",
        "docker.io/library/a/b",
    ],
)
def test_names_are_shown_alike(both: Both, image: str, name: str) -> None:
    words = ["image", "inspect", "--format", "{{json .RepoTags}}", name]
    for call in (both.docker, both.fastbox):
        assert call("tag", image, name).code == 0
    docker, fastbox = both.docker(*words), both.fastbox(*words)
    assert (docker.code, fastbox.code) == (0, 0), (docker, fastbox)
    assert sorted(json.loads(docker.stdout)) == sorted(json.loads(fastbox.stdout))
    removed = both.docker("rmi", name), both.fastbox("rmi", name)
    assert removed[0].stdout == removed[1].stdout, removed


def test_names_move_and_go_alike(both: Both, image: str) -> None:
    def step(*words: str) -> tuple[list[str], list[str]]:
        done = [call(*words) for call in (both.docker, both.fastbox)]
        assert done[0].code == done[1].code, done
        # Ids are of each one's own.
        lines = [[line.partition("sha256:")[0] for line in one.stdout.splitlines()] for one in done]
        return lines[0], lines[1]

    assert step("tag", image, "compared-two") == ([], [])
    assert step("tag", image, "compared-two:x") == ([], [])
    docker, fastbox = step("rmi", "compared-two:x")
    assert docker == fastbox == ["Untagged: compared-two:x"]
    # By id with several names: only by force.
    ids = [call("images", "-q", image).stdout.strip() for call in (both.docker, both.fastbox)]
    assert [both.docker("rmi", ids[0]).code, both.fastbox("rmi", ids[1]).code] == [1, 1]
    # Another image takes the name; the first keeps its other one.
    for made in imported(both, ["ENV other=1"]):
        assert made.code == 0
    docker, fastbox = step("images", "--format", "{{.Repository}}:{{.Tag}}", "compared-two")
    assert docker == fastbox == ["compared-two:latest"]
    docker, fastbox = step("rmi", "compared-two")
    assert docker[:2] == fastbox[:2] == ["Untagged: compared-two:latest", "Deleted: "]


def layers_archive(path: Path) -> None:
    """A docker-archive of three layers, the last the same as the first, and an empty step."""
    with tarfile.open(path, "w") as archive:

        def put(name: str, data: bytes) -> None:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))

        diff_ids = []
        for place, size in enumerate((1000, 2345, 1000)):
            layer = io.BytesIO()
            with tarfile.open(fileobj=layer, mode="w") as tar:
                member = tarfile.TarInfo(f"f{size}")
                member.size = size
                tar.addfile(member, io.BytesIO(bytes(size)))
            put(f"{place}/layer.tar", layer.getvalue())
            diff_ids.append(f"sha256:{hashlib.sha256(layer.getvalue()).hexdigest()}")
        steps = [
            {"created": "2024-01-01T00:00:00Z", "created_by": "/bin/sh -c #(nop) ADD file\tin /"},
            {"created": "2024-01-02T01:02:03.5Z", "created_by": f"RUN {'x' * 60}", "comment": "c"},
            {"created": "2024-01-03T00:00:00Z", "created_by": "CMD", "empty_layer": True},
            {"created": "2024-01-04T00:00:00Z"},
        ]
        config = {
            "created": "2024-01-04T00:00:00Z",
            "architecture": "amd64",
            "os": "linux",
            "author": "somebody",
            "config": {"Cmd": ["x"], "Labels": {"k": "v"}},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
            "history": steps,
        }
        put("config.json", json.dumps(config).encode())
        layers = [f"{place}/layer.tar" for place in range(3)]
        entry = {"Config": "config.json", "RepoTags": [NAME], "Layers": layers}
        put("manifest.json", json.dumps([entry]).encode())


def test_a_loaded_image_of_several_layers(both: Both, tmp_path: Path) -> None:
    layers_archive(tmp_path / "a.tar")
    for call in (both.docker, both.fastbox):
        assert call("load", "-q", "-i", tmp_path / "a.tar").code == 0
    for words in (
        ["history", NAME],
        ["history", "--no-trunc", NAME],
        ["history", "--human=false", NAME],
        ["history", "-q", NAME],
        ["history", "--format", "table {{.CreatedBy}}\\t{{.Size}}", NAME],
        ["images", NAME],
        ["images", "--no-trunc", "--format", "{{.ID}} {{.CreatedAt}} {{.CreatedSince}}", NAME],
        ["image", "inspect", "-f", "{{.RootFS.Layers}} {{.Id}} {{.Created}} {{.Author}}", NAME],
    ):
        docker, fastbox = both.docker(*words), both.fastbox(*words)
        assert (docker.code, docker.stdout) == (fastbox.code, fastbox.stdout), (docker, fastbox)
    # Docker's client writes < as \\u003c here.
    rows = [
        [json.loads(line) for line in call("history", "--format", "json", NAME).stdout.splitlines()]
        for call in (both.docker, both.fastbox)
    ]
    assert rows[0] == rows[1]
    docker, fastbox = inspected(both)
    assert docker["Id"] == fastbox["Id"]
    assert docker["Config"] == fastbox["Config"]
    for call in (both.docker, both.fastbox):
        assert call("rmi", NAME).code == 0


def test_an_image_in_use(both: Both, image: str) -> None:
    commands = both.commands("-i", image, "/bin/busybox", "cat")
    running = [
        subprocess.Popen(command, stdin=PIPE, stdout=PIPE, env=both.environment)
        for command in commands
    ]
    ids = []
    for one, call in zip(running, (both.docker, both.fastbox), strict=True):
        assert one.stdin is not None
        assert one.stdout is not None
        one.stdin.write(b"started\n")
        one.stdin.flush()
        assert one.stdout.readline() == b"started\n"
        ids.append(call("images", "-q", image).stdout.strip())
        assert call("rmi", image).code == 1
        assert call("rmi", ids[-1]).code == 1
        assert call("rmi", "-f", ids[-1]).code == 1
        assert call("rmi", "-f", image).stdout == f"Untagged: {image}\n"
        assert call("images", "--filter", "dangling=true", "-q").stdout.split().count(ids[-1]) == 1
    for one, call, identity in zip(running, (both.docker, both.fastbox), ids, strict=True):
        one.communicate()
        assert one.returncode == 0
        # Docker's container goes a moment after its client.
        for _ in range(100):
            removed = call("rmi", "-f", identity)
            if removed.code == 0:
                break
            time.sleep(0.1)
        assert removed.stdout.startswith("Deleted: sha256:"), removed
