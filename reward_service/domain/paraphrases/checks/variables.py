"""Letters renamed as a whole: a point that is called P in one formula is not called A in the next."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from reward_service.domain.paraphrases.formulas import LETTER, Piece
from reward_service.domain.paraphrases.pair import Evidence, Pair, Span, Tolerances

_LEAST = 4


def variables_kept(pair: Pair, _: Tolerances) -> Evidence | None:
    """Formulas that come back in the same shape can be renamed with one new name for each capital letter.

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
    """What each capital letter of a formula may be called, by the same formula in the other text."""
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
    """The letters of a formula, those together that stand together: AB, ABC."""
    letters = iter(piece.letters)
    for is_letter, run in groupby(piece.skeleton, key=lambda part: part == LETTER):
        if is_letter:
            yield "".join(next(letters) for _ in run)


def _same_shape(before: Iterable[Piece], after: Iterable[Piece]) -> Iterator[tuple[Piece, Piece]]:
    """Formulas of a shape that each text has once."""
    there, here = _by_shape(before), _by_shape(after)
    for shape, pieces in there.items():
        others = here.get(shape, [])
        if len(pieces) == len(others) == 1:
            yield pieces[0], others[0]


def _by_shape(pieces: Iterable[Piece]) -> dict[object, list[Piece]]:
    found: dict[object, list[Piece]] = {}
    for piece in pieces:
        if len(piece.skeleton) >= _LEAST:
            found.setdefault((piece.skeleton, piece.numbers, piece.signs), []).append(piece)
    return found
