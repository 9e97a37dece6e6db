"""The runs that a teacher answers for, asked for by its tasks at the same time."""

import asyncio

import pytest

from reward_service.store.teachers import TeacherStore
from reward_service.teaching.run_tracker import RunTracker
from tests.support.waiting import until
from tests.teaching.classroom import Classroom
from tests.teaching.classroom import anyio_backend as anyio_backend
from tests.teaching.classroom import room as room
from tests.teaching.classroom import valkey as valkey

pytestmark = pytest.mark.anyio


class SlowOnce(TeacherStore):
    """Whoever asks for a version first is answered when the gate opens."""

    def __init__(self, room: Classroom) -> None:
        super().__init__(room.connection)
        self.asked = asyncio.Event()
        self.gate = asyncio.Event()

    async def version(self, run: str) -> int:
        found = await super().version(run)
        if not self.asked.is_set():
            self.asked.set()
            await self.gate.wait()
        return found


async def test_runs_may_come_while_the_versions_of_others_are_asked_for(room: Classroom) -> None:
    """One task waits for versions when another finds a new run: the teacher ended, or gave versions to wrong runs."""
    frozen = {"alpha_start": 1.0, "alpha_end": 1.0}
    earlier = await room.make(**frozen)
    store = SlowOnce(room)
    await store.advance(earlier, 7, None)
    follower = RunTracker(room.runs, store, None, model="one-weight", teacher="t")
    asking = asyncio.create_task(follower.served())
    await store.asked.wait()
    later = await room.make(**frozen)

    async def found() -> bool:
        return later in await follower.served()

    await until(found)
    store.gate.set()
    assert {run: each.version for run, each in (await asking).items()} == {earlier: 7}
