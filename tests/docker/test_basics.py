"""Flags that the first release had, beside Docker's."""

from __future__ import annotations

from pathlib import Path

import pytest
from compare import Both

flag = pytest.mark.docker_flag


def shell(both: Both, *words: str | Path, script: str) -> str:
    """The same script in both, with these flags; its output."""
    return both(*words, "IMAGE", "sh", "-c", script).same()


@flag("env")
def test_env(both: Both) -> None:
    words = ["-e", "A=1", "--env", "B=x y=z", "--env=C=", "-eD", "-e", "UNSET", "-e", "HOME=/h"]
    done = both(*words, "IMAGE", "sh", "-c", "env | grep -v HOSTNAME | sort", env={"D": "d"})
    assert "D=d\n" in done.same()


@flag("env")
@pytest.mark.parametrize("word", ["=x", ""])
def test_env_refused(both: Both, word: str) -> None:
    both("-e", word, "IMAGE", "true").refused("env")


@flag("workdir")
@pytest.mark.parametrize("path", ["/tmp", "/made/deep", "/tmp/../usr/bin/", "/etc/."])
def test_workdir(both: Both, path: str) -> None:
    script = "pwd; ls -ld . | cut -c1-10; stat -c %u:%g ."
    assert shell(both, "-w", path, script=script) == shell(both, f"--workdir={path}", script=script)


@flag("workdir")
def test_workdir_refused(both: Both) -> None:
    both("-w", "relative", "IMAGE", "true").refused("relative", "absolute path")


@flag("user")
@pytest.mark.parametrize(
    "user", ["user", "1000", "user:daemon", "1000:33", "7777", "7777:8888", "root", "0:1000", ""]
)
def test_user(both: Both, user: str) -> None:
    shell(both, "-u", user, script="id -u; id -g; id -G; echo $HOME; touch /x && echo wrote")


@flag("user")
@pytest.mark.parametrize("user", ["nobody-of-that-name", "user:no-such-group", "99999999999"])
def test_user_refused(both: Both, user: str) -> None:
    both("-u", user, "IMAGE", "true").refused(user.rpartition(":")[2])


@flag("hostname")
def test_hostname(both: Both) -> None:
    script = "hostname; cat /etc/hostname; echo $HOSTNAME"
    assert shell(both, "-h", "guest.example", script=script).startswith("guest.example\n")
    assert shell(both, script="hostname | wc -c; cat /etc/hostname | wc -c") == "13\n13\n"


def limit(path: str) -> str:
    """A script that prints a limit of version 1 or version 2, or that there is none.

    A container without limits is in no group of ours; the program sees no file then.
    """
    return f"cat {path} 2>/dev/null | grep -vE '^(-1|max|9223372036854771712)$' || echo unlimited"


MEMORY = limit("/sys/fs/cgroup/memory/memory.limit_in_bytes")


@flag("memory")
@pytest.mark.parametrize("size", ["64m", "67108864", "6M", "0.5g", "100000000b"])
def test_memory(both: Both, size: str) -> None:
    assert shell(both, "-m", size, script=MEMORY) != "unlimited\n"


@flag("memory")
def test_memory_unlimited(both: Both) -> None:
    assert shell(both, "-m", "0", script=MEMORY) == "unlimited\n"


@flag("memory")
@pytest.mark.parametrize("size", ["5m", "lots", "-1", "64x", ""])
def test_memory_refused(both: Both, size: str) -> None:
    both(f"--memory={size}", "IMAGE", "true").refused("memory")


@flag("memory")
def test_memory_exceeded(both: Both) -> None:
    done = both("-m", "16m", "IMAGE", "sh", "-c", "x=0123456789; while :; do x=$x$x; done")
    assert done.docker.code == 137
    done.same_output()


@flag("cpus")
@pytest.mark.parametrize("count", ["1.5", "0.25", ".5"])
def test_cpus(both: Both, count: str) -> None:
    shell(both, "--cpus", count, script="cat /sys/fs/cgroup/cpu/cpu.cfs_*_us")


@flag("cpus")
def test_cpus_unlimited(both: Both) -> None:
    script = limit("/sys/fs/cgroup/cpu/cpu.cfs_quota_us")
    assert shell(both, "--cpus", "0", script=script) == "unlimited\n"


@flag("cpus")
@pytest.mark.parametrize("count", ["many", "-1", "0.0000000001", "9999"])
def test_cpus_refused(both: Both, count: str) -> None:
    both(f"--cpus={count}", "IMAGE", "true").refused("cpus")


@flag("pids-limit")
@pytest.mark.parametrize("count", ["20", "0", "-1"])
def test_pids_limit(both: Both, count: str) -> None:
    shell(both, "--pids-limit", count, script=limit("/sys/fs/cgroup/pids/pids.max"))


@flag("pids-limit")
def test_pids_limit_refused(both: Both) -> None:
    both("--pids-limit", "some", "IMAGE", "true").refused("pids-limit")


@flag("read-only", "tmpfs")
def test_read_only(both: Both) -> None:
    script = "touch /x 2>&1; touch /tmp/x && echo wrote; touch /dev/shm/x && echo wrote"
    shell(both, "--read-only", script=script)
    assert "wrote" in shell(both, "--read-only", "--tmpfs", "/tmp", script=script)
    shell(both, "--read-only=false", script=script)


@flag("tmpfs")
@pytest.mark.parametrize(
    "options", ["", ":size=4m", ":size=4096k,mode=1700,exec", ":ro", ":nosuid"]
)
def test_tmpfs(both: Both, options: str) -> None:
    script = "stat -c '%a %u:%g' /mnt/t; touch /mnt/t/x && echo wrote;"
    # Without the ids of the directory, which the kernel prints as they are outside.
    script += " awk '$5 == \"/mnt/t\" {print $6, $9, $NF}' /proc/self/mountinfo"
    script += " | sed 's/,[ug]id=[0-9]*//g'"
    shell(both, "--tmpfs", f"/mnt/t{options}", script=script)


@flag("tmpfs")
@pytest.mark.parametrize("value", ["relative", "/t:bogus=1", "/t:size=lots"])
def test_tmpfs_refused(both: Both, value: str) -> None:
    both("--tmpfs", value, "IMAGE", "true").refused("tmpfs")


CAPABILITIES = "grep ^Cap /proc/self/status"


@flag("cap-add", "cap-drop")
@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--cap-drop=ALL"],
        ["--cap-drop", "all", "--cap-add", "net_bind_service"],
        ["--cap-add", "CAP_SYS_TIME", "--cap-add=sys_nice"],
        ["--cap-drop", "CHOWN", "--cap-drop", "CAP_KILL"],
        ["--cap-drop", "CHOWN", "-u", "user"],
    ],
)
def test_capabilities(both: Both, words: list[str]) -> None:
    shell(both, *words, script=CAPABILITIES)


@flag("cap-add", "cap-drop")
@pytest.mark.parametrize("flag", ["--cap-add", "--cap-drop"])
def test_capabilities_refused(both: Both, flag: str) -> None:
    both(flag, "FLY", "IMAGE", "true").refused("fly")


@flag("volume")
def test_volume(both: Both, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "file").write_text("content\n")
    script = (
        "cat /mnt/file /one; echo x > /mnt/new; echo $?; stat -c %u:%g /mnt/file; rm -f /mnt/new"
    )
    shell(both, "-v", f"{tmp_path}:/mnt", "-v", f"{tmp_path}/file:/one:ro", script=script)
    shell(both, "-v", f"{tmp_path}:/mnt:ro", "-v", f"{tmp_path}/file:/one", script=script)
    assert (tmp_path / "file").read_text() == "content\n"


@flag("volume")
@pytest.mark.parametrize("value", ["/a:relative", "/a:/b:ro,rw", "/a:/b:bogus", "/a:/"])
def test_volume_refused(both: Both, value: str) -> None:
    both("-v", value, "IMAGE", "true").refused()


@flag("name")
@pytest.mark.parametrize("name", ["a", "-x", "white space", "ü", "/.."])
def test_name_refused(both: Both, name: str) -> None:
    both(f"--name={name}", "IMAGE", "true").refused("name")


@flag("name", "rm")
def test_name(both: Both) -> None:
    for _ in range(2):  # gone with the container, so it can be used again
        shell(both, "--name", "twice", "--rm", script="true")


@flag("interactive")
def test_interactive(both: Both) -> None:
    assert both("-i", "IMAGE", "cat", input="some\ntext").same() == "some\ntext"
    assert both("IMAGE", "cat", input="some\ntext").same() == ""


@flag("network")
def test_network(both: Both) -> None:
    # Without ::1, which Docker took away in some versions and has in later ones.
    script = "ls /sys/class/net; ip addr show lo | grep 'inet '; cat /proc/net/route | wc -l"
    shell(both, "--network", "none", script=script)
    script = "ls /sys/class/net; cat /etc/resolv.conf; hostname"
    both("--network=host", "IMAGE", "sh", "-c", script).same_output()  # ours has a note on stderr


@flag("network")
def test_network_refused(both: Both) -> None:
    both("--network", "no-such-network", "IMAGE", "true").refused("no-such-network")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["no-such-program"], 127),
        (["/etc/passwd"], 126),
        (["/etc"], 126),
        (["sh", "-c", "exit 42"], 42),
        (["sh", "-c", "kill -9 $$; exit 3"], 3),
        (["sh", "-c", "sh -c 'kill -9 $$'; exit $?"], 137),
        (["sh", "-c", "trap 'exit 5' TERM; kill $$; sleep 5"], 5),
    ],
)
def test_exit_code(both: Both, words: list[str], code: int) -> None:
    done = both("IMAGE", *words)
    assert (done.docker.code, done.fastbox.code) == (code, code), done


@flag("health-timeout", "health-start-period")
def test_times_of_health_checks(both: Both) -> None:
    words = ["--health-cmd", "true", "--health-timeout", "3s", "--health-start-period", "1m5s"]
    assert both(*words, "IMAGE", "echo", "ran").same() == "ran\n"
    for name in ("timeout", "start-period"):
        both(f"--health-{name}=soon", "IMAGE", "true").refused(f"health-{name}", "soon")
        both("--health-cmd=true", f"--health-{name}=-1s", "IMAGE", "true").refused(name)
