"""Whole Debian systems, unpacked by fastbox: their own Python, apt, dpkg, compiler and PHP."""

from __future__ import annotations

import hashlib
import os
import random
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE, CompletedProcess, Popen
from textwrap import dedent

import pytest
from killing import Place, adopting, finished
from needs import needs, needs_root
from roots import debian, published, unpacked

PYTHON = {"bookworm": "Python 3.11.", "bullseye": "Python 3.9."}
PHP = {"bookworm": "PHP 8.2.", "bullseye": "PHP 7.4."}
GCC = {"bookworm": " 12.", "bullseye": " 10."}
RELEASES = list(PYTHON)
# Folders of a Debian root that are compared file by file in each run; all of it in a long one.
SAMPLE = ["etc", "usr/bin", "usr/sbin", "usr/lib/python3", "var", "root", "home", "tmp"]
LONG = os.environ.get("FASTBOX_LONG") == "1"


@pytest.fixture(autouse=True, scope="module")
def _adopting() -> Iterator[None]:
    with adopting():
        yield


@pytest.fixture(scope="module")
def store() -> Path:
    """A store with both releases, kept in the cache: for these tars, and this way of unpacking."""
    needs_root()
    needs("mmdebstrap")
    archives = {release: debian(release) for release in RELEASES}
    sources = Path(__file__).parents[1] / "rust" / "image" / "src"
    unpacking = hashlib.sha256()
    for source in sorted(sources.rglob("*.rs")):
        unpacking.update(source.read_bytes())

    def make(path: Path) -> None:
        with tempfile.TemporaryDirectory() as folder:
            place = Place(Path(folder), path)
            for release, archive in archives.items():
                finished(place.fastbox("import", "-q", str(archive), release, stdout=PIPE))
            assert place.left() == []

    recipe = [*(archive.name for archive in archives.values()), unpacking.hexdigest()]
    return published("debian-store", recipe, make)


@pytest.fixture
def place(store: Path, tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path, store)
    yield place
    assert place.left() == []


def run(place: Place, *args: str, code: int = 0) -> CompletedProcess[str]:
    """`fastbox run` with these arguments, its output and exit code."""
    with place.fastbox("run", "--quiet", *args, stdout=PIPE, stderr=PIPE) as command:
        output, errors = command.communicate(timeout=120)
    assert command.returncode == code, (output, errors)
    return CompletedProcess(args, code, output, errors)


def shell(place: Place, release: str, script: str, *options: str) -> str:
    """What a script writes that runs as root in a release; it must succeed, and not complain."""
    done = run(place, *options, release, "sh", "-euc", dedent(script))
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("release", RELEASES)
def test_programs_of_its_own(place: Place, release: str) -> None:
    script = """
        . /etc/os-release; echo $VERSION_CODENAME
        python3 --version
        python3 -c 'import ssl, json, ctypes, os; print(json.dumps(os.getuid()))'
        php --version | head -n 1
        gcc -dumpfullversion
        perl -e 'print "perl\\n"'
    """
    name, python, uid, php, gcc, perl = shell(place, release, script).splitlines()
    assert (name, uid, perl) == (release, "0", "perl")
    assert python.startswith(PYTHON[release])
    assert php.startswith(PHP[release])
    assert f" {gcc}".startswith(GCC[release])


@pytest.mark.parametrize("release", RELEASES)
def test_apt_and_dpkg_find_their_house_in_order(place: Place, release: str) -> None:
    script = """
        apt-get --version | head -n 1
        apt-get check -q
        apt list --installed 2>/dev/null | grep -c '\\[installed'
        dpkg --audit
        echo verify
        dpkg --verify
        echo end
    """
    lines = shell(place, release, script).splitlines()
    assert lines[0].startswith("apt ")
    assert any(line.isdecimal() and int(line) > 100 for line in lines)
    # Documents are left out of small roots, and nothing else: `dpkg --verify` names what differs.
    differs = lines[lines.index("verify") + 1 : lines.index("end")]
    assert [line for line in differs if not line.startswith("missing     /usr/share/")] == []


@pytest.mark.parametrize("release", RELEASES)
def test_compiler(place: Place, release: str) -> None:
    script = """
        cd /root
        printf '%s' '#include <stdio.h>
        int main(int n, char **v) { printf("hello %d %s\\n", n, v[1]); return 0; }' > hello.c
        gcc -O2 -Wall -Werror -o hello hello.c
        gcc -O2 -static -o fixed hello.c
        ./hello world
        ./fixed world
    """
    assert shell(place, release, script) == "hello 2 world\n" * 2


@pytest.mark.parametrize("release", RELEASES)
def test_users_and_setuid_programs(place: Place, release: str) -> None:
    script = """
        su -s /bin/sh nobody -c id
        useradd --create-home --uid 1234 somebody
        su - somebody -c 'touch file; stat -c "%U %u %G" file; pwd'
        chown daemon:staff /home/somebody/file
        stat -c '%u:%g' /home/somebody/file
        stat -c '%A %U' $(command -v passwd) $(command -v su)
        su somebody -c 'cat /etc/shadow' 2>&1 || echo refused
        cp /usr/bin/id /usr/local/bin/setuid-id
        chown root:root /usr/local/bin/setuid-id
        chmod 4755 /usr/local/bin/setuid-id
        su somebody -c '/usr/local/bin/setuid-id -u'
        su somebody -c 'passwd -S' | cut -d ' ' -f 1,2
        chroot / id -u
        install -d -o www-data -g www-data -m 2770 /srv/www
        stat -c '%U %G %a' /srv/www
        getent passwd 1234 | cut -d : -f 1,3
    """
    assert shell(place, release, script).splitlines() == [
        "uid=65534(nobody) gid=65534(nogroup) groups=65534(nogroup)",
        "somebody 1234 somebody",
        "/home/somebody",
        "1:50",
        "-rwsr-xr-x root",
        "-rwsr-xr-x root",
        "cat: /etc/shadow: Permission denied",
        "refused",
        "0",
        "somebody L",
        "0",
        "www-data www-data 2770",
        "somebody:1234",
    ]


@pytest.mark.parametrize("release", RELEASES)
def test_apt_installs_a_package(place: Place, release: str) -> None:
    """Unpacked by apt's own user where it has one, configured by a script, removed again."""
    script = """
        mkdir -p /tmp/tiny/DEBIAN /tmp/tiny/usr/share/tiny /tmp/tiny/usr/bin
        echo data > /tmp/tiny/usr/share/tiny/data
        cp /bin/true /tmp/tiny/usr/bin/tiny
        chown -R root:root /tmp/tiny
        chmod 6755 /tmp/tiny/usr/bin/tiny
        cat > /tmp/tiny/DEBIAN/control <<'end'
        Package: tiny
        Version: 1.0
        Architecture: all
        Maintainer: Nobody <nobody@example.org>
        Depends: libc6, php7.4-cli | php8.2-cli
        Description: tiny
        end
        cat > /tmp/tiny/DEBIAN/postinst <<'end'
        #!/bin/sh -e
        useradd --system tiny
        chown tiny:tiny /usr/share/tiny/data
        end
        chmod 755 /tmp/tiny/DEBIAN/postinst
        dpkg-deb --build /tmp/tiny /tmp/tiny.deb > /dev/null
        apt-get install -qq --yes --no-install-recommends /tmp/tiny.deb > /tmp/log 2>&1 ||
            { cat /tmp/log; exit 1; }
        dpkg-query --show --showformat '${Package} ${Status}\\n' tiny
        dpkg --verify tiny
        stat -c '%U %a' /usr/share/tiny/data /usr/bin/tiny
        apt-get remove -qq --yes --purge tiny > /tmp/log 2>&1 || { cat /tmp/log; exit 1; }
        test ! -e /usr/share/tiny/data && echo gone
    """
    assert shell(place, release, script).splitlines() == [
        "tiny install ok installed",
        "tiny 644",
        "root 6755",
        "gone",
    ]


# A server, and beside it in the same container a client, which then waits.
SERVER = """
mkdir /w
printf '%s' "<?php echo PHP_VERSION, ' ', php_sapi_name();" > /w/index.php
php -S 127.0.0.1:80 -t /w 2>/dev/null &
until php -r "exit(@fsockopen('127.0.0.1', 80) ? 0 : 1);"; do sleep .05; done
php -r "echo file_get_contents('http://127.0.0.1:80/'), PHP_EOL;"
read line
echo $line
"""


def test_two_versions_of_php_side_by_side(place: Place) -> None:
    """Servers of two releases, on the same port, at the same time."""
    code = """
    import sys, fastbox
    kept = {}
    for release in ("bullseye", "bookworm"):
        plan = fastbox.prepare(release)
        kept[release] = plan.start(["sh", "-c", sys.argv[1]], stdin=fastbox.PIPE, text=True)
    print([container.stdout.readline() for container in kept.values()])
    for release, container in kept.items():
        container.stdin.write(f"{release}\\n")
        container.stdin.close()
        print(container.stdout.read(), end="")
    """
    with place.python(code, SERVER) as caller:
        output, _ = caller.communicate(timeout=60)
    versions, *names = output.splitlines()
    assert re.fullmatch(r"\['7\.4\.\S+ cli-server\\n', '8\.2\.\S+ cli-server\\n'\]", versions), (
        versions
    )
    assert names == ["bullseye", "bookworm"]


# All that an archive says of a file, but the time of /etc, where the engine's own files are.
LISTING = r"""
cd "$1"; shift
find "$@" -xdev -printf '%p\t%y\t%m\t%U:%G\t%s\t%n\t%T@\t%l\n' |
    awk -F '\t' -v OFS='\t' '
        $2 == "d" { $5 = $6 = "" }
        $1 == "etc" || $1 == "./etc" { $7 = "" }
        { print }' | sort
find "$@" -xdev -type f -print0 | sort -z | xargs -0 -r sha256sum
"""


@pytest.mark.parametrize("release", RELEASES)
def test_tree_equals_the_archives(place: Place, release: str, dice: random.Random) -> None:
    """Modes, owners, sizes, times, links and contents are those that tar unpacks, as root."""
    original = unpacked(debian(release))
    folders = ["."] if LONG else [f for f in SAMPLE if (original / f).is_dir()]
    if not LONG:
        packages = sorted(path.name for path in (original / "usr/share").iterdir() if path.is_dir())
        folders += [f"usr/share/{name}" for name in dice.sample(packages, 5)]
    # Bound in read-only, so that nothing of a running container's own is in the picture.
    with Popen(
        ["sh", "-euc", LISTING, "sh", str(original), *folders], stdout=PIPE, text=True
    ) as listing:
        expected, _ = listing.communicate()
    arguments = ["--read-only", release, "sh", "-euc", LISTING, "sh", "/", *folders]
    found = run(place, *arguments).stdout
    ours = {line for line in found.splitlines() if not _own(line)}
    theirs = {line for line in expected.splitlines() if not _own(line)}
    assert len(theirs) > 1000
    assert sorted(ours - theirs)[:20] == []
    assert sorted(theirs - ours)[:20] == []


def _own(line: str) -> bool:
    """Whether it is of a file that each container has from the engine, or a folder it mounts on."""
    path = line.split("\t")[0] if "\t" in line else line.split("  ", 1)[1]
    path = path.removeprefix("./")
    ours = (".", "etc/hosts", "etc/hostname", "etc/resolv.conf", "dev", "proc", "sys")
    return path in ours or path.startswith(("dev/", "proc/", "sys/"))
