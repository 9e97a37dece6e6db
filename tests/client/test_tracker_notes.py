"""The file beside wandb's own that says which step was logged last; wandb itself is not installed here."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from co_rewarding_client.trackers import open_tracker
from co_rewarding_client.tracking import NO_STEP


class FakeWandb(ModuleType):
    """As far as a tracker calls it: offline, so that no run is resumed."""

    def __init__(self) -> None:
        super().__init__("wandb")
        self.logged: list[tuple[str, int]] = []

    def init(self, project: str, **_: Any) -> SimpleNamespace:
        def log(figures: dict[str, float], step: int, **_: Any) -> None:
            self.logged.append((project, step))

        return SimpleNamespace(resumed=False, step=0, log=log, finish=lambda: None)


@pytest.fixture(autouse=True)
def wandb(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeWandb:
    made = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", made)
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    return made


def logged(project: str, step: int, run: str = "run") -> None:
    with open_tracker("wandb", project, run) as tracker:
        tracker.log(step, {"co_rewarding/groups": 8.0})


def last_step(project: str, run: str = "run") -> int:
    with open_tracker("wandb", project, run) as tracker:
        return tracker.last_step()


@pytest.mark.parametrize("project", ["plain", "team/project", "50% ü", "a b"])
def test_a_run_goes_on_behind_its_last_step(project: str) -> None:
    assert last_step(project) == NO_STEP
    logged(project, 7)
    assert last_step(project) == 7


@pytest.mark.parametrize(
    ("one", "other"), [(("a/b", "run"), ("a_b", "run")), (("a b", "run"), ("a_b", "run")), (("a", "b-c"), ("a-b", "c"))]
)
def test_what_one_project_has_logged_is_not_anothers(one: tuple[str, str], other: tuple[str, str]) -> None:
    logged(one[0], 7, one[1])
    assert (last_step(*one), last_step(*other)) == (7, NO_STEP)


@pytest.mark.parametrize("content", [b"", b"\x00\x00", b"\xff", b'{"st'])
def test_a_file_that_a_machine_left_unwritten_is_as_none(tmp_path: Path, wandb: FakeWandb, content: bytes) -> None:
    logged("project", 7)
    (noted,) = (tmp_path / "wandb").rglob("*.json")
    noted.write_bytes(content)
    assert last_step("project") == NO_STEP
    logged("project", 8)
    assert last_step("project") == 8
    assert wandb.logged == [("project", 7), ("project", 8)]
    assert [file for file in (tmp_path / "wandb").rglob("*") if file.is_file()] == [noted], "nothing is left beside it"
