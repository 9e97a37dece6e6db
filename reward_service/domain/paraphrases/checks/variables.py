"""Letters renamed as a whole: a point that is called P in one formula is not called A in the next."""

from collections.abc import Iterable, Iterator

from reward_service.domain.paraphrases.findings import Evidence, Pair, Span, Tolerances
from reward_service.domain.paraphrases.formulas import Piece

_LEAST = 5


def variables_kept(pair: Pair, _: Tolerances) -> Evidence | None:
    """Formulas that come back in the same shape give each capital letter one new name, and no name to two of them.

    Small letters may be bound by their formula, and change places in a sum or a product; they are left alone.
    """
    named: dict[str, str] = {}
    names: dict[str, str] = {}
    for before, after in _same_shape(pair.original.formulas, pair.paraphrase.formulas):
        for old, new in zip(before.letters, after.letters, strict=True):
            if not old.isupper():
                continue
            spans = (Span(before.start, before.end),), (Span(after.start, after.end),)
            if named.setdefault(old, new) != new:
                return Evidence(f"{old} is called {named[old]} and {new}", *spans)
            if names.setdefault(new, old) != old:
                return Evidence(f"{names[new]} and {old} are both called {new}", *spans)
    return None


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
