"""Define the root of the tree of errors, and the errors that all sides share."""


class CoRewardingError(Exception):
    """The root: everything that the service, a client or a trainer of the project raises on purpose."""


class DomainError(CoRewardingError, ValueError):
    """The root of everything that the rules refuse."""


class UnknownMethodError(DomainError):
    """The named method is not a row of the table."""


class InvalidRunError(DomainError):
    """A run's settings contradict each other or their bounds, or a name cannot be a run's."""
