"""`verify` works in processes that were forked or spawned, survives its judge, and ends with its program."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from itertools import count
from pathlib import Path

import psutil
import pytest
from co_rewarding_answers import AnswerGrader, Verdict, close, verify, vote
from co_rewarding_answers.judging import JudgeSettings

from tests.grading.judging import templates
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(240)
REPOSITORY = Path(__file__).parents[2]
IDENTITY = (r"\sin 2x", r"\boxed{2\sin x\cos x}")


@pytest.fixture(autouse=True)
def _judge_ends():
    yield
    close()


def asks_the_judge(number: int) -> str:
    """What a process of a pool does: another question each time, so that nothing is remembered."""
    return str(verify(rf"\sin {2 * number}x", rf"\boxed{{2\sin {number}x\cos {number}x}}"))


@pytest.mark.parametrize("way", ["fork", "spawn", "forkserver"])
def test_processes_of_a_pool_have_judges_of_their_own(way: str) -> None:
    assert asks_the_judge(2) == "same"  # a forked process has a copy of this judge's thread, which does not run
    with multiprocessing.get_context(way).Pool(2) as pool:
        assert set(pool.map(asks_the_judge, range(3, 9))) == {"same"}
    assert asks_the_judge(9) == "same"
    assert len(templates()) == 1


def test_a_fork_while_threads_ask_does_not_hang() -> None:
    """The child may be forked while another thread holds any lock of the grader."""
    ends = threading.Event()

    def ask() -> None:
        for number in range(10, 500):
            if ends.is_set():
                return
            asks_the_judge(number)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for number in (3, 5):
            child = os.fork()
            if child == 0:
                signal.alarm(60)  # ends the child if it hangs
                os._exit(0 if asks_the_judge(number) == "same" else 1)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        ends.set()
        for thread in threads:
            thread.join()


def run_alone(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


PROGRAM = f"""
import os, psutil
from co_rewarding_answers import verify
print(verify({IDENTITY[0]!r}, {IDENTITY[1]!r}))
print(*[each.pid for each in psutil.Process().children(recursive=True)])
"""


@pytest.mark.parametrize("ending", ["", "raise SystemExit(0)", "os._exit(0)", "os.kill(os.getpid(), 9)"])
def test_nothing_is_left_of_a_program_that_ends(ending: str) -> None:
    done = (
        run_alone(PROGRAM + ending + "\n")
        if "kill" not in ending
        else run_alone(PROGRAM.replace("children(recursive=True)])", "children(recursive=True)], flush=True)") + ending)
    )
    verdict, pids = done.stdout.splitlines() if done.stdout else ("same", "")
    assert verdict == "same"
    assert done.stderr == ""
    wait_until(lambda: not [pid for pid in map(int, pids.split()) if psutil.pid_exists(pid)])


def test_an_interrupt_ends_a_wait_and_not_the_grader() -> None:
    program = f"""
import os, signal, threading
from co_rewarding_answers import verify, close
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
try:
    threading.Timer(0.0, os.kill, (os.getpid(), signal.SIGINT)).start()
    while True:
        verify("1/2", "0.5")
except KeyboardInterrupt:
    print(verify({IDENTITY[0]!r}, {IDENTITY[1]!r}))
"""
    done = run_alone(program)
    assert (done.stdout, done.returncode) == ("same\n", 0)


def test_a_judge_that_was_killed_is_replaced() -> None:
    assert asks_the_judge(2) == "same"
    (template,) = templates()
    template.kill()
    template.wait()
    numbers = count(3)  # the question under way at the kill is undecided, and stays it for a minute
    wait_until(lambda: asks_the_judge(next(numbers)) == "same")


def test_close_ends_the_judge_and_a_later_call_starts_another() -> None:
    assert asks_the_judge(2) == "same"
    close()
    assert templates() == []
    assert asks_the_judge(3) == "same"


def test_a_grader_that_nothing_asks_starts_nothing() -> None:
    with AnswerGrader() as grader:
        assert grader.verify("1/2", r"\boxed{0.5}") is Verdict.SAME
        assert grader.vote(["1", "2", "2"]).label == "2"
        assert templates() == []
        grader.start()
        assert len(templates()) == 1
    assert templates() == []


@pytest.mark.parametrize("package", ["math_verify", "antlr4", "sympy"])
def test_without_the_judges_libraries_keys_decide_and_the_rest_is_undecided(package: str) -> None:
    program = f"""
import importlib.util, sys, warnings
find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == {package!r} else find_spec(name, *rest)
from co_rewarding_answers import verify
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    print(verify("1/2", "0.5"), verify({IDENTITY[0]!r}, {IDENTITY[1]!r}), verify("a", "b"), len(told), told[0].message)
"""
    done = run_alone(program)
    assert done.stdout.startswith("same undecided different 1 "), done.stderr
    assert package in done.stdout
    assert "co-rewarding[answers]" in done.stdout


def test_a_trainers_process_loads_neither_a_server_nor_symbolic_mathematics() -> None:
    program = f"""
import sys
for absent in ("fastapi", "httpx", "pydantic", "redis", "sympy", "math_verify", "typer", "uvicorn", "rich"):
    sys.modules[absent] = None
from co_rewarding_answers import verify, vote
assert vote(["1/2", "0.5"]).counts == {{"1/2": 2}}
del sys.modules["sympy"], sys.modules["math_verify"]  # what is looked for is there, and is not loaded
print(verify({IDENTITY[0]!r}, {IDENTITY[1]!r}), "sympy" in sys.modules, "math_verify" in sys.modules)
"""
    done = run_alone(program)
    assert done.stdout == "same False False\n", done.stderr


def test_the_judge_finds_its_modules_where_the_program_does_and_not_in_the_current_folder(tmp_path: Path) -> None:
    """A notebook adds folders to sys.path, and a trainer's folder may hold a module of any name."""
    (tmp_path / "sympy.py").write_text("raise ImportError('not this one')")
    (tmp_path / "program.py").write_text(
        "import sys\n"
        f"sys.path[:0] = [{str(REPOSITORY)!r}, {str(REPOSITORY / 'clients')!r}]\n"
        "sys.path.remove(sys.path[2])\n"
        "from co_rewarding_answers import verify\n"
        f"print(verify({IDENTITY[0]!r}, {IDENTITY[1]!r}))\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "program.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout == "same\n", done.stderr


def test_a_call_is_bounded_where_a_comparison_is_not() -> None:
    """The judge refuses what it knows to be endless; an endless sum that it tries is killed by the kernel."""
    with AnswerGrader(JudgeSettings(children=1, cpu_s=0.3)) as grader:
        endless = r"\sum_{n=1}^{\infty}\frac{1}{n^{2}}"
        assert grader.verify(endless, r"\boxed{\frac{\pi^{2}}{6}}") is Verdict.UNDECIDED
        assert grader.verify(*IDENTITY) is Verdict.SAME
    assert vote([]).label is None
