"""Find cohorts by their question, or all of a run, page by page."""

import re
from dataclasses import dataclass

from reward_service.store import cohort_scripts
from reward_service.store.connection import RedisConnection
from reward_service.store.keys import DIGEST_BYTES, RunKeys, question_mark, step_mark
from reward_service.store.runs import CursorError

MOST_LOOKED_AT = 50_000

COHORTS_CURSOR_PATTERN = r"^([0-9]{1,15})\.([0-9]{1,15})$"
RUN_COHORTS_CURSOR_PATTERN = r"^([0-9]{1,15})\.([0-9]{1,3})\.([0-9]{1,15})$"


@dataclass(frozen=True, slots=True)
class Names:
    """Names of cohorts, the latest first, and where the next page begins; None at the end."""

    names: list[str]
    cursor: str | None


class CohortFinder:
    """Looks up cohorts by their question. Nothing is used or kept longer for it."""

    def __init__(self, connection: RedisConnection, retention_s: float) -> None:
        """Over an open connection; `retention_s` is how long settled cohorts are kept."""
        self._connection = connection
        self._period_ms = max(1, round(retention_s * 1000))

    async def find(
        self, run: str, question_id: str, step: int | None, patience_s: float, most: int, cursor: str | None
    ) -> Names:
        """The names of a question's cohorts, of one step or of any: at most so many, from a cursor on.

        Some of them may be kept no longer, and of another question. A page may be short, or empty, and not the last.

        Raises:
            CursorError: the cursor is not one that a page gave.
        """
        from_period, names_left = ("", "") if cursor is None else _place(cursor, COHORTS_CURSOR_PATTERN)
        keys = RunKeys(run)
        mark = question_mark(question_id) + (b"" if step is None else step_mark(step))
        ttl_ms = self._period_ms + round(patience_s * 1000)
        period, index, *found = await cohort_scripts.find(
            self._connection,
            in_slot_of=keys.settings,
            lists=keys.found,
            mark=mark,
            period_ms=self._period_ms,
            ttl_ms=ttl_ms,
            most=most,
            most_seen=MOST_LOOKED_AT,
            from_period=from_period,
            names_left=names_left,
        )
        names = [_noted_name(each) for each in found]
        return Names(names, f"{period.decode()}.{index.decode()}" if period else None)

    async def of_run(self, run: str, patience_s: float, most: int, cursor: str | None) -> Names:
        """The names of a run's cohorts: at most so many, from a cursor on; those of a question, the latest first.

        Some of them may be kept no longer.

        Raises:
            CursorError: the cursor is not one that a page gave.
        """
        from_period, from_list, names_left = (
            ("", 0, "") if cursor is None else _place(cursor, RUN_COHORTS_CURSOR_PATTERN)
        )
        keys = RunKeys(run)
        period, number, left, *found = await cohort_scripts.list_noted(
            self._connection,
            in_slot_of=keys.settings,
            lists=keys.found,
            period_ms=self._period_ms,
            ttl_ms=self._period_ms + round(patience_s * 1000),
            most=most,
            from_period=from_period,
            from_list=int(from_list),
            names_left=names_left,
        )
        names = [_noted_name(each) for each in found]
        return Names(names, f"{period.decode()}.{number.decode()}.{left.decode()}" if period else None)


def _noted_name(noted: bytes) -> str:
    """The name of a cohort, without its mark."""
    return noted[DIGEST_BYTES:].partition(b"\n")[2].decode()


def _place(cursor: str, pattern: str) -> tuple[int, ...]:
    parts = re.fullmatch(pattern, cursor)
    if parts is None:
        raise CursorError("it is not one that a page gave")
    return tuple(map(int, parts.groups()))
