"""Judge the samples of a soak, draw them, and write its page."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.soak_samples import Sample
from benchmarks.soak_series import SERIES
from benchmarks.soak_slopes import Slope, slope_of
from benchmarks.soak_troubles import FULL_STORE, SLOW_DISK, Passed, period_s

WARM_UP_SHARE = 0.25
JUDGED_S = 1200.0
"""Slopes over less than this are told and not judged: they are those of a service that is still warming up."""
MOST_SHARE_PER_H = 0.05
"""What surely grows faster than by this share of its level in an hour is a leak."""
WIDTH = 120


@dataclass(frozen=True)
class SoakResult:
    """All that a soak has come to."""

    machine: str
    minutes: float
    cohorts: int
    seed: int
    retention_s: float
    took_s: float
    samples: Sequence[Sample]
    troubles: Sequence[Passed]
    due: Mapping[str, Mapping[str, int]]
    rewarded: Mapping[str, Mapping[str, int]]
    again: Mapping[str, Mapping[str, int]]
    faults: Sequence[str]

    @property
    def warm_up_s(self) -> float:
        """Samples before this are not judged: the store fills up until what is old expires.

        What names a round or a ticket is kept for the deadline of a cohort and the retention: twice the retention here.
        """
        return max(WARM_UP_SHARE * 60.0 * self.minutes, 2.25 * self.retention_s)

    @property
    def judged(self) -> list[Sample]:
        """The samples after the warm-up, while questions were sent."""
        return [each for each in self.samples if self.warm_up_s <= each.at_s <= 60.0 * self.minutes]

    @property
    def judged_s(self) -> float:
        """The span of those."""
        judged = self.judged
        return judged[-1].at_s - judged[0].at_s if judged else 0.0

    @cached_property
    def slopes(self) -> dict[str, Slope | None]:
        """Of each series."""
        found: dict[str, Slope | None] = {}
        for series in SERIES:
            seen = [(each.at_s, series.value(each)) for each in self.judged]
            pairs = [(at_s, value) for at_s, value in seen if value is not None]
            block_s = 2 * period_s(60.0 * self.minutes)
            found[series.name] = slope_of([at_s for at_s, _ in pairs], [value for _, value in pairs], block_s)
        return found

    @property
    def growing(self) -> list[str]:
        """What grows, if the soak was long enough to say so."""
        if self.judged_s < JUDGED_S:
            return []
        return [
            f"{name} grows by {slope.share_per_h:.1%} of its level in an hour"
            for name, slope in self.slopes.items()
            if slope is not None and slope.low_per_h > MOST_SHARE_PER_H * slope.level
        ]

    @property
    def verdict(self) -> str:
        """One sentence."""
        rollouts = sum(each.get("rollouts", 0) for each in self.rewarded.values())
        cohorts = sum(each.get("cohorts", 0) for each in self.rewarded.values())
        if self.faults:
            return f"FAILED: {len(self.faults)} faults; {cohorts:,} cohorts, {rollouts:,} rollouts rewarded right"
        told = f"each of {rollouts:,} rollouts in {cohorts:,} cohorts was rewarded once, and as it must be"
        if self.judged_s < JUDGED_S:
            return f"{told}; too short to judge growth"
        return f"{told}; FAILED: {len(self.growing)} series grow" if self.growing else f"{told}; nothing grows"


def write(result: SoakResult, folder: Path) -> None:
    """Leaves `soak.md` and `soak.png` in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    draw(result, folder / "soak.png")
    (folder / "soak.md").write_text(page(result))


def draw(result: SoakResult, path: Path) -> None:
    """Curves of all series, a panel for each kind; troubles are grey, and the warm-up is shaded."""
    kinds = list(dict.fromkeys(series.panel for series in SERIES))
    figure = Figure(figsize=(13, 2.6 * -(-len(kinds) // 2)), layout="constrained")
    panels = figure.subplots(-(-len(kinds) // 2), 2, squeeze=False).flatten()
    for panel, kind in zip(panels, kinds, strict=False):
        some = [series for series in SERIES if series.panel == kind]
        for series in some:
            seen = [(each.at_s / 60.0, series.value(each)) for each in result.samples]
            pairs = [(at, value) for at, value in seen if value is not None]
            panel.plot([at for at, _ in pairs], [value for _, value in pairs], linewidth=1, label=series.name)
        _surroundings(panel, result)
        panel.set_yscale("log" if kind == "latency" else "linear")
        panel.set_title(f"{kind} {some[0].unit and f'({some[0].unit})'}", loc="left", fontsize=10)
        panel.legend(frameon=False, fontsize=7)
    for panel in panels[len(kinds) :]:
        panel.set_visible(False)
    figure.savefig(path, dpi=110)


def _surroundings(panel: Axes, result: SoakResult) -> None:
    panel.axvspan(0, result.warm_up_s / 60.0, color="0.94")
    for passed in result.troubles:
        special = passed.trouble.what in (SLOW_DISK, FULL_STORE)
        panel.axvline(passed.trouble.at_s / 60.0, color="tab:red" if special else "0.8", linewidth=0.7)
    panel.set_xlabel("minutes", fontsize=8)
    panel.spines[["top", "right"]].set_visible(False)


INTRODUCTION = """\
<!-- made by `make soak` -->
# Soak

    make soak                                    # 45 minutes, a million cohorts; writes this page anew
    python -m benchmarks.soak --minutes 1        # shorter at the same rate, to runs/soak; --help has rate and seed

Two API processes, two workers, a teacher whose model is a script, and a Valkey with an append-only file and a limit of
memory are started, each by a command of its own. Three runs send their questions at a steady rate: `soak-parts` sends
batches in two parts (co-rewarding-i, four rollouts a question), `soak-singles` sends single rollouts without an index
to `/get_reward` and `/v1/remote_rm`, each held for the last of its three (majority-voting), and `soak-taught` sends
batches whose labels the teacher elects (co-rewarding-ii, two rollouts a question).

Parts are stopped (SIGTERM), and every third time killed (SIGKILL), in turn: store, model, second worker, teacher,
second API. The first API and the first worker are never restarted. They are the witnesses: a process that is restarted
often shows no leak. Twice the disk of the store is slow. The store flushes before it acknowledges
(`appendfsync always`), in its one thread, so a slow disk stops it; here signals stop it for 20 to 400 ms at a time, for
10 s. Twice the store is full: for 10 s `maxmemory` is half of what it holds.

An API holds most while the store is away, since all calls wait. Python keeps the memory of such a burst for the next
one. So the warm-up has each of these troubles too: what grows after it grows for another reason.

Every reward is compared with the one that the method gives, written out once more in `benchmarks/soak_questions.py`. A
call without an answer is sent again. In the end the store must have settled each cohort once. One call in 200 is sent
again on purpose, and its cohort is read and its ballots are counted.
"""

SLOPES = """\
A slope is the median of the slopes between all pairs of bins (Theil and Sen), over {minutes:.0f} minutes after the
warm-up. Bins are medians of samples that are {every_s:.0f} s apart. The interval comes from a bootstrap of the
residuals in blocks of neighbours, each as long as two restarts. A series grows if its whole interval is above
{most:.0%} of its level an hour. {judged}
"""


def page(result: SoakResult) -> str:
    """The page, in Markdown."""
    every_s = 60.0 * result.minutes / max(len(result.samples), 1)
    enough = result.judged_s >= JUDGED_S
    judged = "" if enough else f"Less than {JUDGED_S / 60:.0f} minutes are told and not judged."
    slopes = SLOPES.format(
        minutes=result.judged_s / 60.0, every_s=every_s, most=MOST_SHARE_PER_H, judged=judged
    ).rstrip()
    lines = [
        INTRODUCTION,
        "## The last run",
        "",
        *_wrapped(f"{result.minutes:g} minutes, {result.cohorts:,} cohorts, seed {result.seed}, on {result.machine}."),
        *_wrapped(f"Settled cohorts were kept for {result.retention_s:.0f} s. **{result.verdict}.**"),
        "",
        *_counts(result),
        "",
        "![Curves of memory, open files, keys, lag and latency](soak.png)",
        "",
        "## Slopes",
        "",
        slopes,
        "",
        *_slopes(result),
        "",
        "## Restarts",
        "",
        *_troubles(result),
        "",
        "A worker and a teacher cannot be asked whether they are ready: their time ends when they are started again.",
        "",
    ]
    return "\n".join(lines)


def _counts(result: SoakResult) -> list[str]:
    rows = [
        [
            f"`{run}`",
            f"{due.get('cohorts', 0):,}",
            f"{result.rewarded[run].get('cohorts', 0):,}",
            f"{due.get('rollouts', 0):,}",
            f"{result.rewarded[run].get('rollouts', 0):,}",
            ", ".join(f"{why}: {count:,}" for why, count in sorted(result.again[run].items())) or "none",
        ]
        for run, due in result.due.items()
    ]
    head = ("run", "cohorts sent", "settled once and right", "rollouts sent", "rewarded right", "calls sent again")
    return _table(head, rows)


def _slopes(result: SoakResult) -> list[str]:
    rows: list[list[str]] = []
    for series in SERIES:
        slope = result.slopes[series.name]
        if slope is None:
            rows.append([series.name, "", "", "", "too few samples"])
            continue
        interval = f"{slope.low_per_h:+,.3g} to {slope.high_per_h:+,.3g}"
        told = "not different from 0" if slope.is_flat else f"{slope.share_per_h:+.1%} of its level an hour"
        rows.append([series.name, f"{slope.level:,.4g} {series.unit}", f"{slope.per_h:+,.3g}", interval, told])
    return _table(("series", "level", "slope per hour", "95 % interval", "verdict"), rows)


def _troubles(result: SoakResult) -> list[str]:
    whats = list(dict.fromkeys(str(passed.trouble) for passed in result.troubles))
    rows: list[list[str]] = []
    for what in whats:
        took_s = [passed.took_s for passed in result.troubles if str(passed.trouble) == what]
        rows.append([what, str(len(took_s)), f"{max(took_s):.1f}"])
    return _table(("what", "times", "over after at most, s"), rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *rows)]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)
