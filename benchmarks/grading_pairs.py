"""Read pairs of answers and cohorts: files of labelled pairs, and rollouts of language models."""

import gzip
import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

from benchmarks.grading_hostile import Hostile
from reward_service.domain.extraction import last_boxed

LABELLED = "equivalence/pairs_dev.jsonl"
HOSTILE = "equivalence/adversarial_dev.json.gz"
MANY_MODELS = "rollouts_rho_math500x4.jsonl"
ONE_POLICY = "rollouts_qwen_math100x8.jsonl"
_INTEGER = re.compile(r"-?\d+")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two answers; whether they are equal, where that is known; `kind` says how the second came from the first.

    Those of a convention (units, percent, lists) are equal or not as a matter of taste.
    """

    gold: str
    answer: str
    equal: bool | None
    kind: str
    convention: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """A question's gold answer, and the answers that models gave. A rollout without an answer is left out."""

    gold: str
    answers: tuple[str, ...]


def labelled_pairs(folder: Path) -> list[Pair]:
    """Those of the shared data; none if it is not there."""
    return [
        Pair(row["a"], row["b"], row["equivalent"], row["transform"], row["convention"])
        for row in _rows(folder / LABELLED)
    ]


def answered(file: Path) -> list[Answered]:
    """The questions of a file of rollouts; none if it is not there."""
    return [
        Answered(row["gold"], tuple(answer for answer in map(_answer, row["rollouts"]) if answer))
        for row in _rows(file)
    ]


def gold_pairs(questions: Sequence[Answered]) -> list[Pair]:
    """Each gold answer beside what was answered, where the texts are not the same anyway; each pair once."""
    pairs = dict.fromkeys(
        (question.gold, answer)
        for question in questions
        for answer in question.answers
        if answer.strip() != question.gold.strip()
    )
    return [Pair(gold, answer, None, "rollout") for gold, answer in pairs]


def is_rich(answer: str) -> bool:
    """Whether it is more than an integer."""
    return _INTEGER.fullmatch(answer) is None


def cohorts_of(questions: Sequence[Answered], size: int, *, with_gold: bool = False) -> list[tuple[str, ...]]:
    """A question's answers, once and again until there are `size`."""
    cohorts: list[tuple[str, ...]] = []
    for question in questions:
        answers = (*question.answers, question.gold) if with_gold else question.answers
        if answers:
            cohorts.append(tuple(islice(cycle(answers), size)))
    return cohorts


def mixed_cohorts(questions: Sequence[Answered], size: int, seed: int) -> list[tuple[str, ...]]:
    """Cohorts of answers that have nothing in common: no two texts are equal."""
    answers = sorted({text for each in questions for text in (each.gold, *each.answers) if is_rich(text)})
    random.Random(seed).shuffle(answers)
    return [tuple(answers[place : place + size]) for place in range(0, len(answers) - size + 1, size)]


def hostile_texts(folder: Path) -> list[Hostile]:
    """Those of the shared data; none if they are not there."""
    file = folder / HOSTILE
    if not file.exists():
        return []
    rows = json.loads(gzip.decompress(file.read_bytes()))
    return [Hostile(row["id"], row["text"], row["why"], row["pair"]) for row in rows]


def _answer(rollout: dict[str, str | None]) -> str | None:
    """A rollout has its answer, or the response that holds it."""
    response = rollout.get("response")
    return rollout.get("answer") if response is None else last_boxed(response)


def _rows(file: Path) -> Iterator[dict]:
    if file.exists():
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)
