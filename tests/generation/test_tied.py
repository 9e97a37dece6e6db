"""Weights for a model with tied ends: a differing output layer is refused, and never dropped."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from reward_service.generation.generator import Prompt, Sampling, WeightsError
from reward_service.generation.model_folder import check_model, read_tensors
from reward_service.generation.transformers_backend import TransformersGenerator
from tests.generation.models import make_llama
from tests.support.weight_folders import write_model

BODY = {"model.embed_tokens.weight": np.ones((9, 4), np.float16), "model.norm.weight": np.ones(4, np.float16)}
EMBEDDING = BODY["model.embed_tokens.weight"]


@pytest.mark.parametrize("head", [EMBEDDING + 1, EMBEDDING.astype(np.float32)])
def test_an_output_layer_that_is_not_the_embedding_is_refused(tmp_path: Path, head: np.ndarray) -> None:
    model = write_model(tmp_path / "model", BODY, config={"tie_word_embeddings": True})
    check_model(read_tensors(write_model(tmp_path / "without", BODY)), model)
    check_model(read_tensors(write_model(tmp_path / "twice", BODY | {"lm_head.weight": EMBEDDING.copy()})), model)
    given = read_tensors(write_model(tmp_path / "parted", BODY | {"lm_head.weight": head}))
    with pytest.raises(WeightsError, match=r"lm_head\.weight differs from model\.embed_tokens\.weight"):
        check_model(given, model)


def test_an_output_layer_of_its_own_is_taken(tmp_path: Path) -> None:
    whole = BODY | {"lm_head.weight": EMBEDDING + 1}
    model = write_model(tmp_path / "model", whole, config={"tie_word_embeddings": False})
    check_model(read_tensors(write_model(tmp_path / "given", whole, files=2)), model)


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_model_s_own_output_layer_answers(tmp_path: Path, anyio_backend: str) -> None:
    """Transformers 5 keeps both where they differ. Before, it dropped the output layer: such a model is refused."""
    folder = make_llama(tmp_path / "model", seed=0, tied=True)
    tied = await _answer(folder)
    tensors = load_file(folder / "model.safetensors")
    head = torch.randn(tensors["model.embed_tokens.weight"].shape, generator=torch.Generator().manual_seed(1))
    save_file(tensors | {"lm_head.weight": head}, folder / "model.safetensors", {"format": "pt"})
    assert await _answer(folder) != tied


async def _answer(folder: Path) -> tuple[str, ...]:
    generator = await TransformersGenerator.open(str(folder))
    try:
        return (await generator.generate(Prompt("w1 w2"), Sampling(temperature=0.0, max_tokens=20))).texts_n
    finally:
        await generator.close()
