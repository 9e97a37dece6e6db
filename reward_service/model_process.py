"""A process beside the API that has a model of its own, a teacher or a paraphraser: how it begins and ends."""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable

from co_rewarding_schema.errors import CoRewardingError
from prometheus_client import CollectorRegistry, ProcessCollector

from reward_service.errors import SettingsError
from reward_service.metrics_server import expose
from reward_service.readiness import end_unready
from reward_service.settings import Settings, settings_given
from reward_service.telemetry import configure_logging

Work = Callable[[Settings], Awaitable[None]]
"""Until a signal comes."""


def run_alone(work: Work, settings: Settings) -> None:
    """Works with these settings, metrics of the process beside it where a port is set for them.

    Raises:
        CoRewardingError: it cannot begin; the message says what to change.
    """

    async def working() -> None:
        await work(settings)

    # Until the work takes signals it may load a model for minutes, in a thread: Ctrl-C ends it there and then.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with contextlib.ExitStack() as stack:
        if settings.metrics_port is not None:
            registry = CollectorRegistry()
            ProcessCollector(registry=registry)
            stack.callback(expose(registry, settings.metrics_host, settings.metrics_port))
        asyncio.run(working())


def main_of(work: Work) -> None:
    """Works with the settings of the environment; what it cannot begin with is said in a line."""
    try:
        settings = settings_given()
        configure_logging(as_json=settings.log_json, level=settings.log_level)
        run_alone(work, settings)
    except CoRewardingError as error:
        end_unready(error, 2 if isinstance(error, SettingsError) else 1)
