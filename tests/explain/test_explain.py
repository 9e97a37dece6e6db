"""`co-rewarding explain`: why rollouts got their rewards, at a terminal."""

import io
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from rich.console import Console

from reward_service.tools.explain.drawing import picture
from tests.support.rollout_files import co_rewarding
from tests.support.service import pair, running


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running() as service:
        yield service.url


def rewarded(url: str, question: str, step: int, original: list[str | None], paraphrase: list[str | None]) -> Any:
    body = {"step": step, "rollouts": pair(question, original, paraphrase)}
    answer = httpx.post(f"{url}/v1/rewards", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def lines(said: str) -> list[str]:
    return [" ".join(line.split()) for line in said.splitlines()]


def test_a_question_s_latest_step_and_a_step_that_is_named(url: str) -> None:
    answer = rewarded(url, "voted", 1, ["4", "5"], ["4.0", "\\frac{8}{2}"])
    rewarded(url, "voted", 2, ["7"], ["7"])

    latest = co_rewarding("explain", "voted", "--url", url)
    named = co_rewarding("explain", "voted", "--url", url, "--step", "1")

    assert latest.exit_code == named.exit_code == 0, latest.output + named.output
    assert lines(latest.stdout)[0] == "question voted, step 2, run default"
    assert lines(named.stdout)[:5] == [
        "question voted, step 1, run default",
        "co-rewarding-i, settled",
        f"{url}/#/cohorts/{answer['labels'][0]['cohort']}",
        "the original has the label 4.0: by the policy on the paraphrase, 2 of 2 votes",
        "the paraphrase has the label 4: by the policy on the original, 1 of 2 votes",
    ]
    assert lines(named.stdout)[8:12] == [
        "original 0 4 1 equals the label",
        "original 1 5 0 differs from the label",
        "paraphrase 0 4.0 1 equals the label",
        "paraphrase 1 \\frac{8}{2} 1 equals the label",
    ]
    assert "step 2" not in named.stdout
    with_password = co_rewarding("explain", "voted", "--url", url.replace("//", "//x:secret@"), "--step", "1")
    assert with_password.stdout == named.stdout


def test_the_cohort_that_an_answer_names_for_a_view_without_a_label(url: str) -> None:
    (unlabelled,) = rewarded(url, "lone", 1, ["4", None], [])["unlabelled"]

    shown = co_rewarding("explain", unlabelled["cohort"], "--url", url)

    assert shown.exit_code == 0, shown.output
    words = " ".join(lines(shown.stdout))
    assert "the original has no reward: the label is elected by the policy on the paraphrase, which sent no" in words
    assert "original 0 4 – no-label original 1 none – no-label" in words


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["absent"], "run default keeps no cohort of a question 'absent', and no cohort has that id"),
        (["default~absent.0"], "run default keeps no cohort of a question 'default~absent.0'"),
        (["absent", "--step", "3"], "of a question 'absent' in step 3"),
        (["absent", "--run", "nobody"], "there is no run 'nobody': make it with PUT /v1/runs/nobody"),
    ],
)
def test_what_is_not_kept_is_told(url: str, words: list[str], said: str) -> None:
    ended = co_rewarding("explain", *words, "--url", url)

    assert ended.exit_code == 2
    assert said in ended.stderr


def ballot(**more: Any) -> dict[str, Any]:
    same = {"view": "original", "voter": "policy", "rollout": 0, "answer": "4", "answer_class": "4", "counted": True}
    return {**same, "reward": 0.0, "abstention": None, **more}


def cohort(*ballots: dict[str, Any], **more: Any) -> dict[str, Any]:
    label = {"view": "original", "answer": "4", "votes": 1, "of": 2, "voter": "policy", "voted_on": ["original"]}
    head = {"cohort": "r~c", "run": "r", "question_id": "q", "step": None, "attempt": 2, "method": "majority-voting"}
    return {**head, "state": "settled", "labels": [label], "ballots": list(ballots), **more}


def drawn(told: dict[str, Any]) -> str:
    out = io.StringIO()
    Console(file=out, width=80).print(picture(told, "http://h:1/"))
    return out.getvalue()


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (cohort(ballot(answer=None, answer_class=None)), "no answer was found in the response"),
        (cohort(ballot(counted=False)), "equals the label; late or replaced, so without a vote"),
        (cohort(ballot(reward=None, voter="teacher")), "the teacher votes and earns nothing"),
        (cohort(ballot(reward=None), state="open", labels=[]), "the cohort is open"),
        (cohort(ballot(), labels=[], method="format"), "format elects no label"),
        (cohort(ballot()), "without a step, attempt 2, run r"),
    ],
)
def test_each_reward_has_a_reason(told: dict[str, Any], said: str) -> None:
    assert said in " ".join(lines(drawn(told)))


def test_a_long_or_hostile_answer_fits_and_moves_no_cursor() -> None:
    said = drawn(cohort(ballot(answer="\x1b[2J" + "9" * 500, rollout=None)))

    assert "\x1b" not in said
    assert "\\x1b[2J9" in said
    assert max(map(len, said.splitlines())) <= 80
    assert said.count("9") == 500
