"""Labels and rewards that the service answers are those of the specification, by every route, on one and two workers.

2,000 drawn cohorts in all: whole batches with the ballots of all voters, parts in any order, and OpenRLHF's calls.
"""

import json
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, NamedTuple

import httpx
import pytest
from co_rewarding_schema.methods import METHODS

from tests.contract.election_model import ALL_METHODS, Elected, settle
from tests.methods.drawn_cohorts import LETTER_OF, VIEW_OF, DrawnCohort, Shape, draw_cohort, draw_needs
from tests.support.service import running

RUNS = 2
"""Runs of each method and route, each with settings of its own."""
QUESTIONS = 13
MOST_OF_A_PART = 40
"""Rollouts of a request."""
JOINED = [name for name in ALL_METHODS if METHODS[name].is_joined]
DEADLINE_S = 0.3


@pytest.fixture(scope="module", params=[1, 2], ids=["one worker", "two workers"])
def client(request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    with running(workers=request.param) as supervisor, httpx.Client(base_url=supervisor.url, timeout=60.0) as client:
        yield client


Seat = tuple[DrawnCohort, int]
"""A rollout by its place in its cohort."""
Told = dict[str, list[tuple[float | None, str | None]]]
"""The reward of each rollout of a question, or the reason why there is none."""


class DrawnRun(NamedTuple):
    """A run with its cohorts, and whose chance it is."""

    name: str
    cohorts: Sequence[DrawnCohort]
    rng: Random


def make_run(client: httpx.Client, method: str, route: str, number: int, **more: Any) -> DrawnRun:
    """A run of this method with drawn settings, and the cohorts that are to be sent to it."""
    rng = Random(f"{route} of {method}: {number}")
    needs = draw_needs(rng)
    size = None if route == "whole" else rng.randint(1, 5)
    shape = Shape(size, is_served=True)
    cohorts = [draw_cohort(rng, method, f"q{place}", needs, shape) for place in range(QUESTIONS)]
    settings = {
        "method": method,
        "group_size": size or 8,
        "min_votes": needs.votes,
        "min_vote_share": needs.share,
        "verified_weight": needs.verified_weight,
        "entropy_low": needs.entropy_low,
        "entropy_high": needs.entropy_high,
        "stability_lambda": needs.stability_lambda,
        "stability_window": needs.stability_window,
        "peers": ["other"] if METHODS[method].needs_peers else [],
    }
    name = f"{method}.{route}.{number}"
    if route != "whole":
        cohorts = [cohort.apart() for cohort in cohorts]
        if METHODS[method].needs_peers:
            settings["peers"] = [f"{name}.peer"]
            client.put(f"/v1/runs/{name}.peer", json={"method": "majority-voting"}).raise_for_status()
    client.put(f"/v1/runs/{name}", json=settings | more).raise_for_status()
    return DrawnRun(name, cohorts, rng)


def answer_as_peer(client: httpx.Client, run: DrawnRun) -> None:
    """The peer's trainer sends its rollouts of the same questions in the same step."""
    sent = [
        cohort._replace(votes=cohort.others).on_wire(place, voter="policy")
        for cohort in run.cohorts
        for place in range(len(cohort.others))
    ]
    if sent:
        post(client, "/v1/rewards", {"run": f"{run.name}.peer", "step": 1, "rollouts": sent})


def labels_in(labels: Sequence[dict[str, Any]], question: str) -> dict[str, Elected]:
    """The labels of a question in an answer."""
    return {
        LETTER_OF[label["view"]]: Elected(label["answer"], label["votes"], label["of"])
        for label in labels
        if label["question_id"] == question
    }


def post(client: httpx.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def part(run: DrawnRun, sent: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {"run": run.name, "step": 1, "complete": False, "wait_s": 0, "rollouts": sent}


def collect(client: httpx.Client, ticket: str) -> dict[str, Any]:
    """The rewards of a ticket."""
    answer = client.get(f"/v1/rewards/{ticket}", params={"wait_s": 30})
    assert answer.status_code == 200, answer.text
    return answer.json()


def note(told: Told, seats: Sequence[Seat], answer: dict[str, Any]) -> None:
    """Note what an answer says of these rollouts."""
    for (cohort, place), reward, why in zip(seats, answer["rewards"], answer["abstentions"], strict=True):
        told[cohort.question][place] = reward, why


def assert_as_specified(run: DrawnRun, told: Told, labels: Sequence[dict[str, Any]], *, expired: bool = False) -> None:
    """What each rollout was told, and the labels, are the specification's."""
    for cohort in run.cohorts:
        expected = settle(cohort.method, cohort.votes, cohort.needs, expired=expired, teachers=cohort.others)
        assert labels_in(labels, cohort.question) == expected.labels, cohort
        rewards, reasons = (list(each) for each in zip(*told[cohort.question], strict=True))
        assert reasons == expected.reasons, cohort
        if cohort.method == "random":
            assert set(rewards) <= {0.0, 1.0}
        else:
            assert rewards == pytest.approx(expected.rewards, abs=1e-12), cohort


def shuffled(run: DrawnRun) -> tuple[list[Seat], Told]:
    """All rollouts of the run's cohorts, in any order, and what each of them is told: nothing yet."""
    seats = [(cohort, place) for cohort in run.cohorts for place in range(len(cohort.votes))]
    run.rng.shuffle(seats)
    return seats, {cohort.question: [(None, None)] * len(cohort.votes) for cohort in run.cohorts}


@pytest.mark.parametrize("method", ALL_METHODS)
def test_whole_batches(client: httpx.Client, method: str) -> None:
    for number in range(RUNS):
        run = make_run(client, method, "whole", number)
        seats, told = shuffled(run)
        sent = [cohort.on_wire(place) for cohort, place in seats]
        answer = post(client, "/v1/rewards", {"run": run.name, "step": 1, "rollouts": sent})
        note(told, seats, answer)
        assert_as_specified(run, told, answer["labels"])


@pytest.mark.parametrize("method", JOINED)
def test_parts(client: httpx.Client, method: str) -> None:
    for number in range(RUNS):
        run = make_run(client, method, "parts", number)
        left, told = shuffled(run)
        if number % 2:  # else the peer is the slower one
            answer_as_peer(client, run)
        tickets: list[tuple[str, list[Seat]]] = []
        while left:
            size = run.rng.randint(1, MOST_OF_A_PART)
            seats, left = left[:size], left[size:]
            sent = [cohort.on_wire(place) for cohort, place in seats]
            ticket = client.post("/v1/rollouts", json=part(run, sent)).raise_for_status()
            tickets.append((ticket.json()["ticket"], seats))
        if not number % 2:
            answer_as_peer(client, run)
        labels: list[dict[str, Any]] = []
        for ticket, seats in tickets:
            answer = collect(client, ticket)
            note(told, seats, answer)
            labels += answer["labels"]
        assert_as_specified(run, told, labels)


@pytest.mark.parametrize("method", JOINED)
def test_groups_that_stay_short_until_the_deadline(client: httpx.Client, method: str) -> None:
    run = make_run(client, method, "short", 0, group_size=6, cohort_deadline_s=DEADLINE_S)
    _, told = shuffled(run)
    answer_as_peer(client, run)
    labels: list[dict[str, Any]] = []
    tickets: list[str] = []
    for cohort in run.cohorts:  # each in one request, so that no ballot comes late
        sent = [cohort.on_wire(place) for place in range(len(cohort.votes))]
        tickets.append(client.post("/v1/rollouts", json=part(run, sent)).raise_for_status().json()["ticket"])
    for cohort, ticket in zip(run.cohorts, tickets, strict=True):
        answer = collect(client, ticket)
        note(told, [(cohort, place) for place in range(len(cohort.votes))], answer)
        labels += answer["labels"]
    assert_as_specified(run, told, labels, expired=True)


@pytest.mark.parametrize("is_indexed", [True, False], ids=["with indices", "without"])
@pytest.mark.parametrize("method", JOINED)
def test_openrlhf_calls(client: httpx.Client, method: str, *, is_indexed: bool) -> None:
    run = make_run(client, method, "openrlhf", is_indexed)
    if not is_indexed:
        nameless = [[vote._replace(rollout=None) for vote in cohort.votes] for cohort in run.cohorts]
        run = run._replace(cohorts=[each._replace(votes=v) for each, v in zip(run.cohorts, nameless, strict=True)])
    seats, told = shuffled(run)
    queries: list[str] = []
    names: list[str] = []
    for cohort, place in seats:
        sent = cohort.on_wire(place)
        size = sum(vote.view == "o" for vote in cohort.votes)
        label = {"run": run.name, "step": 1, "question_id": cohort.question, "view": sent["view"], "n": size}
        label |= {name: sent[name] for name in ("rollout", "evidence", "ground_truth") if name in sent}
        queries.append(f"Solve it. {sent['response']}")
        names.append(json.dumps(label))
    answer_as_peer(client, run)
    prompts = ["Solve it."] * len(seats)
    answer = post(client, "/get_reward", {"query": queries, "prompts": prompts, "labels": names})
    gone = [bool(each) for each in answer["extra_logs"]["abstained"]]
    rewards = [None if out else reward for out, reward in zip(gone, answer["rewards"], strict=True)]
    explained = {name: client.get(f"/v1/cohorts/{name}").raise_for_status().json() for name in answer["cohorts"]}
    abstentions = [
        next(b["abstention"] for b in explained[name]["ballots"] if b["view"] == VIEW_OF[cohort.votes[place].view])
        for (cohort, place), name in zip(seats, answer["cohorts"], strict=True)
    ]
    note(told, seats, {"rewards": rewards, "abstentions": abstentions})
    assert_as_specified(run, told, [label for each in explained.values() for label in each["labels"]])
