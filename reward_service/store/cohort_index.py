"""Find cohorts by their question: mark names, and list them in pages."""

import re
from dataclasses import dataclass

from reward_service.store import cohort_scripts
from reward_service.store.connection import RedisConnection
from reward_service.store.keys import DIGEST_BYTES, RunKeys, question_mark, step_mark
from reward_service.store.runs import CursorError

MOST_LOOKED_AT = 50_000
COHORTS_CURSOR_PATTERN = r"^([0-9]{1,15})\.([0-9]{1,15})$"


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
        from_period, names_left = ("", "") if cursor is None else _place(cursor)
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
        names = [each[DIGEST_BYTES:].partition(b"\n")[2].decode() for each in found]
        return Names(names, f"{period.decode()}.{index.decode()}" if period else None)


def _place(cursor: str) -> tuple[int, int]:
    parts = re.fullmatch(COHORTS_CURSOR_PATTERN, cursor)
    if parts is None:
        raise CursorError("it is not one that a page gave")
    return int(parts[1]), int(parts[2])
