"""Replay a file: read, settle, compare, and print the table."""

import asyncio
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from co_rewarding_schema.errors import InvalidRunError
from co_rewarding_schema.methods import WITHIN_A_VIEW, Method
from co_rewarding_schema.reading_settings import check_end_tokens
from co_rewarding_schema.vocabulary import AnswerFormat, Conventions, Thinking
from rich.console import Console
from rich.progress import Progress
from rich.text import Text

from reward_service.domain.extraction import extractor
from reward_service.tools.replay.columns import Column, replayable, settle_column
from reward_service.tools.replay.comparing import ReferenceGrader, agreements_of, figures_of
from reward_service.tools.replay.comparison import Comparison, as_json, notes, print_comparison
from reward_service.tools.replay.errors import ReplayError
from reward_service.tools.replay.fields import FieldNames
from reward_service.tools.replay.graders import GRADERS, REFERENCE, GraderRow, chosen, reference_row
from reward_service.tools.replay.output import STDOUT, Write, writer
from reward_service.tools.replay.reading import open_rollouts, progress_bar
from reward_service.tools.replay.recording import Recording, record


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayRequest:
    """Says what the command was asked to do.

    `graders` empty takes the service's own, as `conventions` says (lenient if they do not); `formats` empty reads
    boxes; `end_tokens` end a response besides the known ones; `thinking` says whether thinking is read.
    """

    file: Path
    names: FieldNames
    methods: Sequence[str] = (WITHIN_A_VIEW,)
    graders: Sequence[str] = ()
    formats: Sequence[AnswerFormat] = ()
    end_tokens: Sequence[str] = ()
    thinking: Thinking = Thinking.READ
    conventions: Conventions | None = None
    reference: str = REFERENCE
    json_out: Path | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A request that can be carried out: a column for each method and grader, and who judges."""

    methods: tuple[Method, ...]
    graders: Mapping[str, GraderRow]
    reference_name: str
    reference: GraderRow
    left_out: tuple[str, ...]


def replay_file(request: ReplayRequest) -> Comparison:
    """Replays a file.

    A bar goes to standard error. The table goes to standard output, or to standard error where the figures go to
    standard output.

    Raises:
        ReplayError: a method, a grader or a combination of options that cannot be.
        RolloutFileError: the file cannot be read as rollouts.
        ScoringError: the figures cannot be written.
    """
    plan = planned(request)
    file = open_rollouts(request.file, request.names)
    errors = Console(stderr=True)
    errors.print(Text(f"{request.file}: {file.layout.described()}"), soft_wrap=True)
    with _figures_to(request) as write:
        with progress_bar(errors) as bar:
            formats = request.formats or (AnswerFormat.BOXED,)
            recording = record(file, extractor(formats, request.end_tokens, request.thinking), bar)
            comparison = asyncio.run(compared(recording, plan, bar))
        said = (*plan.left_out, *notes(comparison, file.layout))
        write({"file": str(request.file), **as_json(comparison), "notes": said})
    print_comparison(comparison, said, errors if request.json_out == STDOUT else Console())
    return comparison


def planned(request: ReplayRequest, table: Mapping[str, GraderRow] = GRADERS) -> Plan:
    """Whether a request can be carried out, before anything is read.

    Raises:
        ReplayError: it cannot; the message says what to change.
    """
    if request.graders and request.conventions is not None:
        raise ReplayError(
            "--conventions is for the grader that is taken without --grader; "
            f"name {request.conventions.value} as a --grader instead"
        )
    if request.formats and request.names.plain_answers:
        raise ReplayError("--answer-format says how a response is read, and --plain-answers that there is none to read")
    try:
        check_end_tokens(request.end_tokens)
    except InvalidRunError as cause:
        raise ReplayError(f"--end-token: {cause}") from cause
    conventions = request.conventions or Conventions.LENIENT
    graders, left_out = chosen(request.graders or (conventions.value,), table)
    return Plan(
        methods=tuple(replayable(name) for name in dict.fromkeys(request.methods)),
        graders=graders,
        reference_name=request.reference,
        reference=reference_row(request.reference, table),
        left_out=left_out,
    )


async def compared(recording: Recording, plan: Plan, bar: Progress) -> Comparison:
    """Settles the columns one after the other, each with a grader of its own that has seen nothing yet.

    So what one column's grader remembers or does is not counted for another.
    """
    counts = recording.counts()
    columns: list[Column] = []
    for method in plan.methods:
        for name, row in plan.graders.items():
            task = bar.add_task(f"{method.name} / {name}", total=counts.rollouts)
            async with row.open() as grader:
                advance = partial(bar.advance, task)
                columns.append(await settle_column(recording, method, grader, name, row.conventions, advance))
    bar.add_task("comparing", total=None)
    async with plan.reference.open() as grader:
        judge = ReferenceGrader(grader, plan.reference.conventions)
        return Comparison(
            reference=plan.reference_name,
            counts=counts,
            columns=[await figures_of(column, recording, judge) for column in columns],
            agreements=await agreements_of(columns, judge),
            reference_undecided=judge.undecided,
        )


@contextlib.contextmanager
def _figures_to(request: ReplayRequest) -> Iterator[Write]:
    """What writes the figures; nothing, if they are not asked for."""
    if request.json_out is None:
        yield lambda _: None
        return
    with writer(request.json_out, request.file, "--json") as write:
        yield write
