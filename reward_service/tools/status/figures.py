"""Find figures in what a service tells Prometheus."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from prometheus_client import Metric as PrometheusFamily
from prometheus_client.parser import text_string_to_metric_families

from reward_service.metrics import Kind, Metric


@dataclass(frozen=True, slots=True)
class RoleFigures:
    """The processes of one role; a figure that the service does not tell is None."""

    role: str
    alive: float | None
    restarts: float | None
    started_s: float | None
    memory_bytes: float | None
    cpu_s: float | None


class Figures:
    """Looks up the values of metrics by their labels."""

    def __init__(self, text: str) -> None:
        """Read a text of Prometheus's format."""
        self._families: dict[str, PrometheusFamily] = {each.name: each for each in text_string_to_metric_families(text)}

    def value(self, metric: Metric, **labels: str) -> float | None:
        """Return the value that has these labels; None if there is none."""
        return next((value for told, value in self._samples(metric) if told == labels), None)

    def total(self, metric: Metric, **labels: str) -> float:
        """Return the sum of the values that have these labels among theirs."""
        return sum(value for told, value in self._samples(metric) if labels.items() <= told.items())

    def most(self, metric: Metric) -> float:
        """Return the largest value, 0 without any."""
        return max((value for _, value in self._samples(metric)), default=0.0)

    def named(self, metric: Metric, label: str) -> Sequence[str]:
        """Return the values of a label, each once, in order."""
        return sorted({told[label] for told, _ in self._samples(metric)})

    def roles(self) -> Iterator[RoleFigures]:
        """Yield the processes of the service by role."""
        for role in self.named(Metric.PROCESS_START_TIME_SECONDS, "role"):
            yield RoleFigures(
                role,
                self.value(Metric.PROCESSES, role=role),
                self.value(Metric.PROCESS_RESTARTS, role=role),
                self.value(Metric.PROCESS_START_TIME_SECONDS, role=role),
                self.value(Metric.PROCESS_RESIDENT_BYTES, role=role),
                self.value(Metric.PROCESS_CPU_SECONDS, role=role),
            )

    def _samples(self, metric: Metric) -> Iterator[tuple[dict[str, str], float]]:
        family = self._families.get(metric.family)
        name = f"{metric.family}_total" if metric.kind is Kind.COUNTER else metric.family
        for sample in () if family is None else family.samples:
            if sample.name == name:
                yield dict(sample.labels), sample.value
