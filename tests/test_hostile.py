"""Hostile images and programs, from the command line: each with a sentinel on the host."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE, Popen
from textwrap import dedent

import pytest
import roots
from killing import Place, adopting, finished
from needs import needs, needs_root

LONG = os.environ.get("FASTBOX_LONG") == "1"
SECRET = "what only the host has"
# With ids of its own, and with the caller's.
MODES: list[list[str]] = [[], ["--network", "host"], ["--userns", "host"]]


@pytest.fixture(autouse=True)
def _adopting() -> Iterator[None]:
    with adopting():
        yield


@pytest.fixture
def sentinel(tmp_path: Path) -> Iterator[Path]:
    """A file of the host's that nothing may read, change or remove."""
    path = tmp_path / "host" / "sentinel"
    path.parent.mkdir()
    path.write_text(SECRET)
    before = path.stat()
    yield path
    assert path.read_text() == SECRET
    assert [child.name for child in path.parent.iterdir()] == ["sentinel"]
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    needs_root()
    needs("busybox")
    place = Place(tmp_path)
    yield place
    assert place.left() == []


def add(archive: tarfile.TarFile, name: str, data: bytes = b"", **fields: object) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    member.mode = 0o755
    for field, value in fields.items():
        setattr(member, field, value)
    archive.addfile(member, io.BytesIO(data))


def image_with(place: Place, name: str, files: dict[str, bytes]) -> str:
    """An image of busybox and these files."""
    archive = place.run.parent / f"{name}.tar"
    archive.write_bytes(roots.busybox().read_bytes())
    with tarfile.open(archive, "a") as tar:
        for path, data in files.items():
            add(tar, path, data)
    finished(place.fastbox("import", "-q", str(archive), name, stdout=PIPE))
    return name


def ran(command: Popen[str]) -> tuple[int, str, str]:
    with command:
        output, errors = command.communicate(timeout=60)
    return command.returncode, output, errors


@pytest.mark.parametrize("options", MODES[1:])
@pytest.mark.parametrize("how", ["command", "script", "loader"])
def test_the_hosts_program_is_out_of_reach(place: Place, options: list[str], how: str) -> None:
    """/proc/self/exe, when an image asks to have it executed, is not the caller's interpreter."""
    script = b"#!/proc/self/exe -c\nimport os; print('reached', os.uname())\n"
    image = image_with(place, "exe", {"script": script, "link/exe": b""})
    command = {
        "command": ["/proc/self/exe", "-c", "print('reached')"],
        "script": ["/script"],
        "loader": ["sh", "-c", "exec /script"],
    }[how]
    code, output, errors = ran(
        place.fastbox("run", *options, image, *command, stdout=PIPE, stderr=PIPE)
    )
    assert (code, output) == (127, ""), errors


@pytest.mark.parametrize("options", MODES)
def test_no_link_of_proc_leads_out(place: Place, options: list[str], sentinel: Path) -> None:
    """None of what the first process has open or is in names a file of the host."""
    program = f"""
    for place in /proc/self /proc/1 /proc/[0-9]*; do
        cat $place/root{sentinel} $place/cwd{sentinel} && echo reached
        cat $place/cwd/../../../..{sentinel} && echo reached
        for fd in $place/fd/*; do
            cat $fd/..{sentinel} $fd/../../../../..{sentinel} && echo reached
        done
        for map in $place/map_files/*; do
            case $(readlink $map) in /bin/*) ;; "") ;; *) echo reached $map ;; esac
        done
    done 2>/dev/null
    echo end
    """
    image = image_with(place, "proc", {})
    command = place.fastbox("run", *options, image, "sh", "-c", dedent(program), stdout=PIPE)
    code, output, _ = ran(command)
    assert (code, output) == (0, "end\n")


HOSTILE = {
    "climbs": [("../../../../../../..{host}/new", {})],
    "climbs by a link": [
        ("link", {"type": tarfile.SYMTYPE, "linkname": "{host}"}),
        ("link/sentinel", {"data": b"overwritten"}),
    ],
    "climbs by a chain of links": [
        ("a", {"type": tarfile.SYMTYPE, "linkname": "../../../../../../../../.."}),
        ("b", {"type": tarfile.SYMTYPE, "linkname": "a{host}"}),
        ("b/sentinel", {"data": b"overwritten"}),
        ("b/new", {"data": b"new"}),
    ],
    "links the host's file": [
        ("hard", {"type": tarfile.LNKTYPE, "linkname": "{host}/sentinel"}),
    ],
    "links the host's file by a link": [
        ("link", {"type": tarfile.SYMTYPE, "linkname": "{host}"}),
        ("hard", {"type": tarfile.LNKTYPE, "linkname": "link/sentinel"}),
    ],
    "whites the host's file out": [
        ("link", {"type": tarfile.SYMTYPE, "linkname": "{host}"}),
        ("link/.wh.sentinel", {}),
    ],
    "names it in an extended header": [
        ("x", {"pax_headers": {"path": "../../../../../../..{host}/new"}}),
    ],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_archives_that_climb(place: Place, sentinel: Path, name: str) -> None:
    """Refused, or contained in the image: and then the image shows nothing of the host's."""
    archive = place.run.parent / "hostile.tar"
    host = str(sentinel.parent)

    def filled(value: object) -> object:
        if isinstance(value, dict):
            return {key: filled(inner) for key, inner in value.items()}
        return value.format(host=host) if isinstance(value, str) else value

    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as tar:
        for path, fields in HOSTILE[name]:
            changed = {key: filled(value) for key, value in fields.items()}
            data = changed.pop("data", b"")
            assert isinstance(data, bytes)
            add(tar, str(filled(path)), data, **changed)
    code, _, errors = ran(
        place.fastbox("import", str(archive), "hostile", stdout=PIPE, stderr=PIPE)
    )
    if code == 0:
        for folder, _, files in os.walk(place.root):
            for file in files:
                path = Path(folder, file)
                inside = path.is_file() and not path.is_symlink()
                assert not inside or SECRET not in path.read_text(errors="replace")
    else:
        assert code in (1, 125), errors
        assert errors.startswith("fastbox: ")
        assert "Traceback" not in errors
        assert ran(place.fastbox("images", "-q", stdout=PIPE))[1] == ""


def test_programs_that_flood(place: Place, sentinel: Path) -> None:
    """All that the preset for untrusted programs limits, at once: it ends, and the host is well."""
    program = """
    while :; do dd if=/dev/zero of=/tmp/$$.$RANDOM bs=1M count=64 2>/dev/null; done &
    tail /dev/zero &
    while :; do mkdir -p d/d/d && cd d/d/d; done 2>/dev/null &
    (bomb() { bomb | bomb & }; bomb) 2>/dev/null &
    line=0123456789abcdef
    for i in 1 2 3 4 5 6 7 8; do line=$line$line; done
    while :; do echo $line; done
    """
    image = image_with(place, "flood", {})
    options = ["--preset", "untrusted", "--timeout", "3"]
    code, output, errors = ran(
        place.fastbox("run", *options, image, "sh", "-c", dedent(program), stdout=PIPE, stderr=PIPE)
    )
    # By the limit on output, on memory or on time, whichever comes first.
    assert code in (124, 137), errors
    assert len(output) <= 16 << 20


# Chains of folders, each moved to the bottom of the next: deeper than any path can say.
DEEP = """
p=$(yes d | head -n 1500 | tr '\\n' /)
mkdir chain
i=0
while [ $i -lt CHAINS ]; do
    mkdir -p next/$p && mv chain next/$p && mv next chain || exit 3
    i=$((i + 1))
done
""".replace("CHAINS", "20" if LONG else "2")


def test_a_tree_deeper_than_any_stack(place: Place) -> None:
    """It is removed all the same, and the caller, whose thread removes it, is well."""
    image = image_with(place, "deep", {})
    code = """
    import resource, sys, fastbox
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))
    plan = fastbox.prepare(sys.argv[1])
    assert plan.run(["sh", "-c", sys.argv[2]]).exit_code == 0
    print("made")
    sys.stdin.readline()
    assert plan.run(["true"]).exit_code == 0
    """
    with place.python(code, image, DEEP, stdin=PIPE) as caller:
        assert caller.stdout is not None
        assert caller.stdout.readline() == "made\n"
        assert place.containers(60) == []
        caller.communicate("\n", timeout=60)
    assert caller.returncode == 0
