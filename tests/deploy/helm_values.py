"""The table of the chart's values in docs/kubernetes.md, made of its schema and its defaults.

`python -m tests.deploy.helm_values` writes it anew; a test says when the page has fallen behind.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import yaml

from tests.deploy.helm_chart import CHART, ROOT, Object

PAGE = ROOT / "docs" / "kubernetes.md"
BEGIN, END = "<!-- values: made by `python -m tests.deploy.helm_values` -->\n", "<!-- end of values -->"
PARTS = ("api", "worker", "teacher", "paraphraser")
OPEN = "settings"
"""Its properties are the service's own settings, in a table of their own."""


def schema() -> Object:
    """The schema of values."""
    return json.loads((CHART / "values.schema.json").read_text())


def defaults() -> Object:
    """The values of a release that gives none."""
    return yaml.safe_load((CHART / "values.yaml").read_text())


def leaves(found: Object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Object]]:
    """The values that can be given, each with its schema."""
    for name, inner in found["properties"].items():
        if "properties" in inner and name != OPEN:
            yield from leaves(inner, (*path, name))
        else:
            yield (*path, name), inner


def default_of(path: tuple[str, ...], values: Object) -> Any:
    """The default of a value.

    Raises:
        KeyError: it has none.
    """
    found: Any = values
    for name in path:
        found = found[name]
    return found


def table() -> str:
    """The rows; what all parts have alike is told once."""
    rows: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    values = defaults()
    for path, found in leaves(schema()):
        if path == ("global",):
            continue
        shown = json.dumps(default_of(path, values), separators=(", ", ": ")).replace('"', "")
        where, name = (path[0], ".".join(path[1:])) if path[0] in PARTS else ("", ".".join(path))
        rows[name, shown, found["description"]].append(where)
    lines = ["| value | default | what |", "|---|---|---|"]
    for (name, shown, what), parts in sorted(rows.items(), key=lambda row: row[1] == list(PARTS)):
        names = ["PART"] if parts == list(PARTS) else parts
        told = ", ".join(f"`{part}.{name}`" if part else f"`{name}`" for part in names)
        lines.append(f"| {told} | {'' if shown in ('', '{}', '[]') else f'`{shown}`'} | {what} |")
    return "\n".join([*lines, ""])


def with_table(page: str) -> str:
    """The page with the table as it should be."""
    before, begun, rest = page.partition(BEGIN)
    _, ended, after = rest.partition(END)
    assert begun, "the page has no place for the table"
    assert ended, "the table has no end"
    return before + BEGIN + table() + END + after


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text()))
