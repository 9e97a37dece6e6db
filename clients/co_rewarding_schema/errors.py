"""The root of the one tree of errors, and the errors of what all sides share."""


class CoRewardingError(Exception):
    """The root: everything that the service, a client or a trainer of the project raises on purpose."""


class DomainError(CoRewardingError, ValueError):
    """The root of everything that the rules refuse."""


class UnknownMethodError(DomainError):
    """The named method is not a row of the table."""


class InvalidRunError(DomainError):
    """A run's settings contradict each other or their bounds, or a name cannot be a run's."""
