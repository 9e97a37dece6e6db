"""Run one teacher process: a model, the averages of the runs that it serves, and the labels to make."""

import asyncio
import socket
from uuid import uuid4

import structlog

from reward_service.errors import SettingsError
from reward_service.generation.generator import OPENAI, VLLM_SERVER
from reward_service.generation.model_folder import model_folder
from reward_service.generation.opening import open_generator
from reward_service.processes import main_of, run_alone
from reward_service.settings import Settings
from reward_service.store.label_queue import LabelQueue
from reward_service.store.runs import RunStore
from reward_service.store.server_checks import wait_for_store
from reward_service.store.teachers import TeacherStore
from reward_service.teaching.averages import AverageOptions, Averages
from reward_service.teaching.run_tracker import RunTracker
from reward_service.teaching.teacher import Teacher

log = structlog.get_logger(__name__)


async def teach(settings: Settings) -> None:
    """Teaches until asked to stop; what is in hand is finished, or left to other teachers.

    Raises:
        SettingsError: the model or a folder cannot be used as it is given.
        UnusableStoreError: the Redis at hand could lose accepted work.
    """
    assert settings.redis_url is not None, "a teacher is told where the store is"
    assert settings.teacher is not None, "a teacher is told its model"
    key = settings.teacher_api_key
    opening = open_generator(
        settings.teacher,
        backend=settings.teacher_backend,
        capacity=settings.teacher_capacity,
        keep_special_tokens=settings.teacher_keep_special_tokens,
        threads=settings.teacher_threads,
        api_key=None if key is None else key.get_secret_value(),
        more=settings.teacher_engine,
    )
    averages = await asyncio.to_thread(_averages, settings)
    connection = settings.store_connection()
    await wait_for_store(settings.redis_url)
    name = f"{socket.gethostname()}-{uuid4().hex[:8]}"
    async with opening as generator:
        queue = LabelQueue(connection, settings.limits, name, settings.teacher_lease_s)
        follower = RunTracker(
            RunStore(connection, settings.limits),
            TeacherStore(connection),
            averages,
            model=settings.teacher_name or generator.name,
            teacher=name,
        )
        teacher = Teacher(queue, follower, generator)
        if settings.traces is not None:
            from reward_service.tracing.seams import trace_labels
            from reward_service.tracing.spans import open_tracing

            trace_labels(open_tracing("teacher", settings.traces), connection, teacher)
        log.info("teacher ready", teacher=name, model=generator.name, capacity=generator.capacity)
        try:
            await teacher.serve(settings.shutdown_s)
        finally:
            await connection.close()


def _averages(settings: Settings) -> Averages | None:
    """The averages of this process; None for a model at a URL, which stays what it is."""
    model = settings.teacher or ""
    if model.startswith(OPENAI):
        return None
    if settings.weights_root is None:
        raise SettingsError(
            "a teacher follows the weights that policies publish: give --weights-root (CO_REWARDING_WEIGHTS_ROOT), the "
            "folder that the service takes them from"
        )
    base = model_folder(model.partition("#")[2] if model.startswith(VLLM_SERVER) else model)
    options = AverageOptions(settings.teacher_mapped, settings.teacher_threads, settings.teacher_dtype)
    return Averages(settings.averages_dir, base, settings.weights_root, options)


def run_teacher(settings: Settings) -> None:
    """Teaches with these settings until a signal comes.

    Raises:
        CoRewardingError: it cannot begin; the message says what to change.
    """
    run_alone("teacher", teach, settings)


if __name__ == "__main__":
    main_of("teacher", teach)
