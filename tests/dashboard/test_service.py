"""What the page says of the service's processes."""

import os
import signal
from collections.abc import Callable

import pytest

from reward_service.serving.supervisor import Supervisor
from tests.dashboard.browsing import Watched

expect = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed").expect
Open = Callable[..., Watched]


def test_a_killed_worker_is_seen(watched: Open, service: Supervisor) -> None:
    page = watched().open("#/service")
    worker = page.locator("tbody tr", has=page.locator('th[data-name="Role"]', has_text="worker"))
    restarts = worker.locator('td[data-name="Restarts"]')
    expect(restarts).to_have_text("0")
    expect(worker.locator('td[data-name="Last start"]')).to_contain_text("ago")
    os.kill(service.pids("worker")[0], signal.SIGKILL)
    expect(restarts).to_have_text("1", timeout=30_000)
    expect(worker.locator('td[data-name="Alive"]')).to_have_text("1", timeout=30_000)
    expect(page.locator("dl div", has_text="Runs for").locator("dd")).not_to_have_text("–")


def test_a_phone_shows_captions_over_the_whole_width_and_values_in_line(watched: Open) -> None:
    page = watched(viewport={"width": 390, "height": 800}).open("#/service")
    expect(page.locator("caption", has_text="Of this service")).to_be_visible()
    caption, card = page.locator(".cards").first.evaluate(
        "cards => [cards.caption, cards.tBodies[0].rows[0]].map((each) => each.getBoundingClientRect().width)"
    )
    assert caption == card
