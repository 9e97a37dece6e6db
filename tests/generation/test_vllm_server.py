"""The backend for `vllm serve`, against a server that has its traps: a stale prefix cache, restarts, others."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from reward_service.generation.generator import (
    FixedWeightsError,
    GeneratorUnavailableError,
    Prompt,
    Sampling,
    WeightsError,
)
from reward_service.generation.openai_backend import Endpoint
from reward_service.generation.vllm_server_backend import VllmServerGenerator
from tests.generation.endpoints import BASE, VllmServer
from tests.generation.models import copy_weights, make_llama

pytestmark = pytest.mark.anyio

PROMPT = Prompt("w1")
GREEDY = Sampling(temperature=0.0)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_llama(tmp_path_factory.mktemp("model"), seed=0)


@pytest.fixture(scope="module")
def weights(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_weights(model, tmp_path_factory.mktemp("published") / "step-1")


async def no_time(seconds: float) -> None:
    """Passes none."""


async def connected(server: VllmServer, **options: Any) -> VllmServerGenerator:
    endpoint = {"base_url": "http://model", "model": "model", "transport": server, "sleep": no_time} | options
    return await VllmServerGenerator.open(Endpoint(**endpoint))


def says(server: VllmServer, weights: str) -> tuple[str, ...]:
    """What the model answers greedily with these weights."""
    return tuple(server.model.texts("w1", {"temperature": 0.0}, weights))


async def greedy(generator: VllmServerGenerator) -> tuple[str, ...]:
    return (await generator.generate(PROMPT, GREEDY)).texts_n


async def test_a_prompt_that_was_cached_is_answered_with_the_new_weights(weights: Path) -> None:
    server = VllmServer()
    generator = await connected(server)
    assert await greedy(generator) == says(server, BASE)
    server.model.weights = str(weights)  # as reload_weights alone leaves it
    assert await greedy(generator) == says(server, BASE)
    await generator.load(weights)
    assert await greedy(generator) == says(server, str(weights))
    await generator.load(None)
    assert await greedy(generator) == says(server, BASE)


async def test_samples_as_it_is_told_not_as_the_models_generation_config_says() -> None:
    server = VllmServer()
    generator = await connected(server, more={"skip_special_tokens": False})
    await greedy(generator)
    assert server.bodies[0].items() >= {"top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}.items()
    assert server.bodies[0]["skip_special_tokens"] is False


async def test_waits_until_the_prefix_cache_can_be_emptied(weights: Path) -> None:
    server = VllmServer()
    generator = await connected(server)
    await greedy(generator)
    server.busy_resets = 3
    await generator.load(weights)
    assert await greedy(generator) == says(server, str(weights))


@pytest.mark.parametrize(
    "fault", [{"busy_resets": 10**6}, {"workers_that_answer": 1}], ids=["never empties its cache", "half the workers"]
)
async def test_a_swap_that_did_not_take_is_an_error_and_nothing_is_answered(weights: Path, fault: Any) -> None:
    server = VllmServer(**fault)
    generator = await connected(server)
    with pytest.raises(GeneratorUnavailableError):
        await generator.load(weights)
    with pytest.raises(GeneratorUnavailableError, match="half-way"):
        await greedy(generator)
    server.busy_resets, server.workers_that_answer = 0, server.workers
    await generator.load(weights)
    assert await greedy(generator) == says(server, str(weights))


async def test_a_server_that_was_restarted_is_given_its_weights_again(weights: Path) -> None:
    server = VllmServer()
    generator = await connected(server)
    await generator.load(weights)
    server.restart()
    assert await greedy(generator) == says(server, str(weights))


async def test_while_a_restarted_server_cannot_take_its_weights_it_is_away(weights: Path) -> None:
    server = VllmServer()
    generator = await connected(server)
    await generator.load(weights)
    server.restart()
    server.workers_that_answer = 0
    for _ in range(2):
        with pytest.raises(GeneratorUnavailableError, match="0 of 2 workers"):
            await greedy(generator)
    server.workers_that_answer = server.workers
    assert await greedy(generator) == says(server, str(weights))


async def test_weights_that_an_earlier_process_left_are_not_taken_for_the_models_own(weights: Path) -> None:
    server = VllmServer()
    await (await connected(server)).load(weights)
    assert server.model.weights == str(weights)
    assert await greedy(await connected(server)) == says(server, BASE)


async def test_a_server_whose_weights_another_changes_all_the_time_is_not_believed(weights: Path) -> None:
    server = VllmServer()
    one, other = await connected(server), await connected(server)
    await one.load(weights)
    await other.load(None)
    assert await greedy(one) == says(server, str(weights))
    server.restless = True
    with pytest.raises(GeneratorUnavailableError, match="keep being changed"):
        await greedy(one)


async def test_without_development_mode_the_weights_are_fixed(weights: Path) -> None:
    server = VllmServer(dev_mode=False)
    generator = await connected(server)
    assert await greedy(generator) == says(server, BASE)
    with pytest.raises(FixedWeightsError, match="VLLM_SERVER_DEV_MODE=1"):
        await generator.load(weights)


async def test_tensors_are_checked_where_the_servers_model_can_be_read(model: Path, tmp_path: Path) -> None:
    server = VllmServer(root=str(model))
    generator = await connected(server)
    with pytest.raises(WeightsError, match=r"missing: lm_head.weight"):
        await generator.load(copy_weights(model, tmp_path / "misfit", lm_head__weight=None))
    await generator.load(copy_weights(model, tmp_path / "fit"))
    await generator.load(None)
    assert server.model.weights == str(model)


async def test_another_model_than_the_servers_is_told() -> None:
    with pytest.raises(GeneratorUnavailableError, match="serves model: not other"):
        await connected(VllmServer(), model="other")


async def test_a_server_that_fails_or_is_away_is_told(weights: Path) -> None:
    server = VllmServer()
    generator = await connected(server, base_url="http://model/v1/")
    for trouble, told in (
        (httpx.Response(500, json={"detail": "worker died"}), "HTTP 500: worker died"),
        (httpx.ConnectError("refused"), "refused"),
        (httpx.Response(200, text="<html>"), "did not answer in JSON"),
    ):
        server.script.append(trouble)
        with pytest.raises(GeneratorUnavailableError, match=told):
            await generator.load(weights)
