"""`--mount`, `-v` and the volumes of images, beside Docker's."""

from __future__ import annotations

from pathlib import Path

import pytest
from compare import Both

flag = pytest.mark.docker_flag


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory of the host with a few files, open to all."""
    tmp_path.chmod(0o755)
    (tmp_path / "sub").mkdir()
    (tmp_path / "file").write_text("content\n")
    (tmp_path / "sub" / "deep").write_text("deep\n")
    return tmp_path


def output(both: Both, *words: str | Path, script: str) -> str:
    """The same script in both, with these flags; its output."""
    return both(*words, "IMAGE", "sh", "-c", script).same_output()


@flag("mount")
@pytest.mark.parametrize(
    "fields",
    [
        "target=/v",
        "dst=/v,readonly",
        "destination=/v,ro=true",
        "target=/v/,readonly=false",
        "target=/x/../v,consistency=cached",
        "target=/v,bind-propagation=rprivate",
        "target=/v,readonly,bind-nonrecursive=true",
        "target=/v,bind-recursive=disabled",
        "target=/v,readonly,bind-recursive=writable",
    ],
)
def test_bind(both: Both, folder: Path, fields: str) -> None:
    script = "cat /v/file /v/sub/deep; stat -c %u:%g /v/file; touch /v/new; echo $?; rm -f /v/new"
    output(both, "--mount", f"type=bind,source={folder},{fields}", script=script)


@flag("mount")
def test_bind_of_a_file_and_a_comma(both: Both, folder: Path) -> None:
    (folder / "a,b").write_text("comma\n")
    words = ["--mount", f'type=bind,"src={folder}/a,b",dst=/etc/new']
    words += ["--mount", f"type=bind,src={folder}/file,dst=/etc/passwd,ro"]
    assert output(both, *words, script="cat /etc/new /etc/passwd") == "comma\ncontent\n"


@flag("mount", "volume")
def test_one_in_another(both: Both, folder: Path) -> None:
    words = ["--mount", "type=tmpfs,dst=/v/sub", "-v", f"{folder}:/v"]
    assert output(both, *words, script="ls /v /v/sub; cat /v/file") == (
        "/v:\nfile\nsub\n\n/v/sub:\ncontent\n"
    )
    words = ["-v", f"{folder}/sub:/w/x", "--mount", f"type=bind,src={folder},dst=/w,ro"]
    (folder / "x").mkdir()
    assert output(both, *words, script="ls /w /w/x") == "/w:\nfile\nsub\nx\n\n/w/x:\ndeep\n"


@flag("mount", "read-only")
def test_tmpfs(both: Both) -> None:
    words = ["--read-only", "--mount", "type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=1750"]
    script = "stat -c %a /t; df -k /t | tail -n1 | tr -s ' ' | cut -d' ' -f2; touch /t/x; echo $?"
    assert output(both, *words, script=script) == "1750\n1024\n0\n"


@flag("mount")
@pytest.mark.parametrize(
    "value",
    [
        "type=bind,source=/no/such/path,target=/v",
        "type=bind,source=/tmp",
        "type=bind,target=/v",
        "type=bind,source=/tmp,target=relative",
        "type=bind,source=/tmp,target=/",
        "type=bind,source=/tmp,target=/v,frob=1",
        "type=bind,source=/tmp,target=/v,readonly=maybe",
        "type=bind,source=/tmp,target=/v,bind-propagation=up",
        "type=bind,source=/tmp,target=/v,tmpfs-size=1m",
        "type=bind,source=/tmp,target=/v,bind-recursive=writable",
        "type=tmpfs,target=/v,source=/tmp",
        "type=tmpfs,target=/v,tmpfs-size=big",
        "type=tmpfs,target=/v,tmpfs-mode=999",
        "type=teapot,target=/v,source=/tmp",
        'type=bind,"source=/tmp,target=/v',
        "",
    ],
)
def test_mount_refused(both: Both, value: str) -> None:
    both("--mount", value, "IMAGE", "true").refused("mount" if "/no/such" not in value else "such")


@flag("volume")
def test_relative_sources(both: Both, folder: Path) -> None:
    script = "cat /v/file /w/deep"
    done = both("-v", ".:/v", "-v", "./sub:/w:ro", "IMAGE", "sh", "-c", script, cwd=folder)
    assert done.same() == "content\ndeep\n"


@flag("volume")
@pytest.mark.parametrize("options", ["ro", "rw", "z", "Z", "ro,Z", "rprivate", "ro,private,z"])
def test_volume_options(both: Both, folder: Path, options: str) -> None:
    script = "cat /v/file; touch /v/new; echo $?; rm -f /v/new"
    output(both, "-v", f"{folder}:/v:{options}", script=script)


@flag("volume")
@pytest.mark.parametrize("options", ["nocopy", "ro,rw", "bogus", "ro,rslave,rprivate", ""])
def test_volume_options_refused(both: Both, folder: Path, options: str) -> None:
    both("-v", f"{folder}:/v:{options}", "IMAGE", "true").refused("volume")


@flag("volume")
def test_missing_source(both: Both, tmp_path: Path) -> None:
    for name, command in zip(("one", "other"), both.commands("IMAGE", "true"), strict=True):
        words = [*command[:-2], "-v", f"{tmp_path}/{name}/made:/v", *command[-2:]]
        run = both.docker if name == "one" else both.fastbox
        done = run(*words[words.index("run") :])
        assert done.code == 0, done
        made = tmp_path / name / "made"
        assert made.is_dir()
        assert made.stat().st_mode & 0o777 == 0o755


@flag("volume", "mount")
def test_duplicates_refused(both: Both, folder: Path) -> None:
    words = ["-v", f"{folder}:/v", "--mount", "type=tmpfs,target=/v"]
    both(*words, "IMAGE", "true").refused("duplicate mount point: /v")
