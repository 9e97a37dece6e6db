"""The memory of verdicts: keys that do not know an order, and a store that may be away."""

from collections.abc import Sequence

import pytest
from co_rewarding_schema.vocabulary import Conventions
from hypothesis import given
from hypothesis import strategies as st

from reward_service.errors import StoreUnavailableError
from reward_service.grading.verdicts import KnownVerdicts, Verdict, verdict_key

LENIENT, STRICT = Conventions.LENIENT, Conventions.STRICT


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


class Shelf:
    """A store in memory that can be taken away."""

    def __init__(self) -> None:
        self.held: dict[str, Verdict] = {}
        self.away = False
        self.asked = 0

    async def get_many(self, keys: Sequence[str]) -> list[Verdict | None]:
        self._look()
        return [self.held.get(key) for key in keys]

    async def put(self, key: str, verdict: Verdict) -> None:
        self._look()
        self.held[key] = verdict

    def _look(self) -> None:
        self.asked += 1
        if self.away:
            raise StoreUnavailableError("away")


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@given(st.text(), st.text(), st.sampled_from(Conventions), st.text(max_size=3))
def test_a_key_knows_no_order(a: str, b: str, conventions: Conventions, version: str) -> None:
    assert verdict_key(a, b, conventions, version) == verdict_key(b, a, conventions, version)


@given(st.tuples(st.text(), st.text()), st.tuples(st.text(), st.text()))
def test_other_pairs_have_other_keys(one: tuple[str, str], other: tuple[str, str]) -> None:
    same = verdict_key(*one, STRICT, "1") == verdict_key(*other, STRICT, "1")
    assert same == (sorted(one) == sorted(other))


@given(st.text(), st.text())
def test_conventions_and_version_are_part_of_the_key(a: str, b: str) -> None:
    keys = {verdict_key(a, b, conventions, version) for conventions in Conventions for version in ("1", "2")}
    assert len(keys) == 4


def test_a_lone_surrogate_has_a_key() -> None:
    assert verdict_key("\ud800", "1", LENIENT, "1") != verdict_key("\ud801", "1", LENIENT, "1")


@pytest.mark.anyio
async def test_memory_first_then_the_store() -> None:
    shelf = Shelf()
    shelf.held["a"] = Verdict.SAME
    known = KnownVerdicts(shelf, Clock())
    assert await known.get_many(["a", "b"]) == [Verdict.SAME, None]
    assert await known.get_many(["a"]) == [Verdict.SAME]
    assert shelf.asked == 1


@pytest.mark.anyio
async def test_undecided_is_kept_for_a_moment_and_only_here() -> None:
    shelf, clock = Shelf(), Clock()
    known = KnownVerdicts(shelf, clock, undecided_s=60)
    await known.put("a", Verdict.UNDECIDED)
    assert await known.get_many(["a"]) == [Verdict.UNDECIDED]
    assert shelf.held == {}
    clock.now_s = 60.0
    assert await known.get_many(["a"]) == [None]


@pytest.mark.anyio
async def test_an_undecided_in_the_store_is_not_believed() -> None:
    shelf = Shelf()
    shelf.held["a"] = Verdict.UNDECIDED
    assert await KnownVerdicts(shelf, Clock()).get_many(["a"]) == [None]


@pytest.mark.anyio
async def test_a_store_that_is_away_costs_only_the_cache() -> None:
    shelf = Shelf()
    shelf.away = True
    known = KnownVerdicts(shelf, Clock())
    await known.put("a", Verdict.SAME)
    assert await known.get_many(["a", "b"]) == [Verdict.SAME, None]
    shelf.away = False
    await known.put("b", Verdict.DIFFERENT)
    assert shelf.held == {"b": Verdict.DIFFERENT}


@pytest.mark.anyio
async def test_memory_is_bounded_and_keeps_what_was_used_last() -> None:
    known = KnownVerdicts(None, Clock(), kept=2)
    await known.put("a", Verdict.SAME)
    await known.put("b", Verdict.SAME)
    await known.get_many(["a"])
    await known.put("c", Verdict.SAME)
    assert await known.get_many(["a", "b", "c"]) == [Verdict.SAME, None, Verdict.SAME]
