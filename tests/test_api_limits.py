"""Limits, shown by programs that hit them."""

from __future__ import annotations

import os
from typing import Any

import cli
import fastbox
import pytest
from needs import needs_root

HUNGRY = "x=$(head -c 200000000 /dev/zero | tr '\\0' x); echo survived"
FORKS = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 5 & done; echo all"
BUSY = "now() { read a b < /proc/uptime; n=${a%.*}; }; now; end=$((n + 2))"
BUSY += "; while [ $n -lt $end ]; do now; done"


@pytest.fixture(autouse=True)
def as_root() -> None:
    needs_root()


def shell(image: str, script: str, **options: Any) -> fastbox.Completed[Any]:
    return fastbox.run(image, ["sh", "-c", script], **options)


def test_memory(busybox: str) -> None:
    assert shell(busybox, HUNGRY).stdout == b"survived\n"
    done = shell(busybox, HUNGRY, memory="32m")
    assert (done.exit_code, done.signal) == (137, 9)
    assert done.usage.oom_killed is True
    assert done.usage.memory_peak_bytes is not None
    assert 16 << 20 < done.usage.memory_peak_bytes <= 32 << 20


def test_memory_of_a_part_of_the_container(busybox: str) -> None:
    """The first process lives on, and the result says what happened all the same."""
    script = 'sh -c "$0" 2>/dev/null; echo $?'
    done = fastbox.run(busybox, ["sh", "-c", script, HUNGRY], memory="32m")
    assert (done.exit_code, done.stdout) == (0, b"137\n")
    assert done.usage.oom_killed is True


def test_memory_on_the_command_line(busybox: str) -> None:
    done = cli.fastbox("run", "-m", "32m", busybox, "sh", "-c", HUNGRY)
    assert done.returncode == 137
    assert "fastbox: killed: out of memory" in done.stderr


def test_processes(busybox: str) -> None:
    assert shell(busybox, FORKS).stdout == b"all\n"
    done = shell(busybox, FORKS, pids_limit=8)
    assert done.exit_code != 0
    assert b"fork" in done.stderr


def test_processor_time(busybox: str) -> None:
    usage = shell(busybox, BUSY, cpus=0.2).usage
    assert usage.cpu_total_ns is not None
    # Without the limit it would be 1, and on a busy machine anything.
    assert usage.cpu_total_ns / usage.wall_ns < 0.3


def test_disk(busybox: str) -> None:
    write = "dd if=/dev/zero of=/file bs=1M count=50 && echo written"
    assert shell(busybox, write).stdout == b"written\n"
    done = shell(busybox, write, storage_opt=["size=10m"])
    assert done.stdout == b""
    assert b"No space left" in done.stderr


def test_output(busybox: str) -> None:
    done = shell(busybox, "head -c 5000 /dev/zero; head -c 5000 /dev/zero >&2", max_output="8000")
    assert done.truncated
    assert len(done.stdout) + len(done.stderr) == 8000


def test_untrusted(busybox: str) -> None:
    script = "grep -E 'NoNewPrivs|Seccomp:' /proc/self/status; ls /sys/class/net"
    done = shell(busybox, script, preset="untrusted", text=True)
    assert done.stdout.split() == ["NoNewPrivs:", "1", "Seccomp:", "2", "lo"]
    assert shell(busybox, "yes", preset="untrusted").truncated
    assert b"fork" in shell(busybox, ":; f() { f | f & f; }; f", preset="untrusted").stderr


def test_memory_that_is_there_is_enough(busybox: str) -> None:
    """Docker's least limit still runs a program."""
    assert shell(busybox, "echo x", memory="6m").stdout == b"x\n"


def test_limits_of_many_at_once(busybox: str) -> None:
    """Each has its own."""
    plan = fastbox.prepare(busybox, memory="32m")
    with (
        plan.start(["sh", "-c", HUNGRY]) as hungry,
        plan.start(["sh", "-c", "sleep 1; echo well"]) as modest,
    ):
        assert hungry.wait().usage.oom_killed is True
        done = modest.wait()
        assert (done.stdout, done.usage.oom_killed) == (b"well\n", False)


def test_more_processors_than_there_are(busybox: str) -> None:
    available = len(os.sched_getaffinity(0))
    with pytest.raises(fastbox.SpecError, match=f"only {available} CPUs"):
        fastbox.prepare(busybox, cpus=available + 1)


def test_keywords_take_numbers_and_pairs(busybox: str) -> None:
    script = "ulimit -Sn; ulimit -Hn; cat /proc/sys/net/core/somaxconn; tail -n1 /etc/hosts"
    done = shell(
        busybox,
        script,
        ulimits={"nofile": (64, 128), "core": 0},
        sysctls={"net.core.somaxconn": 77},
        extra_hosts={"db": "10.0.0.7"},
        text=True,
    )
    assert done.stdout == "64\n128\n77\n10.0.0.7\tdb\n"
    same = shell(
        busybox,
        script,
        ulimit=["nofile=64:128"],
        sysctl=["net.core.somaxconn=77"],
        add_host=["db:10.0.0.7"],
        text=True,
    )
    assert same.stdout == done.stdout


def test_keywords_of_limits(busybox: str) -> None:
    script = "cd /sys/fs/cgroup; cat memory/memory.memsw.limit_in_bytes memory.swap.max 2>/dev/null"
    assert shell(busybox, script, memory="64m", memory_swap=64 << 20, text=True).stdout in (
        f"{64 << 20}\n",
        "0\n",
    )
    allowed = "grep Cpus_allowed_list /proc/self/status"
    first = min(os.sched_getaffinity(0))
    done = shell(busybox, allowed, cpuset_cpus=str(first), cpu_shares=512, text=True)
    assert done.stdout.split()[-1] == str(first)
    done = shell(busybox, "cat /proc/self/oom_score_adj", oom_score_adj=500, text=True)
    assert done.stdout == "500\n"
    done = shell(busybox, "head -c3 /dev/a", devices=["/dev/zero:/dev/a"], shm_size="1m")
    assert done.stdout == b"\0\0\0"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"ulimits": {"nofile": (2, 1)}}, "ulimits"),
        ({"ulimits": {"nofile": True}}, "bool"),
        ({"sysctls": {"vm.swappiness": 1}}, "'vm.swappiness'"),
        ({"cpu_shares": 1}, "--cpu-shares 1"),
        ({"memory_swap": "64m"}, "--memory-swap 67108864"),
        ({"cpuset_cpus": "999"}, "--cpuset-cpus 999"),
        ({"device_read_bps": {"/dev/null": "1m"}}, "/dev/null"),
        ({"cgroup_parent": "/a/../.."}, "cgroup_parent"),
    ],
)
def test_limits_that_cannot_be(busybox: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises((fastbox.SpecError, TypeError), match=words):
        shell(busybox, "true", **options)
