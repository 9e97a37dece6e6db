r"""The answer of a response: the content of its last complete \boxed{}."""

import re

MAX_ANSWER_CHARS = 4096

_BOX = r"\\boxed\s*\{"
# A doubled backslash is a line break and leaves the next brace alone, unless it is how an escaped text writes \boxed.
_TOKEN = re.compile(_BOX + r"|\\\\(?!boxed)|\\[{}]|[{}]")
_BOX_AT = re.compile(_BOX)
_PLAIN_BOX_AT = re.compile(_BOX + r"([^{}\\]*)\}")


def last_boxed(response: str) -> str | None:
    r"""The content of the last complete \boxed{} of a response, stripped; None where there is no answer.

    Of nested boxes the inner one counts, since it begins last. Escaped braces (\{ and \}) do not nest, an unclosed box
    is passed over, and a blank or a longer than MAX_ANSWER_CHARS content is no answer. The time is linear in the
    length of the response, whatever it holds: responses are written by a model that is rewarded for finding holes.
    """
    start = response.rfind("\\boxed")
    if start < 0:
        return None
    plain = _PLAIN_BOX_AT.match(response, start)
    span = plain.span(1) if plain is not None else _closed_at(response, start)
    if span is None:
        span = _last_closed(response)
    if span is None or span[1] - span[0] > MAX_ANSWER_CHARS:
        return None
    return response[span[0] : span[1]].strip() or None


def _closed_at(text: str, start: int) -> tuple[int, int] | None:
    """The inside of the box that opens at `start`, if it closes: the common case, one look at the text's tail."""
    opening = _BOX_AT.match(text, start)
    if opening is None:
        return None
    depth = 1
    for token in _TOKEN.finditer(text, opening.end()):
        if token[0] == "}":
            depth -= 1
            if depth == 0:
                return opening.end(), token.start()
        elif token[0] == "{":
            depth += 1
    return None


def _last_closed(text: str) -> tuple[int, int] | None:
    """The inside of the complete box that begins last, in one pass with a stack of open braces."""
    open_braces: list[int | None] = []  # where a box's content begins, or None for any other brace
    last: tuple[int, int] | None = None
    for token in _TOKEN.finditer(text):
        symbol = token[0]
        if symbol == "{":
            open_braces.append(None)
        elif symbol == "}":
            begins = open_braces.pop() if open_braces else None
            if begins is not None and (last is None or begins > last[0]):
                last = begins, token.start()
        elif symbol.endswith("{") and symbol != "\\{":
            open_braces.append(token.end())
    return last
