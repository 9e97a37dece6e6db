"""The root of the one tree of errors, and those that the shared tables raise."""


class CoRewardingError(Exception):
    """The root: everything that the service, a client or a trainer of the project raises on purpose."""


class UnknownMethodError(CoRewardingError, ValueError):
    """The named method is not a row of the table."""
