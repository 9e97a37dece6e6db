"""Describe forms: the shape of each field, and the field that a wrong name stands for."""

import difflib
import functools
import operator
import re
import types
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin

from annotated_types import MaxLen
from pydantic import BaseModel, ConfigDict, TypeAdapter
from pydantic.dataclasses import is_pydantic_dataclass
from pydantic.fields import FieldInfo

STRICT = ConfigDict(strict=True)


@dataclass(frozen=True, slots=True)
class Shape:
    """The values that a place may hold: an object of a form, a list, or another value (`scalar`)."""

    form: "FormFields | None" = None
    items: "Shape | None" = None
    most_items: int | None = None
    scalar: TypeAdapter[Any] | None = None
    anything: bool = False


@dataclass(frozen=True, slots=True)
class Most:
    """The number of entries that a list without a limit in its form may have, and what to do about more."""

    entries: int
    advice: str


class FormFields:
    """A model, or a dataclass of pydantic's, with the shape of each of its fields."""

    def __init__(self, kind: type[Any]) -> None:
        model = issubclass(kind, BaseModel)
        self.validated: Callable[[dict[str, Any]], object] = (
            kind.model_validate if model else lambda values: kind(**values)
        )
        self.fields: Mapping[str, FieldInfo] = kind.model_fields if model else kind.__pydantic_fields__
        self.takes_others = (kind.model_config if model else kind.__pydantic_config__).get("extra") != "forbid"
        self.of_label: frozenset[str] = getattr(kind, "of_label", frozenset())
        self._shapes: Mapping[str, Shape] | None = None

    @property
    def shapes(self) -> Mapping[str, "Shape"]:
        """Return the shapes by name. They are made at the first call, since a form may hold itself."""
        if self._shapes is None:
            self._shapes = {name: _shape(field.annotation, field.metadata) for name, field in self.fields.items()}
        return self._shapes


@functools.cache
def fields_of(kind: type[Any]) -> FormFields:
    """Return the fields of a form; they are looked up once."""
    return FormFields(kind)


def _shape(annotation: Any, metadata: Sequence[Any] = ()) -> Shape:  # noqa: ANN401 - whatever a field is annotated with
    whole = annotation
    if get_origin(annotation) is Annotated:
        annotation, *more = get_args(annotation)
        metadata = [*metadata, *(each for one in more for each in getattr(one, "metadata", (one,)))]
    if annotation is Any:
        return Shape(anything=True)
    if get_origin(annotation) in (Union, types.UnionType):
        return _one_of(get_args(annotation))
    if get_origin(annotation) in (list, tuple):
        most = min((each.max_length for each in metadata if isinstance(each, MaxLen)), default=None)
        return Shape(items=_shape(get_args(annotation)[0]), most_items=most)
    if isinstance(annotation, type) and (issubclass(annotation, BaseModel) or is_pydantic_dataclass(annotation)):
        return Shape(fields_of(annotation))
    return Shape(scalar=TypeAdapter(whole, config=STRICT))


def _one_of(alternatives: Sequence[Any]) -> Shape:
    shapes = [(_shape(each), each) for each in alternatives]
    if sum(shape.form is not None for shape, _ in shapes) > 1:
        return Shape(anything=True)  # which of the forms it is, pydantic finds
    scalars = [each for shape, each in shapes if shape.scalar is not None]
    listed = next((shape for shape, _ in shapes if shape.items is not None), Shape())
    form = next((shape.form for shape, _ in shapes if shape.form is not None), None)
    adapter = TypeAdapter[Any](functools.reduce(operator.or_, scalars), config=STRICT) if scalars else None
    return Shape(form, listed.items, listed.most_items, adapter)


_QUESTION_ID = ("question_id",)
_RESPONSE = ("response", "query", "rollouts")
_TRUTH = ("ground_truth", "label", "labels")
_GROUP_SIZE = ("n", "group_size")
_INDEX = ("rollout",)
_ROLLOUTS = ("rollouts", "questions", "query")

MEANT: dict[str, tuple[str, ...]] = {
    "question": ("question_id", "question", "questions"),
    "id": _QUESTION_ID,
    "qid": _QUESTION_ID,
    "uid": _QUESTION_ID,
    "promptid": _QUESTION_ID,
    "problemid": _QUESTION_ID,
    "questionid": _QUESTION_ID,
    "problem": ("question", "prompt", "question_id"),
    "input": ("prompt", "prompts", "question"),
    "text": ("response", "question", "content", "query"),
    "completion": _RESPONSE,
    "generation": _RESPONSE,
    "output": _RESPONSE,
    "solution": ("response", "ground_truth", "ground_truths"),
    "answer": ("ground_truth", "response", "label"),
    "completions": ("rollouts", "response", "query"),
    "generations": ("rollouts", "response", "query"),
    "outputs": ("rollouts", "response", "query"),
    "responses": ("rollouts", "response", "query"),
    "samples": _ROLLOUTS,
    "batch": _ROLLOUTS,
    "data": _ROLLOUTS,
    "items": _ROLLOUTS,
    "queries": ("query", "rollouts"),
    "label": _TRUTH,
    "labels": _TRUTH,
    "gold": _TRUTH,
    "target": _TRUTH,
    "reference": _TRUTH,
    "truth": _TRUTH,
    "n": _GROUP_SIZE,
    "group": _GROUP_SIZE,
    "numgenerations": _GROUP_SIZE,
    "nsamples": _GROUP_SIZE,
    "rolloutid": _INDEX,
    "sample": _INDEX,
    "index": _INDEX,
    "idx": _INDEX,
    "globalstep": ("step",),
    "iteration": ("step",),
    "runid": ("run",),
    "runname": ("run",),
    "timeout": ("wait_s",),
    "wait": ("wait_s",),
}
"""Names of other trainers, data sets and habits, as `_plain` writes them; the first that a form has is meant."""


def meant(name: str, known: Collection[str]) -> str | None:
    """Return which of the known names was meant by another name; None where none is like it."""
    plain = {_plain(each): each for each in known}
    written = _plain(name[:100])
    if written in plain:
        return plain[written]
    for each in MEANT.get(written, ()):
        if each in known:
            return each
    near = difflib.get_close_matches(written, plain, n=1, cutoff=0.7)
    return plain[near[0]] if near else None


def unknown_field(name: str, known: Collection[str]) -> str:
    """Return the message about a field that a form does not have."""
    right = meant(name, known)
    return f"unknown field; {f'did you mean {right!r}?' if right else 'known are ' + ', '.join(sorted(known))}"


def ended(text: str) -> str:
    """Return the text with a period, unless it ends in a mark of its own."""
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _plain(name: str) -> str:
    return re.sub("[^a-z0-9]", "", name.lower())
