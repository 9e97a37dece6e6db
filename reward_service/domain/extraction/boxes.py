r"""Extract the answer in the last complete \boxed{} or \fbox{}, without its wrapping."""

import re

from co_rewarding_schema.limits import MAX_ANSWER_CHARS

MATH_DELIMITERS = (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"))
_STOPS = (".", "。", "；", "！")
_LAYERS = 4  # as in **$5.$**: bold, math and a period at most twice; a bound, so that no text buys more work


def answer_in(content: str) -> str | None:
    """Return the content, stripped; None where it is blank or longer than MAX_ANSWER_CHARS."""
    return None if len(content) > MAX_ANSWER_CHARS else content.strip() or None


def bare(content: str) -> str:
    """Return the content of a sentence or line without bold marks, one closing period and math delimiters.

    Delimiters go only where one pair holds the whole: `$x$ and $y$` stays. An ellipsis (`0.333...`) stays too.
    """
    for _ in range(_LAYERS):
        before = content
        content = content.strip().removeprefix("**").removesuffix("**").strip()
        if content.endswith(_STOPS) and not content.endswith(".."):
            content = content[:-1].rstrip()
        content = _undelimited(content)
        if content == before:
            break
    return content


def _undelimited(content: str) -> str:
    for opening, closing in MATH_DELIMITERS:
        if len(content) >= len(opening) + len(closing) and content.startswith(opening) and content.endswith(closing):
            inside = content[len(opening) : -len(closing)]
            if closing not in inside.replace(r"\$", ""):  # an escaped dollar is a price
                return inside.strip()
    return content


def _within(inner: str | None = None) -> str:
    """Return a pattern for text, commands and, around `inner`, braces."""
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
    r"""Return the content of the last complete \boxed{} of a response, stripped; None where there is no answer.

    Of nested boxes the inner one counts, since it begins last. Escaped braces (\{ and \}) do not nest, an unclosed box
    is passed over, and a blank or a longer than MAX_ANSWER_CHARS content is no answer. The time is linear in the
    length of the response, whatever it holds: responses are written by a model that is rewarded for finding holes.
    """
    return _last(_BOXED, response)


def last_framed(response: str) -> str | None:
    r"""Return the content of the last complete \fbox{} of a response, under the rules of `last_boxed`."""
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
    """Return the inside of the box that opens at `start`, if it closes: the common case, one look at the tail."""
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
    """Return the inside of the complete box that begins last, in one pass with a stack of open braces."""
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
