"""`make run`: one program in a container, and what the same program sees outside."""

from __future__ import annotations

import statistics
import subprocess
import sys
import textwrap
import time

import fastbox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

PROGRAM = r"""
set -- /proc/[0-9]*; echo "processes=$#"
echo "its own process id=$$"
echo "hostname=$(cat /proc/sys/kernel/hostname)"
echo "user id=$(id -u)"
read -r inner outer count < /proc/self/uid_map
echo "that is, on the host=$((outer + $(id -u) - inner))"
echo "root directory=$(echo /* | tr -d /)"
echo "network devices=$(sed 1,2d /proc/net/dev | cut -d : -f 1 | sort | xargs)"
echo "mounts=$(wc -l < /proc/self/mountinfo)"
echo "capabilities=$(sed -n 's/^CapEff:\t0*//p' /proc/self/status)"
echo "system call filter=$(sed -n 's/^Seccomp:\t0/none/p; s/^Seccomp:\t2/on/p' /proc/self/status)"
"""
GREEDY = "x=$(head -c 200000000 /dev/zero | tr '\\0' x)"
WIDTH = 36
ROUNDS = 20


def main() -> int:
    """Shows it; 1 where no container can be had here."""
    try:
        plan, notes = _prepare()
        inside = _seen(plan.run(["sh", "-c", PROGRAM], text=True, check=True).stdout)
        greedy = plan.run(["sh", "-c", GREEDY]) if not notes else None
        milliseconds = _median(lambda: plan.run(["true"], check=True))
    except fastbox.FastboxError as error:
        print(f"fastbox: {error}", file=sys.stderr)
        return 1
    bare = subprocess.run(["sh", "-c", PROGRAM], stdout=subprocess.PIPE, text=True, check=True)
    outside = _seen(bare.stdout)
    bare_milliseconds = _median(lambda: subprocess.run(["true"], check=True))

    print(
        f"fastbox {fastbox.__version__}: a program in a container, and the same program outside\n"
    )
    _line("", "in a container", "outside")
    for name, value in inside.items():
        _line(name, value, outside[name])
    if greedy is not None:
        _line("taking 200 MB of memory", _fate(greedy), "no limit")
    _line("start, run and reap true", f"{milliseconds:.2f} ms", f"{bare_milliseconds:.2f} ms")
    for note in dict.fromkeys([*notes, *plan.notes]):
        print(textwrap.fill(f"note: {note}", 100, subsequent_indent="      "))
    return 0


def _prepare() -> tuple[fastbox.Plan, list[str]]:
    """With limits, or without and with the reason, as for a user to whom none are delegated."""
    try:
        return fastbox.prepare("host", hostname="container", memory="64m", pids_limit=32), []
    except fastbox.SpecError as error:
        return fastbox.prepare("host", hostname="container"), [f"without limits: {error}"]


def _seen(text: str) -> dict[str, str]:
    lines = (line.partition("=") for line in text.splitlines())
    return {name: value for name, _, value in lines}


def _fate(completed: fastbox.Completed[bytes]) -> str:
    if completed.usage.oom_killed:
        return f"killed at 64 MB, exit code {completed.exit_code}"
    return f"exit code {completed.exit_code}"


def _median(run: Callable[[], object]) -> float:
    """Milliseconds of the middle one of several runs, after one to warm up."""
    run()
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


def _line(name: str, inside: str, outside: str) -> None:
    cut = [
        value if len(value) < WIDTH else f"{value[: WIDTH - 3]} …" for value in (inside, outside)
    ]
    print(f"  {name:26}{cut[0]:{WIDTH}}{cut[1]}".rstrip())


if __name__ == "__main__":
    sys.exit(main())
