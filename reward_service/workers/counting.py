"""Count how the cohorts of a settled job ended, and sum up what they say of the policy: the signs of a collapse."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec
from co_rewarding_schema.vocabulary import Voter

from reward_service.domain.signs import SignSums
from reward_service.store.keys import digest
from reward_service.store.records import ABSTENTIONS, VOTERS, CohortRecord
from reward_service.telemetry import Metrics

TRUTH = {None: "unknown", True: "right", False: "wrong"}
POLICY = VOTERS.index(Voter.POLICY)
NAME_CHARS = 32
"""Of a longer name of a class a digest is counted."""


class JobSums(NamedTuple):
    """What a job adds to the signs of one step and attempt; `answers` counts the rollouts that gave each answer."""

    step: int | None
    attempt: int
    sums: SignSums
    answers: dict[str, int]


def sums_of(*jobs: Iterable[CohortRecord]) -> list[JobSums]:
    """Return the sums of each step and attempt, of the cohorts of some jobs.

    Only ballots of the policy that were counted are looked at. Two views are compared that one job has settled; those
    that were settled apart are compared by lua/traces.lua, which has the labels of a history.
    """
    steps: dict[tuple[int | None, int], list[tuple[int, CohortRecord]]] = {}
    for job, records in enumerate(jobs):
        for record in records:
            steps.setdefault((record.head.step, record.head.attempt), []).append((job, record))
    return [JobSums(step, attempt, *_summed(some)) for (step, attempt), some in steps.items()]


def packed_sums(jobs: Iterable[JobSums]) -> bytes:
    """Return the sums that join the run's series, as scripts read them: those of rollouts that came with their step."""
    steps = [job for job in jobs if job.step is not None]
    return msgspec.msgpack.encode(steps) if steps else b""


def _summed(records: Iterable[tuple[int, CohortRecord]]) -> tuple[SignSums, dict[str, int]]:
    groups = rollouts = answered = distinct = labels = pairs = same = measured = length = rewarded = truths = right = 0
    votes = agreement = reward = 0.0
    abstained: list[int] = []
    answers: dict[str, int] = {}
    alone: dict[tuple[int, str], str] = {}  # labels of cohorts of one view, by job and question
    for job, record in records:
        classes = record.classes
        blank = len(classes)  # the last place, which is that of -1 too
        counts = [0] * (blank + 1), [0] * (blank + 1)
        for row, place in zip(record.rows_B, record.classes_B, strict=True):  # every ballot: what is done here costs
            if row.voter == POLICY and row.counted:
                counts[row.view][place] += 1
                if row.evidence is not None and row.evidence[2] is not None:
                    measured += 1
                    length += row.evidence[2]
        sizes = sum(counts[0]), sum(counts[1])
        for size, count_of in zip(sizes, counts, strict=True):
            if size:
                groups += 1
                rollouts += size
                answered += size - count_of[blank]
                distinct += blank + 1 - count_of.count(0) - (count_of[blank] > 0)
        for answer, of_original, of_paraphrase in zip(classes, *counts, strict=False):
            if of_original or of_paraphrase:
                answers[answer] = answers.get(answer, 0) + of_original + of_paraphrase
        elected: list[int] = []
        for label in record.labels:
            if label.matches_truth is not None:
                truths += 1
                right += label.matches_truth
            if label.of:
                elected.append(label.answer_class)
                votes += label.votes / label.of
                agreement += counts[label.view][label.answer_class] / (sizes[label.view] or 1)
        labels += len(elected)
        if record.abstentions_B.count(-1) < len(record.rewards_B):
            given = [each for each in record.rewards_B if each is not None]
            abstained += record.abstentions_B
        else:
            given = record.rewards_B
        rewarded += len(given)
        reward += sum(given)  # type: ignore[arg-type] - without None
        if len(elected) == len(counts):
            pairs += 1
            same += elected[0] == elected[1]
        elif elected:
            answer = classes[elected[0]]
            question = job, record.head.question_id
            other = alone.pop(question, None)
            if other is None:
                alone[question] = answer
            else:
                pairs += 1
                same += answer == other
    sums = SignSums(
        groups,
        rollouts,
        answered,
        distinct,
        labels,
        votes,
        agreement,
        pairs,
        same,
        measured,
        length,
        rewarded,
        reward,
        truths,
        right,
        *([abstained.count(index) for index in range(len(ABSTENTIONS))] if abstained else ()),
    )
    return sums, {_name(answer): count for answer, count in answers.items()}


def _name(answer: str) -> str:
    return answer if len(answer) <= NAME_CHARS else digest(answer, size=NAME_CHARS // 2)


def count_settled(
    metrics: Metrics,
    run: str,
    ages_s: Iterable[float | None],
    records: Sequence[CohortRecord],
    sums: Sequence[JobSums] = (),
) -> None:
    """Count the cohorts of settled jobs of a run, which were queued `ages_s` ago where that is known."""
    for job in sums:
        metrics.signs(run, job.sums)
    for age_s in ages_s:
        if age_s is not None:
            metrics.settled_after(age_s)
    rewarded = votes = ballots = undecided = 0
    states: dict[str, int] = {}  # a Counter takes longer than all that is counted of one cohort
    truths: dict[bool | None, int] = {}
    for record in records:
        states[record.state] = states.get(record.state, 0) + 1
        with_reward = record.abstentions_B.count(-1)
        rewarded += with_reward
        if with_reward < len(record.abstentions_B):
            _count_abstentions(metrics, run, record.abstentions_B)
        undecided += record.undecided
        for label in record.labels:
            truths[label.matches_truth] = truths.get(label.matches_truth, 0) + 1
            votes += label.votes
            ballots += label.of
    for state, count in states.items():
        metrics.count(metrics.settled, count, state)
    for truth, count in truths.items():
        metrics.count(metrics.labels, count, run, TRUTH[truth])
    metrics.count(metrics.undecided, undecided)
    counts = (metrics.rewarded, rewarded), (metrics.label_votes, votes), (metrics.label_ballots, ballots)
    metrics.count_of_run(run, counts)


def _count_abstentions(metrics: Metrics, run: str, abstentions_B: Sequence[int]) -> None:
    for index, count in Counter(abstentions_B).items():
        if index >= 0:
            metrics.count(metrics.abstentions, count, run, ABSTENTIONS[index].value)
