"""List the graders that recorded rollouts can be settled with. A new grader is a new row.

A row's factory imports what it needs when it is called, so that the table costs a `--help` nothing.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from types import MappingProxyType
from typing import TYPE_CHECKING

from co_rewarding_schema.vocabulary import Conventions

from reward_service.tools.replay.errors import ReplayError

if TYPE_CHECKING:
    from reward_service.grading.verdicts import Grader


@dataclass(frozen=True, slots=True)
class GraderRow:
    """How to open a grader, the conventions it is asked with, and the package it needs that may not be installed."""

    open: Callable[[], AbstractAsyncContextManager["Grader"]]
    conventions: Conventions = Conventions.LENIENT
    needs: str | None = None

    @property
    def installed(self) -> bool:
        """Whether it can be opened here."""
        return self.needs is None or find_spec(self.needs) is not None


@asynccontextmanager
async def _service_grader() -> AsyncIterator["Grader"]:
    from reward_service.grading.judge import Judge
    from reward_service.grading.judge_process import JudgeLimits
    from reward_service.grading.symbolic import SymbolicGrader

    # What a worker's judge may take, so that a replay shows what training would have seen.
    async with Judge(limits=JudgeLimits(cpu_s=0.4)) as judge:
        yield SymbolicGrader(judge)


@asynccontextmanager
async def _string_grader() -> AsyncIterator["Grader"]:
    from reward_service.tools.replay.baselines import StringGrader

    yield StringGrader()


@asynccontextmanager
async def _math_verify_grader() -> AsyncIterator["Grader"]:
    from reward_service.tools.replay.baselines import math_verify_grader

    with math_verify_grader() as grader:
        yield grader


REFERENCE = "lenient"
"""Who judges where nobody else is named: the service's own grader, as runs have it by default."""

GRADERS: Mapping[str, GraderRow] = MappingProxyType(
    {
        "string": GraderRow(_string_grader),
        "lenient": GraderRow(_service_grader, Conventions.LENIENT),
        "strict": GraderRow(_service_grader, Conventions.STRICT),
        "math-verify": GraderRow(_math_verify_grader, needs="math_verify"),
    }
)


def chosen(
    names: Iterable[str], table: Mapping[str, GraderRow] = GRADERS
) -> tuple[dict[str, GraderRow], tuple[str, ...]]:
    """The rows of that name, each once and in their order; and a note for each that is left out: not installed.

    Raises:
        ReplayError: there is no such row, or none is left.
    """
    rows: dict[str, GraderRow] = {}
    notes: list[str] = []
    for name in dict.fromkeys(names):
        row = row_named(name, table)
        if row.installed:
            rows[name] = row
        else:
            notes.append(f"{name} is left out: {_missing(row)}")
    if not rows:
        raise ReplayError(f"--grader: no grader is left; {'; '.join(notes)}")
    return rows, tuple(notes)


def reference_row(name: str, table: Mapping[str, GraderRow] = GRADERS) -> GraderRow:
    """The row of the grader that judges.

    Raises:
        ReplayError: there is no such row, or what it needs is not installed.
    """
    row = row_named(name, table, option="--reference")
    if not row.installed:
        raise ReplayError(f"--reference: {name} cannot judge: {_missing(row)}")
    return row


def row_named(name: str, table: Mapping[str, GraderRow] = GRADERS, *, option: str = "--grader") -> GraderRow:
    """The row of that name.

    Raises:
        ReplayError: there is none; the message lists those there are.
    """
    try:
        return table[name]
    except KeyError:
        raise ReplayError(f"{option}: {name!r} is not a grader; choose one of {', '.join(table)}") from None


def _missing(row: GraderRow) -> str:
    package = (row.needs or "").replace("_", "-")
    return f"{package} is not installed (pip install {package})"
