"""The words of the protocol: what can be asked, and the seeds of responses."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_service.generation.generator import Message, Prompt, Sampling


@pytest.mark.parametrize("prompt", [{}, {"text": "x", "messages": (Message("user", "x"),)}])
def test_a_prompt_is_one_thing(prompt: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="either text or messages"):
        Prompt(**prompt)


@pytest.mark.parametrize(
    "setting", [{"n": 0}, {"max_tokens": 0}, {"temperature": -1.0}, {"temperature": float("nan")}, {"top_p": 0.0}]
)
def test_settings_that_nothing_can_be_drawn_with_are_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be at least"):
        Sampling(**setting)


@given(st.integers(-(2**70), 2**70), st.integers(0, 4096))
def test_a_response_has_a_seed_of_its_own_that_every_server_takes(seed: int, index: int) -> None:
    own = Sampling(seed=seed).response_seed(index)
    assert own is not None
    assert 0 <= own < 2**31
    assert own == Sampling(seed=seed, n=3, temperature=0.5).response_seed(index)


def test_neighbouring_seeds_share_no_responses_where_a_server_adds_the_index() -> None:
    bases = [Sampling(seed=seed).response_seed(0) or 0 for seed in range(1000)]
    served = [base + index for base in bases for index in range(8)]
    assert len(set(served)) == len(served)


def test_without_a_seed_responses_have_none() -> None:
    assert Sampling().response_seed(0) is None
