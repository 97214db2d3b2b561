"""The flags that stand before the command."""

from __future__ import annotations

from fastbox.command import configure
from fastbox.exceptions import SpecError

LEVELS = ("off", "error", "warn", "info", "debug")

# Flags, what stands for the value (empty for a switch), and what is said of them.
FLAGS = [
    (("--config",), "FILE", "Read this configuration file alone"),
    (("-D", "--debug"), "", "Tell on stderr what happens; the same as --log-level debug"),
    (("-l", "--log-level"), "LEVEL", f"How much is told: {', '.join(LEVELS)} (default: off)"),
    (("--root",), "DIR", "Keep images here (default: /var/lib/fastbox, ~/.local/share/fastbox)"),
    (("--run-root",), "DIR", "Keep the state of what runs here (default: /run/fastbox)"),
    (("-v", "--version"), "", "Print the version"),
    (("--help",), "", "Print this help"),
]
_NO_DAEMON = "there is no daemon to talk to: containers are started by this command itself"
# Docker's, which mean nothing here; each takes a value but the last two.
_REFUSED = ["-H", "--host", "-c", "--context", "--tlscacert", "--tlscert", "--tlskey"]
_REFUSED += ["--tls", "--tlsverify"]


def read(args: list[str]) -> list[str]:
    """Applies them and gives what comes after; `--help` and `--version` become commands."""
    from pathlib import Path

    given: dict[str, str] = {}
    rest = list(args)
    while rest and rest[0].startswith("-") and len(rest[0]) > 1:
        name, value = _name_and_value(rest.pop(0))
        if name in ("-h", "--help"):
            return ["help"]
        if name in _REFUSED:
            raise SpecError(f"{name} cannot be had: {_NO_DAEMON}")
        row = next((row for row in FLAGS if name in row[0]), None)
        if row is None:
            raise SpecError(f"unknown flag: {name}; see 'fastbox --help'")
        (*_, flag), metavar, _ = row
        if not metavar:
            if value is not None:
                raise SpecError(f"flag takes no value: {name}={value}")
            if flag == "--version":
                return ["version"]
            given["--log-level"] = "debug"
            continue
        if value is None and not rest:
            raise SpecError(f"flag needs an argument: {name}")
        given[flag] = rest.pop(0) if value is None else value
        if not given[flag]:
            raise SpecError(f'invalid argument "" for "{name}" flag: must not be empty')
    # As a shell means them: from where the user is.
    paths = {flag: str(Path(given[flag]).absolute()) for flag in given if flag != "--log-level"}
    configure(
        config=paths.get("--config"),
        root=paths.get("--root"),
        run_root=paths.get("--run-root"),
        log_level=given.get("--log-level"),
    )
    return rest


def _name_and_value(word: str) -> tuple[str, str | None]:
    """`--flag=value`, `-fvalue`, `-f=value`."""
    if word.startswith("--"):
        name, equals, value = word.partition("=")
        return name, value if equals else None
    return word[:2], word[2:].removeprefix("=") if len(word) > 2 else None
