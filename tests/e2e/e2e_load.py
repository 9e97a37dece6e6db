"""Traffic that waits for nobody: questions come at times drawn from a seed, by every door, into three runs."""

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from typing import Any

import httpx
from e2e_client import Client
from e2e_rule import GROUP, VIEWS, Due_R, Rollout, co_rewarding, questions, taught, teacher_answers, union
from e2e_services import Service, assert_one_vote_each

from reward_service.store.cohorts import parse_batch
from reward_service.store.keys import RunKeys
from reward_service.store.records import CohortRecord, unpack_batch

QUESTIONS_PER_S = 2.0
A_QUESTION = GROUP * len(VIEWS)  # rollouts
SPREAD_S = 1.0  # from a question's first rollout to its last
METHODS = ("co-rewarding-i", "majority-voting-union", "co-rewarding-ii")
DOORS = ("batch", "parts", "singles")


class Traffic:
    """One method's run: what was sent to it, and by which rule it is rewarded."""

    def __init__(self, urls: Sequence[str], run: str, method: str, chance: random.Random) -> None:
        self.run = run
        self.method = method
        self.client = Client(urls, run, chance, prompted=method == "co-rewarding-ii")
        self.indexed: list[Rollout] = []
        self.nameless: list[Rollout] = []
        self._questions = {door: _endless(door) for door in DOORS}
        self._chance = chance

    def make(self, at: Service) -> None:
        more = {"alpha_start": 1.0, "alpha_end": 1.0, "teacher_group_size": 2}
        settings = {"method": self.method, "group_size": GROUP, "cohort_deadline_s": 600.0}
        at.make_run(self.run, **settings, **(more if self.method == "co-rewarding-ii" else {}))

    def bring(self, door: str) -> tuple[list[Rollout], list[Coroutine[Any, Any, None]]]:
        """One more question, and the calls that bring it."""
        rollouts = next(self._questions[door])
        return rollouts, self._calls(door, rollouts)

    def _calls(self, door: str, rollouts: list[Rollout]) -> list[Coroutine[Any, Any, None]]:
        (self.nameless if door == "singles" else self.indexed).extend(rollouts)
        match door:
            case "batch":
                return [self.client.batch(rollouts)]
            case "singles":
                return [self.client.held(rollout) for rollout in rollouts]
            case _:
                mixed, size = self._chance.sample(rollouts, len(rollouts)), self._chance.randint(2, 8)
                pieces = [mixed[first : first + size] for first in range(0, len(mixed), size)]
                ways = (self.client.part, self.client.submitted)
                return [self._chance.choice(ways)(piece) for piece in pieces]

    def due(self) -> Due_R:
        """What an undisturbed service gives to each rollout."""
        if self.method == "co-rewarding-ii":
            return taught([*self.indexed, *self.nameless])
        rule = co_rewarding if self.method == "co-rewarding-i" else union
        return rule(self.indexed, indexed=True) | rule(self.nameless, indexed=False)

    def assert_as_undisturbed(self, at: Service) -> None:
        """Each rollout has its reward, once."""
        due = {rollout: each.reward or 0.0 for rollout, each in self.due().items()}
        wrong = [rollout for rollout in due if self.client.got.get(rollout) != due[rollout]]
        assert not wrong, self._told_of(wrong, due, at)
        assert self.client.got.keys() == due.keys()
        if self.method == "co-rewarding-ii":
            self._assert_labelled_once(at)
        else:
            assert_one_vote_each(at, self.run, [*self.indexed, *self.nameless], sorted(self.client.batches))

    def _told_of(self, wrong: Sequence[Rollout], due: Mapping[Rollout, float], at: Service) -> str:
        """What went wrong, with the cohorts of the first question as the service explains them."""
        lines = [f"{self.run}: {len(wrong)} of {len(due)} rollouts"]
        lines += [f"{each}: got {self.client.got.get(each)}, due {due[each]}" for each in wrong[:20]]
        first = wrong[0].question_id
        lines += [f"of {first}:"]
        lines += [f"{each}: due {due[each]}" for each in due if each.question_id == first]
        asked = {"run": self.run, "question_id": first}
        found = httpx.get(f"{at.url}/v1/cohorts", params=asked, timeout=30.0).json()["cohorts"]
        for each in found:
            lines.append(httpx.get(f"{at.url}/v1/cohorts/{each['cohort']}", timeout=30.0).text)
        return "\n".join(lines)

    def _assert_labelled_once(self, at: Service) -> None:
        """A teacher's labels need no other rollouts: each request is a batch, and equal singles are the same one."""
        cohorts = _batched(at, self.run)
        kept = Counter(
            (cohort.head.question_id, VIEWS[row.view], row.answer) for cohort in cohorts for row in cohort.rows_B
        )
        singles = {(rollout.question_id, rollout.view, rollout.response): rollout for rollout in self.nameless}
        sent = Counter((each.question_id, each.view, each.answer) for each in [*self.indexed, *singles.values()])
        assert kept == sent
        assert {cohort.state for cohort in cohorts} == {"settled"}
        assert at.stats(self.run).get("settled") == len(cohorts), "a cohort was not settled exactly once"


class Load:
    """Questions into all runs at QUESTIONS_PER_S, however long the answers take."""

    def __init__(self, urls: Sequence[str], prefix: str, seed: int, answers: dict[str, str]) -> None:
        """`answers` is told what the teacher says to each prompt, before the prompt is sent."""
        self._chance = random.Random(seed)
        self.traffics = [Traffic(urls, f"{prefix}-{method}", method, self._chance) for method in METHODS]
        self.calls_s: list[float] = []
        self._answers = answers

    async def flow(self) -> None:
        """Sends for ever; cancel to stop."""
        began_s, at_s = time.monotonic(), 0.0
        while True:
            at_s += self._chance.expovariate(QUESTIONS_PER_S)
            await asyncio.sleep(max(0.0, began_s + at_s - time.monotonic()))
            traffic, door = self._chance.choice(self.traffics), self._chance.choice(DOORS)
            rollouts, calls = traffic.bring(door)
            self._answers |= teacher_answers(rollouts)
            for call in calls:
                traffic.client.begin(self._timed(call, self._chance.uniform(0.0, SPREAD_S)))

    async def _timed(self, call: Coroutine[Any, Any, None], after_s: float) -> None:
        await asyncio.sleep(after_s)
        began_s = time.monotonic()
        await call
        self.calls_s.append(time.monotonic() - began_s)

    def summary(self) -> str:
        """One line about what was sent."""
        clients = [traffic.client for traffic in self.traffics]
        return (
            f"{sum(len(client.got) for client in clients)} rollouts in {len(self.calls_s)} calls, of which the longest "
            f"took {max(self.calls_s):.1f} s; {sum(client.turned_away for client in clients)} answers said to come "
            f"again, {sum(client.cut_off for client in clients)} connections broke"
        )

    @property
    def unanswered(self) -> int:
        return sum(traffic.client.unanswered for traffic in self.traffics)

    def check(self) -> None:
        """Raises what a call has failed with."""
        for traffic in self.traffics:
            traffic.client.check()

    async def finish(self) -> None:
        await asyncio.gather(*(traffic.client.finish() for traffic in self.traffics))


def _endless(name: str) -> Iterator[list[Rollout]]:
    """Questions of all kinds, one after the other."""
    for block in itertools.count():
        rollouts = questions(16, block, name=name)
        for first in range(0, len(rollouts), A_QUESTION):
            yield rollouts[first : first + A_QUESTION]


def _batched(at: Service, run: str) -> list[CohortRecord]:
    """The cohorts of the run's batches."""
    keys = list(at.redis.scan_iter(f"{RunKeys(run).prefix}b:*", count=1000))
    kept = [parse_batch(at.redis.get(key)) for key in keys]  # type: ignore[arg-type] - not asynchronous
    assert all(each.record is not None for each in kept), "a batch was never settled"
    return [cohort for each in kept for cohort in unpack_batch(each.record or b"").cohorts]
