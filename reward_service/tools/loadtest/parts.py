"""Measure CPU and memory of each part of the system, as the parts show them at /metrics."""

import socket
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
from prometheus_client.parser import text_string_to_metric_families

CPU = "co_rewarding_process_cpu_seconds_total"
MEMORY = "co_rewarding_process_resident_bytes"
STORE_CPU = "co_rewarding_store_cpu_seconds_total"
STORE_MEMORY = "co_rewarding_store_bytes"
EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class ServicePart:
    """CPU time over time, in cores, and the most memory seen, in bytes."""

    cores: float
    peak_bytes: int


@dataclass(frozen=True, slots=True)
class _Look:
    at_s: float
    cpu_s: Mapping[str, float]
    resident: Mapping[str, int]


class PartWatch:
    """Asks once a second, from its making until it is read."""

    def __init__(self, urls: Sequence[str], headers: Mapping[str, str]) -> None:
        """`urls` are those of /metrics; a name that stands for several containers is asked of each."""
        self._urls = urls
        self._headers = headers
        self._looks = [self._look()]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_for_ever, name="watch", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Looks once more, and no longer."""
        self._over.set()
        self._thread.join()
        self._looks.append(self._look())

    def parts(self, began_s: float, ended_s: float) -> dict[str, ServicePart]:
        """The parts by name, between two times (s since the epoch) as near as it has looked."""
        first = max((look for look in self._looks if look.at_s <= began_s), key=_time, default=self._looks[0])
        last = min((look for look in self._looks if look.at_s >= ended_s), key=_time, default=self._looks[-1])
        between = [look for look in self._looks if first.at_s <= look.at_s <= last.at_s]
        elapsed_s = max(last.at_s - first.at_s, 1e-3)
        return {
            role: ServicePart(
                max(0.0, used_s - first.cpu_s.get(role, 0.0)) / elapsed_s,
                max(look.resident.get(role, 0) for look in between),
            )
            for role, used_s in sorted(last.cpu_s.items())
        }

    def _look_for_ever(self) -> None:
        while not self._over.wait(EVERY_S):
            self._looks.append(self._look())

    def _look(self) -> _Look:
        """CPU seconds and memory by role now; what does not answer is left out."""
        cpu_s: dict[str, float] = defaultdict(float)
        resident: dict[str, int] = defaultdict(int)
        at_s = time.time()
        for url in self._urls:
            for text in self._texts(url):
                for role, name, value in samples(text):
                    if name in {CPU, STORE_CPU}:
                        cpu_s[role] += value
                    else:
                        resident[role] += int(value)
        return _Look(at_s, dict(cpu_s), dict(resident))

    def _texts(self, url: str) -> Iterator[str]:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 80
        try:
            addresses = {str(entry[4][0]) for entry in socket.getaddrinfo(host, port, socket.AF_INET)}
        except OSError:
            return
        for address in sorted(addresses):
            each = f"{parts.scheme}://{address}:{port}{parts.path}"
            try:
                answer = httpx.get(each, headers=self._headers, timeout=10.0)
            except httpx.HTTPError:
                continue
            if answer.status_code == 200:
                yield answer.text


def _time(look: _Look) -> float:
    return look.at_s


def samples(text: str) -> Iterator[tuple[str, str, float]]:
    """The role, name and value of every sample that tells of CPU or memory."""
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name in {CPU, MEMORY}:
                yield sample.labels["role"], sample.name, sample.value
            elif sample.name in {STORE_CPU, STORE_MEMORY}:
                yield "redis", sample.name, sample.value
