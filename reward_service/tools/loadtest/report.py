"""Write the report of a load test: tables as Markdown, and a picture."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reward_service.tools.loadtest.arrivals import Traffic
from reward_service.tools.loadtest.parts import ServicePart
from reward_service.tools.loadtest.records import Record, settle_delays_s

LATE_S = 0.1
"""A generator whose requests go out later than this (p99) is itself what is slow: the figures then say little."""
PERCENTILES_MS = {50: "p50 ms", 90: "p90 ms", 99: "p99 ms", 100: "max ms"}


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What a load test has come to."""

    title: str
    traffic: Traffic
    records: Sequence[Record]
    parts: Mapping[str, ServicePart]

    @property
    def failed(self) -> int:
        """Requests that were not answered right in the end."""
        return sum(not each.right for each in self.records)

    @property
    def rate(self) -> float:
        """Rollouts answered right, per second from the start to the last answer."""
        right = [each for each in self.records if each.right]
        return sum(each.rollouts for each in right) / max((each.answered_s for each in right), default=1.0)

    def markdown(self) -> str:
        """The whole report; times in milliseconds."""
        kinds = sorted({each.kind for each in self.records})
        rows = [self._row(kind, [each for each in self.records if each.kind == kind]) for kind in kinds]
        delays_s = settle_delays_s(self.records)
        if delays_s:
            rows.append(("after a cohort's last ballot", str(len(delays_s)), "", *_percentiles_ms(delays_s), "", ""))
        head = ("", "requests", "rollouts", *PERCENTILES_MS.values(), "again", "failed")
        used = [(name, f"{part.cores:.2f}", f"{part.peak_bytes / 2**20:.0f}") for name, part in self.parts.items()]
        late_ms = 1000 * self.late_s
        lines = [
            f"# {self.title}",
            "",
            f"Offered {self.traffic.rate:,.0f} rollouts/s for {self.traffic.seconds:g} s; answered "
            f"**{self.rate:,.0f} rollouts/s**. Each request went out at its time: {late_ms:.1f} ms late at p99"
            + (", which is so much that the generator was the limit." if self.late_s > LATE_S else "."),
            "",
            *_table(head, rows),
            "",
            *_table(("part", "cores", "peak MiB"), used),
            "",
            self._troubles(),
            "",
        ]
        return "\n".join(lines)

    @property
    def late_s(self) -> float:
        """How late requests went out that were not sent again, at the 99th percentile."""
        return percentile([each.sent_s - each.due_s for each in self.records if not each.troubles], 99)

    def write(self, folder: Path) -> None:
        """Leaves `report.md` and `report.png` in a folder."""
        from reward_service.tools.loadtest.picture import draw

        folder.mkdir(parents=True, exist_ok=True)
        (folder / "report.md").write_text(self.markdown() + "![](report.png)\n")
        draw(self.records, folder / "report.png", self.title)

    def _row(self, kind: str, records: Sequence[Record]) -> tuple[str, ...]:
        right = [each.latency_s for each in records if each.right]
        counts = (len(records), sum(each.rollouts for each in records))
        again = sum(len(each.troubles) for each in records)
        failed = sum(not each.right for each in records)
        return (kind, *(f"{n:,}" for n in counts), *_percentiles_ms(right), f"{again:,}", f"{failed:,}")

    def _troubles(self) -> str:
        found = Counter(status for each in self.records for status in each.troubles)
        found.update(each.status for each in self.records if not each.right)
        if not found:
            return "No errors."
        names = {0: "connection broke", 200: "200 with a wrong reward"}
        listed = (f"{names.get(status, status)} × {count:,}" for status, count in sorted(found.items()))
        return f"Errors: {', '.join(listed)}."


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that `percent` of the values do not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)] if ordered else 0.0


def _percentiles_ms(values_s: Sequence[float]) -> tuple[str, ...]:
    return tuple(f"{1000 * percentile(values_s, p):,.1f}" for p in PERCENTILES_MS)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *rows)]
