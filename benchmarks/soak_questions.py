"""Make questions whose rewards are known beforehand: the rules of the three methods written out once more."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.soak_model import answer_to

ORIGINAL, PARAPHRASE = "original", "paraphrase"
SINGLES = 3
"""Rollouts of a group that come one by one."""
PAIR = 2
"""Rollouts of each view, of a question in parts; and of a question that the teacher labels."""

IN_PARTS: Sequence[Mapping[str, Sequence[int | None]]] = [
    {ORIGINAL: original, PARAPHRASE: paraphrase}
    for original, paraphrase in [
        ((0, 0), (0, 0)),
        ((0, 0), (0, 1)),
        ((0, 1), (1, 1)),
        ((1, 0), (0, 1)),
        ((0, None), (0, 0)),
        ((0, 1), (None, 2)),
        ((0, 1), (2, 2)),
    ]
]
"""Answers by view and index: what is added to the question's own number; None is no answer."""

ALONE: Sequence[Sequence[int | None]] = [(0, 0, 0), (0, 0, 1), (1, 0, 1), (0, 0, None), (None, 1, 1)]
TAUGHT: Sequence[Sequence[int | None]] = [(0, 0), (0, 1), (1, 1), (1, None)]
FILLER = "First we look at what is given, then at what is asked, and compare both. " * 6


@dataclass(frozen=True, slots=True)
class DueRollout:
    """A rollout as it is sent, and the reward that it must get."""

    question_id: str
    view: str
    index: int
    prompt: str
    response: str
    reward: float

    def wire(self, *, prompted: bool = False) -> dict[str, Any]:
        """As /v1 takes it; `prompted`: with what a teacher is asked, and without an index."""
        wire = {"question_id": self.question_id, "view": self.view, "response": self.response}
        return wire | ({"prompt": self.prompt} if prompted else {"rollout": self.index})


def in_parts(seed: int, number: int) -> list[DueRollout]:
    """Co-rewarding-i: each view under the majority of the other, a tie under the lower index."""
    chance = random.Random(f"{seed} parts {number}")
    answers = chance.choice(IN_PARTS)
    other = {ORIGINAL: PARAPHRASE, PARAPHRASE: ORIGINAL}
    return [
        _rollout("p", number, view, index, answer, majority(answers[other[view]]), chance)
        for view, group in answers.items()
        for index, answer in enumerate(group)
    ]


def singles(seed: int, number: int) -> list[DueRollout]:
    """Majority-voting in one view, without ties: those would go by the text where ballots have no index."""
    chance = random.Random(f"{seed} singles {number}")
    group = chance.choice(ALONE)
    label = majority(group)
    return [_rollout("s", number, ORIGINAL, index, answer, label, chance) for index, answer in enumerate(group)]


def taught(seed: int, number: int) -> list[DueRollout]:
    """Co-rewarding-ii in one view: under what the teacher says."""
    chance = random.Random(f"{seed} taught {number}")
    label = answer_to(number) - number
    group = chance.choice(TAUGHT)
    return [_rollout("t", number, ORIGINAL, index, answer, label, chance) for index, answer in enumerate(group)]


def majority(group: Sequence[int | None]) -> int | None:
    """The answer with most votes; of several the one whose first vote has the lowest index."""
    voting = [answer for answer in group if answer is not None]
    counts = Counter(voting)
    return min(counts, key=lambda answer: (-counts[answer], voting.index(answer)), default=None)


def _rollout(
    kind: str, number: int, view: str, index: int, answer: int | None, label: int | None, chance: random.Random
) -> DueRollout:
    begins = chance.randrange(100)
    length = chance.randrange(100, 300)
    said = "I cannot say." if answer is None else f"So it is \\boxed{{{_written(number + answer, chance)}}}."
    response = f"Way {index}: {FILLER[begins : begins + length]} {said}"
    reward = float(answer is not None and answer == label)
    return DueRollout(f"{kind}/{number}", view, index, f"What is number {number}? ({view})\n", response, reward)


def _written(value: int, chance: random.Random) -> str:
    """One of the ways to write a number; equal numbers are one answer however they are written."""
    return chance.choice((f"{value}", f"{value}.0", f"\\frac{{{2 * value}}}{{2}}"))
