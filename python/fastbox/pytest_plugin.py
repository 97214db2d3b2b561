"""pytest: tests that run in containers.

`@pytest.mark.container("debian:12", memory="256m")` has one test run in a container of that image
(`host` unless named) with these options of `fastbox.prepare`; `--in-container[=IMAGE]` has all of
them. The interpreter with its packages and the project's folder are there as outside, read-only;
/tmp is the container's own. Each test has a new container out of a pool, and its own process: what
fixtures of a module or a session make, each test makes anew. `container_timeout` (pytest.ini)
limits each test, in seconds.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from fastbox import Pool

# What tells a report from whatever else is written to stderr, and the child that it is one.
_MARK = "\x1efastbox report "
_INSIDE = "FASTBOX_PYTEST_INSIDE"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option and the setting."""
    parser.getgroup("fastbox").addoption(
        "--in-container",
        metavar="IMAGE",
        nargs="?",
        const="host",
        help="run each test in a container of its own (image host unless named)",
    )
    parser.addini("container_timeout", "seconds a test in a container may take", default="600")


def pytest_configure(config: pytest.Config) -> None:
    """The marker; inside, who sends the reports out."""
    config.addinivalue_line(
        "markers", "container(image='host', **options): run the test in a container (fastbox)"
    )
    if os.environ.get(_INSIDE):
        config.pluginmanager.register(_Inside(config))
    else:
        config.pluginmanager.register(_Outside(config))


class _Inside:
    """In the container: sends each report out."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        # Before anything is captured.
        self._out = os.fdopen(os.dup(2), "w")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        self._out.write(f"\n{_MARK}{json.dumps(data)}\n")
        self._out.flush()


class _Outside:
    """Outside: starts the containers, and takes the reports in."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._pools: dict[str, Pool] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        marker = item.get_closest_marker("container")
        image = self._config.getoption("--in-container")
        options: dict[str, Any] = {}
        if marker is not None:
            options = dict(marker.kwargs)
            image = options.pop("image", None) or (marker.args[0] if marker.args else "host")
        if image is None:
            return None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in self._reports(item, image, options):
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def pytest_unconfigure(self) -> None:
        for pool in self._pools.values():
            pool.close()

    def _reports(
        self, item: pytest.Item, image: str, options: dict[str, Any]
    ) -> Iterator[pytest.TestReport]:
        import fastbox

        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        command += ["--rootdir", str(self._config.rootpath)]
        if self._config.inipath is not None:
            command += ["-c", str(self._config.inipath)]
        command.append(f"{item.path}::{item.nodeid.partition('::')[2]}")
        seconds = float(self._config.getini("container_timeout"))
        said = ""
        try:
            done = self._pool(image, options).run(
                command,
                env={_INSIDE: "1", "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/tmp"},
                cwd=os.fspath(self._config.invocation_params.dir),
                timeout=seconds,
                text=True,
                errors="replace",
            )
            said = done.stderr
            failed = f"the container ended with exit code {done.exit_code}\n{done.stdout}"
        except fastbox.ContainerTimeout as error:
            said = error.completed.stderr if error.completed is not None else ""
            failed = f"the test took longer than {seconds:g} seconds"
        except fastbox.FastboxError as error:
            failed = str(error)
        whole = False
        for line in said.split("\n"):
            if line.startswith(_MARK):
                data = json.loads(line.removeprefix(_MARK))
                if isinstance(data["longrepr"], list):  # JSON has no tuples
                    data["longrepr"] = tuple(data["longrepr"])
                report = self._config.hook.pytest_report_from_serializable(
                    config=self._config, data=data
                )
                # Inside, its path may be told from another directory.
                report.nodeid, report.location = item.nodeid, item.location
                whole |= report.when == "teardown"
                yield report
        if not whole:
            rest = "\n".join(line for line in said.split("\n") if not line.startswith(_MARK))
            yield pytest.TestReport(
                nodeid=item.nodeid,
                location=item.location,
                keywords=dict.fromkeys(item.keywords, 1),
                outcome="failed",
                longrepr=f"in a container of {image}: {failed}\n{rest}".strip(),
                when="call",
            )

    def _pool(self, image: str, options: dict[str, Any]) -> Pool:
        import fastbox

        key = repr((image, sorted(options.items())))
        if key not in self._pools:
            volumes = [f"{path}:{path}:ro" for path in self._shown(image)]
            volumes += options.pop("volumes", [])
            self._pools[key] = fastbox.Pool(image, 2, volumes=volumes, **options)
        return self._pools[key]

    def _shown(self, image: str) -> list[Path]:
        """Folders that are shown inside: the interpreter's, its packages', the project's."""
        wanted = [sys.prefix, sys.base_prefix, os.path.realpath(sys.executable), *sys.path]
        wanted += [os.fspath(self._config.rootpath), os.fspath(self._config.invocation_params.dir)]
        paths = sorted({Path(path).absolute() for path in wanted if path and Path(path).exists()})
        shown: list[Path] = []
        for path in paths:
            above = [*shown, Path("/usr")] if image == "host" else shown
            if not any(path.is_relative_to(folder) for folder in above):
                shown.append(path)
        return shown
