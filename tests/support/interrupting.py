"""Commands that hear Ctrl-C: a shell that runs the tests in its background has its children ignore it."""

import sys

_HEARING = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
COMMAND = [sys.executable, "-c", f"{_HEARING}; from reward_service.cli import main; main()"]
"""`co-rewarding`, to be followed by its arguments."""
