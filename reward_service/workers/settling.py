"""From stored ballots to a stored settlement: the domain's rules, between two forms of storage."""

from collections.abc import Iterable, Mapping, Sequence

from reward_service.domain.cohort import FINAL_STATES, CohortEvent, CohortState, advance
from reward_service.domain.methods import method_named
from reward_service.domain.settlement import Settlement, settle, settle_under
from reward_service.domain.types import Abstention, Ballot, Label
from reward_service.grading.grader import Classes, Grader
from reward_service.store.records import (
    ABSTENTIONS,
    VIEWS,
    VOTERS,
    BatchJob,
    BatchRecord,
    CohortHead,
    CohortRecord,
    LabelRow,
    OpenCohort,
    Row,
)


async def settle_batch(job: BatchJob, grader: Grader) -> BatchRecord:
    """Settles each cohort of a self-contained batch."""
    records: list[CohortRecord] = []
    for cohort in job.cohorts:
        classes = await grader.classify(_answers(cohort.rows_B))
        ballots_B = [_ballot(row, classes.class_of) for row in cohort.rows_B]
        settlement = settle(method_named(cohort.head.rules.method), ballots_B, cohort.head.rules.election)
        event = CohortEvent.ELECTED if settlement.elected else CohortEvent.UNELECTED
        state = advance(CohortState.COMPLETE, event)
        records.append(_record(state, cohort.head, [], cohort.rows_B, ballots_B, settlement, classes))
    return BatchRecord(job.run, job.step, job.method, records, [cohort.positions_B for cohort in job.cohorts])


async def settle_cohort(
    cohort: OpenCohort, earlier: CohortRecord | None, grader: Grader
) -> tuple[CohortEvent, CohortRecord]:
    """Settles a cohort that has closed, or rewards what came late under the labels that stand."""
    if cohort.state in FINAL_STATES and earlier is not None:
        return CohortEvent.LATE, await _with_late(earlier, cohort.late, grader)
    ids_B = [*cohort.ballots, *cohort.late]
    rows_B = [*cohort.ballots.values(), *(row.uncounted() for row in cohort.late.values())]
    classes = await grader.classify(_answers(rows_B))
    ballots_B = [_ballot(row, classes.class_of) for row in rows_B]
    rules = cohort.head.rules
    expired = cohort.state is CohortState.EXPIRED
    settlement = settle(method_named(rules.method), ballots_B, rules.election, expired=expired)
    event = CohortEvent.ELECTED if settlement.elected else CohortEvent.UNELECTED
    state = advance(cohort.state, event)
    return event, _record(state, cohort.head, ids_B, rows_B, ballots_B, settlement, classes)


def abandon_batch(job: BatchJob) -> BatchRecord:
    """A batch that could not be settled, try as the workers might: all of it abstains as expired."""
    records = [_abandoned(cohort.head, [], cohort.rows_B) for cohort in job.cohorts]
    return BatchRecord(job.run, job.step, job.method, records, [cohort.positions_B for cohort in job.cohorts])


def abandon_cohort(cohort: OpenCohort) -> CohortRecord:
    """The same for a cohort."""
    ids_B = [*cohort.ballots, *cohort.late]
    return _abandoned(
        cohort.head, ids_B, [*cohort.ballots.values(), *(row.uncounted() for row in cohort.late.values())]
    )


def _abandoned(head: CohortHead, ids_B: list[str], rows_B: list[Row]) -> CohortRecord:
    ballots_B = [_ballot(row, {}) for row in rows_B]
    nothing = Settlement((), (None,) * len(rows_B), (Abstention.EXPIRED,) * len(rows_B))
    return _record(CohortState.ABSTAINED, head, ids_B, rows_B, ballots_B, nothing, Classes({}))


async def _with_late(earlier: CohortRecord, late: Mapping[str, Row], grader: Grader) -> CohortRecord:
    known = set(earlier.ids_B)
    ids_B = [*earlier.ids_B, *(name for name in late if name not in known)]
    rows_B = [*earlier.rows_B, *(row.uncounted() for name, row in late.items() if name not in known)]
    classes = await grader.classify(_answers(rows_B))
    labels = [row.label(earlier.classes) for row in earlier.labels]
    missing = next((ABSTENTIONS[reason] for reason in earlier.abstentions_B if reason >= 0), Abstention.NO_LABEL)
    ballots_B = [_ballot(row, classes.class_of) for row in rows_B]
    came = settle_under(labels, ballots_B[len(earlier.rows_B) :], missing)
    settlement = Settlement(
        tuple(labels),
        (*earlier.rewards_B, *came.rewards_B),
        (*(ABSTENTIONS[reason] if reason >= 0 else None for reason in earlier.abstentions_B), *came.abstentions_B),
    )
    return _record(earlier.final_state, earlier.head, ids_B, rows_B, ballots_B, settlement, classes)


def _answers(rows: Iterable[Row]) -> set[str]:
    found: set[str] = set()
    for row in rows:
        if row.answer is not None:
            found.add(row.answer)
        if row.ground_truth is not None:
            found.add(row.ground_truth)
    return found


def _ballot(row: Row, class_of: Mapping[str, str]) -> Ballot:
    return Ballot(
        VIEWS[row.view],
        VOTERS[row.voter],
        row.rollout,
        row.answer,
        None if row.answer is None else class_of.get(row.answer),
        row.ground_truth,
        None if row.ground_truth is None else class_of.get(row.ground_truth),
        row.self_certainty,
        row.entropy,
        row.counted,
    )


def _record(
    state: CohortState,
    head: CohortHead,
    ids_B: list[str],
    rows_B: list[Row],
    ballots_B: Sequence[Ballot],
    settlement: Settlement,
    classes: Classes,
) -> CohortRecord:
    index: dict[str, int] = {}
    classes_B = [
        -1 if ballot.answer_class is None else index.setdefault(ballot.answer_class, len(index)) for ballot in ballots_B
    ]
    labels = [_label_row(label, index) for label in settlement.labels]
    abstentions_B = [-1 if reason is None else ABSTENTIONS.index(reason) for reason in settlement.abstentions_B]
    return CohortRecord(
        state.value,
        ids_B,
        head,
        rows_B,
        list(index),
        classes_B,
        labels,
        list(settlement.rewards_B),
        abstentions_B,
        classes.undecided,
    )


def _label_row(label: Label, index: dict[str, int]) -> LabelRow:
    return LabelRow(
        VIEWS.index(label.view),
        label.answer,
        index.setdefault(label.answer_class, len(index)),
        label.votes,
        label.of,
        label.voter,
        [VIEWS.index(view) for view in label.voted_on],
        label.matches_truth,
    )
