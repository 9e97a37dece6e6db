"""Replay a file: read, settle, compare, and print the table."""

import asyncio
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import msgspec
from co_rewarding_schema.errors import InvalidRunError
from co_rewarding_schema.method_rules import Method
from co_rewarding_schema.methods import WITHIN_A_VIEW
from co_rewarding_schema.reading_settings import check_end_tokens
from co_rewarding_schema.run_settings import RunSettings
from co_rewarding_schema.vocabulary import AnswerFormat, Conventions, Thinking, View, Voter
from rich.console import Console
from rich.progress import Progress
from rich.text import Text

from reward_service.domain.elections import MethodParameters
from reward_service.domain.extraction import extractor
from reward_service.tools.replay.columns import Column, settle_column
from reward_service.tools.replay.comparing import ReferenceGrader, agreements_of, figures_of
from reward_service.tools.replay.comparison import Comparison, as_json, notes, print_comparison
from reward_service.tools.replay.errors import ReplayError
from reward_service.tools.replay.fields import FieldNames
from reward_service.tools.replay.figures_out import write_markdown, write_picture
from reward_service.tools.replay.graders import GRADERS, REFERENCE, GraderRow, chosen, reference_row
from reward_service.tools.replay.output import STDOUT, Write, writer
from reward_service.tools.replay.reading import open_rollouts, progress_bar
from reward_service.tools.replay.recording import Recording, VoterFile, record
from reward_service.tools.replay.serving_rows import named_methods, served

PICTURES = (".png", ".svg")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayRequest:
    """Says what the command was asked to do.

    `graders` empty takes the service's own, as `conventions` says (lenient if they do not); `formats` empty reads
    boxes; `end_tokens` end a response besides the known ones; `thinking` says whether thinking is read.
    """

    file: Path | None
    names: FieldNames
    views: Sequence[str] = ()
    teachers: Sequence[str] = ()
    peers: Sequence[str] = ()
    settings: Sequence[str] = ()
    methods: Sequence[str] = (WITHIN_A_VIEW,)
    graders: Sequence[str] = ()
    formats: Sequence[AnswerFormat] = ()
    end_tokens: Sequence[str] = ()
    thinking: Thinking = Thinking.READ
    conventions: Conventions | None = None
    reference: str = REFERENCE
    json_out: Path | None = None
    markdown_out: Path | None = None
    picture_out: Path | None = None

    @property
    def voters(self) -> frozenset[Voter]:
        """Whose rollouts the files hold."""
        others = {Voter.TEACHER: self.teachers, Voter.PEER: self.peers}
        return frozenset({Voter.POLICY, *(voter for voter, files in others.items() if files)})


@dataclass(frozen=True, slots=True)
class Plan:
    """A request that can be carried out: a column for each method and grader, and who judges."""

    methods: tuple[Method, ...] | Literal["all"]
    parameters: MethodParameters
    voters: frozenset[Voter]
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
    planned(request)
    files = voter_files(request)
    request, taken = with_run_settings(request, files[0].file.source.run_settings())
    plan = planned(request)
    errors = Console(stderr=True)
    if taken:
        errors.print(Text(f"{files[0].file.source.path}: settings of the run: {', '.join(taken)}"), soft_wrap=True)
    for each in files:
        errors.print(Text(f"{each.file.source.path}: {each.file.layout.described()}"), soft_wrap=True)
    first = files[0].file
    with _figures_to(request, first.source.path) as write:
        with progress_bar(errors) as bar:
            formats = request.formats or (AnswerFormat.BOXED,)
            recording = record(files, extractor(formats, request.end_tokens, request.thinking), bar)
            comparison, unserved = asyncio.run(compared(recording, plan, bar))
        said = (*plan.left_out, *unserved, *notes(comparison, first.layout))
        write({"file": str(first.source.path), **as_json(comparison), "notes": said})
        if request.markdown_out is not None:
            write_markdown(comparison, said, request.markdown_out)
        if request.picture_out is not None:
            write_picture(comparison, request.picture_out)
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
    written = [str(path) for path in (request.json_out, request.markdown_out, request.picture_out) if path is not None]
    if len(set(written)) < len(written):
        raise ReplayError(f"one file cannot hold two outputs: {', '.join(written)}; name each another")
    if request.picture_out is not None and request.picture_out.suffix not in PICTURES:
        raise ReplayError(f"--picture: {request.picture_out} ends in none of {', '.join(PICTURES)}")
    try:
        check_end_tokens(request.end_tokens)
    except InvalidRunError as cause:
        raise ReplayError(f"--end-token: {cause}") from cause
    conventions = request.conventions or Conventions.LENIENT
    graders, left_out = chosen(request.graders or (conventions.value,), table)
    return Plan(
        methods=named_methods(request.methods, request.voters),
        parameters=parameters_of(request.settings),
        voters=request.voters,
        graders=graders,
        reference_name=request.reference,
        reference=reference_row(request.reference, table),
        left_out=left_out,
    )


def with_run_settings(request: ReplayRequest, kept: Mapping[str, Any]) -> tuple[ReplayRequest, list[str]]:
    """Return the request under the settings that an exported file holds, and those that are not the defaults.

    What the command line says goes before them.
    """
    usual, read = RunSettings(), (*MethodParameters._fields, "conventions")
    try:
        run = msgspec.convert({name: kept[name] for name in read if name in kept}, RunSettings)
    except (msgspec.ValidationError, InvalidRunError) as cause:
        raise ReplayError(f"the file's run has settings that this release does not know: {cause}") from cause
    differ = [name for name in MethodParameters._fields if getattr(run, name) != getattr(usual, name)]
    taken = [f"{name}={getattr(run, name)}" for name in differ]
    request = replace(request, settings=[*taken, *request.settings])
    if run.conventions != usual.conventions and not request.graders and not request.conventions:
        taken.append(f"conventions={run.conventions}")
        request = replace(request, conventions=Conventions(run.conventions))
    return request, taken


def voter_files(request: ReplayRequest) -> list[VoterFile]:
    """Open the files of a request: those of the policy first.

    Raises:
        ReplayError: no file of the policy's is named, or a view twice.
        RolloutFileError: a file cannot be read as rollouts.
    """
    named = [_view_and_path(value) for value in request.views]
    views = [view for view, _ in named]
    if None in views or len(set(views)) < len(views):
        raise ReplayError(f"--view is VIEW=FILE, each view once: {' and '.join(f'{view}=FILE' for view in View)}")
    if (request.file is None) == (not named):
        raise ReplayError("name the policy's rollouts either as one FILE, or by --view original=FILE and --view ...")
    policy = [(None, request.file)] if request.file is not None else named
    chosen = [(view, path, Voter.POLICY) for view, path in policy]
    chosen += [(*_view_and_path(value), Voter.TEACHER) for value in request.teachers]
    chosen += [(*_view_and_path(value), Voter.PEER) for value in request.peers]
    return [VoterFile(open_rollouts(path, request.names), voter, view) for view, path, voter in chosen]


def _view_and_path(value: str) -> tuple[View | None, Path]:
    """Return the view and the file of VIEW=FILE; of a FILE alone no view, since its rows may say theirs."""
    view, is_named, path = value.partition("=")
    return (View(view), Path(path)) if is_named and view in {*View} else (None, Path(value))


def parameters_of(settings: Sequence[str]) -> MethodParameters:
    """Return the settings of a run that rules read, from KEY=VALUE.

    Raises:
        ReplayError: there is no such setting, or it cannot have this value.
    """
    values: dict[str, object] = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        if name not in MethodParameters._fields:
            raise ReplayError(f"--set: {name!r} is not one of {', '.join(MethodParameters._fields)}")
        values[name] = _number(value)
    try:
        run = msgspec.convert(values, RunSettings)
    except (msgspec.ValidationError, InvalidRunError) as cause:
        raise ReplayError(f"--set: {cause}") from cause
    return MethodParameters(**{name: getattr(run, name) for name in MethodParameters._fields})


def _number(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


async def compared(recording: Recording, plan: Plan, bar: Progress) -> tuple[Comparison, tuple[str, ...]]:
    """Settles the columns one after the other, each with a grader of its own that has seen nothing yet.

    So what one column's grader remembers or does is not counted for another. Returns too what left rows out.

    Raises:
        ReplayError: the files do not hold what a method needs.
    """
    methods, unserved = served(plan.methods, recording, plan.voters)
    counts = recording.counts()
    columns: list[Column] = []
    for method in methods:
        for name, row in plan.graders.items():
            task = bar.add_task(f"{method.name} / {name}", total=counts.rollouts)
            async with row.open() as grader:
                advance = partial(bar.advance, task)
                column = settle_column(recording, method, grader, name, row.conventions, advance, plan.parameters)
                columns.append(await column)
    bar.add_task("comparing", total=None)
    async with plan.reference.open() as grader:
        judge = ReferenceGrader(grader, plan.reference.conventions)
        comparison = Comparison(
            reference=plan.reference_name,
            counts=counts,
            columns=[await figures_of(column, recording, judge) for column in columns],
            agreements=await agreements_of(columns, judge),
            reference_undecided=judge.undecided,
        )
        return comparison, unserved


@contextlib.contextmanager
def _figures_to(request: ReplayRequest, file: Path) -> Iterator[Write]:
    """What writes the figures; nothing, if they are not asked for."""
    if request.json_out is None:
        yield lambda _: None
        return
    with writer(request.json_out, file, "--json") as write:
        yield write
