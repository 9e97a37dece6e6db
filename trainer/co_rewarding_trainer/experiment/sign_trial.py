"""Put the signs of a collapse on trial: does a sign warn of a loss of accuracy that begins within some steps?

A training loses when its accuracy, a mean of three evaluations, falls LOSS below its peak until then. Each moment
before the loss is asked whether the loss comes within the horizon. What a sign says at the moment is its mean over the
last steps (`level`), or that less the mean of some steps before (`change`). Direction and threshold, and the
direction of the number of the step, are chosen on the tuning seeds; all else is counted on the other seeds.
"""

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from co_rewarding_trainer.experiment.cell import SIGNS, CellResult
from co_rewarding_trainer.experiment.roc import Auc, Floats, area, bounds_of, roc

LOSS = 0.05
SMOOTHED_EVALUATIONS = 3
MEAN_STEPS = 10
CHANGE_STEPS = 30
MOMENT_STEPS = 5
NULL_STEP = 60
ONE_ANSWER = "top_share, level"
ONE_ANSWER_ABOVE = 0.8
"""The alert OneAnswer of deploy/prometheus/alerts.yml."""
RESAMPLES = 1000
THRESHOLDS = 60

LEAST_AUC = 0.8
LEAST_HITS = 0.8
MOST_FALSE = 0.2


@dataclass(frozen=True)
class Course:
    """One training as the trial sees it.

    Attributes:
        moments: steps at which a sign is asked, all before the loss.
        readings: of each kind of reading, a value for each moment; NaN where the sign was not told.
        lost_at: the step at which the loss is seen; None without one.
        last: the last step.
    """

    name: str
    seed: int
    moments: tuple[int, ...]
    readings: dict[str, Floats]
    lost_at: int | None
    last: int


@dataclass(frozen=True)
class Alarms:
    """What a threshold comes to, counted in trainings.

    Attributes:
        losses, hits, early: trainings with a loss; those warned within the horizon before; those warned before that.
        kept, false: trainings without a loss, and those warned all the same.
        lead: steps from the warning to the loss, the median of the hits; None without one.
    """

    losses: int
    hits: int
    early: int
    kept: int
    false: int
    lead: float | None

    @property
    def hit_rate(self) -> float:
        """Return the share of the losses that were warned of in time; 0 without a loss."""
        return self.hits / self.losses if self.losses else 0.0

    @property
    def false_rate(self) -> float:
        """Return the share of all trainings that were warned for nothing, or too early."""
        return (self.false + self.early) / max(1, self.losses + self.kept)


@dataclass(frozen=True)
class Verdict:
    """How one reading did: `sign` is 1 where high values warn, -1 where low ones do.

    `beyond_null` is the AUC less that of the number of the step.
    """

    reading: str
    sign: int
    threshold: float
    auc: Auc
    beyond_null: Auc
    alarms: Alarms

    @property
    def good_enough(self) -> bool:
        """Tell whether the reading may become an alarm: by its AUC, beyond the null, and by its rates."""
        of_auc = self.auc.low >= LEAST_AUC and self.beyond_null.low > 0
        return of_auc and self.alarms.hit_rate >= LEAST_HITS and self.alarms.false_rate <= MOST_FALSE


@dataclass(frozen=True)
class Trial:
    """The verdicts on the seeds that are reported, the best AUC of the tuning seeds first, and those of two nulls.

    `by_step` takes the number of the step for a sign, in the direction `step_sign`; `always` warns every training at
    step NULL_STEP. `one_answer` warns where the alert OneAnswer does, whose threshold nobody chose by these trainings.
    """

    horizon: int
    courses: tuple[Course, ...]
    verdicts: tuple[Verdict, ...]
    by_step: Auc
    step_sign: int
    always: Alarms
    one_answer: Alarms


def lost_at(accuracies: Sequence[tuple[int, float]]) -> int | None:
    """Return the step at which a loss is seen: a mean of three evaluations is LOSS below the best such mean before."""
    peak = 0.0
    for at in range(SMOOTHED_EVALUATIONS, len(accuracies) + 1):
        mean = statistics.fmean(share for _, share in accuracies[at - SMOOTHED_EVALUATIONS : at])
        if mean <= peak - LOSS:
            return accuracies[at - 1][0]
        peak = max(peak, mean)
    return None


def course_of(result: CellResult) -> Course:
    """Return a training as the trial sees it."""
    lost, last = lost_at(result.accuracies), len(result.steps)
    end = last if lost is None else lost
    moments = tuple(range(MEAN_STEPS, end, MOMENT_STEPS))
    told = {each.step: each for each in result.signs}
    readings: dict[str, Floats] = {}
    for name in SIGNS:
        values = np.array([_number(getattr(told.get(step), name, None)) for step in range(last)])
        level = np.array([_mean(values, at) for at in moments])
        before = np.array([_mean(values, max(MEAN_STEPS, at - CHANGE_STEPS)) for at in moments])
        readings[f"{name}, level"], readings[f"{name}, change"] = level, level - before
    name = f"{result.row} {result.learning_rate:g} {result.start} s{result.seed}"
    return Course(name, result.seed, moments, readings, lost, last)


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _mean(values: Floats, at: int) -> float:
    """Return the mean of the steps before `at`, without those that told nothing."""
    known = values[max(0, at - MEAN_STEPS) : at]
    known = known[~np.isnan(known)]
    return float(known.mean()) if len(known) else float("nan")


@dataclass(frozen=True)
class _Asked:
    """The moments of some courses that have an answer: whose they are, which step, and whether a loss follows."""

    course_N: npt.NDArray[np.intp]
    step_N: Floats
    follows_N: npt.NDArray[np.bool_]
    values_N: Floats


def _asked(courses: Sequence[Course], reading: str | None, horizon: int) -> _Asked:
    """Ask the moments; those near the end of a training that lost nothing have no answer yet."""
    rows: list[tuple[int, int, bool, float]] = []
    for number, course in enumerate(courses):
        for place, at in enumerate(course.moments):
            value = float(at) if reading is None else float(course.readings[reading][place])
            open_end = course.lost_at is None and at + horizon > course.last
            if not open_end and not np.isnan(value):
                rows.append((number, at, course.lost_at is not None and course.lost_at <= at + horizon, value))
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    return _Asked(
        np.array(columns[0], dtype=np.intp),
        np.array(columns[1], dtype=np.float64),
        np.array(columns[2], dtype=np.bool_),
        np.array(columns[3], dtype=np.float64),
    )


def _auc_with_null(asked: _Asked, sign: int, step_sign: int, courses: int) -> tuple[Auc, Auc, Auc]:
    """Return the AUC of a reading, that of the step, and their difference, with bounds over the same resamples."""
    rng = np.random.default_rng(0)
    draws: list[tuple[float, float]] = []
    for draw in range(RESAMPLES + 1):
        picked = np.ones(courses) if draw == 0 else np.bincount(rng.integers(courses, size=courses), minlength=courses)
        weights = picked[asked.course_N].astype(np.float64)
        of_reading = area(*roc(sign * asked.values_N, asked.follows_N, weights))
        draws.append((of_reading, area(*roc(step_sign * asked.step_N, asked.follows_N, weights))))
    found = np.array(draws)
    return bounds_of(found[:, 0]), bounds_of(found[:, 1]), bounds_of(found[:, 0] - found[:, 1])


def alarms_of(courses: Sequence[Course], warned_at: Callable[[Course], int | None], horizon: int) -> Alarms:
    """Count what warnings come to; `warned_at` gives the step of the first warning before the loss, if any."""
    hits: list[int] = []
    early = false = 0
    for course in courses:
        at = warned_at(course)
        if at is None:
            continue
        if course.lost_at is None:
            false += 1
        elif at >= course.lost_at - horizon:
            hits.append(course.lost_at - at)
        else:
            early += 1
    losses = sum(course.lost_at is not None for course in courses)
    lead = statistics.median(hits) if hits else None
    return Alarms(losses, len(hits), early, len(courses) - losses, false, lead)


def _crossing(reading: str, sign: int, threshold: float) -> Callable[[Course], int | None]:
    def warned_at(course: Course) -> int | None:
        crossed = np.flatnonzero(sign * course.readings[reading] >= sign * threshold)
        return course.moments[int(crossed[0])] if len(crossed) else None

    return warned_at


def always_at_null(course: Course) -> int | None:
    """Warn at step NULL_STEP, whatever the signs; nobody warns of what has happened."""
    end = course.last if course.lost_at is None else course.lost_at
    return NULL_STEP if end > NULL_STEP else None


def _threshold(courses: Sequence[Course], reading: str, sign: int, horizon: int) -> float:
    """Return the threshold whose hits exceed its false warnings by most; of equal ones that in the middle."""
    values = np.concatenate([course.readings[reading] for course in courses])
    values = np.sort(values[~np.isnan(values)] * sign)
    gains: list[tuple[float, float]] = []
    for value in values[np.linspace(0, len(values) - 1, THRESHOLDS).round().astype(int)]:
        alarms = alarms_of(courses, _crossing(reading, sign, sign * float(value)), horizon)
        gains.append((alarms.hit_rate - alarms.false_rate, float(value)))
    best, _ = max(gains)
    return sign * statistics.median_low([value for gain, value in gains if gain == best])


def readings() -> Iterator[str]:
    """Yield the kinds of readings: each sign's level and change."""
    for name in SIGNS:
        yield from (f"{name}, level", f"{name}, change")


def try_signs(tuned: Sequence[Course], reported: Sequence[Course], horizon: int) -> Trial:
    """Put every reading on trial: direction and threshold by the tuned courses, all else by the reported ones.

    A reading whose tuned courses have no loss, or nothing else, is left out.
    """
    ranked: list[tuple[float, Verdict]] = []
    steps = _asked(tuned, None, horizon)
    step_sign = _sign_of(area(*roc(steps.values_N, steps.follows_N)))
    for reading in readings():
        tuning = _asked(tuned, reading, horizon)
        at_tuning = area(*roc(tuning.values_N, tuning.follows_N))
        if np.isnan(at_tuning):
            continue
        sign = _sign_of(at_tuning)
        threshold = _threshold(tuned, reading, sign, horizon)
        auc, _, beyond = _auc_with_null(_asked(reported, reading, horizon), sign, step_sign, len(reported))
        alarms = alarms_of(reported, _crossing(reading, sign, threshold), horizon)
        ranked.append((max(at_tuning, 1 - at_tuning), Verdict(reading, sign, threshold, auc, beyond, alarms)))
    ranked.sort(key=lambda each: -each[0])
    by_step, _, _ = _auc_with_null(_asked(reported, None, horizon), step_sign, step_sign, len(reported))
    always = alarms_of(reported, always_at_null, horizon)
    one_answer = alarms_of(reported, _crossing(ONE_ANSWER, 1, ONE_ANSWER_ABOVE), horizon)
    verdicts = tuple(verdict for _, verdict in ranked)
    return Trial(horizon, tuple(reported), verdicts, by_step, step_sign, always, one_answer)


def _sign_of(area_at_tuning: float) -> int:
    """Return the direction of a reading by its area on the tuning seeds: 1 where high values warn, else -1."""
    return -1 if area_at_tuning < 0.5 else 1


def curve_of(trial: Trial, reading: str | None, sign: int) -> tuple[Floats, Floats]:
    """Return the ROC curve of a reading on the reported seeds; None: of the number of the step."""
    asked = _asked(trial.courses, reading, trial.horizon)
    return roc(sign * asked.values_N, asked.follows_N)
