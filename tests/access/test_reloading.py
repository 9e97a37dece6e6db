"""The file of keys is taken again while the service runs: at once, and never when it is wrong."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from reward_service.serving.supervisor import Supervisor
from tests.access.keys_files import bearer, entry, key_of, written
from tests.support.service import running
from tests.support.waiting import wait_until

WITHIN_S = 2.0
"""How soon another file counts, as docs/security.md says; a machine that others use is given twice as long."""

GIVEN_S = 2 * WITHIN_S


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return written(tmp_path / "keys.toml", entry("operator", ["read", "admin"]), entry("team", ["score", "read"]))


@pytest.fixture
def service(keys: Path) -> Iterator[Supervisor]:
    with running(api_keys_file=keys, api_processes=2) as supervisor:
        yield supervisor


def statuses(service: Supervisor, name: str, times: int = 6) -> set[int]:
    """The answers to requests over connections of their own: those of every process."""
    return {httpx.get(f"{service.url}/v1/runs", headers=bearer(name)).status_code for _ in range(times)}


def soon(look: Callable[[], bool]) -> None:
    wait_until(look, GIVEN_S, every_s=0.05)


def test_keys_come_and_go_without_a_restart(service: Supervisor, keys: Path) -> None:
    assert statuses(service, "team") == {200}
    assert statuses(service, "new") == {403}
    written(keys, entry("operator", ["read", "admin"]), entry("new", ["read"]))
    soon(lambda: statuses(service, "team") == {403} and statuses(service, "new") == {200})
    assert statuses(service, "operator") == {200}


def test_other_scopes_and_quotas_count_for_the_same_key(service: Supervisor, keys: Path) -> None:
    written(keys, entry("operator", ["read"]), entry("team", ["score"]))
    soon(lambda: statuses(service, "team") == {403})
    assert statuses(service, "operator") == {200}


def test_the_log_names_the_keys_that_may_do_something_else(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    runs = '[[runs]]\nprefix = "a."\nquotas = { open_cohorts = 5 }\n'
    keys = written(tmp_path / "keys.toml", entry("same", ["read"]), entry("other", ["read"]), entry("gone", ["read"]))
    with running(api_keys_file=keys, log_json=True, log_level="INFO"):
        written(keys, entry("same", ["read"]), entry("other", ["score"]), entry("new", ["read"]), runs)
        told: list[str] = []

        def logged() -> list[dict[str, object]]:
            told.append(capfd.readouterr().err)
            return [json.loads(line) for line in "".join(told).splitlines() if '"other keys"' in line]

        wait_until(lambda: bool(logged()), every_s=0.05)
        (line,) = logged()
    assert (line["added"], line["removed"], line["changed"]) == (["new"], ["gone"], ["other"])
    assert line["run_quotas_changed"] is True


def test_a_link_that_is_swapped_as_kubernetes_does(tmp_path: Path) -> None:
    """A mounted secret is a link to `..data/keys`, and `..data` is a link that is renamed over."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        written(tmp_path / name / "keys", entry(name, ["read"]))
    (tmp_path / "..data").symlink_to("one")
    (tmp_path / "keys").symlink_to("..data/keys")
    with running(api_keys_file=tmp_path / "keys") as service:
        assert statuses(service, "one") == {200}
        (tmp_path / "..new").symlink_to("two")
        (tmp_path / "..new").rename(tmp_path / "..data")
        soon(lambda: statuses(service, "one") == {403})
        assert statuses(service, "two") == {200}


@pytest.mark.parametrize("broken", ["", "[[keys]]\nname = 'x'\nscopes = ['rite']\n", "[[keys", None])
def test_a_wrong_file_leaves_the_keys_of_before(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], broken: str | None
) -> None:
    keys = written(tmp_path / "keys.toml", entry("team", ["read"]))
    with running(api_keys_file=keys, log_json=True) as service:
        assert statuses(service, "team") == {200}
        if broken is None:
            keys.unlink()
        else:
            keys.write_text(broken)
        told = ""

        def logged() -> bool:
            nonlocal told
            told += capfd.readouterr().err
            return "the keys of before stay" in told

        wait_until(logged, every_s=0.05)
        assert str(keys) in told
        assert key_of("team") not in told
        assert statuses(service, "team") == {200}
        written(keys, entry("next", ["read"]))
        soon(lambda: statuses(service, "team") == {403} and statuses(service, "next") == {200})


def test_a_viewer_goes_with_its_key_and_a_held_rollout_is_answered(service: Supervisor, keys: Path) -> None:
    ended_s: list[float] = []
    began = threading.Event()

    def view() -> None:
        with httpx.stream("GET", f"{service.url}/v1/events", headers=bearer("team"), timeout=30.0) as stream:
            try:
                for _ in stream.iter_bytes():
                    began.set()
            except httpx.RemoteProtocolError:  # an answer without an end
                ended_s.append(time.monotonic())

    answers: list[httpx.Response] = []
    single = {
        "query": ["p \\boxed{1}"],
        "prompts": ["p"],
        "labels": ['{"question_id": "q", "view": "original", "n": 2}'],
    }

    def send(name: str) -> None:
        answers.append(httpx.post(f"{service.url}/get_reward", json=single, headers=bearer(name), timeout=60.0))

    viewing, holding = threading.Thread(target=view), threading.Thread(target=send, args=("team",))
    viewing.start()
    holding.start()
    assert began.wait(20.0)

    def is_open() -> bool:
        runs = httpx.get(f"{service.url}/v1/runs", headers=bearer("operator")).json()["runs"]
        return any(run["state"]["open"] for run in runs)

    wait_until(is_open)
    changed_s = time.monotonic()
    written(keys, entry("operator", ["read", "score"]))
    viewing.join(20.0)
    assert ended_s
    assert ended_s[0] - changed_s < GIVEN_S
    assert holding.is_alive()

    def complete(label: str) -> None:
        def is_let_in() -> bool:  # a process that has not taken the file yet refuses the operator
            more = {**single, "labels": [label]}
            answer = httpx.post(f"{service.url}/get_reward", json=more, headers=bearer("operator"), timeout=60.0)
            return answer.status_code != 403

        wait_until(is_let_in)

    for label in other_labels():
        threading.Thread(target=complete, args=(label,), daemon=True).start()
    holding.join(60.0)
    assert [answer.status_code for answer in answers] == [200]


def other_labels() -> list[str]:
    """Those that complete the cohort of the held rollout: the second of its view, and two of the other view."""
    views = ["original", "paraphrase", "paraphrase"]
    return [f'{{"question_id": "q", "view": "{view}", "n": 2}}' for view in views]
