"""`make bench-compare`: its statistics, on made-up times, and itself, on one version."""

from __future__ import annotations

import json
import math
import random
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import versions
from fastbox.bench import chart
from fastbox.bench.paired import ROUNDS, Compared, Side
from fastbox.bench.paired import compare as measure
from fastbox.bench.ratio import median, paired, unpaired
from fastbox.exceptions import FastboxError
from needs import needs, needs_root

SLOW = Path(versions.__file__).with_name("slow_worker.py")


class Machine:
    """Makes up times: noise, outliers, drift that strikes all alike, processes that differ."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def once(self, typical_ms: float, number: int) -> float:
        drift = 1 + 0.3 * math.sin(number / 40)
        outlier = 4 if self.chance.random() < 0.03 else 1
        return typical_ms * drift * outlier * math.exp(self.chance.gauss(0, 0.15))

    def compared(self, factor: float) -> Compared:
        """Sets of the base, its copy, and a head that takes `factor` times as long, until known."""
        found = Compared("made up")
        while not found.known:
            first = len(found.base) * ROUNDS
            assert first < 300 * ROUNDS, "never known"
            for sets, slower in ((found.base, 1), (found.again, 1), (found.head, factor)):
                process = slower * math.exp(self.chance.gauss(0, 0.02))
                sets.append([self.once(process * 2, first + at) for at in range(ROUNDS)])
        return found


@pytest.mark.parametrize("seed", range(20))
def test_same_passes_and_a_tenth_slower_fails(seed: int) -> None:
    machine = Machine(seed)
    assert [machine.compared(factor).verdict.word for factor in (1, 1.1, 0.9)] == [
        "same",
        "SLOWER",
        "faster",
    ]


def test_noise_of_the_copy_is_not_called_a_regression() -> None:
    """Where the base's own copy is as far off as the head, nothing can be said."""
    found = Machine(1).compared(1.1)
    assert paired(found.base, found.head, found.head).word == "same"


def test_the_interval_of_a_median_holds_it() -> None:
    chance = random.Random(7)
    inside = 0
    for _ in range(200):
        found = median([chance.gauss(1, 0.1) for _ in range(41)])
        assert found.low <= found.median <= found.high
        inside += found.low <= 1 <= found.high
    assert inside >= 190  # 99 of 100
    alone = median([2.0])
    assert alone.low == alone.median == alone.high == 2.0
    with pytest.raises(ValueError, match="nothing was measured"):
        median([])


def test_two_sessions() -> None:
    """Each session a ratio to a bare process: drift within one is noise."""
    chance = random.Random(3)
    steady = [[2.5 * math.exp(chance.gauss(0, 0.1)) for _ in range(500)] for _ in range(2)]
    assert unpaired(*steady).word == "same"
    assert unpaired(steady[0], [1.1 * one for one in steady[1]]).word == "SLOWER"
    drifting = [one * (1 + 0.3 * at / 500) for at, one in enumerate(steady[1])]
    assert unpaired(steady[0], drifting).word == "same"
    with pytest.raises(ValueError, match="too few"):
        unpaired(steady[0], steady[1][:4])


def test_plot_shows_each_side() -> None:
    chance = random.Random(5)
    sides = {name: [math.exp(chance.gauss(0, 0.2)) for _ in range(200)] for name in ("a<b", "c")}
    drawn = ElementTree.fromstring(chart.svg({"cold": sides, "pool": {"a<b": [1.0], "c": [1.0]}}))
    kinds = [part.tag.rpartition("}")[2] for part in drawn.iter()]
    assert kinds.count("polygon") == 4
    assert any((part.text or "").startswith("a<b: median") for part in drawn.iter())


def test_a_run_that_fails_is_said(busybox: str) -> None:
    side = Side("base", busybox, ["/bin/false"])
    with pytest.raises(FastboxError, match=r"base, cold: .*/bin/false ended with exit code 1"):
        measure(side, side, ["cold"], seconds=0)
    nowhere = Side("base", "no-such-image", ["/bin/true"])
    with pytest.raises(FastboxError, match=r"no-such-image"):
        measure(nowhere, nowhere, ["cold"], seconds=0)


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where results go."""
    needs("busybox")
    needs_root()
    monkeypatch.setattr(versions, "OUT", tmp_path / "out")
    return tmp_path / "out"


def test_the_same_version_beside_itself(out: Path, tmp_path: Path) -> None:
    """As few sets as there can be: a table, a plot, the times, and no regression."""
    code = versions.against(sys.executable, "itself", ["cold"], 0, 1, tmp_path)
    assert code == 0, (out / "compare.md").read_text()
    assert "| cold | " in (out / "compare.md").read_text()
    ElementTree.parse(out / "compare.svg")
    written = json.loads((out / "compare.json").read_text())
    assert [one["name"] for one in written["benchmarks"]] == ["cold: itself", "cold: this tree"]
    assert written["machine_info"]["cpu"]["count"]


def test_another_session(out: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Ratios to the bare process of a file's session; a file without one is refused."""
    out.mkdir()
    times = {"bare process": [1.0] * 50, "fastbox from Python": [1000.0] * 50}
    earlier = out / "earlier.json"
    versions.document.write(earlier, versions.document.document("made up", times, {}))
    assert versions.against_file(earlier, ["cold"], 1, rounds=20) == 0
    assert "Two sessions" in capfd.readouterr().out
    lacking = versions.document.document("made up", {"fastbox pool": [1.0] * 50}, {})
    versions.document.write(earlier, lacking)
    with pytest.raises(SystemExit, match="no rounds of “bare process”"):
        versions.against_file(earlier, ["cold"], 1, rounds=5)


@pytest.mark.long
@pytest.mark.parametrize("way", ["cold", "pool"])
def test_same_passes_and_planted_fails_twenty_times(out: Path, tmp_path: Path, way: str) -> None:
    """The real thing: a run that waits 10 % longer is found each time, the same never."""
    for place in range(20):
        scratch = tmp_path / str(place)
        same = versions.against(sys.executable, "itself", [way], 60, place, scratch / "same")
        assert same == 0, (place, (out / "compare.md").read_text())
        slower = versions.against(
            sys.executable, "itself", [way], 60, place, scratch / "slow", worker=SLOW
        )
        assert slower == 1, (place, (out / "compare.md").read_text())
    print(f"REPORT: {way}: the same version passed 20 of 20, 10 % slower failed 20 of 20")
