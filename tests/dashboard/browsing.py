"""A browser that reports whatever a page does wrong: requests that leave the service, errors, dialogs, overflow."""

import shutil
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, Route

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((path for path in map(shutil.which, NAMES) if path), None)
OPTIONS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")


class Watched:
    """A page and what it has done wrong."""

    def __init__(self, context: "BrowserContext", url: str) -> None:
        self.url = url
        self.faults: list[str] = []
        self.forgiven: tuple[str, ...] = ()
        context.route("**/*", self._pass)
        context.add_init_script("window.hacked = () => { window.wasHacked = true }")
        self.page: Page = context.new_page()
        self.page.set_default_timeout(20_000)
        self.page.on("request", self._look_at)
        self.page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        self.page.on("console", self._hear)
        self.page.on("dialog", lambda dialog: (self.faults.append(f"dialog: {dialog.message}"), dialog.dismiss()))

    def open(self, address: str) -> "Page":
        """Shows an address of the page, and waits until its view is there."""
        self.page.goto(f"{self.url}/{address}")
        self.page.locator("main h1").wait_for()
        self.page.locator("main > .quiet").wait_for(state="detached")
        return self.page

    def wide(self) -> int:
        """By how many pixels the page is wider than the window."""
        return self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")

    def check(self) -> None:
        """Fails with what went wrong."""
        assert not self.page.evaluate("window.wasHacked === true"), "a text has run"
        faults = [fault for fault in self.faults if not fault.startswith(self.forgiven)]
        assert faults == [], faults

    def _is_ours(self, url: str) -> bool:
        return urlsplit(url).netloc.rpartition("@")[2] == urlsplit(self.url).netloc

    def _pass(self, route: "Route") -> None:
        if self._is_ours(route.request.url):
            route.continue_()
        else:
            route.abort()

    def _look_at(self, request: "Request") -> None:
        if not self._is_ours(request.url):
            self.faults.append(f"leaves the service: {request.url}")

    def _hear(self, message: "ConsoleMessage") -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"{message.type}: {message.text}")
