"""Replace lone halves of surrogate pairs, which JSON can write and UTF-8 cannot, by U+FFFD."""

import re
from collections.abc import Callable
from typing import TypeVar

import msgspec
from co_rewarding_schema.problems import ProblemKind

from reward_service.api.http.problems import Problem

Value = TypeVar("Value")

UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError)
"""What a decoder says of JSON that it does not read."""

_SURROGATES = re.compile(
    rb"\\u[dD](?:[89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a pair
    rb"|[89a-fA-F][0-9a-fA-F]{2})"  # a half
)
_HALF_BYTES = 6
_BACKSLASH = b"\\"


def halves_replaced(text: bytes | bytearray) -> bytes | None:
    r"""The same JSON with \ufffd for every escaped half of a surrogate pair; None where there is none.

    It is one pass, for texts that a decoder has refused: clean ones need not be looked through.
    """
    kept: list[bytes | bytearray] = []
    copied = looked = 0
    while found := _SURROGATES.search(text, looked):
        before = text[looked : found.start()]
        if (len(before) - len(before.rstrip(_BACKSLASH))) % 2:  # the backslash is itself escaped
            looked = found.start() + 1
            continue
        looked = found.end()
        if looked - found.start() == _HALF_BYTES:
            kept += (text[copied : found.start()], rb"\ufffd")
            copied = looked
    return b"".join((*kept, text[copied:])) if kept else None


def read_part(data: bytes, where: str, decode: Callable[[bytes], Value]) -> Value:
    """A part of a body that was kept as it came, and not looked at before; halves in it are replaced.

    Raises:
        Problem: 400 for what is no JSON in UTF-8, 422 for what no decoder reads; whatever `decode` raises itself.
    """
    try:
        return decode(data)
    except UNREADABLE as cause:
        refused = cause
    whole = halves_replaced(data)
    if whole is not None:
        try:
            return decode(whole)
        except UNREADABLE as cause:
            refused = cause
    try:
        data.decode()
    except UnicodeDecodeError as cause:
        raise Problem(
            ProblemKind.NOT_JSON, f"{where} is not UTF-8: byte {cause.start} of it is {cause.reason}."
        ) from cause
    what = "it is nested too deeply" if isinstance(refused, RecursionError) else str(refused)
    raise Problem(ProblemKind.INVALID, f"{where}: {what}.") from refused
