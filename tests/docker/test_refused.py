"""Values that ask for what is so anyway, and what neither takes."""

from __future__ import annotations

import platform

import pytest
from compare import Both

flag = pytest.mark.docker_flag


@flag("pull", "restart", "isolation", "detach", "disable-content-trust", "platform")
@pytest.mark.parametrize(
    "words",
    [
        ["--pull", "missing"],
        ["--pull=never"],
        ["--isolation", "default"],
        ["--restart", "no"],
        ["--detach=false", "-P=false"],
        ["--disable-content-trust"],
        ["--platform", f"linux/{platform.machine()}"],
        ["--platform=linux"],
    ],
)
def test_what_is_so_anyway(both: Both, words: list[str]) -> None:
    assert both(*words, "IMAGE", "echo", "ran").same() == "ran\n"


@pytest.mark.parametrize(
    "words",
    [
        ["--pull", "sometimes"],
        ["--isolation", "process"],
        ["--restart", "sometimes"],
        ["--detach=perhaps"],
        ["--platform", "vax"],
        ["--volumes-from", "no-such-container"],
        ["--link", "no-such-container"],
        ["--runtime", "no-such-runtime"],
        ["--log-driver", "no-such-driver"],
        ["--ip", "10.0.0.1"],
        ["--network-alias", "name"],
        ["--gpus", "all"],
        ["--frob"],
        ["-Z"],
    ],
)
def test_what_neither_takes(both: Both, words: list[str]) -> None:
    both(*words, "IMAGE", "true").refused(words[0].lstrip("-").split("=")[0])


def test_an_image_for_another_platform(both: Both) -> None:
    other = "amd64" if platform.machine() == "aarch64" else "arm64"
    both("--platform", f"linux/{other}", "--pull=never", "IMAGE", "true").refused(other)
