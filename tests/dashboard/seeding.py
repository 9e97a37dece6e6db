"""Runs to look at: one that collapses, one that holds, one with hostile texts, and paraphrases."""

import random
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import httpx
from co_rewarding_schema.limits import MAX_ID_CHARS

from tests.api.paraphrase_jobs import JOBS, made
from tests.support.service import rollout

STEPS, QUESTIONS, GROUP = 40, 6, 8


def run(client: httpx.Client, name: str, **settings: Any) -> str:
    """Makes a run, and returns its name."""
    asked = {"method": "majority-voting", "group_size": GROUP, "history": True} | settings
    client.put(f"/v1/runs/{name}", json=asked).raise_for_status()
    return name


def scored(client: httpx.Client, name: str, step: int, rollouts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Rewards of a step."""
    answer = client.post("/v1/rewards", json={"run": name, "step": step, "rollouts": rollouts})
    answer.raise_for_status()
    return answer.json()


def trained(client: httpx.Client, name: str, sure: float, wrong: float, steps: int = STEPS) -> str:
    """A run whose policy grows sure: of the truth, and to the share `wrong` of one answer to everything."""
    rng = random.Random(f"{sure} {wrong}")
    run(client, name, method="majority-voting")
    for step in range(steps):
        gone = step / max(1, steps - 1)
        rollouts = []
        for question in range(QUESTIONS):
            truth = str(10 + question)
            for view in ("original", "paraphrase"):
                for index in range(GROUP):
                    drawn = rng.random()
                    known = truth if drawn < sure + gone * (1 - sure) else str(rng.randrange(90, 99))
                    answer = "7" if drawn < wrong * gone else known
                    rollouts.append(rollout(f"math/{question}", view, index, answer, ground_truth=truth))
        scored(client, name, step, rollouts)
    return name


def seeded(client: httpx.Client) -> dict[str, str]:
    """All runs, by what they are."""
    mark = uuid4().hex[:4]
    return {
        "collapsing": trained(client, f"collapsing-{mark}", sure=0.5, wrong=0.95),
        "steady": trained(client, f"steady-{mark}", sure=0.5, wrong=0.0),
    }


def hostile(client: httpx.Client, name: str, texts: Sequence[str]) -> str:
    """A run with each text as a question's id, if it may be one, and with all as answers of one cohort: its name."""
    run(client, name, group_size=1)
    ids = [text for text in texts if len(text) <= MAX_ID_CHARS]
    for first in range(0, len(ids), 50):
        some = [rollout(text, "original", 0, "4", ground_truth=text) for text in ids[first : first + 50]]
        scored(client, name, 1, some)
    run(client, name, group_size=len(texts))
    answers = [rollout("all", "original", at, None, ground_truth=text) for at, text in enumerate(texts)]
    for each, text in zip(answers, texts, strict=True):
        each["response"] = f"\\boxed{{{text}}}"
    return scored(client, name, 2, answers)["labels"][0]["cohort"]


def paraphrased(client: httpx.Client, questions: Sequence[str]) -> str:
    """A job of questions."""
    asked = [{"question_id": f"q{n}", "question": text} for n, text in enumerate(questions)]
    return made(client.post(JOBS, json={"questions": asked, "fallback": "leave-out"}))
