"""The gate between generations and swaps of weights."""

import asyncio

import pytest

from reward_service.generation.generator import Gate, GeneratorUnavailableError

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


class Traffic:
    """Generations and swaps through a gate, each held until it is let go, and what happened in order."""

    def __init__(self) -> None:
        self.gate = Gate("model")
        self.said: list[str] = []

    def generate(self, name: str) -> tuple[asyncio.Task[None], asyncio.Event]:
        return self._begin(self._generate, name)

    def swap(self, name: str) -> tuple[asyncio.Task[None], asyncio.Event]:
        return self._begin(self._swap, name)

    def _begin(self, kind, name: str) -> tuple[asyncio.Task[None], asyncio.Event]:
        go = asyncio.Event()
        return asyncio.create_task(kind(name, go)), go

    async def _generate(self, name: str, go: asyncio.Event) -> None:
        async with self.gate.generation():
            self.said.append(f"{name} began")
            await go.wait()
            self.said.append(f"{name} ended")

    async def _swap(self, name: str, go: asyncio.Event) -> None:
        async with self.gate.swap():
            self.said.append(f"{name} began")
            await go.wait()
            self.said.append(f"{name} ended")


async def settle() -> None:
    """Everything that can happen now has happened."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_swap_waits_for_what_is_under_way_and_holds_back_what_comes() -> None:
    traffic = Traffic()
    first, first_go = traffic.generate("first")
    second, second_go = traffic.generate("second")
    await settle()
    swap, swap_go = traffic.swap("swap")
    await settle()
    late, late_go = traffic.generate("late")
    for go in (late_go, swap_go, first_go):
        go.set()
        await settle()
    assert traffic.said == ["first began", "second began", "first ended"]
    second_go.set()
    await asyncio.gather(first, second, swap, late)
    assert traffic.said[3:] == ["second ended", "swap began", "swap ended", "late began", "late ended"]


async def test_two_swaps_come_one_after_the_other() -> None:
    traffic = Traffic()
    swaps = [traffic.swap(name) for name in ("one", "two")]
    for _, go in swaps:
        go.set()
    await asyncio.gather(*(task for task, _ in swaps))
    assert traffic.said == ["one began", "one ended", "two began", "two ended"]


async def test_a_swap_that_fails_half_way_lets_nothing_through_until_another_succeeds() -> None:
    gate = Gate("model")
    with pytest.raises(OSError, match="disk"):
        async with gate.swap():
            raise OSError("disk")
    with pytest.raises(GeneratorUnavailableError, match="half-way"):
        async with gate.generation():
            pass
    async with gate.swap():
        pass
    async with gate.generation():
        pass


async def test_a_swap_given_up_while_it_waits_has_changed_nothing() -> None:
    traffic = Traffic()
    under_way, go = traffic.generate("under way")
    await settle()
    swap, _ = traffic.swap("swap")
    await settle()
    late, late_go = traffic.generate("late")
    await settle()
    swap.cancel()
    await settle()
    assert traffic.said == ["under way began", "late began"]
    go.set()
    late_go.set()
    await asyncio.gather(under_way, late)


async def test_closing_ends_what_is_under_way_with_an_error_of_its_own() -> None:
    traffic = Traffic()
    under_way, _ = traffic.generate("under way")
    await settle()
    await traffic.gate.close()
    with pytest.raises(GeneratorUnavailableError, match="model was closed"):
        await under_way
    for late, _ in (traffic.generate("late"), traffic.swap("late")):
        with pytest.raises(GeneratorUnavailableError, match="model was closed"):
            await late


async def test_closing_waits_for_the_swap_under_way() -> None:
    traffic = Traffic()
    swap, go = traffic.swap("swap")
    await settle()
    closing = asyncio.create_task(traffic.gate.close())
    await settle()
    assert not closing.done()
    go.set()
    await asyncio.gather(swap, closing)
    assert traffic.said == ["swap began", "swap ended"]


async def test_a_model_that_cannot_be_mended_is_no_less_whole_than_before() -> None:
    gate = Gate("model")
    for _ in range(2):
        with pytest.raises(OSError, match="disk"):
            async with gate.swap(mends=True):
                raise OSError("disk")
        async with gate.generation():
            pass
    with pytest.raises(OSError, match="disk"):
        async with gate.swap():
            raise OSError("disk")
    with pytest.raises(OSError, match="disk"):
        async with gate.swap(mends=True):
            raise OSError("disk")
    with pytest.raises(GeneratorUnavailableError, match="half-way"):
        async with gate.generation():
            pass


async def test_who_was_cancelled_by_another_is_cancelled_though_the_gate_closes_too() -> None:
    traffic = Traffic()
    under_way, _ = traffic.generate("under way")
    await settle()
    under_way.cancel()
    await traffic.gate.close()
    with pytest.raises(asyncio.CancelledError):
        await under_way
