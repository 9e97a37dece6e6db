"""Write the figures of a replay for a page: its tables as Markdown, and a picture."""

from collections.abc import Sequence
from pathlib import Path

from reward_service.errors import Needing
from reward_service.tools.replay.comparison import FIGURES, MATRIX, NAMES, Comparison, agreement_matrix, cells, header
from reward_service.tools.replay.errors import ScoringError

BLUE, ORANGE = "#0072B2", "#E69F00"
TIMES = ("CPU-ms median", "CPU-ms p99")
"""Figures of this machine, which a page does not repeat."""


def markdown(comparison: Comparison, said: Sequence[str]) -> str:
    """The tables and notes as Markdown: of one grader without its column, and without times."""
    heads = (*NAMES, *FIGURES)
    graders = {column.grader for column in comparison.columns}
    shown = [place for place, head in enumerate(heads) if head not in TIMES and (head != "grader" or len(graders) > 1)]
    rows = [cells(number, column) for number, column in enumerate(comparison.columns, start=1)]
    table = [[heads[place] for place in shown], *([row[place] for place in shown] for row in rows)]
    parts = [header(comparison), _table(table)]
    if any(pair.comparable for pair in comparison.agreements):
        names = ["#", *(str(number) for number in range(1, len(rows) + 1))]
        parts += [MATRIX, _table([names, *agreement_matrix(comparison)])]
    if said:
        parts.append("\n".join(f"- {note}" for note in said))
    return "\n\n".join(parts) + "\n"


def _table(rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    lines.insert(1, "|" + "---|" * len(rows[0]))
    return "\n".join(lines)


def write_markdown(comparison: Comparison, said: Sequence[str], path: Path) -> None:
    """Write the tables to a file.

    Raises:
        ScoringError: it cannot be written.
    """
    try:
        path.write_text(markdown(comparison, said))
    except OSError as cause:
        raise ScoringError(f"--markdown: {path} cannot be written: {cause.strerror}") from cause


def write_picture(comparison: Comparison, path: Path) -> None:
    """Draw the accuracy of the labels with its interval, the reward, and which columns agree.

    Raises:
        ScoringError: it cannot be written.
    """
    with Needing("--picture", "local", "matplotlib"):
        from matplotlib.figure import Figure

    columns = comparison.columns
    places = list(range(len(columns)))
    graders = {column.grader for column in columns}
    names = [column.method if len(graders) == 1 else f"{column.method} / {column.grader}" for column in columns]
    figure = Figure(figsize=(12, 1.8 + 0.28 * len(columns)), layout="constrained")
    accuracy, agreement = figure.subplots(1, 2, width_ratios=(1.3, 1))
    for place, column in enumerate(columns):
        share, interval, mean = column.label_accuracy.value, column.label_accuracy.interval, column.rewards.mean
        if share is not None and interval is not None:
            accuracy.plot(interval, (place, place), "-", color=BLUE)
            accuracy.plot(share, place, "o", color=BLUE)
        if mean is not None and 0 <= mean <= 1:  # a statistic has its place elsewhere
            accuracy.plot(mean, place, "D", color=ORANGE, fillstyle="none")
    accuracy.set_yticks(places, names)
    accuracy.set_ylim(len(columns) - 0.5, -0.5)
    accuracy.set_xlim(-0.02, 1.02)
    accuracy.grid(alpha=0.2)
    accuracy.set_title("Labels that are right (dot, 95 %) and mean reward (diamond)", loc="left", fontsize=11)
    labelled = [place for place, column in enumerate(columns) if column.coverage.of]
    equal = {(pair.first, pair.second): pair.labels.value for pair in comparison.agreements}
    grid = [[_number(equal.get((min(one, other), max(one, other)))) for other in labelled] for one in labelled]
    if labelled:
        figure.colorbar(agreement.imshow(grid, vmin=0, vmax=1, cmap="viridis"), ax=agreement, shrink=0.7)
    agreement.set_xticks(range(len(labelled)), [str(place + 1) for place in labelled])
    agreement.set_yticks(range(len(labelled)), [str(place + 1) for place in labelled])
    agreement.set_title("Equal labels, by the numbers of the table", loc="left", fontsize=11)
    try:
        figure.savefig(path, dpi=150)
    except (OSError, ValueError) as cause:
        raise ScoringError(f"--picture: {path} cannot be written: {cause}") from cause


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
