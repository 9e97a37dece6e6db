"""kill -9 at any moment of an update: what is opened again is a whole version, and says which."""

import contextlib
import itertools
import json
import os
import random
import select
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

pytest.importorskip("numba", reason="the average needs numba: pip install 'co-rewarding[local]'")

from reward_service.teaching.average import Average
from tests.support.weight_folders import weights, write_model
from tests.teaching.averages import Tensors, assert_equal, kept, moved
from tests.teaching.updating_process import ALPHA, POLICIES

LARGE = {"layer": (1000, 700), "norm": (700,)}
SMALL = {"layer": (9, 7), "norm": (7,)}
KILLS = 25
LONGEST_S = 0.25


Shapes = Mapping[str, tuple[int, ...]]


class Process:
    """The process that makes the children, and what they work with."""

    def __init__(self, folder: Path, shapes: Shapes) -> None:
        self.base = write_model(folder / "base", weights(POLICIES, **shapes))
        for number in range(POLICIES):
            write_model(folder / str(number), weights(number, **shapes), files=2)
        self.expected = Expected(shapes)
        self._child = subprocess.Popen(
            [sys.executable, "-m", "tests.teaching.updating_process", folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        assert self._line() == "ready"

    def close(self) -> None:
        self._child.communicate()

    def update(self, folder: Path, *, mapped: bool, calls: int | None, until: Callable[[int], None]) -> int:
        """By which signal a child ended that did updates; `until` is called with its pid."""
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps({"folder": str(folder), "mapped": mapped, "calls": calls}) + "\n")
        until(int(self._line()))
        return int(self._line())

    def silent_for(self, seconds: float) -> None:
        """Returns after that time; fails if a child has ended before."""
        assert not select.select([self._child.stdout], [], [], seconds)[0], "the child ended by itself"

    def _line(self) -> str:
        assert self._child.stdout is not None
        return self._child.stdout.readline().strip()


class Expected:
    """What every version must be, to the bit."""

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes
        self._versions = [weights(POLICIES, **shapes)]

    def of(self, version: int) -> Tensors:
        while len(self._versions) <= version:
            policy = weights(len(self._versions) % POLICIES, **self._shapes)
            self._versions.append(moved(self._versions[-1], policy, 1.0 - ALPHA))
        return self._versions[version]


@pytest.fixture
def large(tmp_path: Path) -> Iterator[Process]:
    with contextlib.closing(Process(tmp_path / "models", LARGE)) as process:
        yield process


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Process]:
    with contextlib.closing(Process(tmp_path / "models", SMALL)) as process:
        yield process


def version_of(process: Process, folder: Path, *, mapped: bool) -> int:
    """The version that is opened; its numbers are looked at."""
    with Average.open(folder, process.base, mapped=mapped, threads=1) as average:
        assert_equal(kept(average, folder.parent), process.expected.of(average.version))
        return average.version


@pytest.mark.parametrize("mapped", [False, True], ids=["memory", "mapped"])
def test_killed_at_random_moments(large: Process, tmp_path: Path, mapped: bool) -> None:
    folder, moments, versions = tmp_path / "average", random.Random(mapped), [0]

    def kill(pid: int) -> None:
        large.silent_for(moments.uniform(0.0, LONGEST_S))
        os.kill(pid, signal.SIGKILL)

    for _ in range(KILLS):
        assert large.update(folder, mapped=mapped, calls=None, until=kill) == signal.SIGKILL
        versions.append(version_of(large, folder, mapped=mapped))
    assert versions == sorted(versions)
    assert len(set(versions)) > KILLS // 5, "hardly any child came to an update"


@pytest.mark.parametrize("mapped", [False, True], ids=["memory", "mapped"])
def test_killed_between_any_two_calls(small: Process, tmp_path: Path, mapped: bool) -> None:
    """While an average is begun and updated once: a child for every second call and return in the code that writes.

    The two modes take turns.
    """
    came = Counter[int]()
    for calls in itertools.count(int(mapped), 2):
        folder = tmp_path / f"average-{calls}"
        ended_by = small.update(folder, mapped=mapped, calls=calls, until=lambda _: None)
        version = version_of(small, folder, mapped=mapped)
        if not ended_by:
            break
        assert ended_by == signal.SIGKILL
        came[version] += 1
    assert version == 1
    assert came.keys() == {0, 1}, "killed only before the update had happened, or only after"
