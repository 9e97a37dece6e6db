"""One service for all tests of the wire."""

from collections.abc import Iterator

import httpx
import pytest

from tests.support.service import running


@pytest.fixture(scope="session")
def service_url() -> Iterator[str]:
    with running(max_body_bytes=300_000, max_rollouts=64, max_text_chars=50_000) as supervisor:
        yield supervisor.url


@pytest.fixture
def client(service_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service_url, timeout=30.0) as client:
        yield client
