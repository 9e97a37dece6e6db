"""Define the server's errors. Each is raised with its cause, and caught at a boundary: a request, a job, the CLI."""

import importlib.util
import signal
import sys
import threading
from types import TracebackType

from co_rewarding_schema.errors import CoRewardingError

_OURS = ("reward_service", "co_rewarding_")


class StoreUnavailableError(CoRewardingError):
    """Redis did not answer in time; nothing that was acknowledged is lost, and the call may be made again."""

    def __init__(self, message: str, retry_after_s: float = 1.0) -> None:
        """Says what was tried, and after how many seconds to try again."""
        super().__init__(message)
        self.retry_after_s = retry_after_s


class StoreRefusesError(StoreUnavailableError):
    """Redis takes no writes: what was asked was not done."""


class TaskFailedError(CoRewardingError):
    """A background task raised what nobody expected of it. Its process ends, and the supervisor starts another."""


class UnusableStoreError(CoRewardingError):
    """The Redis at hand could lose accepted work, is too old, or refuses us; the message says what to change."""


class EmbeddedServerError(CoRewardingError):
    """The embedded server did not start; the message quotes what it said."""


class SettingsError(CoRewardingError):
    """The service cannot start as it is configured."""


class NotInstalledError(SettingsError):
    """Something needs a package that comes with an extra of ours; the message says how to install it."""

    def __init__(self, what: str, missing: str, extra: str) -> None:
        """`what` needs the package `missing`, which the extra brings."""
        pip = f"{sys.executable} -m pip install"
        super().__init__(
            f"{what} needs {missing}, which the extra '{extra}' installs: {pip} '.[{extra}]' in a clone of the "
            f"repository, or {pip} 'co-rewarding[{extra}]' where an index has it"
        )


class Needing:
    """A context for imports: a package that is not installed is a NotInstalledError that names its extra."""

    def __init__(self, what: str, extra: str, *packages: str) -> None:
        """`what` is done with the packages of this extra; those that are named are imported later, or elsewhere."""
        self._what = what
        self._extra = extra
        self._packages = packages

    def __enter__(self) -> None:
        """Looks for the packages that are named.

        Raises:
            NotInstalledError: one of them is not there.
        """
        for package in self._packages:
            if importlib.util.find_spec(package) is None:
                raise NotInstalledError(self._what, package, self._extra)
        # An event loop's handler, which loses nothing, stays; and only the main thread may choose.
        raises = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        self._ends_at_once = raises and threading.current_thread() is threading.main_thread()
        if self._ends_at_once:
            signal.signal(signal.SIGINT, signal.SIG_DFL)

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        """Turns what another package lacks into advice; a module of ours that is missing is our fault."""
        if self._ends_at_once:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith(_OURS):
            raise NotInstalledError(self._what, error.name.partition(".")[0], self._extra) from error


class TrainingRunError(CoRewardingError):
    """A training run could not be started; the message says what to change."""
