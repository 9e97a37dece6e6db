"""The table of graders, the baselines in it, and the clock that they are measured with."""

import asyncio
import logging
import subprocess
import sys
import time
from contextlib import asynccontextmanager

import pytest
from co_rewarding_schema.vocabulary import Conventions

from reward_service.tools.replay.baselines import PairwiseGrader, StringGrader, math_verify_grader, warnings_counted
from reward_service.tools.replay.cpu import CpuStopwatch
from reward_service.tools.replay.errors import ReplayError
from reward_service.tools.replay.graders import GRADERS, REFERENCE, GraderRow, chosen, reference_row

LENIENT = Conventions.LENIENT


@asynccontextmanager
async def nothing():
    yield StringGrader()


MISSING = GraderRow(nothing, needs="no_such_package")


@pytest.mark.parametrize("name", [name for name, row in GRADERS.items() if row.installed])
def test_every_row_opens_to_a_grader(name):
    async def grade() -> None:
        async with GRADERS[name].open() as grader:
            classes = await grader.classify(["4", "5", " 4"], GRADERS[name].conventions)
            matches = await grader.match("4", ["4", "5"], GRADERS[name].conventions)
            assert classes.class_of["4"] == classes.class_of[" 4"] != classes.class_of["5"]
            assert matches.equal == {"4"}
            assert classes.undecided == matches.undecided == 0

    asyncio.run(grade())


def test_rows_are_taken_once_and_in_the_order_they_are_named():
    rows, notes = chosen(["strict", "string", "strict"])

    assert (list(rows), notes) == (["strict", "string"], ())
    assert rows["strict"].conventions is Conventions.STRICT
    assert GRADERS[REFERENCE].conventions is Conventions.LENIENT


def test_a_grader_whose_package_is_missing_is_left_out_and_that_is_said():
    rows, notes = chosen(["absent", "string"], {"absent": MISSING, **GRADERS})

    assert list(rows) == ["string"]
    assert notes == ("absent is left out: no-such-package is not installed (pip install no-such-package)",)
    with pytest.raises(ReplayError, match=r"^--grader: no grader is left; absent is left out: no-such-package is not"):
        chosen(["absent"], {"absent": MISSING})
    with pytest.raises(ReplayError, match=r"^--reference: absent cannot judge: no-such-package is not installed"):
        reference_row("absent", {"absent": MISSING})


def test_a_grader_that_there_is_not():
    with pytest.raises(ReplayError, match=r"^--grader: 'exact' is not a grader; choose one of string, lenient, "):
        chosen(["exact"])
    with pytest.raises(ReplayError, match=r"^--reference: 'exact' is not a grader"):
        reference_row("exact")


def test_greedy_classes_depend_on_the_order():
    near = PairwiseGrader(lambda gold, answer: abs(int(gold) - int(answer)) <= 1)

    assert asyncio.run(near.classify(["1", "2", "3"], LENIENT)).class_of == {"1": "1", "2": "1", "3": "3"}
    assert asyncio.run(near.classify(["2", "1", "3"], LENIENT)).class_of == {"2": "2", "1": "2", "3": "2"}
    assert asyncio.run(near.match("2", ["1", "3", "4"], LENIENT)).equal == {"1", "3"}


def test_what_a_pairwise_grader_gives_up_on_is_counted_for_the_call_that_it_was_in():
    given_up: list[str] = []

    def never(gold: str, answer: str) -> bool:
        given_up.append(answer)
        return False

    grader = PairwiseGrader(never, lambda: len(given_up))

    assert asyncio.run(grader.classify(["a", "b", "c"], LENIENT)).undecided == 3  # b with a, c with a and with b
    assert asyncio.run(grader.match("a", ["b", "c"], LENIENT)).undecided == 2


def test_math_verify_as_its_users_call_it():
    pytest.importorskip("math_verify", reason="math-verify is not installed")

    with math_verify_grader() as grader:
        classes = asyncio.run(grader.classify(["1/2", "0.5", "1/3"], LENIENT))
        matches = asyncio.run(grader.match("\\frac12", ["1/2", "0.5", "1/3"], LENIENT))

    assert (classes.class_of, classes.undecided) == ({"1/2": "1/2", "0.5": "1/2", "1/3": "1/3"}, 0)
    assert matches.equal == {"1/2", "0.5"}


def test_a_comparison_that_is_warned_of_is_undecided(capfd):
    def times_out(gold: str, answer: str) -> bool:
        logging.getLogger("some_grader.part").warning("Timeout during comparison of \x1b[2J")
        return False

    logger = logging.getLogger("some_grader")
    before = logger.handlers[:], logger.propagate

    with warnings_counted("some_grader") as timeouts:
        undecided = asyncio.run(PairwiseGrader(times_out, timeouts).match("1", ["2", "3"], LENIENT)).undecided

    assert undecided == 2
    assert (logger.handlers, logger.propagate) == before
    assert capfd.readouterr().err == ""


def test_cpu_time_of_this_process():
    stopwatch = CpuStopwatch()
    spent_s = _spend(0.05)

    assert spent_s <= stopwatch.elapsed_s() < 10 * spent_s + 1


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a child counts when it has ended")
def test_cpu_time_of_a_child_while_it_runs_and_after():
    program = "import time\nwhile time.process_time() < 0.3: pass\nprint('done', flush=True)\ninput()"
    stopwatch = CpuStopwatch()
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "done\n"
        assert stopwatch.elapsed_s() >= 0.3
        child.communicate("\n")
    assert stopwatch.elapsed_s() >= 0.3


def _spend(cpu_s: float) -> float:
    begun_s = time.process_time()
    while time.process_time() - begun_s < cpu_s:
        pass
    return cpu_s
