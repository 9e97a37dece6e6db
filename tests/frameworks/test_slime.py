"""slime and miles, with their own code: rewards by URL, sample and group, the kit's cases, and a training.

miles comes from PyPI. slime is not there: its tests need SLIME_SOURCE, a folder of its source, or GitHub.
"""

import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from co_rewarding_client.testing.cases import Wire
from co_rewarding_client.testing.wire import unruly

from clients.examples import slime_source
from tests.frameworks.conftest import ROOT, Program
from tests.support.service import running

pytestmark = [pytest.mark.framework, pytest.mark.timeout(1200)]

Said = Callable[..., list[dict[str, Any]]]

DOWNLOADS = ROOT / "runs" / "frameworks"

HOLD_S = {"slime": 2.0, "miles": 0.0}
"""How long /v1/remote_rm holds. With the default of 10 s slime's tests would take five times as long. miles has one
try, and no limit of connections: its requests are held until they are settled."""


@pytest.fixture(scope="module", params=["slime", "miles"])
def trainer(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def held_url(trainer: str) -> Iterator[str]:
    with running(remote_rm_hold_s=HOLD_S[trainer]) as supervisor:
        yield supervisor.url


@pytest.fixture
def said(trainer: str, program: Program, monkeypatch: pytest.MonkeyPatch) -> Said:
    """What a program says of a trainer, by the environment of these tests."""
    try:
        slime_source.found(trainer, DOWNLOADS)
    except slime_source.SourceNotFoundError as error:
        pytest.skip(str(error))
    monkeypatch.setenv("VENV_SLIME", sys.prefix)
    paths = os.pathsep.join(str(ROOT / name) for name in ("", "clients", "trainer", "clients/examples"))

    def of(*words: str, name: str = "slime_program.py", timeout_s: float = 600.0) -> list[dict[str, Any]]:
        return program("slime", name, *words, timeout_s=timeout_s, PYTHONPATH=paths)

    return of


@pytest.fixture
def rewarded(trainer: str, said: Said) -> Callable[..., dict[str, Any]]:
    def of(way: str, order: str, *urls: str) -> dict[str, Any]:
        (line,) = said(trainer, str(DOWNLOADS), "rewards", way, order, *urls)
        print(trainer, way, order, line)
        return line

    return of


@pytest.mark.parametrize("order", ["group", "view", "random", "interleaved"])
@pytest.mark.parametrize("way", ["url", "group"])
def test_each_of_1024_rollouts_gets_the_reward_of_plain_counting(
    way: str, order: str, held_url: str, rewarded: Callable[..., dict[str, Any]]
) -> None:
    line = rewarded(way, order, held_url)

    assert (line["rewarded"], line["wrong"]) == (1024, 0)
    assert 0 < line["ones"] < 1024


def test_samples_are_rewarded_one_by_one_too(held_url: str, rewarded: Callable[..., dict[str, Any]]) -> None:
    line = rewarded("single", "random", held_url)

    assert (line["rewarded"], line["wrong"]) == (1024, 0)


@pytest.mark.slow
@pytest.mark.parametrize("trainer", ["slime"], indirect=True)  # miles has one try
def test_slime_outlasts_a_service_that_is_away_by_the_url_alone(
    held_url: str, rewarded: Callable[..., dict[str, Any]]
) -> None:
    with unruly(held_url, Wire.AWAY) as url:
        line = rewarded("url", "group", url, held_url)

    assert (line["rewarded"], line["wrong"]) == (1024, 0)
    assert line["seconds"] > 5.0


@pytest.mark.parametrize("unit", ["group", "rollout"])
def test_the_adapter_is_conforming(unit: str, trainer: str, said: Said, service_url: str) -> None:
    lines = said(trainer, str(DOWNLOADS), "conformance", unit, service_url)

    assert len(lines) > 15
    assert [line for line in lines if not line["passed"]] == []


def test_a_step_without_any_reward_ends_the_training_with_the_reason(
    trainer: str, said: Said, service_url: str
) -> None:
    (line,) = said(trainer, str(DOWNLOADS), "alone", service_url)

    assert line["error"] == {"slime": "AllAbstainedError", "miles": "TrainingStopped"}[trainer]
    assert "expired" in line["words"]
    assert line["left_out"] == 16


@pytest.mark.slow
def test_the_laptop_task_is_trained_by_the_rollout_side_of_the_trainer(
    trainer: str, said: Said, service_url: str
) -> None:
    words = f"--url {service_url} --trainer {trainer} --run laptop-{trainer} --steps 40 --folder {DOWNLOADS}"
    lines = said(*words.split(), name="../../clients/examples/slime_laptop.py", timeout_s=1100.0)

    before, *_, after = (line["accuracy"] for line in lines if "evaluated" in line)
    print(trainer, before, after)
    assert after > before + 0.1
    assert sum("reward" in line for line in lines) == 40
