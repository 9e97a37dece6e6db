"""Define verdicts on pairs of answers, their memory, and the graders that form classes of equal answers."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

import structlog
from co_rewarding_schema.vocabulary import Conventions

from reward_service.errors import StoreUnavailableError


class Classes(NamedTuple):
    """Each answer's class, and how many comparisons were left undecided."""

    class_of: Mapping[str, str]
    undecided: int = 0


class Matches(NamedTuple):
    """Which answers equal one that is given, and how many comparisons were left undecided."""

    equal: frozenset[str]
    undecided: int = 0


class Grader(Protocol):
    """Tells which answers are equal, whatever the order in which they come."""

    async def classify(self, answers: Collection[str], conventions: Conventions) -> Classes:
        """Return the class of each answer: an equivalence relation."""
        ...

    async def match(self, truth: str, answers: Collection[str], conventions: Conventions) -> Matches:
        """Return the answers that equal the truth. Each is judged by itself, whatever else is in the cohort."""
        ...


log = structlog.get_logger(__name__)


class Verdict(StrEnum):
    """Whether two answers are equal. UNDECIDED is no third truth: the judge could not tell in its time."""

    SAME = "same"
    DIFFERENT = "different"
    UNDECIDED = "undecided"


class VerdictStore(Protocol):
    """Verdicts that all workers share."""

    async def get_many(self, keys: Sequence[str]) -> list[Verdict | None]:
        """Return the verdict of each key, None where there is none; StoreUnavailableError if the store is away."""
        ...

    async def put(self, key: str, verdict: Verdict) -> None:
        """Keep a verdict; StoreUnavailableError if the store is away."""
        ...


def verdict_key(a: str, b: str, conventions: Conventions, version: str) -> str:
    """Return the key of an unordered pair of canonical forms, for the conventions and the judge of that version.

    Each part goes in with its length, so no two different questions are the same bytes.
    """
    digest = hashlib.blake2b(digest_size=20)
    for part in (version, conventions.value, *sorted((a, b))):
        encoded = part.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "big"))
        digest.update(encoded)
    return digest.hexdigest()


class KnownVerdicts:
    """The verdicts of late in memory, in front of a store that may be away or absent.

    UNDECIDED never reaches the store, and memory forgets it after `undecided_s`: a machine that was loaded for a
    moment must not decide for ever.
    """

    def __init__(
        self,
        store: VerdictStore | None,
        clock: Callable[[], float],
        *,
        kept: int = 65_536,
        undecided_s: float = 60.0,
    ) -> None:
        """Keep up to `kept` verdicts in memory; `clock` tells monotonic seconds."""
        self._store = store
        self._clock = clock
        self._kept = kept
        self._undecided_s = undecided_s
        self._memory: OrderedDict[str, tuple[Verdict, float]] = OrderedDict()
        self._away = False

    async def get_many(self, keys: Sequence[str]) -> list[Verdict | None]:
        """Return the verdict of each key, None where none is known. Never fails: a store that is away knows nothing."""
        found = {key: self._remembered(key) for key in keys}
        unknown = [key for key, verdict in found.items() if verdict is None]
        if self._store is not None and unknown:
            try:
                stored = await self._store.get_many(unknown)
            except StoreUnavailableError as error:
                self._note_away(error)
            else:
                self._away = False
                for key, verdict in zip(unknown, stored, strict=True):
                    if verdict is not None and verdict is not Verdict.UNDECIDED:
                        found[key] = verdict
                        self._remember(key, verdict)
        return [found[key] for key in keys]

    async def put(self, key: str, verdict: Verdict) -> None:
        """Keep a verdict in memory and, if it is decided, in the store. Never fails."""
        self._remember(key, verdict)
        if self._store is None or verdict is Verdict.UNDECIDED:
            return
        try:
            await self._store.put(key, verdict)
        except StoreUnavailableError as error:
            self._note_away(error)
        else:
            self._away = False

    def _remembered(self, key: str) -> Verdict | None:
        held = self._memory.get(key)
        if held is None:
            return None
        verdict, since_s = held
        if verdict is Verdict.UNDECIDED and self._clock() - since_s >= self._undecided_s:
            del self._memory[key]
            return None
        self._memory.move_to_end(key)
        return verdict

    def _remember(self, key: str, verdict: Verdict) -> None:
        self._memory[key] = (verdict, self._clock())
        self._memory.move_to_end(key)
        while len(self._memory) > self._kept:
            self._memory.popitem(last=False)

    def _note_away(self, error: StoreUnavailableError) -> None:
        """Log an absence of the store once: only the cache is lost."""
        if not self._away:
            log.warning("verdicts are not shared while Redis is away", error=str(error))
        self._away = True
