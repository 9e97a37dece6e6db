"""The picture of the demo is drawn from what a demo has recorded, and says the same as the page."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from co_rewarding_trainer.loop import HeldOutAccuracy, LoopConfig, StepReport, TrainingLog
from co_rewarding_trainer.report import DemoReport, MethodReport

from scripts.site.terminal import PICTURE, animated, report_of, screens

SVG = "{http://www.w3.org/2000/svg}"
DEMO = Path(__file__).parents[2] / "docs" / "demo.md"


@pytest.fixture
def report() -> DemoReport:
    steps = tuple(StepReport(step, 0.5 + step / 100, 0.25, 0.75) for step in range(40))
    found = tuple(HeldOutAccuracy(step, 0.6 - step / 100) for step in range(0, 41, 10))
    method = MethodReport("majority-voting", "demo-majority-voting-1", 12.0, TrainingLog(steps, found))
    return DemoReport(LoopConfig(steps=40), (method,))


def words(svg: str) -> list[str]:
    """The words of each frame, with spaces as they are read."""
    frames = [each for each in ET.fromstring(svg) if each.get("class", "").startswith("f")]
    texts = [" ".join("".join(each.itertext()) for each in frame.iter(f"{SVG}text")) for frame in frames]
    return [" ".join(each.replace("\xa0", " ").split()) for each in texts]


def test_each_moment_has_a_frame_and_the_last_the_table(report: DemoReport, tmp_path: Path) -> None:
    report.write_series(tmp_path / "series.json")
    assert report_of(tmp_path / "series.json") == report
    shown = words(animated(screens(report)))
    assert len(shown) == 5
    assert "accuracy" not in shown[0]
    assert "accuracy 0.40 reward 0.69 labels 0.25" in shown[2]
    assert "seconds" not in shown[2]
    assert re.search(r"majority-voting │ 0\.60 │ 0\.60 │ 0\.30 │ 0\.85 │ 0\.25 │ 12", shown[-1])


def test_frames_do_not_share_styles(report: DemoReport) -> None:
    frames = screens(report)
    names = [set(re.findall(r"\.(s\d+)-", frame)) for frame in frames]
    assert "http" not in "".join(frames).replace("http://www.w3.org/", "").replace("https://www.textualize.io", "")
    assert all(len(each) == 1 for each in names)
    assert len(set.union(*names)) == len(frames)


def test_the_picture_tells_what_the_page_tells() -> None:
    """Of another machine or hour: seconds differ, and accuracies by less than what one evaluation can be off."""
    row = re.compile(r"([a-z-]+)`? [|│] " + r" [|│] ".join([r"\**(\d\.\d\d)\**"] * 5))
    shown = {name: list(map(float, figures)) for name, *figures in row.findall(words(PICTURE.read_text())[-1])}
    told = {name: list(map(float, figures)) for name, *figures in row.findall(DEMO.read_text().partition("\n## ")[0])}
    assert shown.keys() == told.keys() == {"majority-voting", "co-rewarding-i", "co-rewarding-ii", "ground-truth"}
    for name, figures in shown.items():
        assert figures == pytest.approx(told[name], abs=0.03), name
