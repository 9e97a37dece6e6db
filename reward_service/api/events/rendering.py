"""Render runs as viewers are told of them."""

import time
from collections.abc import Sequence

from pydantic import BaseModel

from reward_service.api.events.models import RecentDocument, RunRowDocument, TeacherLookDocument, WatchedRunDocument
from reward_service.api.runs.history import run_document, signs_document
from reward_service.domain.attention import Concern, Point, concerns_of
from reward_service.store.run_looks import RunLook
from reward_service.store.traces import SignPoint

DIGITS = 4


def run_row(look: RunLook, used_s: float, rollouts_per_s: float | None) -> RunRowDocument:
    """Render a run of the list."""
    return RunRowDocument(
        run=look.run,
        method=look.settings.method,
        last_used_s=used_s,
        state=look.state,
        signs=signs_document(look.points[-1]) if look.points else None,
        rollouts_per_s=_rounded(rollouts_per_s),
        concerns=_concerns(look, look.points, used_s),
        recent=RecentDocument(
            step=[point.step for point in look.points],
            reward=[_rounded(point.sums.mean_reward) for point in look.points],
            distinct_answers=[_rounded(point.sums.distinct_answers) for point in look.points],
        ),
    )


def watched_run(
    look: RunLook,
    points: Sequence[SignPoint],
    used_s: float | None,
    rollouts_per_s: float | None,
    absent_peers: list[str],
) -> WatchedRunDocument:
    """Render a run that is watched; `points` are all of its steps that are known."""
    teacher = look.teacher
    told = run_document(look).model_copy(update={"absent_peers": absent_peers or None})
    return WatchedRunDocument(
        **told.model_dump(),
        last_used_s=used_s,
        rollouts_per_s=_rounded(rollouts_per_s),
        concerns=_concerns(look, points, used_s),
        teacher=TeacherLookDocument(
            version=teacher.version,
            announced=teacher.announced,
            lag=teacher.lag,
            asked=teacher.asked,
            making=teacher.making,
        ),
    )


def encoded(document: BaseModel) -> bytes:
    """Return a document as JSON."""
    return document.model_dump_json().encode()


def _concerns(look: RunLook, points: Sequence[SignPoint], used_s: float | None) -> list[Concern]:
    told = [Point(point.sums, point.top) for point in points]
    unused_s = 0.0 if used_s is None else time.time() - used_s
    return concerns_of(told, opened=look.state["open"], unused_s=unused_s, lag=look.teacher.lag)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)
