"""`verify` in TRL's own reward hook, in 8 threads and on its event loop, on hostile responses."""

import re
from typing import Any

import pytest
from conftest import Program

from tests.support.hostile_answers import own_hostile, shared_hostile, wrong

pytestmark = [pytest.mark.framework, pytest.mark.timeout(600)]

TEXTS = own_hostile() + shared_hostile()
MOST_S = 90.0
"""Of one hostile response in a thread, or of all of them on the loop: the first waits for the judge's libraries."""


@pytest.fixture(scope="module")
def calls(program: Program, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return program("trl", "trl_verify_program.py", str(tmp_path_factory.mktemp("verify")))


def test_every_reward_function_was_called_at_each_step(calls: list[dict[str, Any]]) -> None:
    assert calls[-1] == {"how": "trained", "steps": 2}
    assert [call["how"] for call in calls[:-1]].count("threads") == 2
    assert {call["how"] for call in calls[:-1]} == {"threads", "loop", "stand-in"}


def test_no_hostile_response_stalls_or_is_wrongly_equal(calls: list[dict[str, Any]]) -> None:
    for call in calls[:-1]:
        assert wrong(TEXTS, call["verdicts"]) == [], call["how"]
        assert call["seconds"] < MOST_S, call["how"]


def test_the_judge_decides_beside_them(calls: list[dict[str, Any]]) -> None:
    """Its libraries are in the environment, and a flood of hostile texts leaves it time for others."""
    place = [text.name for text in TEXTS].index("identity")
    assert {call["verdicts"][place] for call in calls[:-1]} == {"same"}


def test_what_was_sampled_is_rewarded_as_plain_counting_does(calls: list[dict[str, Any]]) -> None:
    by_step: dict[str, list[float]] = {}
    for call in calls[:-1]:
        assert len(call["completions"]) == len(call["rewards"]) == 8
        for completion, reward in zip(call["completions"], call["rewards"], strict=True):
            if not re.findall(r"\\boxed\{(\d)\}", completion):
                assert reward == 0.0
        by_step.setdefault(str(call["completions"]), []).append(sum(call["rewards"]))
    assert all(len(set(sums)) == 1 for sums in by_step.values())
