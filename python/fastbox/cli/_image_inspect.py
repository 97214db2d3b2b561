"""`fastbox image inspect`."""

from __future__ import annotations

import json
import sys

from fastbox import images
from fastbox.cli._arguments import Given, Parser
from fastbox.cli._table import compact
from fastbox.cli._template import Template, typed
from fastbox.exceptions import ImageNotFound

# Members that are maps or lists also where they are null.
MAPS = frozenset({"Data", "ExposedPorts", "Labels", "Volumes"})
LISTS = frozenset({"Cmd", "Entrypoint", "Env", "OnBuild", "RepoDigests", "RepoTags", "Shell"})


def image_inspect_parser() -> Parser:
    """The images, and how to print them."""
    parser = Parser(
        "image inspect", "[OPTIONS] IMAGE [IMAGE...]", "Show all that is known of images."
    )
    parser.add_argument("images", metavar="IMAGE", nargs="+")
    parser.add_argument(
        "-f", "--format", metavar="FORMAT", help="json, or a Go template for each image"
    )
    return parser


def image_inspect_command(given: Given) -> int:
    """A JSON array, or a line for each image; the code is 1 where there is no such image."""
    template = None if given.format in (None, "", "json") else Template(given.format)
    found = []
    code = 0
    for name in given.images:
        try:
            document = images.inspect(name)
        except ImageNotFound as error:
            print(f"fastbox: {error}", file=sys.stderr)
            code = 1
            continue
        found.append(document)
        if template is not None:
            print(template.render(typed(document, MAPS, LISTS)))
    if template is None:
        is_compact = given.format == "json"
        text = compact(found) if is_compact else json.dumps(found, indent=4, ensure_ascii=False)
        print(text)
    return code
