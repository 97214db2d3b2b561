"""Images of the store: `import_image`, `list_images`, `remove_image`."""

from __future__ import annotations

import os

from fastbox import _core
from fastbox._core import Image, Imported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fastbox._calls import Stream

__all__ = ["Image", "Imported", "import_image", "list_images", "remove_image"]


def import_image(
    source: str | os.PathLike[str] | Stream,
    name: str,
    *,
    max_bytes: int | str | None = None,
    max_entries: int | None = None,
    message: str | None = None,
) -> Imported:
    """Makes the image `name` from a root filesystem tar: plain, or compressed by gzip, zstd or xz.

    The source is a path, or an open file or descriptor that is read from where it stands. At most
    `max_bytes` of file data (64 GiB) and `max_entries` entries (4,000,000) are unpacked. `message`
    is kept in the image's history. On any error the store is as before.
    """
    if not isinstance(source, (str, os.PathLike)):
        number = source if isinstance(source, int) else source.fileno()
        return _core.import_image(number, name, max_bytes, max_entries, message)
    number = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return _core.import_image(number, name, max_bytes, max_entries, message)
    finally:
        os.close(number)


def list_images() -> list[Image]:
    """All images of the store, those with names first. The image `host` is not in it."""
    return _core.list_images()


def remove_image(name: str, *, force: bool = False) -> list[str]:
    """Removes a name, and with its last name, or by id, the image; returns what is gone.

    Names are in their full form, the image and its layers as `sha256:` digests. `force` removes by
    id an image that has several names. Raises Conflict while a container uses the image.
    """
    return _core.remove_image(name, force)
