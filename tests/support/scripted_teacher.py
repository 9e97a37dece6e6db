"""A teacher without a model: it takes labels from the service's Redis, as any teacher does, and answers by a script."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator

from reward_service.store.connecting import connection_to
from reward_service.store.label_queue import LabelQueue, LabelRequest
from reward_service.store.label_records import TeacherLabel
from reward_service.store.records import BallotRow
from reward_service.store.submissions import StoreLimits

Script = Callable[[LabelRequest, int], list[str | None]]


class ScriptedTeacher:
    """Serves some runs, each at a version, in a thread of its own."""

    def __init__(self, url: str, script: Script) -> None:
        self._url = url
        self._script = script
        self._stopping = threading.Event()
        self.versions: dict[str, int] = {}
        self.asked: list[LabelRequest] = []

    @contextlib.contextmanager
    def at_work(self) -> Iterator["ScriptedTeacher"]:
        thread = threading.Thread(target=lambda: asyncio.run(self._work()), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._stopping.set()
            thread.join()

    async def _work(self) -> None:
        connection = connection_to(self._url)
        queue = LabelQueue(connection, StoreLimits(), "scripted", 30.0)
        while not self._stopping.is_set():
            for run, version in list(self.versions.items()):
                for asked in (await queue.take(run, version, 100)).items:
                    self.asked.append(asked)
                    answers = self._script(asked, version)
                    rows = [BallotRow(asked.view, 1, index, answer) for index, answer in enumerate(answers)]
                    await queue.keep(asked.claim, TeacherLabel(version, 1, "scripted", rows))
            await asyncio.to_thread(self._stopping.wait, 0.01)
        await connection.close()
