"""An embedded server with a door: other machines reach it by its password, and it is never open without."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from reward_service.errors import EmbeddedServerError
from reward_service.store.embedded import EmbeddedValkey, NetworkDoor
from tests.support.ports import free_port

PASSWORD = "a b/@:%"


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not pytest's folder: the path of a Unix socket is short."""
    made = Path(tempfile.mkdtemp(prefix="cr-"))
    yield made
    shutil.rmtree(made)


def test_it_is_reached_with_the_password_alone_and_again_after_a_restart(folder: Path):
    door = NetworkDoor("127.0.0.1", free_port(), PASSWORD)
    server = EmbeddedValkey(folder, door)
    for _ in range(2):
        server.start()
        try:
            for url in (door.url, server.url):
                with redis.Redis.from_url(url) as client:
                    client.incr("starts")
            stranger = redis.Redis(host=door.host, port=door.port)
            with pytest.raises(redis.AuthenticationError):
                stranger.ping()
            stranger.close()
        finally:
            server.stop()
    assert PASSWORD not in repr(door)


def test_a_port_that_is_taken_is_told_and_nothing_is_left_running(folder: Path):
    door = NetworkDoor("127.0.0.1", free_port(), PASSWORD)
    first = EmbeddedValkey(folder / "first", door)
    first.start()
    try:
        second = EmbeddedValkey(folder / "second", door)
        with pytest.raises(EmbeddedServerError, match=f"cannot listen on 127.0.0.1:{door.port}"):
            second.start()
        assert not second.running()
    finally:
        first.stop()


def test_a_folder_in_use_behind_another_password_is_in_use(folder: Path):
    first = EmbeddedValkey(folder, NetworkDoor("127.0.0.1", free_port(), PASSWORD))
    first.start()
    try:
        with pytest.raises(EmbeddedServerError, match="another service is using"):
            EmbeddedValkey(folder, NetworkDoor("127.0.0.1", free_port(), "other")).start()
        with pytest.raises(EmbeddedServerError, match="another service is using"):
            EmbeddedValkey(folder).start()
    finally:
        first.stop()
