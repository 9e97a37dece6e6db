"""Print the results of a replay, for a terminal and as JSON."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from co_rewarding_schema.methods import METHODS, WITHIN_A_VIEW
from co_rewarding_schema.vocabulary import View
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reward_service.tools.replay.comparing import Agreement, ColumnFigures, Share
from reward_service.tools.replay.fields import Layout
from reward_service.tools.replay.fitting import fitting_tables
from reward_service.tools.replay.recording import RecordingCounts
from reward_service.tools.replay.report import groups_of_one

NAMES = ("#", "method", "grader")
FIGURES = (
    "label accuracy",
    "95 %",
    "coverage",
    "mean reward",
    "reward spread",
    "flat groups",
    "mean |advantage|",
    "undecided",
    "CPU-ms median",
    "CPU-ms p99",
)
MATRIX = "agreement: equal labels above the diagonal, equal rewards below it"
PLAIN_WIDTH = 10_000
"""Characters of a line that is no terminal's, at most: a table there is as wide as it is."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Holds every column's figures and how each pair agrees, as the grader `reference` judges them.

    `reference_undecided` counts the comparisons that the grader gave up on.
    """

    reference: str
    counts: RecordingCounts
    columns: Sequence[ColumnFigures]
    agreements: Sequence[Agreement]
    reference_undecided: int


def as_json(comparison: Comparison) -> dict[str, Any]:
    """The figures. Shares come with what they are shares of; a mean or a share of nothing is null."""
    counts = comparison.counts
    return {
        "reference": comparison.reference,
        "reference_undecided": comparison.reference_undecided,
        "questions": counts.questions,
        "questions_with_ground_truth": counts.with_truth,
        "steps": counts.steps,
        "groups": {view.value: number for view, number in counts.groups.items()},
        "rollouts": counts.rollouts,
        "answered": counts.answered,
        "others": {voter.value: number for voter, number in counts.others.items()},
        "columns": [_column_json(column) for column in comparison.columns],
        "agreements": [_agreement_json(comparison, agreement) for agreement in comparison.agreements],
    }


def notes(comparison: Comparison, layout: Layout) -> Iterator[str]:
    """What a person should look at before believing the figures."""
    counts = comparison.counts
    if sum(counts.groups.values()) == counts.rollouts > 1:
        yield groups_of_one(layout)
    methods = [METHODS[name] for name in dict.fromkeys(column.method for column in comparison.columns)]
    for method in methods:
        if method.needs_ground_truth:
            yield f"the labels of {method.name} are the ground truths, so that only its rewards tell graders apart"
        elif counts.one_view and len(method.views_decided_with(View.ORIGINAL)) > 1:
            alone = all(len(rule.views) == 1 for rule in method.rules.values())
            yield (
                f"{method.name} takes two views, and {counts.one_view} of {counts.questions} questions have one alone: "
                + ("they get no label" if alone else f"there it is {WITHIN_A_VIEW}")
                + "; --view-field or --paraphrase-rollouts-field names where the other is"
            )
    if not counts.with_truth:
        yield "no question has a ground truth, and so no label can be judged; --ground-truth-field names its field"
    if comparison.reference_undecided:
        undecided = comparison.reference_undecided
        yield f"{comparison.reference} gave up on {undecided} comparisons of labels, and took them for unequal"


def print_comparison(comparison: Comparison, said: Sequence[str], console: Console) -> None:
    """The tables and notes; without lines and as wide as they are where this is no terminal."""
    plain = not console.is_terminal
    if plain:
        console = Console(file=console.file, width=PLAIN_WIDTH, color_system=None)
    console.print(Text(header(comparison)), soft_wrap=True)
    for table in _columns_tables(comparison, console, plain=plain):
        console.print(table)
    if any(pair.comparable for pair in comparison.agreements):
        console.print(Text(MATRIX), soft_wrap=True)
        for table in _agreement_tables(comparison, console, plain=plain):
            console.print(table)
    for note in said:
        console.print(Text(f"note: {note}", style="yellow"), soft_wrap=True)


def header(comparison: Comparison) -> str:
    """What was replayed, and how figures are to be read."""
    counts = comparison.counts
    groups = " and ".join(f"{number} {view.value}" for view, number in counts.groups.items())
    steps = f"{counts.steps} steps; " if counts.steps > 1 else ""
    others = "".join(f", and {number} ballots of a {voter.value}" for voter, number in counts.others.items())
    return (
        f"{counts.questions} questions, {counts.with_truth} with a ground truth; {steps}{groups} groups; "
        f"{counts.rollouts} rollouts, {counts.answered} with an answer{others}\n"
        f"label accuracy and equal labels: as the grader '{comparison.reference}' judges them, whichever elected them; "
        "95 %: Wilson's interval; flat groups: of equal rewards, which teach nothing; CPU-ms: grading of a cohort"
    )


def _columns_tables(comparison: Comparison, console: Console, *, plain: bool) -> Iterator[Table]:
    def made(heads: Sequence[str]) -> Table:
        table = _table(plain=plain)
        for head in heads:
            if head in NAMES:
                table.add_column(head, style=None if plain else "bold")
            else:  # a terminal may be narrow, and gets these in two lines
                table.add_column(head if plain else head.replace(" ", "\n"), justify="right")
        return table

    rows = [cells(number, column) for number, column in enumerate(comparison.columns, start=1)]
    return fitting_tables((*NAMES, *FIGURES), rows, 2, made, console)


def _agreement_tables(comparison: Comparison, console: Console, *, plain: bool) -> Iterator[Table]:
    def made(heads: Sequence[str]) -> Table:
        table = _table(plain=plain)
        for head in heads:
            table.add_column(head, justify="left" if head == "#" else "right")
        return table

    heads = ["#", *(str(number) for number in range(1, len(comparison.columns) + 1))]
    return fitting_tables(heads, agreement_matrix(comparison), 1, made, console)


def cells(number: int, column: ColumnFigures) -> tuple[str, ...]:
    """The cells of a column of the replay, which is a row of the table."""
    rewards = column.rewards
    return (
        str(number),
        column.method,
        column.grader,
        _share(column.label_accuracy),
        _interval(column.label_accuracy),
        _share(column.coverage),
        _mean(rewards.mean),
        _mean(rewards.spread),
        _share(rewards.flat),
        _mean(rewards.advantage),
        str(column.undecided),
        _mean(column.cpu_ms_median),
        _mean(column.cpu_ms_p99),
    )


def agreement_matrix(comparison: Comparison) -> list[list[str]]:
    """A row for each column: its number, and how it agrees with each: labels above the diagonal, rewards below it."""
    size = len(comparison.columns)
    rows = [[str(place + 1), *([""] * size)] for place in range(size)]
    for pair in comparison.agreements:
        rows[pair.first][pair.second + 1] = _share(pair.labels)
        rows[pair.second][pair.first + 1] = _share(pair.rewards)
    return rows


def _table(*, plain: bool) -> Table:
    if plain:
        return Table(box=None, pad_edge=False, header_style=None)
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=0, header_style="dim")


def _column_json(column: ColumnFigures) -> dict[str, Any]:
    return {
        "method": column.method,
        "grader": column.grader,
        "label_accuracy": column.label_accuracy.value,
        "label_accuracy_95": column.label_accuracy.interval,
        "labels_judged": column.label_accuracy.of,
        "coverage": column.coverage.value,
        "labels": column.coverage.part,
        "reward_mean": column.reward_mean,
        "reward_spread": column.rewards.spread,
        "rewarded": column.rewarded,
        "flat_groups": column.rewards.flat.value,
        "groups_rewarded": column.rewards.flat.of,
        "advantage_mean_size": column.rewards.advantage,
        "undecided": column.undecided,
        "cohorts": column.cohorts,
        "cpu_ms_median": column.cpu_ms_median,
        "cpu_ms_p99": column.cpu_ms_p99,
    }


def _agreement_json(comparison: Comparison, agreement: Agreement) -> dict[str, Any]:
    return {
        "columns": [_named(comparison, agreement.first), _named(comparison, agreement.second)],
        "equal_labels": agreement.labels.value,
        "labels_compared": agreement.labels.of,
        "equal_rewards": agreement.rewards.value,
        "rewards_compared": agreement.rewards.of,
    }


def _named(comparison: Comparison, place: int) -> Mapping[str, str]:
    column = comparison.columns[place]
    return {"method": column.method, "grader": column.grader}


def _share(share: Share) -> str:
    return _mean(share.value)


def _interval(share: Share) -> str:
    return "–" if share.interval is None else f"{share.interval[0]:.3f}-{share.interval[1]:.3f}"


def _mean(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
