"""Draw what was seen of a run: a curve and two figures for each sign, in as many columns as there are."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.table import Table
from rich.text import Text

from reward_service.tools.watch.watching import Seen

BLOCKS = " ▁▂▃▄▅▆▇█"
ASCII = " .:-=+*#@"
"""For terminals that know no other characters."""
CURVE_ROWS = 2
"""Of a curve, where the terminal is high enough."""
OTHER_ROWS = 8
"""What stands above and below the curves, at most."""
LEVELS = len(BLOCKS) - 1
FIGURE_COLUMNS = 50
"""What the other columns of the table take at most."""
LEAST_CURVE = 10
LONGEST, SHORTEST = 1e12, 1e-12
"""Larger and smaller figures are written with an exponent and few digits, so that they fit their column."""
LARGEST = 1e100
"""Larger figures are gaps: sums of them may be no number."""
BEFORE = 10
"""How many steps before the latest the other figure is of."""


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"


def _number(value: float) -> str:
    if abs(value) >= LONGEST or 0.0 < abs(value) < SHORTEST:
        return f"{value:.2g}"
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:.3g}"


class Figure(NamedTuple):
    """A sign of a step as it is drawn; a share has 1 as the top of its curve."""

    name: str
    title: str
    written: Callable[[float], str] = _number


FIGURES = (
    Figure("rollouts", "rollouts"),
    Figure("distinct_answers", "answers in a group"),
    Figure("top_share", "top answer", _share),
    Figure("vote_share", "vote share", _share),
    Figure("label_agreement", "label agreement", _share),
    Figure("view_agreement", "view agreement", _share),
    Figure("answered", "with an answer", _share),
    Figure("length", "tokens"),
)
UNDRAWN = frozenset({"step", "attempt", "groups", "labels"})


def picture(seen: Seen, width: int, height: int, *, ascii_only: bool = False) -> RenderableType:
    """Return the picture of a run for a terminal of so many columns and rows."""
    parts: list[RenderableType] = [*_head(seen)]
    if seen.points:
        parts.append(_signs(seen, width, height, ASCII if ascii_only else BLOCKS))
    elif seen.settings:
        parts.append(Text("no step has settled groups yet"))
    return Group(*parts)


class Screen:
    """A picture that fits whatever it is printed on."""

    def __init__(self, seen: Seen) -> None:
        """Of what was seen."""
        self._seen = seen

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Yield the picture."""
        yield picture(self._seen, options.max_width, options.size.height, ascii_only=options.ascii_only)


def curve(
    values: Sequence[float | None],
    columns: int,
    top: float,
    blocks: str = BLOCKS,
    rows: int = CURVE_ROWS,
    bottom: float = 0.0,
) -> list[str]:
    """Return the last values, from `bottom` to `top`, as lines of blocks, the upper one first.

    A step without a value is a gap.

    Of more values than columns, each column shows the mean of some, so that the whole run is seen.
    """
    shown = list(_fitted(values, columns))
    full = rows * LEVELS
    heights = [
        None if value is None else max(1, min(full, round(full * (value - bottom) / (top - bottom)))) for value in shown
    ]
    lines: list[str] = []
    for row in reversed(range(rows)):
        within = [0 if height is None else max(0, min(LEVELS, height - row * LEVELS)) for height in heights]
        lines.append("".join(blocks[level] for level in within))
    return lines


def _fitted(values: Sequence[float | None], columns: int) -> Iterator[float | None]:
    if len(values) <= columns:
        yield from values
        return
    for column in range(columns):
        some = values[column * len(values) // columns : (column + 1) * len(values) // columns]
        known = [value for value in some if value is not None]
        yield sum(known) / len(known) if known else None


def _head(seen: Seen) -> Iterator[Text]:
    method = f", {seen.settings['method']}" if seen.settings else ""
    yield Text.assemble((seen.run, "bold"), f"{method}, at {seen.url}")
    if seen.settings:
        state = seen.settings["state"]
        rate = "" if seen.cohorts_per_s is None else f"; {seen.cohorts_per_s:.1f} cohorts a second"
        yield Text(f"cohorts: {state['settled']} settled, {state['abstained']} abstained, {state['open']} open{rate}")
    if seen.teacher is not None:
        told = seen.teacher
        waits = f"; waits for: {told.waiting_for}" if told.waiting_for else ""
        yield Text(f"teacher: version {told.version} of {told.step}, {told.queue} labels asked for{waits}")
    if seen.trouble is not None:
        yield Text(f"{seen.trouble}, for {seen.trouble_s:.0f} s; asked again and again", style="bold red")


def _signs(seen: Seen, width: int, height: int, blocks: str) -> Table:
    latest = seen.points[-1]
    before = seen.points[-1 - BEFORE] if len(seen.points) > BEFORE else None
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), expand=False)
    columns = max(LEAST_CURVE, width - FIGURE_COLUMNS)
    table.add_column(f"step {latest['step']}", no_wrap=True)
    table.add_column(f"{len(seen.points)} steps", no_wrap=True)
    table.add_column(f"{BEFORE} steps ago", justify="right", no_wrap=True)
    table.add_column("latest", justify="right", no_wrap=True)
    drawn = [(figure, [_drawn(point.get(figure.name)) for point in seen.points]) for figure in _figures(seen)]
    drawn = [(figure, values) for figure, values in drawn if any(value is not None for value in values)]
    rows = CURVE_ROWS if CURVE_ROWS * len(drawn) + OTHER_ROWS <= height else 1
    for figure, values in drawn:
        known = [value for value in values if value is not None]
        bottom = min(0.0, *known)
        top = 1.0 if figure.written is _share else max(0.0, *known) or (0.0 if bottom else 1.0)
        lines = "\n".join(curve(values, columns, top, blocks, rows, bottom))
        earlier = None if before is None else before.get(figure.name)
        table.add_row(figure.title, lines, _written(figure, earlier), _written(figure, latest.get(figure.name)))
    return table


def _figures(seen: Seen) -> Iterator[Figure]:
    """Yield the figures that are known here, then those of a later service."""
    yield from FIGURES
    known = {figure.name for figure in FIGURES} | UNDRAWN
    for name, value in seen.points[-1].items():
        if name not in known and isinstance(value, int | float):
            yield Figure(name, name.replace("_", " ")[:18])


def _drawn(value: float | None) -> float | None:
    return None if value is None or abs(value) >= LARGEST else value


def _written(figure: Figure, value: float | None) -> str:
    return "" if value is None else figure.written(value)
