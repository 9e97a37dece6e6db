"""A service's log is JSON lines whatever happens, its libraries' too; and nobody can fill it by sending rubbish."""

import inspect
import json
import re
import socket
import subprocess
import sys

import httpx
from uvicorn.protocols.http import httptools_impl

from reward_service.serving.api_process import NO_NEWS
from tests.support.started import CLI, started
from tests.support.waiting import wait_until

LIBRARY = """
import logging
from reward_service.logs import configure_logging
configure_logging(as_json=True, level="WARNING")
configure_logging(as_json=True, level="WARNING")
logging.getLogger("a.library").info("nothing")
logging.getLogger("a.library").warning("%d%% is\\nmuch", 90)
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("a.library").exception("oh")
"""


def test_what_libraries_log_is_in_the_log_s_own_form() -> None:
    done = subprocess.run([sys.executable, "-c", LIBRARY], capture_output=True, text=True, check=True)
    warning, error = (json.loads(line) for line in done.stderr.splitlines())
    assert (warning["logger"], warning["level"], warning["event"]) == ("a.library", "warning", "90% is\nmuch")
    assert (error["level"], error["event"]) == ("error", "oh")
    assert "ZeroDivisionError" in error["exception"]


def test_what_the_log_leaves_out_is_what_the_server_says() -> None:
    source = inspect.getsource(httptools_impl)
    assert all(words in source for words in NO_NEWS)


def listens(port: int) -> bool:
    with socket.socket() as raw:
        return raw.connect_ex(("127.0.0.1", port)) == 0


def test_rubbish_is_counted_and_not_logged() -> None:
    with started([*CLI, "serve", "--port", "0"], CO_REWARDING_LOG_JSON="true") as one:
        wait_until(lambda: "worker ready" in one.said, 60.0)
        found = re.search(r"http://127\.0\.0\.1:(\d+)", one.said)
        assert found is not None
        wait_until(lambda: listens(int(found[1])), every_s=0.1)

        def counted() -> bool:
            with socket.create_connection(("127.0.0.1", int(found[1])), timeout=30.0) as raw:
                raw.sendall(b"no HTTP at all\r\n\r\n")
                assert b"400" in raw.recv(100)
            return 'connections_closed_total{reason="malformed"}' in httpx.get(f"{found[0]}/metrics").text

        wait_until(counted, every_s=0.1)
        one.process.terminate()
        one.process.wait(60)
        wait_until(lambda: not one.living())
        _banner, *lines = one.said.splitlines()
    assert "Invalid HTTP" not in one.said
    assert all(json.loads(line)["event"] for line in lines)
