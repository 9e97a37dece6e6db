"""A service with runs, and a browser that looks at it. Without Chromium or Playwright the tests are skipped."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from reward_service.serving.supervisor import Supervisor
from tests.dashboard.browsing import CHROMIUM, OPTIONS, Watched
from tests.dashboard.seeding import seeded
from tests.dashboard.services import served

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def service() -> Iterator[Supervisor]:
    with served() as supervisor:
        yield supervisor


@pytest.fixture(scope="session")
def service_url(service: Supervisor) -> str:
    return service.url


@pytest.fixture(scope="session")
def runs(service_url: str) -> dict[str, str]:
    with httpx.Client(base_url=service_url, timeout=60.0) as client:
        return seeded(client)


@pytest.fixture
def client(service_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service_url, timeout=60.0) as client:
        yield client


@pytest.fixture(scope="module")  # no longer: while it runs, no test of the thread can run an event loop
def browser() -> Iterator["Browser"]:
    if CHROMIUM is None:
        pytest.skip("there is no Chromium: apt install chromium")
    playwright_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    with playwright_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(OPTIONS))
        yield browser
        browser.close()


@pytest.fixture
def watched(browser: "Browser", service_url: str) -> Iterator[Callable[..., Watched]]:
    """Opens pages with options of a browser's context; each is checked at the end."""
    opened: list[Watched] = []

    def make(url: str = service_url, **options: Any) -> Watched:
        context = browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | options))
        opened.append(Watched(context, url))
        return opened[-1]

    yield make
    for each in opened:
        each.check()
        each.page.context.close()
