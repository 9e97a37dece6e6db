"""Check formulas: a formula of one shape keeps its numbers and signs."""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from typing import NamedTuple

from reward_service.domain.paraphrases.formulas import SIGN, Piece
from reward_service.domain.paraphrases.pairs import Evidence, Pair, Tolerances
from reward_service.domain.paraphrases.quantities import Mention
from reward_service.domain.paraphrases.reading import Span, TextReading

_LEAST_FORMULA, _LEAST_PIECE, _LEAST_TERM = 5, 2, 3
_SHOWN = 40
_MOST_CHANGED = 2
_LONGEST_LIST = 60


class _Part(NamedTuple):
    """A part that may come back in the other text: its shape, and the content of places that the shape masks."""

    shape: Hashable
    content: tuple[Hashable, ...]
    span: Span


def formulas_kept(pair: Pair, _: Tolerances) -> Evidence | None:
    """Object to a formula, term or list of numbers that comes back with one number or sign changed.

    Other letters, another order of factors, and another side of the equation are no changes.
    """
    for parts in (_formulas, _pieces, _terms, _groups, _lists, _tuples):
        found = _changed(parts(pair.original), parts(pair.paraphrase))
        if found is not None:
            old, new = found
            if _follows(pair, old, new):
                continue
            words = f"{_shown(pair.original, old)} became {_shown(pair.paraphrase, new)}"
            return Evidence(words, (old,), (new,))
    return None


def _follows(pair: Pair, old: Span, new: Span) -> bool:
    """Return whether the new number is the old one and another of its formula: 216 = 0 for 180 = -36."""
    there, here = (
        {each.value for each in reading.mentions if span.start <= each.start < span.end}
        for reading, span in ((pair.original, old), (pair.paraphrase, new))
    )
    lost, come = there - here, here - there
    if len(lost) != 1 or len(come) != 1:
        return False
    (gone,), (result,) = lost, come
    for formula in pair.original.formulas:
        if formula.start <= old.start < formula.end and not (formula.start == old.start and formula.end == old.end):
            beside = (each for each in pair.original.mentions if formula.start <= each.start < formula.end)
            others = {each.value for each in beside if not _is_exponent(pair.original, each)} - there
            return any(result in (gone + each, abs(gone - each)) for each in others)
    return False


def _is_exponent(reading: TextReading, mention: Mention) -> bool:
    return "^" in reading.text[max(0, mention.start - 2) : mention.start]


def _changed(before: Iterable[_Part], after: Iterable[_Part]) -> tuple[Span, Span] | None:
    """Return, of one shape, the one content that is gone and the one that has come, if a single place differs."""
    old, new = _by_shape(before), _by_shape(after)
    for shape, there in old.items():
        here = new.get(shape)
        if here is None:
            continue
        gone, come = _less(there, here), _less(here, there)
        if len(gone) > _MOST_CHANGED or len(come) > _MOST_CHANGED:
            continue
        for one in gone:
            for other in come:
                if _differ_in_one_place(one.content, other.content):
                    return one.span, other.span
    return None


def _by_shape(parts: Iterable[_Part]) -> dict[Hashable, list[_Part]]:
    found: dict[Hashable, list[_Part]] = {}
    for part in parts:
        found.setdefault(part.shape, []).append(part)
    return found


def _less(parts: list[_Part], others: list[_Part]) -> list[_Part]:
    """Return the parts whose content the others have less often."""
    there = Counter(part.content for part in others)
    left: list[_Part] = []
    for part in parts:
        there[part.content] -= 1
        if there[part.content] < 0:
            left.append(part)
    return left


def _differ_in_one_place(one: tuple[Hashable, ...], other: tuple[Hashable, ...]) -> bool:
    return sum(left != right for left, right in zip(one, other, strict=True)) == 1


def _formulas(reading: TextReading) -> Iterator[_Part]:
    """Yield whole formulas, of which a sign or a relation counts as well."""
    for piece in _outside_examples(reading, reading.formulas):
        if len(piece.skeleton) >= _LEAST_FORMULA:
            signs = tuple("=" if sign == "≠" else sign for sign in piece.signs)  # "x ≠ 3" may be "except x = 3"
            yield _Part(piece.skeleton, piece.numbers + signs, Span(piece.start, piece.end))


def _pieces(reading: TextReading) -> Iterator[_Part]:
    return _of(reading, reading.pieces, _LEAST_PIECE)


def _terms(reading: TextReading) -> Iterator[_Part]:
    return _of(reading, reading.terms, _LEAST_TERM)


def _groups(reading: TextReading) -> Iterator[_Part]:
    return _of(reading, reading.groups, _LEAST_TERM)


def _of(reading: TextReading, pieces: Iterable[Piece], least: int) -> Iterator[_Part]:
    for piece in _outside_examples(reading, pieces):
        skeleton = piece.skeleton[piece.skeleton[:1] == (SIGN,) :]
        if len(skeleton) >= least and piece.numbers and _balanced(skeleton):
            yield _Part(skeleton, piece.numbers, Span(piece.start, piece.end))


def _lists(reading: TextReading) -> Iterator[_Part]:
    for run in reading.runs:
        mentions = [reading.mentions[at] for at in run]
        if reading.text[mentions[-1].end : mentions[-1].end + 1].isalpha():
            continue  # 2 + 8 + 10x is no list
        yield from _with_holes(tuple(each.value for each in mentions), Span(mentions[0].start, mentions[-1].end))


def _tuples(reading: TextReading) -> Iterator[_Part]:
    for each in reading.tuples:
        if not reading.in_example(each.start):
            yield from _with_holes(each.numbers, Span(each.start, each.end))


def _with_holes(values: tuple[Hashable, ...], span: Span) -> Iterator[_Part]:
    """Yield a list once for each of its places, which the shape leaves open."""
    if len(values) > _LONGEST_LIST:
        return
    for hole in range(len(values)):
        yield _Part((len(values), hole, values[:hole], values[hole + 1 :]), (values[hole],), span)


def _outside_examples(reading: TextReading, pieces: Iterable[Piece]) -> Iterator[Piece]:
    return (each for each in pieces if not reading.in_example(each.start))


def _balanced(skeleton: tuple[str, ...]) -> bool:
    return skeleton.count("(") == skeleton.count(")") and skeleton.count("|") % 2 == 0


def _shown(reading: TextReading, span: Span) -> str:
    text = " ".join(reading.text[span.start : span.end].split())
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
