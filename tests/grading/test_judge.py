"""The judge's processes, with real children: what kills them, and that nothing of it reaches the caller."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator

import psutil
import pytest
import uvloop

from reward_service.grading.judge import Judge, Judgement
from reward_service.grading.judge_process import JudgeLimits
from reward_service.grading.verdicts import Verdict
from tests.grading.judging import HOSTILE, descendants, judge_children, templates
from tests.support.waiting import until, wait_until

pytestmark = pytest.mark.anyio

EQUAL = (r"\frac{1}{1+\sqrt{2}}", r"\sqrt{2}-1")


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def judge() -> AsyncIterator[Judge]:
    async with Judge() as judge:
        yield judge


@pytest.fixture
async def unguarded() -> AsyncIterator[Judge]:
    """One that asks its child whatever it is given."""
    async with Judge(limits=JudgeLimits(cpu_s=0.3), guards=False) as judge:
        yield judge


async def test_judges_in_both_directions(judge: Judge) -> None:
    for a, b in (EQUAL, EQUAL[::-1]):
        assert (await judge.compare(a, b)).verdict is Verdict.SAME
    for a, b in ((r"6\sqrt2-2", "2"), ("2", r"6\sqrt2-2")):
        assert (await judge.compare(a, b)).verdict is Verdict.DIFFERENT


async def test_a_refused_answer_reaches_no_child() -> None:
    judge = Judge()  # never started
    judged = await judge.compare(HOSTILE, "1")
    assert judged == Judgement(Verdict.UNDECIDED, 0.0, "tower")


async def test_says_what_it_cost_and_tells_an_observer() -> None:
    seen: list[tuple[Verdict, float, str]] = []
    async with Judge(observe=lambda verdict, cpu_s, reason: seen.append((verdict, cpu_s, reason))) as judge:
        judged = await judge.compare(*EQUAL)
    assert seen == [(judged.verdict, judged.cpu_s, judged.reason)]
    assert 0 < judged.cpu_s < 2


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_works_in_a_thread_with_a_loop_of_its_own(new_loop) -> None:
    found: list[Verdict] = []

    async def ask() -> None:
        async with Judge() as judge:
            found.append((await judge.compare(*EQUAL)).verdict)

    def run() -> None:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(ask())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(60)
    assert found == [Verdict.SAME]


@pytest.mark.parametrize("hostile", [HOSTILE, r"\lfloor e^{10^{9}}\rfloor", "100000000!"])
async def test_the_kernel_ends_what_takes_too_long_and_the_next_is_answered(unguarded: Judge, hostile: str) -> None:
    judged = await unguarded.compare(hostile, "1")
    assert (judged.verdict, judged.reason, judged.cpu_s) == (Verdict.UNDECIDED, "killed", 0.3)
    assert (await unguarded.compare(*EQUAL)).verdict is Verdict.SAME


async def test_a_deep_text_is_refused_also_without_the_guard(unguarded: Judge) -> None:
    judged = await unguarded.compare("(" * 3000 + "x" + ")" * 3000, "x")
    assert (judged.verdict, judged.reason) == (Verdict.UNDECIDED, "notation")
    assert (await unguarded.compare(*EQUAL)).verdict is Verdict.SAME


async def test_memory_is_limited() -> None:
    async with Judge(limits=JudgeLimits(cpu_s=30, growth_bytes=8 << 20), guards=False) as judge:
        judged = await judge.compare("10^{20000000}", "1")
        assert judged.verdict is Verdict.UNDECIDED
        assert judged.reason in ("exhausted", "killed")
        assert (await judge.compare("2+2", "4")).verdict is Verdict.SAME


async def test_the_wall_clock_is_the_second_line() -> None:
    async with Judge(wall_s=0.2, limits=JudgeLimits(cpu_s=30), guards=False) as judge:
        await judge.ready()
        judged = await judge.compare(HOSTILE, "1")
        assert (judged.verdict, judged.reason) == (Verdict.UNDECIDED, "wall")
        await until(_nobody_at_work)


async def test_a_cancelled_question_leaves_nobody_at_work(unguarded: Judge) -> None:
    await unguarded.ready()
    [child] = judge_children()
    asking = asyncio.create_task(unguarded.compare(HOSTILE, "1"))
    await until(lambda: _used(child))
    asking.cancel()
    await asyncio.wait([asking])
    assert asking.cancelled()
    assert (await unguarded.compare(*EQUAL)).verdict is Verdict.SAME
    assert not child.is_running()


async def _nobody_at_work() -> bool:
    return not judge_children()


async def _used(child: psutil.Process) -> bool:
    return child.cpu_times().user > 0.05


async def test_a_killed_child_is_replaced(judge: Judge) -> None:
    await judge.ready()
    [child] = judge_children()
    child.kill()
    await until(lambda: _replaced(judge))
    assert judge_children() != [child]


async def test_a_killed_template_is_replaced(judge: Judge) -> None:
    await judge.ready()
    [template] = templates()
    template.kill()
    await until(lambda: _replaced(judge))
    assert templates() != [template]


async def _replaced(judge: Judge) -> bool:
    """A question that is under way when its child is killed is left undecided; those that come after are not."""
    return (await judge.compare(*EQUAL)).verdict is Verdict.SAME


async def test_never_more_children_than_allowed() -> None:
    async with Judge(children=2, limits=JudgeLimits(cpu_s=0.1, questions=3), guards=False) as judge:
        await judge.ready()
        texts = [HOSTILE if n % 4 == 0 else rf"\sqrt{{{n}}}+1" for n in range(16)]
        asking = asyncio.gather(*(judge.compare(text, rf"1+\sqrt{{{n}}}") for n, text in enumerate(texts)))
        most = 0
        while not asking.done():
            most = max(most, len(judge_children()))
            await asyncio.wait([asking], timeout=0.002)
        judged = await asking
    assert 1 <= most <= 2
    assert [j.verdict for j in judged] == [Verdict.UNDECIDED if n % 4 == 0 else Verdict.SAME for n in range(16)]


async def test_closing_ends_all_and_what_is_asked_then_is_undecided() -> None:
    judge = Judge(limits=JudgeLimits(cpu_s=30), guards=False)
    await judge.start()
    await judge.ready()
    mine = [*templates(), *judge_children()]
    asking = asyncio.create_task(judge.compare(HOSTILE, "1"))
    await until(lambda: _used(judge_children()[0]))
    await judge.close()
    assert (await asking).verdict is Verdict.UNDECIDED
    wait_until(lambda: not any(process.is_running() for process in mine))
    assert (await judge.compare(*EQUAL)).reason == "absent"


PROGRAM = """
import asyncio
from reward_service.grading.judge import Judge
from reward_service.grading.judge_process import JudgeLimits

async def main():
    judge = Judge(limits=JudgeLimits(cpu_s=600), guards=False)
    await judge.start()
    await judge.ready()
    print("ready", flush=True)
    await judge.compare(QUESTION, "1")

asyncio.run(main())
"""


@pytest.mark.parametrize("busy", [True, False], ids=["busy", "idle"])
def test_children_die_with_their_parent(busy: bool) -> None:
    question = HOSTILE if busy else "1"
    program = textwrap.dedent(PROGRAM).replace("QUESTION", repr(question))
    if not busy:
        program = program.replace("asyncio.run(main())", "").replace(
            '"1")\n', '"1")\n    await asyncio.Event().wait()\n'
        )
        program += "asyncio.run(main())\n"
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    try:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        [child] = judge_children(parent.pid)
        if busy:
            wait_until(lambda: child.cpu_times().user > 0.05)
        family = descendants(parent.pid)
        assert len(family) == 2
    finally:
        os.kill(parent.pid, signal.SIGKILL)
        parent.communicate()
    wait_until(lambda: not any(process.is_running() for process in family))


async def test_a_child_is_confined(judge: Judge) -> None:
    await judge.ready()
    [child] = judge_children()
    assert child.rlimit(psutil.RLIMIT_CORE) == (0, 0)
    assert child.rlimit(psutil.RLIMIT_FSIZE) == (0, 0)
    assert child.rlimit(psutil.RLIMIT_NOFILE) == (32, 32)
    assert child.rlimit(psutil.RLIMIT_AS)[1] - child.memory_info().vms <= JudgeLimits().growth_bytes
    assert not set(child.environ()) - {"PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "PYTHONHASHSEED"}
