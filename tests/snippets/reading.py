"""The snippets of the pages, and the commands in them."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_INDENTED = re.compile(r"(?<=\n\n)((?:    .*\n|\n(?=    ))+)")
_INLINE = re.compile(r"`((?:co-rewarding|make) [^`\n]+)`")
_IN_COMMENT = re.compile(r"#.*?\b((?:co-rewarding|make|python -m) [^;:`]+)")


@dataclass(frozen=True)
class Snippet:
    """A block of a page; `language` is its fence's, "" for one that is indented."""

    page: str
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.language}:{self.text.split()[0]}"


def snippets() -> list[Snippet]:
    """Every block of every page."""
    found = []
    for page in PAGES:
        name, text = page.relative_to(REPOSITORY).as_posix(), page.read_text()
        found += [Snippet(name, language, body) for language, body in _FENCE.findall(text)]
        unfenced = _FENCE.sub("", text)
        found += [
            Snippet(name, "", re.sub("^    ", "", each, flags=re.MULTILINE)) for each in _INDENTED.findall(unfenced)
        ]
    return found


def statements(text: str) -> Iterator[str]:
    """The statements of a shell: a line, or as many as its quotes and backslashes take. Output is left out."""
    held = ""
    for line in text.splitlines():
        held += line
        if held.endswith("\\"):
            held = held[:-1]
            continue
        try:
            shlex.split(held, comments=True)
        except ValueError:
            held += "\n"
            continue
        if held.strip():
            yield held
        held = ""
    assert not held, f"a quote is not closed: {held}"


def mentioned() -> list[tuple[str, str]]:
    """Commands within sentences and in comments of snippets, with their pages."""
    found = []
    for page in PAGES:
        text = page.read_text()
        found += [(page.name, each) for each in _INLINE.findall(text)]
        indented = "\n".join(re.findall(r"^    .*#.*$", text, re.MULTILINE))
        found += [(page.name, each) for each in _IN_COMMENT.findall(indented)]
    return found
