from collections.abc import Iterator
from uuid import uuid4

import pytest
from e2e_services import Service, two_replicas

from reward_service.processes import raise_open_files_limit


@pytest.fixture(scope="session", autouse=True)
def _many_connections() -> None:
    """A waiting rollout is a connection, and here both of its ends, and a proxy's two, are in one process."""
    raise_open_files_limit()


@pytest.fixture
def run() -> str:
    """A run that no other test has used."""
    return f"run-{uuid4().hex[:12]}"


@pytest.fixture(scope="module")
def replicas() -> Iterator[tuple[Service, Service]]:
    """Two API replicas over one store, the same for every test of a file: each has a run of its own."""
    with two_replicas() as pair:
        yield pair
