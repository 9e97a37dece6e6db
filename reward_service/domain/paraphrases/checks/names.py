"""Check names: letters are renamed as a whole."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby

from reward_service.domain.paraphrases.checks.places import spans_of
from reward_service.domain.paraphrases.formulas import LETTER, Piece
from reward_service.domain.paraphrases.pairs import Evidence, Pair, Tolerances
from reward_service.domain.paraphrases.reading import Span, TextReading
from reward_service.domain.paraphrases.tokens import TextToken

_LEAST = 4


def variables_kept(pair: Pair, _: Tolerances) -> Evidence | None:
    """Object to capital letters that are not renamed as a whole, one for one, throughout the text.

    AB is BA, and the angle ABC is CBA. Small letters may be bound by their formula, and change places in a sum or a
    product; they are left alone.
    """
    return _called_otherwise(pair) or _left_over(pair) or _regrouped(pair)


def _called_otherwise(pair: Pair) -> Evidence | None:
    """Find two names for one letter, or one for two, in formulas of the same shape."""
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


_LEAST_RENAMED = 2
_MOST_LEFT = 2


def _left_over(pair: Pair) -> Evidence | None:
    """Find an old name that is left once or twice, where all other names are new, and one name is too many."""
    before, after = _capitals(pair.original), _capitals(pair.paraphrase)
    old, new = (Counter(token.text for token in tokens) for tokens in (before, after))
    gone, come = old.keys() - new.keys(), new.keys() - old.keys()
    if len(gone) < _LEAST_RENAMED or len(come) != len(gone) + 1:
        return None
    for name in sorted(old.keys() & new.keys()):
        if new[name] <= min(_MOST_LEFT, max(1, old[name] - 1)):
            words = f"{name} is left, where {', '.join(sorted(gone))} have new names"
            spans = ([token for token in tokens if token.text == name] for tokens in (before, after))
            return Evidence(words, *map(spans_of, spans))
    return None


_LEAST_LETTERS, _LEAST_KEPT = 3, 3


def _regrouped(pair: Pair) -> Evidence | None:
    """Find one name of several letters, such as BD, that comes back with another letter than all others show."""
    before, after = _groups(pair.original), _groups(pair.paraphrase)
    old, new = (list(dict.fromkeys(letter for group in groups for letter in group)) for groups in (before, after))
    if len(old) != len(new) or len(old) < _LEAST_LETTERS or set(old) == set(new):
        return None
    names = dict(zip(old, new, strict=True))
    there = {frozenset(group): group for group in after if len(group) > 1}
    wanted = _wanted(before, names)
    gone, come = wanted.keys() - there.keys(), there.keys() - wanted.keys()
    if len(wanted.keys() & there.keys()) < _LEAST_KEPT or len(gone) != 1 or len(come) != 1:
        return None
    (lost,), (found,) = gone, come
    turned = list(zip(lost - found, found - lost, strict=False))
    exchanged = {one: other for pair in turned for one, other in (pair, pair[::-1])}
    otherwise = {letter: exchanged.get(name, name) for letter, name in names.items()}
    if len(lost) != len(found) or _wanted(before, otherwise).keys() <= there.keys():
        return None
    one, other = wanted[lost], there[found]
    renamed = "".join(names[letter] for letter in one)
    return Evidence(f"{one} would be {renamed}, and is {other}", (before[one],), (after[other],))


def _wanted(groups: Iterable[str], names: Mapping[str, str]) -> dict[frozenset[str], str]:
    """Return what the groups of letters are called under new names, with the groups."""
    return {frozenset(names[letter] for letter in group): group for group in groups if len(group) > 1}


def _capitals(reading: TextReading) -> list[TextToken]:
    return [token for token in reading.tokens if token.kind == "letter" and token.text.isupper()]


def _groups(reading: TextReading) -> dict[str, Span]:
    """Return the capital letters that stand together, with their first place."""
    found: dict[str, Span] = {}
    group: list[TextToken] = []
    for token in _capitals(reading):
        if group and token.start != group[-1].end:
            _add(found, group)
            group = []
        group.append(token)
    _add(found, group)
    return found


def _add(found: dict[str, Span], group: list[TextToken]) -> None:
    if group:
        found.setdefault("".join(token.text for token in group), Span(group[0].start, group[-1].end))
