"""A service, and runs on it that label each other."""

from typing import Any
from uuid import uuid4

import httpx

from tests.support.service import rollout

PATIENT_S = 60.0
SOON_S = 0.5


def body(run: str, rollouts: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """A request about rollouts, of step 0 unless another is said."""
    return {"run": run, "step": 0, "rollouts": rollouts, **more}


class World:
    """A service, and runs on it."""

    def __init__(self, url: str) -> None:
        self.client = httpx.Client(base_url=url, timeout=30.0)

    def put(self, run: str, method: str = "peer-majority", **more: Any) -> str:
        body = {"method": method, "group_size": 3, "cohort_deadline_s": PATIENT_S, **more}
        self.client.put(f"/v1/runs/{run}", json=body).raise_for_status()
        return run

    def two(self, **more: Any) -> tuple[str, str]:
        """Two runs that are each other's peers."""
        name = uuid4().hex[:8]
        one, other = f"a-{name}", f"b-{name}"
        return self.put(one, peers=[other], **more), self.put(other, peers=[one], **more)

    def send(self, run: str, rollouts: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        """Rewards, or the ticket where they are not settled within `wait_s`."""
        sent = body(run, rollouts, wait_s=more.pop("wait_s", 20.0), **more)
        return self.client.post("/v1/rewards", json=sent).raise_for_status().json()

    def pending(self, run: str, rollouts: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        answer = self.send(run, rollouts, wait_s=0.0, **more)
        assert "ticket" in answer, answer
        return answer

    def rewards(self, ticket: str) -> dict[str, Any]:
        """What a ticket comes to."""
        answer = self.client.get(f"/v1/rewards/{ticket}", params={"wait_s": 20.0}).raise_for_status().json()
        assert "rewards" in answer, answer
        return answer

    def waiting(self, ticket: str) -> list[dict[str, Any]]:
        return self.client.get(f"/v1/rewards/{ticket}", params={"wait_s": 0.0}).raise_for_status().json()["waiting_for"]

    def awaited_until_rewarded(self, ticket: str) -> set[str]:
        """What a ticket was seen to wait for, looked at without a pause."""
        seen: set[str] = set()
        while True:
            answer = self.client.get(f"/v1/rewards/{ticket}", params={"wait_s": 0.0}).raise_for_status().json()
            if "rewards" in answer:
                return seen
            seen |= {each["what"] for each in answer["waiting_for"]}

    def answers_by_peer(self, cohort: str) -> dict[str, str]:
        """The answers of each peer whose ballots a cohort shows."""
        ballots = self.client.get(f"/v1/cohorts/{cohort}").raise_for_status().json()["ballots"]
        answers: dict[str, str] = {}
        for ballot in ballots:
            if ballot["voter"] == "peer":
                answers[ballot["peer"]] = answers.get(ballot["peer"], "") + ballot["answer"]
        return answers

    def run(self, run: str) -> dict[str, Any]:
        return self.client.get(f"/v1/runs/{run}").raise_for_status().json()

    def state(self, run: str) -> dict[str, int]:
        return self.run(run)["state"]


def group(answers: str, view: str = "original", **more: Any) -> list[dict[str, Any]]:
    """The rollouts of a view, an answer a character; '-' is none."""
    return [rollout("q", view, n, None if each == "-" else each, **more) for n, each in enumerate(answers)]
