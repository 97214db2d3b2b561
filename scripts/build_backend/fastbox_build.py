"""Build backend (PEP 517, PEP 660): static programs by cargo, then maturin's wheel around them.

maturin builds one extension module; the programs that run outside of Python are built here first
and go into the wheel as package data. The source archive is packed here too, because maturin's own
would leave out the crates of the programs, on which the extension does not depend.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import maturin
from maturin import (
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

# What is built, in this order, and where it goes. The launcher has the stub in it.
PACKAGE = Path("python/fastbox/bin")
SCRIPTS = Path("python/fastbox.data/scripts")
PROGRAMS = {"fastbox-stub": PACKAGE, "fastbox-monitor": PACKAGE, "fastbox-launcher": SCRIPTS}
# For the stub alone: its source then does without the standard library.
RUSTC_FLAGS = {"fastbox-stub": ["-C", "panic=abort"]}
SOURCES: tuple[str, ...] = ("Cargo.toml", "Cargo.lock", "pyproject.toml", "README.md", "LICENSE")
SOURCES += ("rust", "python", "scripts/build_backend")


def _build_programs() -> None:
    """Compiles the programs as static executables into the folders that go into the wheel."""
    for tool, source in (("cargo", "rustup"), ("musl-gcc", "the Debian package musl-tools")):
        if shutil.which(tool) is None:
            raise SystemExit(f"building fastbox needs {tool}: install it with {source}")
    command = ["cargo", "rustc", "--release", "--locked", "--message-format"]
    command += ["json-render-diagnostics", "--target", f"{platform.machine()}-unknown-linux-musl"]
    environment = {**os.environ, "FASTBOX_STUB": str((PACKAGE / "fastbox-stub").absolute())}
    for package, folder in PROGRAMS.items():
        folder.mkdir(parents=True, exist_ok=True)
        # One call each: in a common one, the features one program asks for would end up in all.
        made = subprocess.run(
            [*command, "--package", package, "--", *RUSTC_FLAGS.get(package, [])],
            check=True,
            stdout=subprocess.PIPE,
            env=environment,
        )
        for message in map(json.loads, made.stdout.splitlines()):
            if program := message.get("executable"):
                shutil.copy(program, folder)  # with its run bit


def prepare_metadata_for_build_wheel(
    metadata_directory: str, config_settings: dict[str, str] | None = None
) -> str:
    """Writes the wheel's metadata; the folder's name is returned."""
    SCRIPTS.mkdir(parents=True, exist_ok=True)  # maturin wants it there even now
    name: str = maturin.prepare_metadata_for_build_wheel(metadata_directory, config_settings)
    return name


prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel


def build_wheel(
    wheel_directory: str,
    config_settings: dict[str, str] | None = None,
    metadata_directory: str | None = None,
) -> str:
    """Builds the complete product; the wheel's file name is returned."""
    _build_programs()
    name: str = maturin.build_wheel(wheel_directory, config_settings, metadata_directory)
    return name


def build_editable(
    wheel_directory: str,
    config_settings: dict[str, str] | None = None,
    metadata_directory: str | None = None,
) -> str:
    """Builds what `pip install -e` links; the wheel's file name is returned."""
    _build_programs()
    name: str = maturin.build_editable(wheel_directory, config_settings, metadata_directory)
    return name


def _without_products(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    name = Path(member.name)
    if name.name == "__pycache__" or name.suffix == ".so":
        return None
    if name.match(f"*/{PACKAGE}") or name.match(f"*/{SCRIPTS.parent}"):
        return None
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def build_sdist(sdist_directory: str, config_settings: dict[str, str] | None = None) -> str:
    """Packs all that `build_wheel` needs; the archive's file name is returned."""
    with tempfile.TemporaryDirectory() as scratch:
        metadata = Path(scratch) / prepare_metadata_for_build_wheel(scratch)
        base = metadata.name.removesuffix(".dist-info")
        with tarfile.open(Path(sdist_directory) / f"{base}.tar.gz", "w:gz") as archive:
            archive.add(metadata / "METADATA", f"{base}/PKG-INFO", filter=_without_products)
            for source in filter(Path.exists, map(Path, SOURCES)):
                archive.add(source, f"{base}/{source}", filter=_without_products)
    return f"{base}.tar.gz"
