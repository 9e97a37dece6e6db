"""The questions of a rollout batch on their way to the teacher, which answers them while the policy does."""

import logging
from collections.abc import Sequence
from threading import Thread

import httpx
from co_rewarding_client import CoRewardingError, Question, RewardClient

from co_rewarding_trainer.openrlhf.labels import identity_in
from co_rewarding_trainer.openrlhf.settings import TrainingSettings

TIMEOUT_S = 5.0

Asked = tuple[str, int | None]
"""A run, and the step of its rollouts; None where their labels name none."""


def announce(
    settings: TrainingSettings,
    prompts: Sequence[str | Sequence[str]],
    labels: Sequence[str | Sequence[str]],
    transport: httpx.BaseTransport | None = None,
) -> list[Thread]:
    """Tells the service what the policy is about to answer; nothing is told where the labels are not a teacher's.

    A prompt is a text or, for a pair, the texts of its views, and a label likewise. What names no question, as in
    evaluation, is left out. Nobody has to wait for the threads that are given back, one for each run and step: a
    service that is slow or away delays nothing, for a question that was not announced is asked with its first rollout.
    `transport` is httpx's, for tests.
    """
    if not settings.teacher:
        return []
    threads = [
        Thread(target=_tell, args=(settings, asked, questions, transport), name="announce", daemon=True)
        for asked, questions in announced(settings.run, prompts, labels).items()
    ]
    for thread in threads:
        thread.start()
    return threads


def announced(
    run: str, prompts: Sequence[str | Sequence[str]], labels: Sequence[str | Sequence[str]]
) -> dict[Asked, list[Question]]:
    """The views that are asked, as the policy reads them, by run and step; `run` is that of labels that name none."""
    found: dict[Asked, list[Question]] = {}
    for prompt, label in zip(prompts, labels, strict=True):
        prompts_P = [prompt] if isinstance(prompt, str) else prompt
        labels_P = [label] if isinstance(label, str) else label
        for text, name in zip(prompts_P, labels_P, strict=True):
            identity = identity_in(name)
            if identity is None:
                continue
            question = Question(identity["question_id"], identity.get("view", "original"), prompt=text)
            found.setdefault((identity.get("run") or run, identity.get("step")), []).append(question)
    return found


def _tell(
    settings: TrainingSettings, asked: Asked, questions: Sequence[Question], transport: httpx.BaseTransport | None
) -> None:
    run, step = asked
    log = logging.getLogger("co_rewarding_trainer.announcing")
    try:
        with RewardClient(
            settings.url, api_key=settings.api_key, run=run, timeout_s=TIMEOUT_S, patience_s=0.0, transport=transport
        ) as client:
            taken = client.prefetch(step, questions)
    except CoRewardingError as error:
        log.warning("%d questions of step %s were not announced to the teacher: %s", len(questions), step, error)
    else:
        log.info("%d questions of step %s are announced to the teacher", taken, step)
