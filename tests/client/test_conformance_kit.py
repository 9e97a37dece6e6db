"""The conformance kit against the real service: right adapters pass each case, wrong ones fail those meant for them."""

import asyncio
import json
from collections.abc import Iterator, Sequence

import pytest
from co_rewarding_client import AsyncRewardClient, CoRewardingError, Rollout
from co_rewarding_client import testing as kit
from co_rewarding_client.testing import CASES, Handed, NotConformingError, Process, Sampled, Unit

from reward_service.processes import raise_open_files_limit
from tests.support.service import running

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    raise_open_files_limit()
    with running() as supervisor:
        yield supervisor.url


class Right:
    """What an adapter is at its plainest: identities, and an attempt that grows with each start."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.attempt = process.began_s
        self.client = AsyncRewardClient(process.url, run=process.run, patience_s=process.patience_s)
        self.made: asyncio.Task[object] | None = None

    async def score(self, handed: Handed) -> Sequence[float | None]:
        if self.made is None:
            self.made = asyncio.create_task(self.client.put_run(self.process.run, self.process.settings))
        await self.made
        return await self.rewards(handed)

    async def rewards(self, handed: Handed) -> Sequence[float | None]:
        found = await self.client.rewards(
            [self.rollout(each) for each in handed.rollouts],
            step=handed.step,
            complete=False,
            evaluate=handed.evaluate,
        )
        return found.rewards

    def rollout(self, sampled: Sampled) -> Rollout:
        return Rollout(
            question_id=sampled.question_id,
            view=sampled.view,
            rollout=sampled.index,
            attempt=self.attempt,
            prompt=sampled.prompt,
            response=sampled.response,
            ground_truth=sampled.ground_truth,
        )

    async def close(self) -> None:
        await self.client.close()


class Careless(Right):
    """Has each call voted by itself, and takes any trouble for a wrong answer."""

    async def rewards(self, handed: Handed) -> Sequence[float | None]:
        try:
            found = await self.client.rewards(
                [self.rollout(each) for each in handed.rollouts], step=handed.step, method="majority-voting"
            )
        except CoRewardingError:
            return [0.0] * len(handed.rollouts)
        return [reward or 0.0 for reward in found.rewards]


class Unnumbered(Right):
    """Sends no index: a copy is another rollout."""

    def rollout(self, sampled: Sampled) -> Rollout:
        return Rollout(question_id=sampled.question_id, view=sampled.view, response=sampled.response)


class Resumed(Right):
    """Does not say that a step is done again."""

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.attempt = 0


class Zeros(Right):
    """Gives a reward of zero to what is to be left out."""

    async def rewards(self, handed: Handed) -> Sequence[float | None]:
        return [reward or 0.0 for reward in await super().rewards(handed)]


class Silent(Right):
    """Gives zeros where the service cannot be had."""

    async def rewards(self, handed: Handed) -> Sequence[float | None]:
        try:
            return await super().rewards(handed)
        except CoRewardingError:
            return [0.0] * len(handed.rollouts)


class Deaf(Right):
    """Takes an evaluation for training."""

    async def rewards(self, handed: Handed) -> Sequence[float | None]:
        rollouts = [self.rollout(each) for each in handed.rollouts]
        return (await self.client.rewards(rollouts, step=handed.step, complete=False)).rewards


async def _faults(adapter: type[Right], url: str, unit: Unit, cases: Sequence[str]) -> dict[str, str | None]:
    """What each case finds wrong; None for what passed. The cases run at once: most of their time is waiting."""

    async def fault(case: str) -> str | None:
        try:
            await kit.prove(adapter, url, case, unit=unit)
        except NotConformingError as error:
            return str(error)
        return None

    return dict(zip(cases, await asyncio.gather(*map(fault, cases)), strict=True))


def test_a_right_adapter_passes_every_case_whatever_it_is_handed_at_once(url: str) -> None:
    async def of_each_unit() -> list[dict[str, str | None]]:
        units: tuple[Unit, ...] = ("rollout", "group", "batch")
        return await asyncio.gather(*[_faults(Right, url, unit, list(CASES)) for unit in units])

    assert asyncio.run(of_each_unit()) == [dict.fromkeys(CASES)] * 3


def test_a_careless_adapter_fails_every_case(url: str) -> None:
    found = asyncio.run(_faults(Careless, url, "group", list(CASES)))
    assert [case for case, fault in found.items() if fault is None] == []


@pytest.mark.parametrize(
    ("adapter", "unit", "fails", "passes"),
    [
        (Unnumbered, "batch", ["padded", "redone"], []),
        (Resumed, "batch", ["redone"], ["grouped-64"]),
        (Zeros, "group", ["view-missing", "all-abstained"], ["grouped-64"]),
        (Silent, "group", ["unpublished", "views-1"], ["grouped-64"]),
        (Deaf, "group", ["evaluation"], ["grouped-64"]),
    ],
)
def test_each_mistake_fails_the_cases_that_are_meant_for_it(
    url: str, adapter: type[Right], unit: Unit, fails: list[str], passes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if adapter is Deaf:  # its fault shows when patience is over
        monkeypatch.setattr("co_rewarding_client.testing.proving.PATIENCE_S", 15.0)
        monkeypatch.setattr("co_rewarding_client.testing.proving.LATEST_S", 5.0)
    found = asyncio.run(_faults(adapter, url, unit, [*fails, *passes]))
    assert [case for case, fault in found.items() if fault is not None] == fails, found


def test_the_program_prints_a_line_a_case_and_fails_with_a_wrong_adapter(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    kit.main(Right, unit="batch", arguments=[url, "twice", "ranks-2"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["case"], line["passed"], line["rollouts"]) for line in lines] == [
        ("twice", True, 64),
        ("ranks-2", True, 24),
    ]
    with pytest.raises(SystemExit, match="1"):
        kit.main(Careless, unit="batch", arguments=[url, "twice"])
    assert "unlike the reference" in json.loads(capsys.readouterr().out)["fault"]
    with pytest.raises(SystemExit, match="usage"):
        kit.main(Right, unit="batch", arguments=[url, "no-such-case"])
