"""Send questions into three runs at a steady rate, again whenever an answer is lost, and compare every reward."""

import asyncio
import json
import random
import time
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import aiohttp
import msgspec

from benchmarks.soak_questions import ORIGINAL, PAIR, SINGLES, DueRollout, in_parts, singles, taught

CALL_WITHIN_S = 60.0
"""A call without an answer is sent again: every call can be."""
AGAIN_S = (0.05, 0.4)
SPREAD_S = 2.0
"""From a group's first single to its last."""
QUESTIONS_IN_PARTS = 16
QUESTIONS_TAUGHT = 8
STEP_QUESTIONS = 512
LOOKED_AT = 0.005
"""The share of calls that are sent once more, or of cohorts that are looked at, after their rewards came."""
FAULTS_KEPT = 50


@dataclass
class Ledger:
    """What a run was sent and has got.

    Attributes:
        due: cohorts and rollouts that were sent.
        rewarded: those with the right rewards.
        faults: what was wrong, the first ones.
        latencies_s: since they were last taken: from a cohort's last call to its rewards, calls sent again included.
        settled_at_s: of the rewards that came within the retention: when, and for how many cohorts.
    """

    due: Counter[str] = field(default_factory=Counter)
    rewarded: Counter[str] = field(default_factory=Counter)
    again: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    fault_count: int = 0
    latencies_s: list[float] = field(default_factory=list)
    settled_at_s: deque[tuple[float, int]] = field(default_factory=deque)

    def note(self, rollouts: Sequence[DueRollout], rewards: Sequence[float | None], cohorts: int) -> None:
        """Compares the rewards of some rollouts; `cohorts` are complete with them."""
        wrong = [
            f"{due.question_id} {due.view} {due.index}: due {due.reward}, got {got}"
            for due, got in zip(rollouts, rewards, strict=True)
            if got != due.reward
        ]
        for each in wrong:
            self.fault(each)
        self.rewarded["rollouts"] += len(rollouts) - len(wrong)
        if cohorts and not wrong:
            self.rewarded["cohorts"] += cohorts
            self.settled_at_s.append((time.monotonic(), cohorts))

    def fault(self, what: str) -> None:
        """Something was wrong."""
        self.fault_count += 1
        if len(self.faults) < FAULTS_KEPT:
            self.faults.append(what)

    def kept(self, retention_s: float) -> int:
        """Cohorts that were rewarded within the retention: the store still keeps them."""
        while self.settled_at_s and self.settled_at_s[0][0] < time.monotonic() - retention_s:
            self.settled_at_s.popleft()
        return sum(cohorts for _, cohorts in self.settled_at_s)


class Client:
    """Calls any of the addresses, until one answers for good."""

    def __init__(self, urls: Sequence[str], http: aiohttp.ClientSession, chance: random.Random, ledger: Ledger) -> None:
        """`ledger` counts the calls that were sent again, and why."""
        self._urls = urls
        self._http = http
        self._chance = chance
        self._ledger = ledger

    async def asked(self, method: str, path: str, body: Any = None) -> Any:  # noqa: ANN401 - JSON
        """The answer to a call.

        Raises:
            WrongAnswerError: it is neither an answer nor an invitation to come again.
        """
        data = None if body is None else msgspec.json.encode(body)
        headers = {} if data is None else {"content-type": "application/json"}
        while True:
            url = self._chance.choice(self._urls) + path
            try:
                async with self._http.request(method, url, data=data, headers=headers) as answer:
                    text = await answer.read()
            except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError):
                self._ledger.again["connection broke"] += 1
            else:
                if answer.status in (200, 202):
                    return msgspec.json.decode(text)
                if answer.status not in (429, 503):
                    raise WrongAnswerError(f"{method} {path}: {answer.status} {text[:500]!r}")
                self._ledger.again[str(answer.status)] += 1
            await asyncio.sleep(self._chance.uniform(*AGAIN_S))

    async def rewards(self, body: Any) -> list[Any]:  # noqa: ANN401 - JSON
        """The rewards of a request, and what its labels say."""
        answer = await self.asked("POST", "/v1/rewards", body)
        while "rewards" not in answer:
            answer = await self.asked("GET", f"/v1/rewards/{answer['ticket']}?wait_s=10")
        return [answer["rewards"], answer["labels"]]


class WrongAnswerError(Exception):
    """An answer that the service never has to give."""


class Run(ABC):
    """A run of the soak: its settings, and how its questions are sent. `at_once` calls may be under way."""

    name: str
    share: float
    """Of all cohorts."""
    settings: ClassVar[dict[str, Any]]
    questions: int
    """In one call."""
    at_once: int

    def __init__(self, urls: Sequence[str], http: aiohttp.ClientSession, seed: int) -> None:
        """Sends nothing yet."""
        self.ledger = Ledger()
        self.chance = random.Random(f"{seed} {self.name}")
        self.client = Client(urls, http, self.chance, self.ledger)
        self.seed = seed

    async def make(self, cohort_deadline_s: float) -> None:
        """Makes the run, before the first question."""
        more = {"cohort_deadline_s": cohort_deadline_s}
        await self.client.asked("PUT", f"/v1/runs/{self.name}", self.settings | more)

    async def flow(self, cohorts: int, lasts_s: float) -> None:
        """Sends so many cohorts over so long, later ones at once where the service fell behind; returns at the end."""
        began_s, sent = time.monotonic(), 0
        places = asyncio.Semaphore(self.at_once)
        async with asyncio.TaskGroup() as calls:
            while sent < cohorts:
                due = cohorts * (time.monotonic() - began_s) / lasts_s
                while sent < min(due, cohorts):
                    await places.acquire()
                    numbers = range(sent, min(sent + self.questions, cohorts))
                    sent = numbers.stop
                    calls.create_task(self._guarded(numbers, places))
                await asyncio.sleep(0.01)

    async def _guarded(self, numbers: range, places: asyncio.Semaphore) -> None:
        self.ledger.due["cohorts"] += len(numbers)
        try:
            await self.send(numbers)
        except WrongAnswerError as error:
            self.ledger.fault(str(error))
        finally:
            places.release()

    @abstractmethod
    async def send(self, numbers: range) -> None:
        """Sends the questions of these numbers, and notes their rewards."""

    async def look(self, cohort: str, ballots: int) -> None:
        """Looks at a settled cohort: so many ballots, each counted once."""
        seen = await self.client.asked("GET", f"/v1/cohorts/{cohort}")
        counted = [each for each in seen["ballots"] if each["counted"] and each["voter"] == "policy"]
        if seen["state"] != "settled" or len(counted) != ballots:
            self.ledger.fault(f"{cohort} is {seen['state']} with {len(counted)} ballots of {ballots}")


class PartsRun(Run):
    """Batches in two parts, whose halves come by any API process; each half waits for the other."""

    name, share, questions, at_once = "soak-parts", 0.80, QUESTIONS_IN_PARTS, 48
    settings: ClassVar = {"method": "co-rewarding-i", "group_size": PAIR}

    async def send(self, numbers: range) -> None:
        """Indices 0 in the first part, 1 in the second."""
        rollouts = [each for number in numbers for each in in_parts(self.seed, number)]
        self.ledger.due["rollouts"] += len(rollouts)
        halves = [[each for each in rollouts if each.index == index] for index in range(PAIR)]
        first = asyncio.create_task(self._part(numbers, halves[0]))
        await asyncio.sleep(self.chance.uniform(0.0, 0.1))
        began_s = time.monotonic()
        second, labels = await self._part(numbers, halves[1])
        self.ledger.latencies_s.append(time.monotonic() - began_s)
        rewards, _ = await first
        self.ledger.note(halves[0], rewards, 0)
        self.ledger.note(halves[1], second, len(numbers))
        if self.chance.random() < LOOKED_AT:
            again, _ = await self._part(numbers, halves[0])
            if again != rewards:
                self.ledger.fault(f"sent again, {numbers} of {self.name} got other rewards: {again}, first {rewards}")
            await self.look(labels[0]["cohort"], 2 * PAIR)

    async def _part(self, numbers: range, half: Sequence[DueRollout]) -> list[Any]:
        step = numbers.start // STEP_QUESTIONS
        body = {"run": self.name, "step": step, "complete": False, "wait_s": 10.0}
        return await self.client.rewards(body | {"rollouts": [each.wire() for each in half]})


class SinglesRun(Run):
    """Rollouts one by one, without an index, in the formats of OpenRLHF and of slime; each is held for the last."""

    name, share, questions, at_once = "soak-singles", 0.12, 1, 400
    settings: ClassVar = {"method": "majority-voting", "group_size": SINGLES}

    async def send(self, numbers: range) -> None:
        """The singles of a group, each at a time of its own."""
        rollouts = singles(self.seed, numbers.start)
        self.ledger.due["rollouts"] += len(rollouts)
        waits_s = [self.chance.uniform(0.0, SPREAD_S) for _ in rollouts]
        last_s = time.monotonic() + max(waits_s)
        answers = await asyncio.gather(
            *(self._single(each, after_s) for each, after_s in zip(rollouts, waits_s, strict=True))
        )
        self.ledger.latencies_s.append(time.monotonic() - last_s)
        self.ledger.note(rollouts, [reward for reward, _ in answers], 1)
        if self.chance.random() < LOOKED_AT:
            await self.look(answers[0][1], SINGLES)

    async def _single(self, rollout: DueRollout, after_s: float) -> tuple[float | None, str]:
        await asyncio.sleep(after_s)
        number = int(rollout.question_id.partition("/")[2])
        label = {"question_id": rollout.question_id, "view": ORIGINAL, "n": SINGLES, "run": self.name}
        label |= {"step": number // STEP_QUESTIONS}
        if rollout.index % 2:
            body = {"prompt": rollout.prompt, "response": rollout.response, "label": label}
            answer = await self.client.asked("POST", "/v1/remote_rm", body)
            return _unless_abstained(answer["reward"], answer), answer["cohort"]
        query = [rollout.prompt + rollout.response]
        body = {"query": query, "prompts": [rollout.prompt], "labels": [json.dumps(label)]}
        answer = await self.client.asked("POST", "/get_reward", body)
        return _unless_abstained(answer["rewards"], answer["extra_logs"]), answer["cohort"]


class TaughtRun(Run):
    """Whole batches whose labels a teacher elects: a process of its own, whose model answers by a rule."""

    name, share, questions, at_once = "soak-taught", 0.08, QUESTIONS_TAUGHT, 24
    settings: ClassVar = {
        "method": "co-rewarding-ii",
        "group_size": PAIR,
        "teacher_group_size": 1,
        "alpha_start": 1.0,
        "alpha_end": 1.0,
    }

    async def send(self, numbers: range) -> None:
        """One batch."""
        rollouts = [each for number in numbers for each in taught(self.seed, number)]
        self.ledger.due["rollouts"] += len(rollouts)
        began_s = time.monotonic()
        wire = [each.wire(prompted=True) for each in rollouts]
        body = {"run": self.name, "complete": True, "wait_s": 10.0, "rollouts": wire}
        rewards, labels = await self.client.rewards(body)
        self.ledger.latencies_s.append(time.monotonic() - began_s)
        self.ledger.note(rollouts, rewards, len(numbers))
        if self.chance.random() < LOOKED_AT:
            await self.look(labels[0]["cohort"], PAIR)


RUNS: Sequence[type[Run]] = (PartsRun, SinglesRun, TaughtRun)


def _unless_abstained(reward: float, logs: dict[str, Any]) -> float | None:
    return None if logs["abstained"] else reward
