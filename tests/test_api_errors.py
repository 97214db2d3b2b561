"""What cannot be done: a clear error of the right kind, and nothing left (the audit at the end)."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import fastbox
import pytest

RUN_ERRORS: list[tuple[list[str], int, str]] = [
    (["no-such-program"], 127, "no-such-program"),
    (["/no/such/program"], 127, "/no/such/program"),
    (["/etc/passwd"], 126, "/etc/passwd"),
    (["/etc"], 126, "/etc"),
    (["/etc/passwd/below"], 127, "/etc/passwd/below"),
]


@pytest.mark.parametrize(("command", "code", "target"), RUN_ERRORS)
def test_programs_that_cannot_be_run(
    busybox: str, command: list[str], code: int, target: str
) -> None:
    with pytest.raises(fastbox.SpawnError) as caught:
        fastbox.run(busybox, command)
    error = caught.value
    assert (error.exit_code, error.step) == (code, "exec")
    assert error.target is not None
    assert target in error.target
    assert error.errno
    assert isinstance(error, OSError)


BAD_OPTIONS: list[tuple[dict[str, Any], str]] = [
    ({"memory": "lots"}, "memory"),
    ({"memory": "1m"}, "6MB"),
    ({"memory": -1}, "memory"),
    ({"memory": []}, "memory"),
    ({"cpus": "x"}, "cpus"),
    ({"cpus": 100_000}, "CPUs"),
    ({"pids_limit": "many"}, "pids_limit"),
    ({"user": "nobody-of-that-name"}, "unable to find user"),
    ({"user": "root:no-such-group"}, "unable to find group"),
    ({"user": "4294967296"}, "uids and gids"),
    ({"cwd": "relative"}, "absolute"),
    ({"hostname": "a b"}, "hostname"),
    ({"network": "bridge"}, "network not found"),
    ({"volumes": ["/tmp:relative"]}, "absolute"),
    ({"volumes": ["/tmp:/proc/x"]}, "/proc"),
    ({"volumes": ["/tmp:/x:bogus"]}, "invalid mode"),
    ({"volumes": ["named:/x"]}, "volume"),
    ({"volumes": ["/tmp:/x", "/var:/x"]}, "duplicate mount point"),
    ({"tmpfs": ["/x:size=lots"]}, "tmpfs"),
    ({"env": ["NO_VALUE"]}, "NAME=VALUE"),
    ({"env": {"A=B": "c"}}, "environment"),
    ({"env": {"A": "b\0c"}}, "zero byte"),
    ({"cap_add": ["CAP_NONSENSE"]}, "CAP"),
    ({"security_opt": ["seccomp=/no/such/file"]}, "/no/such/file"),
    ({"storage_opt": ["bogus=1"]}, "storage option"),
    ({"preset": "careless"}, "untrusted"),
    ({"preset": "untrusted", "network": "host"}, "conflicting options"),
    ({"preset": "untrusted", "cap_add": ["ALL"]}, "conflicting options"),
    ({"network": "host", "userns": "auto"}, "conflicting options"),
    ({"nonsense": 1}, "unknown option: nonsense"),
]


@pytest.mark.parametrize(("options", "words"), BAD_OPTIONS)
def test_options_that_make_no_sense(busybox: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(fastbox.SpecError) as caught:
        fastbox.run(busybox, ["true"], **options)
    assert words.lower() in str(caught.value).lower()
    assert isinstance(caught.value, ValueError)
    assert caught.value.exit_code == 125


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ({"name": "-x"}, "name"),
        ({"timeout": -1}, "duration"),
        ({"timeout": "soon"}, "duration"),
        ({"max_output": "lots"}, "size"),
    ],
)
def test_calls_that_make_no_sense(busybox: str, call: dict[str, Any], words: str) -> None:
    with pytest.raises(fastbox.SpecError, match=words):
        fastbox.prepare(busybox).run(["true"], **call)


def test_a_preset_keeps_its_limits_in_every_run(busybox: str) -> None:
    plan = fastbox.prepare(busybox, preset="untrusted")
    with pytest.raises(fastbox.SpecError, match="max-output"):
        plan.run(["true"], max_output=0)
    assert plan.run(["true"], max_output=100).exit_code == 0


def test_values_of_other_types(busybox: str) -> None:
    with pytest.raises(TypeError, match="memory"):
        fastbox.run(busybox, ["true"], memory=object())  # type: ignore[call-overload]
    assert fastbox.run(busybox, ["true"], memory=None, env=None, volumes=None).exit_code == 0


def test_arguments_that_no_program_can_get(busybox: str) -> None:
    with pytest.raises(fastbox.SpecError):
        fastbox.run(busybox, ["echo", "a\0b"])
    with pytest.raises(fastbox.SpecError, match="UTF-8"):
        fastbox.run(busybox, ["echo", b"\xff"])


@pytest.mark.parametrize("name", ["no-such-image", "sha256:" + "0" * 64, "0" * 12])
def test_unknown_image(name: str) -> None:
    with pytest.raises(fastbox.ImageNotFound, match="no such image"):
        fastbox.run(name, ["true"])


def test_image_names_that_make_no_sense() -> None:
    with pytest.raises(fastbox.SpecError):
        fastbox.run("Upper/Case:x", ["true"])


def test_bind_source_of_nobody(busybox: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(fastbox.FastboxError, match="file"):
        fastbox.run(busybox, ["true"], volumes=[f"{tmp_path}/file/below:/x"])


ERRORS = [
    fastbox.SpecError("wrong"),
    fastbox.SpawnError("exec x", errno=2, step="exec", target="x", exit_code=127),
    fastbox.ContainerTimeout("late"),
    fastbox.ImageNotFound("no such image: x"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_travel_between_processes(error: fastbox.FastboxError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)
    assert getattr(copy, "errno", None) == getattr(error, "errno", None)


def test_the_tree() -> None:
    for name in fastbox.exceptions.__all__:
        assert issubclass(getattr(fastbox, name), fastbox.FastboxError)
