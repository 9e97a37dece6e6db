"""State the limits of what crosses the wire, and the kinds of values with these limits."""

from typing import Annotated, get_args

from msgspec import Meta

MAX_COUNT = 2**53 - 1
"""The largest whole number that every JSON reader keeps exact."""

MAX_ROLLOUT = 2**31 - 1
MAX_ID_CHARS = 1024
MAX_GROUP_SIZE = 4096
MAX_DEADLINE_S = 7 * 24 * 3600.0
MAX_LAG = 2**31 - 1
MAX_TEMPERATURE = 100.0
MAX_RESPONSE_TOKENS = 2**20
MAX_END_TOKENS = 16
MAX_END_TOKEN_CHARS = 64
MAX_ANSWER_CHARS = 4096
MAX_WEIGHT = 1000.0
"""Of a verified ballot."""

MAX_ENTROPY = 100.0
MAX_WINDOW = 64
"""Labels of a question that are kept, of each view."""

MAX_PEERS = 16
MAX_PATH_CHARS = 1024
MAX_KEY_CHARS = 1024
"""Of an Idempotency-Key."""

WEIGHTS_FILE_PATTERN = r"^([A-Za-z0-9][A-Za-z0-9._-]{0,127}\.safetensors|model\.safetensors\.index\.json|config\.json)$"
"""The names of the files in which weights are uploaded."""

Count = Annotated[int, Meta(ge=0, le=MAX_COUNT)]
Positive = Annotated[int, Meta(ge=1, le=MAX_COUNT)]
Index = Annotated[int, Meta(ge=0, le=MAX_ROLLOUT)]
Lag = Annotated[int, Meta(ge=0, le=MAX_LAG)]
GroupSize = Annotated[int, Meta(ge=1, le=MAX_GROUP_SIZE)]
Identifier = Annotated[str, Meta(min_length=1, max_length=MAX_ID_CHARS)]
Share = Annotated[float, Meta(ge=0, le=1)]
ResponseTokens = Annotated[int, Meta(ge=1, le=MAX_RESPONSE_TOKENS)]


def metas(hint: object) -> list[Meta]:
    """Return all that is said about a type, in its alternatives too."""
    nested = [meta for each in get_args(hint) if not isinstance(each, Meta) for meta in metas(each)]
    return nested + [each for each in get_args(hint) if isinstance(each, Meta)]
