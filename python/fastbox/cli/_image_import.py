"""`fastbox import`."""

from __future__ import annotations

import sys

from fastbox import images
from fastbox.cli._arguments import Given, Parser
from fastbox.exceptions import SpecError


def import_parser() -> Parser:
    """The archive, what the image is called and what it says of its containers."""
    parser = Parser(
        "import",
        "[OPTIONS] FILE|- [NAME[:TAG]]",
        "Make an image from a root filesystem tar: plain, gzip, zstd, xz or bzip2.",
    )
    parser.add_argument("file", metavar="FILE|-")
    parser.add_argument("name", metavar="NAME[:TAG]", nargs="?")
    parser.add_argument(
        "-c",
        "--change",
        metavar="INSTRUCTION",
        action="append",
        default=[],
        help="A Dockerfile instruction for its config, as 'CMD [\"/bin/sh\"]' or 'ENV A=b'",
    )
    parser.add_argument("-m", "--message", metavar="TEXT", help="A sentence for its history")
    parser.add_argument(
        "--max-bytes", metavar="SIZE", help="Most bytes to unpack, as 10g (default: 64g)"
    )
    parser.add_argument(
        "--max-entries", metavar="NUMBER", type=int, help="Most entries (default: 4000000)"
    )
    parser.add_argument(
        "--platform",
        metavar="linux/ARCHITECTURE",
        help="What its programs are for, as linux/arm64 (default: this machine)",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="No notes on what is left out")
    return parser


def import_command(given: Given) -> int:
    """Prints the new image's id, as Docker does."""
    if given.file.startswith(("http://", "https://")):
        raise SpecError(
            f"import {given.file}: fetch it first, as: curl URL | fastbox import - NAME"
        )
    made = images.import_(
        0 if given.file == "-" else given.file,
        given.name,
        changes=given.change,
        message=given.message,
        platform=given.platform,
        max_bytes=given.max_bytes,
        max_entries=given.max_entries,
    )
    if not given.quiet:
        for entry, what in made.skipped:
            print(f"fastbox: note: {entry}: left out: {what}", file=sys.stderr)
        if made.skipped_total > len(made.skipped):
            more = made.skipped_total - len(made.skipped)
            print(f"fastbox: note: and {more} more were left out", file=sys.stderr)
    print(made.id)
    return 0
