"""Print the summary of `score` at a terminal."""

from collections.abc import Iterator, Mapping

from co_rewarding_schema.methods import BY_GROUND_TRUTH, METHODS, WITHIN_A_VIEW
from co_rewarding_schema.vocabulary import Abstention, View
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reward_service.tools.replay.fields import Layout
from reward_service.tools.replay.tally import Totals


def print_summary(totals: Totals, layout: Layout, console: Console) -> None:
    """The table of a file's numbers, and notes on what is likely to be a mistake."""
    table = Table(title=totals.method, title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column(style="dim")
    for row in _rows(totals):
        table.add_row(*map(Text, row))  # as text: reasons come from the service, and must not style the terminal
    console.print(table)
    for note in notes(totals, layout):
        console.print(Text(f"note: {note}", style="yellow"), soft_wrap=True)


def notes(totals: Totals, layout: Layout) -> Iterator[str]:
    """What a person should look at before believing the numbers."""
    method = METHODS.get(totals.method)
    if totals.groups == totals.rollouts > 1:
        yield groups_of_one(layout)
    if method is not None and method.views_decided_with(View.ORIGINAL) == tuple(View) and len(totals.views) == 1:
        yield (
            f"{totals.method} votes across two views and the file has only {next(iter(totals.views))!r}; give the "
            "other with --view-field or --paraphrase-rollouts-field, or use --method " + WITHIN_A_VIEW
        )
    if Abstention.NO_GROUND_TRUTH in totals.abstentions:
        yield "some questions have no ground truth; --ground-truth-field names the field that holds it"
    if Abstention.NO_STATISTICS in totals.abstentions:
        yield "some rollouts have no statistic; --self-certainty-field and --entropy-field name the fields"


def groups_of_one(layout: Layout) -> str:
    """The note on a file in which every group holds one rollout."""
    return f"every group holds one rollout; is {layout.question!r} the question's id? Name it with --question-field"


def _rows(totals: Totals) -> Iterator[tuple[str, str, str]]:
    yield "rollouts", str(totals.rollouts), ""
    yield "cohorts", str(totals.cohorts), "decided together"
    yield "groups", str(totals.groups), _counts(totals.views)
    yield "answered", *_share(totals.answered, totals.rollouts, "rollouts")
    yield "label coverage", *_share(totals.groups_rewarded, totals.groups, "groups")
    yield "vote share", _mean(totals.vote_share_mean), "mean over elected labels"
    yield "distinct answers", _mean(totals.answers_distinct_mean), "mean over groups"
    yield "reward", _mean(totals.reward_mean), "mean over rewarded rollouts"
    if totals.label_accuracy is not None:
        given = "; they are the ground truths" if totals.method == BY_GROUND_TRUTH else " with a ground truth"
        yield "label accuracy", _mean(totals.label_accuracy), f"of {totals.labels_judged} labels{given}"
    if totals.undecided:
        yield "undecided", str(totals.undecided), "comparisons the grader gave up on"
    yield from (("no answer", str(count), reason) for reason, count in totals.unanswered.items())
    yield from (("abstained", str(count), reason) for reason, count in totals.abstentions.items())


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))


def _share(part: int, whole: int, of: str) -> tuple[str, str]:
    return _mean(part / whole if whole else None), f"{part} of {whole} {of}"


def _mean(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
