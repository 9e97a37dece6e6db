"""Events of runs over HTTP: live, over reconnects, behind keys."""

import contextlib
from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest

from tests.support.events import Event, parsed
from tests.support.service import assert_problem, pair, running

KEY = "a-key-of-the-tests"


class Stream:
    """An open stream of events."""

    def __init__(self, response: httpx.Response) -> None:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        self._pieces = response.iter_bytes()
        self._written = b""
        self.last_id = ""

    def next(self) -> dict[str, list[Event]]:
        """What comes next, until the event that bears the id."""
        while b"event: seen\ndata: []\n\n" not in self._written:
            self._written += next(self._pieces)
        whole, closing, self._written = self._written.partition(b"event: seen\ndata: []\n\n")
        events = parsed(whole + closing)
        self.last_id = events[-1].id or ""
        return {name: [each for each in events if each.name == name] for name in {each.name for each in events}}

    def rest(self) -> None:
        """Wait for its end."""
        for _ in self._pieces:
            pass


@contextlib.contextmanager
def streamed(client: httpx.Client, path: str, last_id: str | None = None) -> Iterator[Stream]:
    headers = {} if last_id is None else {"last-event-id": last_id}
    with client.stream("GET", path, headers=headers, timeout=20.0) as response:
        if response.status_code != 200:
            response.read()
        yield Stream(response)


def made(client: httpx.Client) -> str:
    run = f"run-{uuid4().hex[:8]}"
    client.put(f"/v1/runs/{run}", json={"method": "co-rewarding-i", "group_size": 2}).raise_for_status()
    return run


def step(client: httpx.Client, run: str, number: int) -> None:
    sent = {"run": run, "step": number, "rollouts": pair("q", ["1", "1"], ["1", "2"])}
    client.post("/v1/rewards", json=sent).raise_for_status()


def test_a_run_is_told_as_it_goes_on(client: httpx.Client) -> None:
    run = made(client)
    step(client, run, 1)
    with streamed(client, f"/v1/runs/{run}/events") as stream:
        first = stream.next()
        assert set(first) >= {"fresh", "run", "steps"}
        (signs,) = first["steps"][0].data
        assert signs == client.get(f"/v1/runs/{run}/series").json()["steps"][0]
        (told,) = first["run"][0].data
        known = client.get(f"/v1/runs/{run}").json()
        assert {name: told[name] for name in known} == known
        assert (told["teacher"]["lag"], told["last_used_s"] > 0) == (0, True)
        step(client, run, 2)
        while "steps" not in (later := stream.next()):
            pass
        assert [each["step"] for each in later["steps"][0].data] == [2]
        assert "fresh" not in later


def test_who_comes_again_is_told_what_was_missed(client: httpx.Client) -> None:
    run = made(client)
    step(client, run, 1)
    with streamed(client, f"/v1/runs/{run}/events") as stream:
        while "trouble" not in stream.next():
            pass
    step(client, run, 2)
    with streamed(client, f"/v1/runs/{run}/events", stream.last_id) as stream:
        while "steps" not in (missed := stream.next()):
            assert "fresh" not in missed
        assert "fresh" not in missed
        assert [each["step"] for each in missed["steps"][0].data] == [2]
    with streamed(client, f"/v1/runs/{run}/events", "another-1") as stream:
        whole = stream.next()
    assert [each["step"] for each in whole["steps"][0].data] == [1, 2]
    assert "fresh" in whole


def test_the_list_tells_of_runs_and_of_changes(client: httpx.Client) -> None:
    runs = [made(client) for _ in range(3)]
    with streamed(client, "/v1/events") as stream:
        rows = {row["run"]: row for event in stream.next()["runs"] for row in event.data}
        assert rows.keys() >= set(runs)
        assert rows[runs[0]]["signs"] is None
        step(client, runs[1], 5)
        told: dict[str, object] = {}
        while runs[1] not in told:
            told = {row["run"]: row["signs"] for event in stream.next().get("runs", []) for row in event.data}
        assert told[runs[1]]["step"] == 5  # type: ignore[index]


def test_rewards_whose_sum_no_float_holds_hinder_no_viewer(client: httpx.Client) -> None:
    run = f"run-{uuid4().hex[:8]}"
    client.put(f"/v1/runs/{run}", json={"method": "self-certainty", "group_size": 2}).raise_for_status()
    group = pair("q", ["1", "1"], ["1", "2"])
    sent = [each | {"statistics": {"self_certainty": -1.7e308}} for each in group]
    client.post("/v1/rewards", json={"run": run, "step": 1, "rollouts": sent}).raise_for_status()
    with streamed(client, f"/v1/runs/{run}/events") as stream:
        (signs,) = stream.next()["steps"][0].data
    assert (signs["rollouts"], signs["reward"]) == (4, None)
    told: dict[str, dict[str, list[float | None]]] = {}
    with streamed(client, "/v1/events") as stream:
        while run not in told:
            told |= {row["run"]: row["recent"] for event in stream.next().get("runs", []) for row in event.data}
    assert told[run]["reward"] == [None]
    assert client.get(f"/v1/runs/{run}").json()["signs"] == signs


def test_an_unknown_run_and_an_id_that_is_too_long_are_refused(client: httpx.Client) -> None:
    assert_problem(client.get("/v1/runs/nobody/events"), 404, "nobody")
    assert_problem(client.get("/v1/events", headers={"last-event-id": "x" * 65}), 422, "last-event-id")


@pytest.fixture(scope="module")
def locked_url() -> Iterator[str]:
    with running(api_keys=[KEY]) as supervisor:
        yield supervisor.url


def test_events_need_a_key_and_a_stopping_process_ends_them(locked_url: str) -> None:
    with httpx.Client(base_url=locked_url) as client:
        assert_problem(client.get("/v1/events"), 401)
        assert_problem(client.get("/v1/events", headers={"authorization": "Bearer wrong"}), 403)
        client.headers["authorization"] = f"Bearer {KEY}"
        with streamed(client, "/v1/events") as stream:
            assert "fresh" in stream.next()


def test_a_stream_ends_when_the_service_stops() -> None:
    with contextlib.ExitStack() as stack:
        with running() as supervisor:
            client = stack.enter_context(httpx.Client(base_url=supervisor.url))
            stream = stack.enter_context(streamed(client, "/v1/events"))
            stream.next()
        stream.rest()
