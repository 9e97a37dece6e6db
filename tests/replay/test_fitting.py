"""A table that is too wide comes in parts, each of which names its rows."""

from collections.abc import Sequence

import pytest
from rich.console import Console
from rich.table import Table

from reward_service.tools.replay.fitting import fitting_tables

NAMES = ["no", "method"]


def shown(heads: Sequence[str], kept: int, width: int) -> list[list[str]]:
    """The heads of each part."""
    console = Console(width=width)
    tables = fitting_tables(heads, [["x"] * len(heads)] * 2, kept, lambda some: Table(*some), console)
    return [[str(column.header) for column in table.columns] for table in tables]


@pytest.mark.parametrize("width", [1, 20, 40, 60, 1000])
def test_each_part_begins_with_what_names_the_rows_and_each_figure_is_in_one(width: int) -> None:
    figures = [f"figure {number}" for number in range(9)]
    parts = shown([*NAMES, *figures], 2, width)
    assert all(part[:2] == NAMES and part[2:] for part in parts)
    assert [figure for part in parts for figure in part[2:]] == figures
    assert len(parts) == {1: 9, 20: 9, 40: 5, 60: 3, 1000: 1}[width]


@pytest.mark.parametrize("wide", [0, 1, 2])
def test_a_column_that_is_wider_than_the_terminal_has_a_part_of_its_own(wide: int) -> None:
    figures = ["a", "b", "c"]
    figures[wide] *= 200
    parts = shown([*NAMES, *figures], 2, 40)
    assert [*NAMES, figures[wide]] in parts
    assert [figure for part in parts for figure in part[2:]] == figures
