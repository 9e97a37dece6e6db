"""The shared data: labelled pairs, and responses made to break a grader."""

import gzip
import json
import time
from functools import cache
from pathlib import Path

import pytest
from co_rewarding_schema.vocabulary import AnswerFormat, Conventions

from reward_service.domain.answers.comparing import Proof, compare
from reward_service.domain.answers.reading import read_answer
from reward_service.domain.extraction import extractor

DATA = Path(__file__).parents[3] / "shared" / "data" / "equivalence"
PAIRS, ADVERSARIAL = DATA / "pairs_dev.jsonl", DATA / "adversarial_dev.json.gz"
FORMATS = tuple(AnswerFormat)

needs_pairs = pytest.mark.skipif(not PAIRS.is_file(), reason=f"the labelled pairs are not there: {PAIRS}")
needs_adversarial = pytest.mark.skipif(not ADVERSARIAL.is_file(), reason=f"the texts are not there: {ADVERSARIAL}")

LIMIT_S = 1.0
EQUAL = {
    "fullwidth digits", "superscripts", "radical sign, fraction slash", "zero width space", "denesting", "exact trig",
    "set perm", "expansion",
}  # fmt: skip
"""The adversarial rows whose pair is the same in truth, by their `why`; those of no other row may be one."""

EQUAL_LENIENTLY = {"60 radicals vs reversed"}
"""A list in another order."""


@cache
def pairs() -> list[dict]:
    return [json.loads(line) for line in PAIRS.read_text().splitlines()]


@cache
def adversarial() -> list[dict]:
    with gzip.open(ADVERSARIAL, "rt") as file:
        return json.load(file)


def proof(row: dict, conventions: Conventions) -> Proof:
    return compare(read_answer(row["a"], conventions), read_answer(row["b"], conventions))


@needs_pairs
@pytest.mark.parametrize("conventions", Conventions)
def test_no_labelled_pair_is_falsely_the_same_and_few_are_missed(conventions: Conventions) -> None:
    rows = [row for row in pairs() if not row["convention"]]
    assert len(rows) > 1000
    found = [(row, proof(row, conventions)) for row in rows]
    merged = [(row["a"], row["b"]) for row, said in found if said is Proof.SAME and not row["equivalent"]]
    parted = [(row["a"], row["b"]) for row, said in found if said is Proof.DIFFERENT and row["equivalent"]]
    right = sum((said is Proof.SAME) == row["equivalent"] for row, said in found)
    assert not merged
    assert not parted
    assert right >= 0.998 * len(rows)


@needs_pairs
def test_lenient_conventions_are_those_of_the_labels() -> None:
    rows = [row for row in pairs() if row["convention"]]
    assert len(rows) > 50
    wrong = [
        (row["a"], row["b"], row["transform"])
        for row in rows
        if (proof(row, Conventions.LENIENT) is Proof.SAME) != row["equivalent"]
    ]
    assert not wrong


@needs_pairs
def test_strict_conventions_merge_no_more_than_lenient_ones() -> None:
    assert not [
        (row["a"], row["b"])
        for row in pairs()
        if proof(row, Conventions.STRICT) is Proof.SAME and proof(row, Conventions.LENIENT) is not Proof.SAME
    ]


def readable(text: str) -> list[str]:
    """The answer in a response, and the response itself as an answer, each cut to what an answer may hold."""
    answer = extractor(FORMATS)(text)
    return [text[:4096], *([answer] if answer else [])]


@needs_adversarial
def test_every_adversarial_text_is_read_in_time() -> None:
    slow: list[tuple[str, float]] = []
    for row in adversarial():
        for text in (row["text"], row["pair"] or ""):
            for answer in readable(text):
                for conventions in Conventions:
                    started_s = time.process_time()
                    read_answer(answer, conventions)
                    taken_s = time.process_time() - started_s
                    if taken_s >= LIMIT_S:
                        slow.append((row["id"], taken_s))
    assert not slow


@needs_adversarial
def test_no_adversarial_text_is_falsely_the_same_as_its_pair() -> None:
    merged, parted = [], []
    for row in adversarial():
        if row["pair"] is None:
            continue
        answers = extractor(FORMATS)(row["text"]), extractor(FORMATS)(row["pair"])
        if None in answers:
            continue
        for conventions in Conventions:
            said = compare(*(read_answer(str(answer), conventions) for answer in answers))
            equal = EQUAL | EQUAL_LENIENTLY if conventions is Conventions.LENIENT else EQUAL
            if said is Proof.SAME and row["why"] not in equal:
                merged.append((row["id"], row["why"]))
            if said is Proof.DIFFERENT and row["why"] in equal:
                parted.append((row["id"], row["why"]))
    assert not merged
    assert not parted
