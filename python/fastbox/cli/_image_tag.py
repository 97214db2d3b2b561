"""`fastbox tag`."""

from __future__ import annotations

from fastbox import images
from fastbox.cli._arguments import Given, Parser


def tag_parser() -> Parser:
    """The image and its other name."""
    parser = Parser("tag", "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]", "Give an image another name.")
    parser.add_argument("source", metavar="SOURCE_IMAGE")
    parser.add_argument("target", metavar="TARGET_IMAGE")
    return parser


def tag_command(given: Given) -> int:
    """Says nothing, as Docker."""
    images.tag(given.source, given.target)
    return 0
