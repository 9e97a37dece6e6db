"""Free ports of this machine."""

import socket


def free_port(most: int = 65_535) -> int:
    """A port, at most `most`, on which nobody listens now."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port <= most:
            return port
