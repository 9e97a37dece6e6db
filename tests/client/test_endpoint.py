"""Where adapters find the service: what would fail in the middle of a training is refused at its start."""

from argparse import Namespace
from collections.abc import Callable

import pytest
from co_rewarding_client import InvalidRequest, slime_settings, tinker_training
from co_rewarding_client.training import RUN_VARIABLE, Endpoint

URL = "http://service"
LONGEST = "r" * 117

ADAPTERS: dict[str, Callable[[str], object]] = {
    "endpoint": lambda run: Endpoint(url=URL, run=run),
    "slime": lambda run: slime_settings.endpoint(Namespace(co_rewarding={"url": URL, "run": run})),
    "tinker": lambda run: tinker_training.Service(url=URL, run=run),
}


@pytest.mark.parametrize("name", ADAPTERS)
def test_a_run_that_cannot_be_evaluated_is_refused_at_the_start_with_the_cure(name: str) -> None:
    ADAPTERS[name](LONGEST)
    for run in (LONGEST + "r", "r" * 128):
        with pytest.raises(InvalidRequest, match=rf"{len(run)} characters.*at most 117.*{RUN_VARIABLE}"):
            ADAPTERS[name](run)


def test_a_run_of_the_environment_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RUN_VARIABLE, LONGEST + "r")
    with pytest.raises(InvalidRequest, match=r"at most 117"):
        Endpoint(url=URL)


@pytest.mark.parametrize("run", ["", "r" * 129, "two words"])
def test_what_names_no_run_is_refused(run: str) -> None:
    with pytest.raises(InvalidRequest, match=r"1 to 128 letters"):
        Endpoint(url=URL, run=run)


def test_the_evaluation_of_a_run_is_named_whole() -> None:
    assert Endpoint(url=URL, run=f"{LONGEST}.evaluation").run == f"{LONGEST}.evaluation"
