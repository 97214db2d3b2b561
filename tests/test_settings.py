"""Configuration files, global flags, and what is told of what happens."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import cli
import pytest

pytestmark = pytest.mark.both_ways


def configured(path: Path, text: str) -> dict[str, str]:
    """An environment in which this is the configuration file."""
    path.write_text(text)
    return {**os.environ, "FASTBOX_CONFIG": str(path)}


def python(source: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(source)],
        capture_output=True,
        env={**os.environ, **environment},
        text=True,
        timeout=60,
    )


def test_defaults_of_run(tmp_path: Path, busybox: str) -> None:
    environment = configured(
        tmp_path / "config.toml",
        '[run]\nhostname = "set"\nenv = ["A=file", "B"]\nread-only = true\n',
    )
    environment["B"] = "caller"
    script = "hostname; echo $A $B; touch /x 2>/dev/null || echo read-only"

    def lines(*args: str) -> list[str]:
        done = cli.fastbox("run", *args, busybox, "sh", "-c", script, env=environment)
        assert done.returncode == 0, done
        return done.stdout.splitlines()

    assert lines() == ["set", "file caller", "read-only"]
    assert lines("-h", "given", "-e", "A=line", "--read-only=false") == ["given", "line"]


def test_python_takes_no_defaults_of_run(tmp_path: Path) -> None:
    environment = configured(tmp_path / "config.toml", '[run]\nhostname = "set"\n')
    done = python(
        "import fastbox; print(fastbox.run('host', ['uname', '-n'], text=True).stdout != 'set\\n')",
        **environment,
    )
    assert done.stdout == "True\n", done


def test_root_and_run_root(tmp_path: Path) -> None:
    file = "[run]\n", f'root = "{tmp_path}/f-root"\nrun-root = "{tmp_path}/f-run"\n'
    environment = configured(tmp_path / "config.toml", file[1] + file[0])
    del environment["FASTBOX_ROOT"], environment["FASTBOX_RUN"]
    assert cli.fastbox("images", "-q", env=environment).returncode == 0
    assert (tmp_path / "f-root" / "oci-layout").exists()
    assert (tmp_path / "f-run" / "owners").exists()
    environment["FASTBOX_ROOT"] = str(tmp_path / "e-root")
    assert cli.fastbox("images", "-q", env=environment).returncode == 0
    assert (tmp_path / "e-root" / "oci-layout").exists()
    done = cli.fastbox(
        *("--root", "g-root", f"--run-root={tmp_path}/g-run", "images", "-q"),
        cwd=tmp_path,
        env=environment,
    )
    assert done.returncode == 0, done
    assert (tmp_path / "g-root" / "oci-layout").exists()
    assert (tmp_path / "g-run" / "owners").exists()


def test_user_file_before_system_file(tmp_path: Path) -> None:
    home = tmp_path / "fastbox" / "config.toml"
    home.parent.mkdir()
    environment = configured(home, '[run]\nhostname = "mine"\n')
    del environment["FASTBOX_CONFIG"]
    environment["XDG_CONFIG_HOME"] = str(tmp_path)
    assert cli.fastbox("run", "host", "uname", "-n", env=environment).stdout == "mine\n"
    home.chmod(0o666)
    done = cli.fastbox("run", "host", "true", env=environment)
    cli.refused(done, 125, f"{home} can be changed by others")


@pytest.mark.parametrize("verb", ["run", "images"])
def test_a_mistake_in_a_file(tmp_path: Path, verb: str) -> None:
    environment = configured(tmp_path / "config.toml", '\n[run]\nmemroy = "1g"\n')
    done = cli.fastbox(verb, *(["host", "true"] if verb == "run" else []), env=environment)
    where = f'{tmp_path}/config.toml, line 3: unknown key "run.memroy"; is run.memory meant?'
    cli.refused(done, 125, where)
    error = python(
        "import fastbox\ntry: fastbox.list_images()\nexcept fastbox.SpecError as e: print(e)",
        **environment,
    )
    assert error.stdout == f"{where}\n"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (
            ["--config", "/no/such/file", "images"],
            "cannot read the configuration file /no/such/file",
        ),
        (["--log-level", "loud", "images"], '--log-level: unknown level "loud"'),
        (["-lloud", "images"], 'unknown level "loud"'),
        (["--root"], "flag needs an argument: --root"),
        (["--root=", "images"], "--root"),
        (["-D=1", "images"], "flag takes no value: -D=1"),
        (["-H", "tcp://a", "images"], "-H cannot be had: there is no daemon"),
        (["--tlsverify", "images"], "--tlsverify cannot be had"),
        (["--frob", "images"], "unknown flag: --frob"),
        (["-x"], "unknown flag: -x"),
    ],
)
def test_global_flags_refused(args: list[str], words: str) -> None:
    cli.refused(cli.fastbox(*args), 125, words)


def test_a_misspelt_command() -> None:
    cli.refused(cli.fastbox("imgaes"), 1, "unknown command: imgaes, is images meant?")


def test_log_on_stderr() -> None:
    for args, environment in (
        (["-D", "run", "host", "true"], os.environ),
        (["--log-level", "debug", "run", "host", "true"], os.environ),
        (["run", "host", "true"], {**os.environ, "FASTBOX_LOG": "debug"}),
    ):
        done = cli.fastbox(*args, env=environment)
        assert done.returncode == 0, done
        lines = [line for line in done.stderr.splitlines() if line.startswith("fastbox: debug: ")]
        for words in ("has the store", "prepared host", "started, pid", "ended, exit code 0"):
            assert [line for line in lines if words in line], (words, done)
    quiet = cli.fastbox("run", "host", "true", env={**os.environ, "FASTBOX_LOG": "error"})
    assert "debug" not in quiet.stderr


def test_log_of_python() -> None:
    done = python(
        """
        import sys, fastbox
        assert "logging" not in sys.modules
        import logging
        records = []
        class Handler(logging.Handler):
            def emit(self, record):
                records.append((record.levelname, record.getMessage(), record.created))
        root = list(logging.root.handlers), logging.root.level
        logger = logging.getLogger("fastbox")
        fastbox.run("host", ["true"])
        assert not records
        logger.setLevel(logging.DEBUG)
        logger.addHandler(Handler())
        fastbox.run("host", ["sh", "-c", "exit 3"])
        assert (list(logging.root.handlers), logging.root.level) == root
        started, ended = records[-2:]
        assert started[0] == ended[0] == "DEBUG"
        assert "started, pid" in started[1] and "ended, exit code 3" in ended[1], records
        assert started[2] <= ended[2]
        logger.setLevel(logging.WARNING)
        records.clear()
        fastbox.run("host", ["true"])
        assert not records
        """
    )
    assert (done.returncode, done.stderr) == (0, ""), done


def test_a_log_handler_that_fails_fails_no_container() -> None:
    done = python(
        """
        import logging, fastbox
        class Handler(logging.Handler):
            def emit(self, record):
                raise RuntimeError("handler")
        logger = logging.getLogger("fastbox")
        logger.setLevel(logging.DEBUG)
        logger.addHandler(Handler())
        print(fastbox.run("host", ["echo", "out"]).stdout)
        """
    )
    assert done.stdout == "b'out\\n'\n", done
