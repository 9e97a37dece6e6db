"""Count how words come back in paraphrases: `python -m benchmarks.paraphrase_lexicon` writes the checks' lexicon.

The counts are those of IBM model 1 (Brown et al. 1993): each word of a question is explained by one word of its
paraphrase, with probabilities found by expectation maximisation. The pairs that the exam draws
are left out, and those that the weights of the coverage are counted from.
"""

import argparse
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy

from benchmarks.paraphrase_exam import parts_of
from benchmarks.paraphrase_pairs import MATH, SHARED
from reward_service.domain.paraphrases import lexicon
from reward_service.domain.paraphrases.lexicon import LEAST, UNKNOWN, terms_of
from reward_service.domain.paraphrases.reading import read_text

PLACE = Path(lexicon.__file__).with_suffix(".txt")
ROUNDS = 6
LEAST_SEEN = 4
LEAST_WEIGHT = 0.03
SMOOTHING = 5
EXPECTED_FROM = 3000

Texts = list[tuple[list[str], list[str]]]
"""The words of questions and of their paraphrases."""


def texts_of(file: Path) -> Texts:
    """Read the pairs that are counted."""
    return [(words_of(row.question), words_of(row.paraphrase)) for row in parts_of(file).counted]


def words_of(text: str) -> list[str]:
    """Return the words and signs that may come back."""
    return [term.text for term in terms_of(read_text(text).tokens)]


def weights_of(texts: Texts) -> dict[str, dict[str, float]]:
    """Return, for each word of questions, the words of paraphrases that explain it: P(word | other)."""
    known = _known(question for question, _ in texts)
    others = _known(paraphrase for _, paraphrase in texts)
    keys, groups, group = [], [], 0
    for question, paraphrase in texts:
        words = numpy.array([known[word] for word in question if word in known], dtype=numpy.int64)
        sources = numpy.array([-1, *(others[word] for word in paraphrase if word in others)], dtype=numpy.int64) + 1
        keys.append((sources[:, None] * len(known) + words[None, :]).ravel())
        groups.append(numpy.tile(numpy.arange(len(words)) + group, len(sources)))
        group += len(words)
    pairs, places = numpy.unique(numpy.concatenate(keys), return_inverse=True)
    at = numpy.concatenate(groups)
    weights, counts = numpy.ones(len(pairs)), numpy.zeros(len(pairs))
    for _ in range(ROUNDS):
        shares = weights[places]
        shares = shares / numpy.bincount(at, shares, group)[at]
        counts = numpy.bincount(places, shares, len(pairs))
        weights = counts / numpy.bincount(pairs // len(known), counts)[pairs // len(known)]
    names, sources = list(known), ["", *others]
    found: dict[str, dict[str, float]] = {}
    for key, weight, count in zip(pairs.tolist(), weights.tolist(), counts.tolist(), strict=True):
        word, other = names[key % len(known)], sources[key // len(known)]
        if other and other != word and weight >= LEAST_WEIGHT and count > 1:
            found.setdefault(word, {})[other] = weight
    return found


def _known(texts: Iterable[list[str]]) -> dict[str, int]:
    """Number the words that stand in several texts."""
    counted = Counter(word for words in texts for word in set(words))
    return {word: at for at, word in enumerate(sorted(word for word, seen in counted.items() if seen >= LEAST_SEEN))}


def write(weights: Mapping[str, Mapping[str, float]], expected: Mapping[str, float], file: Path) -> None:
    """Write a line for each word: its expected support, and its counterparts in percent."""
    lines = [
        "# Counted by python -m benchmarks.paraphrase_lexicon: a word, its expected support, its counterparts in %."
    ]
    for word in sorted({*weights, *expected}):
        others = sorted(weights.get(word, {}).items(), key=lambda each: (-each[1], each[0]))
        told = " ".join(f"{other}:{round(100 * weight)}" for other, weight in others)
        lines.append(f"{word} {expected.get(word, UNKNOWN):.2f} {told}".rstrip())
    file.write_text("\n".join(lines) + "\n", "utf-8")


def expected_of(texts: Texts, weights: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Return the mean support of each word, drawn towards that of an unknown word."""
    totals: dict[str, float] = {}
    seen: Counter[str] = Counter()
    for question, paraphrase in texts:
        for word, support in zip(question, lexicon.supports(question, paraphrase, weights), strict=True):
            totals[word] = totals.get(word, 0.0) + support
            seen[word] += 1
    return {
        word: (totals[word] + UNKNOWN * SMOOTHING) / (count + SMOOTHING)
        for word, count in seen.items()
        if count >= LEAST_SEEN
    }


def main() -> None:
    """Count, and write the lexicon."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.paraphrase_lexicon", description=__doc__)
    parser.add_argument("--file", type=Path, default=SHARED / MATH, help="pairs")
    parser.add_argument("--out", type=Path, default=PLACE)
    given = parser.parse_args()
    texts = texts_of(given.file)
    weights = weights_of(texts)
    some: Sequence[tuple[list[str], list[str]]] = random.Random(1).sample(texts, min(EXPECTED_FROM, len(texts)))
    write(weights, expected_of(list(some), weights), given.out)
    print(f"{len(weights)} words, {sum(map(len, weights.values()))} counterparts above {LEAST:.0%}: {given.out}")


if __name__ == "__main__":
    main()
