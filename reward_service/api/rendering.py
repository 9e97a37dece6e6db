"""From what was settled to what is answered. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from reward_service.api.wire import RewardAnswer, WireLabel
from reward_service.domain.summary import Outcome, summarise
from reward_service.domain.types import Label
from reward_service.store.keys import qualified
from reward_service.store.records import ABSTENTIONS, BatchRecord, CohortRecord, TicketRecord


class Seat(NamedTuple):
    """One rollout's place in what was settled: a cohort's record and the place of its ballot there."""

    cohort: str
    record: CohortRecord
    place: int

    @property
    def reward(self) -> float | None:
        """Its reward; None where its group abstained."""
        return self.record.rewards_B[self.place]

    @property
    def abstention(self) -> str | None:
        """Why its group abstained."""
        reason = self.record.abstentions_B[self.place]
        return None if reason < 0 else ABSTENTIONS[reason].value


def seats_of_batch(name: str, record: BatchRecord) -> list[Seat]:
    """The rollouts of a self-contained batch in the order of the request."""
    placed: dict[int, Seat] = {}
    for number, (cohort, positions) in enumerate(zip(record.cohorts, record.positions, strict=True)):
        cohort_name = qualified(record.run, f"{name}.{number}")
        for index, position in enumerate(positions):
            placed[position] = Seat(cohort_name, cohort, index)
    return [placed[position] for position in range(len(placed))]


def seats_of_part(ticket: TicketRecord, records: Mapping[str, CohortRecord]) -> list[Seat | None]:
    """The rollouts of a part in the order of the request; None for one that is not settled yet."""
    indices = {name: {ballot: index for index, ballot in enumerate(r.ids_B)} for name, r in records.items()}
    seats: list[Seat | None] = []
    for cohort, ballot in ticket.places_N:
        index = indices.get(cohort, {}).get(ballot)
        seats.append(None if index is None else Seat(qualified(ticket.run, cohort), records[cohort], index))
    return seats


def answer_of(run: str, step: int | None, method: str, seats_N: Sequence[Seat]) -> RewardAnswer:
    """The answer to a request whose N rollouts are all settled."""
    cohorts: dict[str, tuple[CohortRecord, set[int]]] = {}
    outcomes: list[Outcome] = []
    rewards: list[float | None] = []
    abstentions: list[str | None] = []
    answers: list[str | None] = []
    for cohort, record, index in seats_N:  # the longest loop of a request: every look-up counts
        row = record.rows_B[index]
        known = cohorts.get(cohort)
        if known is None:
            known = cohorts[cohort] = (record, set())
        known[1].add(row.view)
        reward, place = record.rewards_B[index], record.classes_B[index]
        outcomes.append(Outcome((cohort, row.view), None if place < 0 else place, reward))
        reason = record.abstentions_B[index]
        rewards.append(reward)
        abstentions.append(None if reason < 0 else ABSTENTIONS[reason].value)
        answers.append(row.answer)
    labels = list(_labels(cohorts))
    undecided = sum(record.undecided for record, _ in cohorts.values())
    summary = summarise(outcomes, [label for _, _, label in labels], undecided)
    metrics: dict[str, float] = {
        "reward_mean": summary.reward_mean,
        "label_coverage": summary.label_coverage,
        "vote_share_mean": summary.vote_share_mean,
        "answers_distinct_mean": summary.answers_distinct_mean,
        "answered": summary.answered,
        "undecided": summary.undecided,
    }
    if summary.label_accuracy is not None:
        metrics["label_accuracy"] = summary.label_accuracy
    return RewardAnswer(
        run,
        step,
        method,
        rewards,
        abstentions,
        answers,
        [wire_label(cohort, question_id, label) for cohort, question_id, label in labels],
        metrics,
    )


def wire_label(cohort: str, question_id: str, label: Label) -> WireLabel:
    """A label as it is answered."""
    return WireLabel(
        question_id,
        label.view,
        label.answer,
        label.votes,
        label.of,
        label.voter,
        list(label.voted_on),
        cohort,
        label.matches_truth,
    )


def _labels(cohorts: Mapping[str, tuple[CohortRecord, set[int]]]) -> Iterator[tuple[str, str, Label]]:
    for name, (record, views) in cohorts.items():
        for row in record.labels:
            if row.view in views:
                yield name, record.head.question_id, row.label(record.classes)
