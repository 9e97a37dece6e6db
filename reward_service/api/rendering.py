"""From what was settled to what is answered. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from reward_service.api.wire import RewardAnswer, WireLabel
from reward_service.domain.summary import Outcome, summarise
from reward_service.domain.types import Label
from reward_service.store.keys import qualified
from reward_service.store.records import ABSTENTIONS, BatchRecord, CohortRecord, TicketRecord


@dataclass(frozen=True, slots=True)
class Seat:
    """One rollout's place in what was settled: a cohort's record and the index of its ballot there."""

    cohort: str
    record: CohortRecord
    index: int

    @property
    def reward(self) -> float | None:
        """Its reward; None where its group abstained."""
        return self.record.rewards_B[self.index]

    @property
    def abstention(self) -> str | None:
        """Why its group abstained."""
        reason = self.record.abstentions_B[self.index]
        return None if reason < 0 else ABSTENTIONS[reason].value

    @property
    def view(self) -> int:
        """Its view, as an index."""
        return self.record.rows_B[self.index].view

    @property
    def answer_class(self) -> str | None:
        """The class of its answer."""
        index = self.record.classes_B[self.index]
        return None if index < 0 else self.record.classes[index]


def seats_of_batch(name: str, record: BatchRecord) -> list[Seat]:
    """The rollouts of a self-contained batch in the order of the request."""
    placed: list[tuple[int, Seat]] = []
    for number, (cohort, positions) in enumerate(zip(record.cohorts, record.positions, strict=True)):
        cohort_name = qualified(record.run, f"{name}.{number}")
        placed += [(position, Seat(cohort_name, cohort, index)) for index, position in enumerate(positions)]
    placed.sort(key=lambda pair: pair[0])
    return [seat for _, seat in placed]


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
    for seat in seats_N:
        _, views = cohorts.setdefault(seat.cohort, (seat.record, set()))
        views.add(seat.view)
        outcomes.append(Outcome((seat.cohort, seat.view), seat.answer_class, seat.reward))
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
        [seat.reward for seat in seats_N],
        [seat.abstention for seat in seats_N],
        [seat.record.rows_B[seat.index].answer for seat in seats_N],
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
