"""`fastbox images`, `fastbox import` and `fastbox rmi`."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime

from fastbox.cli._arguments import Given, Parser
from fastbox.exceptions import FastboxError
from fastbox.images import Image, import_image, list_images, remove_image

SHORT_ID = 12


def images_parser() -> Parser:
    """What to print."""
    parser = Parser("images", "[OPTIONS]", "List images.")
    parser.add_argument("-q", "--quiet", action="store_true", help="Only print ids")
    parser.add_argument("--no-trunc", action="store_true", help="Print whole ids")
    parser.add_argument("--format", choices=["table", "json"], default="table", help="How to print")
    return parser


def images_command(given: Given) -> int:
    """Docker's table, or only ids, or a JSON object a line."""
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


def import_parser() -> Parser:
    """The archive and what the image is called."""
    parser = Parser(
        "import",
        "[OPTIONS] FILE|- NAME[:TAG]",
        "Make an image from a root filesystem tar: plain, gzip, zstd or xz.",
    )
    parser.add_argument("file", metavar="FILE|-")
    parser.add_argument("name", metavar="NAME[:TAG]")
    parser.add_argument("-m", "--message", metavar="TEXT", help="A sentence for its history")
    parser.add_argument(
        "--max-bytes", metavar="SIZE", help="Most bytes to unpack, as 10g (default: 64g)"
    )
    parser.add_argument(
        "--max-entries", metavar="NUMBER", type=int, help="Most entries (default: 4000000)"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="No notes on what is left out")
    return parser


def import_command(given: Given) -> int:
    """Prints the new image's id, as Docker does."""
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


def rmi_parser() -> Parser:
    """The images, by name or id."""
    parser = Parser("rmi", "[OPTIONS] IMAGE [IMAGE...]", "Remove images.")
    parser.add_argument("images", metavar="IMAGE", nargs="+")
    parser.add_argument("-f", "--force", action="store_true", help="By id, with all its names")
    return parser


def rmi_command(given: Given) -> int:
    """Goes on after an error with the rest; the code is 1 then, as Docker's."""
    code = 0
    for name in given.images:
        try:
            for gone in remove_image(name, force=given.force):
                print(f"{'Deleted' if gone.startswith('sha256:') else 'Untagged'}: {gone}")
        except FastboxError as error:
            print(f"fastbox: {error}", file=sys.stderr)
            code = 1
    return code
