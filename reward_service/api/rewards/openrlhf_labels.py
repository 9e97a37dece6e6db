"""Read the labels of trainers' requests: a cohort's name, a ground truth, or nothing. Other labels are refused.

A label is all that OpenRLHF and slime hand on from a data set, and a mistake in it is made for every rollout. One that
is misspelt must not be taken for a ground truth: no answer would ever equal it, and every reward would be 0.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import msgspec
from co_rewarding_schema.problems import ProblemKind
from co_rewarding_schema.trainer_formats import LABEL_FIELDS, CohortLabel, TruthLabel

from reward_service.api.http.forms import ended, unknown_field
from reward_service.api.http.json_reader import BulkyError, JsonText, NotJsonError
from reward_service.api.http.problems import Problem
from reward_service.api.http.surrogates import UNREADABLE, halves_replaced, read_part

TrainerLabel = CohortLabel | TruthLabel | None
"""A cohort's name, a ground truth, or nothing: then the rollouts of a prompt vote."""

TRUTH_FIELDS = frozenset(TruthLabel.__struct_fields__)
MAX_QUOTED_CHARS = 60

_LIKE_A_LABEL = re.compile(
    r"^[\s\ufeff\"'`]*+(?:json\s*+)?[\[(]*+\{\s*+\\?[\"']"  # JSON of JSON, a list of objects, behind a fence
    r"|^[\s\ufeff]*+\[\s*+[\"']"  # a list of texts
    r"|[\"'](?:question_?id|ground_?truth)\\?[\"']\s*+:",
    re.IGNORECASE,
)

_TEXTS = msgspec.json.Decoder(list[str | None] | str | None)  # made once: it is on the way of every rollout
_Kind = TypeVar("_Kind", CohortLabel, TruthLabel)


def labels_in(value: msgspec.Raw, most: int) -> list[TrainerLabel] | None:
    """Return the labels of a request, `most` of them: a list, or a single one as it is; None for null.

    Raises:
        Problem: 413 for more, 422 for a label that is none, with its place.
    """
    return read_part(bytes(value), "labels", lambda data: _labels_in(data, most))


def _labels_in(data: bytes, most: int) -> list[TrainerLabel] | None:
    try:
        texts = _TEXTS.decode(data)
    except UNREADABLE:
        if not data.startswith(b"["):
            return [label_in(data, "labels")]
        return [label_in(entry, f"labels[{place}]") for place, entry in enumerate(_entries(data, most))]
    if texts is None:
        return None
    if isinstance(texts, str):
        return [_label_in_text(texts, "labels")]
    _check_count(len(texts), most)
    return [_label_in_text(text or "", f"labels[{place}]") for place, text in enumerate(texts)]


def _entries(data: bytes, most: int) -> Iterator[bytes]:
    """Yield the entries of a list as they are written; `most` of them are read, however many there are."""
    text = JsonText(data, len(data))
    try:
        for place, _ in enumerate(text.items()):
            _check_count(place + 1, most)
            entry = text.raw()
            if entry is None:
                raise _wrong(f"labels[{place}]", "NaN and Infinity are no JSON: send null or text")
            yield entry
    except (BulkyError, NotJsonError) as cause:
        raise _wrong("labels", f"the list cannot be read: {cause or 'a label is too large'}") from cause


def _check_count(count: int, most: int) -> None:
    if count > most:
        raise Problem(ProblemKind.TOO_MANY, f"a request holds at most {most} labels.")


def label_in(data: bytes, where: str) -> TrainerLabel:
    """The label in a JSON value: in a text or an object; a number is a ground truth, as it is written.

    Raises:
        Problem: 422 for a list, and for an object or a text that is no label.
    """
    return read_part(data, where, lambda whole: _label_in(whole, where))


def _label_in(data: bytes, where: str) -> TrainerLabel:
    match data[:1]:
        case b'"':
            return _label_in_text(msgspec.json.decode(data, type=str), where)
        case b"{":
            return _label_in_object(data, where)
        case b"[":
            raise _wrong(where, "a list is no label: send text, a number or one object")
        case _:
            return None if data == b"null" else TruthLabel(data.decode())


def _label_in_text(text: str, where: str) -> TrainerLabel:
    if text.lstrip().startswith("{"):
        return _label_in_object(text, where)
    if "question_id" in text or _LIKE_A_LABEL.search(text):
        truth = msgspec.json.encode({"ground_truth": text if len(text) <= MAX_QUOTED_CHARS else "..."}).decode()
        what = f"a label begins with '{{', and a ground truth that looks like one is sent as {truth}: {_cut(text)}"
        raise _wrong(where, what)
    return TruthLabel(text) if text and not text.isspace() else None


def _label_in_object(text: str | bytes, where: str) -> CohortLabel | TruthLabel:
    try:
        return msgspec.json.decode(text, type=CohortLabel)
    except UNREADABLE:
        pass  # read once more, to say what is wrong, or for a ground truth alone
    text = halves_replaced(text.encode() if isinstance(text, str) else text) or text
    try:
        fields = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except UNREADABLE as cause:
        raise _no_json(text, where, cause) from cause
    for name in fields:
        if name not in LABEL_FIELDS:
            raise _wrong(where, f"{_cut(name)}: {unknown_field(name, LABEL_FIELDS)}")
    if "question_id" in fields:
        return _read(fields, CohortLabel, where)
    if "ground_truth" not in fields or not TRUTH_FIELDS.issuperset(fields):
        raise _wrong(where, "it names no question: send 'question_id', or 'ground_truth' alone")
    return _read(fields, TruthLabel, where)


def _read(fields: Mapping[str, msgspec.Raw], kind: type[_Kind], where: str) -> _Kind:
    try:
        return msgspec.convert({name: _value(name, bytes(data)) for name, data in fields.items()}, kind)
    except UNREADABLE as cause:
        raise _wrong(where, str(cause)) from cause


def _value(name: str, data: bytes) -> Any:  # noqa: ANN401 - JSON
    """A field for its check. A ground truth that is a number is text as it is written; 8.0 rollouts are 8."""
    if name == "ground_truth" and data[:1] in b"-0123456789":
        return data.decode()
    value = msgspec.json.decode(data)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _no_json(text: str | bytes, where: str, cause: Exception) -> Problem:
    shown = text if isinstance(text, str) else text.decode("utf-8", "replace")
    truth = msgspec.json.encode({"ground_truth": shown if len(shown) <= MAX_QUOTED_CHARS else "..."}).decode()
    return _wrong(
        where,
        f"{_cut(shown)} begins with '{{' and is no JSON object ({cause}): write a label with json.dumps, and a ground "
        f"truth that begins so as {truth}",
    )


def _cut(text: str) -> str:
    return repr(text if len(text) <= MAX_QUOTED_CHARS else text[:MAX_QUOTED_CHARS] + "…")


def _wrong(where: str, what: str) -> Problem:
    return Problem(ProblemKind.INVALID_LABEL, f"{ended(f'{where}: {what}')} See docs/openrlhf.md.")
