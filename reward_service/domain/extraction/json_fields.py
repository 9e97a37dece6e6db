r"""The answer in the last JSON field "answer" or "final_answer": a text or a number.

The field is looked for from the end of the response, and not the object around it: no JSON is parsed, so none can be
deep, repeat its keys or hold a number of a million digits. A model that writes LaTeX into JSON forgets to double its
backslashes, and JSON would read \frac as a form feed and "rac": see `_unescaped`.
"""

import re

from reward_service.domain.extraction.content import MAX_ANSWER_CHARS, answer_in

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
    """The value of the last complete field "answer" or "final_answer" of a response; None where there is no answer.

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
    r"""The character that an escape stands for, or the escape as it is written where it stands for none.

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
