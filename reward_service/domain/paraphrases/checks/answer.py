r"""Check that the text neither gives the answer away nor works it out."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate

from reward_service.domain.paraphrases.formulas import plain_number
from reward_service.domain.paraphrases.quantities import Mention
from reward_service.domain.paraphrases.reading import Evidence, Pair, Span, TextReading, Tolerances, read_text
from reward_service.domain.paraphrases.tokens import TextToken
from reward_service.domain.paraphrases.vocabulary import word_set

NUL = "\0"

MOST_ANSWER = 400
_IGNORED = frozenset({"{", "}", "$", "\\$", ".", "\\text", "°", "\\circ", "*", "**"})
_ANNOUNCING = word_set("answer answers ans solution result results hint namely therefore thus hence so")
_EQUATING = word_set("equals equal gives get obtain yields becomes comes out")
_GOES_ON = frozenset({"^", "_", "/", "+", "-", "*", "(", "!", "\\frac", "\\sqrt", "\\cdot"})
_BETWEEN = word_set("is are : = be to would will should must exactly simply the here that of which it")
_REACH = 5
_STRONG = re.compile(
    r"\\boxed|\bq\.?\s?e\.?\s?d\b|\b(?:final answer|answer|solution)\s{0,3}:|\bstep\s{0,3}1\b|\bstep one\b"
    r"|\blet(?:'s| us) (?:solve|start|begin|find|compute|calculate|break|first|think|denote)"
    r"|\b(?:therefore|thus|hence|consequently),? (?:we|the (?:answer|result|value|final|solution|total))"
    r"|\bso the answer\b"
    r"|\bto (?:solve|find|answer|determine) (?:this|the (?:answer|problem|value|solution)),"
    r"|\bsubstituting\b|\bsolving (?:for|this|these)\b|\b(?:we|this) (?:obtain|conclude|substitute)\b"
    r"|\bthe (?:correct |final )?(?:answer|solution) is\b",
    re.IGNORECASE,
)
_WEAK = re.compile(
    r"\bwe (?:get|have|find|know|can|need|see|then|first)\b|\b(?:which|this) (?:gives|yields|means|simplifies|leads)\b"
    r"|\b(?:therefore|thus|hence)\b|\bsimplifying\b|\bfirst, ",
    re.IGNORECASE,
)
_WEAK_ONES = 3
_LONG_CHAIN = 3


def answer_not_leaked(pair: Pair, _: Tolerances) -> Evidence | None:
    """Object to the ground truth in a paraphrase whose original has none, and to its announcement as the answer."""
    if pair.ground_truth is None or len(pair.ground_truth) > MOST_ANSWER:
        return None
    answer = read_text(f"${pair.ground_truth.strip().strip('$')}$")
    signs = [_said(token) for token in _bare(answer)]
    before, after = _bare(pair.original), _bare(pair.paraphrase)
    there, here = _places(before, signs), _places(after, signs)
    announcing = _ANNOUNCING if there else _ANNOUNCING | _EQUATING
    announced = [at for at in here if _announced(after, at, announcing)]
    if len(announced) > sum(_announced(before, at, announcing) for at in there):
        return _evidence(after, announced[0], signs, "is announced as the answer")
    if _is_number(answer):
        return _number_leaked(pair, answer.mentions[0], negative=signs[0] == "-")
    if len(signs) >= 3 and here and not there:
        return _evidence(after, here[0], signs, "is in the text")
    return None


def _number_leaked(pair: Pair, number: Mention, *, negative: bool) -> Evidence | None:
    """Return whether the number is in digits in the paraphrase, and in no way in the original."""
    if pair.original.accounts.cover(number):
        return None
    equal = {each.start: each for each in pair.paraphrase.mentions if each.digits and each.value == number.value}
    before = ""
    for token in pair.paraphrase.tokens:
        each = equal.get(token.start)
        if each is not None and (not negative or before == "-"):
            said = pair.paraphrase.text[each.start : each.end]
            return Evidence(f"the answer {said} is in the text", (), (Span(each.start, each.end),))
        before = token.text
    return None


def not_solved(pair: Pair, _: Tolerances) -> Evidence | None:
    """Object to steps towards the answer: a box, "therefore", a long chain of equations, if the original has none."""
    text, original = pair.paraphrase.text, pair.original.text
    known_words = {found.group().lower() for found in _STRONG.finditer(original)}
    for found in _STRONG.finditer(text):
        if found.group().lower() not in known_words:
            return Evidence(f"works it out: {' '.join(found.group().split())}", (), (Span(*found.span()),))
    weak = list(_WEAK.finditer(text))
    if len(weak) >= _WEAK_ONES + len(_WEAK.findall(original)):
        return Evidence(
            f"works it out: {weak[0].group()} … {weak[-1].group()}", (), tuple(Span(*w.span()) for w in weak)
        )
    longest, chain = max(_chains(pair.paraphrase), default=(0, Span(0, 0)))
    if longest >= _LONG_CHAIN and longest > 1 + max((length for length, _ in _chains(pair.original)), default=0):
        return Evidence(f"a chain of {longest} equations", (), (chain,))
    return None


def _bare(reading: TextReading) -> list[TextToken]:
    return [token for token in reading.tokens if token.kind != "break" and token.text not in _IGNORED]


def _said(token: TextToken) -> str:
    return plain_number(token.text) if token.kind == "number" else token.text.lower()


def _places(tokens: Sequence[TextToken], signs: Sequence[str]) -> list[int]:
    """Return where the signs stand in a row, and are not part of a longer number or expression."""
    if not signs:
        return []
    parts = [_said(token) for token in tokens]
    ends = list(accumulate((len(part) + 1 for part in parts), initial=1))
    text, wanted = f"\0{NUL.join(parts)}\0", f"\0{NUL.join(signs)}\0"
    found: list[int] = []
    place = text.find(wanted)
    while place >= 0:
        at = bisect_left(ends, place + 1)
        if _is_whole(tokens, at, at + len(signs)):
            found.append(at)
        place = text.find(wanted, place + 1)
    return found


def _is_whole(tokens: Sequence[TextToken], first: int, end: int) -> bool:
    behind = tokens[end] if end < len(tokens) else None
    if behind is not None and (behind.text in _GOES_ON or behind.kind == "letter"):
        return False
    return first == 0 or tokens[first - 1].text not in ("^", "_", "/", "\\sqrt")


def _announced(tokens: Sequence[TextToken], at: int, announcing: frozenset[str]) -> bool:
    """Return whether "the answer is" or the like leads to a place."""
    equality = at > 0 and tokens[at - 1].text == "="
    for back in range(1, _REACH + 1):
        if at < back:
            return False
        word = tokens[at - back].text
        if word in announcing:
            return not equality or back > 1
        if word not in _BETWEEN and word not in ("(", "["):
            return False
    return False


def _is_number(answer: TextReading) -> bool:
    """Return whether the answer is one number, with or without a unit."""
    if len(answer.mentions) != 1 or not answer.mentions[0].values:
        return False
    number = answer.mentions[0]
    rest = [token for token in _bare(answer) if not number.start <= token.start < number.end]
    return all(token.text in ("-", "%", ",") or (token.kind == "word" and len(token.text) > 1) for token in rest)


def _chains(reading: TextReading) -> Iterator[tuple[int, Span]]:
    """Return how many = follow each other in a formula, between commas and line breaks."""
    signs: list[TextToken] = []
    for token in reading.tokens:
        if not token.math or token.text in (",", ";", "&", "\\\\") or token.text.startswith("\\begin"):
            if signs:
                yield len(signs), Span(signs[0].start, signs[-1].end)
            signs = []
        elif token.text in ("=", "\\approx"):
            signs.append(token)
    if signs:
        yield len(signs), Span(signs[0].start, signs[-1].end)


def _evidence(tokens: Sequence[TextToken], at: int, signs: Sequence[str], what: str) -> Evidence:
    span = Span(tokens[at].start, tokens[at + len(signs) - 1].end)
    return Evidence(f"the answer {''.join(signs)[:40]} {what}", (), (span,))
