"""`co-rewarding`, as it is installed."""

import signal


def main() -> None:
    """Runs a command. Until all is imported Ctrl-C ends it there and then: an exception may be lost in an import."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from reward_service.cli import main as run

    signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


if __name__ == "__main__":
    main()
