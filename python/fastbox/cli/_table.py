"""What commands that list things print: Docker's `--format`."""

from __future__ import annotations

import json

from fastbox.cli._template import Template

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

NARROWEST = 10
PADDING = 3


def listing(
    rows: Iterable[Mapping[str, Any]], given: str | None, headers: Mapping[str, str], default: str
) -> str:
    """The rows in a format: `table` (the default, with `default`'s columns), `table TEMPLATE`,
    `json`, or a template for each row. `headers` has the title of each field there is.

    Raises TemplateError.
    """
    text = (given or "table").strip(" ")
    if text == "json":
        return "".join(f"{compact(dict(sorted(row.items())))}\n" for row in rows)
    is_table = text == "table" or text.startswith("table ")
    if is_table:
        text = text.removeprefix("table").strip(" ") or default
    template = Template(text.replace("\\t", "\t").replace("\\n", "\n"))
    lines = [template.render(row) for row in rows]
    if not is_table:
        return "".join(f"{line}\n" for line in lines)
    return aligned([template.render(headers, header=True), *lines])


def aligned(lines: list[str]) -> str:
    """Lines of cells with tabs between them, in columns."""
    table = [line.split("\t") for text in lines for line in text.split("\n")]
    wide: dict[int, int] = {}
    for row in table:
        for place, cell in enumerate(row[:-1]):
            wide[place] = max(wide.get(place, NARROWEST), len(cell) + PADDING)
    shown = (
        "".join(f"{cell:{wide[place]}}" for place, cell in enumerate(row[:-1])) + row[-1]
        for row in table
    )
    return "".join(f"{line}\n" for line in shown)


def compact(value: Any) -> str:
    """JSON in one line, as Docker writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
