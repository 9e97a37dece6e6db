"""The root of the one tree of errors, and what the shared tables refuse."""


class CoRewardingError(Exception):
    """The root: everything that the service, a client or a trainer of the project raises on purpose."""


class DomainError(CoRewardingError, ValueError):
    """The root of everything that the rules refuse."""


class UnknownMethodError(DomainError):
    """The named method is not a row of the table."""
