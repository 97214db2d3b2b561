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
# Kills placed before a step with the watchdog alive, with it killed too, and kills at any moment.
AT_STEPS, WITHOUT_WATCHDOG, ANY_MOMENT = (1500, 300, 500) if LONG else (22, 6, 8)

# Has what a container can have; says that it begins, and when a start has come through.
CALLER = """
import os, sys, time, fastbox
step, image, before = sys.argv[1], sys.argv[2], int(sys.argv[3])
config = dict(memory="64m", pids_limit=50, tmpfs=["/scratch"], volumes=["/usr:/u:ro"])
plan = fastbox.prepare(image, **config)
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
    return place


def pauses_before(place: Place, step: int, image: str) -> bool:
    """Whether a start has such a step."""
    with place.python(CALLER, str(step), image, "0") as caller:
        assert caller.stdout is not None
        assert caller.stdout.readline() == "begins\n"
        os.set_blocking(caller.stdout.fileno(), False)
        said: list[str] = []

        def known() -> bool:
            with suppress(TypeError):  # nothing to read yet
                said.append(caller.stdout.readline() if caller.stdout else "")
            return "through\n" in said or pauses(caller.pid)

        assert until(known, 9)
        caller.kill()
    return "through\n" not in said


def count_steps(place: Place, image: str) -> int:
    """How many steps a start has: the first number before which nothing pauses."""
    low, high = 0, 512
    while low < high:
        middle = (low + high) // 2
        if pauses_before(place, middle, image):
            low = middle + 1
        else:
            high = middle
    assert place.left() == []
    return low


def kill_at(
    place: Place, step: int | None, image: str, dice: random.Random, watchdog: bool
) -> None:
    """One caller, killed before the step, or at any moment; nothing may be left of it."""
    before = dice.choice((0, 0, 1, 2))
    moment = dice.uniform(0, 0.03)
    name = "none" if step is None else str(step)
    with place.python(CALLER, name, image, str(before)) as caller:
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
    assert left == [], f"killed before step {name} of {image}, {before} containers before:\n" + (
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


@pytest.mark.parametrize("image", ["box", "host"])
def test_killed_before_each_step(place: Place, image: str, dice: random.Random) -> None:
    steps = count_steps(place, image)
    assert steps > 50
    if image == "host" and not LONG:
        return
    kills: Counter[int] = Counter()
    for step in spread(AT_STEPS // (2 if LONG else 1), steps, dice):
        kill_at(place, step, image, dice, watchdog=True)
        kills[step] += 1
    for step in spread(WITHOUT_WATCHDOG // (2 if LONG else 1), steps, dice):
        kill_at(place, step, image, dice, watchdog=False)
        kills[step] += 1
    counts = [kills[step] for step in range(steps)]
    assert min(counts) > 0 or not LONG
    print(
        f"\nREPORT: {image}: {kills.total()} kills before {steps} steps of a start, "
        f"{min(counts)} to {max(counts)} per step: {' '.join(map(str, counts))}; nothing left"
    )


def test_killed_at_any_moment(place: Place, dice: random.Random) -> None:
    for number in range(ANY_MOMENT):
        kill_at(place, None, dice.choice(("box", "host")), dice, watchdog=number % 4 != 0)
    print(f"\nREPORT: {ANY_MOMENT} kills at any moment; nothing left")
