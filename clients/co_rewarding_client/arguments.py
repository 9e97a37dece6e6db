"""Check the types of a caller's arguments, and name a wrong one and the right type, before anything is sent."""

import operator
from collections.abc import Collection, Mapping
from enum import StrEnum
from os import PathLike
from typing import Any, SupportsFloat, SupportsIndex, cast

from co_rewarding_client.errors import InvalidRequest, invalid


def check_text(name: str, value: object) -> None:
    """Raises InvalidRequest for what is no str."""
    if not isinstance(value, str):
        raise wrong_type(name, value, "a str")


def check_choice(name: str, value: object, choices: type[StrEnum]) -> None:
    """Raises InvalidRequest for what is none of these words."""
    check_text(name, value)
    if value not in tuple(choices):
        raise invalid(f"{name} is {value!r}; give one of {', '.join(choices)}")


def check_text_or_none(name: str, value: object) -> None:
    """Raises InvalidRequest for what is neither a str nor None."""
    if value is not None and not isinstance(value, str):
        raise wrong_type(name, value, "a str or None")


def check_truth(name: str, value: object) -> None:
    """Raises InvalidRequest for what is neither a str, a number nor None."""
    if isinstance(value, bool) or not (value is None or isinstance(value, str | SupportsFloat | SupportsIndex)):
        raise wrong_type(name, value, "a str, a number or None")


def check_whole_or_none(name: str, value: object) -> None:
    """Raises InvalidRequest for what is neither a whole number (numpy's and torch's are) nor None."""
    if value is not None and not isinstance(value, SupportsIndex):
        raise wrong_type(name, value, "an int or None")


def check_number(name: str, value: object) -> None:
    """Raises InvalidRequest for what is no number; numpy's and torch's are."""
    if not isinstance(value, SupportsFloat | SupportsIndex):
        raise wrong_type(name, value, "a number")


def check_path(name: str, value: object) -> None:
    """Raises InvalidRequest for what names no folder."""
    if not isinstance(value, str | PathLike):
        raise wrong_type(name, value, "a str or a Path")


def check_mapping(name: str, value: object, of: str) -> None:
    """Raises InvalidRequest for what is neither a dict (or another mapping) nor None; `of` says from what to what."""
    if value is not None and not isinstance(value, Mapping):
        raise wrong_type(name, value, f"a dict of {of}")


def check_instance(name: str, value: object, kind: type[Any]) -> None:
    """Raises InvalidRequest for what is of another kind; for the fields of the right one, says how to make it."""
    if isinstance(value, kind):
        return
    advice = f": {kind.__name__}(**fields)" if isinstance(value, Mapping) else ""
    raise wrong_type(name, cast(object, value), f"a {kind.__name__}{advice}")


def check_listed(name: str, values: object, *kinds: type[Any]) -> None:
    """Raises InvalidRequest for what is no list (or the like) of these kinds, with the place of the first that is not.

    One alone is no list, and neither is what can be read only once.
    """
    due = kinds[0].__name__
    if isinstance(values, (*kinds, str, bytes, Mapping)) or not isinstance(values, Collection):
        raise wrong_type(name, values, f"a list of {due}")
    for at, value in enumerate(cast(Collection[object], values)):
        if not isinstance(value, kinds):
            check_instance(f"{name}[{at}]", value, kinds[0])


def wrong_type(name: str, value: object, due: str) -> InvalidRequest:
    """The mistake that the argument `name` is of another type than the one that is due."""
    kind = "None" if value is None else f"of type {type(value).__name__}"
    return invalid(f"{name} is {kind}; give {due}")


def plain_number(value: object) -> int | float:
    """A number of numpy's or torch's, which json does not know, as Python's."""
    if isinstance(value, SupportsIndex):
        try:
            return operator.index(value)
        except TypeError:  # a tensor has __index__ even where it holds a float
            pass
    if isinstance(value, SupportsFloat):
        return float(value)
    raise TypeError(f"{type(value).__name__} is not a JSON value")
