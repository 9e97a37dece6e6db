"""Read JSON piece by piece: unknown values are passed over, and cost neither time nor memory.

No call of another library sees more than one piece, so that a thread which reads gives way to others all the time.
"""

import contextlib
import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from reward_service.api.http.surrogates import halves_replaced

Data = bytes | bytearray
Scalar = str | int | float | bool | None

WINDOW_BYTES = 2**17
"""What one call of the regular expressions looks through at most: a fraction of a millisecond."""

MOST_NUMBER_BYTES = 4096
MOST_NAME_BYTES = 1024

MOST_PASSED = 2**22
"""What may be passed over of values that nobody asked for: TOKEN for each bracket and string, 1 for 16 other bytes."""
TOKEN = 16
_BYTES_A_UNIT = 16

_LAST_SPACE = ord(" ")
_QUOTE, _BACKSLASH = ord('"'), ord("\\")
_SPACE = re.compile(rb"[ \t\n\r]*+")
_PLAIN = re.compile(rb'[^"\[\]{}]*+')
_INSIDE = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_WORD = re.compile(rb"[-+.0-9A-Za-z]*+")
_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WORDS: dict[bytes, Scalar] = {
    b"null": None,
    b"true": True,
    b"false": False,
    b"NaN": float("nan"),  # as Python writes it; a form says where it cannot stand
    b"Infinity": float("inf"),
    b"-Infinity": -float("inf"),
}


class NotJsonError(ValueError):
    """The text is not JSON in UTF-8: what is wrong, and at which byte."""

    def __init__(self, what: str, at: int) -> None:
        """`at` counts from 0."""
        super().__init__(f"{what} (byte {at})")


class BulkyError(ValueError):
    """A value that nobody asked for is too much to be passed over."""


class LongTextError(ValueError):
    """A string is longer than any that is taken."""


class JsonText:
    """A text, and how far it has been read."""

    def __init__(self, data: Data, most_chars: int) -> None:
        """Strings that must have more than `most_chars` characters are not read."""
        self._data = data
        self._at = 0
        self._left = MOST_PASSED
        self._most_string_bytes = 6 * most_chars + 2  # each as \uXXXX
        self._string = msgspec.json.Decoder(str)
        self._unread = msgspec.json.Decoder(msgspec.Raw)

    def kind(self) -> str:
        """The first character of the next value, or of what stands in its place."""
        if self._at < len(self._data) and self._data[self._at] > _LAST_SPACE:
            return chr(self._data[self._at])
        self._at = self._over(_SPACE, self._at)
        if self._at == len(self._data):
            raise NotJsonError("the text ends too soon", self._at)
        return chr(self._data[self._at])

    def end(self) -> None:
        """Nothing follows."""
        self._at = self._over(_SPACE, self._at)
        if self._at < len(self._data):
            raise NotJsonError("something follows the document", self._at)

    def members(self) -> Iterator[str]:
        """The names of an object, each when its value comes next: whoever asks reads it, or passes over it."""
        for _ in self._parts("{", "}"):
            name = self._name()
            if self.kind() != ":":
                raise NotJsonError("a colon is missing", self._at)
            self._at += 1
            yield name

    def items(self) -> Iterator[None]:
        """Once for each value of an array, when it comes next."""
        return self._parts("[", "]")

    def scalar(self) -> Scalar:
        """The next value, which is no object and no array. A number that is too long for any use is infinite."""
        if self.kind() == '"':
            return self._text()
        start = self._at
        self._at = self._over(_WORD, start)
        if self._at - start > MOST_NUMBER_BYTES:
            return float("inf")
        word = bytes(self._data[start : self._at])
        if word in _WORDS:
            return _WORDS[word]
        number = _NUMBER.fullmatch(word)
        if number is None:
            raise NotJsonError("a value is missing", start)
        return float(word) if number[1] or number[2] else int(word)

    def anything(self) -> Any:  # noqa: ANN401 - whatever JSON can hold
        """The next value, whatever it is.

        Raises:
            BulkyError: it is too much.
        """
        if self.kind() not in "[{":
            return self.scalar()
        start = self._at
        self.skip()
        piece = bytes(self._data[start : self._at])
        try:
            return _whole(json.loads(piece.decode()))
        except (ValueError, RecursionError) as cause:
            raise NotJsonError(f"a value cannot be read: {cause}", start) from cause

    def raw(self) -> bytes | None:
        """The next value as it is written; None for one that holds Python's NaN or Infinity, which are no JSON.

        Raises:
            BulkyError: it is too much.
        """
        string = self.kind() == '"'
        start = self._at
        self.skip()
        if string and self._at - start > self._most_string_bytes:
            raise LongTextError
        piece = bytes(memoryview(self._data)[start : self._at])
        for text in (piece, halves_replaced(piece)):
            if text is not None:
                with contextlib.suppress(msgspec.DecodeError, RecursionError):
                    self._unread.decode(text)
                    return text
        self._at = start
        self.anything()
        return None

    def skip(self) -> None:
        """Passes over the next value. Of an object or array, only that its brackets match is looked at.

        Raises:
            BulkyError: it is too much.
        """
        if self.kind() == '"':
            self._at = self._end_of_string(self._at)
            return
        if self.kind() not in "[{":
            self.scalar()
            return
        depth, at = 0, self._at
        while True:
            plain = self._over(_PLAIN, at)
            self.spend(TOKEN + (plain - at) // _BYTES_A_UNIT)
            at = plain
            if at == len(self._data):
                raise NotJsonError("the text ends too soon", at)
            if self._data[at] == _QUOTE:
                at = self._end_of_string(at)
                continue
            depth += 1 if self._data[at] in b"[{" else -1
            at += 1
            if depth == 0:
                self._at = at
                return

    def spend(self, units: int) -> None:
        """Counts what is passed over.

        Raises:
            BulkyError: it is too much.
        """
        self._left -= units
        if self._left < 0:
            raise BulkyError

    def _parts(self, opening: str, closing: str) -> Iterator[None]:
        if self.kind() != opening:
            raise NotJsonError(f"{opening} is missing", self._at)
        self._at += 1
        if self.kind() == closing:
            self._at += 1
            return
        while True:
            yield
            between = self.kind()
            if between not in ("," + closing):
                raise NotJsonError(f"a comma or {closing} is missing", self._at)
            self._at += 1
            if between == closing:
                return

    def _name(self) -> str:
        if self.kind() != '"':
            raise NotJsonError("a name is missing", self._at)
        start = self._at
        if self._end_of_string(start) - start <= MOST_NAME_BYTES:
            return self._text()
        self._at = self._end_of_string(start)
        return bytes(self._data[start + 1 : start + 100]).decode(errors="replace") + "…"

    def _text(self) -> str:
        start = self._at
        self._at = self._end_of_string(start)
        if self._at - start > self._most_string_bytes:
            raise LongTextError
        piece = memoryview(self._data)[start : self._at]
        try:
            return self._string.decode(piece)
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass
        try:
            return _whole(json.loads(bytes(piece).decode()))
        except UnicodeDecodeError as cause:
            raise NotJsonError(f"no utf-8: {cause.reason}", start + cause.start) from cause
        except ValueError as cause:
            raise NotJsonError(f"a string cannot be read: {cause}", start) from cause

    def _end_of_string(self, start: int) -> int:
        quote = self._data.find(b'"', start + 1)
        if quote > 0 and self._data[quote - 1] != _BACKSLASH:
            return quote + 1
        at = start + 1
        while at < len(self._data):
            if at - start > self._most_string_bytes:
                raise LongTextError
            inside = _INSIDE.match(self._data, at, at + WINDOW_BYTES)
            assert inside is not None
            if inside.end() < len(self._data) and self._data[inside.end()] == _QUOTE:
                return inside.end() + 1
            if inside.end() == at:  # a lone backslash at the very end
                break
            at = inside.end()
        raise NotJsonError("the text ends within a string", len(self._data))

    def _over(self, pattern: re.Pattern[bytes], at: int) -> int:
        while True:
            found = pattern.match(self._data, at, at + WINDOW_BYTES)
            assert found is not None
            if found.end() < at + WINDOW_BYTES:
                return found.end()
            at = found.end()


def _whole(value: Any) -> Any:  # noqa: ANN401 - whatever JSON can hold
    """Halves of characters, which JSON can write and UTF-8 cannot, as U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [_whole(each) for each in value]
    if isinstance(value, dict):
        return {_whole(name): _whole(each) for name, each in value.items()}
    return value
