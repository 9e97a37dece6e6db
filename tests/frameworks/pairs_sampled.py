"""Sample pairs of views without a model: 16 pairs of 8 are the step that the figures of the adapters are of."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from co_rewarding_client.testing.sampling import Sampled

VIEWS = ("original", "paraphrase")
WHOLE = (16, 8)
"""Questions and rollouts of each view: 256 rollouts in all."""

SMALL = (4, 4)
"""For what does not depend on how many there are."""


def pairs(questions: int, group_size: int, seed: str, *, tied: bool = True) -> list[Sampled]:
    """Return the rollouts of a step, question by question; the same for the same seed.

    Unless `tied`, each group has one answer with the most votes: a tie is broken by the rollouts' numbers, which some
    frameworks do not give.
    """
    chance = random.Random(seed)
    return [
        _sampled(chance, f"q{question}", view, index, answer)
        for question in range(questions)
        for view in VIEWS
        for index, answer in enumerate(_answers(chance, group_size, tied))
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


def _answers(chance: random.Random, group_size: int, tied: bool) -> list[str]:
    while True:
        answers = [str(chance.randrange(3)) for _ in range(group_size)]
        votes = sorted(Counter(answers).values())
        if tied or len(votes) == 1 or votes[-1] > votes[-2]:
            return answers


def _sampled(chance: random.Random, question_id: str, view: str, index: int, answer: str) -> Sampled:
    return Sampled(
        question_id=question_id,
        view=view,
        index=index,
        prompt=f"What is {question_id}, said as {view}?",
        response=f"Let me think {chance.randrange(3)} times, so it is \\boxed{{{answer}}}.",
        answer=answer,
    )
