"""Build requests that are never the same twice, and the answers that must come back.

A request is made once, with a marker wherever a number stands that is new each time (in the question's id and every
boxed answer), and is sent by joining its pieces with that number: one copy, so the generator stays cheap.
"""

import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
from co_rewarding_schema.methods import DEFAULT_METHOD

from reward_service.tools.loadtest.texts import json_size, prompt, response

VIEWS = ("original", "paraphrase")
GROUP = 8
COHORT = len(VIEWS) * GROUP
QUESTIONS = 16
ROLLOUT_BYTES = 7000
MARKER = "90817263"
STEP_MARKER = "90817264"
STEP_ROLLOUTS = 512
"""Of one training step: batches of a step follow one another."""

FIRST_NUMBER = 10_000_000
ENVELOPE_BYTES = 130  # a rollout's JSON around its response

# Numbers that grow do not make these equal to one another; the first two are one answer, written in two ways.
ANSWERS = (f"\\frac{{{MARKER}}}{{7}}", f"{MARKER}/7", f"\\frac{{{MARKER}}}{{11}}", MARKER)
CLASSES: Mapping[str, int] = dict(zip(ANSWERS, (0, 0, 1, 2), strict=True))


class WrongAnswerError(Exception):
    """The service's answer is not what the method makes of the ballots: the measurement is void."""


@dataclass(frozen=True, slots=True)
class ExpectedRollout:
    """A rollout, and the reward it must get."""

    question: int
    view: str
    index: int
    answer: str | None
    reward: float
    vote_share: float


@dataclass(frozen=True, slots=True)
class Template:
    """An HTTP request in pieces."""

    pieces: tuple[bytes, ...]
    before_step: bytes = b""

    @classmethod
    def of(cls, path: str, body: bytes) -> "Template":
        """The request to a path with a body that holds the marker, and before it the step's where it has a step."""
        lines = (
            f"POST {path} HTTP/1.1",
            "host: bench",
            "content-type: application/json",
            f"content-length: {len(body)}",
            "",
            "",
        )
        before_step, _, rest = ("\r\n".join(lines).encode() + body).rpartition(STEP_MARKER.encode())
        return cls(tuple(rest.split(MARKER.encode())), before_step)

    def filled(self, number: int, step: int | None = None) -> bytes:
        """The request with a number and a step of the markers' length."""
        text = str(number).encode().join(self.pieces)
        return text if step is None else b"%b%d%b" % (self.before_step, step, text)


class Workload(Protocol):
    """A kind of request. `rollouts` are those in one request; a cohort is complete after every `cohort` requests."""

    name: str
    route: str
    rollouts: int
    cohort: int
    body_bytes: int

    def request(self, index: int) -> bytes:
        """The request of that index."""
        ...

    def check(self, index: int, body: bytes) -> None:
        """Compares an answer with what is right.

        Raises:
            WrongAnswerError: they differ.
        """
        ...

    def on(self, route: str) -> "Workload":
        """The same requests to another route."""
        ...


class _Label(msgspec.Struct):
    question_id: str
    view: str
    answer: str
    votes: int
    of: int


class _BatchAnswer(msgspec.Struct):
    rewards: list[float | None]
    answers: list[str | None]
    labels: list[_Label]


class _SingleAnswer(msgspec.Struct):
    rewards: float
    scores: float
    extra_logs: dict[str, float]


class Batches:
    """POST /v1/rewards with whole cohorts: `questions` × 2 views × 8 rollouts."""

    cohort = 1

    def __init__(
        self, questions: int, route: str = "/v1/rewards", run: str | None = None, rollout_bytes: int = ROLLOUT_BYTES
    ) -> None:
        """Makes the requests: as many templates as fit into one batch of 256, of different texts."""
        self._run = run
        self._rollout_bytes = rollout_bytes
        self.name = f"batches of {questions * COHORT}"
        self.route = route
        self.rollouts = questions * COHORT
        self._questions = questions
        numbers = range(QUESTIONS)
        self._batches = [
            [rollout for number in numbers[at : at + questions] for rollout in rollouts_of(number)]
            for at in range(0, QUESTIONS, questions)
        ]
        bodies = [self._body(batch) for batch in self._batches]
        self.body_bytes = round(sum(map(len, bodies)) / len(bodies))
        self._templates = [Template.of(route, body) for body in bodies]
        self._decode = msgspec.json.Decoder(_BatchAnswer).decode

    def on(self, route: str) -> "Batches":
        """The same requests to another route."""
        return Batches(self._questions, route, self._run, self._rollout_bytes)

    def request(self, index: int) -> bytes:
        """The request of that index; all its numbers are new."""
        step = step_of(index, self.rollouts)
        return self._templates[index % len(self._templates)].filled(FIRST_NUMBER + index, step)

    def check(self, index: int, body: bytes) -> None:
        """Every reward, every extracted answer and every label.

        Raises:
            WrongAnswerError: one of them is wrong.
        """
        answer = self._decode(body)
        batch = self._batches[index % len(self._batches)]
        number = str(FIRST_NUMBER + index)
        if answer.rewards != [rollout.reward for rollout in batch]:
            raise WrongAnswerError(f"{self.name}: rewards are {answer.rewards}")
        if answer.answers != [rollout.answer and rollout.answer.replace(MARKER, number) for rollout in batch]:
            raise WrongAnswerError(f"{self.name}: answers are {answer.answers}")
        if len(answer.labels) != 2 * self._questions or any(number not in label.answer for label in answer.labels):
            raise WrongAnswerError(f"{self.name}: labels are {answer.labels}")

    def _body(self, batch: Sequence[ExpectedRollout]) -> bytes:
        rollouts = [
            {
                "question_id": question_id(self._questions, rollout.question),
                "view": rollout.view,
                "rollout": rollout.index,
                "response": text_of(rollout, ENVELOPE_BYTES, self._rollout_bytes),
            }
            for rollout in batch
        ]
        body = {"step": int(STEP_MARKER), "method": DEFAULT_METHOD, "complete": True, "rollouts": rollouts}
        return _json(body if self._run is None else body | {"run": self._run})


class Singles:
    """POST /get_reward as OpenRLHF sends it, one rollout a request; sixteen make a cohort."""

    name = "singles"
    cohort = COHORT
    rollouts = 1

    def __init__(self, route: str = "/get_reward") -> None:
        """Makes the requests: sixteen questions' worth, each of them again and again under new numbers."""
        self.route = route
        self._rollouts = [rollout for number in range(QUESTIONS) for rollout in _shuffled(rollouts_of(number), number)]
        bodies = [self._body(rollout) for rollout in self._rollouts]
        self.body_bytes = round(sum(map(len, bodies)) / len(bodies))
        self._templates = [Template.of(route, body) for body in bodies]
        self._decode = msgspec.json.Decoder(_SingleAnswer).decode

    def on(self, route: str) -> "Singles":
        """The same requests to another route."""
        return Singles(route)

    def request(self, index: int) -> bytes:
        """The request of that index; each cohort has a number of its own."""
        return self._templates[index % len(self._templates)].filled(FIRST_NUMBER + index // COHORT)

    def check(self, index: int, body: bytes) -> None:
        """The reward, and the share of votes behind its label.

        Raises:
            WrongAnswerError: one of them is wrong.
        """
        answer = self._decode(body)
        expected = self._rollouts[index % len(self._rollouts)]
        logs = answer.extra_logs
        if (answer.rewards, logs["vote_share"], logs["abstained"]) != (expected.reward, expected.vote_share, 0.0):
            raise WrongAnswerError(f"{self.name}: {expected} got {body!r}")

    def _body(self, rollout: ExpectedRollout) -> bytes:
        question = prompt(rollout.question)
        label = {"question_id": question_id(1, rollout.question), "view": rollout.view, "n": GROUP}
        text = text_of(rollout, ENVELOPE_BYTES + 2 * json_size(question))
        # OpenRLHF's own serialiser: the standard library's, with its spaces and its escapes.
        return json.dumps({"query": [question + text], "prompts": [question], "labels": [json.dumps(label)]}).encode()


def rollouts_of(question: int) -> list[ExpectedRollout]:
    """A question's sixteen rollouts: each view has a clear majority, and the views often disagree."""
    rng = random.Random(question)
    ballots: dict[str, list[str | None]] = {}
    for view, majority in zip(VIEWS, rng.choices(range(3), k=2), strict=True):
        forms = [form for form in ANSWERS if CLASSES[form] == majority]
        others = [form for form in ANSWERS if CLASSES[form] != majority]
        ballots[view] = [rng.choice(forms) for _ in range(5)] + [others[0], others[-1], None]
        rng.shuffle(ballots[view])
    rollouts: list[ExpectedRollout] = []
    for view, other in zip(VIEWS, reversed(VIEWS), strict=True):
        # The paper's eq. 7-8: each view is rewarded by the other's majority.
        label, votes = Counter(CLASSES[form] for form in ballots[other] if form is not None).most_common(1)[0]
        for index, form in enumerate(ballots[view]):
            reward = float(form is not None and CLASSES[form] == label)
            rollouts.append(ExpectedRollout(question, view, index, form, reward, votes / GROUP))
    return rollouts


def step_of(index: int, rollouts: int) -> int:
    """The training step of a batch of so many rollouts."""
    return FIRST_NUMBER + index * rollouts // STEP_ROLLOUTS


def question_id(kind: int, question: int) -> str:
    """A question's id: new in each request, and never that of another kind."""
    return f"bench-{kind}/{MARKER}/{question}"


def text_of(rollout: ExpectedRollout, beside: int, rollout_bytes: int = ROLLOUT_BYTES) -> str:
    """A rollout's response, which leaves room for what stands beside it."""
    seed = (rollout.question * len(VIEWS) + VIEWS.index(rollout.view)) * GROUP + rollout.index
    return response(seed, rollout.answer, rollout_bytes - beside)


def _shuffled(rollouts: list[ExpectedRollout], seed: int) -> list[ExpectedRollout]:
    """In the order in which a trainer's rollouts end: any."""
    random.Random(seed).shuffle(rollouts)
    return rollouts


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
