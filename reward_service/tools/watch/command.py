"""Read the options of `co-rewarding watch`, and show what is seen until interrupted."""

import time
from typing import Annotated

import typer
from co_rewarding_client import RewardClient
from co_rewarding_client.address import shown_url
from co_rewarding_schema.errors import CoRewardingError
from rich.console import Console
from rich.live import Live

from reward_service.tools.run_options import LOCAL, ApiKey, Every, RunName, Url
from reward_service.tools.watch.drawing import Screen
from reward_service.tools.watch.watching import RunWatcher

ANSWER_S = 5.0


class WatchError(CoRewardingError):
    """The run cannot be looked at."""


def watch(
    run: RunName,
    url: Url = LOCAL,
    api_key: ApiKey = None,
    every: Every = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Print one picture, and end.")] = False,
) -> None:
    """Shows a run in the terminal, as it goes on: a curve and the latest figure of each sign of a collapse.

    Waits for a service that is away. Where standard output is no terminal, one picture is printed.
    """
    console = Console()
    try:
        with RewardClient(url, api_key=api_key, run=run, timeout_s=ANSWER_S, patience_s=0.0) as client:
            watcher = RunWatcher(client, run, shown_url(url))
            if once or not console.is_terminal:
                seen = watcher.look()
                if seen.trouble is not None:
                    raise WatchError(f"run {run} at {shown_url(url)}: {seen.trouble}")
                console.print(Screen(seen))
                return
            with Live(Screen(watcher.look()), console=console, auto_refresh=False) as live:
                while True:
                    time.sleep(every)
                    live.update(Screen(watcher.look()), refresh=True)
    except KeyboardInterrupt:
        return
    except WatchError:
        raise
    except CoRewardingError as cause:
        raise WatchError(f"run {run} at {shown_url(url)}: {cause}") from cause
