"""Copy a run's series to an experiment tracker, beside what a trainer logs itself: each step once, when it has ended.

>>> from co_rewarding_client import RewardClient
>>> from co_rewarding_client.tracking import Pace, follow
>>> from co_rewarding_client.trackers import open_tracker
>>> with RewardClient("http://127.0.0.1:8000") as client, open_tracker("tensorboard", "runs/tb", "math") as tracker:
...     follow(client, "math", tracker, Pace(until_quiet=True))
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from co_rewarding_client.client import RewardClient
from co_rewarding_client.errors import NotFound, ServiceUnavailable

PREFIX = "co_rewarding/"
"""Before the name of each figure, so that a tracker shows them apart from the trainer's own."""

NO_STEP = -1
IDENTITY = frozenset({"step", "attempt"})

Point = Mapping[str, Any]
"""The figures of one step and attempt, as the service tells them."""

Figures = Mapping[str, float]


class Tracker(Protocol):
    """Where the figures of steps go. A step that was logged is there after the process was killed, too."""

    def last_step(self) -> int:
        """Return the last step that is logged; NO_STEP for none."""
        ...

    def log(self, step: int, figures: Figures) -> None:
        """Log the figures of a step, which is later than all before it."""
        ...


@dataclass(frozen=True, slots=True)
class Pace:
    """How a series is followed.

    Attributes:
        every_s: between two looks.
        quiet_s: how long the latest step must not have changed to count as ended; an earlier one, between two looks.
        until_quiet: whether to end once all steps have ended; else the series is followed until interrupted.
    """

    every_s: float = 5.0
    quiet_s: float = 60.0
    until_quiet: bool = False


class EndedSteps:
    """Tells which steps of a series have ended: what a step is said to be changes while its groups are settled.

    A step ends once; an attempt that comes after is passed over. `last_step` is the last one that has ended.
    """

    def __init__(self, last_step: int, quiet_s: float) -> None:
        """Steps up to `last_step` were told before."""
        self.last_step = last_step
        self._quiet_s = quiet_s
        self._changed_s: dict[int, tuple[Point, float]] = {}
        self.open = 0

    def look(self, points: Sequence[Point], now_s: float) -> Iterator[tuple[int, Figures]]:
        """Yield the steps that have ended since the last look, in order; `open` says how many have not."""
        latest = {point["step"]: point for point in points}  # a later attempt comes behind
        steps = sorted(step for step in latest if step > self.last_step)
        known = self._changed_s
        self._changed_s = {}
        for step in steps:
            seen, since_s = known.get(step, ({}, now_s))
            self._changed_s[step] = latest[step], since_s if seen == latest[step] else now_s
        for step in steps:
            unchanged_s = now_s - self._changed_s[step][1]
            if unchanged_s <= 0.0 or (step == steps[-1] and unchanged_s < self._quiet_s):
                break
            self.last_step = step
            yield step, figures_of(latest[step])
        self.open = sum(step > self.last_step for step in steps)


def figures_of(point: Point) -> dict[str, float]:
    """Return what is a number of a step, by the name under which it is logged; what is unknown is left out.

    Counts by kind, such as the abstentions by reason, are logged as their sum and as `name_kind` each.
    """
    figures: dict[str, float] = {}
    for name, value in point.items():
        if name in IDENTITY:
            continue
        if isinstance(value, int | float):
            figures[f"{PREFIX}{name}"] = float(value)
        elif isinstance(value, Mapping):
            counts = cast("Mapping[str, float]", value)
            figures[f"{PREFIX}{name}"] = float(sum(counts.values()))
            figures |= {f"{PREFIX}{name}_{kind}": float(count) for kind, count in counts.items()}
    return figures


def follow(
    client: RewardClient,
    run: str,
    tracker: Tracker,
    pace: Pace | None = None,
    *,
    told: Callable[[int], None] = lambda _: None,
    trouble: Callable[[str], None] = lambda _: None,
    clock_s: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Log the steps of `run` as they end, behind those that the tracker has; `told` is called with each.

    A service that is away, or does not know the run yet, is asked again for as long as it takes, and so is a run that
    was made anew and is behind what is logged; `trouble` is called with what is wrong, once until it is over.
    """
    pace = pace or Pace()
    ended = EndedSteps(tracker.last_step(), pace.quiet_s)
    troubled = False
    while True:
        try:
            points = client.series(run)
        except (ServiceUnavailable, NotFound) as error:
            if not troubled:
                trouble(str(error))
            troubled = True
        else:
            newest = points[-1]["step"] if points else ended.last_step
            if newest < ended.last_step and not troubled:
                trouble(
                    f"run {run} is at step {newest}, and steps up to {ended.last_step} are logged: if the run was made "
                    "anew, log it to another place; here its earlier steps are passed over"
                )
            troubled = newest < ended.last_step
            for step, figures in ended.look(points, clock_s()):
                tracker.log(step, figures)
                told(step)
            if pace.until_quiet and points and not ended.open:
                return
        sleep(pace.every_s)
