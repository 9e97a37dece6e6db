"""Rewrite a file of questions in this process: keep each outcome at once, and continue a stopped run."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import structlog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from reward_service.domain.paraphrases.rewriting import Fate, Outcome, RewritingRecipe, text_key
from reward_service.generation.generator import GeneratorUnavailableError, UnreachedError
from reward_service.paraphrasing.pair_files import PairFields, PairRow
from reward_service.paraphrasing.pair_output import (
    JSON_LINES,
    PARQUET,
    PartFile,
    beside,
    pair_columns,
    write_candidates,
    write_pairs,
    write_report,
)
from reward_service.paraphrasing.question_files import question_file, question_of, read_questions, survey
from reward_service.paraphrasing.rewriter import GivenTexts, Rewriter, RewritingError, RewritingTally

OpenRewriter = Callable[[], AbstractAsyncContextManager[Rewriter]]
log = structlog.get_logger(__name__)

_TRIES = 5
"""How often a question is asked of a model that is away; backends have been patient before they say so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RewritingOrder:
    """What to rewrite, how, and where the result goes.

    Attributes:
        source: a file, or hf:NAME[:SPLIT].
        out: .jsonl or .parquet; beside it are OUT.part while it is made, OUT.report.json and OUT.candidates.jsonl.
        model: what it is called in the report; a run that is gone on with must name the same.
        concurrency: how many questions are under way at once; None: what the rewriter can take.
    """

    source: str
    out: Path
    model: str
    recipe: RewritingRecipe = field(default_factory=RewritingRecipe)
    fields: PairFields = field(default_factory=PairFields)
    concurrency: int | None = None


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What it came to, and how many pairs the result holds."""

    tally: RewritingTally
    pairs: int


def check_out(out: Path) -> None:
    """Returns if a result may be made under that name.

    Raises:
        RewritingError: its ending names no format, its folder is not there, or it is there already.
    """
    if out.suffix not in (JSON_LINES, PARQUET):
        raise RewritingError(f"{out}: give the result a name that ends in {JSON_LINES} or {PARQUET}")
    if not out.parent.is_dir():
        raise RewritingError(f"{out}: there is no folder {out.parent}; make it, or name another")
    if out.exists() and not beside(out, "part").exists():
        raise RewritingError(f"{out} is there already; remove it, or name another")


def rewrite_file(order: RewritingOrder, opening: OpenRewriter, console: Console) -> Rewritten:
    """Rewrites every question that OUT.part does not hold already, then writes the result and removes OUT.part.

    The model is opened only if something is left to be asked, and after the whole source was read once.

    Raises:
        PairFileError: the source cannot be read.
        RewritingError: the result cannot be written, or OUT.part was begun by another order.
        GeneratorUnavailableError: the model stays away. What was answered is kept.
    """
    check_out(order.out)
    with question_file(order.source) as path:
        found = survey(path, order.fields)
        with PartFile(beside(order.out, "part"), _header(order, found.sha256)) as part:
            if len(part) < found.questions:
                with _bar(console) as bar:
                    shown = _RewritingBar(bar, found.questions, len(part))
                    try:
                        asyncio.run(_ask(path, part, order, opening, shown))
                    finally:
                        if not len(part):  # nothing is lost, and nothing is in the way of another order
                            part.remove()
            try:
                rewritten = _written(order, path, part)
                part.remove()
            except OSError as cause:
                raise RewritingError(f"{order.out} cannot be written: {cause.strerror or cause}") from cause
    return rewritten


class _RewritingBar:
    """A progress bar that says what becomes of questions."""

    def __init__(self, bar: Progress, total: int, completed: int) -> None:
        self._bar = bar
        self._task = bar.add_task("rewriting", total=total, completed=completed, fates="")
        self._fates = dict.fromkeys(Fate, 0)

    def add(self, outcome: Outcome) -> None:
        self._fates[outcome.fate] += 1
        fates = ", ".join(f"{count} {fate}" for fate, count in self._fates.items() if count)
        self._bar.update(self._task, advance=1, fates=fates)


async def _ask(path: Path, part: PartFile, order: RewritingOrder, opening: OpenRewriter, shown: _RewritingBar) -> None:
    """As many at once as the rewriter can take; each outcome is kept when it is there."""
    texts = _FileTexts()
    for row in read_questions(path, order.fields):
        if row.question_id in part and (outcome := part.outcome(row.question_id)).fate is Fate.REWRITTEN:
            texts.note(outcome.paraphrase or "", row.question)
    waiting = (row for row in read_questions(path, order.fields) if row.question_id not in part)

    async def keep_asking(rewriter: Rewriter) -> None:
        for row in waiting:  # one iterator for all: each row is taken once
            outcome = await _patiently(rewriter, row, order.recipe, texts)
            part.add(outcome)
            shown.add(outcome)

    async with opening() as rewriter:
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(order.concurrency or rewriter.capacity):
                    group.create_task(keep_asking(rewriter))
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from several


async def _patiently(rewriter: Rewriter, row: PairRow, recipe: RewritingRecipe, given: GivenTexts) -> Outcome:
    for _ in range(_TRIES - 1):
        try:
            return await rewriter.rewrite(question_of(row), recipe, given)
        except UnreachedError:
            raise
        except GeneratorUnavailableError as error:
            log.warning("the model is away; asking again", error=str(error), in_s=round(error.retry_after_s, 1))
            await asyncio.sleep(error.retry_after_s)
    return await rewriter.rewrite(question_of(row), recipe, given)


class _FileTexts:
    """The second views of one file, as they are given out: see GivenTexts."""

    def __init__(self) -> None:
        self._question_of: dict[bytes, bytes] = {}

    async def claim(self, text: str, question: str) -> bool:
        return self.note(text, question)

    def note(self, text: str, question: str) -> bool:
        asked = text_key(question)
        return self._question_of.setdefault(text_key(text), asked) == asked


def _written(order: RewritingOrder, path: Path, part: PartFile) -> Rewritten:
    """The result in the order of the source."""
    tally = RewritingTally(order.recipe)

    def pairs() -> Iterator[dict[str, Any]]:
        for row in read_questions(path, order.fields):
            outcome = part.outcome(row.question_id)
            tally.add(outcome)
            if outcome.paraphrase is not None:
                yield pair_columns(row, outcome.paraphrase, order.fields)

    written = write_pairs(order.out, pairs())
    outcomes = (part.outcome(row.question_id) for row in read_questions(path, order.fields))
    write_candidates(beside(order.out, "candidates.jsonl"), outcomes, order.recipe)
    report = {
        "source": order.source,
        "model": order.model,
        "pairs": written,
        **tally.as_json(),
        "recipe": _recipe(order),
    }
    write_report(beside(order.out, "report.json"), report)
    return Rewritten(tally, written)


def _header(order: RewritingOrder, sha256: str) -> dict[str, Any]:
    return {"rewriting": 1, "questions": sha256, "model": order.model, "recipe": _recipe(order)}


def _recipe(order: RewritingOrder) -> Any:  # noqa: ANN401 - what JSON holds
    return msgspec.to_builtins(order.recipe, order="deterministic")


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[fates]}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
