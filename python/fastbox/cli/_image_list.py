"""`fastbox images`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from fastbox import images
from fastbox._image_filters import tags_that_fit
from fastbox.cli import _image_filter
from fastbox.cli._arguments import Given, Parser
from fastbox.cli._table import listing
from fastbox.cli._words import age, human_size, moment

HEADERS = {
    "ID": "IMAGE ID",
    "Repository": "REPOSITORY",
    "Tag": "TAG",
    "Digest": "DIGEST",
    "CreatedSince": "CREATED",
    "CreatedAt": "CREATED AT",
    "Size": "SIZE",
    "Containers": "CONTAINERS",
    "SharedSize": "SHARED SIZE",
    "UniqueSize": "UNIQUE SIZE",
    "VirtualSize": "VIRTUAL SIZE",
}
COLUMNS = "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}"
WITH_DIGESTS = COLUMNS.replace("{{.Tag}}", "{{.Tag}}\t{{.Digest}}")


def images_parser() -> Parser:
    """Which images, and how to print them."""
    parser = Parser("images", "[OPTIONS] [REPOSITORY[:TAG]]", "List images.")
    parser.add_argument("name", metavar="IMAGE", nargs="?")
    parser.add_argument(
        "-a", "--all", action="store_true", help="Intermediate images too: there are none here"
    )
    parser.add_argument("--digests", action="store_true", help="Print digests of manifests too")
    parser.add_argument(
        "-f",
        "--filter",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="Only images that fit: dangling=true, label=KEY[=VALUE], reference=PATTERN, "
        "before=IMAGE, since=IMAGE, until=TIME",
    )
    parser.add_argument(
        "--format", metavar="FORMAT", help="table, json, or a Go template, after table or alone"
    )
    parser.add_argument("--no-trunc", action="store_true", help="Print whole ids")
    parser.add_argument("-q", "--quiet", action="store_true", help="Only print ids")
    return parser


def images_command(given: Given) -> int:
    """Prints a row for each name, the newest image first."""
    filters = _image_filter.read(given.filter)
    if given.name is not None:
        filters.setdefault("reference", []).append(given.name)
    found = images.list(filters)
    rows = [
        row
        for image in found
        for row in _rows(image, tags_that_fit(image, filters), given.no_trunc)
    ]
    if given.quiet and not given.format:
        sys.stdout.writelines(f"{row['ID']}\n" for row in rows)
        return 0
    columns = WITH_DIGESTS if given.digests else COLUMNS
    sys.stdout.write(listing(rows, given.format, HEADERS, columns))
    return 0


def _rows(image: images.Image, tags: list[str], whole: bool) -> list[dict[str, str]]:
    since, at = "N/A", "N/A"
    if (created := moment(image.created)) is not None:
        since = age(created, datetime.now(UTC))
        at = f"{created:%Y-%m-%d %H:%M:%S} +0000 UTC"
    digests = dict(name.split("@") for name in image.digests)
    return [
        {
            "ID": image.id if whole else image.short_id,
            "Repository": repository,
            "Tag": tag,
            "Digest": digests.get(repository, "<none>"),
            "CreatedSince": since,
            "CreatedAt": at,
            "Size": human_size(image.size),
            "Containers": "N/A",
            "SharedSize": "N/A",
            "UniqueSize": "N/A",
            "VirtualSize": human_size(image.size, 4),
        }
        for repository, tag in (name.rsplit(":", 1) for name in tags or ["<none>:<none>"])
    ]
