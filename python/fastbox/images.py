"""Images of the store.

`import_` makes one from an archive, `list` and `get` find them, `tag`, `remove` and `prune` change
what there is, `inspect` and `history` tell about one in Docker's form. The image `host`, which is
always there, is not in the store.
"""

from __future__ import annotations

import os

from fastbox import _core
from fastbox._core import Image, Imported

TYPE_CHECKING = False
if TYPE_CHECKING:
    import builtins
    from collections.abc import Iterable, Mapping
    from typing import Any

    from fastbox._calls import Stream

__all__ = [
    "Image",
    "Imported",
    "get",
    "history",
    "import_",
    "import_image",
    "inspect",
    "list",
    "list_images",
    "prune",
    "remove",
    "remove_image",
    "tag",
]


def import_(
    source: str | os.PathLike[str] | Stream,
    name: str,
    *,
    changes: str | Iterable[str] = (),
    message: str | None = None,
    platform: str | None = None,
    max_bytes: int | str | None = None,
    max_entries: int | None = None,
) -> Imported:
    """Makes the image `name` from a root filesystem tar: plain, or compressed by gzip, zstd or xz.

    The source is a path, or an open file or descriptor that is read from where it stands. `changes`
    are Dockerfile instructions, one or several, that set the image's config, such as `ENV A=b` or
    `CMD ["/bin/sh"]`: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER,
    VOLUME, WORKDIR. `message` is kept in the image's history; `platform` (`linux/arm64`) is what
    its programs are for, this machine's own unless given. At most `max_bytes` of file data (64 GiB)
    and `max_entries` entries (4,000,000) are unpacked. On any error the store is as before.
    """
    lines = [changes] if isinstance(changes, str) else [*changes]
    is_path = isinstance(source, (str, os.PathLike))
    if isinstance(source, (str, os.PathLike)):
        number = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    else:
        number = source if isinstance(source, int) else source.fileno()
    try:
        return _core.import_image(number, name, (max_bytes, max_entries), message, lines, platform)
    finally:
        if is_path:
            os.close(number)


def list(filters: Mapping[str, str | bool | Iterable[str]] | None = None) -> builtins.list[Image]:
    """All images of the store, the newest first, or those that fit the filters.

    Filters are Docker's: `dangling` (no name), `label` (`KEY` or `KEY=VALUE`), `reference` (a
    pattern such as `deb*` or `*:12`), `before`, `since` (an image) and `until` (a time, or how long
    ago: `24h`).
    """
    images = _core.list_images()
    if not filters:
        return images
    from fastbox._image_filters import select

    return select(images, filters, get)


def get(name: str) -> Image:
    """An image by name (`debian`, `debian:12`), id, the beginning of an id, or digest.

    Raises ImageNotFound, and SpecError for a name that cannot be one.
    """
    return _core.get_image(name)


def tag(source: str, target: str) -> str:
    """Gives an image another name as well, and returns its id.

    An image that had the name loses it.
    """
    return _core.tag_image(source, target)


def remove(name: str, *, force: bool = False) -> builtins.list[str]:
    """Removes a name, and with its last name, or by id, the image; returns what is gone.

    Names are in their familiar form, the image and its layers are `sha256:` digests. Raises
    Conflict while a container uses the image. `force` removes by id an image that has several
    names, and takes the last name from an image in use, which stays.
    """
    return _core.remove_image(name, force)


def prune(
    filters: Mapping[str, str | bool | Iterable[str]] | None = None, *, all: bool = False
) -> tuple[builtins.list[str], int]:
    """Removes images without a name or, with `all`, all that are not in use.

    Returns what is gone, as `remove` does, and the bytes of file data in the layers that went. The
    filters are those of `list`.
    """
    from fastbox.exceptions import Conflict, ImageNotFound

    gone: builtins.list[str] = []
    reclaimed = 0
    for image in list({**(filters or {}), **({} if all else {"dangling": True})}):
        try:
            removed = remove(image.id, force=True)
        except (Conflict, ImageNotFound):
            continue  # in use, or somebody else was faster
        gone += removed
        # Its last digest is the image's own where another image has all its layers.
        reclaimed += 0 if removed[-1] == image.id else image.size
    return gone, reclaimed


def inspect(image: str | Image) -> dict[str, Any]:
    """Docker's JSON document of an image: Id, RepoTags, Config, RootFS and the others."""
    from fastbox._image_document import document

    return document(_found(image))


def history(image: str | Image) -> builtins.list[dict[str, Any]]:
    """How an image was made, the last step first: Id, Created, CreatedBy, Size, Comment."""
    from fastbox import _image_document

    return _image_document.history(_found(image))


def _found(image: str | Image) -> Image:
    return image if isinstance(image, Image) else get(image)


import_image = import_
list_images = list
remove_image = remove
