"""Sample pairs of views without a model: 16 pairs of 8 are the step that the figures of the adapters are of."""

import random
from collections.abc import Sequence
from dataclasses import replace

from co_rewarding_client.testing.sampling import Sampled

VIEWS = ("original", "paraphrase")


def pairs(questions: int, group_size: int, seed: str) -> list[Sampled]:
    """Return the rollouts of a step, question by question; the same for the same seed."""
    chance = random.Random(seed)
    return [
        _sampled(chance, f"q{question}", view, index)
        for question in range(questions)
        for view in VIEWS
        for index in range(group_size)
    ]


def shuffled(rollouts: Sequence[Sampled], seed: str) -> list[Sampled]:
    """Return the rollouts in a random order."""
    return random.Random(seed).sample(rollouts, len(rollouts))


def silenced(rollouts: Sequence[Sampled], question_id: str, view: str) -> list[Sampled]:
    """Return the rollouts, of which those of a view have no answer, so that the other view has no label."""
    return [
        replace(rollout, response="I do not know.", answer=None)
        if (rollout.question_id, rollout.view) == (question_id, view)
        else rollout
        for rollout in rollouts
    ]


def _sampled(chance: random.Random, question_id: str, view: str, index: int) -> Sampled:
    answer = str(chance.randrange(3))
    return Sampled(
        question_id=question_id,
        view=view,
        index=index,
        prompt=f"What is {question_id}, said as {view}?",
        response=f"Let me think {chance.randrange(3)} times, so it is \\boxed{{{answer}}}.",
        answer=answer,
    )
