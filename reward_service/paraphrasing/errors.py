"""What can be wrong with a file of pairs, with its audit, or with rewriting one."""

from co_rewarding_schema.errors import CoRewardingError


class PairFileError(CoRewardingError):
    """The file cannot be read as pairs; the message says where (file, row) and what would help."""


class AuditError(CoRewardingError):
    """The pairs were read, but the report could not be written."""


class RewritingError(CoRewardingError):
    """Questions cannot be rewritten as ordered; the message says what to change. Nothing that was asked is lost."""


class PairFileTooLargeError(PairFileError):
    """The file is larger than it may be."""
