"""From stored ballots to a stored settlement: the domain's rules, between two forms of storage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reward_service.domain.answers.conventions import Conventions
from reward_service.domain.cohort import FINAL_STATES, CohortEvent, CohortState, advance
from reward_service.domain.methods import Method, RewardSource, method_named
from reward_service.domain.settlement import Settlement, settle, settle_under
from reward_service.domain.types import Abstention, Ballot, Label
from reward_service.grading.grader import Grader
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


@dataclass(frozen=True, slots=True)
class CohortClasses:
    """The class of each answer and of each ground truth of a cohort, and how many comparisons stayed undecided."""

    of_answer: Mapping[str, str]
    of_truth: Mapping[str, str]
    undecided: int = 0


async def settle_batch(job: BatchJob, grader: Grader) -> BatchRecord:
    """Settles each cohort of a self-contained batch."""
    records: list[CohortRecord] = []
    for cohort in job.cohorts:
        method = method_named(cohort.head.rules.method)
        classes = await classes_of(method, cohort.rows_B, grader, Conventions(cohort.head.rules.conventions))
        ballots_B = [_ballot(row, classes) for row in cohort.rows_B]
        settlement = settle(method, ballots_B, cohort.head.rules.election)
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
    rules = cohort.head.rules
    method = method_named(rules.method)
    classes = await classes_of(method, rows_B, grader, Conventions(rules.conventions))
    ballots_B = [_ballot(row, classes) for row in rows_B]
    expired = cohort.state is CohortState.EXPIRED
    settlement = settle(method, ballots_B, rules.election, expired=expired)
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
    ballots_B = [_ballot(row, CohortClasses({}, {})) for row in rows_B]
    nothing = Settlement((), (None,) * len(rows_B), (Abstention.EXPIRED,) * len(rows_B))
    return _record(CohortState.ABSTAINED, head, ids_B, rows_B, ballots_B, nothing, CohortClasses({}, {}))


async def _with_late(earlier: CohortRecord, late: Mapping[str, Row], grader: Grader) -> CohortRecord:
    known = set(earlier.ids_B)
    ids_B = [*earlier.ids_B, *(name for name in late if name not in known)]
    rows_B = [*earlier.rows_B, *(row.uncounted() for name, row in late.items() if name not in known)]
    labels = [row.label(earlier.classes) for row in earlier.labels]
    classes = await _classes_under(earlier, labels, rows_B[len(earlier.rows_B) :], grader)
    missing = next((ABSTENTIONS[reason] for reason in earlier.abstentions_B if reason >= 0), Abstention.NO_LABEL)
    ballots_B = [_ballot(row, classes) for row in rows_B]
    came = settle_under(labels, ballots_B[len(earlier.rows_B) :], missing)
    settlement = Settlement(
        tuple(labels),
        (*earlier.rewards_B, *came.rewards_B),
        (*(ABSTENTIONS[reason] if reason >= 0 else None for reason in earlier.abstentions_B), *came.abstentions_B),
    )
    return _record(earlier.final_state, earlier.head, ids_B, rows_B, ballots_B, settlement, classes)


async def classes_of(method: Method, rows: Sequence[Row], grader: Grader, conventions: Conventions) -> CohortClasses:
    """The classes of a cohort's answers and of its ground truths.

    What votes is classified among itself: no ground truth has a say in which answers are one. Each truth is then
    compared with one answer of each class; under the ground truth as the label, with every answer by itself.
    """
    answers = {row.answer for row in rows if row.answer is not None}
    truths = sorted({row.ground_truth for row in rows if row.ground_truth is not None})
    if method.source is RewardSource.GROUND_TRUTH and len(truths) == 1:
        matches = await grader.match(truths[0], answers, conventions)
        name = (await grader.classify(truths, conventions)).class_of[truths[0]]
        others = {answer: f"other: {answer}" for answer in answers - matches.equal}
        return CohortClasses(others | dict.fromkeys(matches.equal, name), {truths[0]: name}, matches.undecided)
    classes = await grader.classify(answers, conventions)
    if not truths:
        return CohortClasses(classes.class_of, {}, classes.undecided)
    speaker_of: dict[str, str] = {}
    for answer in sorted(answers, reverse=True):
        speaker_of[classes.class_of[answer]] = answer
    undecided = classes.undecided
    class_of_truth: dict[str, str] = {}
    for truth in truths:
        if truth in classes.class_of:
            class_of_truth[truth] = classes.class_of[truth]
            continue
        matches = await grader.match(truth, speaker_of.values(), conventions)
        undecided += matches.undecided
        found = sorted(name for name, answer in speaker_of.items() if answer in matches.equal)
        class_of_truth[truth] = found[0] if found else f"truth: {truth}"
    return CohortClasses(classes.class_of, class_of_truth, undecided)


async def _classes_under(
    earlier: CohortRecord, labels: Sequence[Label], late: Sequence[Row], grader: Grader
) -> CohortClasses:
    """Late answers under labels that stand: each is compared with them, and none changes what was one before."""
    class_of = {
        row.answer: earlier.classes[place]
        for row, place in zip(earlier.rows_B, earlier.classes_B, strict=True)
        if row.answer is not None and place >= 0
    }
    fresh = {row.answer for row in late if row.answer is not None} - class_of.keys()
    undecided = earlier.undecided
    conventions = Conventions(earlier.head.rules.conventions)
    for label in labels:
        matches = await grader.match(label.answer, fresh - class_of.keys(), conventions)
        undecided += matches.undecided
        class_of |= dict.fromkeys(matches.equal, label.answer_class)
    class_of |= {answer: f"other: {answer}" for answer in fresh - class_of.keys()}
    return CohortClasses(class_of, {}, undecided)


def _ballot(row: Row, classes: CohortClasses) -> Ballot:
    return Ballot(
        VIEWS[row.view],
        VOTERS[row.voter],
        row.rollout,
        row.answer,
        None if row.answer is None else classes.of_answer.get(row.answer),
        row.ground_truth,
        None if row.ground_truth is None else classes.of_truth.get(row.ground_truth),
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
    classes: CohortClasses,
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
