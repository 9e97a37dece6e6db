"""Explain a reward: show a cohort with its ballots, classes, votes and labels."""

import asyncio
from collections import Counter
from collections.abc import Mapping

from co_rewarding_schema.vocabulary import Abstention, View

from reward_service.api.rewards.missing_labels import why_unlabelled
from reward_service.api.rewards.models import EvidenceForm, LabelDocument, StatisticsForm
from reward_service.api.rewards.rendering import wire_label
from reward_service.api.runs.models import (
    BallotDocument,
    CohortDocument,
    CohortsDocument,
    CohortSummaryDocument,
    RunCohortsDocument,
)
from reward_service.api.services import Services
from reward_service.store.cohorts import CohortStore
from reward_service.store.keys import qualified, split_qualified
from reward_service.store.records import (
    ABSTENTIONS,
    VIEWS,
    VOTERS,
    BallotRow,
    CohortHead,
    CohortRecord,
    OpenCohort,
    open_cohort,
    unpack_batch,
    unpack_cohort,
)


async def find_cohorts(
    services: Services, run: str, question_id: str, step: int | None, most: int, cursor: str | None
) -> CohortsDocument | None:
    """A page of a question's cohorts that are open or settled, the latest first; None for a run that was not made.

    Raises:
        CursorError: the cursor is not one that a page gave.
    """
    revised = await services.runs.look(run)
    if revised is None:
        return None
    patience_s = revised.settings.cohort_deadline_s
    page = await services.finder.find(run, question_id, step, patience_s, most, cursor)
    names = dict.fromkeys(qualified(run, name) for name in page.names)
    found = await asyncio.gather(*(explain_cohort(services.cohorts, name) for name in names))
    of_question = [each for each in found if each is not None and each.question_id == question_id]
    return CohortsDocument(cohorts=[_summary(each) for each in of_question], cursor=page.cursor)


async def run_cohorts(services: Services, run: str, most: int, cursor: str | None) -> RunCohortsDocument | None:
    """A page of a run's cohorts, open or settled; None for a run that was not made.

    Raises:
        CursorError: the cursor is not one that a page gave.
    """
    revised = await services.runs.look(run)
    if revised is None:
        return None
    page = await services.finder.of_run(run, revised.settings.cohort_deadline_s, most, cursor)
    found = await asyncio.gather(*(explain_cohort(services.cohorts, qualified(run, name)) for name in page.names))
    return RunCohortsDocument(cohorts=[each for each in found if each is not None], cursor=page.cursor)


async def explain_cohort(store: CohortStore, name: str) -> CohortDocument | None:
    """The cohort of that name, settled or open; None if there is none."""
    split = split_qualified(name)
    if split is None:
        return None
    run, cohort = split
    batch, dot, number = cohort.partition(".")
    if dot:
        kept = await store.batch(run, batch)
        if kept is None or kept.record is None or not number.isdecimal() or len(number) > 9:
            return None
        cohorts = unpack_batch(kept.record).cohorts
        return _settled(name, run, cohorts[int(number)]) if int(number) < len(cohorts) else None
    (record,) = await store.records(run, [cohort])
    if record is not None:
        return _settled(qualified(run, cohort), run, unpack_cohort(record))
    fields = await store.open_cohort(run, cohort)
    return _open(name, run, open_cohort(fields)) if fields else None


def _settled(name: str, run: str, record: CohortRecord) -> CohortDocument:
    ballots: list[BallotDocument] = []
    for row, index, reward, reason in zip(
        record.rows_B, record.classes_B, record.rewards_B, record.abstentions_B, strict=True
    ):
        answer_class = None if index < 0 else record.classes[index]
        abstention = None if reason < 0 else ABSTENTIONS[reason]
        ballots.append(_ballot(row, answer_class, reward, abstention))
    ballots += [_ballot(row, name, None, None, peer) for row, name, peer in record.electors()]
    labels = [
        LabelDocument.model_validate(wire_label(name, record.head, row), from_attributes=True) for row in record.labels
    ]
    votes = Counter(b.answer_class for b in ballots if b.answer_class is not None and b.counted)
    return _document(name, run, record.head, record.state, labels, dict(votes), ballots)


def _open(name: str, run: str, cohort: OpenCohort) -> CohortDocument:
    ballots = [_ballot(row, None, None, None) for row in (*cohort.ballots.values(), *cohort.late.values())]
    return _document(name, run, cohort.head, cohort.state.value, [], {}, ballots)


def _summary(cohort: CohortDocument) -> CohortSummaryDocument:
    views = {ballot.view for ballot in cohort.ballots}
    return CohortSummaryDocument(
        **{name: getattr(cohort, name) for name in CohortSummaryDocument.model_fields if name != "views"},
        views=[view for view in View if view in views],
    )


def _ballot(
    row: BallotRow,
    answer_class: str | None,
    reward: float | None,
    abstention: Abstention | None,
    peer: str | None = None,
) -> BallotDocument:
    verified, confidence, length = row.evidence or (None, None, None)
    evidence = {"verified": verified, "confidence": confidence}
    statistics = {"self_certainty": row.self_certainty, "entropy": row.entropy, "length": length}
    return BallotDocument(
        view=VIEWS[row.view],
        voter=VOTERS[row.voter],
        peer=peer,
        rollout=row.rollout,
        answer=row.answer,
        answer_class=answer_class,
        counted=row.counted,
        reward=reward,
        abstention=abstention,
        ground_truth=row.ground_truth,
        statistics=StatisticsForm.model_validate(statistics) if _is_told(statistics) else None,
        evidence=EvidenceForm.model_validate(evidence) if _is_told(evidence) else None,
    )


def _is_told(values: Mapping[str, object]) -> bool:
    return any(value is not None for value in values.values())


def _document(
    name: str,
    run: str,
    head: CohortHead,
    state: str,
    labels: list[LabelDocument],
    classes: dict[str, int],
    ballots: list[BallotDocument],
) -> CohortDocument:
    return CohortDocument(
        cohort=name,
        run=run,
        question_id=head.question_id,
        step=head.step,
        attempt=head.attempt,
        method=head.rules.method,
        state=state,
        labels=labels,
        classes=classes,
        ballots=ballots,
        unlabelled=why_unlabelled(head.rules, ballots),
    )
