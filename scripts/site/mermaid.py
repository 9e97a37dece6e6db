"""Draw the diagrams of the pages, which GitHub draws with Mermaid, as SVG: a page of the site loads no Mermaid."""

import re
from collections.abc import Mapping, Sequence

from scripts.site.drawing import ROW, Drawing

BOX_WIDTH, GAP_X, GAP_Y, MARGIN = 200, 14, 56, 20
LANE = 240
_NODE = re.compile(r'^\s*(\w+)\["(.*)"\]$')
_EDGE = re.compile(r"^\s*(\w+) --> (\w+)$")
_PARTICIPANT = re.compile(r"^\s*participant (\w+) as (.+)$")
_MESSAGE = re.compile(r"^\s*(\w+)(-{1,2})>>(\w+): (.+)$")


def drawn(source: str) -> str:
    """Return the SVG of a flowchart or a sequence diagram.

    Raises:
        ValueError: the source holds something that these pages have not needed so far.
    """
    kind, *lines = [line for line in source.splitlines() if line.strip()]
    if kind.strip() == "flowchart TD":
        return _flowchart(lines)
    if kind.strip() == "sequenceDiagram":
        return _sequence(lines)
    raise ValueError(f"scripts/site/mermaid.py draws no {kind.strip()}")


def _flowchart(lines: Sequence[str]) -> str:
    words: dict[str, list[str]] = {}
    edges: list[tuple[str, str]] = []
    for line in lines:
        if found := _NODE.match(line):
            words[found[1]] = _wrapped([re.sub("<.*?>", "", part) for part in found[2].split("<br/>")])
        elif found := _EDGE.match(line):
            edges.append((found[1], found[2]))
        else:
            raise ValueError(f"scripts/site/mermaid.py does not read {line!r}")
    rows = _rows(words, edges)
    widest = max(map(len, rows))
    draw = Drawing(2 * MARGIN + widest * (BOX_WIDTH + GAP_X) - GAP_X, 0, "What imports what")
    places: dict[str, tuple[float, float, float]] = {}
    top = float(MARGIN)
    for row in rows:
        height = max(len(words[name]) for name in row) * ROW + 16
        left = draw.width / 2 - (len(row) * (BOX_WIDTH + GAP_X) - GAP_X) / 2
        for column, name in enumerate(row):
            places[name] = (left + column * (BOX_WIDTH + GAP_X), top, height)
        top += height + GAP_Y
    draw.height = round(top - GAP_Y + MARGIN)
    for above, below in edges:
        (x, y, height), (to_x, to_y, _) = places[above], places[below]
        draw.arrow(((x + BOX_WIDTH / 2, y + height), (to_x + BOX_WIDTH / 2, to_y - 2)))
    for name, (x, y, height) in places.items():
        draw.box(x, y, BOX_WIDTH, height, words[name], "service")
    return draw.svg()


def _wrapped(parts: Sequence[str]) -> list[str]:
    """The name, and what is said of it in lines that fit a box."""
    name, *said = parts
    lines = [""]
    for word in " ".join(said).split():
        if len(lines[-1]) + len(word) >= 27:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return [name, *lines]


def _rows(words: Mapping[str, Sequence[str]], edges: Sequence[tuple[str, str]]) -> list[list[str]]:
    """The names from top to bottom: each below all that point to it, and near the middle of them."""
    depth = dict.fromkeys(words, 0)
    for _ in words:
        for above, below in edges:
            depth[below] = max(depth[below], depth[above] + 1)
    for name in words:  # what nothing points to stands right above what it points to
        if depth[name] == 0:
            depth[name] = min((depth[below] for above, below in edges if above == name), default=1) - 1
    rows: list[list[str]] = []
    for level in range(max(depth.values()) + 1):
        row = [name for name in words if depth[name] == level]
        order = {name: place / max(len(above), 1) for above in rows for place, name in enumerate(above)}
        pointing = {name: [order[a] for a, b in edges if b == name and a in order] for name in row}
        rows.append(sorted(row, key=lambda name: sum(pointing[name]) / max(len(pointing[name]), 1)))
    return rows


def _sequence(lines: Sequence[str]) -> str:
    lanes: dict[str, str] = {}
    messages: list[tuple[str, str, str, bool]] = []
    for line in lines:
        if found := _PARTICIPANT.match(line):
            lanes[found[1]] = found[2]
        elif found := _MESSAGE.match(line):
            messages.append((found[1], found[3], found[4], found[2] == "--"))
        else:
            raise ValueError(f"scripts/site/mermaid.py does not read {line!r}")
    height = 100 + 46 * len(messages)
    draw = Drawing(2 * MARGIN + LANE * len(lanes) + 60, height, "Who sends what to whom, from top to bottom")
    middle = {key: MARGIN + LANE * (place + 0.5) for place, key in enumerate(lanes)}
    for key, name in lanes.items():
        draw.line(middle[key], 50, height - MARGIN)
        draw.box(middle[key] - 70, 16, 140, 34, (name,), "trainer" if key == "T" else "service")
    for row, (sender, receiver, said, answer) in enumerate(messages):
        y = 86 + 46 * row
        if sender == receiver:
            x = middle[sender]
            draw.arrow(((x, y - 8), (x + 30, y - 8), (x + 30, y + 10), (x + 2, y + 10)))
            draw.text(x + 38, y, said, anchor="start")
        else:
            draw.arrow(((middle[sender], y), (middle[receiver], y)), dashed=answer)
            draw.label((middle[sender] + middle[receiver]) / 2, y - 12, (said,))
    return draw.svg()
