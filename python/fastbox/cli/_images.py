"""`fastbox images`, `fastbox import` and `fastbox rmi`."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from typing import NoReturn

from fastbox.exceptions import FastboxError, SpecError
from fastbox.images import Image, import_image, list_images, remove_image

SHORT_ID = 12


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise SpecError(f"{message}; see '{self.prog} --help'")


def _parsed(parser: argparse.ArgumentParser, args: list[str]) -> argparse.Namespace | None:
    """The arguments; None where help was asked for, and printed."""
    if "--help" in args or "-h" in args:
        parser.print_help()
        return None
    return parser.parse_args(args)


def list_command(args: list[str]) -> int:
    """Docker's table, or only ids, or a JSON object a line."""
    parser = _Parser("fastbox images", description="List images.", add_help=False)
    parser.add_argument("-q", "--quiet", action="store_true", help="only print ids")
    parser.add_argument("--no-trunc", action="store_true", help="print whole ids")
    parser.add_argument("--format", choices=["table", "json"], default="table", help="how to print")
    parser.add_argument("--help", action="store_true", help="print this help")
    given = _parsed(parser, args)
    if given is None:
        return 0
    rows = [row for image in list_images() for row in _rows(image, given.no_trunc)]
    if given.quiet:
        for identity in dict.fromkeys(row["ID"] for row in rows):
            print(identity)
    elif given.format == "json":
        for row in rows:
            print(json.dumps(row))
    else:
        _print_table(rows)
    return 0


def _rows(image: Image, whole: bool) -> list[dict[str, str]]:
    """One row for each name, with Docker's keys."""
    identity = image.id if whole else image.id.removeprefix("sha256:")[:SHORT_ID]
    names = [name.rsplit(":", 1) for name in image.names] or [["<none>", "<none>"]]
    return [
        {
            "Repository": repository,
            "Tag": tag,
            "ID": identity,
            "CreatedSince": since(image.created, datetime.now(UTC)),
            "CreatedAt": image.created,
            "Size": human_size(image.size),
        }
        for repository, tag in names
    ]


def _print_table(rows: list[dict[str, str]]) -> None:
    head = {
        "Repository": "REPOSITORY",
        "Tag": "TAG",
        "ID": "IMAGE ID",
        "CreatedSince": "CREATED",
        "Size": "SIZE",
    }
    wide = {key: max(len(row[key]) for row in [head, *rows]) + 3 for key in head}
    for row in [head, *rows]:
        print("".join(f"{row[key]:{wide[key]}}" for key in head).rstrip())


def human_size(size: float) -> str:
    """Three digits and a decimal unit, as Docker has it: 4.26MB."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size < 1000 or unit == "TB":
            break
        size /= 1000
    return f"{size:.3g}{unit}"


def since(created: str, now: datetime) -> str:
    """How long ago, in one unit: 3 hours ago."""
    seconds = max(0, int((now - datetime.fromisoformat(created)).total_seconds()))
    units = (("year", 365 * 86400), ("month", 30 * 86400), ("week", 7 * 86400), ("day", 86400))
    for unit, length in (*units, ("hour", 3600), ("minute", 60), ("second", 1)):
        count = seconds // length
        # Two weeks are 14 days in Docker's words, and so on: a unit begins at twice itself.
        if count >= 2 or (count == 1 and length <= 86400):
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "less than a second ago"


def import_command(args: list[str]) -> int:
    """Prints the new image's id, as Docker does."""
    parser = _Parser(
        "fastbox import",
        description="Make an image from a root filesystem tar: plain, gzip, zstd or xz.",
        usage="fastbox import [OPTIONS] FILE|- NAME[:TAG]",
        add_help=False,
    )
    parser.add_argument("file", metavar="FILE|-", help="the archive, or - for stdin")
    parser.add_argument("name", metavar="NAME[:TAG]", help="the image's name")
    parser.add_argument("-m", "--message", help="a sentence for the image's history")
    parser.add_argument(
        "--max-bytes", metavar="SIZE", help="most bytes to unpack, as 10g (default: 64g)"
    )
    parser.add_argument(
        "--max-entries", metavar="NUMBER", type=int, help="most entries (default: 4000000)"
    )
    parser.add_argument(
        "-q", "--quiet", action="store_true", help="no notes about what was left out"
    )
    parser.add_argument("--help", action="store_true", help="print this help")
    given = _parsed(parser, args)
    if given is None:
        return 0
    made = import_image(
        0 if given.file == "-" else given.file,
        given.name,
        max_bytes=given.max_bytes,
        max_entries=given.max_entries,
        message=given.message,
    )
    if not given.quiet:
        for entry, what in made.skipped:
            print(f"fastbox: note: {entry}: left out: {what}", file=sys.stderr)
        if made.skipped_total > len(made.skipped):
            more = made.skipped_total - len(made.skipped)
            print(f"fastbox: note: and {more} more were left out", file=sys.stderr)
    print(made.id)
    return 0


def remove_command(args: list[str]) -> int:
    """Goes on after an error with the rest; the code is 1 then, as Docker's."""
    parser = _Parser(
        "fastbox rmi",
        description="Remove images.",
        usage="fastbox rmi [OPTIONS] IMAGE [IMAGE...]",
        add_help=False,
    )
    parser.add_argument("images", metavar="IMAGE", nargs="+", help="a name, or an id")
    parser.add_argument("-f", "--force", action="store_true", help="by id, with all its names")
    parser.add_argument("--help", action="store_true", help="print this help")
    given = _parsed(parser, args)
    if given is None:
        return 0
    code = 0
    for name in given.images:
        try:
            for gone in remove_image(name, force=given.force):
                print(f"{'Deleted' if gone.startswith('sha256:') else 'Untagged'}: {gone}")
        except FastboxError as error:
            print(f"fastbox: {error}", file=sys.stderr)
            code = 1
    return code
