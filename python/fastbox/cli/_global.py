"""The words for the flags that stand before the command; the engine reads them."""

from __future__ import annotations

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
