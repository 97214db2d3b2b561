"""`fastbox load` and `fastbox save`."""

from __future__ import annotations

import os
import sys

from fastbox import images
from fastbox.cli._arguments import Given, Parser
from fastbox.exceptions import SpecError


def load_parser() -> Parser:
    """Where the archive is, and how much may be in it."""
    parser = Parser(
        "load",
        "[OPTIONS]",
        "Load images from an archive of 'fastbox save', Docker, Podman or skopeo, from an OCI "
        "archive\nor an OCI layout folder.",
    )
    parser.add_argument(
        "-i", "--input", metavar="FILE", help="The archive, or a layout folder (default: stdin)"
    )
    parser.add_argument(
        "--max-bytes", metavar="SIZE", help="Most bytes to unpack, as 10g (default: 64g)"
    )
    parser.add_argument(
        "--max-entries", metavar="NUMBER", type=int, help="Most entries (default: 4000000)"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="No notes on what is left out")
    return parser


def load_command(given: Given) -> int:
    """Prints the names of what was loaded, or ids where there are none, as Docker does."""
    if given.input is None and os.isatty(0):
        raise SpecError("load: standard input is a terminal: give the archive by --input or a pipe")
    source = 0 if given.input is None else given.input
    loaded = images.load(source, max_bytes=given.max_bytes, max_entries=given.max_entries)
    for image in loaded:
        if not given.quiet:
            for entry, what in image.skipped:
                print(f"fastbox: note: {entry}: left out: {what}", file=sys.stderr)
            if image.skipped_total > len(image.skipped):
                more = image.skipped_total - len(image.skipped)
                print(f"fastbox: note: and {more} more were left out", file=sys.stderr)
        for tag in image.tags:
            print(f"Loaded image: {tag}")
        if not image.tags:
            print(f"Loaded image ID: {image.id}")
    return 0


def save_parser() -> Parser:
    """Which images, and where to."""
    parser = Parser(
        "save",
        "[OPTIONS] IMAGE [IMAGE...]",
        "Save images to one archive, which Docker, Podman and 'fastbox load' can load, and which\n"
        "is an OCI archive too.",
    )
    parser.add_argument("images", metavar="IMAGE", nargs="+")
    parser.add_argument("-o", "--output", metavar="FILE", help="The archive (default: stdout)")
    return parser


def save_command(given: Given) -> int:
    """Writes nothing else to standard output."""
    if given.output is None and os.isatty(1):
        raise SpecError("save: standard output is a terminal: use --output FILE, or redirect it")
    images.save(given.images, 1 if given.output is None else given.output)
    return 0
