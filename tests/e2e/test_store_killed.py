"""What the embedded server has acknowledged, it keeps when it is killed."""

import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from e2e_services import kill

from reward_service.store.embedded import EmbeddedValkey

AT_ONCE = 20
SIZE = 500
POSTPONED = 25 * AT_ONCE * SIZE  # far more than one tick of the server's loop has taken
LONGEST_S = 4.0


@pytest.fixture
def server() -> Iterator[EmbeddedValkey]:
    folder = Path(tempfile.mkdtemp(prefix="cr-", dir="/tmp"))
    made = EmbeddedValkey(folder / "data")
    made.start()
    yield made
    made.stop()
    shutil.rmtree(folder)


class Writer(threading.Thread):
    """Writes as fast as it is answered, until the server is gone."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._redis = redis.Redis.from_url(url)
        self.acknowledged = 0

    def run(self) -> None:
        try:
            while True:
                together = self._redis.pipeline(transaction=False)
                for number in range(self.acknowledged, self.acknowledged + AT_ONCE):
                    together.set(str(number), b"x" * SIZE)
                together.execute()
                self.acknowledged += AT_ONCE
        except redis.ConnectionError:
            self._redis.close()


@pytest.mark.parametrize("kill_number", [1, 2])
def test_a_killed_server_keeps_what_it_acknowledged(server: EmbeddedValkey, kill_number: int):
    """At the worst moment there is: while acknowledged writes wait for the disk, should the server ever let them."""
    writer = Writer(server.url)
    writer.start()
    with redis.Redis.from_url(server.url) as looking:
        deadline_s = time.monotonic() + LONGEST_S
        while time.monotonic() < deadline_s and looking.info("persistence")["aof_buffer_length"] < POSTPONED:
            continue
    assert server.pid is not None
    kill(server.pid)
    writer.join()
    server.stop()
    server.start()
    with redis.Redis.from_url(server.url) as looking:
        assert writer.acknowledged > 1000
        assert looking.exists(*map(str, range(writer.acknowledged))) == writer.acknowledged
