"""What every notation shares: how long an answer may be, and what is only its wrapping."""

MAX_ANSWER_CHARS = 4096

MATH_DELIMITERS = (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"))
_LAYERS = 4  # as in **$5.$**: bold, math and a period at most twice; a bound, so that no text buys more work


def answer_in(content: str) -> str | None:
    """The content, stripped; None where it is blank or longer than MAX_ANSWER_CHARS, for that is no answer."""
    return None if len(content) > MAX_ANSWER_CHARS else content.strip() or None


def bare(content: str) -> str:
    """The content of a sentence or line without what sets it off: bold marks, one closing period, math delimiters.

    Delimiters go only where one pair holds the whole: `$x$ and $y$` stays. An ellipsis (`0.333...`) stays too.
    """
    for _ in range(_LAYERS):
        before = content
        content = content.strip().removeprefix("**").removesuffix("**").strip()
        if content.endswith(".") and not content.endswith(".."):
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
