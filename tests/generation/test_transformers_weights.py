"""Weights of the transformers backend: what is taken, what is refused, and what is left when a swap fails."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

from reward_service.generation.generator import (
    GenerationError,
    GeneratorUnavailableError,
    Prompt,
    Sampling,
    WeightsError,
)
from reward_service.generation.transformers_backend import TransformersGenerator
from tests.generation.models import CONTEXT, copy_weights, make_llama
from tests.generation.watching import PROMPTS, Watched, ask, reference
from tests.support.waiting import until

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_llama(tmp_path_factory.mktemp("model"), seed=3)


@pytest.fixture(scope="module")
async def generator(folder: Path) -> AsyncIterator[TransformersGenerator]:
    opened = await TransformersGenerator.open(str(folder))
    yield opened
    await opened.close()


async def test_after_a_swap_they_are_those_of_the_other_model(generator: TransformersGenerator, tmp_path: Path) -> None:
    other = make_llama(tmp_path / "other", seed=4)
    await generator.load(copy_weights(other, tmp_path / "weights"))
    try:
        assert await ask(generator, temperature=0.0) == [(reference(other, text, 20),) for text in PROMPTS]
    finally:
        await generator.load(None)


async def test_outputs_that_are_not_numbers_are_an_error(folder: Path, tmp_path: Path) -> None:
    generator = await TransformersGenerator.open(str(folder))
    broken = copy_weights(folder, tmp_path / "broken", model__norm__weight=torch.full((64,), torch.nan))
    await generator.load(broken)
    for temperature in (0.0, 1.0):
        with pytest.raises(GenerationError, match="not numbers"):
            await generator.generate(Prompt("w1"), Sampling(temperature=temperature, max_tokens=2))
    await generator.load(None)
    assert (await generator.generate(Prompt("w1"), Sampling(max_tokens=2, seed=0))).tokens
    await generator.close()


async def test_half_precision_and_tensors_that_are_tied_are_taken(tmp_path: Path) -> None:
    model = make_llama(tmp_path / "model", seed=0, tied=True)
    other = make_llama(tmp_path / "other", seed=1, tied=True)
    generator = await TransformersGenerator.open(str(model))
    tensors = AutoModelForCausalLM.from_pretrained(other).state_dict()
    halves = {name: tensor.to(torch.bfloat16).clone() for name, tensor in tensors.items()}
    twice, differing = tmp_path / "twice", tmp_path / "differing"
    for published in (twice, differing):
        published.mkdir()
    save_file(halves, twice / "model.safetensors")
    await generator.load(twice)
    answered = await ask(generator, temperature=0.0)
    rounded = AutoModelForCausalLM.from_pretrained(other, dtype=torch.bfloat16)
    rounded.save_pretrained(other)
    assert answered == [(reference(other, text, 20),) for text in PROMPTS]
    save_file(halves | {"lm_head.weight": halves["lm_head.weight"] + 1}, differing / "model.safetensors")
    with pytest.raises(WeightsError, match=r"lm_head\.weight differs from model\.embed_tokens\.weight"):
        await generator.load(differing)
    assert await ask(generator, temperature=0.0) == answered
    await generator.close()


async def test_what_does_not_fit_is_named(generator: TransformersGenerator, folder: Path, tmp_path: Path) -> None:
    missing = copy_weights(folder, tmp_path / "missing", lm_head__weight=None)
    extra = copy_weights(folder, tmp_path / "extra", stranger=torch.zeros(1))
    misshapen = copy_weights(folder, tmp_path / "misshapen", model__norm__weight=torch.zeros(65))
    garbled = tmp_path / "garbled"
    garbled.mkdir()
    (garbled / "model.safetensors").write_bytes(b"\xff" * 100)
    twice = copy_weights(folder, tmp_path / "twice")
    save_file({"lm_head.weight": torch.zeros(1)}, twice / "part-9.safetensors")
    for weights, complaint in {
        missing: "missing: lm_head.weight",
        extra: "not the model's: stranger",
        misshapen: r"of another shape: model.norm.weight \[65\] instead of \[64\]",
        garbled: "cannot be read as safetensors",
        twice: "lm_head.weight is both in",
        tmp_path / "nowhere": "holds no",
    }.items():
        with pytest.raises(WeightsError, match=complaint):
            await generator.load(weights)


async def test_weights_lost_while_they_are_read_are_not_answered_from(folder: Path, tmp_path: Path) -> None:
    watched = Watched(folder)
    weights = copy_weights(folder, tmp_path / "weights")
    asked = asyncio.create_task(
        watched.generator.generate(Prompt("w1"), Sampling(n=4, seed=0, temperature=9.0, max_tokens=CONTEXT))
    )
    await until(watched.has_begun)
    loading = asyncio.create_task(watched.generator.load(weights))
    await until(watched.holds_back)
    assert not asked.done()
    shutil.rmtree(weights)
    await asked
    with pytest.raises(GeneratorUnavailableError, match="could not be read"):
        await loading
    with pytest.raises(GeneratorUnavailableError, match="half-way"):
        await watched.generator.generate(Prompt("w1"), Sampling())
    await watched.generator.load(None)
    assert (await watched.generator.generate(Prompt("w1"), Sampling(max_tokens=2))).tokens
    await watched.generator.close()
