"""What the benchmarks share: the image they run, and how many rounds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import roots
from fastbox.bench import root
from needs import needs, needs_root


@pytest.fixture(scope="session")
def rounds() -> int:
    """Rounds of each measurement: FASTBOX_BENCH_ROUNDS, else 250."""
    return int(os.environ.get("FASTBOX_BENCH_ROUNDS", "250"))


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of busybox's image, in a store of its own that FASTBOX_ROOT names meanwhile."""
    needs("busybox")
    needs_root()
    scratch: Path = tmp_path_factory.mktemp("fastbox")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FASTBOX_ROOT", str(scratch / "store"))
        patch.setenv("FASTBOX_RUN", str(scratch / "run"))
        root.imported(roots.unpacked(roots.busybox()), "fastbox-bench", scratch)
        yield "fastbox-bench"
