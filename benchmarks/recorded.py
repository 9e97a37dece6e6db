"""Read batches of responses from a file of rollouts, or make responses as a model writes them."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec

from reward_service.domain.extraction import last_boxed
from reward_service.tools.loadtest.workload import (
    FIRST_NUMBER,
    MARKER,
    STEP_MARKER,
    Template,
    WrongAnswerError,
    step_of,
)

ROLLOUTS = 256


class _BatchAnswer(msgspec.Struct):
    rewards: list[float | None]


def questions_in(file: Path) -> list[list[str]]:
    """The responses of a file; a row is a question with a list of its rollouts, each with its `response`."""
    return [[rollout["response"] for rollout in json.loads(row)["rollouts"]] for row in file.read_text().splitlines()]


class Recorded:
    """POST /v1/rewards under majority-voting, with as many whole questions as fit into 256 rollouts.

    The expected rewards come from a vote by string: equal answers must be written alike (those of one policy mostly
    are).
    """

    cohort = 1

    def __init__(self, name: str, questions: Sequence[Sequence[str]], route: str = "/v1/rewards") -> None:
        """Makes the requests of the responses of each question."""
        self.name = name
        self.route = route
        self._questions = questions
        size = ROLLOUTS // len(questions[0])
        self.rollouts = size * len(questions[0])
        whole = [questions[at : at + size] for at in range(0, len(questions) - size + 1, size)]
        bodies = [self._body(batch) for batch in whole]
        self._rewards = [[reward for question in batch for reward in _rewards(question)] for batch in whole]
        self.body_bytes = round(sum(map(len, bodies)) / len(bodies))
        self._templates = [Template.of(route, body) for body in bodies]
        self._decode = msgspec.json.Decoder(_BatchAnswer).decode

    def on(self, route: str) -> "Recorded":
        """The same requests to another route."""
        return Recorded(self.name, self._questions, route)

    def request(self, index: int) -> bytes:
        """The request of that index: its step is new, so that its cohorts are."""
        return self._templates[index % len(self._templates)].filled(FIRST_NUMBER + index, step_of(index, self.rollouts))

    def check(self, index: int, body: bytes) -> None:
        """Every reward.

        Raises:
            WrongAnswerError: one of them is wrong.
        """
        rewards = self._decode(body).rewards
        if rewards != self._rewards[index % len(self._templates)]:
            raise WrongAnswerError(f"{self.name}: rewards are {rewards}")

    def _body(self, batch: Sequence[Sequence[str]]) -> bytes:
        rollouts = [
            {"question_id": f"{MARKER}/{number}", "view": "original", "rollout": index, "response": response}
            for number, question in enumerate(batch)
            for index, response in enumerate(question)
        ]
        body = {"step": int(STEP_MARKER), "method": "majority-voting", "complete": True, "rollouts": rollouts}
        return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()


def _rewards(question: Sequence[str]) -> list[float]:
    """Rewards by the most frequent answer, as a text; a tie goes to the answer that came first."""
    answers = [last_boxed(response) for response in question]
    votes = Counter(answer for answer in answers if answer is not None)
    label = max(votes, key=lambda answer: (votes[answer], -answers.index(answer)))
    return [float(answer == label) for answer in answers]
