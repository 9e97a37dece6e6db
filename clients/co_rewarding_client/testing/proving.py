"""Prove an adapter: hand it the steps of a case as its framework would, and compare the rewards with the reference."""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol
from uuid import uuid4

from co_rewarding_schema.errors import CoRewardingError
from co_rewarding_schema.methods import DEFAULT_METHOD, METHODS

from co_rewarding_client.model import RunSettings
from co_rewarding_client.testing.cases import CASES, Case
from co_rewarding_client.testing.reference import Key, cross_view_rewards, evaluation_rewards, key
from co_rewarding_client.testing.sampling import (
    EVALUATION_GROUP_SIZE,
    GROUP_SIZE,
    Handed,
    Sampled,
    Unit,
    calls_of,
    can_complete,
    copies_in,
    evaluation_of,
    step_of,
)
from co_rewarding_client.testing.wire import unruly

BY_TEACHER = next(name for name, row in METHODS.items() if row.needs_teacher)

PATIENCE_S = 120.0
LOST_PATIENCE_S = 4.0
"""Of a step whose only right end is an error."""

LATEST_S = 60.0
"""How long after its patience an adapter may take to end."""

STEP = 3
SHOWN = 5


class NotConformingError(AssertionError):
    """The adapter gave a wrong reward, was silent where an error was due, or never came to an end."""


class Adapter(Protocol):
    """An adapter in one process of a trainer, called as its framework calls it."""

    async def score(self, handed: Handed) -> Sequence[float | None]:
        """Return a reward for each rollout, in order; None for one that the framework leaves out of the loss."""
        ...

    async def close(self) -> None:
        """End the process."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """What a process of a trainer is started with. The run is to have these settings; the adapter makes it.

    `began_s` are the seconds since the epoch at which the trainer was started: the same in all of its processes, as a
    broadcast would make it, and more when the trainer is started again.
    """

    url: str
    run: str
    settings: RunSettings
    patience_s: float
    began_s: int
    rank: int = 0
    ranks: int = 1


Make = Callable[[Process], Adapter | Awaitable[Adapter]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What was seen: rollouts that were rewarded, groups left out, and the error that ended the step, if one did."""

    case: str
    rollouts: int
    left_out: int
    refusal: str | None
    seconds: float


@dataclass(frozen=True, slots=True)
class _Scored:
    """The rewards of a step, as far as they came, and the first error."""

    rewards: Sequence[tuple[Sampled, float | None]]
    error: Exception | None


async def prove(make: Make, service_url: str, case: Case | str, *, unit: Unit) -> Proof:
    """Prove one case against the service at `service_url`, in a run of its own.

    Raises:
        NotConformingError: the adapter failed the case.
    """
    case = CASES[case] if isinstance(case, str) else case
    started_s = time.monotonic()
    run = f"conformance-{case.name}-{uuid4().hex[:8]}"
    settings = RunSettings(
        method=DEFAULT_METHOD if case.published else BY_TEACHER,
        group_size=GROUP_SIZE,
        evaluation_group_size=EVALUATION_GROUP_SIZE,
        cohort_deadline_s=case.deadline_s,
    )
    with unruly(service_url, case.wire) as url:
        began_s = int(time.time())
        process = Process(
            url=url, run=run, settings=settings, patience_s=_patience_s(case, unit), began_s=began_s, ranks=case.ranks
        )
        if case.redone:
            await _step(make, process, case, unit, "first")
            process = replace(process, began_s=began_s + 1)
        scored, expected = await _step(make, process, case, unit, "second" if case.redone else "only")
    left_out = sum(reward is None for _, reward in scored.rewards)
    refusal = None if scored.error is None else _refusal(scored.error, case)
    _compare(scored.rewards, expected, case)
    return Proof(
        case=case.name,
        rollouts=len(scored.rewards),
        left_out=left_out,
        refusal=refusal,
        seconds=time.monotonic() - started_s,
    )


def main(make: Make, *, unit: Unit, arguments: Sequence[str] | None = None) -> None:
    """Prove cases from the command line: `URL [CASE ...]`, by default all. Prints one JSON line a case.

    Exits with 1 if one failed, with 2 for a case that does not exist.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0].startswith("-") or not set(words[1:]) <= set(CASES):
        sys.exit(f"usage: URL [CASE ...], where CASE is one of {', '.join(CASES)}")
    failed = False
    for name in words[1:] or CASES:
        told: Mapping[str, object]
        try:
            proof = asyncio.run(prove(make, words[0], name, unit=unit))
            told = {
                "case": name,
                "passed": True,
                "rollouts": proof.rollouts,
                "left_out": proof.left_out,
                "refusal": proof.refusal,
                "seconds": round(proof.seconds, 2),
            }
        except NotConformingError as error:
            failed = True
            told = {"case": name, "passed": False, "fault": str(error)}
        print(json.dumps(told), flush=True)  # noqa: T201 - a program's output
    if failed:
        sys.exit(1)


async def _step(
    make: Make, process: Process, case: Case, unit: Unit, seed: str
) -> tuple[_Scored, Mapping[Key, float | None]]:
    """Return what came of a step, done by processes that are started for it and ended after it."""
    rollouts = step_of(case, seed)
    expected = cross_view_rewards(rollouts)
    ranks = calls_of([*rollouts, *copies_in(rollouts)] if case.padded else rollouts, case, unit, STEP)
    adapters = [await _made(make(replace(process, rank=rank))) for rank in range(case.ranks)]
    try:
        if case.evaluation:
            scored = await _evaluated_inside(adapters[0], ranks[0], case, unit, seed)
        else:
            scored = await _in_time(_all_scored(adapters, ranks, case.in_flight), case)
    finally:
        for adapter in adapters:
            await adapter.close()
    if (
        scored.error is None
        and not case.refused
        and len(scored.rewards) < sum(len(c.rollouts) for r in ranks for c in r)
    ):
        raise NotConformingError(f"{case.name}: rewards of {len(scored.rewards)} rollouts came, and no error")
    if scored.error is not None and not case.refused and not _is_excused(ranks, case):
        raise NotConformingError(f"{case.name}: the step ended by {_told(scored.error)}") from scored.error
    if scored.error is None and case.refused:
        raise NotConformingError(f"{case.name}: no reward can be right, and the adapter gave some without an error")
    return scored, expected


async def _all_scored(adapters: Sequence[Adapter], ranks: Sequence[Sequence[Handed]], in_flight: int) -> _Scored:
    rewards: list[tuple[Sampled, float | None]] = []
    first_error: list[Exception] = []

    async def scored(adapter: Adapter, handed: Handed, room: asyncio.Semaphore) -> None:
        async with room:
            if first_error:  # a trainer ends by its first error
                return
            try:
                rewards.extend(await _scored(adapter, handed))
            except Exception as error:  # each is judged by the caller
                first_error.append(error)

    async with asyncio.TaskGroup() as calls:
        for adapter, handed in zip(adapters, ranks, strict=True):
            room = asyncio.Semaphore(in_flight)
            for call in handed:
                calls.create_task(scored(adapter, call, room))
    return _Scored(rewards, first_error[0] if first_error else None)


async def _evaluated_inside(adapter: Adapter, calls: Sequence[Handed], case: Case, unit: Unit, seed: str) -> _Scored:
    """Score a step in whose middle the same questions are evaluated: the step's later half comes after that."""
    cut = len(calls) // 2
    early = asyncio.create_task(_all_scored([adapter], [calls[:cut]], case.in_flight))
    asked = evaluation_of(case, seed)
    evaluated = [
        Handed(rollouts=call.rollouts, step=call.step, first=call.first, evaluate=True)
        for call in calls_of(asked, case, unit, STEP)[0]
    ]
    found = await _in_time(_all_scored([adapter], [evaluated], case.in_flight), case)
    if found.error is not None:
        raise NotConformingError(f"{case.name}: the evaluation ended by {_told(found.error)}") from found.error
    _compare(found.rewards, evaluation_rewards(asked), case, "the evaluation's ")
    late = await _in_time(_all_scored([adapter], [calls[cut:]], case.in_flight), case)
    first = await _in_time(early, case)
    return _Scored([*first.rewards, *late.rewards], first.error or late.error)


async def _scored(adapter: Adapter, handed: Handed) -> list[tuple[Sampled, float | None]]:
    rewards = await adapter.score(handed)
    if len(rewards) != len(handed.rollouts):
        raise NotConformingError(f"{len(rewards)} rewards for {len(handed.rollouts)} rollouts")
    return list(zip(handed.rollouts, rewards, strict=True))


async def _in_time(scored: Awaitable[_Scored], case: Case) -> _Scored:
    try:
        async with asyncio.timeout(PATIENCE_S + LATEST_S):
            return await scored
    except TimeoutError as cause:
        raise NotConformingError(f"{case.name}: the step has not ended {LATEST_S:g} s after its patience") from cause


def _patience_s(case: Case, unit: Unit) -> float:
    possible = can_complete(calls_of(step_of(case, "only"), case, unit, STEP), case.in_flight)
    return PATIENCE_S if possible and not case.refused else LOST_PATIENCE_S


def _is_excused(ranks: Sequence[Sequence[Handed]], case: Case) -> bool:
    """Return whether an error is a right end too: calls wait for others that cannot begin, or nothing was rewarded."""
    return not can_complete(ranks, case.in_flight) or case.lone_questions == case.questions


def _refusal(error: Exception, case: Case) -> str:
    """Return the client's error that ended a step.

    Raises:
        NotConformingError: the step ended by another error.
    """
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, CoRewardingError):
        cause = cause.__cause__ or cause.__context__
    if cause is None:
        raise NotConformingError(f"{case.name}: the step ended by {_told(error)}, no error of the client") from error
    if not case.published and "weights" not in str(cause):
        raise NotConformingError(f"{case.name}: the error does not say that weights are missing: {cause}") from error
    return f"{type(cause).__name__}: {cause}"


def _compare(
    found: Sequence[tuple[Sampled, float | None]], expected: Mapping[Key, float | None], case: Case, whose: str = ""
) -> None:
    wrong = [
        f"{rollout.view} rollout {rollout.index} of {rollout.question_id}: {reward}, not {expected[key(rollout)]}"
        for rollout, reward in found
        if reward != expected[key(rollout)]
    ]
    if wrong:
        more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        shown = "; ".join(wrong[:SHOWN])
        raise NotConformingError(f"{case.name}: {whose}rewards unlike the reference ({len(found)} came): {shown}{more}")


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


async def _made(made: Adapter | Awaitable[Adapter]) -> Adapter:
    return await made if isinstance(made, Awaitable) else made
