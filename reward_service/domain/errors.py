"""Define the errors of the rules' inputs."""

from co_rewarding_schema.errors import DomainError


class IllegalTransitionError(DomainError):
    """The event cannot happen to a cohort in this state."""


class InvalidScheduleError(DomainError):
    """The EMA schedule's numbers do not make a schedule."""


class InvalidRunError(DomainError):
    """A run's settings contradict each other or their bounds."""


class OldStepError(DomainError):
    """An update of the teacher that comes after a later one."""
