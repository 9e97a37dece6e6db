"""From what was settled to what is answered. Pure."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import NamedTuple

from reward_service.api.wire import RewardAnswer, WireLabel
from reward_service.domain.summary import Outcome, Summary, summarise
from reward_service.domain.types import Label, View
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
    lines = _Lines(len(seats_N))
    cohorts: dict[str, tuple[CohortRecord, set[int]]] = {}
    for position, seat in enumerate(seats_N):
        record = seat.record
        row = record.rows_B[seat.place]
        cohorts.setdefault(seat.cohort, (record, set()))[1].add(row.view)
        place, reason = record.classes_B[seat.place], record.abstentions_B[seat.place]
        lines.put(position, (seat.cohort, row.view), row.answer, place, record.rewards_B[seat.place], reason)
    return lines.answer(run, step, method, cohorts)


def answer_of_batch(name: str, record: BatchRecord) -> RewardAnswer:
    """The same for a self-contained batch, whose record holds its cohorts whole."""
    lines = _Lines(sum(map(len, record.positions)))
    cohorts: dict[str, tuple[CohortRecord, set[int]]] = {}
    for number, (cohort, positions) in enumerate(zip(record.cohorts, record.positions, strict=True)):
        cohorts[qualified(record.run, f"{name}.{number}")] = (cohort, {row.view for row in cohort.rows_B})
        columns = (positions, cohort.rows_B, cohort.classes_B, cohort.rewards_B, cohort.abstentions_B)
        for position, row, place, reward, reason in zip(*columns, strict=True):
            lines.put(position, len(View) * number + row.view, row.answer, place, reward, reason)
    return lines.answer(record.run, record.step, record.method, cohorts)


class _Lines:
    """What is said of each rollout, in the order of the request: the longest loop of a request ends here."""

    def __init__(self, count: int) -> None:
        self.rewards: list[float | None] = [None] * count
        self.abstentions: list[str | None] = [None] * count
        self.answers: list[str | None] = [None] * count
        self.outcomes: list[Outcome] = []

    def put(
        self, position: int, group: Hashable, answer: str | None, place: int, reward: float | None, reason: int
    ) -> None:
        self.rewards[position] = reward
        self.answers[position] = answer
        if reason >= 0:
            self.abstentions[position] = ABSTENTIONS[reason].value
        self.outcomes.append(Outcome(group, None if place < 0 else place, reward))

    def answer(
        self, run: str, step: int | None, method: str, cohorts: Mapping[str, tuple[CohortRecord, set[int]]]
    ) -> RewardAnswer:
        labels = list(_labels(cohorts))
        undecided = sum(record.undecided for record, _ in cohorts.values())
        metrics = _metrics(summarise(self.outcomes, [label for _, _, label in labels], undecided))
        wire_labels = [wire_label(cohort, question_id, label) for cohort, question_id, label in labels]
        return RewardAnswer(run, step, method, self.rewards, self.abstentions, self.answers, wire_labels, metrics)


def _metrics(summary: Summary) -> dict[str, float]:
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
    return metrics


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
