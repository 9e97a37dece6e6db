"""`co-rewarding status`: what a real service says of itself, and a picture that fits 80 columns."""

import io
import os
import signal
import subprocess

from rich.console import Console

from reward_service.tools.status.drawing import picture
from reward_service.tools.status.figures import Figures
from tests.support.interrupting import COMMAND
from tests.support.ports import free_port
from tests.support.service import running
from tests.support.waiting import wait_until

RUN = "r" * 117
TOLD = f"""
# TYPE co_rewarding_processes gauge
co_rewarding_processes{{role="api"}} 2.0
# TYPE co_rewarding_process_restarts_total counter
co_rewarding_process_restarts_total{{role="api"}} 123456.0
co_rewarding_process_restarts_total{{role="store"}} 3.0
# TYPE co_rewarding_process_start_time_seconds gauge
co_rewarding_process_start_time_seconds{{role="api"}} 1.0
co_rewarding_process_start_time_seconds{{role="store"}} 1.0
# TYPE co_rewarding_process_resident_bytes gauge
co_rewarding_process_resident_bytes{{role="api"}} 1.5e+11
# TYPE co_rewarding_process_cpu_seconds_total counter
co_rewarding_process_cpu_seconds_total{{role="api"}} 7200.0
# TYPE co_rewarding_store_up gauge
co_rewarding_store_up 1.0
# TYPE co_rewarding_store_uptime_seconds gauge
co_rewarding_store_uptime_seconds 7205.0
# TYPE co_rewarding_store_bytes gauge
co_rewarding_store_bytes 2e+06
# TYPE co_rewarding_workers gauge
co_rewarding_workers 4.0
# TYPE co_rewarding_workers_lost_total counter
co_rewarding_workers_lost_total 2.0
# TYPE co_rewarding_waiting gauge
co_rewarding_waiting{{run="a",what="queued"}} 5.0
co_rewarding_waiting{{run="b",what="queued"}} 7.0
co_rewarding_waiting{{run="b",what="teacher"}} 1.0
# TYPE co_rewarding_oldest_job_seconds gauge
co_rewarding_oldest_job_seconds{{run="a"}} 61.0
co_rewarding_oldest_job_seconds{{run="b"}} 3.0
# TYPE co_rewarding_teachers gauge
co_rewarding_teachers{{run="{RUN}",waiting_for="nothing"}} 1.0
co_rewarding_teachers{{run="{RUN}",waiting_for="weights"}} 2.0
# TYPE co_rewarding_teachers_lost_total counter
co_rewarding_teachers_lost_total{{run="{RUN}"}} 1.0
"""


def drawn(text: str, *, ready: bool = True) -> list[str]:
    console = Console(file=io.StringIO(), width=80)
    console.print(picture(Figures(text), "co-rewarding 1 at http://a", ready=ready))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def cells(lines: list[str], first: str) -> list[str]:
    """The words of the line that begins so."""
    (line,) = (line for line in lines if line.split()[:1] == [first])
    return line.split()


def test_the_picture_says_what_the_metrics_say() -> None:
    lines = drawn(TOLD)
    assert max(map(len, lines)) <= 80
    assert cells(lines, "api")[1:3] == ["2", "123,456"]
    assert cells(lines, "api")[-4:] == ["150.0", "GB", "2", "h"]
    assert cells(lines, "store")[1:3] == ["-", "3"]
    assert "store: answers, runs for 2 h, holds 2.0 MB" in lines
    assert "workers at this store: 4 seen in the last 10 s, 2 lost so far" in lines
    said = " ".join(" ".join(lines).split())
    assert "waiting: 12 jobs for a worker, the oldest for 1 min; 0 cohorts open; 1 for teacher" in said
    (teachers,) = (line.split() for line in lines if line.strip().startswith("rrr") and "3" in line.split())
    assert teachers[1:] == ["3", "1", "-", "-", "-"]


def test_a_store_that_is_away_is_told_and_nothing_made_up() -> None:
    lines = drawn("# TYPE co_rewarding_store_up gauge\nco_rewarding_store_up 0.0\n", ready=False)
    assert "store: does not answer; what waits there is not known" in lines
    assert not any("workers" in line for line in lines)
    assert any("NOT able to serve" in line for line in lines)


def test_a_service_is_shown_with_its_restarts() -> None:
    with running(api_keys=["secret"]) as supervisor:

        def shown(*words: str) -> subprocess.CompletedProcess[str]:
            environment = os.environ | {"COLUMNS": "80"}
            words = (*COMMAND, "status", "--url", supervisor.url, *words)
            return subprocess.run(words, capture_output=True, text=True, env=environment, timeout=60, check=False)

        refused = shown()
        assert refused.returncode == 2
        assert len(refused.stderr.splitlines()) == 1
        (pid,) = supervisor.pids("worker")
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: supervisor.pids("worker") not in ([], [pid]))
        done = shown("--api-key", "secret")
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        assert "able to serve" in done.stdout
        assert cells(done.stdout.splitlines(), "worker")[1:3] == ["1", "1"]
        in_url = shown("--url", supervisor.url.replace("//", "//x:secret@"))
        assert (in_url.returncode, in_url.stderr) == (0, "")
        assert supervisor.url in in_url.stdout
        assert "secret" not in in_url.stdout


def test_no_service_is_a_line() -> None:
    words = (*COMMAND, "status", "--url", f"http://x:secret@127.0.0.1:{free_port()}")
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "the service at http://127.0.0.1" in line
    assert "secret" not in line
