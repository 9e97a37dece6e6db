"""Run AReaL's own executor over a workflow of ours, or its own reward wrapper, and print what comes of it.

    python areal_program.py episodes URL RUN QUESTIONS GROUP_SIZE
    python areal_program.py wrapper
    python areal_program.py away
    python areal_program.py refusals URL RUN
    python areal_program.py conformance URL [CASE ...]

AReaL comes from a folder on the path: its code as it is published, without the initialisation of its packages, which
loads launchers, models and CUDA. What only these need (ray, openai, tabulate) is replaced by nothing.
"""

import asyncio
import importlib.abc
import importlib.machinery
import json
import logging
import random
import signal
import sys
import types
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

NOT_NEEDED = {"ray", "openai", "tabulate", "peft", "flask"}
UNINITIALISED = ("areal", "areal.infra", "areal.experimental", "areal.experimental.openai")


class Nothing(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds packages that are imported and never called."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> Any:
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if name.split(".")[0] in NOT_NEEDED else None

    def create_module(self, spec: Any) -> types.ModuleType:
        module = MagicMock(name=spec.name)
        module.__path__, module.__spec__, module.__name__ = [], spec, spec.name
        return module

    def exec_module(self, module: Any) -> None:
        pass


def load() -> None:
    (root,) = [Path(each) for each in sys.path if (Path(each) / "areal" / "version.py").exists()]
    sys.meta_path.append(Nothing())
    for name in UNINITIALISED:
        module = types.ModuleType(name)
        module.__path__ = [str(root / name.replace(".", "/"))]
        sys.modules[name] = module
    from areal.infra import workflow_context

    sys.modules["areal"].workflow_context = workflow_context
    from areal.experimental.openai.types import InteractionWithTokenLogpReward

    sys.modules["areal.experimental.openai"].InteractionWithTokenLogpReward = InteractionWithTokenLogpReward


class ByteTokenizer:
    """A token a byte; 0 ends a text and fills it."""

    pad_token_id = eos_token_id = 0

    def apply_chat_template(self, messages: list[dict[str, str]], tokenize: bool = True, **_: Any) -> Any:
        from areal.utils import pkg_version

        ids = self.encode("\n".join(each["content"] for each in messages))
        return {"input_ids": ids} if pkg_version.is_version_greater_or_equal("transformers", "5.0") else ids

    def encode(self, text: str) -> list[int]:
        return list(text.encode())

    def decode(self, tokens: list[int], skip_special_tokens: bool = False) -> str:
        return bytes(tokens).replace(b"\0", b"").decode()


class Engine:
    """AReaL's inference engine as far as a workflow sees it; answers a prompt with the responses that were planned."""

    def __init__(self, planned: dict[str, list[str]], version: int = 3) -> None:
        self._chance = random.Random(0)
        self.tokenizer = ByteTokenizer()
        self.plan(planned, version)

    def plan(self, planned: dict[str, list[str]], version: int) -> None:
        """Have these responses given, by the weights of `version`."""
        self._left = {prompt: list(responses) for prompt, responses in planned.items()}
        self._version = version

    def get_version(self) -> int:
        return self._version

    async def agenerate(self, request: Any) -> Any:
        await asyncio.sleep(self._chance.random() * 0.01)  # answers come in any order
        return self.answered(request, -1)

    def answered(self, request: Any, place: int) -> Any:
        from areal.api import ModelResponse

        tokens = [*self.tokenizer.encode(self._left[self.tokenizer.decode(request.input_ids)].pop(place)), 0]
        return ModelResponse(
            input_tokens=request.input_ids,
            output_tokens=tokens,
            output_logprobs=[-1.0] * len(tokens),
            output_versions=[self._version] * len(tokens),
        )


def executor_of(engine: Engine) -> Any:
    from areal.api.cli_args import InferenceEngineConfig
    from areal.infra.workflow_executor import WorkflowExecutor

    config = InferenceEngineConfig(max_concurrent_rollouts=64, consumer_batch_size=64, check_trajectory_format=True)
    executor = WorkflowExecutor(config=config, inference_engine=engine)
    executor.initialize(train_data_parallel_size=1)
    return executor


def workflow_of(url: str, run: str, group_size: int, settings: Any = None, **options: Any) -> Any:
    from areal.api.cli_args import GenerationHyperparameters
    from co_rewarding_client.areal import CoRewardingWorkflow
    from co_rewarding_client.training import Endpoint

    endpoint = Endpoint(url=url, run=run, patience_s=options.pop("patience_s", 60.0))
    gconfig = GenerationHyperparameters()
    return CoRewardingWorkflow(gconfig, ByteTokenizer(), group_size, endpoint=endpoint, settings=settings, **options)


def messages(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def read(trajectories: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return each rollout of AReaL's tensors: its whole text, and its reward."""
    tokenizer = ByteTokenizer()
    return [
        {
            "text": tokenizer.decode([t for t, there in zip(tokens, mask, strict=True) if there]),
            "reward": reward,
            "trained": sum(trained),
        }
        for each in trajectories
        for tokens, mask, trained, reward in zip(
            each["input_ids"].tolist(),
            each["attention_mask"].tolist(),
            each["loss_mask"].tolist(),
            each["rewards"].tolist(),
            strict=True,
        )
    ]


def episodes(url: str, run: str, questions: int, group_size: int) -> None:
    from co_rewarding_client import RunSettings

    chance = random.Random(7)
    planned = {
        f"q{number} {view}?": [
            f"rollout {index} of {view}, so \\boxed{{{chance.randrange(3)}}}" for index in range(group_size)
        ]
        for number in range(questions)
        for view in ("original", "paraphrase")
    }
    rows = [
        {
            "question_id": f"q{number}",
            "messages": messages(f"q{number} original?"),
            "paraphrase_messages": messages(f"q{number} paraphrase?"),
        }
        for number in range(questions)
    ]
    settings = RunSettings(method="co-rewarding-i", group_size=group_size)
    executor = executor_of(Engine(planned))
    try:
        found = executor.rollout_batch(rows, workflow_of(url, run, group_size, settings))
    finally:
        executor.destroy()
    for rollout in read(found):
        print(json.dumps(rollout))


def slow_reward(prompt: str, completions: str, prompt_ids: list[int], completion_ids: list[int], **data: Any) -> float:
    """Wait for the other view, as a reward function that asks the service for one rollout must."""
    import time

    time.sleep(data["waits_s"])
    return 1.0


def wrapped() -> None:
    """Ask AReaL's own wrapper for two rewards of 1 that need longer than it waits."""
    from areal.api import AsyncRewardWrapper

    async def rewards() -> list[float]:
        wrapper = AsyncRewardWrapper(slow_reward, timeout_seconds=0.2, max_retries=0)
        return await asyncio.gather(*(wrapper("q", "4", [], [], waits_s=2.0) for _ in range(2)))

    print(json.dumps({"rewards": asyncio.run(rewards())}))


def away() -> None:
    """Run episodes while the service is away: AReaL drops them, and the training is interrupted.

    A process in the background, which ignores Ctrl-C, is terminated.
    """

    def terminated(*_: object) -> None:
        raise SystemExit

    signal.signal(signal.SIGTERM, terminated)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    stopped: list[str] = []
    row = {"question_id": "q", "messages": messages("q original?")}
    for stop, in_background in ((lambda: stopped.append("asked to stop"), False), (None, False), (None, True)):
        if in_background:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        engine = Engine({"q original?": ["\\boxed{4}"] * 2})
        options = {} if stop is None else {"stop": stop}
        workflow = workflow_of("http://127.0.0.1:9", "away", 2, patience_s=0.0, **options)
        executor = executor_of(engine)
        try:
            found = executor.rollout_batch([row], workflow)
            print(json.dumps({"trajectories": len(found), "stopped": stopped}))
            if stop is None:
                asyncio.run(asyncio.sleep(60.0))
        except KeyboardInterrupt:
            print(json.dumps({"interrupted": True}))
        except SystemExit:
            print(json.dumps({"terminated": True}))
        finally:
            executor.destroy()


def refusals(url: str, run: str) -> None:
    """Print what stops a training whose rows AReaL samples twice, and one in which nothing is ever rewarded."""
    from areal.infra.remote_inf_engine import GroupedRolloutWorkflow
    from co_rewarding_client import RunSettings

    stops: list[str] = []
    settings = RunSettings(method="majority-voting", group_size=2)
    row = {"question_id": "q", "messages": messages("q original?")}

    async def outcome(rows: list[dict[str, Any]], grouped: bool) -> str:
        workflow = workflow_of(url, run, 2, settings, stop=lambda: stops.append("stop"))
        called = GroupedRolloutWorkflow(workflow, 2, logging.getLogger()) if grouped else workflow
        engine = Engine({"q original?": ["I do not know"] * 2 * len(rows) * 2})
        try:
            for each in rows:
                await called.arun_episode(engine, each)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        finally:
            await workflow._clients.get().close()
        return "nothing"

    for rows, grouped in (([row], True), ([dict(row) for _ in range(63)], False), ([dict(row)] * 64, False)):
        stops.clear()
        print(json.dumps({"error": asyncio.run(outcome(rows, grouped)), "stops": len(stops)}))


class OfExecutor:
    """The adapter under proof: a step is a batch of episodes, a row for each question, in AReaL's own executor."""

    def __init__(self, process: Any) -> None:
        self._process = process
        self._workflow: Any = None

    async def score(self, handed: Any) -> list[float | None]:
        from areal.infra import workflow_context
        from co_rewarding_schema.vocabulary import View

        planned: dict[str, list[str]] = {}
        rows: dict[str, dict[str, Any]] = {}
        for rollout in handed.rollouts:
            responses = planned.setdefault(rollout.prompt, [])
            if rollout.index == len(responses):  # AReaL makes no copies of rollouts
                responses.append(rollout.response)
            row = rows.setdefault(rollout.question_id, {"question_id": rollout.question_id, "prompts": {}})
            row["prompts"][View(rollout.view)] = messages(rollout.prompt)
            row["answer"] = rollout.ground_truth
        size = len(next(iter(planned.values())))
        options = {"patience_s": self._process.patience_s, "prompts_of": lambda data: data["prompts"]}
        options["stop"] = lambda: None
        process = self._process
        workflow = workflow_of(process.url, process.run, size, process.settings, **options)
        engine = Ordered(planned)
        workflow_context.set(workflow_context.WorkflowContext(is_eval=handed.evaluate))
        trajectories = await asyncio.gather(*(workflow.arun_episode(engine, row) for row in rows.values()))
        await workflow._clients.get().close()
        rewarded = {each["text"]: each["reward"] for each in read([each for each in trajectories if each])}
        return [rewarded.get(f"{rollout.prompt}{rollout.response}") for rollout in handed.rollouts]  # equal texts alike

    async def close(self) -> None:
        pass


class Ordered(Engine):
    """Gives the responses to a prompt in their order, since the first of equal answers decides a tie."""

    async def agenerate(self, request: Any) -> Any:
        await asyncio.sleep(0)
        return self.answered(request, 0)


def conformance(words: list[str]) -> None:
    from co_rewarding_client import testing

    testing.main(OfExecutor, unit="batch", arguments=words)


def main() -> None:
    load()
    match sys.argv[1:]:
        case ["episodes", url, run, questions, group_size]:
            episodes(url, run, int(questions), int(group_size))
        case ["wrapper"]:
            wrapped()
        case ["away"]:
            away()
        case ["refusals", url, run]:
            refusals(url, run)
        case ["conformance", *words]:
            conformance(words)


if __name__ == "__main__":
    main()
