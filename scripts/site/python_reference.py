"""Write tables of the values of the client, which comments in docs/reference/python.md name."""

import re
from typing import Any

import co_rewarding_client
import msgspec
from co_rewarding_schema import paraphrases, vocabulary

from scripts.site.http_reference import fields_of

_FIELDS = re.compile(r"^<!-- fields of ([\w, ]+) -->$", re.MULTILINE)
_WORDS = re.compile(r"^<!-- words of ([\w, ]+) -->$", re.MULTILINE)


def with_tables(page: str) -> str:
    """Return the page with a section for each value that its comments name."""
    page = _FIELDS.sub(lambda found: "\n".join(map(_fields, found[1].split(", "))), page)
    return _WORDS.sub(lambda found: "\n".join(map(_words, found[1].split(", "))), page)


def _fields(name: str) -> str:
    struct = _named(name)
    (_, schemas) = msgspec.json.schema_components([struct])
    return "\n".join([f"### {name}\n\n{_said(struct)}\n", *fields_of(schemas[name])])


def _words(name: str) -> str:
    words = _named(name)
    return f"### {name}\n\n{_said(words)}\n\n" + ", ".join(f"`{word.value}`" for word in words) + "\n"


def _named(name: str) -> Any:  # noqa: ANN401 - a structure or an enumeration
    return next(
        getattr(module, name) for module in (co_rewarding_client, vocabulary, paraphrases) if hasattr(module, name)
    )


def _said(thing: type) -> str:
    return re.sub(r"\n +", "\n", (thing.__doc__ or "").strip())
