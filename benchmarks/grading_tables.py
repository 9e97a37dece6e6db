"""Print the measurements for a person: tables, and the first few mistakes of each grader."""

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from benchmarks.grading_accuracy import Accuracy, Score
from benchmarks.grading_contestants import BOTH, EITHER, FORWARD, LENIENT
from benchmarks.grading_hostile import MOST_BYTES, MOST_CPU_S, Outcome
from benchmarks.grading_pairs import Pair
from benchmarks.grading_results import Times
from benchmarks.grading_voting import Voting

SHOWN = 5
LONGEST = 44


def accuracy_tables(accuracy: Accuracy, shown: int = SHOWN) -> Iterator[RenderableType]:
    """Who is right on labelled pairs, at what cost; and the first mistakes."""
    count = sum(not pair.convention for pair in accuracy.pairs)
    table = _table(f"Accuracy: {accuracy.data}, {count} pairs")
    for heading in ("accuracy", "precision", "recall", "false =", "false ≠", "undecided", "errors"):
        table.add_column(heading, justify="right")
    for heading in ("median µs", "mean", "p99"):
        table.add_column(heading, justify="right")
    scores = [score for score in accuracy.scores if score.pairs]
    for score in scores:
        errors = sum(map(score.trouble, ("error", "timeout", "killed")))
        counts = (len(score.false_equals), len(score.false_differents), score.trouble("undecided"), errors)
        shares = (score.accuracy, score.precision, score.recall)
        table.add_row(
            _named(score), *(f"{share:.2%}" for share in shares), *map(str, counts), *_cells(score.times, "{:,.0f}")[:3]
        )
    yield table
    yield from mistake_lists(accuracy, shown)


def mistake_lists(accuracy: Accuracy, shown: int = SHOWN) -> Iterator[RenderableType]:
    """The first mistakes of each grader on the pairs that mathematics decides."""
    scores = [score for score in accuracy.scores if score.pairs]
    yield from _shared_mistakes("false equals", {score.name: score.false_equals for score in scores}, shown)
    yield from _shared_mistakes("false differents", {score.name: score.false_differents for score in scores}, shown)


def convention_tables(accuracy: Accuracy) -> Iterator[RenderableType]:
    """Units, percent, degrees, lists: how many pairs are as labelled; strictly, how many are different."""
    kinds = accuracy.conventions_by_kind()
    if not kinds:
        return
    table = _table("Conventions: pairs as labelled (strict: pairs told apart)")
    table.add_column("pairs", justify="right")
    names = _single(accuracy)
    for name in names:
        table.add_column(name, justify="right")
    for kind, (count, wanted) in kinds.items():
        table.add_row(kind, str(count), *(str(wanted[name]) for name in names))
    yield table


def kind_tables(accuracy: Accuracy) -> Iterator[RenderableType]:
    """What each grader accepts of rewrites that mean the same, and what it rejects of near misses, kind by kind."""
    names = _single(accuracy)
    kinds = accuracy.by_kind()
    for equal, title in ((True, "accepted, of rewrites that mean the same"), (False, "rejected, of near misses")):
        table = _table(f"{accuracy.data}: {title} (strict: conventions told apart)")
        table.add_column("pairs", justify="right")
        for name in names:
            table.add_column(name, justify="right")
        rows = {kind: (count, wanted) for kind, (is_equal, count, wanted) in kinds.items() if is_equal is equal}
        for kind, (count, wanted) in rows.items():
            table.add_row(kind, str(count), *(f"{wanted[name] / count:.0%}" for name in names))
        total = sum(count for count, _ in rows.values())
        if total:
            shares = (sum(wanted[name] for _, wanted in rows.values()) / total for name in names)
            table.add_row("all", str(total), *(f"{share:.1%}" for share in shares))
        yield table


def agreement_tables(accuracy: Accuracy, shown: int = SHOWN) -> Iterator[RenderableType]:
    """Who says the same as whom on answers of models, and where ours and math-verify part."""
    names = _single(accuracy)
    table = _table(f"Agreement: {accuracy.data}, {len(accuracy.pairs)} pairs of different texts")
    table.add_column("says equal", justify="right")
    for name in names:
        table.add_column(name, justify="right")
    for one in names:
        equal = sum(judged is not None and judged.equal for judged in accuracy.verdicts[one])
        table.add_row(one, str(equal), *(f"{accuracy.agreement(one, other):.1%}" for other in names))
    yield table
    if FORWARD in names:
        yield from _mistakes(f"equal to {LENIENT} only, not to {FORWARD}", accuracy.only(LENIENT, FORWARD), shown)
        yield from _mistakes(f"equal to {FORWARD} only, not to {LENIENT}", accuracy.only(FORWARD, LENIENT), shown)


def voting_table(votings: Sequence[Voting], size: int) -> Table:
    """CPU time of a vote, ours and others', cold and warm."""
    table = _table(f"CPU time of finding the classes of {size} answers, ms")
    for heading in ("grader", "cohorts", "median", "mean", "p99", "max", "/ ours", "same classes", "killed"):
        table.add_column(heading, justify="left" if heading == "grader" else "right")
    for voting in votings:
        rows = [(f"{LENIENT}, cold", voting.cold(LENIENT), None), (f"{LENIENT}, again", voting.warm(LENIENT), None)]
        rows += [(name, voting.cold(name), name) for name in voting.votes if name != LENIENT]
        for place, (label, times, name) in enumerate(rows):
            ratio = voting.ratio(name) if name else None
            same = voting.same_partition(name) if name else None
            table.add_row(
                voting.workload.name if place == 0 else "",
                label,
                str(times.count),
                *_cells(times, "{:,.3f}"),
                "" if ratio is None else f"{ratio:,.2f}" if ratio < 10 else f"{ratio:,.0f}",
                "" if same is None else f"{same:.0%}",
                str(voting.killed.get(name or LENIENT, 0) or ""),
                end_section=place == len(rows) - 1,
            )
    return table


def voting_remarks(votings: Sequence[Voting]) -> Iterator[str]:
    """What the judge had to do with it."""
    for voting in votings:
        yield (
            f"{voting.workload.name}: {voting.asked} questions to the judge in {len(voting.workload.cohorts)} cohorts, "
            f"{voting.undecided} comparisons undecided"
        )


def hostile_tables(outcomes: Sequence[Outcome], worst: int = SHOWN) -> Iterator[RenderableType]:
    """The worst of the hostile texts, and whether all passed."""
    failed = [outcome for outcome in outcomes if not outcome.passed]
    shown = failed + [each for each in sorted(outcomes, key=lambda each: -each.worst_s) if each.passed]
    table = _table(f"Hostile texts: the worst of {len(outcomes)}")
    for heading in ("what", "alone, CPU s", "in a cohort", "memory", "ordinary answers", "verdict", "graded", ""):
        table.add_column(heading, justify="right" if heading in ("alone, CPU s", "in a cohort", "memory") else "left")
    for each in shown[: max(worst, len(failed))]:
        memory = "unknown" if each.growth_bytes is None else f"{each.growth_bytes / (1 << 20):.0f} MB"
        table.add_row(
            *(_shown(text) for text in (each.hostile.name, each.hostile.why)),
            f"{each.alone_s:.3f}",
            f"{each.cohort_s:.3f}",
            memory,
            "right" if each.ordinary else "WRONG",
            each.verdict,
            "its box" if each.boxed else "its beginning",
            "pass" if each.passed else "FAIL",
        )
    yield table
    most_s = max((each.worst_s for each in outcomes), default=0.0)
    most_bytes = max((each.growth_bytes or 0 for each in outcomes), default=0)
    yield Text(
        f"{'FAIL' if failed else 'PASS'}: {len(outcomes) - len(failed)} of {len(outcomes)} within {MOST_CPU_S:g} CPU s "
        f"and {MOST_BYTES >> 20} MB, ordinary answers beside them classified rightly; worst {most_s:.2f} s, "
        f"{most_bytes / (1 << 20):.0f} MB"
    )


def print_all(console: Console, parts: Iterator[RenderableType]) -> None:
    """One after the other."""
    for part in parts:
        console.print(part, highlight=False)


def _table(title: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("", no_wrap=True)
    return table


def _named(score: Score) -> str:
    left_out = len(score.pairs) - len(score.asked)
    return f"{score.name} ({left_out} not asked)" if left_out else score.name


def _cells(times: Times, form: str) -> list[str]:
    return [form.format(value) for value in (times.median, times.mean, times.p99, times.worst)]


def _shared_mistakes(what: str, by_name: Mapping[str, list[Pair]], shown: int) -> Iterator[RenderableType]:
    """Graders that make the same mistakes are told of together."""
    names: dict[tuple[Pair, ...], list[str]] = {}
    for name, pairs in by_name.items():
        names.setdefault(tuple(pairs), []).append(name)
    for pairs, those in names.items():
        yield from _mistakes(f"{', '.join(those)}: {what}", pairs, shown)


def _single(accuracy: Accuracy) -> list[str]:
    """The graders without those that are made of two others, for tables that have a column for each."""
    return [name for name in accuracy.verdicts if name not in (EITHER, BOTH)]


def _mistakes(title: str, pairs: Sequence[Pair], shown: int) -> Iterator[RenderableType]:
    if not pairs or not shown:
        return
    of_all = f", the first {shown} of {len(pairs)}" if len(pairs) > shown else ""
    yield Text(f"{title}{of_all}:")
    for pair in pairs[:shown]:
        yield Text(f"  {pair.kind}: ") + _shown(pair.gold) + Text("  |  ") + _shown(pair.answer)
    yield Text()


def _shown(text: str) -> Text:
    """A hostile text on a terminal: no control characters, no markup, not too long."""
    safe = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
    return Text(safe if len(safe) <= LONGEST else f"{safe[: LONGEST - 1]}…")
