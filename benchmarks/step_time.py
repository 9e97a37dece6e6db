"""Measure what rewards add to a step, from its last rollout to its last reward: `python -m benchmarks.step_time`.

OpenRLHF's own executors send the rollouts, by both doors; only the engine is made up: responses of real length come
when their time has come. Beside them, in turns, the plain executor asks a FastAPI endpoint that validates the same body
and answers a constant at once: what any reward over HTTP costs. Needs OpenRLHF's client:
`pip install --no-deps openrlhf==0.11.2`.
"""

import argparse
import asyncio
import importlib
import importlib.util
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from uuid import uuid4

import httpx
from co_rewarding_trainer.openrlhf.labels import labelled
from co_rewarding_trainer.openrlhf.pairs import VIEWS
from co_rewarding_trainer.openrlhf.rollout import pair_responses
from rich.console import Console
from rich.table import Table

from benchmarks.machine import Cores, describe
from benchmarks.servers import noop, service
from reward_service.processes import raise_open_files_limit
from reward_service.tools.loadtest.texts import prompt, response

GROUP = 8
RESPONSE_BYTES = 7000
DISTINCT = 256
SPREAD_S = 4.0
AGENT = "co_rewarding_trainer.openrlhf.agent"
NO_OP = "no-op"
ENDS = ("spread", "at once")
CONSTANT = {"rewards": 1.0, "scores": 1.0, "extra_logs": {"vote_share": 1.0, "abstained": 0.0, "undecided": 0.0}}


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds of one way of sending: of each batch, and of each question in it."""

    door: str
    rollouts_end: str
    batches_s: list[float]
    questions_s: list[float]

    def values_s(self) -> tuple[list[float], list[float]]:
        """Of batches, and of questions."""
        return self.batches_s, self.questions_s


class WholeTexts:
    """A tokenizer for which a text is one token: it costs nothing beside what is measured."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def token(self, text: str) -> int:
        """The token of a text."""
        self._texts.append(text)
        return len(self._texts) - 1

    def __call__(self, text: str, **_options: object) -> dict[str, Any]:
        ids = SimpleNamespace(tolist=lambda: [self.token(text)])
        return {"input_ids": [ids]}

    def decode(self, tokens: Sequence[int], **_options: object) -> str:
        """The texts one after the other."""
        return "".join(self._texts[token] for token in tokens)


class Engine:
    """Gives a response when its time has come, and notes when the last of its question came."""

    def __init__(self, tokenizer: WholeTexts, texts: Sequence[str], ends_s: Sequence[float]) -> None:
        self._tokenizer = tokenizer
        self._texts = texts
        self._ends_s = iter(ends_s)
        self._number = 0
        self.last_s = 0.0

    async def generate(self, _prompt: list[int], _params: object, **_options: object) -> SimpleNamespace:
        """The next response."""
        self._number += 1
        text = self._texts[self._number % len(self._texts)]
        await asyncio.sleep(max(0.0, next(self._ends_s) - time.monotonic()))
        self.last_s = time.monotonic()
        output = SimpleNamespace(token_ids=[self._tokenizer.token(text)], finish_reason="stop", logprobs=None)
        return SimpleNamespace(outputs=[output])


def executors(url: str, noop_url: str) -> dict[str, Any]:
    """By door, OpenRLHF's executor and ours on top of it, without the torch and ray that its package imports.

    Raises:
        SystemExit: OpenRLHF is not there.
    """
    spec = importlib.util.find_spec("openrlhf")
    if spec is None:
        raise SystemExit("OpenRLHF's client is not installed: pip install --no-deps openrlhf==0.11.2")
    utils = ModuleType("openrlhf.utils")
    utils.__path__ = [f"{folder}/utils" for folder in spec.submodule_search_locations or ()]
    sys.modules["openrlhf.utils"] = utils
    plain = importlib.import_module("openrlhf.utils.agent").SingleTurnAgentExecutor
    os.environ["CO_REWARDING_URL"] = url
    return {
        NO_OP: plain([f"{noop_url}/get_reward"]),
        "/get_reward": plain([f"{url}/get_reward"]),
        "agent": importlib.import_module(AGENT).AgentExecutor(),
    }


async def batch(executor: Any, run: str, step: int, questions: int, ends: str) -> tuple[float, list[float]]:  # noqa: ANN401
    """The wait of one rollout batch, and of each of its questions."""
    chance = random.Random(step)
    texts = [response(seed, str(seed % 3), RESPONSE_BYTES) for seed in range(DISTINCT)]
    begin_s = time.monotonic() + 0.5
    tokenizer = WholeTexts()

    async def ask(question: int) -> tuple[float, float]:
        spread_s = SPREAD_S if ends == "spread" else 0.0
        ends_s = [begin_s + chance.random() * spread_s for _ in range(len(VIEWS) * GROUP)]
        engine = Engine(tokenizer, texts[question % DISTINCT :] + texts, ends_s)
        identity = {"question_id": f"q/{question}", "n": GROUP, "run": run}
        labels = [labelled(json.dumps(identity | {"view": view}), step=step) for view in VIEWS]
        outputs = await pair_responses(
            executor,
            [prompt(2 * question + view) for view in range(len(VIEWS))],
            labels,
            GROUP,
            sampling_params=SimpleNamespace(max_tokens=3072, logprobs=None),
            max_length=4096,
            hf_tokenizer=tokenizer,
            llm_engine=engine,
            images=None,
        )
        rewarded_s = time.monotonic()
        assert all(output["reward"] is not None for output in outputs)
        return engine.last_s, rewarded_s

    times = await asyncio.gather(*(ask(question) for question in range(questions)))
    last_s, rewarded_s = (max(side) for side in zip(*times, strict=True))
    return rewarded_s - last_s, [rewarded - last for last, rewarded in times]


async def measure(url: str, noop_url: str, batches: int, questions: int) -> list[Waits]:
    """Every door, batch by batch in turns, with rollouts that end over some seconds and that all end at once."""
    found: list[Waits] = []
    doors = executors(url, noop_url)
    async with httpx.AsyncClient(timeout=30.0) as client:
        for ends in ENDS:
            runs = {door: f"bench-{uuid4().hex[:8]}" for door in doors}
            for run in runs.values():
                settings = {"method": "co-rewarding-i", "group_size": GROUP}
                (await client.put(f"{url}/v1/runs/{run}", json=settings)).raise_for_status()
            waits = {door: Waits(door, ends, [], []) for door in doors}
            for step in range(batches + 1):
                for door, executor in doors.items():
                    batch_s, questions_s = await batch(executor, runs[door], step, questions, ends)
                    if step > 0:  # the first is not counted
                        waits[door].batches_s.append(batch_s)
                        waits[door].questions_s.extend(questions_s)
            found += waits.values()
    await doors["agent"].close()
    return found


def quantile(values_s: Sequence[float], share: float) -> float:
    """The value below which that share of all lies."""
    return statistics.quantiles(values_s, n=1000, method="inclusive")[round(share * 1000) - 1]


def table(found: Sequence[Waits], questions: int) -> Table:
    """For a person: quantiles, and the median over that of the no-op in the same run."""
    rollouts = questions * len(VIEWS) * GROUP
    made = Table(
        title=f"From the last rollout to the last reward: batches of {rollouts} rollouts", title_justify="left"
    )
    for heading in ("door", "end"):
        made.add_column(heading, no_wrap=True)
    for heading in ("batch p50", "p99", "p50 ratio", "question p50", "p99"):
        made.add_column(heading, justify="right")
    baselines_s = {each.rollouts_end: quantile(each.batches_s, 0.5) for each in found if each.door == NO_OP}
    for each in found:
        batch_s, question_s = ([quantile(values, share) for share in (0.5, 0.99)] for values in each.values_s())
        over = f"{batch_s[0] / baselines_s[each.rollouts_end]:.2f} x"
        made.add_row(each.door, each.rollouts_end, *map(_ms, batch_s), over, *map(_ms, question_s))
    return made


def _ms(value_s: float) -> str:
    return f"{1000 * value_s:,.0f} ms"


def main() -> None:
    """Measures and prints; with --file also writes every number as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=12, help="counted batches of each kind")
    parser.add_argument("--questions", type=int, default=64, help="questions of a batch, each 2 views of 8 rollouts")
    parser.add_argument("--file", type=Path, help="where every number is written, as JSON")
    options = parser.parse_args()
    raise_open_files_limit()
    console = Console()
    console.print(describe())
    unpinned = Cores(None, None)
    answers = {"/get_reward": json.dumps(CONSTANT).encode()}
    with (
        tempfile.TemporaryDirectory(prefix="cr-") as folder,
        service(Path(folder), unpinned) as ours,
        noop(Path(folder), answers, unpinned) as other,
    ):
        urls = [f"http://{server.host}:{server.port}" for server in (ours, other)]
        found = asyncio.run(measure(urls[0], urls[1], options.batches, options.questions))
    console.print(table(found, options.questions))
    if options.file is not None:
        options.file.write_text(json.dumps([asdict(each) for each in found], indent=1) + "\n")


if __name__ == "__main__":
    main()
