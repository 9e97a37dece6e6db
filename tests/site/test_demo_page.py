"""What demos have recorded stands in the page where its marks are."""

from pathlib import Path

import pytest
from co_rewarding_trainer.loop import HeldOutAccuracy, LoopConfig, StepReport, TrainingLog
from co_rewarding_trainer.report import DemoReport, MethodReport, write_comparison

from scripts.site.demo_page import PAGE, compared, replaced


def report(*accuracies: float) -> DemoReport:
    found = tuple(HeldOutAccuracy(10 * at, share) for at, share in enumerate(accuracies))
    log = TrainingLog((StepReport(0, 0.5, 0.5, 0.5),), found)
    return DemoReport(LoopConfig(), tuple(MethodReport(name, "run", 1.0, log) for name in ("format", "random")))


def test_demos_stand_side_by_side(tmp_path: Path) -> None:
    reports = [("plain", report(0.5, 0.75, 0.25)), ("own", report(0.25, 0.5))]
    heads, _, first, second = compared(reports).splitlines()
    assert heads == "| method | plain: start, peak, end | own: start, peak, end |"
    assert first == "| `format` | 0.50, 0.75, **0.50** | 0.25, 0.50, **0.50** |"
    assert second.startswith("| `random` |")
    write_comparison(reports, tmp_path / "starts.png")
    assert (tmp_path / "starts.png").stat().st_size > 10_000


def test_a_table_is_replaced_between_its_marks() -> None:
    page = PAGE.read_text()
    once = replaced(page, "starts", "| a |\n")
    assert "| a |\n<!-- end of starts -->" in once
    assert replaced(once, "starts", "| b |\n").count("| a |") == 0
    with pytest.raises(ValueError, match="no marks of absent"):
        replaced(page, "absent", "")
