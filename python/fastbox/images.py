"""Images of the store.

`import_` makes one from a root file system, `load` and `save` move images as files, `list` and
`get` find them, `tag`, `remove` and `prune` change what there is, `inspect` and `history` tell
about one in Docker's form. The image `host`, which is always there, is not in the store.
"""

from __future__ import annotations

import os

from fastbox import _core
from fastbox._core import Image, Imported, Loaded

TYPE_CHECKING = False
if TYPE_CHECKING:
    import builtins
    from collections.abc import Iterable, Mapping
    from typing import Any

    from fastbox._calls import Stream

__all__ = [
    "Image",
    "Imported",
    "Loaded",
    "get",
    "history",
    "import_",
    "import_image",
    "inspect",
    "list",
    "list_images",
    "load",
    "prune",
    "remove",
    "remove_image",
    "save",
    "tag",
]


def import_(
    source: str | os.PathLike[str] | Stream,
    name: str | None = None,
    *,
    changes: str | Iterable[str] = (),
    message: str | None = None,
    platform: str | None = None,
    max_bytes: int | str | None = None,
    max_entries: int | None = None,
) -> Imported:
    """Makes the image `name`, or one that has none, from a root filesystem tar.

    The tar is plain, or compressed by gzip, zstd, xz or bzip2. The source is a path, or an open
    file or descriptor that is read from where it stands. `changes` are Dockerfile instructions, one
    or several, that set the image's config, such as `ENV A=b` or `CMD ["/bin/sh"]`: CMD,
    ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME, WORKDIR.
    `message` is kept in the image's history; `platform` (`linux/arm64`) is what its programs are
    for, this machine's own unless given. At most `max_bytes` of file data (64 GiB) and
    `max_entries` entries (4,000,000) are unpacked. On any error the store is as before.
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


def load(
    source: str | os.PathLike[str] | Stream,
    *,
    max_bytes: int | str | None = None,
    max_entries: int | None = None,
) -> builtins.list[Loaded]:
    """Loads all images of an archive: of `save`, Docker, Podman, skopeo, or any OCI archive.

    The source is a path, or an open file or descriptor that is read from where it stands; the path
    of a folder is an OCI image layout. Archives and layers may be plain, or compressed by gzip,
    zstd, xz or bzip2. Of an image for several platforms this machine's is loaded. Every blob is
    checked against its digest, and every layer against the image's config. At most `max_bytes` of
    file data (64 GiB) and `max_entries` entries (4,000,000) are unpacked. On any error the store is
    as before.
    """
    limits = (max_bytes, max_entries)
    if not isinstance(source, (str, os.PathLike)):
        return _core.load_images(source if isinstance(source, int) else source.fileno(), limits)
    if os.path.isdir(source):  # noqa: PTH112 - pathlib is not imported for this
        return _core.load_images(os.fspath(source), limits)
    number = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return _core.load_images(number, limits)
    finally:
        os.close(number)


def save(images: str | Iterable[str], target: str | os.PathLike[str] | Stream) -> None:
    """Writes images, with all layers and names, to one archive for `load`, Docker or Podman.

    It is an OCI archive and a docker-archive at once. A name without a tag means all tags of that
    name. The target is a path, whose file is there when it is complete, or an open file or
    descriptor. The same images make the same archive, byte by byte.
    """
    names = [images] if isinstance(images, str) else [*images]
    if not isinstance(target, (str, os.PathLike)):
        _core.save_images(target if isinstance(target, int) else target.fileno(), names)
        return
    path = os.fspath(target)
    if os.path.exists(path) and not os.path.isfile(path):  # noqa: PTH110, PTH113 - as above
        number = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            _core.save_images(number, names)
        finally:
            os.close(number)
        return
    # Images may hold secrets: like Docker, for the owner alone.
    new = f"{path}.{os.getpid()}.new"
    number = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        _core.save_images(number, names)
        os.replace(new, path)  # noqa: PTH105 - as above
    except BaseException:
        os.unlink(new)  # noqa: PTH108 - as above
        raise
    finally:
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
            layers = image.document()["rootfs"]["diff_ids"]
            removed = remove(image.id, force=True)
        except (Conflict, ImageNotFound):
            continue  # in use, or somebody else was faster
        gone += removed
        sizes = dict(zip(layers, image.layer_sizes, strict=False))
        reclaimed += sum(sizes.get(digest, 0) for digest in removed)
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
