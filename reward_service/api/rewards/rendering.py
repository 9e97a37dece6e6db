"""Make answers of settled cohorts. Pure."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from co_rewarding_schema.rollouts import Label, Rewards, Unlabelled

from reward_service.api.rewards.waiting_room import Waiter
from reward_service.domain.summary import GroupOutcome, Summary, summarise
from reward_service.store.keys import qualified
from reward_service.store.records import (
    ABSTENTIONS,
    VIEWS,
    BatchRecord,
    CohortHead,
    CohortRecord,
    LabelRow,
    TicketRecord,
    unpack_cohort,
)


class SettledCohort(NamedTuple):
    """A cohort's record, and where in it each ballot stands."""

    record: CohortRecord
    place_of: Mapping[str, int]

    @classmethod
    def of(cls, record: CohortRecord) -> "SettledCohort":
        """Looked through once, for all who ask."""
        return cls(record, {ballot: place for place, ballot in enumerate(record.ids_B)})


def settled_with(watch: Waiter, ballots: set[str]) -> SettledCohort | None:
    """Return the cohort, if it is settled and these ballots are in it."""
    if watch.data is None:
        return None
    cohort = cohort_in(watch.data, watch)
    return cohort if ballots <= cohort.place_of.keys() else None


def cohort_in(data: bytes, watch: Waiter) -> SettledCohort:
    """Return a watch's cohort, decoded once for all that wait for the cohort."""
    if not isinstance(watch.decoded, SettledCohort):
        watch.decoded = SettledCohort.of(unpack_cohort(data))
    return watch.decoded


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


def seats_of_part(ticket: TicketRecord, settled: Mapping[str, SettledCohort]) -> list[Seat | None]:
    """The rollouts of a part in the order of the request; None for one that is not settled yet."""
    seats: list[Seat | None] = []
    for name, ballot in ticket.places_N:
        cohort = settled.get(name)
        place = None if cohort is None else cohort.place_of.get(ballot)
        if cohort is None or place is None:
            seats.append(None)
        else:
            seats.append(Seat(qualified(ticket.run, name), cohort.record, place))
    return seats


def answer_of(run: str, step: int | None, method: str, seats_N: Sequence[Seat]) -> Rewards:
    """The answer to a request whose N rollouts are all settled."""
    cohorts: dict[str, tuple[CohortRecord, list[int]]] = {}
    for seat in seats_N:
        cohorts.setdefault(seat.cohort, (seat.record, []))[1].append(seat.place)
    answers = [seat.record.rows_B[seat.place].answer for seat in seats_N]
    rewards = [seat.reward for seat in seats_N]
    return _answer(run, step, method, cohorts, rewards, [seat.abstention for seat in seats_N], answers)


def answer_of_batch(name: str, record: BatchRecord) -> Rewards:
    """The same for a self-contained batch, whose record holds its cohorts whole."""
    count = sum(map(len, record.positions))
    rewards: list[float | None] = [None] * count
    abstentions: list[str | None] = [None] * count
    answers: list[str | None] = [None] * count
    cohorts: dict[str, tuple[CohortRecord, list[int]]] = {}
    for number, (cohort, positions) in enumerate(zip(record.cohorts, record.positions, strict=True)):
        cohorts[qualified(record.run, f"{name}.{number}")] = (cohort, list(range(len(positions))))
        # The longest loops of a request.
        for position, row, reward in zip(positions, cohort.rows_B, cohort.rewards_B, strict=True):
            rewards[position], answers[position] = reward, row.answer
        if cohort.abstentions_B.count(-1) < len(positions):
            for position, reason in zip(positions, cohort.abstentions_B, strict=True):
                abstentions[position] = None if reason < 0 else ABSTENTIONS[reason].value
    return _answer(record.run, record.step, record.method, cohorts, rewards, abstentions, answers)


def _answer(
    run: str,
    step: int | None,
    method: str,
    cohorts: Mapping[str, tuple[CohortRecord, list[int]]],
    rewards: list[float | None],
    abstentions: list[str | None],
    answers: list[str | None],
) -> Rewards:
    """`cohorts` says which of a cohort's ballots the request holds."""
    groups: list[GroupOutcome] = []
    labels: list[Label] = []
    unlabelled: list[Unlabelled] = []
    for name, (record, places) in cohorts.items():
        rows, classes_B, rewards_B = record.rows_B, record.classes_B, record.rewards_B
        of_view: dict[int, tuple[int, list[int], list[float | None]]] = {}
        for place in places:  # every rollout: a comprehension for each view costs more than all that it does
            view = rows[place].view
            if view not in of_view:
                of_view[view] = place, [], []
            _, classes, rewards_G = of_view[view]
            classes.append(classes_B[place])
            rewards_G.append(rewards_B[place])
        for view, (first, classes, rewards_G) in sorted(of_view.items()):
            unanswered = classes.count(-1)
            groups.append(GroupOutcome(len({*classes}) - bool(unanswered), len(classes) - unanswered, rewards_G))
            elected = False
            for row in record.labels:
                if row.view == view:
                    labels.append(wire_label(name, record.head, row))
                    elected = True
            if not elected:
                unlabelled.append(_unlabelled(name, record, first))
    undecided = sum(record.undecided for record, _ in cohorts.values())
    metrics = _metrics(summarise(groups, labels, undecided))
    return Rewards(
        run=run,
        step=step,
        method=method,
        rewards=rewards,
        abstentions=abstentions,
        answers=answers,
        labels=labels,
        metrics=metrics,
        unlabelled=tuple(unlabelled),  # an empty tuple is the default, and so is not sent
    )


def _unlabelled(cohort: str, record: CohortRecord, place: int) -> Unlabelled:
    """Return the view of the ballot at `place`, to which no label was elected."""
    reason = record.abstentions_B[place]
    return Unlabelled(
        question_id=record.head.question_id,
        view=VIEWS[record.rows_B[place].view],
        cohort=cohort,
        abstention=None if reason < 0 else ABSTENTIONS[reason].value,
    )


def _metrics(summary: Summary) -> dict[str, float | None]:
    metrics: dict[str, float | None] = {
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


def wire_label(cohort: str, head: CohortHead, row: LabelRow) -> Label:
    """Return a stored label as it is answered; `cohort` is the qualified name of its cohort."""
    return Label(
        question_id=head.question_id,
        view=VIEWS[row.view],
        answer=row.answer,
        votes=row.votes,
        of=row.of,
        voter=row.voter,
        voted_on=[VIEWS[view] for view in row.voted_on],
        cohort=cohort,
        matches_truth=row.matches_truth,
        teacher_version=row.version,
        instability=row.instability,
    )
