"""The same words through `docker run` and `fastbox run`.

    @pytest.mark.docker_flag("memory")
    def test_memory(both: Both) -> None:
        both("-m", "64m", "IMAGE", "cat", "/sys/fs/cgroup/memory/memory.limit_in_bytes").same()

The word IMAGE stands for the tests' small root, which both have under one name. The marker names
the long flags that a test shows to be the same as Docker's.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

import cli

IMAGE = "compared:latest"


@dataclass(frozen=True)
class Result:
    """How one of the two ended."""

    args: list[str]
    code: int
    stdout: str
    stderr: str

    def __str__(self) -> str:
        words = shlex.join(self.args)
        return f"{words}\ncode {self.code}\nstdout {self.stdout!r}\nstderr {self.stderr!r}"


@dataclass(frozen=True)
class Pair:
    """What the same words made of Docker and of fastbox."""

    docker: Result
    fastbox: Result

    def same(self) -> str:
        """Checks that the program ran in both, with the same exit code and output on both streams.

        Gives the output, for a test that knows what it must be.
        """
        assert self.docker.stderr == self.fastbox.stderr, self
        return self.same_output()

    def same_output(self) -> str:
        """The same without the error stream, where Docker has warnings of its own."""
        assert "Traceback" not in self.fastbox.stderr, self
        assert (self.docker.code, self.docker.stdout) == (self.fastbox.code, self.fastbox.stdout), (
            self
        )
        return self.fastbox.stdout

    def refused(self, *words: str) -> None:
        """Checks that neither ran it: one exit code, 125 to 127, and these words in our error."""
        assert self.docker.code in (125, 126, 127), self
        assert self.docker.code == self.fastbox.code, self
        assert (self.docker.stdout, self.fastbox.stdout) == ("", ""), self
        assert self.fastbox.stderr.startswith("fastbox: "), self
        assert "Traceback" not in self.fastbox.stderr, self
        for word in words:
            assert word.lower() in self.fastbox.stderr.lower(), self

    def __str__(self) -> str:
        return f"\n{self.docker}\n{self.fastbox}"


class Both:
    """A Docker daemon with the tests' image, and fastbox with the same."""

    def __init__(self, host: str) -> None:
        self.environment = {**os.environ, "DOCKER_HOST": host}
        """What the client finds its daemon by."""

    def __call__(
        self,
        *words: str | Path,
        input: str | None = None,
        env: dict[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Pair:
        """Runs the words that stand after `run`, in Docker first, with `input` as standard input.

        `env` is added to both clients' environment, `cwd` is their working directory. Both get
        `--network none` where the words name no network: Docker's own default is a bridge.
        """
        docker, fastbox = self.commands(*words)
        more = {**self.environment, **(env or {})}
        return Pair(_run(docker, input, more, cwd), _run(fastbox, input, more, cwd))

    def commands(self, *words: str | Path) -> tuple[list[str], list[str]]:
        """Both command lines, for a test that starts them by itself, with `environment`."""
        said = [IMAGE if word == "IMAGE" else str(word) for word in words]
        if not any(word.split("=")[0] in ("--network", "--net") for word in said):
            said = ["--network", "none", *said]
        return ["docker", "run", "--rm", *said], cli.command("run", "--rm", *said)

    def docker(self, *words: str | Path, input: str | None = None) -> Result:
        """Docker alone, any command of it."""
        return _run(["docker", *map(str, words)], input, self.environment, None)

    def fastbox(self, *words: str | Path, input: str | None = None) -> Result:
        """Fastbox alone, any command of it."""
        return _run(cli.command(*words), input, self.environment, None)

    def image(self, archive: Path, name: str) -> None:
        """Imports a root file system archive into both under one name."""
        for made in (
            self.docker("import", archive, name),
            self.fastbox("import", "-q", archive, name),
        ):
            assert made.code == 0, made

    def leave_nothing(self) -> None:
        """Removes what is in Docker, and fails where that was a container."""
        left = self.docker("ps", "--all", "--quiet", "--no-trunc").stdout.split()
        if left:
            self.docker("rm", "--force", "--volumes", *left)
        images = self.docker("images", "--all", "--quiet", "--no-trunc").stdout.split()
        if images:
            self.docker("rmi", "--force", *sorted(set(images)))
        assert not left, f"containers were left in docker: {left}"


def _run(
    args: list[str], input: str | None, environment: dict[str, str], cwd: Path | None
) -> Result:
    done = subprocess.run(
        args,
        capture_output=True,
        cwd=cwd,
        env=environment,
        errors="replace",
        input="" if input is None else input,
        text=True,
        timeout=120,
    )
    return Result(args, done.returncode, done.stdout, done.stderr)
