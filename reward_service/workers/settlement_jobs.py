"""Settle the cohorts of one job: labels, rewards, abstentions."""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Generic, NamedTuple, TypeVar

import msgspec
from co_rewarding_schema.method_rules import Method
from co_rewarding_schema.methods import method_named
from co_rewarding_schema.vocabulary import Abstention, Quarantine

from reward_service.domain.cohort import FINAL_STATES, Ballot, CohortEvent, CohortState, ElectedLabel, advance
from reward_service.domain.quarantine import DisagreementRules, settle_pair
from reward_service.domain.settlement import Settlement, settle, settle_under
from reward_service.grading.verdicts import Grader
from reward_service.store.label_records import TeacherLabel
from reward_service.store.pairs import Observation
from reward_service.store.records import (
    ABSTENTIONS,
    VIEWS,
    BallotRow,
    BatchJob,
    BatchRecord,
    CohortHead,
    CohortRecord,
    CohortRows,
    LabelRow,
    OpenCohort,
)
from reward_service.store.traces import NotedLabel
from reward_service.workers.answer_classes import (
    NOBODY,
    CohortClasses,
    Electors,
    ballots_of,
    classes_under,
    classified,
)
from reward_service.workers.label_history import Past, note_labels
from reward_service.workers.peer_ballots import NO_PEERS, Heard, votes_for

Kept = TypeVar("Kept")


class PairWatch(NamedTuple):
    """How a run's pairs are watched, and which questions' pairs are in quarantine."""

    watch: DisagreementRules = DisagreementRules()
    quarantined: Collection[str] = frozenset()


class Settled(NamedTuple, Generic[Kept]):
    """What is kept of a job, what was seen of its pairs, and the labels that join the last ones of their questions."""

    record: Kept
    observations: Sequence[Observation] = ()
    labels: Sequence[NotedLabel] = ()


NO_PAST: Past = MappingProxyType({})


async def settle_batch(
    job: BatchJob,
    grader: Grader,
    labels: Mapping[str, TeacherLabel] | None = None,
    pairs: PairWatch | None = None,
    past: Past = NO_PAST,
    *,
    overdue: bool = False,
    heard: Heard = NO_PEERS,
) -> Settled[BatchRecord]:
    """Settle each cohort of a self-contained batch; `labels` are the teacher's, by slot, `heard` ballots of peers."""
    labels, pairs, overdue = labels or {}, pairs or PairWatch(), overdue or heard.is_short
    settled = [
        await _settled(job.run, cohort, grader, labels, pairs, past, overdue=overdue, heard=heard)
        for cohort in job.cohorts
    ]
    positions = [cohort.positions_B for cohort in job.cohorts]
    record = BatchRecord(job.run, job.step, job.method, [each.record for each in settled], positions)
    observations = [observation for each in settled for observation in each.observations]
    return Settled(record, observations, [label for each in settled for label in each.labels])


async def _settled(
    run: str,
    cohort: CohortRows,
    grader: Grader,
    labels: Mapping[str, TeacherLabel],
    pairs: PairWatch,
    past: Past,
    *,
    overdue: bool,
    heard: Heard,
) -> Settled[CohortRecord]:
    electors = NOBODY
    if cohort.slots or heard.rows:
        answered = [labels[slot] for slot in cohort.slots if slot in labels]
        electors = Electors(answered, votes_for(cohort.head, cohort.rows_B, heard.rows) if heard.rows else ())
    method, classes = await classified(cohort.head.rules, cohort.rows_B, electors.rows_E, grader)
    ballots_B, ballots_E = ballots_of(cohort.rows_B, classes), electors.ballots_of(classes)
    settlement, observations, noted = await _decided(
        cohort.head, method, ballots_B, grader, pairs, past, electors_E=ballots_E, expired=overdue, run=run
    )
    event = CohortEvent.ELECTED if settlement.elected else CohortEvent.UNELECTED
    state = advance(CohortState.EXPIRED if overdue else CohortState.COMPLETE, event)
    record = _record(state, cohort.head, [], cohort.rows_B, ballots_B, settlement, classes)
    return Settled(
        _with_electors(record, electors.rows_E, [each.answer_class for each in ballots_E], electors.peers_E),
        observations,
        noted,
    )


async def settle_cohort(
    cohort: OpenCohort,
    earlier: CohortRecord | None,
    grader: Grader,
    pairs: PairWatch | None = None,
    past: Past = NO_PAST,
    *,
    overdue: bool = False,
    heard: Heard = NO_PEERS,
) -> tuple[CohortEvent, Settled[CohortRecord]]:
    """Settle a cohort that has closed, or reward late ballots under the labels that stand."""
    if cohort.state in FINAL_STATES and earlier is not None:
        return CohortEvent.LATE, Settled(await _with_late(earlier, cohort.late, grader))
    ids_B, rows_B = [*cohort.ballots, *cohort.late], cohort.all_rows()
    electors = Electors((), votes_for(cohort.head, rows_B, heard.rows)) if heard.rows else NOBODY
    method, classes = await classified(cohort.head.rules, rows_B, electors.rows_E, grader)
    ballots_B, ballots_E = ballots_of(rows_B, classes), electors.ballots_of(classes)
    expired = overdue or heard.is_short or cohort.state is CohortState.EXPIRED
    settlement, observations, noted = await _decided(
        cohort.head, method, ballots_B, grader, pairs or PairWatch(), past, electors_E=ballots_E, expired=expired
    )
    event = CohortEvent.ELECTED if settlement.elected else CohortEvent.UNELECTED
    state = advance(cohort.state, event)
    record = _record(state, cohort.head, ids_B, rows_B, ballots_B, settlement, classes, cohort.group_sizes)
    return event, Settled(
        _with_electors(record, electors.rows_E, [each.answer_class for each in ballots_E], electors.peers_E),
        observations,
        noted,
    )


async def _decided(
    head: CohortHead,
    method: Method,
    ballots_B: Sequence[Ballot],
    grader: Grader,
    pairs: PairWatch,
    past: Past,
    *,
    electors_E: Sequence[Ballot] = (),
    expired: bool,
    run: str = "",
) -> tuple[Settlement, Sequence[Observation], Sequence[NotedLabel]]:
    """Return labels and rewards, what was seen of a pair that is watched, and the labels that a history keeps.

    `run` is part of the identity by which rewards are drawn; a cohort that joined across requests draws none.
    """
    rules = head.rules
    identity = "\n".join((run, head.question_id, str(head.step), str(head.attempt))) if method.is_drawn else ""

    decided = partial(
        settle,
        ballots_B=ballots_B,
        parameters=rules.of_method,
        electors_E=electors_E,
        expired=expired,
        identity=identity,
    )
    observations: Sequence[Observation] = ()
    if rules.watched:
        quarantined = head.question_id in pairs.quarantined
        settlement, disagrees = settle_pair(method, decided, Quarantine(rules.quarantine), pairs.watch, quarantined)
        observations = () if disagrees is None else (Observation(head.question_id, disagrees),)
    else:
        settlement = decided(method)
    if not rules.history:
        return settlement, observations, ()
    noted, instability_of = await note_labels(head, settlement.labels, ballots_B, past, grader)
    if method.needs_history and any(instability_of.values()):
        settlement = decided(method, instability_of=instability_of)
    return settlement, observations, noted


def abandon_batch(job: BatchJob) -> BatchRecord:
    """Let all of a batch abstain as expired that no worker could settle."""
    records = [_abandoned(cohort.head, [], cohort.rows_B) for cohort in job.cohorts]
    return BatchRecord(job.run, job.step, job.method, records, [cohort.positions_B for cohort in job.cohorts])


def abandon_cohort(cohort: OpenCohort) -> CohortRecord:
    """Let all of a cohort abstain as expired that no worker could settle."""
    abandoned = _abandoned(cohort.head, [*cohort.ballots, *cohort.late], cohort.all_rows())
    return msgspec.structs.replace(abandoned, group_sizes=cohort.group_sizes)


def _abandoned(head: CohortHead, ids_B: list[str], rows_B: list[BallotRow]) -> CohortRecord:
    ballots_B = ballots_of(rows_B, CohortClasses({}, {}))
    nothing = Settlement((), (None,) * len(rows_B), (Abstention.EXPIRED,) * len(rows_B))
    return _record(CohortState.ABSTAINED, head, ids_B, rows_B, ballots_B, nothing, CohortClasses({}, {}))


async def _with_late(earlier: CohortRecord, late: Mapping[str, BallotRow], grader: Grader) -> CohortRecord:
    known = set(earlier.ids_B)
    ids_B = [*earlier.ids_B, *(name for name in late if name not in known)]
    rows_B = [*earlier.rows_B, *(row.uncounted() for name, row in late.items() if name not in known)]
    labels = [row.label(earlier.classes) for row in earlier.labels]
    rules = earlier.head.rules
    method = method_named(rules.method)
    classes = await classes_under(method, earlier, labels, rows_B[len(earlier.rows_B) :], grader)
    missing = next((ABSTENTIONS[reason] for reason in earlier.abstentions_B if reason >= 0), Abstention.NO_LABEL)
    ballots_B = ballots_of(rows_B, classes)
    cast, late_B = ballots_B[: len(earlier.rows_B)], ballots_B[len(earlier.rows_B) :]
    came = settle_under(method, labels, late_B, cast, rules.of_method, missing=missing)
    settlement = Settlement(
        tuple(labels),
        (*earlier.rewards_B, *came.rewards_B),
        (*(ABSTENTIONS[reason] if reason >= 0 else None for reason in earlier.abstentions_B), *came.abstentions_B),
    )
    record = _record(
        earlier.final_state, earlier.head, ids_B, rows_B, ballots_B, settlement, classes, earlier.group_sizes
    )
    classes_E = [name for _, name, _ in earlier.electors()]
    return _with_electors(record, earlier.electors_E, classes_E, earlier.elector_peers_E)


def _record(
    state: CohortState,
    head: CohortHead,
    ids_B: list[str],
    rows_B: list[BallotRow],
    ballots_B: Sequence[Ballot],
    settlement: Settlement,
    classes: CohortClasses,
    group_sizes: Mapping[str, int] | None = None,
) -> CohortRecord:
    index: dict[str, int] = {}
    classes_B = [
        -1 if (name := ballot.answer_class) is None else index.setdefault(name, len(index)) for ballot in ballots_B
    ]
    labels = [_label_row(label, index) for label in settlement.labels]
    abstentions_B = [-1] * len(rows_B)
    if any(settlement.abstentions_B):
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
        group_sizes=dict(group_sizes or {}),
    )


def _with_electors(
    record: CohortRecord, rows_E: list[BallotRow], classes_E: Sequence[str | None], peers_E: list[int]
) -> CohortRecord:
    """Return the record with the ballots of others, and their classes, beside those that were rewarded."""
    if not rows_E:
        return record
    index = {name: place for place, name in enumerate(record.classes)}
    places_E = [-1 if name is None else index.setdefault(name, len(index)) for name in classes_E]
    return msgspec.structs.replace(
        record, classes=list(index), electors_E=rows_E, elector_classes_E=places_E, elector_peers_E=peers_E
    )


def _label_row(label: ElectedLabel, index: dict[str, int]) -> LabelRow:
    return LabelRow(
        VIEWS.index(label.view),
        label.answer,
        index.setdefault(label.answer_class, len(index)),
        label.votes,
        label.of,
        label.voter,
        [VIEWS.index(view) for view in label.voted_on],
        label.matches_truth,
        label.version,
        label.instability or None,
    )
