"""Read the options of `co-rewarding track`, and say what is logged."""

import contextlib
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

import typer
from co_rewarding_client import RewardClient
from co_rewarding_client.address import shown_url
from co_rewarding_client.trackers import open_tracker
from co_rewarding_client.tracking import NO_STEP, Figures, Pace, Tracker, follow
from co_rewarding_schema.errors import CoRewardingError
from rich.console import Console
from rich.text import Text

from reward_service.errors import Needing
from reward_service.tools.run_options import LOCAL, ApiKey, Every, Quiet, RunName, Url

FIRST_ANSWER_S = 5.0


class TrackerKind(StrEnum):
    """The trackers, each of which is an extra of its name."""

    TENSORBOARD = "tensorboard"
    TRACKIO = "trackio"
    WANDB = "wandb"
    MLFLOW = "mlflow"


class TrackError(CoRewardingError):
    """The run cannot be read, or the tracker not be opened."""


def track(
    run: RunName,
    place: Annotated[
        str,
        typer.Argument(
            help="A folder (tensorboard), project (trackio, wandb) or experiment (mlflow).", show_default=False
        ),
    ],
    to: Annotated[TrackerKind, typer.Option(help="The tracker.", show_default=False)],
    url: Url = LOCAL,
    api_key: ApiKey = None,
    every: Every = 5.0,
    quiet: Quiet = 60.0,
    once: Annotated[bool, typer.Option("--once", help="End when every step has ended and is logged.")] = False,
) -> None:
    """Logs the series of a run to an experiment tracker: each step once, when it has ended.

    Goes on behind the last step that the tracker has, and waits for a service that is away. Runs until interrupted.
    """
    console = Console(stderr=True)

    def said(what: str) -> None:
        console.print(Text(what), soft_wrap=True)

    with contextlib.ExitStack() as stack:
        client = stack.enter_context(RewardClient(url, api_key=api_key, run=run, patience_s=FIRST_ANSWER_S))
        try:
            client.version()
        except CoRewardingError as cause:
            raise TrackError(f"--url {shown_url(url)}: {cause}") from cause
        tracker = stack.enter_context(_opened(to, place, run))
        last = tracker.last_step()
        behind = "from its first step" if last == NO_STEP else f"behind step {last}"
        ends = f"the latest step is logged when it has not changed for {quiet:g} s (--quiet)"
        said(f"{run} at {shown_url(url)} goes to {to} in {place}, {behind}; {ends}")
        try:
            pace = Pace(every, quiet, once)
            follow(client, run, tracker, pace, told=lambda step: said(f"step {step} is logged"), trouble=said)
        except CoRewardingError as cause:
            raise TrackError(f"run {run} at {shown_url(url)}: {cause}") from cause
        except KeyboardInterrupt:
            said("interrupted; the same command goes on from here")


@contextlib.contextmanager
def _opened(to: TrackerKind, place: str, run: str) -> Iterator[Tracker]:
    opening = open_tracker(to, place, run)
    try:
        with Needing(f"--to {to}", to):
            tracker = opening.__enter__()
    except (CoRewardingError, OSError):
        raise
    except Exception as cause:  # whatever a tracker has to say of a project or a key
        raise TrackError(f"{to} cannot log to {place}: {cause}") from cause
    with contextlib.ExitStack() as stack:
        stack.push(opening)
        yield _Named(tracker, f"{to} cannot log to {place}")


class _Named:
    """A tracker whose own exceptions, of a network or a full account, say whose they are."""

    def __init__(self, tracker: Tracker, words: str) -> None:
        self._tracker = tracker
        self._words = words

    def last_step(self) -> int:
        return self._tracker.last_step()

    def log(self, step: int, figures: Figures) -> None:
        try:
            self._tracker.log(step, figures)
        except (CoRewardingError, OSError):
            raise
        except Exception as cause:
            raise TrackError(f"{self._words}, step {step}: {cause}; the same command goes on from there") from cause
