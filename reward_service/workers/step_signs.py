"""Sum up what the cohorts of a settled job say of the policy: the signs of a collapse."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from co_rewarding_schema.vocabulary import Voter

from reward_service.domain.signs import SignSums
from reward_service.store.keys import digest
from reward_service.store.records import VIEWS, VOTERS, CohortRecord
from reward_service.store.traces import StepSums
from reward_service.telemetry import Metrics

POLICY = VOTERS.index(Voter.POLICY)
NAME_CHARS = 32
"""Of a longer name of a class a digest is counted."""


class JobSums(NamedTuple):
    """What a job adds to the signs of one step and attempt; `answers` counts the rollouts that gave each answer."""

    step: int | None
    attempt: int
    sums: SignSums
    answers: dict[str, int]


@dataclass(slots=True)
class _Step:
    """The settled cohorts of one step and attempt."""

    records: list[CohortRecord] = field(default_factory=list)
    classes_of: dict[str, dict[int, str]] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter[str])


def sums_of(records: Iterable[CohortRecord]) -> list[JobSums]:
    """Return the sums of each step and attempt.

    Only ballots of the policy that were counted are looked at. Two views are compared that one job has settled.
    """
    steps: dict[tuple[int | None, int], _Step] = {}
    for record in records:
        steps.setdefault((record.head.step, record.head.attempt), _Step()).records.append(record)
    return [
        JobSums(step, attempt, _sums(each), {_name(answer): count for answer, count in each.answers.items()})
        for (step, attempt), each in steps.items()
    ]


def step_sums(sums: Iterable[JobSums]) -> list[StepSums]:
    """Return the sums that join the run's series: those of rollouts that came with their step."""
    return [StepSums(step, attempt, each, answers) for step, attempt, each, answers in sums if step is not None]


def _sums(step: _Step) -> SignSums:
    groups = rollouts = answered = distinct = labels = measured = length = 0
    votes = agreement = 0.0
    for record in step.records:
        places_of: dict[int, list[int]] = {}
        for row, place in zip(record.rows_B, record.classes_B, strict=True):
            if row.voter != POLICY or not row.counted:
                continue
            places_of.setdefault(row.view, []).append(place)
            tokens = row.evidence[2] if row.evidence is not None else None
            if tokens is not None:
                measured += 1
                length += tokens
        for places in places_of.values():
            count_of = Counter(places)
            without = count_of.pop(-1, 0)
            groups += 1
            rollouts += len(places)
            answered += len(places) - without
            distinct += len(count_of)
            for place, count in count_of.items():
                step.answers[record.classes[place]] += count
        for label in record.labels:
            if not label.of:
                continue
            own: Sequence[int] = places_of.get(label.view, ())
            labels += 1
            votes += label.votes / label.of
            agreement += own.count(label.answer_class) / len(own) if own else 0.0
            step.classes_of.setdefault(record.head.question_id, {})[label.view] = record.classes[label.answer_class]
    both = [classes for classes in step.classes_of.values() if len(classes) == len(VIEWS)]
    same = sum(len(set(classes.values())) == 1 for classes in both)
    return SignSums(groups, rollouts, answered, distinct, labels, votes, agreement, len(both), same, measured, length)


def _name(answer: str) -> str:
    return answer if len(answer) <= NAME_CHARS else digest(answer, size=NAME_CHARS // 2)


def count_signs(metrics: Metrics, run: str, jobs: Iterable[JobSums]) -> None:
    """Count the same for Prometheus, of all steps together."""
    for job in jobs:
        sums = job.sums
        metrics.count(metrics.groups, sums.groups, run)
        metrics.count(metrics.group_rollouts, sums.rollouts, run)
        metrics.count(metrics.group_answered, sums.answered, run)
        metrics.count(metrics.distinct_answers, sums.distinct, run)
        metrics.count(metrics.labels_elected, sums.labels, run)
        metrics.count(metrics.label_agreement, sums.agreement, run)
        metrics.count(metrics.view_pairs, sums.same, run, "yes")
        metrics.count(metrics.view_pairs, sums.pairs - sums.same, run, "no")
