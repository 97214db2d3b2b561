"""Who may use whom: the house's only arrows, between crates and between Python modules."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "python" / "fastbox"

_BELOW_ENGINE = {"sys", "container", "image", "net", "stub", "registry"}
CRATES = {
    "sys": set[str](),
    "container": {"sys"},
    "image": {"sys"},
    "net": {"sys"},
    "stub": {"sys"},
    "registry": {"image"},
    "engine": _BELOW_ENGINE,
    "monitor": {"engine"},
    "oci": {"engine"},
    "launcher": {"engine"},
    "py": {"engine"},
    "fuzz": {"engine"},
}
# Python's files that may touch the extension: a wider door would make it a second public API.
MOST_USERS_OF_CORE = 7


def _uses(crate: str) -> set[str]:
    manifest = tomllib.loads((ROOT / "rust" / crate / "Cargo.toml").read_text())
    tables = [manifest, *manifest.get("target", {}).values()]
    names = {
        dependency
        for table in tables
        for kind in ("dependencies", "build-dependencies", "dev-dependencies")
        for dependency in table.get(kind, {})
    }
    return {name.removeprefix("fastbox-") for name in names if name.startswith("fastbox-")}


@pytest.mark.parametrize(
    "crate", sorted(path.parent.name for path in ROOT.glob("rust/*/Cargo.toml"))
)
def test_crate_uses_only_what_it_may(crate: str) -> None:
    assert crate in CRATES, f"rust/{crate} has no place in the house: name its arrows here"
    assert _uses(crate) <= CRATES[crate]


def _imports(path: Path) -> Iterator[str]:
    """Absolute names of all of fastbox that a module imports, wherever in it the import stands."""
    here = ("fastbox", *path.relative_to(PACKAGE).with_suffix("").parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("fastbox"))
        elif isinstance(node, ast.ImportFrom):
            base = [*here[: -node.level]] if node.level else []
            module = ".".join([*base, *(node.module.split(".") if node.module else [])])
            if module.split(".")[0] == "fastbox":
                yield from (f"{module}.{alias.name}" for alias in node.names)


def _is_within(name: str, module: str) -> bool:
    return name == module or name.startswith(f"{module}.")


MODULES = {
    str(path.relative_to(PACKAGE)): [*_imports(path)] for path in sorted(PACKAGE.rglob("*.py"))
}
CLI = {name for name in MODULES if name.startswith(("cli/", "cli."))}


def test_there_are_modules() -> None:
    assert CLI
    assert any(_is_within(name, "fastbox._core") for names in MODULES.values() for name in names)


@pytest.mark.parametrize("module", sorted(CLI))
def test_command_line_goes_through_the_public_api(module: str) -> None:
    assert not [name for name in MODULES[module] if _is_within(name, "fastbox._core")]


@pytest.mark.parametrize("module", sorted(MODULES.keys() - CLI - {"__main__.py"}))
def test_nothing_below_uses_the_command_line(module: str) -> None:
    assert not [name for name in MODULES[module] if _is_within(name, "fastbox.cli")]


def test_few_modules_touch_the_extension() -> None:
    users = [
        module
        for module, names in MODULES.items()
        if any(_is_within(name, "fastbox._core") for name in names)
    ]
    assert len(users) <= MOST_USERS_OF_CORE, users
