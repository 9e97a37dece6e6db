"""What a user would write instead: FastAPI, a dictionary of cohorts, and nothing that outlives the process.

Answers are equal where their texts are, and a cohort that never fills waits for ever.
Run as a process of its own: `python -m benchmarks.in_memory SOCKET_FD`.
"""

import asyncio
import json
import sys
from collections import Counter, defaultdict
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from benchmarks.noop import serve

VIEWS = ("original", "paraphrase")
BOX = "\\boxed{"


class Query(BaseModel):
    """A request as OpenRLHF sends it."""

    query: list[str]
    prompts: list[str]
    labels: list[str]


class Cohort:
    """The answers of a question by view, and whether all have come."""

    def __init__(self) -> None:
        """Nothing has come."""
        self.answers: dict[str, list[str | None]] = defaultdict(list)
        self.whole = asyncio.Event()


def app_of() -> FastAPI:
    """One endpoint, and the cohorts that it waits for."""
    app = FastAPI()
    cohorts: dict[str, Cohort] = defaultdict(Cohort)

    @app.post("/get_reward")
    async def get_reward(form: Query) -> dict[str, Any]:
        label = json.loads(form.labels[0])
        question, view, size = label["question_id"], label["view"], label["n"]
        answer = boxed(form.query[0][len(form.prompts[0]) :])
        cohort = cohorts[question]
        cohort.answers[view].append(answer)
        if all(len(cohort.answers[each]) == size for each in VIEWS):
            del cohorts[question]
            cohort.whole.set()
        await cohort.whole.wait()
        votes = Counter(each for other in VIEWS if other != view for each in cohort.answers[other] if each is not None)
        winner, count = votes.most_common(1)[0]
        reward = float(answer == winner)
        return {"rewards": reward, "scores": reward, "extra_logs": {"vote_share": count / size}}

    return app


def boxed(text: str) -> str | None:
    """What stands in the last box."""
    start = text.rfind(BOX) + len(BOX)
    depth = 1
    for end in range(start, len(text) if start >= len(BOX) else 0):
        depth += (text[end] == "{") - (text[end] == "}")
        if depth == 0:
            return text[start:end]
    return None


if __name__ == "__main__":
    serve(app_of(), int(sys.argv[1]))
