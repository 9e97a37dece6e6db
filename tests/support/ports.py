"""Free ports of this machine."""

import socket

BUS = 10_000
"""How far above its port a node of a cluster listens to the other nodes."""


def free_port(*, bus: bool = False) -> int:
    """A port on which nobody listens now; with `bus` neither on that of a cluster's bus."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if not bus or _is_free(port + BUS):
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError):  # it is taken, or there is none
            return False
    return True
