"""Extend OpenRLHF's samples generator: announce questions to the teacher, and give only batches of whole pairs."""

import logging
from collections.abc import Sequence
from threading import Thread
from typing import Any

import httpx
from co_rewarding_client import CoRewardingError, Question, RewardClient

from co_rewarding_trainer.openrlhf.foreign import Foreign
from co_rewarding_trainer.openrlhf.labels import identity_in
from co_rewarding_trainer.openrlhf.pairs import VIEWS, check_whole_pairs
from co_rewarding_trainer.openrlhf.settings import TrainingSettings

TIMEOUT_S = 5.0

Asked = tuple[str, int | None]
"""A run, and the step of its rollouts; None where the labels name no step."""


def announce(
    settings: TrainingSettings,
    prompts: Sequence[str | Sequence[str]],
    labels: Sequence[str | Sequence[str]],
    transport: httpx.BaseTransport | None = None,
) -> list[Thread]:
    """Tells the teacher which questions the policy will answer next; does nothing for a method without a teacher.

    A prompt is a text or, for a pair, the texts of its views, and a label likewise. Prompts of an evaluation, and those
    whose labels name no question, are left out. Returns the threads that send, one for each run and step. Nobody needs
    to wait for them: the teacher is asked an unannounced question with its first rollout. `transport` is for tests.
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
    """Lists the views to announce, as the policy reads them, by run and step; `run` is for labels that name no run."""
    found: dict[Asked, list[Question]] = {}
    for prompt, label in zip(prompts, labels, strict=True):
        prompts_P = [prompt] if isinstance(prompt, str) else prompt
        labels_P = [label] if isinstance(label, str) else label
        for text, name in zip(prompts_P, labels_P, strict=True):
            identity = identity_in(name)
            if identity is None or identity.get("evaluate"):
                continue
            question = Question(question_id=identity["question_id"], view=identity.get("view", "original"), prompt=text)
            found.setdefault((identity.get("run") or run, identity.get("step")), []).append(question)
    return found


def batch_to_learn_from(samples: list[Any], views: int, prompts: int, group_size: int) -> list[Any]:
    """Returns the samples of a batch of `prompts` prompts, or none if the batch is incomplete, as may end an epoch.

    An incomplete batch would give the ranks unequal shares: under ZeRO-3 the ranks would wait for each other for ever,
    and optimizer steps would no longer fit the batches. Each epoch leaves out other questions.

    Raises:
        BrokenPairsError: the batch does not hold whole pairs.
    """
    if views == len(VIEWS):
        check_whole_pairs([label for sample in samples for label in sample.labels], group_size)
    if views and 0 < len(samples) < prompts * group_size:
        told = "%d rollouts at the end of an epoch are fewer than a batch and are not learned from"
        logging.getLogger("co_rewarding_trainer.generator").warning(told, len(samples))
        return []
    return samples


def pair_generator(generator: type) -> type:
    """Makes a subclass of OpenRLHF's SamplesGenerator that announces questions and gives whole batches of whole pairs.

    The class is made in a function, so that Ray sends it by value and the module imports without OpenRLHF.
    """

    class PairGenerator(generator):
        def generate_samples(self, **generate_kwargs: Foreign) -> tuple[Any, ...]:
            samples, *rest = super().generate_samples(**generate_kwargs)
            rollout = self.args.rollout
            views = getattr(self.strategy, "views", 0)
            return batch_to_learn_from(samples, views, rollout.batch_size, rollout.n_samples_per_prompt), *rest

        def _dispatch_prompts_to_vllm(
            self,
            prompts: list[str | tuple[str, ...]],
            labels: list[str | tuple[str, ...]],
            *,
            images: Foreign = None,
            **generate_kwargs: Foreign,
        ) -> list[Any]:
            training = getattr(self.strategy, "training", None)
            if training is not None:
                announce(training, prompts, labels)
            return super()._dispatch_prompts_to_vllm(prompts, labels, images=images, **generate_kwargs)

    return PairGenerator


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
