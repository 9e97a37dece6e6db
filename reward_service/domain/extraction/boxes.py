r"""The answer in the last complete \boxed{}, or \fbox{}."""

import re

from reward_service.domain.extraction.content import answer_in


def _within(inner: str | None = None) -> str:
    """Text, commands and, around `inner`, braces."""
    return r"(?:[^{}\\]++|\\[A-Za-z]" + (rf"|\{{{inner}\}}" if inner else "") + ")*+"


class _Command:
    r"""A box of LaTeX, by its name. The braces are part of it: `\boxed 5` is no box."""

    def __init__(self, name: str) -> None:
        box = rf"\\{name}\s*\{{"
        self.begins = f"\\{name}"
        self.box_at = re.compile(box)
        # Two levels of braces and no escaped ones, as nearly all answers are. It cannot be read in two ways and gives
        # nothing back, so that its time is linear too.
        self.shallow_box_at = re.compile(box + rf"({_within(_within(_within()))})\}}")
        # A doubled backslash is a line break and leaves the next brace alone, unless it is how an escaped text writes
        # the command itself.
        self.token = re.compile(box + rf"|\\\\(?!{name})|\\[{{}}]|[{{}}]")


_BOXED, _FBOX = _Command("boxed"), _Command("fbox")


def last_boxed(response: str) -> str | None:
    r"""The content of the last complete \boxed{} of a response, stripped; None where there is no answer.

    Of nested boxes the inner one counts, since it begins last. Escaped braces (\{ and \}) do not nest, an unclosed box
    is passed over, and a blank or a longer than MAX_ANSWER_CHARS content is no answer. The time is linear in the
    length of the response, whatever it holds: responses are written by a model that is rewarded for finding holes.
    """
    return _last(_BOXED, response)


def last_framed(response: str) -> str | None:
    r"""The content of the last complete \fbox{} of a response, under the rules of `last_boxed`."""
    return _last(_FBOX, response)


def _last(command: _Command, response: str) -> str | None:
    start = response.rfind(command.begins)
    if start < 0:
        return None
    shallow = command.shallow_box_at.match(response, start)
    if shallow is not None:
        return answer_in(shallow[1])
    span = _closed_at(command, response, start)
    if span is None:
        span = _last_closed(command, response)
    return None if span is None else answer_in(response[span[0] : span[1]])


def _closed_at(command: _Command, text: str, start: int) -> tuple[int, int] | None:
    """The inside of the box that opens at `start`, if it closes: the common case, one look at the text's tail."""
    opening = command.box_at.match(text, start)
    if opening is None:
        return None
    depth = 1
    for token in command.token.finditer(text, opening.end()):
        if token[0] == "}":
            depth -= 1
            if depth == 0:
                return opening.end(), token.start()
        elif token[0] == "{":
            depth += 1
    return None


def _last_closed(command: _Command, text: str) -> tuple[int, int] | None:
    """The inside of the complete box that begins last, in one pass with a stack of open braces."""
    open_braces: list[int | None] = []  # where a box's content begins, or None for any other brace
    last: tuple[int, int] | None = None
    for token in command.token.finditer(text):
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
