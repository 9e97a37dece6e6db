"""Tell numbers that took the place of others from numbers that a paraphrase only says otherwise."""

import re
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

from reward_service.domain.paraphrases.derived import follows_from_its_neighbours
from reward_service.domain.paraphrases.formulas import LETTER, Piece
from reward_service.domain.paraphrases.pairs import Pair
from reward_service.domain.paraphrases.quantities import MOST_DIGITS, Mention
from reward_service.domain.paraphrases.reading import TextReading

SMALL = 3
"""Up to this, numbers go without saying ("squared", "the origin") and come by counting ("three friends")."""
_IDLE = frozenset({Fraction(0), Fraction(1)})
_SMALL_ONES = frozenset(map(Fraction, range(SMALL + 1)))
_BASE = re.compile(r"\bbase[\s~${-]{1,3}$", re.IGNORECASE)
_NO_DIGIT = re.compile(r"[^\d.]|\.(?=.*\.)")
_BASE_CHARS = 8
_LEAST_OF_ITS_OWN = 2
"""With more numbers than that, and none of the original's, a text is another one."""
_RIGHT = Fraction(90)
_LEAST_SHAPE = 4
"""Shorter formulas have one shape by chance: x = 3."""


def took_places(pair: Pair, gone: Sequence[Mention], new: Sequence[Mention]) -> bool:
    """Return whether one number took the place of one other, or a formula came back with other numbers.

    So did all of them where several are lost and several new. Else the text says one of them in another way more often
    than not, as where a formula was rearranged and the new number follows from the old one.
    """
    before, after = _all_counted(pair.original), _all_counted(pair.paraphrase)
    fewer, more = before - after, after - before
    lost, come = ({each.value for each in mentions} for mentions in (gone, new))
    if _same_shape(pair, lost or {*fewer}, come or {*more}):
        return True
    if gone and new and len(lost | come) > _LEAST_OF_ITS_OWN and not _shared(pair):
        return True  # Another text, with numbers of its own.
    if _told_otherwise(pair, gone, new, fewer, more):
        return False
    for less, added in ((fewer, more), _in_digits(pair)):
        if len(less) == len(added) == 1 and _IDLE.isdisjoint((*less, *added)) and max(*less, *added) > SMALL:
            return True  # All other numbers stand as often as before.
    lost = lost or {value for value in fewer if value > SMALL}
    come = come or {value for value in more if value > SMALL and before[value]}
    if not (fewer and more and lost and come):
        return False
    if gone and new and min(len(lost), len(come)) > 1:
        return True  # Another text, with numbers of its own.
    if (gone and len(lost) > 1) or (new and len(come) > 1) or all(value in _SMALL_ONES for value in (*lost, *come)):
        return False
    if not _IDLE.isdisjoint((*lost, *come)) or _is_square(pair, gone, new):
        return False
    return not _rearranged(pair, gone, new)


def _in_digits(pair: Pair) -> tuple[Counter[Fraction], Counter[Fraction]]:
    """Return the numbers that stand in digits less often and more often, but for those that a text has in words."""
    before, after = counted(pair.original), counted(pair.paraphrase)
    spelt = {each.value for text in (pair.original, pair.paraphrase) for each in text.mentions if not each.digits}
    less, added = before - after, after - before
    return (Counter(), Counter()) if spelt & {*less, *added} else (less, added)


def _shared(pair: Pair) -> bool:
    """Return whether both texts say a number that is not small."""
    texts = pair.original, pair.paraphrase
    there, here = ({value for each in text.mentions for value in each.values} for text in texts)
    return any(value > SMALL for value in there & here)


def _told_otherwise(
    pair: Pair, gone: Sequence[Mention], new: Sequence[Mention], fewer: Counter[Fraction], more: Counter[Fraction]
) -> bool:
    """Return whether the new numbers say no more than the others beside them do, or only count in another way."""
    if not gone and max(fewer, default=0) <= SMALL and _all_follow(pair.paraphrase, new):
        return True
    if not new and max(more, default=0) <= SMALL and _all_follow(pair.original, gone):
        return True
    if _counted_from_zero(pair, gone, new) or _factored(pair, gone, new):
        return True
    return len(gone) == len(new) == 1 and gone[0].value + new[0].value == _RIGHT and "right" in pair.original.words


def _all_follow(reading: TextReading, mentions: Sequence[Mention]) -> bool:
    places = {each.start: at for at, each in enumerate(reading.mentions)}
    found = [follows_from_its_neighbours(reading.mentions, places[each.start]) for each in mentions]
    return bool(found) and all(found)


def _factored(pair: Pair, gone: Sequence[Mention], new: Sequence[Mention]) -> bool:
    """Return whether a number of a formula is one of a product with a number behind it: 4 of 9(4 - x) for 36 - 9x."""
    here = _formula_of(pair.paraphrase, new)
    if len(gone) != 1 or len(new) != 1 or here is None or "(" not in here.skeleton:
        return False
    return any(_value(number) * new[0].value == gone[0].value for number in here.numbers)


def _counted_from_zero(pair: Pair, lost: Sequence[Mention], come: Sequence[Mention]) -> bool:
    """Return whether one of two numbers counts from 0: row 15 is the 16th, and base 7 has the digits 0 to 6."""
    if len(lost) != 1 or len(come) != 1 or abs(lost[0].value - come[0].value) != 1:
        return False
    if _BASE.search(pair.original.text[: lost[0].start][-_BASE_CHARS:]):
        return True
    texts = pair.original.text[lost[0].start : lost[0].end], pair.paraphrase.text[come[0].start : come[0].end]
    return texts[0].isdecimal() != texts[1].isdecimal()


def _is_square(pair: Pair, gone: Sequence[Mention], new: Sequence[Mention]) -> bool:
    """Return whether one number is the square of the other, and in a formula: a radius of 5 for x^2 + y^2 = 25."""
    if not gone or not new:
        return False
    old, result = gone[0].value, new[0].value
    larger = _formula_of(pair.original, gone) if old > result else _formula_of(pair.paraphrase, new)
    return larger is not None and max(old, result) == min(old, result) ** 2


def _same_shape(pair: Pair, lost: set[Fraction], come: set[Fraction]) -> bool:
    """Return whether a formula comes back with other numbers: lost ones in the original's, new ones in the other."""
    old, new = ({(each.skeleton, each.numbers) for each in text.pieces} for text in (pair.original, pair.paraphrase))
    shapes = {skeleton for skeleton, numbers in old - new if _has(numbers, lost) and len(skeleton) >= _LEAST_SHAPE}
    return any(skeleton in shapes and _has(numbers, come) for skeleton, numbers in new - old)


def _has(numbers: Sequence[str], values: set[Fraction]) -> bool:
    return any(_value(number) in values for number in numbers)


def _value(number: str) -> Fraction:
    return Fraction(_NO_DIGIT.sub("", number)[:MOST_DIGITS].strip(".") or "0")


def _rearranged(pair: Pair, lost: Sequence[Mention], come: Sequence[Mention]) -> bool:
    """Return whether a new number of a formula follows from a lost one and another of its formula: 10y for 3y + 7y."""
    there, here = (_formula_of(text, mentions) for text, mentions in ((pair.original, lost), (pair.paraphrase, come)))
    if not lost or not come:
        return there is not None or here is not None
    if there is None or here is None:
        return False
    old, result = lost[0].value, come[0].value
    others = {_value(number) for number in (*there.numbers, *here.numbers)}
    return any(result in (old + each, abs(old - each), old * each, each and old / each) for each in others)


def _formula_of(reading: TextReading, mentions: Sequence[Mention]) -> Piece | None:
    """Return the formula with letters that the first of some numbers stands in."""
    formulas = [each for each in reading.formulas if LETTER in each.skeleton]
    return next((each for each in formulas if any(each.start <= one.start < each.end for one in mentions)), None)


def _all_counted(reading: TextReading) -> Counter[Fraction]:
    spelt = (each.value for each in reading.mentions if not each.digits and each.value > SMALL)
    return counted(reading) + Counter(spelt)


def counted(reading: TextReading) -> Counter[Fraction]:
    """Count the numbers in digits, with those that they are written with."""
    found: Counter[Fraction] = Counter()
    for mention in reading.mentions:
        if mention.digits:
            found.update(mention.parts or (mention.value,))
    return found
