"""The metrics of workers that run without an API, whose /metrics would tell of them."""

from collections.abc import Callable, Iterator, Sequence

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from reward_service.metrics_server import expose
from reward_service.settings import Settings
from reward_service.telemetry import registry_of


class _Living(Collector):
    """How many processes of each role live: none at all is what a container's health check looks for."""

    def __init__(self, pids: Callable[[str], Sequence[int]], roles: Sequence[str]) -> None:
        self._pids = pids
        self._roles = roles

    def collect(self) -> Iterator[GaugeMetricFamily]:
        living = GaugeMetricFamily("co_rewarding_processes", "Living processes, by role.", labels=["role"])
        for role in self._roles:
            living.add_metric((role,), len(self._pids(role)))
        yield living


def expose_children(
    settings: Settings, folder: str, pids: Callable[[str], Sequence[int]], roles: Sequence[str]
) -> Callable[[], None]:
    """Serves the sum of the processes that count in a folder, at the settings' metrics port; how to end it.

    Raises:
        SettingsError: the port cannot be bound.
    """
    registry = registry_of(folder)
    registry.register(_Living(pids, roles))
    return expose(registry, settings.metrics_host, settings.metrics_port or 0)
