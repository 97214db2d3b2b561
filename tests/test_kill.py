"""kill -9 of callers at every step of a start: nothing is left once the watchdog has run.

With FASTBOX_TEST_PAUSE_AT=n a start waits ten seconds before step n of the plan: those outside of
the container's process come first, then its own. So a kill can be placed before each step; others
come at any moment. The watchdog is killed as well in some: then the next command cleans up.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from subprocess import PIPE

import pytest
from killing import Place, adopting, finished, pauses, until
from needs import needs, needs_root
from roots import busybox

LONG = os.environ.get("FASTBOX_LONG") == "1"
# How a container is started: the image, and whose ids it has.
WAYS = {"image": ("box", "auto"), "host image": ("host", "auto"), "caller's ids": ("box", "host")}
# Kills placed before a step with the watchdog alive, with it killed too, and kills at any moment.
AT_STEPS, WITHOUT_WATCHDOG, ANY_MOMENT = (500, 150, 450) if LONG else (7, 3, 9)

# Has what a container can have; says that it begins, and when a start has come through.
CALLER = """
import os, sys, time, fastbox
step, image, userns, before = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
config = dict(memory="64m", pids_limit=50, tmpfs=["/scratch"], volumes=["/usr:/u:ro"])
plan = fastbox.prepare(image, userns=userns, **config)
kept = []
for number in range(before):
    kept.append(plan.start(["sh", "-c", "echo >/file; sleep 1000"], name=f"kept-{number}"))
    plan.run(["true"])
if step != "none":
    os.environ["FASTBOX_TEST_PAUSE_AT"] = step
print("begins")
while True:
    plan.run(["true"], name="paused")
    if step != "none":
        print("through")
        break
time.sleep(1000)
"""


@pytest.fixture(autouse=True)
def _adopting() -> Iterator[None]:
    with adopting():
        yield


@pytest.fixture
def place(tmp_path: Path) -> Place:
    needs_root()
    needs("busybox")
    place = Place(tmp_path)
    finished(place.fastbox("import", "-q", str(busybox()), "box", stdout=PIPE))
    assert place.left() == []
    return place


def pauses_before(place: Place, step: int, way: str) -> bool:
    """Whether a start has such a step."""
    with place.python(CALLER, str(step), *WAYS[way], "0") as caller:
        assert caller.stdout is not None
        assert caller.stdout.readline() == "begins\n"
        os.set_blocking(caller.stdout.fileno(), False)
        said: list[str] = []

        def known() -> bool:
            with suppress(TypeError):  # nothing to read yet
                said.append(caller.stdout.readline() if caller.stdout else "")
            return "through" in "".join(said) or pauses(caller.pid)

        assert until(known, 9)
        caller.kill()
    return "through" not in "".join(said)


def count_steps(place: Place, way: str) -> int:
    """How many steps a start has: the first number before which nothing pauses."""
    low, high = 0, 512
    while low < high:
        middle = (low + high) // 2
        if pauses_before(place, middle, way):
            low = middle + 1
        else:
            high = middle
    assert place.left() == []
    return low


def kill_at(place: Place, step: int | None, way: str, dice: random.Random, watchdog: bool) -> None:
    """One caller, killed before the step, or at any moment; nothing may be left of it."""
    before = dice.choice((0, 0, 1, 2))
    moment = dice.uniform(0, 0.03)
    name = "none" if step is None else str(step)
    with place.python(CALLER, name, *WAYS[way], str(before)) as caller:
        assert caller.stdout is not None
        if step is None and dice.random() < 0.3:
            time.sleep(dice.uniform(0, 0.2))  # while the interpreter or the engine starts
        else:
            assert caller.stdout.readline() == "begins\n"
            if step is None:
                time.sleep(moment)
            else:
                assert until(lambda: pauses(caller.pid)), f"no pause before step {step}"
        place.owners()
        if not watchdog:
            place.kill_watchdogs()
        os.kill(caller.pid, signal.SIGKILL)
    if not watchdog:
        place.next_command()
    place.owners()
    left = place.left()
    if step is None and left and all(item.startswith("owner .") for item in left):
        # Killed while it became an owner: there was no watchdog yet, and no container either.
        place.next_command()
        left = place.left()
    assert left == [], f"killed before step {name} of {way}, {before} containers before:\n" + (
        "\n".join(left)
    )


def spread(count: int, steps: int, dice: random.Random) -> list[int]:
    """So many numbers of steps, each as often as any other, in a sequence that leaves none out."""
    numbers: list[int] = []
    while len(numbers) < count:
        turn = list(range(steps))
        dice.shuffle(turn)
        numbers += turn
    return numbers[:count]


@pytest.mark.parametrize("way", WAYS)
def test_killed_before_each_step(place: Place, way: str, dice: random.Random) -> None:
    steps = count_steps(place, way)
    assert steps > 50
    kills: Counter[int] = Counter()
    for number, step in enumerate(spread(AT_STEPS + WITHOUT_WATCHDOG, steps, dice)):
        kill_at(place, step, way, dice, watchdog=number < AT_STEPS)
        kills[step] += 1
    counts = [kills[step] for step in range(steps)]
    assert min(counts) > 0 or not LONG
    where = f"for each: {counts}" if LONG else f"before {sorted(kills)}"
    print(
        f"\nREPORT: {way}: {kills.total()} kills before the {steps} steps of a start, of which "
        f"{WITHOUT_WATCHDOG} with the watchdog killed too; {where}; nothing left"
    )


def test_killed_at_any_moment(place: Place, dice: random.Random) -> None:
    for number in range(ANY_MOMENT):
        kill_at(place, None, dice.choice(list(WAYS)), dice, watchdog=number % 4 != 0)
    print(f"\nREPORT: {ANY_MOMENT} kills at any moment; nothing left")


PARENTED = """
import sys, time, fastbox
options = dict(cgroup_parent=sys.argv[1], memory="64m", cpuset_cpus=sys.argv[2])
container = fastbox.prepare("box", **options).start(["sleep", "1000"])
print("begins")
time.sleep(1000)
"""


@pytest.mark.parametrize("watchdog", [True, False])
def test_groups_below_a_parent(place: Place, watchdog: bool) -> None:
    """They are found wherever they are, and what was made for them goes as well."""
    name = f"fastbox-killed-{os.getpid()}"

    def groups() -> list[Path]:
        tops = Path("/sys/fs/cgroup").glob(f"**/{name}")
        return [path for top in tops for path in top.glob("**/")]

    cpu = str(min(os.sched_getaffinity(0)))
    with place.python(PARENTED, f"/{name}/inner", cpu) as caller:
        assert caller.stdout is not None
        assert caller.stdout.readline() == "begins\n"
        place.owners()
        # The parent and what is in it, ours, the owner, the container: in some hierarchies.
        assert len(groups()) >= 5
        if not watchdog:
            place.kill_watchdogs()
        os.kill(caller.pid, signal.SIGKILL)
    if not watchdog:
        place.next_command()
    assert place.left() == []
    assert until(lambda: groups() == []), groups()
