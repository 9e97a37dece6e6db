"""Draw the picture of a load test: answers and latencies over time."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reward_service.tools.loadtest.records import Record, settle_delays_s


def draw(records: Sequence[Record], path: Path, title: str) -> None:
    """Writes a PNG: rollouts per second over time beside the distribution of latencies."""
    figure = Figure(figsize=(11, 4), layout="constrained")
    over_time, latencies = figure.subplots(1, 2)
    _over_time(over_time, records)
    _latencies(latencies, records)
    figure.suptitle(title, fontsize=10)
    figure.savefig(path, dpi=120)


def _over_time(axes: Axes, records: Sequence[Record]) -> None:
    due: Counter[int] = Counter()
    answered: Counter[int] = Counter()
    for each in records:
        due[int(each.due_s)] += each.rollouts
        if each.right:
            answered[int(each.answered_s)] += each.rollouts
    seconds = range(max((*due, *answered), default=0) + 1)
    axes.step(seconds, [due[second] for second in seconds], where="post", label="offered", color="0.6")
    axes.step(seconds, [answered[second] for second in seconds], where="post", label="answered")
    axes.set(xlabel="s", ylabel="rollouts/s", ylim=(0, None))
    axes.legend(frameon=False)


def _latencies(axes: Axes, records: Sequence[Record]) -> None:
    right = [each for each in records if each.right]
    series = {kind: [each.latency_s for each in right if each.kind == kind] for kind in _kinds(records)}
    series["after a cohort's last ballot"] = settle_delays_s(records)
    for name, values_s in series.items():
        if values_s:
            ordered = sorted(1000 * max(value, 1e-4) for value in values_s)
            axes.plot(ordered, [100 * (rank + 1) / len(ordered) for rank in range(len(ordered))], label=name)
    axes.set(xscale="log", xlabel="ms", ylabel="% of them sooner", ylim=(0, 100))
    axes.legend(frameon=False)


def _kinds(records: Sequence[Record]) -> list[str]:
    return sorted({each.kind for each in records})
