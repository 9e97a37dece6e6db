"""The transformers backend beside transformers' own generation: greedy outputs, distributions, batches, weights."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import torch
from co_rewarding_trainer.chains import CHAINS
from co_rewarding_trainer.policy import END
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from reward_service.errors import SettingsError
from reward_service.generation.generator import GenerationError, Prompt, Sampling
from reward_service.generation.transformers_backend import TransformersGenerator
from tests.generation.models import CONTEXT, WORDS, make_llama
from tests.generation.test_contract import CHECKPOINT, SUMS
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


async def test_greedy_responses_of_a_padded_batch_are_those_of_transformers(
    generator: TransformersGenerator, folder: Path
) -> None:
    assert await ask(generator, temperature=0.0) == [(reference(folder, text, 20),) for text in PROMPTS]


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.5, 1.0), (1.0, 0.6)])
async def test_tokens_are_drawn_with_the_probabilities_of_the_model(
    generator: TransformersGenerator, folder: Path, temperature: float, top_p: float
) -> None:
    drawn = 4000
    sampling = Sampling(n=drawn, seed=2, temperature=temperature, top_p=top_p, max_tokens=1)
    texts = (await generator.generate(Prompt(PROMPTS[0]), sampling)).texts_n
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    with torch.no_grad():
        logits_V = model(**tokenizer(PROMPTS[0], return_tensors="pt")).logits[0, -1]
    probabilities = torch.softmax(logits_V / temperature, dim=-1)
    ranked, order = probabilities.sort(descending=True)
    nucleus = order[: int((ranked.cumsum(0) < top_p).sum()) + 1] if top_p < 1 else order
    expected = {tokenizer.decode([token]): float(probabilities[token]) for token in nucleus.tolist()}
    whole = sum(expected.values())
    for word in WORDS:
        share = expected.get(word, 0.0) / whole
        five_sigma = 5 * (share * (1 - share) / drawn) ** 0.5
        assert abs(texts.count(word) / drawn - share) <= five_sigma, word


async def test_three_hundred_responses_are_the_same_alone_and_in_company(generator: TransformersGenerator) -> None:
    together = await ask(generator, n=75, temperature=1.5)
    for text, responses in zip(PROMPTS, together, strict=True):
        alone = await generator.generate(Prompt(text), Sampling(n=75, seed=1, temperature=1.5, max_tokens=20))
        assert alone.texts_n == responses


async def test_a_group_is_the_beginning_of_a_larger_one(generator: TransformersGenerator) -> None:
    small, large = await ask(generator, n=2), await ask(generator, n=6)
    assert [responses[:2] for responses in large] == small


async def test_what_is_asked_together_is_read_together_and_each_prompt_once(folder: Path) -> None:
    watched = Watched(folder)
    await ask(watched.generator, n=5, max_tokens=3, temperature=0.2)
    longest = max(len(text.split()) for text in PROMPTS)
    assert watched.shapes[0] == (4, longest)
    assert watched.shapes[1] == (20, 1)
    await watched.generator.close()


async def test_what_is_sampled_otherwise_is_another_batch(folder: Path) -> None:
    watched = Watched(folder)
    await asyncio.gather(
        ask(watched.generator, max_tokens=1, temperature=1.0), ask(watched.generator, max_tokens=1, temperature=0.5)
    )
    assert [rows for rows, _ in watched.shapes] == [4, 4]
    await watched.generator.close()


async def test_a_batch_is_no_larger_than_its_tokens(folder: Path) -> None:
    watched = Watched(folder, batch_tokens=60)
    answer = await watched.generator.generate(Prompt("w1 w2"), Sampling(n=7, seed=0, max_tokens=18))
    assert len(answer.texts_n) == 7
    assert max(rows for rows, _ in watched.shapes) == 3  # of 2 + 18 tokens each
    await watched.generator.close()


@pytest.mark.parametrize("threads", [1, 3])
async def test_it_computes_with_as_many_threads_as_it_is_told(folder: Path, threads: int) -> None:
    watched = Watched(folder, threads=threads)
    await ask(watched.generator, max_tokens=1)
    assert watched.threads == {threads}
    await watched.generator.close()


async def test_a_batch_that_nobody_waits_for_ends(folder: Path) -> None:
    watched = Watched(folder)
    sampling = Sampling(n=256, seed=0, temperature=9.0, max_tokens=CONTEXT)  # so many that one fills the context
    asked = asyncio.create_task(watched.generator.generate(Prompt("w1"), sampling))
    await until(watched.has_begun)
    asked.cancel()
    await watched.generator.close()
    assert len(watched.shapes) < CONTEXT - 1


async def test_the_event_loop_is_free_meanwhile(generator: TransformersGenerator) -> None:
    answer = asyncio.create_task(
        generator.generate(Prompt("w1"), Sampling(n=8, seed=0, temperature=9.0, max_tokens=CONTEXT))
    )
    turns = 0
    while not answer.done():
        await asyncio.wait([answer], timeout=0.001)
        turns += 1
    assert turns > 20


async def test_a_response_is_as_long_as_the_context_allows(generator: TransformersGenerator) -> None:
    prompt = Prompt("w1 " * (CONTEXT - 6))
    answer = await generator.generate(prompt, Sampling(n=16, seed=0, temperature=50.0, max_tokens=100))
    assert max(len(text.split()) for text in answer.texts_n) == 6
    with pytest.raises(GenerationError, match="no room"):
        await generator.generate(Prompt("w1 " * CONTEXT), Sampling())
    with pytest.raises(GenerationError, match="empty"):
        await generator.generate(Prompt(""), Sampling())


async def test_special_tokens_are_left_out_unless_they_are_text_or_wanted(
    generator: TransformersGenerator, folder: Path
) -> None:
    sampling = Sampling(n=64, seed=0, temperature=3.0, max_tokens=30)
    markup = {"<s>", "</s>", "<pad>", "<unk>"}
    said = (await generator.generate(Prompt("w1"), sampling)).texts_n
    assert not markup & {word for text in said for word in text.split()}
    keeping = await TransformersGenerator.open(str(folder), keep_special_tokens=True)
    kept = (await keeping.generate(Prompt("w1"), sampling)).texts_n
    await keeping.close()
    assert any(text.endswith("</s>") for text in kept)
    assert all("</s>" not in text.removesuffix("</s>") for text in kept), "nothing is said after the end"
    policy = await TransformersGenerator.open(str(CHECKPOINT))
    answers = [
        await policy.generate(prompt, Sampling(temperature=0.0, max_tokens=CHAINS.max_new_tokens)) for prompt in SUMS
    ]
    await policy.close()
    assert all(answer.texts_n[0].endswith(END) for answer in answers)


def test_a_folder_without_a_model_is_said_to_be_one(tmp_path: Path) -> None:
    for name in (str(tmp_path), str(tmp_path / "nowhere"), "./nowhere"):
        with pytest.raises(SettingsError, match="holds no model"):
            asyncio.run(TransformersGenerator.open(name))


def test_the_tokenizer_is_any() -> None:
    assert isinstance(AutoTokenizer.from_pretrained(CHECKPOINT), PreTrainedTokenizerFast)
