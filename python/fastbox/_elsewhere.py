"""What `fastbox` is where there is no Linux kernel: importable, and clear about what is needed."""

from __future__ import annotations

import sys

from fastbox.exceptions import FastboxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

PIPE, STDOUT, DEVNULL = -1, -2, -3
__version__ = "unavailable"

_REMEDIES = {
    "win32": "on Windows, use Python inside WSL 2 (wsl --install)",
    "darwin": "on macOS, use Python inside a Linux virtual machine, such as Lima gives you",
}


def needs_linux(*_args: Any, **_keywords: Any) -> NoReturn:
    """Raises: containers cannot be had here."""
    remedy = _REMEDIES.get(sys.platform, "use Python on Linux (WSL 2 on Windows, Lima on macOS)")
    raise FastboxError(f"containers need a Linux kernel: {remedy}")


class _NeedsLinux:
    __init__ = __class_getitem__ = needs_linux


run = prepare = import_image = info = list_images = remove_image = run_many = needs_linux
Executor = Plan = Pool = Job = Container = Exec = Completed = Usage = _NeedsLinux
Image = Info = _NeedsLinux
