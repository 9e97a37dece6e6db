"""No background task ends without a word: what is expected is survived, anything else ends the process."""

import ast
import asyncio
from itertools import count, pairwise
from pathlib import Path

import pytest

import reward_service
from reward_service.background import Background
from reward_service.errors import StoreUnavailableError, TaskFailedError

pytestmark = pytest.mark.anyio

STARTS = {"create_task", "ensure_future", "run_coroutine_threadsafe", "call_soon_threadsafe"}
AWAITED_BY_THEIR_STARTER = {
    "background.py": "it is the one way",
    "store/server_connection.py": "it opens anew after any exception, and a timer ends the calls that are overdue",
    "store/cluster_topology.py": "it lives on whatever asking raises, and ends with the connection that starts it",
    "store/cluster_connection.py": "it closes a connection, and is awaited by the one that starts it",
    "store/cluster_reads.py": "awaited by the reads that start them",
    "store/cluster_subscription.py": "awaited by the subscription that starts them",
    "store/subscription.py": "awaited by the subscription that starts them",
    "store/sentinels.py": "it lives on whatever asking raises, and ends with the connection that starts it",
    "api/access/guard.py": "a stream of events, awaited by its request; whoever takes its key away cancels it",
    "api/rewards/held_requests.py": "a task group of one request",
    "generation/openai_backend.py": "gathered by the call that starts them",
    "generation/transformers_backend.py": "an exception goes to those who wait for the batches",
    "paraphrasing/file_rewriting.py": "a task group of one file",
    "serving/hot_exchange.py": "a request: what it raises is answered, and its connection closed",
    "serving/supervisor.py": "awaited by the start that it belongs to",
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def for_ever() -> None:
    await asyncio.Event().wait()


async def raises(error: BaseException) -> None:
    raise error


def _starts_tasks(tree: ast.AST) -> bool:
    called = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return not STARTS.isdisjoint(each.attr for each in called if isinstance(each, ast.Attribute))


def test_tasks_are_started_in_one_way() -> None:
    root = Path(reward_service.__file__).parent
    found = {str(path.relative_to(root)) for path in root.rglob("*.py") if _starts_tasks(ast.parse(path.read_text()))}
    assert found == set(AWAITED_BY_THEIR_STARTER)


@pytest.mark.parametrize("error", [ZeroDivisionError(), RuntimeError("handler is closed"), OSError(28, "disk full")])
@pytest.mark.parametrize("when", ["at once", "later"])
async def test_a_task_that_raises_ends_the_main_work(error: Exception, when: str) -> None:
    ended = asyncio.Event()

    async def main() -> None:
        try:
            await for_ever()
        finally:
            ended.set()

    async def task() -> None:
        for _ in range(3 if when == "later" else 0):
            await asyncio.sleep(0)
        raise error

    told: list[TaskFailedError] = []
    async with Background(told.append) as background:
        background.start("one", task())
        with pytest.raises(TaskFailedError, match="'one'") as caught:
            await background.beside(main())
    assert caught.value.__cause__ is error
    assert ended.is_set()
    assert told == [caught.value]


async def test_work_that_is_repeated_survives_what_is_expected_and_nothing_else() -> None:
    turns = count()
    outcomes: list[Exception | None] = [None, StoreUnavailableError("away"), StoreUnavailableError("away"), None]

    async def work() -> None:
        turn = next(turns)
        if turn == len(outcomes):
            raise ZeroDivisionError
        if (error := outcomes[turn]) is not None:
            raise error

    async with Background() as background:
        background.keep("work", work, every_s=0.0)
        with pytest.raises(TaskFailedError):
            await background.beside(for_ever())
    assert next(turns) == len(outcomes) + 1


async def test_errors_that_are_expected_make_it_slower() -> None:
    times_s: list[float] = []

    async def work() -> None:
        times_s.append(asyncio.get_running_loop().time())
        if len(times_s) == 4:
            raise ZeroDivisionError
        raise StoreUnavailableError("away")

    async with Background() as background:
        background.keep("work", work, every_s=0.0)
        with pytest.raises(TaskFailedError):
            await background.beside(for_ever())
    pauses_s = [later - earlier for earlier, later in pairwise(times_s)]
    assert pauses_s[0] >= 0.09
    assert pauses_s[1] >= 0.19
    assert pauses_s[2] >= 0.39


async def test_the_main_work_ends_the_tasks() -> None:
    async def main() -> str:
        return "done"

    async with Background() as background:
        task = background.start("one", for_ever())
        assert await background.beside(main()) == "done"
    assert task.cancelled()
    assert background.failure is None


async def test_an_error_of_the_main_work_is_raised_as_it_is() -> None:
    async with Background() as background:
        with pytest.raises(ZeroDivisionError):
            await background.beside(raises(ZeroDivisionError()))


async def test_only_the_first_failure_is_told() -> None:
    told: list[TaskFailedError] = []
    async with Background(told.append) as background:
        for name in ("first", "second"):
            background.start(name, raises(ValueError(name)))
        with pytest.raises(TaskFailedError, match="first"):
            await background.beside(for_ever())
    assert len(told) == 1


async def test_a_task_that_is_cancelled_has_not_failed() -> None:
    async with Background() as background:
        task = background.start("one", for_ever())
        task.cancel()
        await asyncio.wait([task])
        assert background.failure is None
