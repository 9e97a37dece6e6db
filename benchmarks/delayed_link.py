"""Pass connections on, each byte a while later: `python -m benchmarks.delayed_link PORT HOST PORT DELAY_S`.

For kernels without netem. Bytes wait `DELAY_S` in either direction, however many there are: a round trip takes twice as
long, and the bytes a second stay as they were.
"""

import queue
import socket
import sys
import threading
import time

BLOCK = 2**18
HOST = "127.0.0.1"


def serve(port: int, host: str, to_port: int, delay_s: float) -> None:
    """Listens for ever."""
    with socket.create_server((HOST, port), backlog=128) as listener:
        while True:
            ours, _ = listener.accept()
            theirs = socket.create_connection((host, to_port))
            for one in (ours, theirs):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _pass_on(ours, theirs, delay_s)
            _pass_on(theirs, ours, delay_s)


def _pass_on(source: socket.socket, sink: socket.socket, delay_s: float) -> None:
    blocks: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()

    def read() -> None:
        data = b"-"
        while data:
            try:
                data = source.recv(BLOCK)
            except OSError:
                data = b""
            blocks.put((time.monotonic() + delay_s, data))

    def write() -> None:
        while True:
            due_s, data = blocks.get()
            time.sleep(max(0.0, due_s - time.monotonic()))
            try:
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    return
                sink.sendall(data)
            except OSError:
                return

    for work in (read, write):
        threading.Thread(target=work, daemon=True).start()


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
