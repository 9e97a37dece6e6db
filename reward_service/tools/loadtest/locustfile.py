"""Run as Locust's user: send each request at its time, without waiting for the others.

`co-rewarding loadtest` starts it, and hands over its orders in the environment; by hand it is
`ORDER='{"url": "http://127.0.0.1:8000"}' locust -f locustfile.py --users 1`.
"""

import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import msgspec
from gevent.pool import Group
from locust import constant, events, task
from locust.contrib.fasthttp import FastHttpUser
from locust.exception import StopUser

from reward_service.tools.loadtest.arrivals import Arrival
from reward_service.tools.loadtest.orders import ORDER, LoadOrder
from reward_service.tools.loadtest.records import Log, Record, write
from reward_service.tools.loadtest.workload import COHORT, Batches, Singles, Workload, WrongAnswerError

PATIENCE_S = 60.0
LONGEST_PAUSE_S = 5.0
COME_AGAIN = frozenset({0, 429, 503})
"""What a trainer's client answers by coming again; 0 is a connection that broke."""

order = msgspec.json.decode(os.environ[ORDER], type=LoadOrder)
records: list[Record] = []
began: dict[str, float] = {}


class Trainers(FastHttpUser):
    """Many trainers as one: what they send is decided beforehand."""

    host = order.url
    fixed_count = 1
    wait_time = constant(0)
    concurrency = 8192
    connection_timeout = 10.0
    network_timeout = 300.0

    def on_start(self) -> None:
        """Makes the bodies before the clock starts."""
        self._kinds: dict[str, Workload] = {
            "singles": Singles(f"/get_reward?run={order.run}"),
            "batches": Batches(order.traffic.batch // COHORT, run=order.run),
        }
        self._headers = {"content-type": "application/json"}
        if order.api_key:
            self._headers["authorization"] = f"Bearer {order.api_key}"

    @task
    def send_all(self) -> None:
        """The whole plan, once; then the test is over."""
        sending = Group()
        began.update(at_s=time.time(), cpu_s=time.process_time())
        began_s = time.perf_counter()
        for arrival in self._bounded():
            gevent.sleep(max(0.0, began_s + arrival.at_s - time.perf_counter()))
            sending.add(gevent.spawn(self._send, arrival, began_s))
        sending.join(timeout=PATIENCE_S)
        sending.kill()
        runner = self.environment.runner
        gevent.spawn(runner.quit if self.environment.web_ui is None else runner.stop)  # a page stays to be looked at
        raise StopUser

    def _bounded(self) -> Iterator[Arrival]:
        left = order.most_rollouts
        for arrival in order.traffic.arrivals():
            left -= self._kinds[arrival.kind].rollouts
            if left < 0:
                return
            yield arrival

    def _send(self, arrival: Arrival, began_s: float) -> None:
        """Sends a request until it is answered, as trainers do: a cohort that lacks a ballot would keep the others."""
        workload = self._kinds[arrival.kind]
        index = order.first_cohort * workload.cohort + arrival.index
        _, _, body = workload.request(index).partition(b"\r\n\r\n")
        troubles: list[int] = []
        while True:
            sent_s = time.perf_counter() - began_s
            with self._post(workload, body) as answer:
                status = answer.status_code or 0
                right = self._checked(answer, workload, index) if status == 200 else False
                if not right:
                    answer.failure(f"{arrival.kind}: {status or answer.error}")
            if status not in COME_AGAIN or sent_s - arrival.at_s > PATIENCE_S:
                break
            troubles.append(status)
            gevent.sleep(_pause_s(answer))
        records.append(
            Record(
                arrival.kind,
                index // workload.cohort,
                workload.rollouts,
                arrival.at_s,
                sent_s,
                time.perf_counter() - began_s,
                troubles,
                status,
                right,
            )
        )

    def _post(self, workload: Workload, body: bytes) -> Any:  # noqa: ANN401 - Locust's response, as a context
        name = workload.route.partition("?")[0]
        return self.client.post(
            order.url + workload.route,  # whole: Locust's page would send it to any host that it is told
            data=body,  # pyright: ignore[reportArgumentType] - bytes go as they are
            headers=self._headers,
            name=name,
            catch_response=True,
        )

    def _checked(self, answer: Any, workload: Workload, index: int) -> bool:  # noqa: ANN401
        try:
            workload.check(index, answer.content)
        except (WrongAnswerError, msgspec.MsgspecError, KeyError):
            return False
        return True


def _pause_s(answer: Any) -> float:  # noqa: ANN401
    text = (answer.headers or {}).get("retry-after", "1")
    return min(LONGEST_PAUSE_S, float(text)) if text.replace(".", "", 1).isdigit() else 1.0


@events.test_start.add_listener
def forget(**_: Any) -> None:  # noqa: ANN401
    """A test that is started again from Locust's page begins anew."""
    records.clear()


@events.test_stop.add_listener
def keep(**_: Any) -> None:  # noqa: ANN401
    """Hands the records over."""
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    used_s = time.process_time() - began["cpu_s"]
    write(Path(order.records), Log(began["at_s"], used_s, peak_bytes, records))
