"""The real vLLM, in this process's children and as a server: the contract, and weights that answer as predicted."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from reward_service.generation.generator import Generator
from reward_service.generation.opening import open_generator
from tests.generation.contract import RULES, World
from tests.generation.vllm_world import BLOCK, ENGINE, PROMPTS, ask, make_models, world
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / os.environ.get("OPENRLHF_VENV", ".venv-openrlhf") / "bin" / "python"
ALONE = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "VLLM_SERVER_DEV_MODE": "1"}
WITHIN_S = 600.0

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.timeout(2 * WITHIN_S),
    pytest.mark.skipif(not PYTHON.exists(), reason="vLLM is not installed: make e2e-vllm"),
]


def environment() -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "VIRTUAL"))}
    return own | ALONE | {"PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models a and b, and b's weights."""
    made = tmp_path_factory.mktemp("models")
    make_models(made)
    return made


@pytest.fixture(scope="module")
def seen(folder: Path) -> Mapping[str, Any]:
    """What vLLM in a process answered; see `vllm_world.observe`."""
    output = folder / "output.txt"
    with output.open("wb") as file:
        command = [PYTHON, "-m", "tests.generation.vllm_world", folder]
        run = subprocess.run(
            command, env=environment(), stdout=file, stderr=subprocess.STDOUT, timeout=WITHIN_S, check=False
        )
    assert run.returncode == 0, output.read_text()[-6000:]
    return json.loads((folder / "seen.json").read_text())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule_in_process(seen: Mapping[str, Any], rule: Callable[[World], Awaitable[None]]) -> None:
    assert seen["rules"][rule.__name__] == ""


def test_weights_that_are_swapped_in_answer_as_an_engine_that_began_with_them(seen: Mapping[str, Any]) -> None:
    assert seen["swapped"] == seen["b"]
    assert all(a != b for a, b in zip(seen["a"], seen["b"], strict=True))


def test_the_models_own_weights_answer_again_as_before(seen: Mapping[str, Any]) -> None:
    assert seen["back"] == seen["a"]


def test_an_engine_that_was_killed_comes_back_with_the_weights_it_had(seen: Mapping[str, Any]) -> None:
    assert seen["killed"] == seen["swapped"]


@pytest.mark.parametrize("model", ["a", "b"])
def test_greedy_outputs_are_those_of_transformers(seen: Mapping[str, Any], folder: Path, model: str) -> None:
    async def expected() -> list[list[str]]:
        async with open_generator(str(folder / model), backend="transformers") as generator:
            return await ask(generator)

    greedy = slice(0, None, 2)
    assert seen[model][greedy] == asyncio.run(expected())[greedy]


@dataclass
class Served:
    """`vllm serve` of model a at a port of its own, that can be killed and started again."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None
    start_s: float = 0.0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        began_s = time.monotonic()
        named = {"--" + name.replace("_", "-"): str(value) for name, value in ENGINE.items() if value is not True}
        options = [word for option in named.items() for word in option]
        options += ["--enforce-eager", "--port", str(self.port), "--served-model-name", "tiny"]
        with (self.folder / "served.txt").open("ab") as output:
            self.process = subprocess.Popen(
                [PYTHON.with_name("vllm"), "serve", self.folder / "a", *options],
                env=environment(),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_until(self._ready, WITHIN_S)
        self.start_s = time.monotonic() - began_s

    def _ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "served.txt").read_text(errors="replace")[-6000:]
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/health").status_code == 200
        return False

    def kill(self) -> None:
        assert self.process is not None
        family = [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]
        for each in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        self.process.wait()

    def called(self, route: str, body: Mapping[str, Any] | None = None) -> None:
        httpx.post(f"{self.url}{route}", json=body, timeout=60).raise_for_status()


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Served]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    server = Served(folder, port)
    server.start()
    try:
        yield server
    finally:
        server.kill()


def with_generator(served: Served, call: Callable[[Generator], Awaitable[Any]]) -> Any:
    """What a call gives, with the backend connected to the server."""

    async def connected() -> Any:
        async with open_generator(f"vllm-server:{served.url}#tiny") as generator:
            return await call(generator)

    return asyncio.run(connected())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule_served(served: Served, folder: Path, rule: Callable[[World], Awaitable[None]]) -> None:
    with_generator(served, lambda generator: rule(world(generator, folder)))


def test_the_server_answers_as_the_engine_in_process_whatever_weights_it_has(
    served: Served, folder: Path, seen: Mapping[str, Any]
) -> None:
    async def in_turns(generator: Generator) -> list[list[list[str]]]:
        answered = [await ask(generator)]
        for weights in (folder / "weights-b", None):
            await generator.load(weights)
            answered.append(await ask(generator))
        return answered

    assert with_generator(served, in_turns) == [seen["a"], seen["b"], seen["a"]]


def test_without_emptying_the_prefix_cache_a_swap_answers_from_old_keys_and_values(
    served: Served, folder: Path, seen: Mapping[str, Any]
) -> None:
    """The negative control: prompts that share whole blocks with what was read before the swap."""
    assert all(len((prompt.text or "").split()) > 2 * BLOCK for prompt in PROMPTS)

    async def swapped_by_hand(generator: Generator) -> tuple[list[list[str]], list[list[str]]]:
        assert await ask(generator) == seen["a"]
        reload = {"method": "reload_weights", "kwargs": {"weights_path": str(folder / "weights-b")}}
        await asyncio.to_thread(served.called, "/collective_rpc", reload)
        stale = await ask(generator)
        await asyncio.to_thread(served.called, "/reset_prefix_cache")
        return stale, await ask(generator)

    stale, fresh = with_generator(served, swapped_by_hand)
    assert fresh == seen["b"]
    assert sum(one != other for one, other in zip(stale, fresh, strict=True)) > len(fresh) / 2
    with_generator(served, lambda generator: generator.load(None))


def test_a_server_that_is_killed_and_started_again_answers_with_the_weights_it_had(
    served: Served, folder: Path, seen: Mapping[str, Any]
) -> None:
    async def killed_between(generator: Generator) -> tuple[list[list[str]], list[list[str]]]:
        await generator.load(folder / "weights-b")
        before = await ask(generator)
        await asyncio.to_thread(served.kill)
        await asyncio.to_thread(served.start)
        return before, await ask(generator)

    before, after = with_generator(served, killed_between)
    assert before == after == seen["b"]


def test_weights_left_by_a_process_before_are_not_taken_for_the_models_own(
    served: Served, folder: Path, seen: Mapping[str, Any]
) -> None:
    with_generator(served, lambda generator: generator.load(folder / "weights-b"))
    assert with_generator(served, ask) == seen["a"]
