"""Decide how many workers or teachers there shall be: a rule as data, applied to a signal that is looked at."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class ScalingRule:
    """Bounds, and when to grow and to shrink between them.

    Attributes:
        least, most: bounds of the count.
        grow_at: the load from which on one more is wanted.
        shrink_at: the load up to which one fewer is enough; below `grow_at`.
        grow_after_s, shrink_after_s: for how long the load must have been so, and the time between two changes.
        shared: whether the load is the signal divided by the count, as of labels that wait; else the signal itself,
            as of an age.
    """

    least: int
    most: int
    grow_at: float
    shrink_at: float
    grow_after_s: float
    shrink_after_s: float
    shared: bool = False

    def load(self, signal: float, count: int) -> float:
        """Return the load of each of `count`, of whom 0 are taken for one."""
        return signal / max(1, count) if self.shared else signal


@dataclass(frozen=True, slots=True)
class Scale:
    """How many there shall be, and since when the load asks for one more or one fewer (`wanted`, of -1, 0 and 1)."""

    count: int
    wanted: int = 0
    since_s: float = 0.0


def scaled(rule: ScalingRule, scale: Scale, signal: float, now_s: float) -> Scale:
    """Return the scale after a look at `signal`, the seconds of an age or the number of what waits.

    The count changes by one at a time, after the load has asked for the same at every look for as long as the rule
    says. One is given up only where the others would not be asked to grow at once.
    """
    count = min(max(scale.count, rule.least), rule.most)
    wanted = _wanted(rule, count, signal)
    if count != scale.count or wanted != scale.wanted or wanted == 0:
        return Scale(count, wanted, now_s)
    after_s = rule.grow_after_s if wanted > 0 else rule.shrink_after_s
    if now_s - scale.since_s < after_s:
        return replace(scale, count=count)
    return Scale(count + wanted, _wanted(rule, count + wanted, signal), now_s)


def _wanted(rule: ScalingRule, count: int, signal: float) -> int:
    if rule.load(signal, count) >= rule.grow_at:
        return int(count < rule.most)
    fewer_suffice = rule.load(signal, count - 1) < rule.grow_at
    return -int(rule.load(signal, count) <= rule.shrink_at and count > rule.least and fewer_suffice)
