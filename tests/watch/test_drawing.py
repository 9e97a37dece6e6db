"""The picture of a run: it fits the terminal, and its curves are the series."""

import io
from typing import Any

import pytest
from co_rewarding_client.model import TeacherState
from rich.console import Console

from reward_service.tools.watch.drawing import ASCII, BLOCKS, Screen, curve
from reward_service.tools.watch.watching import Seen

SETTINGS = {"method": "co-rewarding-ii", "state": {"settled": 123456, "abstained": 12, "open": 4321}}
TEACHER = TeacherState(
    run="r", version=100000, step=100001, alpha=0.9999, model="m", ready=True, queue=4096, waiting=3,
    waiting_for="generation", refused=None, teachers=1,
)  # fmt: skip


def points(count: int, **more: Any) -> list[dict[str, Any]]:
    same = {
        "attempt": 0, "groups": 256, "labels": 250, "rollouts": 204800, "vote_share": 0.5, "label_agreement": 1.0,
        "view_agreement": None, "answered": 0.97, "length": 31234.5,
    }  # fmt: skip
    return [
        {"step": step, "distinct_answers": 4 - step / 300, "top_share": step / count, **same, **more}
        for step in range(count)
    ]


def drawn(seen: Seen, width: int = 80, encoding: str = "utf-8", height: int = 25) -> str:
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding=encoding) as file:
        Console(file=file, width=width, height=height, force_terminal=False).print(Screen(seen))
        file.flush()
        return raw.getvalue().decode(encoding)


def seen(count: int = 300, **more: Any) -> Seen:
    run = "a-run-with-quite-a-long-name"
    whole: dict[str, Any] = {"settings": SETTINGS, "points": points(count), "teacher": TEACHER, "cohorts_per_s": 12.34}
    return Seen(run, "http://127.0.0.1:8000", **whole | more)


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 35, 1000])
@pytest.mark.parametrize("width", [80, 60, 200])
def test_it_fits_and_nothing_is_cut(width: int, count: int):
    said = drawn(seen(count, trouble="the service has no such run, or not yet", trouble_s=3600.0), width)
    assert max(map(len, said.splitlines())) <= width
    assert "…" not in said


def test_the_figures_are_those_of_the_latest_step_and_of_ten_before():
    line = next(line for line in drawn(seen(100)).splitlines() if "top answer" in line)
    assert line.split()[-4:] == ["89.0", "%", "99.0", "%"]
    assert "10 steps ago" in drawn(seen(100))
    assert next(line for line in drawn(seen(5)).splitlines() if "top answer" in line).split()[-2:] == ["80.0", "%"]


def test_what_no_step_has_is_not_drawn_and_what_a_later_service_adds_is():
    said = drawn(seen(points=points(3, reward_mean=0.25)))
    assert "view agreement" not in said
    assert "reward mean" in said


def test_trouble_is_told_beside_what_was_seen_before():
    said = drawn(seen(trouble="the service does not answer", trouble_s=12.0))
    assert "the service does not answer, for 12 s" in said
    assert "vote share" in said
    assert "waits for: generation" in said


def test_before_the_first_look_there_is_only_the_trouble():
    said = drawn(Seen("math", "http://x", {}, trouble="the service does not answer"))
    assert said.splitlines() == ["math, at http://x", "the service does not answer, for 0 s; asked again and again"]


def test_a_curve_rises_with_its_values_and_shows_gaps():
    upper, lower = curve([0.0, 0.25, 0.5, None, 0.75, 1.0], 10, 1.0)
    assert (upper, lower) == ("    ▄█", "▁▄█ ██")


def test_a_long_curve_shows_the_whole_run():
    values = [0.0] * 500 + [1.0] * 500
    upper, lower = curve(values, 10, 1.0)
    assert (upper, lower) == ("     █████", "▁▁▁▁▁█████")


def test_a_terminal_without_other_characters_gets_ascii():
    said = drawn(seen(40), encoding="ascii")
    assert set(said) & set(ASCII[1:])


@pytest.mark.parametrize(("height", "rows"), [(24, 2), (21, 1), (16, 1)])
def test_a_low_terminal_gets_lower_curves(height: int, rows: int):
    lines = drawn(seen(100), height=height).rstrip().splitlines()
    assert len(lines) <= height
    curves = lines[next(at for at, line in enumerate(lines) if "rollouts" in line) :]
    assert len(curves) == rows * len([line for line in curves if not line.startswith("     ")])
    assert rows == len(curves) / 7


def test_what_was_0_all_the_time_is_drawn():
    assert "vote share" in drawn(seen(points=points(3, vote_share=0.0)))


def test_a_curve_below_zero_rises_as_its_figures_do():
    lines = drawn(seen(points=[{**points(1)[0], "step": at, "reward": float(at - 8)} for at in range(8)])).splitlines()
    at = next(at for at, line in enumerate(lines) if line.startswith(" reward "))
    upper, lower = ([block for block in line if block in BLOCKS[1:]] for line in lines[at : at + 2])
    assert "".join(lower + upper) == "▁▂▄▆████" + "▂▄▆"


@pytest.mark.parametrize("rewards", [[1.7e308, -1.7e308], [5e-324, 0.0], [-5e-324], [1e99, -1e99], [1e15, 1e15 + 0.25]])
def test_any_figures_are_drawn_and_written(rewards: list[float]):
    said = drawn(
        seen(points=[{**points(1)[0], "step": at, "reward": reward} for at, reward in enumerate(rewards * 40)])
    )
    assert max(map(len, said.splitlines())) <= 80
    assert "…" not in said
