"""Containers at the speed of starting a process.

>>> import fastbox
>>> fastbox.run("host", ["echo", "hello"]).stdout
b'hello\\n'

`run` starts a program in a new container of an image, waits for it and removes the container.
`prepare` does what can be done before, once; the `Plan` it gives runs as often as you like, and
`Plan.start` gives a `Container` with streams, in which `exec` runs more programs. A `Pool` has
containers ready; `run_many` runs thousands of jobs; `fastbox.aio` is for event loops. Images come
from `import_image`, and `fastbox.images` has all that can be done with them; the image `host` is
always there and has this machine's own programs. Errors are in `fastbox.exceptions`.
"""

from __future__ import annotations

import sys

from fastbox.exceptions import (
    Conflict,
    ContainerNotFound,
    ContainerTimeout,
    ExitError,
    FastboxError,
    ImageNotFound,
    RegistryError,
    SpawnError,
    SpecError,
)

if sys.platform == "linux":
    from fastbox.containers import (
        DEVNULL,
        PIPE,
        STDOUT,
        Completed,
        Container,
        Exec,
        Plan,
        Usage,
        __version__,
        prepare,
        run,
    )
    from fastbox.images import Image, import_image, list_images, remove_image
    from fastbox.many import Job, run_many
    from fastbox.pool import Pool
    from fastbox.system import Info, info
else:
    from fastbox._elsewhere import (
        DEVNULL,
        PIPE,
        STDOUT,
        Completed,
        Container,
        Exec,
        Image,
        Info,
        Job,
        Plan,
        Pool,
        Usage,
        __version__,
        import_image,
        info,
        list_images,
        prepare,
        remove_image,
        run,
        run_many,
    )

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fastbox.executor import Executor


def __getattr__(name: str) -> object:
    # concurrent.futures takes longer to import than all of fastbox.
    if name == "Executor":
        if sys.platform == "linux":
            from fastbox.executor import Executor
        else:
            from fastbox._elsewhere import Executor
        return Executor
    raise AttributeError(f"module 'fastbox' has no attribute {name!r}")


__all__ = [
    "DEVNULL",
    "PIPE",
    "STDOUT",
    "Completed",
    "Conflict",
    "Container",
    "ContainerNotFound",
    "ContainerTimeout",
    "Exec",
    "Executor",
    "ExitError",
    "FastboxError",
    "Image",
    "ImageNotFound",
    "Info",
    "Job",
    "Plan",
    "Pool",
    "RegistryError",
    "SpawnError",
    "SpecError",
    "Usage",
    "__version__",
    "import_image",
    "info",
    "list_images",
    "prepare",
    "remove_image",
    "run",
    "run_many",
]
