"""Run SkyRL's own generator under ours, and print what its trainer would get.

    python skyrl_program.py batch URL RUN QUESTIONS GROUP_SIZE
    python skyrl_program.py paired ROWS
    python skyrl_program.py conformance URL [CASE ...]

SkyRL comes from a folder on the path: its code as it is published. Python 3.11 has a TypedDict that pydantic refuses,
so that of typing_extensions takes its place. What is imported and never called is replaced by nothing.
"""

import asyncio
import importlib.abc
import importlib.machinery
import json
import random
import sys
import types
import typing
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import typing_extensions

NOT_NEEDED = {"ray", "vllm", "datasets", "func_timeout", "jaxtyping", "tensordict", "pandas"}


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
    (root,) = [Path(each) for each in sys.path if (Path(each) / "skyrl" / "__init__.py").exists()]
    sys.path.insert(0, str(root / "skyrl-gym"))
    typing.TypedDict = typing_extensions.TypedDict
    sys.meta_path.append(Nothing())
    import skyrl_gym

    skyrl_gym.register(id="co-rewarding", entry_point="co_rewarding_client.skyrl:UnjudgedEnv")


class ByteTokenizer:
    """A token a byte; 0 ends a text."""

    eos_token, eos_token_id, pad_token_id = "\0", 0, 0

    def apply_chat_template(self, messages: list[Any], **_: Any) -> Any:
        if messages and isinstance(messages[0], list):
            return [self.apply_chat_template(each) for each in messages]
        return list("\n".join(each["content"] for each in messages).encode())

    def decode(self, tokens: list[int], skip_special_tokens: bool = False) -> str:
        return bytes(tokens).replace(b"\0", b"").decode()


class Engine:
    """SkyRL's inference client as far as a generator sees it; a trajectory's session ends in its repetition_id."""

    def __init__(self, planned: dict[str, list[str]]) -> None:
        self._planned = planned
        self._tokenizer = ByteTokenizer()

    async def generate(self, engine_input: Any, model: str | None = None) -> Any:
        (prompt_ids,), (session,) = engine_input["prompt_token_ids"], engine_input["session_ids"]
        texts = [self._planned[self._tokenizer.decode(prompt_ids)][int(session.rsplit("_", 1)[1])]]
        return {
            "responses": texts,
            "response_ids": [[*text.encode(), 0] for text in texts],
            "stop_reasons": ["stop"],
        }

    async def finish_session(self, session_id: str) -> None:
        pass


def generator_of(url: str, run: str, planned: dict[str, list[str]], settings: Any, patience_s: float = 60.0) -> Any:
    from co_rewarding_client.skyrl import RewardedGenerator
    from co_rewarding_client.training import Endpoint
    from skyrl.train.config import GeneratorConfig, SkyRLGymConfig
    from skyrl.train.generators.skyrl_gym_generator import SkyRLGymGenerator

    own = SkyRLGymGenerator(
        GeneratorConfig(batched=False, max_input_length=1024), SkyRLGymConfig(), Engine(planned), ByteTokenizer()
    )
    return RewardedGenerator(own, endpoint=Endpoint(url=url, run=run, patience_s=patience_s), settings=settings)


def prepared(rows: list[dict[str, Any]], n: int, step: int, phase: str) -> tuple[Any, list[str]]:
    """Return a batch as SkyRL's trainer prepares it, and the row of each of its rollouts."""
    from skyrl.train.generators.utils import prepare_generator_input

    prompts = [
        {"prompt": row.pop("prompt"), "env_class": None, "env_extras": row, "uid": str(place)}
        for place, row in enumerate(rows)
    ]
    return prepare_generator_input(prompts, n, {}, "co-rewarding", phase, step)


async def generated(generator: Any, rows: list[dict[str, Any]], n: int, step: int, phase: str) -> list[dict[str, Any]]:
    """Return the rollouts of a batch as SkyRL's trainer checks them."""
    batch, uids = prepared(rows, n, step, phase)
    output = await generator.generate(batch, disable_tqdm=True)
    decode = ByteTokenizer().decode
    return [
        {
            "uid": uid,
            "prompt": decode(prompt),
            "response": decode(response),
            "reward": reward,
            "trained": sum(mask),
            "abstained": output["rollout_metrics"]["co_rewarding/abstained"],
        }
        for uid, prompt, response, reward, mask in zip(
            uids,
            output["prompt_token_ids"],
            output["response_ids"],
            output["rewards"],
            output["loss_masks"],
            strict=True,
        )
    ]


def row_of(question: str, view: str, prompt: str, ground_truth: str | None = None) -> dict[str, Any]:
    row: dict[str, Any] = {"prompt": [{"role": "user", "content": prompt}], "question_id": question, "view": view}
    return row | ({} if ground_truth is None else {"reward_spec": {"method": "rule", "ground_truth": ground_truth}})


def batch(url: str, run: str, questions: int, group_size: int) -> None:
    from co_rewarding_client import RunSettings

    chance = random.Random(7)
    planned = {
        f"q{number} {view}?": [f"rollout {n} of {view}, so \\boxed{{{chance.randrange(3)}}}" for n in range(group_size)]
        for number in range(questions)
        for view in ("original", "paraphrase")
    }
    rows = [row_of(*prompt.removesuffix("?").split(), prompt) for prompt in planned]
    chance.shuffle(rows)
    generator = generator_of(url, run, planned, RunSettings(method="co-rewarding-i", group_size=group_size))
    for rollout in asyncio.run(generated(generator, rows, group_size, 3, "train")):
        print(json.dumps(rollout))


def paired(count: int) -> None:
    """Print the batches of two epochs of SkyRL's own loader, made paired, over rows of which one was filtered out."""
    from co_rewarding_client.skyrl import paired_loader
    from skyrl.train.dataset import PromptDataset
    from torchdata.stateful_dataloader import StatefulDataLoader

    dataset = PromptDataset.__new__(PromptDataset)
    dataset.prompt_key, dataset.env_class_key = "prompt", "env_class"
    views = ("original", "paraphrase")
    dataset.dataframe = Rows([row_of(f"q{place // 2}", views[place % 2], f"{place}?") for place in range(count)][1:])
    loader = StatefulDataLoader(dataset, batch_size=4, shuffle=True, collate_fn=dataset.collate_fn, drop_last=True)
    loader = paired_loader(loader)
    for _ in range(2):
        print(json.dumps({"batches": [[row["env_extras"]["question_id"] for row in rows] for rows in loader]}))


class Rows(list[dict[str, Any]]):
    """A data set whose rows are made anew each time, as those of the library datasets are."""

    def __getitem__(self, place: Any) -> Any:
        return dict(super().__getitem__(place))


class OfGenerator:
    """The adapter under proof: a step is a batch of SkyRL's trainer."""

    def __init__(self, process: Any) -> None:
        self._process = process

    async def score(self, handed: Any) -> list[float | None]:
        planned: dict[str, list[str]] = {}
        rows: dict[str, dict[str, Any]] = {}
        for rollout in handed.rollouts:
            responses = planned.setdefault(rollout.prompt, [])
            if rollout.index == len(responses):  # SkyRL makes no copies of rollouts
                responses.append(rollout.response)
            rows[rollout.prompt] = row_of(rollout.question_id, rollout.view, rollout.prompt, rollout.ground_truth)
        process = self._process
        generator = generator_of(process.url, process.run, planned, process.settings, process.patience_s)
        size = len(next(iter(planned.values())))
        phase = "eval" if handed.evaluate else "train"
        try:
            told = await generated(generator, list(rows.values()), size, handed.step, phase)
        finally:
            await generator._clients.get().close()
        found = {prompt: [each for each in told if each["prompt"] == prompt] for prompt in planned}
        return [self._reward(found[rollout.prompt][rollout.index]) for rollout in handed.rollouts]

    @staticmethod
    def _reward(told: dict[str, Any]) -> float | None:
        return told["reward"] if told["trained"] else None

    async def close(self) -> None:
        pass


def main() -> None:
    load()
    match sys.argv[1:]:
        case ["batch", url, run, questions, group_size]:
            batch(url, run, int(questions), int(group_size))
        case ["paired", rows]:
            paired(int(rows))
        case ["conformance", *words]:
            from co_rewarding_client import testing

            testing.main(OfGenerator, unit="batch", arguments=words)


if __name__ == "__main__":
    main()
