"""What the demo leaves behind can be read again, and its numbers are those of the series."""

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

for needed in ("torch", "transformers", "matplotlib"):
    pytest.importorskip(needed, reason=f"the demo needs {needed}: pip install 'co-rewarding[local]'")

from co_rewarding_schema.methods import METHODS  # noqa: E402
from co_rewarding_trainer.loop import HeldOutAccuracy, LoopConfig, StepReport, TrainingLog  # noqa: E402
from co_rewarding_trainer.report import DemoReport, MethodReport, labelled_by  # noqa: E402
from rich.console import Console  # noqa: E402

ACCURACIES = (0.5, 0.7, 0.3, 0.2, 0.1)


def report(label_accuracy: float | None = 0.25) -> DemoReport:
    steps = tuple(StepReport(step, step / 40, label_accuracy, 1.0) for step in range(40))
    evaluations = tuple(HeldOutAccuracy(10 * index, accuracy) for index, accuracy in enumerate(ACCURACIES))
    method = MethodReport("majority-voting", "run", 1.0, TrainingLog(steps, evaluations))
    return DemoReport(LoopConfig(steps=40), (method,))


def test_start_peak_and_end() -> None:
    [method] = report().methods
    assert (method.start, method.peak) == (0.5, 0.7)
    assert method.end == pytest.approx(0.2)
    assert method.reward_at_end == pytest.approx(34.5 / 40)
    assert method.label_accuracy_at_end == pytest.approx(0.25)


def test_the_series_are_json(tmp_path: Path) -> None:
    report(label_accuracy=None).write_series(tmp_path / "series.json")
    series = json.loads((tmp_path / "series.json").read_text())
    [method] = series["methods"]
    assert len(method["training"]["steps"]) == series["config"]["steps"] == 40
    assert method["training"]["steps"][0]["label_accuracy"] is None


@pytest.mark.parametrize("label_accuracy", [0.25, None])
def test_the_picture_is_drawn_with_and_without_truths(tmp_path: Path, label_accuracy: float | None) -> None:
    report(label_accuracy).write_picture(tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_the_table_fits_a_terminal() -> None:
    terminal = io.StringIO()
    Console(width=80, file=terminal).print(report().table())
    assert "majority-voting" in terminal.getvalue()


def test_the_table_is_markdown_too(tmp_path: Path) -> None:
    report(label_accuracy=None).write_table(tmp_path / "table.md")
    heads, rule, row = (tmp_path / "table.md").read_text().splitlines()
    assert heads.startswith("| method | accuracy at start |")
    assert rule == "|---|---|---|---|---|---|---|"
    assert row == "| `majority-voting` | 0.50 | 0.70 | 0.20 | 0.86 | – | 1 |"


def test_a_legend_says_who_elects_the_labels() -> None:
    said = {name: labelled_by(METHODS[name]) for name in METHODS}
    assert said["majority-voting"] == "the policy votes on the same view"
    assert said["co-rewarding-i"] == "the policy votes on the other view"
    assert said["co-rewarding-iii"] == "a slow teacher votes on the other view"
    assert said["majority-voting-union"] == "the policy votes on both views"
    assert said["peer-majority"] == "another policy votes on the same view"
    assert said["ground-truth"] == "the right answers"
    assert said["format"] == "no labels"


def test_a_reward_that_is_no_share_is_left_out_of_the_picture(tmp_path: Path) -> None:
    [method] = report().methods
    every = [replace(method, method=name) for name in METHODS]
    DemoReport(LoopConfig(steps=40), tuple(every)).write_picture(tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
