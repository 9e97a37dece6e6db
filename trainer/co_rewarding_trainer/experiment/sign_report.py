"""Report the trial of the signs: a table with AUC and rates of alarms, the verdict in words, and a picture."""

import math
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from co_rewarding_trainer.experiment.cell import CellResult
from co_rewarding_trainer.experiment.results import write_markdown
from co_rewarding_trainer.experiment.roc import Auc
from co_rewarding_trainer.experiment.running import ExperimentError, read_results, read_suite_of
from co_rewarding_trainer.experiment.sign_trial import (
    LOSS,
    NULL_STEP,
    ONE_ANSWER_ABOVE,
    Alarms,
    Trial,
    course_of,
    curve_of,
    try_signs,
)
from co_rewarding_trainer.report import COLOURS

DRAWN = 5
HEADS = (
    "reading", "warns when", "AUC", "beyond the step's", "losses warned of in time", "too early", "false",
    "lead, steps",
)  # fmt: skip


def report_signs(folders: Sequence[Path], out: Path, horizon: int, rows: Sequence[str] = ()) -> Trial:
    """Tries the signs on the experiments in some folders; writes `signs.md` and `signs.png` into `out`.

    `rows` are those whose trainings count; without any, all. A training that stands in several folders counts once.

    Raises:
        ExperimentError: a folder holds no experiment, or the trainings hold nothing that a trial could decide by.
    """
    tuned: dict[str, CellResult] = {}
    reported: dict[str, CellResult] = {}
    for folder in folders:
        suite = read_suite_of(folder)
        for result in read_results(folder, suite):
            if not rows or result.row in rows:
                (tuned if result.seed in suite.tuning_seeds else reported)[result.run] = result
    trial = try_signs(list(map(course_of, tuned.values())), list(map(course_of, reported.values())), horizon)
    if not trial.verdicts:
        raise ExperimentError(
            f"the tuning seeds of {', '.join(map(str, folders))} hold {len(tuned)} trainings, and no loss of "
            f"{LOSS:.0%} to choose thresholds by: give the suite tuning_seeds, and rows and rates that lose"
        )
    out.mkdir(parents=True, exist_ok=True)
    write_markdown(HEADS, lines_of(trial), out / "signs.md")
    with (out / "signs.md").open("a") as file:
        file.write(f"\n{said(trial)}\n")
    write_roc(trial, out / "signs.png")
    console = Console()
    console.print(_table(trial))
    console.print(said(trial), highlight=False)
    console.print(f"the table: {out / 'signs.md'}, the picture: {out / 'signs.png'}", soft_wrap=True)
    return trial


def lines_of(trial: Trial) -> list[tuple[str, ...]]:
    """Return the lines of the table: the readings, the best on the tuning seeds first, then the two nulls."""
    lines = [
        (
            f"`{each.reading}`", f"{'above' if each.sign > 0 else 'below'} {each.threshold:.3g}",
            _told(each.auc), _told(each.beyond_null, "+.2f"), *_counts(each.alarms),
        )
        for each in trial.verdicts
    ]  # fmt: skip
    return [
        *lines,
        ("the alert `OneAnswer`", f"above {ONE_ANSWER_ABOVE}", "–", "–", *_counts(trial.one_answer)),
        (
            "the number of the step",
            "above" if trial.step_sign > 0 else "below",
            _told(trial.by_step),
            "–",
            "–",
            "–",
            "–",
            "–",
        ),
        (f"always at step {NULL_STEP}", "–", "–", "–", *_counts(trial.always)),
    ]


def said(trial: Trial) -> str:
    """Say in words whether a reading may become an alarm."""
    losses = sum(course.lost_at is not None for course in trial.courses)
    counted = f"{losses} of {len(trial.courses)} trainings on the reported seeds lost {100 * LOSS:g} points."
    good = [each for each in trial.verdicts if each.good_enough]
    if not good:
        return f"{counted} No reading is good enough for an alarm."
    return f"{counted} Good enough for an alarm: {', '.join(each.reading for each in good)}."


def write_roc(trial: Trial, path: Path) -> None:
    """Draw the ROC curves of the readings that were best on the tuning seeds, beside that of the step's number."""
    figure = Figure(figsize=(5.6, 5.2), layout="constrained")
    axes = figure.subplots()
    for verdict, colour in zip(trial.verdicts[:DRAWN], COLOURS, strict=False):
        curve = curve_of(trial, verdict.reading, verdict.sign)
        axes.plot(*curve, color=colour, linewidth=2, label=f"{verdict.reading} ({verdict.auc.value:.2f})")
    by_step = curve_of(trial, None, trial.step_sign)
    axes.plot(*by_step, color="#000000", linestyle="--", label=f"the number of the step ({trial.by_step.value:.2f})")
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=0.7)
    axes.set_xlabel("moments without a loss ahead that are warned of")
    axes.set_ylabel("moments before a loss that are warned of")
    axes.set_title(f"A loss of {100 * LOSS:g} points within {trial.horizon} steps", loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    figure.savefig(path, dpi=150)


def _table(trial: Trial) -> Table:
    table = Table(title=f"A loss within {trial.horizon} steps", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("reading", overflow="fold")
    for head in ("AUC", "in time", "early", "false", "lead"):
        table.add_column(head, no_wrap=True, justify="right")
    for reading, _, auc, _, hits, early, false, lead in lines_of(trial):
        table.add_row(reading.replace("`", ""), auc, hits, early, false, lead)
    return table


def _told(auc: Auc, form: str = ".2f") -> str:
    if math.isnan(auc.value):
        return "–"
    return f"{auc.value:{form}} ({auc.low:{form}} to {auc.high:{form}})"


def _counts(alarms: Alarms) -> tuple[str, str, str, str]:
    lead = "–" if alarms.lead is None else f"{alarms.lead:g}"
    return f"{alarms.hits} of {alarms.losses}", str(alarms.early), f"{alarms.false} of {alarms.kept}", lead
