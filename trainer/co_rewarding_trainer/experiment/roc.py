"""Work out ROC curves, the area under them, and its bounds by resampling."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Auc:
    """The area under a ROC curve; `low` and `high` bound it with 95 % (percentile bootstrap over trainings)."""

    value: float
    low: float
    high: float


def roc(values_N: Floats, follows_N: npt.NDArray[np.bool_], weights_N: Floats | None = None) -> tuple[Floats, Floats]:
    """Return the false and the true positive rates of all thresholds, from the highest on; N moments.

    Both are empty where every moment has the same answer.
    """
    weights = np.ones(len(values_N)) if weights_N is None else weights_N
    found, place_N = np.unique(-values_N, return_inverse=True)
    right = np.bincount(place_N, weights * follows_N, minlength=len(found)).cumsum()
    wrong = np.bincount(place_N, weights * ~follows_N, minlength=len(found)).cumsum()
    if not len(found) or not right[-1] or not wrong[-1]:
        return np.array([]), np.array([])
    return np.concatenate([[0.0], wrong / wrong[-1]]), np.concatenate([[0.0], right / right[-1]])


def area(false_K: Floats, true_K: Floats) -> float:
    """Return the area under a ROC curve, ties by half; NaN of an empty one."""
    return float(((true_K[1:] + true_K[:-1]) * np.diff(false_K)).sum() / 2) if len(false_K) else float("nan")


def bounds_of(draws: Floats) -> Auc:
    """Return the first draw, which is the value itself, with the bounds of the others that are defined."""
    others = draws[1:][~np.isnan(draws[1:])]
    low, high = np.percentile(others, [2.5, 97.5]) if len(others) else (float("nan"), float("nan"))
    return Auc(float(draws[0]), float(low), float(high))
