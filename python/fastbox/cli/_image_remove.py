"""`fastbox rmi`."""

from __future__ import annotations

import sys

from fastbox import images
from fastbox.cli._arguments import Given, Parser
from fastbox.exceptions import FastboxError


def rmi_parser() -> Parser:
    """The images, by name or id."""
    parser = Parser("rmi", "[OPTIONS] IMAGE [IMAGE...]", "Remove images.")
    parser.add_argument("images", metavar="IMAGE", nargs="+")
    parser.add_argument(
        "-f",
        "--force",
        action="store_true",
        help="By id, with all its names; by name, also of one in use, which stays",
    )
    parser.add_argument(
        "--no-prune", action="store_true", help="Keep parents without a name: there are none here"
    )
    return parser


def rmi_command(given: Given) -> int:
    """Goes on after an error with the rest; the code is 1 then, as Docker's."""
    code = 0
    for name in given.images:
        try:
            for gone in images.remove(name, force=given.force):
                print(f"{'Deleted' if gone.startswith('sha256:') else 'Untagged'}: {gone}")
        except FastboxError as error:
            print(f"fastbox: {error}", file=sys.stderr)
            code = 1
    return code
