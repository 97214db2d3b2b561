"""`fastbox history`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from fastbox import images
from fastbox.cli._arguments import Given, Parser
from fastbox.cli._table import listing
from fastbox.cli._words import age, human_size, moment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HEADERS = {
    "ID": "IMAGE",
    "CreatedSince": "CREATED",
    "CreatedAt": "CREATED AT",
    "CreatedBy": "CREATED BY",
    "Size": "SIZE",
    "Comment": "COMMENT",
}
COLUMNS = "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}"
LONGEST = 45
SHORT_ID = 12


def history_parser() -> Parser:
    """The image, and how to print its steps."""
    parser = Parser(
        "history", "[OPTIONS] IMAGE", "Show how an image was made, the last step first."
    )
    parser.add_argument("image", metavar="IMAGE")
    parser.add_argument(
        "--format", metavar="FORMAT", help="table, json, or a Go template, after table or alone"
    )
    parser.add_argument(
        "-H",
        "--human",
        action="store_const",
        const=True,
        default=True,
        help="Sizes and times in words (default: true; --human=false for numbers)",
    )
    parser.add_argument("--no-trunc", action="store_true", help="Print whole ids and commands")
    parser.add_argument("-q", "--quiet", action="store_true", help="Only print ids")
    return parser


def history_command(given: Given) -> int:
    """Prints a row for each step."""
    rows = [_row(step, given.human, given.no_trunc) for step in images.history(given.image)]
    if given.quiet and not given.format:
        sys.stdout.writelines(f"{row['ID']}\n" for row in rows)
        return 0
    columns = COLUMNS if given.human else COLUMNS.replace("CreatedSince", "CreatedAt")
    sys.stdout.write(listing(rows, given.format, HEADERS, columns))
    return 0


def _row(step: dict[str, Any], human: bool, whole: bool) -> dict[str, str]:
    since = at = "N/A"
    if (created := moment(step["Created"])) is not None:
        since = age(created, datetime.now(UTC))
        at = f"{created:%Y-%m-%dT%H:%M:%S}Z"
    size = "N/A"
    if step["Size"] is not None:
        size = human_size(step["Size"]) if human else str(step["Size"])
    created_by = step["CreatedBy"].replace("\t", " ")
    identity = step["Id"]
    if not whole:
        identity = identity.removeprefix("sha256:")[:SHORT_ID]
        if len(created_by) > LONGEST:
            created_by = f"{created_by[: LONGEST - 1]}…"
    return {
        "ID": identity,
        "CreatedSince": since,
        "CreatedAt": at,
        "CreatedBy": created_by,
        "Size": size,
        "Comment": step["Comment"],
    }
