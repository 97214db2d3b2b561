"""How the program is started and what it is told, beside Docker's."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import roots
from compare import Both

flag = pytest.mark.docker_flag

ENV = "env | grep -v ^HOSTNAME= | sort"


@flag("env-file")
def test_env_file(both: Both, tmp_path: Path) -> None:
    lines = b'\xef\xbb\xbfA=1\n# said\n  B= x y \nMINE\nNOT_SET\n\n \t\nC="q"\r\n  #d\nE=a=b\nF='
    (tmp_path / "one").write_bytes(lines)
    (tmp_path / "two").write_text("A=2\nG=${A} 'x'\n")
    words = ["-e", "B=given", "--env-file", tmp_path / "one", f"--env-file={tmp_path}/two"]
    done = both(*words, "IMAGE", "sh", "-c", ENV, env={"MINE": "here"})
    assert 'A=2\nB=given\nC="q"\n' in done.same()


@flag("env-file")
@pytest.mark.parametrize(
    ("content", "word"),
    [(b"A=1\n=x", "line 2"), (b"A B=1", "whitespace"), (b"N ", "whitespace"), (b"A=\xff", "utf-8")],
)
def test_env_file_refused(both: Both, tmp_path: Path, content: bytes, word: str) -> None:
    (tmp_path / "file").write_bytes(content)
    both("--env-file", tmp_path / "file", "IMAGE", "true").refused(word, str(tmp_path / "file"))


@flag("env-file", "label-file")
@pytest.mark.parametrize("name", ["--env-file", "--label-file"])
def test_a_file_that_is_not_there(both: Both, tmp_path: Path, name: str) -> None:
    both(name, tmp_path / "none", "IMAGE", "true").refused("none", "no such file")


@flag("entrypoint")
@pytest.mark.parametrize(
    "words",
    [
        ("--entrypoint", "echo", "IMAGE", "a", "b"),
        ("--entrypoint=echo", "IMAGE"),
        ("--entrypoint", "", "IMAGE", "echo", "x"),
        ("--entrypoint", "/bin/sh", "IMAGE", "-c", "echo $0 $#"),
    ],
)
def test_entrypoint(both: Both, words: tuple[str, ...]) -> None:
    both(*words).same()


@flag("entrypoint")
def test_entrypoint_refused(both: Both) -> None:
    both("--entrypoint", "", "IMAGE").refused("no command specified")
    both("--entrypoint", "no such program", "IMAGE").refused("no such program")


@pytest.fixture
def configured(both: Both) -> Callable[..., str]:
    """Makes an image with changes of its config in both, under one name."""

    def make(name: str, *changes: str) -> str:
        words = [word for change in changes for word in ("--change", change)]
        for made in (
            both.docker("import", *words, roots.busybox(), name),
            both.fastbox("import", "-q", *words, roots.busybox(), name),
        ):
            assert made.code == 0, made
        return name

    return make


@flag("entrypoint", "env", "workdir", "user")
def test_the_images_config(both: Both, configured: Callable[..., str]) -> None:
    name = configured(
        "configured:all",
        'ENTRYPOINT ["sh", "-c"]',
        f'CMD ["pwd; id -u; {ENV}"]',
        "ENV A=1 B='x y'",
        "WORKDIR /made/here",
        "USER user",
    )
    assert both(name).same().startswith("/made/here\n1000\nA=1\nB=x y\n")
    both(name, "echo $0 $A").same()
    both("--entrypoint", "id", name).same()
    both("--entrypoint", "", name, "pwd").same()
    both("--entrypoint", "", name).refused("no command specified")
    both("-e", "A=2", "-w", "/tmp", "-u", "0", name).same()


@flag("cidfile")
def test_cidfile(both: Both, tmp_path: Path) -> None:
    for code, words in ((0, ("IMAGE", "hostname")), (127, ("IMAGE", "no-such-program"))):
        for line in both.commands("--cidfile", tmp_path / "id", *words):
            done = subprocess.run(line, capture_output=True, text=True, env=both.environment)
            ident = (tmp_path / "id").read_text()
            assert done.returncode == code, done
            assert len(ident) == 64, done
            if code == 0:
                assert done.stdout == f"{ident[:12]}\n", done
            (tmp_path / "id").unlink()
    both("--cidfile", tmp_path / "id", "no-such-image:x", "true").refused("no-such-image")
    assert not (tmp_path / "id").exists()


@flag("cidfile")
def test_cidfile_refused(both: Both, tmp_path: Path) -> None:
    (tmp_path / "id").write_text("")
    sentence = "container ID file found, make sure the other container isn't running or delete "
    both("--cidfile", tmp_path / "id", "IMAGE", "true").refused(f"{sentence}{tmp_path}/id")
    assert (tmp_path / "id").read_text() == ""
    done = both("--cidfile", tmp_path / "no" / "id", "IMAGE", "true")
    # Docker takes the words "no such file" for a program's that is not there: 127.
    assert (done.docker.code, done.fastbox.code) == (127, 125), done
    assert "--cidfile" in done.fastbox.stderr


@flag("attach")
@pytest.mark.parametrize(
    "streams", [["stdout"], ["STDERR"], ["stdout", "stderr"], ["stdin", "stdout"]]
)
def test_attach(both: Both, streams: list[str]) -> None:
    words = [word for stream in streams for word in ("-a", stream)]
    script = "echo out; echo err >&2; cat"
    both(*words, "IMAGE", "sh", "-c", script, input="in\n").same()
    both("-i", *words, "IMAGE", "sh", "-c", script, input="in\n").same()


@flag("attach")
def test_attach_refused(both: Both) -> None:
    both("-a", "out", "IMAGE", "true").refused("valid streams are STDIN, STDOUT and STDERR")


@flag("stop-signal", "stop-timeout", "label", "expose", "health-cmd")
@pytest.mark.parametrize(
    "words",
    [
        ("--stop-signal", "SIGINT"),
        ("--stop-signal", "rtmin+3"),
        ("--stop-signal", "9"),
        ("--stop-timeout", "-1"),
        ("-l", "a"),
        ("-l", "a=b=c"),
        ("--expose", "80"),
        ("--expose", "8000-8003/udp"),
        ("--health-cmd", "true", "--health-interval", "1s", "--health-timeout", "1s"),
        ("--health-cmd", "true", "--health-retries", "1", "--health-start-period", "1s"),
        ("--no-healthcheck",),
    ],
)
def test_kept_values_are_taken(both: Both, words: tuple[str, ...]) -> None:
    both(*words, "IMAGE", "true").same()


@flag("expose", "label", "health-interval", "health-retries", "no-healthcheck", "stop-timeout")
@pytest.mark.parametrize(
    "words",
    [
        ("--expose", "2-1"),
        ("--expose", "70000"),
        ("--expose", ""),
        ("--expose", "1:2"),
        ("-l", "=x"),
        ("-l", ""),
        ("--health-interval", "-1s"),
        ("--health-retries=-1",),
        ("--health-retries=x",),
        ("--no-healthcheck", "--health-cmd", "true"),
        ("--stop-timeout", "soon"),
    ],
)
def test_kept_values_are_looked_at(both: Both, words: tuple[str, ...]) -> None:
    both(*words, "IMAGE", "true").refused(words[0].lstrip("-").split("=")[0])


@flag("label-file")
def test_label_file(both: Both, tmp_path: Path) -> None:
    (tmp_path / "labels").write_text("a=1\nb\n# said\nc=x y\n")
    both("--label-file", tmp_path / "labels", "IMAGE", "true").same()
    (tmp_path / "labels").write_text("a b=1\n")
    both("--label-file", tmp_path / "labels", "IMAGE", "true").refused("whitespace")
