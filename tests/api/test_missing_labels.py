"""A cohort says in words why a view has no reward: who elects the label, and what was missing."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
from co_rewarding_schema.run_settings import RunSettings
from co_rewarding_schema.vocabulary import Abstention, View, Voter

from reward_service.api.rewards.missing_labels import why_unlabelled
from reward_service.api.runs.models import BallotDocument
from reward_service.store.records import Rules
from tests.support.service import pair
from tests.support.waiting import wait_until

CASES = [
    ("co-rewarding-i", {}, ["4", "5"], [], "elected by the policy on the paraphrase, which sent no ballot"),
    ("co-rewarding-i", {}, ["4", "5"], [None], "elected by the policy on the paraphrase, which gave no answer"),
    ("majority-voting", {}, [None, None], ["4"], "elected by the policy on the original, which gave no answer"),
    (
        "majority-voting-union", {}, [None], [None],
        "by the policy on the original and the policy on the paraphrase, which gave no answer",
    ),
    ("self-harmony", {}, ["4"], ["5"], "no answer was given on both views"),
    ("majority-voting", {"min_votes": 2}, ["4", "5"], [], "that the run asks for: min_votes 2, min_vote_share 0"),
    ("majority-voting", {"min_vote_share": 0.75}, ["4", "5"], [], "min_votes 1, min_vote_share 0.75"),
    ("soft-majority", {"entropy_high": 0.1}, ["4", "5"], [], "outside of the run's entropy_low to entropy_high"),
    ("ground-truth", {}, ["4"], [], "came with a ground truth"),
    ("entropy", {}, ["4"], [], "a rollout of the group came without it"),
    ("co-rewarding-i", {"quarantine": "own-view"}, ["4"], [], "those who elect the label gave no answer, or too few"),
]  # fmt: skip


def made(client: httpx.Client, **settings: Any) -> str:
    run = f"run-{uuid4().hex[:8]}"
    assert client.put(f"/v1/runs/{run}", json=settings).status_code == 200
    return run


@pytest.mark.parametrize(("method", "settings", "original", "paraphrase", "words"), CASES)
def test_the_reason_names_what_was_missing(
    client: httpx.Client,
    method: str,
    settings: dict[str, Any],
    original: list[str | None],
    paraphrase: list[str | None],
    words: str,
) -> None:
    run = made(client, method=method, **settings)
    body = {"run": run, "rollouts": pair("q", original, paraphrase)}
    unlabelled = client.post("/v1/rewards", json=body).json()["unlabelled"]

    (cohort,) = {each["cohort"] for each in unlabelled if each["view"] == "original"}
    whole = client.get(f"/v1/cohorts/{cohort}").json()
    assert words in whole["unlabelled"]["original"]
    listed = client.get("/v1/cohorts", params={"run": run, "question_id": "q"}).json()["cohorts"]
    assert whole["unlabelled"] in [each["unlabelled"] for each in listed]


def test_a_cohort_that_no_worker_could_settle_says_so() -> None:
    ballots = [
        BallotDocument(
            view=View.ORIGINAL, voter=Voter.POLICY, rollout=0, answer=answer, answer_class=None, counted=True,
            reward=None, abstention=Abstention.EXPIRED,
        )
        for answer in ("4", None)
    ]  # fmt: skip
    rules = Rules.of("majority-voting", RunSettings(method="majority-voting"))

    (why,) = why_unlabelled(rules, ballots).values()

    assert why.startswith("no worker could settle the cohort")
    unanswered = why_unlabelled(rules, ballots[1:])[View.ORIGINAL]
    assert unanswered.startswith("the deadline passed, and the label is elected by the policy on the original")


def test_an_expired_cohort_says_so_and_a_settled_one_says_nothing(client: httpx.Client) -> None:
    run = made(client, method="co-rewarding-i", group_size=2, cohort_deadline_s=0.2)
    part = {"run": run, "step": 1, "complete": False, "wait_s": 0, "rollouts": pair("q", ["4", "4"], [])}
    assert client.post("/v1/rewards", json=part).status_code == 202

    def abstained() -> list[dict[str, str]]:
        cohorts = client.get("/v1/cohorts", params={"run": run, "question_id": "q"}).json()["cohorts"]
        return [cohort["unlabelled"] for cohort in cohorts if cohort["state"] == "abstained"]

    elected = "the label is elected by the policy on the paraphrase, which sent no ballot"
    assert wait_until(abstained) == [{"original": f"the deadline passed, and {elected}"}]
    client.post("/v1/rewards", json={"run": run, "step": 2, "rollouts": pair("q", ["4"], ["4"])})
    latest = client.get("/v1/cohorts", params={"run": run, "question_id": "q", "step": 2}).json()["cohorts"][0]
    assert (latest["state"], latest["unlabelled"]) == ("settled", {})
