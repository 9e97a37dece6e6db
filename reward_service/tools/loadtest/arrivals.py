"""Plan when each request is sent, independent of the answers (an open loop), so that no slow service is spared."""

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass

from reward_service.tools.loadtest.workload import COHORT

TAIL_SIGMA = 0.6
"""Of the logarithm of a response's length: the longest of a thousand takes about seven times as long as the median."""


@dataclass(frozen=True, slots=True, order=True)
class Arrival:
    """A request: when, in seconds from the start; of which kind of traffic; and its index among those."""

    at_s: float
    kind: str
    index: int


@dataclass(frozen=True, slots=True)
class Traffic:
    """What is sent.

    Attributes:
        rate: rollouts per second, on average.
        seconds: for how long.
        batch: rollouts in one batch.
        prompts: prompts in one burst of singles; each has two views with eight rollouts.
        share_of_singles: how much of the rate comes one rollout a request, in [0, 1].
        seed: everything that is random follows from it.
    """

    rate: float
    seconds: float
    batch: int = 256
    prompts: int = 128
    share_of_singles: float = 0.5
    seed: int = 0

    def arrivals(self) -> Iterator[Arrival]:
        """The requests in the order of their times."""
        streams: list[Iterator[Arrival]] = []
        if self.share_of_singles > 0:
            streams.append(bursts(self.rate * self.share_of_singles, self.seconds, self.prompts, self.seed))
        if self.share_of_singles < 1:
            streams.append(batches(self.rate * (1 - self.share_of_singles), self.seconds, self.batch, self.seed))
        return heapq.merge(*streams)


def bursts(rate: float, seconds: float, prompts: int, seed: int) -> Iterator[Arrival]:
    """Singles as a trainer sends them: all rollouts of a batch are begun at once and end by their length, some late.

    A burst begins when the one before should be over, so that `rate` is kept on average. Bursts are whole.
    """
    rng = random.Random(seed)
    size = prompts * COHORT
    every_s = size / rate
    for burst in range(max(1, round(seconds / every_s))):
        lengths = [rng.lognormvariate(0.0, TAIL_SIGMA) for _ in range(size)]
        scale = every_s / max(lengths)  # the last rollout of a burst ends as the next burst begins
        times = [(burst * every_s + length * scale, number) for number, length in enumerate(lengths)]
        for at_s, number in sorted(times):
            yield Arrival(at_s, "singles", burst * size + number)


def batches(rate: float, seconds: float, size: int, seed: int) -> Iterator[Arrival]:
    """Batches of several trainers, which know nothing of each other: a Poisson process."""
    rng = random.Random(seed + 1)
    at_s, index = 0.0, 0
    while (at_s := at_s + rng.expovariate(rate / size)) < seconds:
        yield Arrival(at_s, "batches", index)
        index += 1
