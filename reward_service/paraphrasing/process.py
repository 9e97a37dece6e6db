"""Run one paraphraser process: a model, and the jobs that need it."""

import asyncio
import signal
import socket
from uuid import uuid4

import structlog

from reward_service.lease_worker import LeasePace
from reward_service.paraphrasing.model_rewriter import open_rewriter
from reward_service.paraphrasing.paraphraser import Paraphraser
from reward_service.processes import keep_what_was_made, main_of, run_alone, say_ready
from reward_service.settings import Settings
from reward_service.store.connection import RedisConnection
from reward_service.store.question_queue import QuestionQueue
from reward_service.store.server_checks import wait_for_store

log = structlog.get_logger(__name__)


async def work(settings: Settings) -> None:
    """Rewrites until asked to stop; what is in hand is finished, or left to other paraphrasers.

    Raises:
        SettingsError: the model cannot be used as it is given.
        UnusableStoreError: the Redis at hand could lose accepted work.
    """
    assert settings.redis_url is not None, "a paraphraser is told where the store is"
    assert settings.paraphraser is not None, "a paraphraser is told its model"
    key = settings.paraphraser_api_key
    opening = open_rewriter(
        settings.paraphraser,
        backend=settings.paraphraser_backend,
        capacity=settings.paraphraser_capacity,
        api_key=None if key is None else key.get_secret_value(),
        answers=True,  # any recipe may ask for them
        embeddings=settings.paraphraser_embeddings,
        more=settings.paraphraser_engine,
    )
    connection = RedisConnection(settings.redis_url, patience_s=settings.redis_patience_s)
    await wait_for_store(settings.redis_url)
    name = f"{socket.gethostname()}-{uuid4().hex[:8]}"
    lease_s = settings.paraphraser_lease_s
    async with opening as rewriter:
        queue = QuestionQueue(connection, name, lease_s)
        paraphraser = Paraphraser(queue, rewriter, LeasePace(renew_s=min(2.0, lease_s / 4)))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, paraphraser.stop)
        keep_what_was_made()
        say_ready()
        log.info("paraphraser ready", paraphraser=name, model=rewriter.name, capacity=rewriter.capacity)
        try:
            await paraphraser.run(finish_within_s=settings.shutdown_s)
        finally:
            await connection.close()


def run_paraphraser(settings: Settings) -> None:
    """Works with these settings until a signal comes.

    Raises:
        CoRewardingError: it cannot begin; the message says what to change.
    """
    run_alone(work, settings)


if __name__ == "__main__":
    main_of(work)
