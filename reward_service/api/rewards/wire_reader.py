"""Read the bodies of rollouts by the fast decoder where it is done soon, else by the reader that names faults."""

import contextlib
from typing import TypeVar

import msgspec
from pydantic import BaseModel

from reward_service.api.http.form_reader import FormReader
from reward_service.api.http.json_reader import Data
from reward_service.api.http.surrogates import UNREADABLE, halves_replaced
from reward_service.settings import Settings

Wire = TypeVar("Wire", bound=msgspec.Struct)

WHOLE_BYTES = 2**22
LARGEST_WHOLE_BYTES = 2**25
QUOTES_A_ROLLOUT = 64
"""What is decoded in one go, while nobody else is served: small bodies, and large ones that are mostly text."""

MENDED_BYTES = 2**20
"""What is searched in one go for halves of surrogate pairs."""


class WireReader:
    """Reads typed structures, within the limits of the settings."""

    def __init__(self, reader: FormReader, settings: Settings) -> None:
        """`reader` reads what the fast decoder does not."""
        self._reader = reader
        self._most_rollouts = settings.max_rollouts
        self._longest_text = settings.max_text_chars

    async def read(self, body: Data, wire: msgspec.json.Decoder[Wire], form: type[BaseModel]) -> Wire:
        """Return a body as this form. What the fast decoder refuses may have it, or the reader says why not.

        Raises:
            Problem: it is no JSON, or not of the form.
        """
        if self._is_quickly_decoded(body):
            try:
                return wire.decode(body)
            except UNREADABLE:
                pass
            whole = halves_replaced(body) if len(body) <= MENDED_BYTES else None
            if whole is not None:
                with contextlib.suppress(*UNREADABLE):
                    return wire.decode(whole)
        return await self._reader.read_wire(wire, form, body)

    def _is_quickly_decoded(self, body: Data) -> bool:
        """Whether the fast decoder is done with a body, however bad it is, before anybody has waited for long.

        It takes 2 ms a MiB of text, and 50 ms a MiB of values as short as can be. A string has two quotation marks.
        Where there are too few of them, a string is too long, and the decoder's error would repeat it.
        """
        if len(body) <= WHOLE_BYTES:
            return True
        if len(body) > LARGEST_WHOLE_BYTES:
            return False
        quotes = body.count(b'"')
        return quotes <= QUOTES_A_ROLLOUT * self._most_rollouts and len(body) <= quotes * self._longest_text
