"""Show a table in parts where a terminal is too narrow for the whole."""

from collections.abc import Callable, Iterator, Sequence

from rich.console import Console
from rich.table import Table

Row = Sequence[str]

UNBOUNDED = 10_000
"""Columns, more than any table has."""


def fitting_tables(
    heads: Row, rows: Sequence[Row], kept: int, made: Callable[[Row], Table], console: Console
) -> Iterator[Table]:
    """Yield tables that show all columns, as many in each as fit; `made` begins a table with these heads.

    The first `kept` columns, which name the rows, are in every table. Where not even one more column fits beside
    these, the table is too wide all the same.
    """
    columns = list(zip(heads, *rows, strict=True))
    names, left = list(range(kept)), list(range(kept, len(heads)))
    while left:
        count = _fitting(columns, names, left, made, console)
        yield _table(columns, [*names, *left[:count]], made)
        left = left[count:]


def _fitting(
    columns: Sequence[Row], names: Sequence[int], left: Sequence[int], made: Callable[[Row], Table], console: Console
) -> int:
    """Return how many of the columns that are left fit beside the names, and at least 1."""
    unbounded = console.options.update(max_width=UNBOUNDED)
    for count in range(len(left), 1, -1):
        whole = _table(columns, [*names, *left[:count]], made)
        if console.measure(whole, options=unbounded).maximum <= console.width:
            return count
    return 1


def _table(columns: Sequence[Row], shown: Sequence[int], made: Callable[[Row], Table]) -> Table:
    table = made([columns[place][0] for place in shown])
    for row in range(1, len(columns[0])):
        table.add_row(*(columns[place][row] for place in shown))
    return table
