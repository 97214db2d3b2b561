"""Limits and kernel objects beside Docker's: what the program sees of them, and what is refused."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from compare import Both, Pair
from killing import until
from needs import needs

flag = pytest.mark.docker_flag
CGROUP = "/sys/fs/cgroup"


def shell(both: Both, *words: str | Path, script: str) -> str:
    """The same script in both, with these flags; its output. Docker's warnings do not count."""
    return both(*words, "IMAGE", "sh", "-c", script).same_output()


def emptied(group: Path) -> bool:
    """Waits until a control group has none below it."""
    return until(lambda: not [*group.glob("*/")])


def neither(pair: Pair, *words: str) -> None:
    """Checks that neither ran it, where Docker's exit code follows from the words of its error."""
    assert pair.docker.code in (125, 126, 127), pair
    assert pair.fastbox.code == 125, pair
    assert pair.fastbox.stderr.startswith("fastbox: "), pair
    for word in words:
        assert word in pair.fastbox.stderr, pair


@flag("memory-swap")
@pytest.mark.parametrize(
    "words",
    [
        ["-m", "64m"],
        ["-m", "64m", "--memory-swap", "64m"],
        ["-m", "64m", "--memory-swap", "96m"],
        ["-m", "64m", "--memory-swap", "0"],
        ["-m", "64m", "--memory-swap=-1"],
    ],
)
def test_memory_swap(both: Both, words: list[str]) -> None:
    shell(both, *words, script=f"cat {CGROUP}/memory/memory.memsw.limit_in_bytes")


@flag("memory-swap")
@pytest.mark.parametrize(
    "words",
    [["--memory-swap", "64m"], ["-m", "64m", "--memory-swap", "32m"], ["--memory-swap=-2"]],
)
def test_memory_swap_refused(both: Both, words: list[str]) -> None:
    both(*words, "IMAGE", "true").refused("memory-swap")


@flag("memory-reservation")
def test_memory_reservation(both: Both) -> None:
    words = ["-m", "64m", "--memory-reservation"]
    script = f"cat {CGROUP}/memory/memory.soft_limit_in_bytes"
    assert shell(both, *words, "32m", script=script) == "33554432\n"
    for size in ("5m", "65m", "x"):
        both(*words, size, "IMAGE", "true").refused("memory-reservation")


@flag("memory-swappiness")
@pytest.mark.parametrize("number", ["0", "33", "100"])
def test_memory_swappiness(both: Both, number: str) -> None:
    words = ["-m", "64m", "--memory-swappiness", number]
    shell(both, *words, script=f"cat {CGROUP}/memory/memory.swappiness")


@flag("memory-swappiness")
def test_memory_swappiness_refused(both: Both) -> None:
    for number in ("101", "-2", "x"):
        both(f"--memory-swappiness={number}", "IMAGE", "true").refused("memory-swappiness")


@flag("oom-kill-disable")
def test_oom_kill_disable(both: Both) -> None:
    script = f"grep oom_kill_disable {CGROUP}/memory/memory.oom_control"
    words = ["-m", "64m", "--oom-kill-disable"]
    assert shell(both, *words, script=script) == "oom_kill_disable 1\n"
    shell(both, "-m", "64m", "--oom-kill-disable=false", script=script)


@flag("oom-score-adj")
def test_oom_score_adj(both: Both) -> None:
    shell(both, "--oom-score-adj", "321", script="cat /proc/self/oom_score_adj")
    shell(both, "--oom-score-adj=7", "-u", "1000", script="cat /proc/self/oom_score_adj")
    for number in ("1001", "-1001", "x"):
        both(f"--oom-score-adj={number}", "IMAGE", "true").refused("oom-score-adj")


@flag("cpu-shares")
@pytest.mark.parametrize("words", [["-c", "512"], ["--cpu-shares", "2"], ["--cpu-shares=262144"]])
def test_cpu_shares(both: Both, words: list[str]) -> None:
    shell(both, *words, script=f"cat {CGROUP}/cpu/cpu.shares")


@flag("cpu-shares")
def test_cpu_shares_refused(both: Both) -> None:
    for number in ("1", "262145", "x"):
        both("--cpu-shares", number, "IMAGE", "true").refused("cpu-shares")


@flag("cpu-period", "cpu-quota")
@pytest.mark.parametrize(
    "words",
    [
        ["--cpu-period", "50000"],
        ["--cpu-quota", "20000"],
        ["--cpu-period", "20000", "--cpu-quota", "10000"],
        ["--cpu-quota=-1", "--cpu-period=50000"],
    ],
)
def test_cpu_quota(both: Both, words: list[str]) -> None:
    shell(both, *words, script=f"cat {CGROUP}/cpu/cpu.cfs_*_us")


@flag("cpu-period", "cpu-quota", "cpus")
@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--cpu-period", "999"], "cpu-period"),
        (["--cpu-period", "1000001"], "cpu-period"),
        (["--cpu-quota", "999"], "cpu-quota"),
        (["--cpu-quota", "x"], "cpu-quota"),
        (["--cpus", "1", "--cpu-quota", "5000"], "cpu-quota"),
        (["--cpus", "1", "--cpu-period", "5000"], "cpu-period"),
    ],
)
def test_cpu_quota_refused(both: Both, words: list[str], named: str) -> None:
    both(*words, "IMAGE", "true").refused(named)


@flag("cpu-rt-period", "cpu-rt-runtime")
def test_cpu_realtime_refused(both: Both) -> None:
    """A daemon that was given no realtime time has none to give; fastbox never has."""
    both("--cpu-rt-runtime", "1000", "IMAGE", "true").refused("cpu-rt-runtime")
    words = ["--cpu-rt-period", "1000", "--cpu-rt-runtime", "1001"]
    both(*words, "IMAGE", "true").refused("cpu-rt-period", "cpu-rt-runtime")


@flag("cpuset-cpus", "cpuset-mems")
def test_cpuset(both: Both) -> None:
    first = str(min(os.sched_getaffinity(0)))
    script = "grep -E '(Cpus|Mems)_allowed_list' /proc/self/status; nproc"
    words = ["--cpuset-cpus", first, "--cpuset-mems", "0"]
    assert shell(both, *words, script=script).endswith("\n1\n")
    shell(both, *words, script=f"cat {CGROUP}/cpuset/cpuset.cpus {CGROUP}/cpuset/cpuset.mems")
    for name in ("--cpuset-cpus", "--cpuset-mems"):
        for wrong in ("999", "x", "3-1", "0-"):
            both(name, wrong, "IMAGE", "true").refused(name)


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A block device: a file on loop."""
    needs("losetup")
    image = tmp_path_factory.mktemp("disk") / "image"
    with image.open("wb") as file:
        file.truncate(16 << 20)
    command = ["losetup", "--find", "--show", str(image)]
    made = subprocess.run(command, capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"no loop device: {made.stderr}")
    try:
        yield made.stdout.strip()
    finally:
        subprocess.run(["losetup", "-d", made.stdout.strip()], check=True)


@flag("device-read-bps", "device-write-bps", "device-read-iops", "device-write-iops")
@pytest.mark.parametrize(
    ("name", "limit"),
    [("read-bps", "1mb"), ("write-bps", "512k"), ("read-iops", "7"), ("write-iops", "1000")],
)
def test_device_throttles(both: Both, disk: str, name: str, limit: str) -> None:
    file = f"{CGROUP}/blkio/blkio.throttle.{name.replace('-', '_')}_device"
    assert shell(both, f"--device-{name}", f"{disk}:{limit}", script=f"cat {file}") != ""
    for wrong in (disk, f"{disk}:x", f"{disk}:-1", "loop0:5"):
        both(f"--device-{name}", wrong, "IMAGE", "true").refused(wrong.split(":")[0])
    absent = "/dev/no-such-disk"
    neither(both(f"--device-{name}", f"{absent}:5", "IMAGE", "true"), absent)


@flag("blkio-weight-device")
def test_blkio_weight_device_refused(both: Both, disk: str) -> None:
    for wrong in (disk, f"{disk}:9", f"{disk}:1001", f"{disk}:x", "loop0:100"):
        both("--blkio-weight-device", wrong, "IMAGE", "true").refused("blkio-weight-device")


@flag("ulimit")
def test_ulimit(both: Both) -> None:
    words = ["core=2048", "cpu=50:70", "fsize=4096000", "nofile=64:128", "nproc=100", "locks=9"]
    words += ["stack=4194304", "data=1073741824", "memlock=65536", "sigpending=10"]
    words += ["msgqueue=1000", "rss=-1", "rttime=5:6", "nofile=65:129"]
    flags = [f"--ulimit={word}" for word in words]
    got = shell(both, *flags, script="cat /proc/self/limits")
    assert [line.split()[3:5] for line in got.splitlines() if "open files" in line] == [
        ["65", "129"]
    ]


@flag("ulimit")
@pytest.mark.parametrize(
    "word", ["nofile", "nofile=x", "nofile=2:1", "nofile=1:2:3", "as=1", "nofile=", "=1"]
)
def test_ulimit_refused(both: Both, word: str) -> None:
    both("--ulimit", word, "IMAGE", "true").refused("ulimit")


@flag("ulimit")
def test_ulimit_too_high(both: Both) -> None:
    both("--ulimit", "nofile=2000000000", "IMAGE", "true").refused("nofile")


@flag("shm-size")
def test_shm_size(both: Both) -> None:
    script = "df -k /dev/shm | tail -n1 | awk '{print $1, $2, $6}'; grep -c /dev/shm /proc/mounts"
    for size in ("1m", "65536", "128M", "0"):
        shell(both, "--shm-size", size, script=script)
    shell(both, script=script)
    both("--shm-size", "x", "IMAGE", "true").refused("shm-size")


SYSCTLS = [
    "net.ipv4.ip_forward=1",
    "net.core.somaxconn=77",
    "net.ipv4.ip_local_port_range=2000 3000",
    "kernel.msgmax=5000",
    "kernel.shm_rmid_forced=1",
    "fs.mqueue.msg_max=55",
]


@flag("sysctl")
@pytest.mark.parametrize("setting", SYSCTLS)
def test_sysctl(both: Both, setting: str) -> None:
    path = setting.partition("=")[0].replace(".", "/")
    shell(both, "--sysctl", setting, script=f"cat /proc/sys/{path}")


@flag("sysctl")
@pytest.mark.parametrize(
    "words",
    [
        ["--sysctl", "kernel.core_pattern=x"],
        ["--sysctl", "vm.swappiness=1"],
        ["--sysctl", "kernel.hostname=x"],
        ["--sysctl", "net.ipv4.ip_forward"],
        ["--network", "host", "--sysctl", "net.ipv4.ip_forward=1"],
        ["--ipc", "host", "--sysctl", "kernel.msgmax=5000"],
    ],
)
def test_sysctl_refused(both: Both, words: list[str]) -> None:
    name = words[-1].partition("=")[0]
    both(*words, "IMAGE", "true").refused(name)


@flag("sysctl")
def test_sysctl_unknown(both: Both) -> None:
    neither(both("--sysctl", "net.no.such=1", "IMAGE", "true"), "net.no.such")


@flag("device")
def test_device(both: Both, disk: str) -> None:
    script = f"stat -c '%F %t:%T %a %u:%g' {disk}; head -c 512 {disk} | wc -c"
    assert shell(both, "--device", disk, script=script).endswith("\n512\n")
    moved = "stat -c '%F %t:%T %a' /dev/a/b; head -c 512 /dev/a/b | wc -c"
    shell(both, "--device", f"{disk}:/dev/a/b", script=moved)
    write = f": 1<>{disk} && echo open"
    for access in ("r", "rw", "w", "rwm", "m"):
        shell(both, f"--device={disk}:{access}", script=f"({write}) 2>&1; head -c5 {disk} 2>&1")
    shell(both, "--device", disk, "-u", "1000", script=f"head -c5 {disk} 2>&1")
    shell(both, "--device", "/dev/net:/dev/some", script="ls -l /dev/some | wc -l")
    elsewhere = ["--device", "/dev/zero:/opt/zero", "--read-only"]
    shell(both, *elsewhere, script="stat -c '%F %t:%T %a %u:%g' /opt/zero; head -c3 /opt/zero")


@flag("device")
@pytest.mark.parametrize(
    "word",
    ["/dev/no-such-device", "relative", "/dev/null:x", "/dev/null:/dev/x:rx", "/a:/b:r:w", "/etc"],
)
def test_device_refused(both: Both, word: str) -> None:
    neither(both("--device", word, "IMAGE", "true"), word.split(":")[0])


@flag("device-cgroup-rule")
def test_device_cgroup_rule(both: Both, disk: str) -> None:
    number = Path(disk).stat().st_rdev
    major, minor = os.major(number), os.minor(number)
    script = f"mknod /node b {major} {minor} && head -c 512 /node 2>&1 | wc -c"
    # Nodes can be made by who is root outside as well.
    for rule in (f"b {major}:* rm", f"b {major}:{minor} r", "a *:* rwm", "b *:* rwm"):
        done = both.commands("--device-cgroup-rule", rule, "IMAGE", "sh", "-c", script)
        docker = subprocess.run(done[0], capture_output=True, text=True, env=both.environment)
        words = [*done[1][:-4], "--userns", "host", *done[1][-4:]]
        fastbox = subprocess.run(words, capture_output=True, text=True, env=both.environment)
        assert (
            (docker.stdout, docker.returncode)
            == (fastbox.stdout, fastbox.returncode)
            == (
                "512\n",
                0,
            )
        )
    for wrong in ("x", "c 1:3", "d 1:3 r", "c 1:3 x", "c x:3 r"):
        both("--device-cgroup-rule", wrong, "IMAGE", "true").refused("device-cgroup-rule")


@flag("cgroup-parent")
def test_cgroup_parent(both: Both) -> None:
    words = ["--cgroupns", "host", "-m", "64m", "--cgroup-parent", "/fastbox-compared/inner"]
    done = both(*words, "IMAGE", "grep", ":memory:", "/proc/self/cgroup")
    for result in (done.docker, done.fastbox):
        assert ":memory:/fastbox-compared/inner/" in result.stdout, done
    # Docker leaves what it made, and fastbox what it found.
    for top in Path(CGROUP).glob("*/fastbox-compared"):
        assert emptied(top / "inner")
        for path in (top / "inner", top):
            path.rmdir()


@flag("cgroupns")
def test_cgroupns(both: Both) -> None:
    script = "grep :memory: /proc/self/cgroup"
    private = shell(both, "--cgroupns", "private", "-m", "64m", script=script)
    assert private.endswith(":memory:/\n")
    limit = f"cat {CGROUP}/memory/memory.limit_in_bytes"
    assert shell(both, "--cgroupns=host", "-m", "64m", script=limit) == "67108864\n"
    host = both("--cgroupns=host", "-m", "64m", "IMAGE", "sh", "-c", script)
    for result in (host.docker, host.fastbox):
        assert len(result.stdout.split("/")[-1]) == 65, host
    both("--cgroupns", "other", "IMAGE", "true").refused("cgroupns")


@flag("add-host")
def test_add_host(both: Both) -> None:
    words = ["--add-host", "db:10.0.0.7", "--add-host=six:::1"]
    got = shell(both, *words, script="grep -E 'db|six' /etc/hosts")
    assert got == "10.0.0.7\tdb\n::1\tsix\n"
    for wrong in ("db", "db:1.2.3", "db:x", ":1.2.3.4", ""):
        both("--add-host", wrong, "IMAGE", "true").refused("add-host")


@flag("dns", "dns-search", "dns-option")
@pytest.mark.parametrize("network", ["none", "host"])
def test_dns(both: Both, network: str) -> None:
    words = ["--network", network, "--dns", "10.0.0.1", "--dns=10.0.0.2"]
    words += ["--dns-search", "example.com", "--dns-search=a.b", "--dns-option", "ndots:2"]
    words += ["--dns-opt", "rotate"]
    got = shell(both, *words, script="cat /etc/resolv.conf")
    assert "nameserver 10.0.0.1\nnameserver 10.0.0.2\n" in got


@flag("dns", "dns-search")
def test_dns_refused(both: Both) -> None:
    for wrong in ("x", "1.2.3", "::1::"):
        both("--dns", wrong, "IMAGE", "true").refused("dns")
    for wrong in ("a..b", "-a", "a b"):
        both("--dns-search", wrong, "IMAGE", "true").refused("dns-search")
