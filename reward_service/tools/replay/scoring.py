"""Score a file: start the service if needed, send the rollouts, write the lines, print the summary."""

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from co_rewarding_client import RewardClient
from co_rewarding_client.address import shown_url
from co_rewarding_schema.errors import CoRewardingError, UnknownMethodError
from co_rewarding_schema.methods import method_named
from rich.console import Console
from rich.progress import Progress
from rich.text import Text

from reward_service.logs import configure_logging
from reward_service.serving.embedded_service import embedded_service
from reward_service.tools.replay.batches import batches
from reward_service.tools.replay.errors import ScoringError
from reward_service.tools.replay.fields import FieldNames
from reward_service.tools.replay.output import STDOUT, Write, default_out, writer
from reward_service.tools.replay.reading import counted, open_rollouts, progress_bar
from reward_service.tools.replay.report import print_summary
from reward_service.tools.replay.rewarding import BatchRewarder, lines, score
from reward_service.tools.replay.rollout_files import RolloutFile
from reward_service.tools.replay.tally import ScoreTally, Totals

PATIENCE_S = 120.0
"""How long a batch is tried: it outlasts the restart of a service, and a person's patience hardly."""


@dataclass(frozen=True, slots=True)
class Task:
    """What the command was asked to do. `out` None is named after the file, `url` None starts a service."""

    file: Path
    method: str
    names: FieldNames
    out: Path | None = None
    url: str | None = None
    api_key: str | None = None
    run: str = "default"
    rollouts_per_request: int = 1024


def score_file(task: Task) -> Totals:
    """Scores a file: the lines to `out`, a bar to standard error, the summary where the lines do not go.

    Raises:
        RolloutFileError: the file cannot be read as rollouts.
        ScoringError: the service cannot be reached or refuses, or `out` cannot be written.
        CoRewardingError: the embedded service did not start.
    """
    file = open_rollouts(task.file, task.names)
    out = default_out(task.file) if task.out is None else task.out
    errors = Console(stderr=True)
    errors.print(Text(f"{task.file}: {file.layout.described()}"), soft_wrap=True)
    with _client(task) as client, writer(out, task.file) as write, progress_bar(errors) as bar:
        totals = _scored(file, task, client, write, bar)
    print_summary(totals, file.layout, errors if out == STDOUT else Console())
    if out != STDOUT:
        errors.print(Text(f"rewards: {out}"), soft_wrap=True)
    return totals


def _scored(file: RolloutFile, task: Task, rewarder: BatchRewarder, write: Write, bar: Progress) -> Totals:
    """Reads the file twice: to count its groups, and to have them rewarded."""
    place, plain = file.source.place, file.layout.plain_answers
    tally = ScoreTally(plain_answers=plain)
    census = counted(file, bar)
    rewarded = bar.add_task("rewarding", total=census.rollouts)
    for batch in batches(file.rollouts(), census, task.rollouts_per_request, place):
        scored = score(batch, rewarder, task.method, place)
        for line in lines(scored, plain_answers=plain):
            write(line)
        tally.add(scored)
        bar.advance(rewarded, len(batch.rollouts_B))
    return tally.totals()


@contextlib.contextmanager
def _client(task: Task) -> Iterator[RewardClient]:
    """A client of the given service, or of one that lives as long as this.

    Raises:
        ScoringError: no service answers at the given address, or it cannot be one.
        CoRewardingError: the embedded service did not start.
    """
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(_embedded(task.method)) if task.url is None else task.url
        try:
            client = stack.enter_context(RewardClient(url, api_key=task.api_key, run=task.run, patience_s=PATIENCE_S))
            ready = client.ready()
        except CoRewardingError as cause:
            raise ScoringError(f"--url {shown_url(url)}: {cause}") from cause
        if not ready:
            raise ScoringError(
                f"no service is ready at {shown_url(url)}; start one with `co-rewarding serve`, correct --url, or "
                "leave it out to have one started"
            )
        yield client


@contextlib.contextmanager
def _embedded(method: str) -> Iterator[str]:
    try:
        method_named(method)  # before anything is started; a service that runs may know methods that we do not
    except UnknownMethodError as cause:
        raise ScoringError(f"--method: {cause}") from cause
    # Standard output may be where the rewards go.
    configure_logging(as_json=not sys.stderr.isatty(), level="WARNING")
    with tempfile.TemporaryDirectory(prefix="cr-") as folder, embedded_service(Path(folder)) as url:
        yield url
