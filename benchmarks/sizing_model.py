"""Compute what a service must be for a training of some size, from the costs that `benchmarks.unit_costs` measured.

The rate of rollouts is what the GPUs can generate: two operations for each parameter and token, of which they reach a
share of their peak. That share, the tokens of a response and the peak are given; nothing here measures a GPU.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.unit_costs import ROLES, UnitCosts

BATCHES, SMALL, SINGLES = "batches of 256", "batches of 16", "singles"
SHORT = "batches of 256, short"
CALLS = (BATCHES, SMALL, SINGLES)
BYTES_A_TOKEN = 4.0
"""Of English and LaTeX, about; a response of 7 kB is one of 1,750 tokens."""
FULL = 0.6
"""How busy a core is planned to be: requests wait long where it is busier."""
PEAK = {BATCHES: 1.0, SMALL: 1.0, SINGLES: 3.0}
"""Singles come when each response ends, in bursts about three times as fast as their average: `loadtest`."""
PROMPTS_PER_NODE = 8
"""Questions of a step for each node, where nobody says how many."""
CONNECTIONS = 16_384
"""That one API process takes: `max_connections`."""
LEAST = 2
"""Of APIs and of workers, so that one may die or be replaced."""
GBIT = 1e9 / 8


@dataclass(frozen=True, slots=True)
class Training:
    """A training that asks for rewards.

    Attributes:
        nodes, gpus: machines that generate, and GPUs of each.
        parameters: of the policy.
        group: rollouts of one view of a question (G).
        views: 2 where paraphrases are sampled, else 1.
        prompts: questions of a step; all their rollouts may be held at once where they are sent one by one.
        response_tokens: of a response, on average.
        tflops: peak of a GPU, in 10¹² operations a second.
        share_of_peak: what generation reaches of it.
        generating: the share of the time in which rollouts are generated.
        calls: how rollouts are sent; one of CALLS.
        retention_s: how long the service keeps what was settled.
    """

    nodes: int = 64
    gpus: int = 8
    parameters: float = 8e9
    group: int = 16
    views: int = 2
    prompts: int = 512
    response_tokens: float = 1750.0
    tflops: float = 989.0
    share_of_peak: float = 0.25
    generating: float = 0.7
    calls: str = BATCHES
    retention_s: float = 86_400.0

    @property
    def tokens_per_s(self) -> float:
        """While rollouts are generated."""
        return self.nodes * self.gpus * self.tflops * 1e12 * self.share_of_peak / (2 * self.parameters)

    @property
    def rollouts_per_s(self) -> float:
        """While rollouts are generated."""
        return self.tokens_per_s / self.response_tokens

    @property
    def peak_per_s(self) -> float:
        """Rollouts a second that the service must take at its busiest."""
        return self.rollouts_per_s * PEAK[self.calls]

    @property
    def held(self) -> int:
        """Rollouts that are held at once."""
        return self.prompts * self.views * self.group if self.calls == SINGLES else 0

    @property
    def body_bytes(self) -> float:
        """Of a rollout's share of a request."""
        return self.response_tokens * BYTES_A_TOKEN


@dataclass(frozen=True, slots=True)
class Size:
    """What a training asks of a service.

    Attributes:
        cores: that each part uses at the peak, in whole.
        api_processes, workers: to start, for cores that are busy by FULL.
        stores: servers among whose runs the load must be spread; 1 is enough for one run.
        in_gbit, store_gbit: per second at the peak: from trainers to the API; in and out of the store.
        store_bytes, file_bytes_per_s: the store's memory after `retention_s`; growth of its file.
        api_bytes: the memory of all API processes, held rollouts included.
    """

    cores: Mapping[str, float]
    api_processes: int
    workers: int
    stores: int
    in_gbit: float
    store_gbit: float
    store_bytes: float
    file_bytes_per_s: float
    api_bytes: float


def cpu_us(costs: UnitCosts, training: Training) -> dict[str, float]:
    """CPU time of each part for one rollout: that of its kind, corrected for the length of the response."""
    long, short, kind = costs.of(BATCHES), costs.of(SHORT), costs.of(training.calls)
    longer = (training.body_bytes - kind.body_bytes) / (long.body_bytes - short.body_bytes)
    corrected: dict[str, float] = {}
    for role in ROLES:
        of_length = long.cpu_us[role] - short.cpu_us[role] if role == "API" else 0.0  # the text ends at the API
        corrected[role] = max(kind.cpu_us[role] + longer * of_length, 0.1 * kind.cpu_us[role])
    return corrected


def size_of(costs: UnitCosts, training: Training) -> Size:
    """What to run."""
    used_us = cpu_us(costs, training)
    cores = {role: training.peak_per_s * used_us[role] / 1e6 for role in ROLES}
    kept = costs.of(training.calls).store
    api_processes = max(LEAST, _processes(cores["API"]), math.ceil(training.held / CONNECTIONS))
    kept_per_s = training.rollouts_per_s * training.generating
    return Size(
        cores=cores,
        api_processes=api_processes,
        workers=max(LEAST, _processes(cores["worker"])),
        stores=_processes(cores["Valkey"]),
        in_gbit=training.peak_per_s * training.body_bytes / GBIT,
        store_gbit=training.peak_per_s * (kept["in_bytes"] + kept["out_bytes"]) / GBIT,
        store_bytes=kept_per_s * training.retention_s * kept["kept_bytes"],
        file_bytes_per_s=kept_per_s * kept["file_bytes"],
        api_bytes=api_processes * costs.idle_bytes["API"] + training.held * costs.held.api_bytes,
    )


def most_per_s(costs: UnitCosts, training: Training, nic_gbit: float) -> dict[str, float]:
    """The rollouts a second at which one process of each part, busy by FULL, or the API's network is full."""
    used_us = cpu_us(costs, training)
    limits = {role: FULL * 1e6 / used_us[role] for role in ROLES}
    return limits | {"network": FULL * nic_gbit * GBIT / training.body_bytes}


def _processes(cores: float) -> int:
    return max(1, math.ceil(cores / FULL))
