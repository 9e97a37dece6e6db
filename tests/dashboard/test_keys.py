"""The page behind keys, and over losses of the service."""

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from reward_service.store.connecting import connection_to
from tests.dashboard.browsing import Watched
from tests.dashboard.seeding import run, scored
from tests.dashboard.services import done_apart, served
from tests.support.served import Served
from tests.support.service import assert_problem, rollout

KEY = "schlüssel-☃"
expect = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed").expect
Open = Callable[..., Watched]


async def emptied(url: str) -> None:
    """The store loses all."""
    connection = connection_to(url)
    await connection.execute("FLUSHALL")
    await connection.close()


@pytest.fixture(scope="module")
def locked_url() -> Iterator[str]:
    with served(api_keys=[KEY]) as supervisor:
        yield supervisor.url


def test_the_files_need_no_key_and_the_data_do(locked_url: str) -> None:
    with httpx.Client(base_url=locked_url) as client:
        page = client.get("/")
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert client.get("/", headers={"if-none-match": page.headers["etag"]}).status_code == 304
        assert client.head("/page/main.js").headers["content-length"] == str(len(client.get("/page/main.js").content))
        assert_problem(client.get("/v1/runs"), 401)
        assert_problem(client.get("/page/nothing.js"), 401)
        assert_problem(client.post("/"), 401)
        assert client.get("/page/uplot/LICENSE").status_code == 401


def test_a_key_is_asked_for_kept_in_the_tab_and_forgotten(watched: Open, locked_url: str) -> None:
    at = watched(locked_url)
    at.forgiven = ("error: Failed to load resource",)
    page = at.page
    page.goto(f"{locked_url}/#/service")
    field = page.get_by_label("Key of the service")
    expect(field).to_be_focused()
    field.fill("wrong")
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("alert")).to_have_text("The service does not know this key.")
    page.get_by_label("Key of the service").fill(KEY)
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Service")
    page.reload()
    expect(page.locator("h1")).to_have_text("Service")
    assert page.evaluate("[localStorage.length, document.cookie, location.href.includes('schl')]") == [0, "", False]
    page.get_by_role("button", name="Forget the key").click()
    expect(page.get_by_label("Key of the service")).to_be_visible()
    assert KEY not in page.evaluate("JSON.stringify(sessionStorage)")


@pytest.mark.parametrize("key", ["x" * 300_000, "a\x01b", "\x7f"], ids=["long", "control", "delete"])
def test_a_key_that_no_header_can_hold_is_a_wrong_key(watched: Open, locked_url: str, key: str) -> None:
    at = watched(locked_url)
    at.forgiven = ("error: Failed to load resource",)
    at.page.goto(f"{locked_url}/")
    at.page.get_by_label("Key of the service").fill(key)
    at.page.keyboard.press("Enter")
    expect(at.page.get_by_role("alert")).to_have_text("The service does not know this key.")


def test_an_address_that_holds_a_key_shows_the_page(watched: Open, locked_url: str) -> None:
    at = watched(locked_url)
    at.forgiven = ("error: Failed to load resource",)
    at.page.goto(f"{locked_url.replace('://', '://x:wrong@')}/")
    at.page.get_by_label("Key of the service").fill(KEY)
    at.page.keyboard.press("Enter")
    expect(at.page.locator("#live")).to_have_text("live")


@pytest.mark.parametrize("path", ["docs", "redoc"])
def test_the_pages_of_the_api_open_at_an_address_that_holds_the_key(watched: Open, locked_url: str, path: str) -> None:
    at = watched(locked_url)
    logo = "https://cdn.redoc.ly/"  # of ReDoc's makers; the policy blocks it
    at.forgiven = ("warning: ", "error: Loading the image", f"leaves the service: {logo}")
    at.page.goto(f"{locked_url.replace('://', f'://x:{quote(KEY)}@')}/{path}")
    expect(at.page.get_by_text("Send rollouts").first).to_be_visible(timeout=30_000)


def test_a_browser_that_keeps_nothing_shows_the_page_and_asks_again(watched: Open, locked_url: str) -> None:
    at = watched(locked_url)
    at.forgiven = ("error: Failed to load resource",)
    at.page.add_init_script("Object.defineProperty(window, 'sessionStorage', { get() { throw new Error('denied') } })")
    at.page.goto(f"{locked_url}/#/service")
    at.page.get_by_label("Key of the service").fill(KEY)
    at.page.keyboard.press("Enter")
    expect(at.page.locator("#live")).to_have_text("live")
    at.page.locator("#theme").click()
    at.page.get_by_role("link", name="Paraphrases").click()
    expect(at.page.locator("h1")).to_have_text("Paraphrases")
    at.page.reload()
    expect(at.page.get_by_label("Key of the service")).to_be_visible()


def test_a_run_that_is_lost_with_the_store_is_shown_when_it_is_made_again(watched: Open) -> None:
    group = [rollout("q", "original", at, "4") for at in range(8)]
    with served() as supervisor, httpx.Client(base_url=supervisor.url, timeout=30.0) as client:
        name = run(client, "made-again")
        for step in range(5, 8):
            scored(client, name, step, group)
        at = watched(supervisor.url)
        at.forgiven = ("error: Failed to load resource",)
        page = at.open(f"#/runs/{name}")
        done_apart(lambda: emptied(supervisor.redis_url))
        expect(page.locator("#live")).to_contain_text(f"there is no run '{name}'", timeout=20_000)
        run(client, name)
        scored(client, name, 1, group)
        reward = page.locator("figure", has_text="Reward").first.locator("[role=img]")
        expect(reward).to_have_attribute("aria-label", "Reward over 1 steps; latest 1.00", timeout=30_000)
        expect(page.locator("#live")).to_have_text("live")


def test_the_page_goes_on_when_the_service_comes_again(watched: Open, tmp_path: Path) -> None:
    service = Served(tmp_path)
    service.start()
    try:
        with httpx.Client(base_url=service.url, timeout=30.0) as client:
            name = run(client, "goes-on")
            group = [rollout("q", "original", at, "4") for at in range(8)]
            scored(client, name, 1, group)
            at = watched(service.url)
            at.forgiven = ("error: Failed to load resource",)
            page = at.open(f"#/runs/{name}")
            expect(page.locator("#live")).to_have_text("live")
            service.kill()
            expect(page.locator("#live")).to_contain_text("connection lost")
            service.start()
            scored(client, name, 2, group)
        expect(page.locator("#live")).to_have_text("live", timeout=30_000)
        expect(page.locator("dl div", has_text="Step").locator("dd").first).to_have_text("2")
    finally:
        service.stop()
