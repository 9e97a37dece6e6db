"""What may stand where in a request: the forms of pydantic, taken apart for a reader that goes piece by piece."""

import functools
import operator
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin

from annotated_types import MaxLen
from pydantic import BaseModel, ConfigDict, TypeAdapter
from pydantic.dataclasses import is_pydantic_dataclass
from pydantic.fields import FieldInfo

STRICT = ConfigDict(strict=True)


@dataclass(frozen=True, slots=True)
class Shape:
    """What may stand in a place: an object of a form, a list, or one of the others (`scalar`)."""

    form: "FormFields | None" = None
    items: "Shape | None" = None
    most_items: int | None = None
    scalar: TypeAdapter[Any] | None = None
    anything: bool = False


class FormFields:
    """A model, or a dataclass of pydantic's, and what may stand in each of its fields."""

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
        """By name; made when they are asked for, since a form may hold itself."""
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
