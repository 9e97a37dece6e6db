r"""Extract answers in the notations that a run may choose: JSON and the marks of GSM8K here, others beside.

The JSON field is looked for from the end of the response, and not the object around it: no JSON is parsed, so none can
be deep, repeat its keys or hold a number of a million digits. A model that writes LaTeX into JSON forgets to double its
backslashes, and JSON would read \frac as a form feed and "rac": see `_unescaped`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from co_rewarding_schema.limits import MAX_ANSWER_CHARS
from co_rewarding_schema.vocabulary import AnswerFormat, Thinking

from reward_service.domain.extraction.boxes import answer_in, bare, last_boxed, last_framed
from reward_service.domain.extraction.sentences import last_answer_line, last_said
from reward_service.domain.extraction.tags import last_tagged, read_of
from reward_service.domain.extraction.turns import turn_reader

_MARK = "####"
_CLOSING = "# \t\r"  # a heading may be closed with the marks that opened it


def last_hashed(response: str) -> str | None:
    """Return the text behind the last `####` of the last line with text behind one; None where there is none.

    Bold marks, a closing period and math delimiters go; what is longer than MAX_ANSWER_CHARS is no answer. Linear in
    the response, from its end: every line is looked at once.
    """
    end = len(response)
    while (mark := response.rfind(_MARK, 0, end)) >= 0:
        begins = response.rfind("\n", 0, mark) + 1
        ends = response.find("\n", mark, end)
        line = response[begins : end if ends < 0 else ends].rstrip(_CLOSING)
        _, found, content = line.rpartition(_MARK)
        if found and content.strip():
            return None if len(content) > MAX_ANSWER_CHARS else answer_in(bare(content))
        end = max(0, begins - 1)
    return None


_KEY_END = 'answer"'
_KEY_BEGINNINGS = ('"', '"final_')
_VALUE = re.compile(r'\s*+:\s*+(?:(?P<quote>")|(?P<number>-?[0-9]++(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+)\s*+[,}\]])')
_IN_STRING = re.compile(r'\\.|"', re.DOTALL)
_PAIR = r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_ESCAPE = re.compile(_PAIR + r"|\\u[0-9a-fA-F]{4}|\\.", re.DOTALL)
_LONGEST_ESCAPE = len(r"\u0034")

_THEMSELVES = '"\\/'
_CONTROLS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_ALSO_LATEX = "bfrt"


def last_json_field(response: str) -> str | None:
    """Return the value of the last complete field "answer" or "final_answer"; None where there is no answer.

    Complete is a text in quotes, or a number that a comma or a closing bracket follows: `42` cut off behind its 4 is no
    number. A field that is not complete, or holds something else (null, a list), is passed over. A blank text, or one
    longer than MAX_ANSWER_CHARS, is no answer. Linear in the response: a text that is left open ends at the quote of
    the next field's name at the latest, so that no character is read for two fields.
    """
    end = response.rfind(_KEY_END)
    while end >= 0:
        if response.endswith(_KEY_BEGINNINGS, 0, end):
            value = _VALUE.match(response, end + len(_KEY_END))
            if value is not None:
                if value["number"] is not None:
                    return answer_in(value["number"])
                closing = _closing_quote(response, value.end())
                if closing is not None:
                    return _text(response, value.end(), closing)
        end = response.rfind(_KEY_END, 0, end)
    return None


def _closing_quote(text: str, start: int) -> int | None:
    for token in _IN_STRING.finditer(text, start):
        if token[0] == '"':
            return token.start()
    return None


def _text(response: str, start: int, end: int) -> str | None:
    if end - start > _LONGEST_ESCAPE * MAX_ANSWER_CHARS:
        return None
    return answer_in(_ESCAPE.sub(_unescaped, response[start:end]))


def _unescaped(escape: re.Match[str]) -> str:
    r"""Return the character that an escape stands for, or the escape as it is written where it stands for none.

    As written stay: what JSON does not know (`\sqrt`, `\(`); half of a surrogate pair, which no UTF-8 text can hold;
    and \b, \f, \r and \t before a letter, for `\frac`, `\times`, `\rho` and `\binom` are answers, form feeds are not.
    """
    written = escape[0]
    if len(written) > 2:
        code = int(written[2:6], 16)
        if len(written) > 6:
            return chr(0x10000 + ((code - 0xD800) << 10) + int(written[8:], 16) - 0xDC00)
        return written if 0xD800 <= code < 0xE000 else chr(code)
    letter = written[1]
    if letter in _THEMSELVES:
        return letter
    if letter in _ALSO_LATEX and escape.string[escape.end() : escape.end() + 1].isalpha():
        return written
    return _CONTROLS.get(letter, written)


KEPT_EXTRACTORS = 64
"""Those of as many runs are kept: a single rollout is read in less time than its extractor is made."""

Extractor = Callable[[str], str | None]
r"""From a response to its answer, stripped and of 1 to MAX_ANSWER_CHARS characters, or None where it holds none."""


@dataclass(frozen=True, slots=True)
class FormatRow:
    """How a format is read, and why it stands where it stands in the order."""

    read: Extractor
    why: str


FORMATS: Mapping[AnswerFormat, FormatRow] = {
    AnswerFormat.BOXED: FormatRow(last_boxed, "nobody writes a box by accident, and it tells where the answer ends"),
    AnswerFormat.FBOX: FormatRow(last_framed, "the same, in a notation that prompts ask for less often"),
    AnswerFormat.ANSWER_TAG: FormatRow(last_tagged, "marked on both sides, but a policy may repeat the prompt's tags"),
    AnswerFormat.HASHES: FormatRow(last_hashed, "a mark and a whole line; a heading has the same mark"),
    AnswerFormat.JSON: FormatRow(
        last_json_field, "marked on both sides; a tool's call or a plan may hold such a field"
    ),
    AnswerFormat.FINAL_ANSWER: FormatRow(last_said, "a sentence: where its answer ends is a guess"),
    AnswerFormat.ANSWER_LINE: FormatRow(last_answer_line, "a word that also begins a solution, as in `Answer: First,`"),
}
"""The formats in the order in which they decide where a run names them all: the surest mark first."""


def extractor(formats: Sequence[str], end_tokens: Sequence[str] = (), thinking: str = Thinking.READ) -> Extractor:
    """Return how a run reads answers: the first of `formats` in which a response holds one decides.

    The response ends with the policy's turn: at the first of the known end-of-turn tokens or of `end_tokens`.
    `thinking` says whether the policy's thinking is read too.

    Raises:
        ValueError: a name is that of no AnswerFormat or Thinking. RunSettings has refused it before.
    """
    return _extractor(tuple(formats), tuple(end_tokens), thinking)


@lru_cache(KEPT_EXTRACTORS)
def _extractor(formats: tuple[str, ...], end_tokens: tuple[str, ...], thinking: str) -> Extractor:
    readers = tuple(FORMATS[AnswerFormat(name)].read for name in formats)
    turn_of, part_of = turn_reader(end_tokens), read_of(Thinking(thinking))

    if len(readers) == 1 and thinking == Thinking.READ:
        (only,) = readers
        return lambda response: only(turn_of(response) if end_tokens or "<" in response else response)

    def first_found(response: str) -> str | None:
        part = part_of(turn_of(response))
        for read in readers:
            answer = read(part)
            if answer is not None:
                return answer
        return None

    return first_found
