"""Measure how many rollouts of a run are settled in a second, from the sums of its steps."""

from collections import deque
from collections.abc import Sequence

from reward_service.store.traces import SignPoint

WINDOW_S = 15.0


class RolloutRate:
    """Rollouts a second over the last looks."""

    def __init__(self) -> None:
        """Begin without a look."""
        self._newest: tuple[int, int] | None = None
        self._counted = 0
        self._looks: deque[tuple[float, int]] = deque()

    def after(self, points: Sequence[SignPoint], now_s: float) -> float | None:
        """Return the rate after a look at a run's steps, in their order; None after the first look.

        Only the newest step of the look before and later ones are counted: others may be new to the look alone.
        """
        settled = 0
        if self._newest is not None and points and _name(points[-1]) < self._newest:  # the run began anew
            self._newest, self._counted = (-1, -1), 0
        if self._newest is not None:
            later = [point for point in points if (point.step, point.attempt) >= self._newest]
            settled = sum(point.sums.rollouts for point in later)
            settled -= self._counted if later and _name(later[0]) == self._newest else 0
        if points:
            self._newest, self._counted = _name(points[-1]), points[-1].sums.rollouts
        elif self._newest is None:
            self._newest = (-1, -1)
        self._looks.append((now_s, settled))
        while len(self._looks) > 2 and self._looks[1][0] <= now_s - WINDOW_S:
            self._looks.popleft()
        began_s = self._looks[0][0]
        if now_s <= began_s:
            return None
        return sum(count for at_s, count in self._looks if at_s > began_s) / (now_s - began_s)


def _name(point: SignPoint) -> tuple[int, int]:
    return point.step, point.attempt
