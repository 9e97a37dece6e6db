r"""Check that the text neither gives the answer away nor works it out."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate

from reward_service.domain.paraphrases.formulas import plain_number
from reward_service.domain.paraphrases.pairs import Evidence, Pair, Tolerances
from reward_service.domain.paraphrases.quantities import Mention
from reward_service.domain.paraphrases.reading import Span, TextReading, read_text
from reward_service.domain.paraphrases.tokens import TextToken, asks, commands_of, sentences_of
from reward_service.domain.paraphrases.vocabulary import word_set

NUL = "\0"

MOST_ANSWER = 400
_IGNORED = frozenset({"{", "}", "$", "\\$", ".", "\\text", "°", "\\circ", "*", "**"})
_ANNOUNCING = word_set("answer answers ans solution result results hint namely therefore thus hence so")
_EQUATING = word_set("equals equal gives get obtain yields becomes comes out")
_GOES_ON = frozenset({"^", "_", "/", "+", "-", "*", "(", "!", "\\frac", "\\sqrt", "\\cdot"})
_BETWEEN = word_set("is are : = be to would will should must exactly simply the here that of which it")
_REACH = 5
_RESULTING = word_set(
    "amounts amounting answer answers claim claims claimed comes confirm confirms equal equals found get gets gives "
    "got hint obtain obtained obtains outcome prove proves reached reaches result results show showing shows solution "
    "turns verify works yields"
)
_SUPPOSING = word_set("if when suppose supposing assume assuming given let where for until each every digit digits")
_SHOWING = word_set("show prove verify state report")
_LONGEST_TOLD, _LEAST_COUNT = 24, 1
_LEAST_TELLING, _LEAST_IN_WORDS = 10, 13
"""Smaller numbers stand in texts for other reasons."""
_STRONG = re.compile(
    r"\\boxed|\bq\.?\s?e\.?\s?d\b|\bstep\s{0,3}1\b|\bstep one\b"
    r"|\b(?:final answer|answer|solution)\s{0,3}:[\s$(]{0,4}-?\d"
    r"|\blet(?:'s| us) (?:solve|start|begin|find|compute|calculate|break|first|think|denote)"
    r"|\b(?:therefore|thus|hence|consequently),? (?:we|the (?:answer|result|value|final|solution|total))\b"
    r"[^.?!\n]{0,80}\d"
    r"|\bso the answer (?:is|must)\b|\bthe (?:correct |final )?(?:answer|solution) is[\s$(]{1,4}-?\d"
    r"|\bto (?:solve|find|answer|determine) (?:this|the (?:answer|problem|value|solution)), (?:we|I|let|first)\b"
    r"|\b(?:substituting|solving (?:for|this|these))\b[^.?!\n]{0,80}\b(?:we|gives|yields|get|obtain)\b"
    r"|\bwe (?:obtain|conclude|substitute)\b",
    re.IGNORECASE,
)
"""Steps of a solution. "The answer can be written in the form m/n" and "solving for x" alone are none."""
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
        number = answer.mentions[0]
        return _told(pair, number) or _number_leaked(pair, number, negative=signs[0] == "-")
    if len(signs) >= 3 and here and not there:
        return _evidence(after, here[0], signs, "is in the text")
    return None


def _number_leaked(pair: Pair, number: Mention, *, negative: bool) -> Evidence | None:
    """Find the number in the paraphrase, as a value and not as an exponent or index, and in no way in the original.

    A digit alone, and a short word such as "three", say too little without an announcement.
    """
    if number.size < _LEAST_TELLING or pair.original.accounts.cover(number):
        return None
    equal = {
        each.start: each
        for each in pair.paraphrase.mentions
        if each.value == number.value and (each.digits or each.value >= _LEAST_IN_WORDS)
    }
    before = ""
    for token in pair.paraphrase.tokens:
        each = equal.get(token.start)
        if each is not None and before not in ("^", "_") and (not negative or before == "-"):
            return _value_in_text(pair, each, "is in the text")
        if token.text != "{":
            before = token.text
    return None


def _told(pair: Pair, number: Mention) -> Evidence | None:
    """Find a sentence behind the question that only tells a result: "(Others got fifty.)", "Show that it equals 2."."""
    told = [*_results(pair.paraphrase, number)]
    if len(told) > sum(1 for _ in _results(pair.original, number)):
        return _value_in_text(pair, told[0], "is told behind the question")
    return None


def _results(reading: TextReading, number: Mention) -> Iterator[Mention]:
    """Yield the number where a sentence behind a question tells it, and no other number."""
    asked = False
    mentions = {each.start: each for each in reading.mentions if each.digits or each.value > _LEAST_COUNT}
    for sentence in sentences_of(reading.tokens):
        if sentence[0].start >= reading.choices:
            return
        if asked and _tells(sentence):
            inside = [mentions[token.start] for token in sentence if token.start in mentions]
            if len(inside) == 1 and number.value in inside[0].values:
                yield inside[0]
        asked = asked or asks(sentence)


def _tells(sentence: Sequence[TextToken]) -> bool:
    """Return whether a sentence tells a result, and neither asks nor supposes anything."""
    words = {token.text for token in sentence}
    asks_for = {sentence[at].text for at in commands_of(sentence)}
    return (
        len(sentence) <= _LONGEST_TOLD
        and not _RESULTING.isdisjoint(words)
        and _SUPPOSING.isdisjoint(words)
        and asks_for <= _SHOWING
        and "?" not in words
    )


def _value_in_text(pair: Pair, each: Mention, what: str) -> Evidence:
    said = pair.paraphrase.text[each.start : each.end]
    return Evidence(f"the answer {said} {what}", (), (Span(each.start, each.end),))


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
    """Yield how many = follow each other in a formula, where the last ones work out a number: 26-5 = 21."""
    chain: list[list[TextToken]] = [[]]
    for token in reading.tokens:
        if not token.math or token.text in (",", ";", "&", "\\\\") or token.text.startswith("\\begin"):
            if _works_out(chain):
                yield len(chain) - 1, Span(chain[0][0].start if chain[0] else chain[1][0].start, chain[-1][-1].end)
            chain = [[]]
        elif token.text in ("=", "\\approx"):
            chain.append([])
        elif token.text not in _IGNORED:
            chain[-1].append(token)
    if _works_out(chain):
        yield len(chain) - 1, Span(chain[0][0].start if chain[0] else chain[1][0].start, chain[-1][-1].end)


def _works_out(chain: Sequence[Sequence[TextToken]]) -> bool:
    """Return whether a chain of equal parts ends in a number, behind a part that calculates with numbers only."""
    if len(chain) <= _LONG_CHAIN or not chain[-1] or any(token.kind != "number" for token in chain[-1]):
        return False
    return any(
        len(part) > 1 and all(token.kind in ("number", "sign", "command") for token in part) for part in chain[:-1]
    )


def _evidence(tokens: Sequence[TextToken], at: int, signs: Sequence[str], what: str) -> Evidence:
    span = Span(tokens[at].start, tokens[at + len(signs) - 1].end)
    return Evidence(f"the answer {''.join(signs)[:40]} {what}", (), (span,))
