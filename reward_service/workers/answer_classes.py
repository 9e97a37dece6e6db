"""Ask the grader for the classes of a cohort's answers, as each kind of label needs them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from co_rewarding_schema.limits import MAX_ANSWER_CHARS
from co_rewarding_schema.method_rules import Method, RewardShape
from co_rewarding_schema.methods import method_named
from co_rewarding_schema.vocabulary import Conventions, PeerAbsent, View, Voter

from reward_service.domain.cohort import Ballot, ElectedLabel
from reward_service.domain.elections import MethodParameters, Rank, rank
from reward_service.domain.settlement import labels_of
from reward_service.grading.verdicts import Grader
from reward_service.store.label_records import TeacherLabel
from reward_service.store.records import VIEWS, VOTERS, BallotRow, CohortRecord, Rules

MOST_TRUTHS = 16
"""Truths of one cohort that are compared with its answers."""


class CohortClasses(NamedTuple):
    """The class of each answer and of each ground truth of a cohort, and how many comparisons stayed undecided."""

    of_answer: Mapping[str, str]
    of_truth: Mapping[str, str]
    undecided: int = 0


async def classes_of(
    method: Method, rows: Sequence[BallotRow], grader: Grader, conventions: Conventions
) -> CohortClasses:
    """The classes of a cohort's answers and of its ground truths.

    What votes is classified among itself: no ground truth has a say in which answers are one. Each truth is then
    compared with one answer of each class; under the ground truth as the label, with every answer by itself.
    """
    answers = {row.answer for row in rows if row.answer is not None}
    truths = {row.ground_truth for row in rows if row.ground_truth is not None}
    if method.needs_ground_truth and len(truths) == 1 and not any(map(_too_long, truths)):
        (truth,) = truths
        matches = await grader.match(truth, answers, conventions)
        name = (await grader.classify(truths, conventions)).class_of[truth]
        others = {answer: f"other: {answer}" for answer in answers - matches.equal}
        return CohortClasses(others | dict.fromkeys(matches.equal, name), {truth: name}, matches.undecided)
    classes = await grader.classify(answers, conventions)
    if not truths:
        return CohortClasses(classes.class_of, {}, classes.undecided)
    found, undecided = await _classes_of_truths(rows, classes.class_of, grader, conventions)
    return CohortClasses(classes.class_of, found, classes.undecided + undecided)


async def classes_by_others(
    method: Method,
    rows_B: Sequence[BallotRow],
    electors: Sequence[BallotRow],
    grader: Grader,
    conventions: Conventions,
    parameters: MethodParameters,
) -> CohortClasses:
    """The same where others than the policy vote: their answers are classified among themselves.

    So a label does not depend on which rollouts have come when it is elected, and each rollout is compared with it by
    itself: a request that holds one of a group comes to the same as one that holds them all.
    """
    votes = [*electors, *(row for row in rows_B if VOTERS[row.voter] in method.voters)]
    classes = await grader.classify({row.answer for row in votes if row.answer is not None}, conventions)
    class_of, undecided = dict(classes.class_of), classes.undecided
    fresh = {row.answer for row in rows_B if row.answer is not None} - class_of.keys()
    if fresh:
        known = CohortClasses(class_of, {})
        labels = labels_of(method, ballots_of(rows_B, known), ballots_of(votes, known), parameters)
        for answer, answer_class in _compared(method, labels, classes.class_of).items():
            matches = await grader.match(answer, fresh - class_of.keys(), conventions)
            undecided += matches.undecided
            class_of |= dict.fromkeys(matches.equal, answer_class)
    class_of |= {answer: f"other: {answer}" for answer in fresh - class_of.keys()}
    found, more = await _classes_of_truths(rows_B, classes.class_of, grader, conventions)
    return CohortClasses(class_of, found, undecided + more)


def _compared(method: Method, labels: Sequence[ElectedLabel], class_of: Mapping[str, str]) -> dict[str, str]:
    """Return the answers, with their classes, with which an answer is compared that voted for nothing.

    These are the labels or, where a share of votes is the reward, an answer of each class.
    """
    if not any(rule.reward is RewardShape.SHARE for rule in method.rules.values()):
        return {label.answer: label.answer_class for label in labels}
    speakers = {class_of[answer]: answer for answer in sorted(class_of, reverse=True)}
    return {answer: answer_class for answer_class, answer in speakers.items()}


async def _classes_of_truths(
    rows: Sequence[BallotRow], class_of: Mapping[str, str], grader: Grader, conventions: Conventions
) -> tuple[dict[str, str], int]:
    """Each truth's class, by one answer of each class; and how many comparisons stayed undecided.

    A question has one truth, in a few spellings. Of more than MOST_TRUTHS those are looked at that decide first, and
    the others, like one that is too long, are undecided: without a class.
    """
    truths = sorted({row.ground_truth for row in rows if row.ground_truth is not None})
    if not truths:
        return {}, 0
    looked_at = [truth for truth in truths if not _too_long(truth)]
    if len(looked_at) > MOST_TRUTHS:
        looked_at = list(dict.fromkeys([*_deciding(rows, class_of), *looked_at]))[:MOST_TRUTHS]
    undecided = len(truths) - len(looked_at)
    speaker_of: dict[str, str] = {}
    for answer in sorted(class_of, reverse=True):
        speaker_of[class_of[answer]] = answer
    class_of_truth: dict[str, str] = {}
    for truth in looked_at:
        if truth in class_of:
            class_of_truth[truth] = class_of[truth]
            continue
        matches = await grader.match(truth, speaker_of.values(), conventions)
        undecided += matches.undecided
        found = sorted(name for name, answer in speaker_of.items() if answer in matches.equal)
        class_of_truth[truth] = found[0] if found else f"truth: {truth}"
    return class_of_truth, undecided


def _deciding(rows: Sequence[BallotRow], class_of: Mapping[str, str]) -> list[str]:
    """The truth that decides for each view: that of its lowest ranked ballot which carries one."""
    first: dict[View, tuple[Rank, str]] = {}
    for ballot in ballots_of(rows, CohortClasses(class_of, {})):
        if ballot.ground_truth is not None and not _too_long(ballot.ground_truth):
            ranked = rank(ballot), ballot.ground_truth
            first[ballot.view] = min(first.get(ballot.view, ranked), ranked)
    return [truth for _, truth in first.values()]


def _too_long(truth: str) -> bool:
    return len(truth) > MAX_ANSWER_CHARS


async def classes_under(
    method: Method,
    earlier: CohortRecord,
    labels: Sequence[ElectedLabel],
    late: Sequence[BallotRow],
    grader: Grader,
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
    for answer, answer_class in _compared(method, labels, class_of).items():
        matches = await grader.match(answer, fresh - class_of.keys(), conventions)
        undecided += matches.undecided
        class_of |= dict.fromkeys(matches.equal, answer_class)
    class_of |= {answer: f"other: {answer}" for answer in fresh - class_of.keys()}
    return CohortClasses(class_of, {}, undecided)


def ballots_of(rows: Iterable[BallotRow], classes: CohortClasses) -> list[Ballot]:
    """Stored ballots as the rules read them."""
    of_answer, of_truth = classes.of_answer, classes.of_truth
    new = tuple.__new__  # Ballot(...) is a call in Python for each, and costs twice as much
    return [
        new(
            Ballot,
            (
                VIEWS[row.view],
                VOTERS[row.voter],
                row.rollout,
                answer := row.answer,
                None if answer is None else of_answer.get(answer),
                truth := row.ground_truth,
                None if truth is None else of_truth.get(truth),
                row.self_certainty,
                row.entropy,
                row.counted,
                None,
                None if (evidence := row.evidence) is None else evidence[0],
                None if evidence is None else evidence[1],
            ),
        )
        for row in rows
    ]


class PeerVote(NamedTuple):
    """A ballot of a peer's policy; `number` is the peer's place among those of the run."""

    number: int
    row: BallotRow


class Electors:
    """Those who vote in a cohort and earn nothing there: the service's teacher, and peers."""

    def __init__(self, labels: Sequence[TeacherLabel], peer_votes: Sequence[PeerVote]) -> None:
        """`rows_E` are the ballots of both, in this order; `peers_E` the number of each peer's, -1 for the teacher."""
        self._labels = labels
        self._peer_rows = [vote.row for vote in peer_votes]
        taught = [row for label in labels for row in label.rows_G]
        self.rows_E = [*taught, *self._peer_rows]
        self.peers_E = [*([-1] * len(taught)), *(vote.number for vote in peer_votes)] if peer_votes else []

    def ballots_of(self, classes: CohortClasses) -> list[Ballot]:
        """Return the ballots as the rules read them; the teacher's say which version cast them."""
        if not self.rows_E:
            return []
        taught = [
            each._replace(version=label.version) for label in self._labels for each in ballots_of(label.rows_G, classes)
        ]
        return taught + ballots_of(self._peer_rows, classes)


NOBODY = Electors((), ())


async def classified(
    rules: Rules, rows_B: Sequence[BallotRow], rows_E: Sequence[BallotRow], grader: Grader
) -> tuple[Method, CohortClasses]:
    """Return the row that rewards a cohort, and the classes of its answers."""
    method, conventions = method_named(rules.method), Conventions(rules.conventions)
    if rules.peers is not None and rules.peers.absent == PeerAbsent.OWN_VIEW and method.unaided is not None:
        voters = {VOTERS[row.voter] for row in (*rows_B, *rows_E)}
        method = method if voters & (method.voters - {Voter.POLICY}) else method_named(method.unaided)
    if method.needs_others:
        return method, await classes_by_others(method, rows_B, rows_E, grader, conventions, rules.of_method)
    return method, await classes_of(method, rows_B, grader, conventions)
