"""The contract of `contract.py`, kept by every backend that runs without vLLM."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import co_rewarding_trainer
import pytest
from co_rewarding_trainer.chains import CHAINS
from co_rewarding_trainer.policy import build_policy, load_policy

from reward_service.generation.generator import Prompt
from reward_service.generation.openai_backend import Endpoint, OpenAIGenerator
from reward_service.generation.transformers_backend import TransformersGenerator
from reward_service.generation.vllm_server_backend import VllmServerGenerator
from tests.generation.contract import RULES, World
from tests.generation.endpoints import OpenAIServer, VllmServer
from tests.generation.models import TEMPLATE, copy_weights, make_llama

pytestmark = pytest.mark.anyio

CHECKPOINT = Path(co_rewarding_trainer.__file__).parent / "checkpoint"
SUMS = tuple(
    Prompt(f"{told} =")
    for told in (
        "compute 1 + 2 * 3 - 4 + 5 * 6",
        "start nine minus two times three plus one plus one minus four",
        "compute 7 - 7 - 7",  # shorter than the others: it is padded
        "tom_has two gets five times_over four loses one gets nine loses three",
    )
)
WORDS = tuple(Prompt(" ".join(f"w{(7 * place + step) % 56}" for step in range(3 + 5 * place))) for place in range(5))


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


async def tiny_policy(folder: Path) -> AsyncIterator[World]:
    """The policy that the laptop trainer ships; its embeddings are tied."""
    untrained = build_policy(CHAINS, seed=5)
    untrained.save(folder / "untrained")
    weights = copy_weights(folder / "untrained", folder / "weights")
    misfit = copy_weights(folder / "untrained", folder / "misfit", model__norm__weight=None)
    generator = await TransformersGenerator.open(str(CHECKPOINT))
    yield World(generator, SUMS, Prompt("compute 1 " + "+ 1 " * 40), weights, misfit, temperature=4.0)
    await generator.close()


async def llama(folder: Path) -> AsyncIterator[World]:
    """One whose parts of a batch are small, so that a group is asked in several."""
    model = make_llama(folder / "model", seed=0, template=TEMPLATE)
    other = make_llama(folder / "other", seed=1)
    weights = copy_weights(other, folder / "weights")
    misfit = copy_weights(other, folder / "misfit", lm_head__weight=None)
    generator = await TransformersGenerator.open(str(model), batch_tokens=120)
    yield World(generator, WORDS, Prompt("w1 " * 256), weights, misfit)
    await generator.close()


async def endpoint(folder: Path) -> AsyncIterator[World]:
    generator = OpenAIGenerator(Endpoint(base_url="http://model/v1", model="model", transport=OpenAIServer()))
    yield World(generator, WORDS, Prompt("w1 " * 256))
    await generator.close()


async def endpoint_without_n(folder: Path) -> AsyncIterator[World]:
    server = OpenAIServer(most_n=1)
    generator = OpenAIGenerator(Endpoint(base_url="http://model/v1", model="model", transport=server))
    yield World(generator, WORDS, Prompt("w1 " * 256))
    await generator.close()


async def vllm_server(folder: Path) -> AsyncIterator[World]:
    weights = copy_weights(make_llama(folder / "other", seed=1), folder / "weights")
    generator = await VllmServerGenerator.open(
        Endpoint(base_url="http://model/v1", model="model", transport=VllmServer())
    )
    yield World(generator, WORDS, Prompt("w1 " * 256), weights)
    await generator.close()


BACKENDS: tuple[Callable[[Path], AsyncIterator[World]], ...] = (
    tiny_policy,
    llama,
    endpoint,
    endpoint_without_n,
    vllm_server,
)


@pytest.fixture(scope="module", params=BACKENDS, ids=lambda backend: backend.__name__)
async def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async for made in request.param(tmp_path_factory.mktemp("models")):
        yield made


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
async def test_rule(world: World, rule: Callable[[World], Awaitable[None]]) -> None:
    await rule(world)


def test_the_worlds_of_the_tiny_policy_are_what_they_are_said_to_be() -> None:
    assert load_policy(CHECKPOINT).model.config.tie_word_embeddings
