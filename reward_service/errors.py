"""One small tree of errors. Each is raised with its cause and caught only at a boundary (a request, a job, the CLI)."""


class CoRewardingError(Exception):
    """The root: everything this service raises on purpose."""


class StoreUnavailableError(CoRewardingError):
    """Redis did not answer in time; nothing that was acknowledged is lost, and the call may be made again."""

    def __init__(self, message: str, retry_after_s: float = 1.0) -> None:
        """Says what was tried, and after how many seconds to try again."""
        super().__init__(message)
        self.retry_after_s = retry_after_s


class TaskFailedError(CoRewardingError):
    """A background task raised what nobody expected of it. Its process ends, and the supervisor starts another."""


class UnsafeStoreError(CoRewardingError):
    """The Redis at hand could lose accepted work, or is too old; the message says what to change."""


class EmbeddedServerError(CoRewardingError):
    """The embedded server did not start; the message quotes what it said."""


class SettingsError(CoRewardingError):
    """The service cannot start as it is configured."""


class TrainingRunError(CoRewardingError):
    """A training run could not be started; the message says what to change."""
