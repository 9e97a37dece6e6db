"""Check formulas: a formula of one shape keeps its numbers and signs, and letters are renamed as a whole."""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

from reward_service.domain.paraphrases.formulas import LETTER, SIGN, Piece
from reward_service.domain.paraphrases.reading import Evidence, Pair, Span, TextReading, Tolerances

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
            words = f"{_shown(pair.original, old)} became {_shown(pair.paraphrase, new)}"
            return Evidence(words, (old,), (new,))
    return None


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


_LEAST = 4


def variables_kept(pair: Pair, _: Tolerances) -> Evidence | None:
    """Object to formulas of the same shape that need two new names for one capital letter, or one name for two.

    AB is BA, and the angle ABC is CBA. Small letters may be bound by their formula, and change places in a sum or a
    product; they are left alone.
    """
    names: dict[str, frozenset[str]] = {}
    for before, after in _same_shape(pair.original.formulas, pair.paraphrase.formulas):
        for letter, allowed in _allowed(before, after):
            left = names.get(letter, allowed) & allowed
            spans = (Span(before.start, before.end),), (Span(after.start, after.end),)
            if not left:
                called = " or ".join(sorted(names[letter]))
                return Evidence(f"{letter} is called {called}, and {' or '.join(sorted(allowed))}", *spans)
            names[letter] = left
            twins = [other for other, known in names.items() if other != letter and known == left and len(left) == 1]
            if twins:
                return Evidence(f"{twins[0]} and {letter} are both called {min(left)}", *spans)
    return None


def _allowed(before: Piece, after: Piece) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield the names that each capital letter of a formula may have, by the same formula in the other text."""
    for old, new in zip(_names(before), _names(after), strict=True):
        if not (old.isupper() and new.isupper()):
            continue
        if len(old) == 1:
            yield old, frozenset(new)
        elif len(old) == 3:
            yield old[1], frozenset(new[1])
        if len(old) in (2, 3):
            yield old[0], frozenset((new[0], new[-1]))
            yield old[-1], frozenset((new[0], new[-1]))


def _names(piece: Piece) -> Iterator[str]:
    """Yield the letters of a formula, those together that stand together: AB, ABC."""
    letters = iter(piece.letters)
    for is_letter, run in groupby(piece.skeleton, key=lambda part: part == LETTER):
        if is_letter:
            yield "".join(next(letters) for _ in run)


def _same_shape(before: Iterable[Piece], after: Iterable[Piece]) -> Iterator[tuple[Piece, Piece]]:
    """Yield formulas of a shape that each text has once."""
    there, here = _pieces_by_shape(before), _pieces_by_shape(after)
    for shape, pieces in there.items():
        others = here.get(shape, [])
        if len(pieces) == len(others) == 1:
            yield pieces[0], others[0]


def _pieces_by_shape(pieces: Iterable[Piece]) -> dict[object, list[Piece]]:
    found: dict[object, list[Piece]] = {}
    for piece in pieces:
        if len(piece.skeleton) >= _LEAST:
            found.setdefault((piece.skeleton, piece.numbers, piece.signs), []).append(piece)
    return found
