"""Whether a value is what a field takes. Messages begin where the name of the key ends."""

import math
import operator
import types
from collections.abc import Callable, Mapping
from typing import Any, Literal, Union, get_args, get_origin

_LIMITS: Mapping[str, tuple[Callable[[Any, Any], bool], str]] = types.MappingProxyType(
    {
        "above": (operator.gt, "more than"),
        "at_least": (operator.ge, "at least"),
        "below": (operator.lt, "less than"),
        "at_most": (operator.le, "at most"),
    }
)
_NAMES: Mapping[type, str] = types.MappingProxyType(
    {bool: "true or false", int: "a whole number", float: "a number", str: "text in quotes"}
)


def fitted(hint: Any, value: Any) -> Any:  # noqa: ANN401 - of the type that `hint` says
    """`value` as `hint` has it: a whole number is a number too, and a list becomes a tuple; nothing else is changed.

    Raises:
        ValueError: it is of another type, or not one of the choices.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, types.UnionType}:
        (inner,) = [each for each in arguments if each is not type(None)]  # X | None, where None is said by silence
        return fitted(inner, value)
    if origin is Literal:
        if not any(value == each and type(value) is type(each) for each in arguments):
            raise ValueError(f"is {value!r}; choose from {', '.join(repr(each) for each in arguments)}")
        return value
    if origin is tuple:
        return _tuple(arguments, value)
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:  # and not isinstance: True is no number
        raise ValueError(f"is {value!r}; it takes {_NAMES[hint]}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"is {value!r}; it takes a finite number")
    return value


def within(limits: Mapping[str, Any], value: Any) -> Any:  # noqa: ANN401 - `value` itself
    """`value`, if it keeps within the limits that its field names.

    Raises:
        ValueError: it does not.
    """
    for name, (holds, words) in _LIMITS.items():
        if name in limits and not holds(value, limits[name]):
            raise ValueError(f"is {value!r}; it must be {words} {limits[name]:g}")
    return value


def _tuple(arguments: tuple[Any, ...], value: Any) -> tuple[Any, ...]:  # noqa: ANN401 - what TOML had there
    if not isinstance(value, list | tuple):
        raise ValueError(f"is {value!r}; it takes a list")
    if arguments[-1] is Ellipsis:
        return tuple(fitted(arguments[0], each) for each in value)
    if len(value) != len(arguments):
        raise ValueError(f"is {value!r}; it takes a list of {len(arguments)}")
    return tuple(fitted(hint, each) for hint, each in zip(arguments, value, strict=True))
