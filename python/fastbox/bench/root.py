"""Root file systems for a comparison: an image's, or a small one of this machine's own program."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import IO

from fastbox.exceptions import SpecError
from fastbox.images import import_image, save

PROGRAM = "/bin/true"
_FOLDERS = ("bin", "dev", "etc", "proc", "sys", "tmp")


def own(folder: Path) -> None:
    """This machine's /bin/true with the libraries it needs, in a folder that is made."""
    for name in _FOLDERS:
        (folder / name).mkdir(parents=True)
    (folder / "etc" / "passwd").write_text("root:x:0:0:root:/:/bin/sh\n")
    asked = subprocess.run(["ldd", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    words = asked.stdout.decode().split()  # none for a static program
    for path in (PROGRAM, *(word for word in words if word.startswith("/"))):
        copy = folder / path.lstrip("/")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)


def of_image(name: str, folder: Path, scratch: Path) -> None:
    """An image's files, in a folder that is made. Raises FastboxError, SpecError for `host`."""
    if name == "host":
        raise SpecError("host has no root file system of its own: give a stored image, or none")
    archive = scratch / "image.tar"
    save([name], archive)
    folder.mkdir()
    with tarfile.open(archive) as image:
        (manifest,) = json.load(_member(image, "manifest.json"))
        for layer in manifest["Layers"]:
            with tarfile.open(fileobj=_member(image, layer)) as files:
                _apply(files, folder)
    archive.unlink()


def imported(folder: Path, name: str, scratch: Path) -> None:
    """Makes an image of such a folder."""
    archive = scratch / "root.tar"
    with tarfile.open(archive, "w") as packed:
        packed.add(folder, ".")
    import_image(archive, name)
    archive.unlink()


def _member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    member = archive.extractfile(name)
    if member is None:
        raise SpecError(f"{archive.name!r}: {name} is not a file")
    return member


def _apply(layer: tarfile.TarFile, folder: Path) -> None:
    """One layer over those before it (OCI image-spec, layer.md): whiteouts remove."""
    for member in layer:
        path = folder / member.name
        # Nothing outside is touched, whatever symbolic links an earlier layer has made.
        if not path.parent.resolve().is_relative_to(folder.resolve()):
            raise SpecError(f"the image has {member.name} behind a link out of its root")
        if path.name == ".wh..wh..opq":
            for hidden in path.parent.iterdir():
                _remove(hidden)
        elif path.name.startswith(".wh."):
            _remove(path.with_name(path.name.removeprefix(".wh.")))
        else:
            if not member.isdir():
                _remove(path)
            # As the archive has it, but nothing outside of the folder.
            layer.extract(member, folder, numeric_owner=True, filter="tar")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
