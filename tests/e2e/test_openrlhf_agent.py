"""The agent executor on OpenRLHF's own, as its vLLM actors load and call it."""

import asyncio
import importlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from co_rewarding_trainer.openrlhf.labels import labelled
from co_rewarding_trainer.openrlhf.rollout import pair_rollout
from e2e_openrlhf import Characters, Engine, executor_class
from e2e_rule import VIEWS, Rollout, co_rewarding, questions
from e2e_services import Service, assert_one_vote_each

pytestmark = pytest.mark.openrlhf
AGENT = "co_rewarding_trainer.openrlhf.agent"


@pytest.fixture
def executor(replicas: tuple[Service, Service], monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("CO_REWARDING_URL", replicas[0].url)
    with executor_class():
        yield importlib.import_module(AGENT).AgentExecutor()
    del sys.modules[AGENT]


class Texts(Engine):
    """An engine that gives each view's responses in their order."""

    def __init__(self, responses: dict[str, Iterator[str]]) -> None:
        self._responses = responses

    async def generate(self, prompt: list[int], params: object, **options: object) -> SimpleNamespace:
        self._response, self._gate = next(self._responses["".join(map(chr, prompt))]), None
        return await super().generate(prompt, params, **options)


def test_pairs_are_rewarded_by_identity(executor: Any, replicas: tuple[Service, Service], run: str):
    near, _ = replicas
    near.make_run(run, method="co-rewarding-i", group_size=8)
    rollouts = questions(3, 21)
    of: dict[tuple[str, str], list[Rollout]] = {}
    for rollout in rollouts:
        of.setdefault((rollout.question_id, rollout.view), []).append(rollout)

    class Actor(Texts):
        pass

    async def sample(actor: Any, question: str) -> list[dict[str, Any]]:
        firsts = [of[question, view][0] for view in VIEWS]
        params = SimpleNamespace(max_tokens=256, logprobs=None)
        return await actor.generate_responses(
            [first.prompt for first in firsts],
            [labelled(first.label(run), step=4, attempt=9) for first in firsts],
            params,
            4096,
            Characters(),
            num_samples=8,
        )

    async def scenario() -> list[list[dict[str, Any]]]:
        actor = pair_rollout(Actor)({group[0].prompt: iter([r.response for r in group]) for group in of.values()})
        actor.executor = executor
        return await asyncio.gather(*(sample(actor, question) for question in {r.question_id for r in rollouts}))

    found = {
        (output["prompt"], index % 8): (output["reward"], output["scores"], output["extra_logs"])
        for outputs in asyncio.run(scenario())
        for index, output in enumerate(outputs)
    }
    due = co_rewarding(rollouts, indexed=True)
    assert found == {(rollout.prompt, rollout.index): due[rollout].openrlhf for rollout in rollouts}
    assert_one_vote_each(near, run, rollouts)


class EndedTexts(Characters):
    """A tokenizer that knows what ends a turn."""

    END = "<|im_end|>"

    def decode(self, tokens: Sequence[int], **options: object) -> str:
        text = super().decode(tokens)
        return text.replace(self.END, "") if options["skip_special_tokens"] else text


def test_what_ends_a_turn_is_no_part_of_an_answer(executor: Any, replicas: tuple[Service, Service], run: str):
    near, _ = replicas
    near.make_run(run, method="ground-truth", group_size=1, answer_formats=["final-answer"])
    label = {"question_id": "q", "view": "original", "n": 1, "run": run, "rollout": 0, "ground_truth": "4"}
    engine = Texts({"2 + 2?": iter([f"The answer is 4{EndedTexts.END}"])})
    params = SimpleNamespace(max_tokens=256, logprobs=None)
    output = asyncio.run(executor.execute("2 + 2?", json.dumps(label), params, 4096, EndedTexts(), engine))
    assert output["reward"] == 1.0


def test_it_is_where_openrlhf_looks_for_it(executor: Any):
    """As `_load_agent_executor` has it: a path that ends in .py, a class of that name, made without arguments."""
    path = Path(importlib.import_module(AGENT).__file__ or "")
    assert path.suffix == ".py"
    assert type(executor).__name__ == "AgentExecutor"
    from openrlhf.utils.agent import AgentExecutorBase

    assert isinstance(executor, AgentExecutorBase)
