"""Find the titles in front of a problem: "(2016 AMC 10A)", "7. (10 points)", "Problem 3."."""

import re

_CONTEST = (
    r"\b(?:A[JH]?H?SME|AMC|AIME|APMO|ARML|BAMO|BMT|BMO|CHMMC|CMIMC|EGMO|HMMT|HMIC|IMC|IMO|JBMO|NIMO|OMO|PUMaC|SMT|TST|"
    r"USA[JT]?S?MO|Championship|Competition|Contest|Cup|Olympiad|Shortlist|Tournament|[Pp]oints?|[Mm]arks?|pts?|[Gg]rade)\b"
)
_HEADING = re.compile(
    r"\s*+(?:\[b\]|\*\*|#{1,6})?+\s*+"
    rf"(?:[(\[][^()\[\]\n]{{0,60}}?{_CONTEST}[^()\[\]\n]{{0,40}}[)\]]|{_CONTEST}[^.?!\n]{{0,40}}[.:]"
    r"|(?:Problem|Example|Exercise|Question|Task|No\.?|[pPQ])?\s?[A-Z]?\d{1,4}(?:\.\d{1,3})?\s?(?:[.):](?!\d)|(?=\())"
    r"|(?:Problem|Example|Exercise|Question|Task)\s\d{1,3}(?:\.\d{1,3})?\b)"
    r"(?:\[/b\]|\*\*)?\s*+"
)
"""The title of a problem in front of it: "(2016 AMC 10A)", "7. (10 points)", "Problem 3."."""
_MOST_HEADINGS = 3


def title_end(text: str) -> int:
    """Return where the problem begins behind its titles."""
    end = 0
    for _ in range(_MOST_HEADINGS):
        found = _HEADING.match(text, end)
        if found is None or found.end() == end:
            break
        end = found.end()
    return end if end < len(text) else 0
