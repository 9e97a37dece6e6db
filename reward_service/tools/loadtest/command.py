"""Run `co-rewarding loadtest`: Locust in a process of its own, and the report."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import msgspec
from co_rewarding_client import InvalidRequest, address
from co_rewarding_schema.errors import CoRewardingError
from co_rewarding_schema.methods import DEFAULT_METHOD

from reward_service.errors import SettingsError
from reward_service.processes import dies_with_parent
from reward_service.tools.loadtest.arrivals import Traffic
from reward_service.tools.loadtest.orders import ORDER, LoadOrder
from reward_service.tools.loadtest.parts import PartWatch, ServicePart
from reward_service.tools.loadtest.records import read
from reward_service.tools.loadtest.report import LoadReport
from reward_service.tools.loadtest.target import check_target
from reward_service.tools.loadtest.workload import COHORT, QUESTIONS

SHARES = {"singles": 1.0, "batches": 0.0, "mixed": 0.5}
MOST_SECONDS = 3600.0
MOST_ROLLOUTS = 5_000_000
AFTERWARDS_S = 120.0
COHORT_NUMBERS = 80_000_000
COHORTS_PER_S = 900
RUN = "loadtest"


@dataclass(frozen=True, slots=True)
class LoadTest:
    """What is asked for: traffic to a service, watched at some /metrics beside the service's own.

    Of a service with several replicas, as one on Ray, the first takes the traffic: of ray://NAME that of this node.
    """

    url: str
    traffic: Traffic
    api_key: str | None = None
    most_rollouts: int = MOST_ROLLOUTS
    metrics: Sequence[str] = ()
    web_port: int | None = None


def run_loadtest(test: LoadTest) -> LoadReport:
    """Sends the traffic, and waits for its end.

    Raises:
        SettingsError: the service is not where a load test may go, or more is asked for than a test may be.
        CoRewardingError: the service does not answer, or the test did not end as it should.
    """
    _check_bounds(test)
    try:
        at = address.parse(test.url, test.api_key)
    except InvalidRequest as cause:
        raise SettingsError(f"--url {address.shown_url(test.url)}: {cause.detail}") from cause
    if at.credentials is None:  # which would be lost: Locust takes them from the URL
        test = replace(test, url=at.url, api_key=at.api_key)
    check_target(test.url)
    headers = {"authorization": f"Bearer {test.api_key}"} if test.api_key else {}
    _make_run(test.url, headers)
    with tempfile.TemporaryDirectory(prefix="cr-load-") as folder:
        records = Path(folder) / "records"
        first = int(time.time() * COHORTS_PER_S) % COHORT_NUMBERS  # so that tests of one day do not meet
        order = LoadOrder(test.url, RUN, test.traffic, first, test.most_rollouts, str(records), test.api_key)
        watch = PartWatch([f"{test.url}/metrics", *test.metrics], headers)
        _run_locust(order, test.web_port)
        watch.end()
        if not records.exists():
            raise CoRewardingError("the load test left no records; what Locust wrote above says why")
        log = read(records)
        elapsed_s = max(log.ended_s - log.began_s, 1e-3)
        parts = watch.parts(log.began_s, log.ended_s) | {
            "generator": ServicePart(log.cpu_s / elapsed_s, log.peak_bytes)
        }
        return LoadReport("Load test", test.traffic, log.records, parts)


def _check_bounds(test: LoadTest) -> None:
    traffic = test.traffic
    if not 0 < traffic.seconds <= MOST_SECONDS:
        raise SettingsError(f"a load test takes up to {MOST_SECONDS:g} s; this one would take {traffic.seconds:g}")
    if not 0 < test.most_rollouts <= MOST_ROLLOUTS:
        raise SettingsError(f"a load test sends up to {MOST_ROLLOUTS:,} rollouts; this one would send more")
    if traffic.rate <= 0:
        raise SettingsError("the rate is rollouts per second, more than 0")
    if traffic.batch % COHORT or not 0 < traffic.batch <= QUESTIONS * COHORT:
        raise SettingsError(f"a batch holds whole questions: {COHORT}, {2 * COHORT}, ... {QUESTIONS * COHORT} rollouts")


def _make_run(url: str, headers: Mapping[str, str]) -> None:
    try:
        answer = httpx.put(f"{url}/v1/runs/{RUN}", json={"method": DEFAULT_METHOD}, headers=headers, timeout=30.0)
    except httpx.HTTPError as cause:
        raise CoRewardingError(f"the service at {address.shown_url(url)} does not answer: {cause}") from cause
    if answer.status_code != 200:
        raise CoRewardingError(
            f"the service at {address.shown_url(url)} answered {answer.status_code}: {answer.text[:500]}"
        )


def _run_locust(order: LoadOrder, web_port: int | None) -> None:
    """Runs it to its end; with a page it waits there to be started, and for Ctrl-C after the test."""
    file = Path(__file__).with_name("locustfile.py")
    command = [sys.executable, "-m", "locust", "--locustfile", str(file), "--users", "1", "--skip-log-setup"]
    command += ["--stop-timeout", "5"]
    if web_port is None:
        command += ["--headless", "--only-summary", "--run-time", f"{order.traffic.seconds + AFTERWARDS_S:.0f}s"]
    else:
        command += ["--web-host", "127.0.0.1", "--web-port", str(web_port)]
    environment = os.environ | {ORDER: msgspec.json.encode(order).decode()}
    limit_s = order.traffic.seconds + 2 * AFTERWARDS_S if web_port is None else MOST_SECONDS
    process = subprocess.Popen(  # noqa: S603 - our own file
        dies_with_parent(command), env=environment, stdout=sys.stderr, start_new_session=True
    )
    before = signal.getsignal(signal.SIGINT)
    if web_port is not None:
        # Locust hears of Ctrl-C as SIGTERM: a KeyboardInterrupt can be lost in one of its greenlets.
        signal.signal(signal.SIGINT, lambda *_: process.terminate())
    try:
        process.wait(limit_s)
    except subprocess.TimeoutExpired as cause:
        raise CoRewardingError(f"the load test did not end within {limit_s:g} s and was stopped") from cause
    finally:
        signal.signal(signal.SIGINT, before)
        process.kill()
        process.wait()
