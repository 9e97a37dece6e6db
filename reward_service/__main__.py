"""Run `co-rewarding`; in a base install, say which extra a command needs."""

import signal
import sys

from reward_service import __version__


def main() -> None:
    """Runs a command; where the packages of the commands are missing, says in a line how to install them.

    Until all is imported, our own modules first, Ctrl-C ends it there and then: an exception may be lost in an import.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from reward_service.errors import Needing, NotInstalledError

    try:
        with Needing("a command", "server"):
            from reward_service.cli import main as run
    except NotInstalledError as error:
        if sys.argv[1:] == ["--version"]:
            print(__version__)  # noqa: T201 - what was asked for
            return
        raise SystemExit(_told(error)) from error
    signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


def _told(error: Exception) -> int:
    print(f"co-rewarding: {error}", file=sys.stderr)  # noqa: T201 - rich may be what is missing
    return 2


if __name__ == "__main__":
    main()
