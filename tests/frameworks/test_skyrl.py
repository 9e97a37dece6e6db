"""SkyRL's own generator under ours: every rollout has the reward of plain counting, and pairs stay in one batch."""

import json
import os
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from co_rewarding_client.testing import CASES, Sampled
from co_rewarding_client.testing.reference import cross_view_rewards, key
from fetched import ROOT, fetched

pytestmark = [pytest.mark.framework, pytest.mark.timeout(900)]

NEVER_SPLIT = {name for name, case in CASES.items() if case.ranks > 1}  # one process generates a whole batch


@pytest.fixture
def skyrl(program: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the program with SkyRL's code and this environment's interpreter."""
    folder = fetched("skyrl")
    monkeypatch.setenv("VENV_SKYRL", sys.prefix)
    path = os.pathsep.join(map(str, (ROOT, ROOT / "clients", Path(__file__).parent, folder)))
    return lambda *words: program("skyrl", "skyrl_program.py", *words, timeout_s=600.0, PYTHONPATH=path)


def test_every_rollout_of_both_views_has_its_reward(skyrl: Any, service_url: str, run: str) -> None:
    told = skyrl("batch", service_url, run, "64", "8")
    assert len(told) == 1024
    seen: dict[str, int] = defaultdict(int)
    found: dict[Any, tuple[Sampled, float]] = {}
    for each in told:
        question, view = each["prompt"].removesuffix("?").split()
        answer = each["response"].split("boxed{")[1].removesuffix("}")
        rollout = Sampled(
            question_id=question, view=view, index=seen[each["prompt"]], prompt="", response="", answer=answer
        )
        seen[each["prompt"]] += 1
        found[key(rollout)] = (rollout, each["reward"])
        assert each["trained"] == len(each["response"]) + 1
    expected = cross_view_rewards([rollout for rollout, _ in found.values()])
    assert {name: reward for name, (_, reward) in found.items()} == expected
    assert set(expected.values()) == {0.0, 1.0}


def test_a_batch_holds_pairs_and_each_epoch_another_order(skyrl: Any) -> None:
    epochs = [each["batches"] for each in skyrl("paired", "12")]
    for batches in epochs:
        assert [batch[::2] for batch in batches] == [batch[1::2] for batch in batches]
        assert [len(batch) for batch in batches] == [4, 4]
        assert "q0" not in {row for batch in batches for row in batch}, "its original was filtered out"
    assert epochs[0] != epochs[1]


def test_the_generator_conforms(skyrl: Any, service_url: str) -> None:
    proofs = skyrl("conformance", service_url, *(name for name in CASES if name not in NEVER_SPLIT))
    assert len(proofs) == len(CASES) - len(NEVER_SPLIT)
    assert [json.dumps(proof) for proof in proofs if not proof["passed"]] == []
