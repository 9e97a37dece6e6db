"""Define the errors of files of rollouts and of scoring them."""

from co_rewarding_schema.errors import CoRewardingError


class RolloutFileError(CoRewardingError):
    """The file cannot be read as rollouts; the message says where (file, row) and which option would help."""


class ScoringError(CoRewardingError):
    """The rollouts were read, but could not be rewarded, or the rewards not written."""


class ReplayError(CoRewardingError):
    """What was asked of a replay cannot be done: a method or a grader that it does not have, or has no use for."""


def shown(value: object, limit: int = 80) -> str:
    """A value from a file as a message may hold it: quoted, control characters escaped, at most `limit` characters."""
    text = repr(value[: 2 * limit]) if isinstance(value, str) else repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def listed(names: list[str], limit: int = 20) -> str:
    """Names of fields for a message, in their order; the first `limit` of them."""
    rest = f" and {len(names) - limit} more" if len(names) > limit else ""
    return (", ".join(shown(name, 40)[1:-1] for name in names[:limit]) or "no fields") + rest
