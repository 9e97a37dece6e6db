"""What every Generator must do, whatever is behind it: told once, and asked of each backend.

Needs no pytest: vLLM lives in an installation of its own.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from reward_service.generation.generator import (
    FixedWeightsError,
    Generated,
    GenerationError,
    Generator,
    GeneratorUnavailableError,
    Message,
    Prompt,
    Sampling,
    WeightsError,
)
from tests.support.waiting import until


@dataclass(frozen=True)
class World:
    """A generator, prompts that it understands, one that is too long, and other weights for it, if it takes any.

    Greedy responses to `prompts` differ between the weights, and from prompt to prompt; `misfit` lacks a tensor.
    """

    generator: Generator
    prompts: tuple[Prompt, ...]
    too_long: Prompt
    other_weights: Path | None = None
    misfit: Path | None = None
    max_tokens: int = 12
    temperature: float = 1.0
    """At which responses differ."""

    def sampling(self, n: int = 4, seed: int | None = 7, temperature: float | None = None) -> Sampling:
        chosen = self.temperature if temperature is None else temperature
        return Sampling(n=n, seed=seed, temperature=chosen, max_tokens=self.max_tokens)

    async def ask(self, sampling: Sampling) -> list[Generated]:
        """All prompts at once."""
        return await asyncio.gather(*(self.generator.generate(prompt, sampling) for prompt in self.prompts))

    async def greedy(self) -> list[Generated]:
        return await self.ask(self.sampling(n=1, temperature=0.0))


async def error_of(call: Awaitable[object], *kinds: type[Exception]) -> str:
    """What the error says with which a call fails."""
    try:
        answer = await call
    except kinds as error:
        return str(error)
    raise AssertionError(f"it does not fail, and gives {answer!r}")


async def gives_n_responses(world: World) -> None:
    for n in (1, 5):
        for answer in await world.ask(world.sampling(n=n)):
            assert len(answer.texts_n) == n
            assert 0 < answer.tokens <= n * world.max_tokens


async def greedy_responses_are_one(world: World) -> None:
    for answer in await world.ask(world.sampling(n=3, temperature=0.0)):
        assert len(answer.texts_n) == 3
        assert len(set(answer.texts_n)) == 1
        assert answer.tokens <= world.max_tokens


async def a_seed_draws_the_same_again(world: World) -> None:
    assert await world.ask(world.sampling()) == await world.ask(world.sampling())


async def responses_differ_within_a_group_and_between_seeds(world: World) -> None:
    sampled = [await world.ask(world.sampling(seed=seed)) for seed in (7, 8, 9)]
    for answers in zip(*sampled, strict=True):
        texts = [text for answer in answers for text in answer.texts_n]
        assert len(set(texts)) > len(texts) / 2  # seed + index, as servers count, would share three of four


async def without_a_seed_each_time_is_another(world: World) -> None:
    assert await world.ask(world.sampling(seed=None)) != await world.ask(world.sampling(seed=None))


async def what_is_asked_beside_it_has_no_say(world: World) -> None:
    together = await world.ask(world.sampling())
    alone = [await world.generator.generate(prompt, world.sampling()) for prompt in world.prompts]
    assert together == alone


async def messages_are_answered(world: World) -> None:
    prompt = Prompt(messages=(Message("system", "w1 w2"), Message("user", "w3 w4")))
    assert len((await world.generator.generate(prompt, world.sampling())).texts_n) == 4


async def a_prompt_that_fills_the_context_is_refused(world: World) -> None:
    await error_of(world.generator.generate(world.too_long, world.sampling()), GenerationError)
    await gives_n_responses(world)


async def a_caller_that_leaves_disturbs_nobody(world: World) -> None:
    leaving = asyncio.create_task(world.generator.generate(world.prompts[0], world.sampling()))
    staying = asyncio.create_task(world.generator.generate(world.prompts[1], world.sampling()))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == await world.generator.generate(world.prompts[1], world.sampling())
    await asyncio.wait([leaving])
    assert leaving.cancelled()


async def weights_are_swapped_and_swapped_back(world: World) -> None:
    if world.other_weights is None:
        await error_of(world.generator.load(Path("anything")), FixedWeightsError)
        return
    before = await world.greedy()
    await world.generator.load(world.other_weights)
    after = await world.greedy()
    await world.generator.load(None)
    assert await world.greedy() == before
    assert all(one.texts_n != other.texts_n for one, other in zip(before, after, strict=True))


async def versions_are_never_mixed(world: World) -> None:
    """Prompts come all the time: each answer is that of one version, and after one of the new none of the old."""
    if world.other_weights is None:
        return
    greedy = world.sampling(n=1, temperature=0.0)
    expected = [await world.greedy()]
    for weights in (world.other_weights, None):
        await world.generator.load(weights)
        expected.append(await world.greedy())
    await world.generator.load(None)
    seen: list[list[Generated]] = [[] for _ in world.prompts]
    swapped = asyncio.Event()

    async def keep_asking(place: int) -> None:
        while not swapped.is_set():
            seen[place].append(await world.generator.generate(world.prompts[place], greedy))
        seen[place].append(await world.generator.generate(world.prompts[place], greedy))

    asking = [asyncio.create_task(keep_asking(place)) for place in range(len(world.prompts))]
    await until(lambda: _answered(seen))
    await world.generator.load(world.other_weights)
    swapped.set()
    await asyncio.gather(*asking)
    await world.generator.load(None)
    for place, answers in enumerate(seen):
        old, new = expected[0][place], expected[1][place]
        assert answers[0] == old
        assert answers[-1] == new
        changed_at = answers.index(new)
        assert answers == [old] * changed_at + [new] * (len(answers) - changed_at)


async def _answered(seen: list[list[Generated]]) -> bool:
    return all(seen)


async def weights_that_do_not_fit_change_nothing(world: World) -> None:
    if world.misfit is None:
        return
    before = await world.greedy()
    assert "missing" in await error_of(world.generator.load(world.misfit), WeightsError)
    assert "holds no" in await error_of(world.generator.load(world.misfit / "nowhere"), WeightsError)
    assert await world.greedy() == before


async def closing_ends_what_is_under_way(world: World) -> None:
    """To be asked last."""
    under_way = [asyncio.create_task(world.generator.generate(prompt, world.sampling())) for prompt in world.prompts]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await world.generator.close()
    outcomes = await asyncio.gather(*under_way, return_exceptions=True)
    assert all(isinstance(outcome, GeneratorUnavailableError) for outcome in outcomes), outcomes
    await error_of(world.generator.generate(world.prompts[0], world.sampling()), GeneratorUnavailableError)
    await error_of(world.generator.load(None), GeneratorUnavailableError, FixedWeightsError)


RULES: tuple[Callable[[World], Awaitable[None]], ...] = (
    gives_n_responses,
    greedy_responses_are_one,
    a_seed_draws_the_same_again,
    responses_differ_within_a_group_and_between_seeds,
    without_a_seed_each_time_is_another,
    what_is_asked_beside_it_has_no_say,
    messages_are_answered,
    a_prompt_that_fills_the_context_is_refused,
    a_caller_that_leaves_disturbs_nobody,
    weights_are_swapped_and_swapped_back,
    versions_are_never_mixed,
    weights_that_do_not_fit_change_nothing,
    closing_ends_what_is_under_way,
)
