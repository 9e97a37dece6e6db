"""Columns and their figures, against what can be counted by hand."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from co_rewarding_schema.vocabulary import Conventions
from rich.progress import Progress

from reward_service.domain.extraction import last_boxed
from reward_service.grading.verdicts import Classes, Matches
from reward_service.tools.replay.comparing import Agreement, ColumnFigures, Share, advantages_of, nearest_rank
from reward_service.tools.replay.comparison import Comparison, notes
from reward_service.tools.replay.errors import ReplayError
from reward_service.tools.replay.fields import FieldNames, Layout
from reward_service.tools.replay.graders import GRADERS, GraderRow
from reward_service.tools.replay.recording import VoterFile, record
from reward_service.tools.replay.replaying import ReplayRequest, compared, planned
from tests.support.rollout_files import boxed, jsonl, opened

LAYOUT = Layout(question="qid", response="response")


def question(
    qid: str, truth: str | None, original: list[str | None], paraphrase: list[str | None] | None = None
) -> dict:
    def texts(answers: list[str | None]) -> list[str]:
        return ["none" if answer is None else boxed(answer) for answer in answers]

    made = {"qid": qid, "gold": truth, "rollouts": texts(original)}
    return made if paraphrase is None else made | {"paraphrase_rollouts": texts(paraphrase)}


ONE_VIEW = [
    question("halves", "1/2", ["0.5", "\\frac{1}{2}", "3", "3"]),
    question("four", "4", ["4", "4", "5", None]),
    question("silent", "7", [None, None]),
    question("no truth", None, ["9", "9.0"]),
]
TWO_VIEWS = [
    question("both", "1", ["1", "1", "2"], ["2", "2", "1"]),
    question("one", "3", ["3"], []),
]


def replayed(folder: Path, rows: list[dict], methods: list[str], graders: list[str], **more) -> Comparison:
    table = more.pop("table", GRADERS)
    request = ReplayRequest(file=folder, names=FieldNames(), methods=methods, graders=graders, **more)
    bar = Progress(disable=True)
    recording = record([VoterFile(opened(jsonl(folder / "f.jsonl", rows)))], last_boxed, bar)
    comparison, _ = asyncio.run(compared(recording, planned(request, table), bar))
    return comparison


def figures(column: ColumnFigures) -> tuple[Share, Share, float | None, int]:
    return column.label_accuracy, column.coverage, column.reward_mean, column.rewarded


def test_a_grader_decides_which_labels_training_sees(tmp_path):
    made = replayed(tmp_path, ONE_VIEW, ["majority-voting", "ground-truth"], ["string", "lenient"])

    voted_by_text, voted, given_by_text, given = made.columns
    # By text the halves are two classes, and 3 wins; "silent" elects nothing, "no truth" is not judged.
    assert figures(voted_by_text) == (Share(1, 2), Share(3, 4), 0.5, 10)
    assert figures(voted) == (Share(2, 2), Share(3, 4), 0.6, 10)
    assert figures(given_by_text) == (Share(3, 3), Share(3, 4), 0.2, 10)
    assert figures(given) == (Share(3, 3), Share(3, 4), 0.4, 10)
    assert made.agreements == [
        Agreement(0, 1, labels=Share(2, 3), rewards=Share(5, 10)),
        Agreement(0, 2, labels=Share(1, 2), rewards=Share(6, 8)),  # the halves earn 0, 0, 1, 1 and 0, 0, 0, 0
        Agreement(0, 3, labels=Share(1, 2), rewards=Share(4, 8)),
        Agreement(1, 2, labels=Share(2, 2), rewards=Share(6, 8)),
        Agreement(1, 3, labels=Share(2, 2), rewards=Share(8, 8)),
        Agreement(2, 3, labels=Share(3, 3), rewards=Share(8, 10)),
    ]


def test_another_reference_judges_otherwise_and_elects_the_same(tmp_path):
    by_text = replayed(tmp_path, ONE_VIEW, ["majority-voting"], ["lenient"], reference="string")

    assert figures(by_text.columns[0]) == (Share(1, 2), Share(3, 4), 0.6, 10)


def test_methods_over_two_views(tmp_path):
    methods = ["co-rewarding-i", "majority-voting", "majority-voting-union"]

    made = replayed(tmp_path, TWO_VIEWS, methods, ["lenient"])

    across, alone, union = made.columns
    # "both" is 1 by its original and 2 by its paraphrase, and each is the other's label; "one" has nobody to ask.
    assert figures(across) == (Share(1, 2), Share(2, 3), 2 / 6, 6)
    assert figures(alone) == (Share(2, 3), Share(3, 3), 5 / 7, 7)
    # Three votes each: the tie goes to the original's first rollout.
    assert figures(union) == (Share(3, 3), Share(3, 3), 4 / 7, 7)
    assert [column.cohorts for column in made.columns] == [2, 3, 2]
    assert made.agreements == [
        Agreement(0, 1, labels=Share(0, 2), rewards=Share(0, 6)),
        Agreement(0, 2, labels=Share(1, 2), rewards=Share(3, 6)),
        Agreement(1, 2, labels=Share(2, 3), rewards=Share(4, 7)),
    ]
    said = " ".join(notes(made, LAYOUT))
    assert "co-rewarding-i takes two views, and 1 of 2 questions have one alone: they get no label" in said
    assert "majority-voting-union takes two views, and 1 of 2 questions have one alone: there it is majority-v" in said


def test_without_a_paraphrase_a_method_that_needs_it_covers_nothing(tmp_path):
    made = replayed(tmp_path, ONE_VIEW, ["co-rewarding-i", "majority-voting"], ["string"])

    assert figures(made.columns[0]) == (Share(0, 0), Share(0, 4), None, 0)
    assert not made.agreements[0].comparable
    assert any("4 of 4 questions have one alone: they get no label" in note for note in notes(made, LAYOUT))


def test_steps_are_questions_of_their_own(tmp_path):
    rows = [{"qid": "q", "step": step, "gold": "4", "rollouts": [boxed(step)] * 2} for step in (3, 4)]

    (column,) = replayed(tmp_path, rows, ["majority-voting"], ["string"]).columns

    assert figures(column) == (Share(1, 2), Share(2, 2), 1.0, 4)


class Doubtful:
    """Gives up on every comparison: each answer is a class of its own, and equal to no truth."""

    async def classify(self, answers: Collection[str], conventions: Conventions) -> Classes:
        return Classes({answer: answer for answer in answers}, len(answers) - 1)

    async def match(self, truth: str, answers: Collection[str], conventions: Conventions) -> Matches:
        return Matches(frozenset(), len(answers))


def test_a_truth_is_matched_by_the_grader_alone_and_what_it_leaves_undecided_is_counted(tmp_path):
    @asynccontextmanager
    async def doubtful() -> AsyncIterator[Doubtful]:
        yield Doubtful()

    table = {"doubtful": GraderRow(doubtful), **GRADERS}
    rows = [question("q", "4", ["4", "4", "5"])]

    made = replayed(
        tmp_path, rows, ["ground-truth", "majority-voting"], ["doubtful"], table=table, reference="doubtful"
    )

    given, voted = made.columns
    assert (given.undecided, given.reward_mean) == (2, 0.0)  # not even the same text is equal, if it does not say so
    assert (voted.undecided, voted.reward_mean, voted.label_accuracy) == (1, 2 / 3, Share(0, 1))
    assert made.reference_undecided == 1  # the label of both columns is "4", and it is asked once
    assert "doubtful gave up on 1 comparisons of labels, and took them for unequal" in list(notes(made, LAYOUT))


def test_the_nearest_rank():
    assert nearest_rank(range(1, 101), 0.99) == 99
    assert nearest_rank([5], 0.99) == 5
    assert nearest_rank(range(1, 1001), 0.99) == 990


@pytest.mark.parametrize(
    ("part", "of", "expected"),
    [(0, 10, (0.0, 0.2775)), (10, 10, (0.7225, 1.0)), (94, 100, (0.8752, 0.9722)), (1, 2, (0.0945, 0.9055))],
)
def test_wilson_s_interval(part, of, expected):
    assert Share(part, of).interval == pytest.approx(expected, abs=1e-4)
    assert Share(0, 0).interval is None


def test_advantages_are_normalised_within_a_group():
    assert advantages_of([1.0, 0.0, 0.0, 0.0]) == pytest.approx([3**0.5, *[-(3**-0.5)] * 3])
    assert advantages_of([0.5, 0.5]) == [0.0, 0.0]


def test_what_rewards_would_teach(tmp_path):
    (column,) = replayed(tmp_path, ONE_VIEW, ["majority-voting"], ["lenient"]).columns

    # "halves" earns 1, 1, 0, 0 and "four" 1, 1, 0, 0; "silent" abstains, and "no truth" is flat: 1, 1.
    assert column.rewards.flat == Share(1, 3)
    assert column.rewards.advantage == pytest.approx(8 / 10)
    assert column.rewards.spread == pytest.approx((0.6 * 0.4) ** 0.5)


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("co-rewarding-ii", "ballots of a teacher elect the labels of co-rewarding-ii"),
        ("peer-majority", "ballots of a peer elect the labels of peer-majority; give their rollouts with --peer FILE"),
        ("verified-majority", "verified-majority weighs ballots by verified, and not every rollout has it"),
        ("voting", "'voting' is not a method"),
    ],
)
def test_a_method_that_a_file_does_not_suffice_for(tmp_path, method, words):
    with pytest.raises(ReplayError, match=r"^--method: ") as told:
        replayed(tmp_path, ONE_VIEW, [method], ["string"])

    assert words in str(told.value)


def test_rewards_without_labels_are_told_all_the_same(tmp_path):
    rows = [{"qid": "q", "rollouts": [{"response": boxed(4), "entropy": n / 4} for n in range(4)]}]

    made = replayed(tmp_path, rows, ["entropy", "format", "random"], ["string"])

    by_entropy, by_format, by_chance = made.columns
    assert figures(by_entropy) == (Share(0, 0), Share(0, 0), -0.375, 4)
    assert figures(by_format) == (Share(0, 0), Share(0, 0), 1.0, 4)
    assert by_format.rewards.flat == Share(1, 1)
    assert by_chance.rewarded == 4


def test_a_question_whose_label_changes_from_step_to_step_earns_less(tmp_path):
    labels = ["5", "5", "4", "4", "4.0", "9"]  # in another order in the file than in training
    rows = [
        {"qid": "q", "step": step, "rollouts": [boxed(label)] * 2}
        for step, label in sorted(enumerate(labels), key=lambda pair: pair[1])
    ]

    (column,) = replayed(tmp_path, rows, ["stable-majority"], ["lenient"]).columns

    flips = [0, 0, 1 / 2, 1 / 3, 1 / 4, 2 / 5]
    assert column.reward_mean == pytest.approx(sum(1 - 0.5 * share for share in flips) / len(flips))


def test_the_settings_of_a_run_are_those_that_are_named(tmp_path):
    rows = [
        {"qid": "q", "gold": "4", "rollouts": [
            {"response": boxed(answer), "verified": verified}
            for answer, verified in [("5", False), ("5", False), ("5", False), ("4", True)]
        ]}
    ]  # fmt: skip

    by_default, by_ones = (
        replayed(tmp_path, rows, ["verified-majority"], ["string"], settings=settings).columns[0]
        for settings in ([], ["verified_weight=1"])
    )

    assert (by_default.label_accuracy, by_ones.label_accuracy) == (Share(1, 1), Share(0, 1))
