"""`fastbox image prune`."""

from __future__ import annotations

import sys

from fastbox import images
from fastbox.cli import _image_filter
from fastbox.cli._arguments import Given, Parser
from fastbox.cli._words import human_size
from fastbox.exceptions import SpecError


def image_prune_parser() -> Parser:
    """Which images."""
    parser = Parser("image prune", "[OPTIONS]", "Remove images that have no name.")
    parser.add_argument(
        "-a", "--all", action="store_true", help="All images that are not in use, named or not"
    )
    parser.add_argument(
        "--filter",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="Only images that fit: label=KEY[=VALUE], label!=KEY[=VALUE], until=TIME",
    )
    parser.add_argument("-f", "--force", action="store_true", help="Do not ask")
    return parser


def image_prune_command(given: Given) -> int:
    """Asks first; prints what is gone, and how many bytes that were."""
    filters = _image_filter.read(given.filter)
    for name in filters.keys() - {"label", "label!", "until"}:
        raise SpecError(f"--filter {name}: use label=KEY[=VALUE], label!=KEY[=VALUE] or until=TIME")
    which = "all images that are not in use" if given.all else "all images without a name"
    if not given.force and not _agreed(f"This will remove {which}. Continue? [y/N] "):
        return 0
    gone, reclaimed = images.prune(filters, all=given.all)
    if gone:
        print("Deleted Images:")
        for one in gone:
            print(f"{'deleted' if one.startswith('sha256:') else 'untagged'}: {one}")
        print()
    print(f"Total reclaimed space: {human_size(reclaimed)}")
    return 0


def _agreed(question: str) -> bool:
    print(question, end="", flush=True)
    answer = sys.stdin.readline().strip().lower()
    return answer in ("y", "yes")
