"""Make pydantic models of the schema's structures: for OpenAPI, recipes, and to tell what is wrong with a request.

The module needs pydantic, which is not in the client's installation; the client does not import the module.
"""

import inspect
import types
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Annotated, Any, ClassVar, Union, Unpack, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from co_rewarding_schema.limits import metas


class StructForm(BaseModel):
    """A form whose fields are those of a structure (`of`), and those that the class adds or states otherwise.

    Fields that the class states itself may use the schema's kinds of values too (`step: Count`). `required` names
    fields that must be there although the structure has a default. With `optional`, every field of the structure may be
    left out, and is None then.
    """

    struct: ClassVar[type[msgspec.Struct] | None] = None

    def __init_subclass__(
        cls,
        of: type[msgspec.Struct] | None = None,
        required: Sequence[str] = (),
        *,
        optional: bool = False,
        **kwargs: Unpack[ConfigDict],
    ) -> None:
        """Take the fields before pydantic collects them."""
        super().__init_subclass__(**kwargs)
        own: dict[str, Any] = inspect.get_annotations(cls)
        inherited: dict[str, Any] = {}
        if of is not None:
            cls.struct = of
            inherited = get_type_hints(of, include_extras=True)
            for field in msgspec.structs.fields(of):
                if field.name in own:
                    continue
                if optional:
                    kind = inherited[field.name]
                    meanings = (meta.description for meta in metas(kind) if meta.description)
                    inherited[field.name] = Annotated[kind | None, Field(description=next(meanings, None))]
                    setattr(cls, field.name, None)
                elif not field.required and field.name not in required:
                    setattr(cls, field.name, field.default)
        cls.__annotations__ = {name: _kind(hint) for name, hint in {**inherited, **own}.items()}


class WireForm(StructForm):
    """A request's form: nothing is guessed, and a typo is an error."""

    model_config = ConfigDict(extra="forbid", strict=True, ser_json_inf_nan="null")


def whole(value: object) -> object:
    """Turn a number without a fraction into an integer, as JSON Schema does: some languages have no other numbers."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _kind(hint: Any) -> Any:  # noqa: ANN401 - types
    """Return a type of the schema as pydantic reads types."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        inner, *said = arguments
        kind = int if inner is int else _kind(inner)
        for each in said:
            kind = Annotated[kind, _field(each) if isinstance(each, Meta) else each]
        limited = inner is int and any(isinstance(each, Meta) for each in said)
        return Annotated[kind, BeforeValidator(whole)] if limited else kind
    if origin is ClassVar:
        return hint
    if origin in (Union, types.UnionType):
        return Union[tuple(map(_kind, arguments))]  # noqa: UP007 - the alternatives are known at run time
    if origin is tuple:
        kinds = tuple(each if each is ... else _kind(each) for each in arguments)
        return Annotated[tuple[kinds], Field(strict=False)]  # JSON has lists only
    if origin in (list, Sequence):
        return list[_kind(arguments[0])]
    if origin in (dict, Mapping):
        return dict[_kind(arguments[0]), _kind(arguments[1])]
    if hint is float:
        return Annotated[float, Field(allow_inf_nan=False)]
    kind: Any = hint
    if isinstance(hint, type) and issubclass(hint, Enum):
        kind = Annotated[hint, Field(strict=False)]
    elif isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        kind = _form_of(hint)
    return kind


def _form_of(struct: type[msgspec.Struct]) -> type[StructForm]:
    waiting = [StructForm]
    while waiting:
        form = waiting.pop()
        if form.struct is struct:
            return form
        waiting += form.__subclasses__()
    raise TypeError(f"{struct.__name__} has no form yet: define the form before those that hold it")


def _field(meta: Meta) -> Any:  # noqa: ANN401 - a FieldInfo
    names = ("ge", "le", "gt", "lt", "pattern", "min_length", "max_length", "description", "examples")
    said = {name: getattr(meta, name) for name in names if getattr(meta, name) is not None}
    shown = dict(meta.extra_json_schema or {})
    if "pattern" in shown:  # the decoder of hot requests leaves the pattern to `check_run_name`
        said["pattern"] = shown.pop("pattern")
    if shown:
        said["json_schema_extra"] = shown
    return Field(**said)
