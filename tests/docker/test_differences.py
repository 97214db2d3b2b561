"""docs/docker-differences.md is of now, and every flag of Docker's is known."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from needs import needs

SCRIPT = Path(__file__).parents[2] / "scripts" / "docker-differences"


def test_page() -> None:
    needs("docker", "dockerd")
    done = subprocess.run([sys.executable, SCRIPT, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
