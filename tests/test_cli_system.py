"""`fastbox info`, `version`, `doctor`, and `fastbox.info`."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path

import cli
import fastbox


def test_info_in_python(busybox: str) -> None:
    found = fastbox.info()
    assert found.version == fastbox.__version__
    assert found.kernel == platform.release()
    assert found.root == Path(os.environ["FASTBOX_ROOT"])
    assert found.run_root == Path(os.environ["FASTBOX_RUN"])
    assert found.rootless == (os.geteuid() != 0)
    assert found.images == len(fastbox.list_images()) >= 1
    assert found.cpus == len(os.sched_getaffinity(0))
    with fastbox.prepare(busybox).start(["sleep", "60"]) as container:
        assert fastbox.info().containers_running == found.containers_running + 1
        container.kill()
        container.wait()


def test_info() -> None:
    done = cli.fastbox("info")
    rows = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    assert rows["Version"] == fastbox.__version__
    assert rows["Kernel"] == platform.release()
    assert rows["Root"].startswith(os.environ["FASTBOX_ROOT"])
    keys = json.loads(cli.fastbox("info", "--format", "json").stdout)
    assert keys["KernelVersion"] == platform.release()
    line = cli.fastbox("system", "info", "-f", "{{.ServerVersion}} {{.NCPU}} {{len .Warnings}}")
    assert line.stdout.split()[:2] == [fastbox.__version__, str(keys["NCPU"])]
    cli.refused(cli.fastbox("info", "-f", "{{.NoSuchKey}}"), 125, "NoSuchKey")


def test_version() -> None:
    assert cli.fastbox("version").stdout == f"fastbox {fastbox.__version__}\n"
    done = cli.fastbox("version", "--format", "{{.Client.Version}} {{.Server.Os}}")
    assert done.stdout == f"{fastbox.__version__} linux\n"
    assert json.loads(cli.fastbox("version", "-f", "json").stdout)["Client"]["Os"] == "linux"


def test_doctor() -> None:
    done = cli.fastbox("doctor")
    assert done.returncode == 0, done
    names = [line[8:].split("  ")[0] for line in done.stdout.splitlines()]
    for name in ("kernel", "control groups", "seccomp", "user namespaces", "overlay", "storage"):
        assert name in names, done.stdout
    checks = json.loads(cli.fastbox("doctor", "--json").stdout)
    container = next(check for check in checks if check["name"] == "container")
    assert (container["ok"], container["essential"]) == (True, True)
    for check in checks:
        assert set(check) == {"name", "ok", "essential", "found", "remedy"}
        assert check["ok"] is False or check["remedy"] is None


def test_doctor_names_a_fallback() -> None:
    done = cli.fastbox("doctor", env={**os.environ, "FASTBOX_WITHOUT": "idmapped_tmpfs"})
    line = next(line for line in done.stdout.splitlines() if "id-mapped tmpfs" in line)
    assert line.startswith("missing kernel feature")
    assert "remedy: boot a later kernel" in done.stdout
    assert done.returncode == 0


def test_doctor_where_containers_cannot_run(tmp_path: Path) -> None:
    """A store that cannot be had: said, with what helps, and code 1."""
    (tmp_path / "file").write_text("")
    environment = {**os.environ, "FASTBOX_ROOT": f"{tmp_path}/file"}
    done = cli.fastbox("doctor", env=environment)
    assert done.returncode == 1
    assert "missing storage" in done.stdout
    assert "remedy: name other directories with --root" in done.stdout
    assert "fastbox: containers cannot run here: see storage, container" in done.stderr
    assert "Traceback" not in done.stderr
