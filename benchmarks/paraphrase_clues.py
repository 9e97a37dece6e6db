"""Count how words come back in whole paraphrases and in those without a sentence: it writes the checks' clues.

`python -m benchmarks.paraphrase_clues` leaves a sentence out of published paraphrases that neither the exam nor
`paraphrase_coverage` draws. Each half of them is compared by the counterparts that the other half has counted, since
words of a pair that was counted come back more surely than those of others.
"""

import argparse
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy

from benchmarks.paraphrase_exam import parts_of, planted_often
from benchmarks.paraphrase_lexicon import weights_of, words_of
from benchmarks.paraphrase_pairs import MATH, SHARED
from reward_service.domain.paraphrases import clues
from reward_service.domain.paraphrases.alignment import renamed, renamings
from reward_service.domain.paraphrases.clues import GRADES, Clue, clues_of, kind_of
from reward_service.domain.paraphrases.coverage import without_letters
from reward_service.domain.paraphrases.elements import Element, elements_of
from reward_service.domain.paraphrases.reading import TextReading, read_text
from reward_service.domain.paraphrases.received import Receipt, receipts, sentences_in
from reward_service.paraphrasing.pair_files import PairRow

PLACE = Path(clues.__file__).with_suffix(".txt")
TIMES = 4
"""How often a sentence is left out of each paraphrase that has some to spare."""
LEAST_FALL = 0.25
"""Which share of its weight the sentence that was left out must receive less; where none does, it is not known."""
LEAST_SEEN = 8
WHOLE_AS_KIND, LEFT_OUT_AS_KIND = 4.0, 16.0
"""As how many words of its kind a word is counted besides."""
Counterparts = Mapping[str, Mapping[str, float]]
Counts = dict[tuple[str, bool], numpy.ndarray]
"""How often a word comes back in each grade, apart for repeated ones; shape (grades,)."""


def count_into(counts: Counts, found: Sequence[Clue]) -> None:
    """Count clues by word and by kind."""
    for each in found:
        if each.share:
            for text in (each.text, kind_of(each.text)):
                counts.setdefault((text, each.repeated), numpy.zeros(len(GRADES) + 1))[each.grade] += 1


def whole(row: PairRow, counterparts: Counterparts) -> list[Clue]:
    """Return the clues of a pair as it is."""
    original, paraphrase, there, here = _read(row.question, row.paraphrase)
    there, here = without_letters(there), without_letters(here)
    return clues_of(original, paraphrase, there, here, list(sentences_in(original, there)), counterparts)


def left_out(row: PairRow, text: str, counterparts: Counterparts) -> list[Clue]:
    """Return the clues of the sentence that the paraphrase lacks, where it is known which one that is."""
    original, paraphrase, all_there, all_here = _read(row.question, text)
    after = receipts(original, paraphrase, all_there, all_here)
    before = _received(row)
    falls = [(one.owed - other.owed) / one.weight for one, other in zip(after, before, strict=True)]
    if not falls or max(falls) < LEAST_FALL:
        return []
    place = after[falls.index(max(falls))].place
    there, here = without_letters(all_there), without_letters(all_here)
    sentences = list(sentences_in(original, there))
    found = clues_of(original, paraphrase, there, here, sentences, counterparts)
    return [clue for clue, each in zip(found, there, strict=True) if place.start <= each.start < place.end]


def _received(row: PairRow) -> list[Receipt]:
    return receipts(*_read(row.question, row.paraphrase))


def _read(question: str, text: str) -> tuple[TextReading, TextReading, list[Element], list[Element]]:
    original, paraphrase = read_text(question), read_text(text)
    there, here = elements_of(original), elements_of(paraphrase)
    return original, paraphrase, there, renamed(here, renamings(there, here))


def counted(rows: Sequence[PairRow]) -> tuple[Counts, Counts]:
    """Count the clues of whole paraphrases and of sentences left out, each half by what the other one tells."""
    of_whole: Counts = {}
    of_left_out: Counts = {}
    halves = rows[::2], rows[1::2]
    for half, other in (halves, halves[::-1]):
        counterparts = weights_of([(words_of(row.question), words_of(row.paraphrase)) for row in other])
        for row in half:
            count_into(of_whole, whole(row, counterparts))
        for row, text in planted_often(half, TIMES):
            count_into(of_left_out, left_out(row, text, counterparts))
    return of_whole, of_left_out


def lines_of(of_whole: Counts, of_left_out: Counts) -> Iterator[str]:
    """Yield a line for each kind and for each word that was seen often enough: its logarithms in hundredths."""
    texts = sorted({text for text, _ in of_whole})
    for text in texts:
        seen = sum(of_whole[text, each].sum() for each in (False, True) if (text, each) in of_whole)
        if seen >= LEAST_SEEN:
            told = (*_row(text, False, of_whole, of_left_out), *_row(text, True, of_whole, of_left_out))
            yield f"{text} {' '.join(str(round(100 * each)) for each in told)}"


def _row(text: str, repeated: bool, of_whole: Counts, of_left_out: Counts) -> list[float]:
    shares = [
        _smoothed(counts, text, repeated, weight)
        for counts, weight in ((of_left_out, LEFT_OUT_AS_KIND), (of_whole, WHOLE_AS_KIND))
    ]
    return [math.log(one / other) for one, other in zip(*shares, strict=True)]


def _smoothed(counts: Counts, text: str, repeated: bool, weight: float) -> list[float]:
    none = numpy.zeros(len(GRADES) + 1)
    kind = counts.get((kind_of(text) if not text.startswith("?") else text, repeated), none) + 1
    if text.startswith("?"):
        return list(kind / kind.sum())
    own = counts.get((text, repeated), none)
    return list((own + weight * kind / kind.sum()) / (own.sum() + weight))


def main() -> None:
    """Count, and write the clues."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.paraphrase_clues", description=__doc__)
    parser.add_argument("--file", type=Path, default=SHARED / MATH, help="pairs")
    parser.add_argument("--out", type=Path, default=PLACE)
    given = parser.parse_args()
    rows = parts_of(given.file).counted
    lines = list(lines_of(*counted(rows)))
    head = "# Counted by python -m benchmarks.paraphrase_clues: a word or kind, what each grade says, and if repeated."
    given.out.write_text("\n".join((head, *lines)) + "\n", "utf-8")
    print(f"{len(lines)} words and kinds, from {len(rows)} pairs: {given.out}")


if __name__ == "__main__":
    main()
