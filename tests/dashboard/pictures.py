"""Take the pictures of docs/dashboard.md while a demo trains: `python -m tests.dashboard.pictures`.

The demo trains under majority voting and under co-rewarding-i, against a service of its own. The pictures are taken
when the second has come three quarters of its way.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from tests.dashboard.browsing import CHROMIUM, OPTIONS, Watched
from tests.dashboard.services import served
from tests.support.waiting import wait_until

DOCS = Path(__file__).parents[2] / "docs"
CLI = Path(sys.executable).with_name("co-rewarding")
COLLAPSING, STEADY = "majority-voting", "co-rewarding-i"
MOST_BYTES = 200_000
PATIENCE_S = 3600.0
PHONE = {"viewport": {"width": 390, "height": 780}, "is_mobile": True}


def steps_of(client: httpx.Client) -> dict[str, tuple[str, int]]:
    """The run and the latest step under each method, of those that have begun."""
    runs = client.get("/v1/runs").json()["runs"]
    latest = {each["run"]: client.get(f"/v1/runs/{each['run']}").json()["signs"] for each in runs}
    return {each["method"]: (each["run"], latest[each["run"]]["step"]) for each in runs if latest[each["run"]]}


def taken(browser: Browser, url: str, name: str, address: str, then: str | None = None, **options: Any) -> None:
    """Writes a picture, and fails if the page did anything wrong. `then` is a link that is followed first."""
    at = Watched(browser.new_context(**({"viewport": {"width": 1280, "height": 800}} | options)), url)
    page = at.open(address)
    if then is not None:
        page.locator(then).first.click()
        page.locator("#ballots").wait_for()
    page.wait_for_function("() => document.fonts.ready.then(() => true)")
    page.wait_for_timeout(1500)  # a picture is of a page that has drawn
    path = DOCS / name
    page.screenshot(path=path)
    Image.open(path).convert("RGB").quantize(192, dither=Image.Dither.NONE).save(path, optimize=True)
    at.check()
    page.context.close()
    assert path.stat().st_size < MOST_BYTES, f"{name} is too large"


def main() -> None:
    """Trains and takes the pictures."""
    parser = argparse.ArgumentParser(prog="python -m tests.dashboard.pictures", description=__doc__)
    parser.add_argument("--steps", type=int, default=300, help="of the demo's training")
    steps = parser.parse_args().steps
    with (
        tempfile.TemporaryDirectory() as out,
        served() as supervisor,
        httpx.Client(base_url=supervisor.url) as client,
        sync_playwright() as playwright,
    ):
        methods = [option for method in (COLLAPSING, STEADY) for option in ("--method", method)]
        command = [CLI, "demo", "--url", supervisor.url, "--out", out, "--steps", str(steps), *methods]
        demo = subprocess.Popen(command)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(OPTIONS))
        try:
            ready = wait_until(lambda: _ready(client, demo, steps), PATIENCE_S, every_s=1.0)
            collapsing, steady = (ready[method][0] for method in (COLLAPSING, STEADY))
            both = f"#/runs/{collapsing}?with={steady}"
            taken(browser, supervisor.url, "dashboard-runs.png", "")
            taken(browser, supervisor.url, "dashboard-two-runs.png", both, viewport={"width": 1280, "height": 1160})
            cohorts = f"#/runs/{collapsing}/questions?sort=cohorts"
            link = "main table a"
            taken(
                browser, supervisor.url, "dashboard-cohort.png", cohorts, link, viewport={"width": 1280, "height": 960}
            )
            taken(browser, supervisor.url, "dashboard-phone.png", "", **PHONE)
            taken(browser, supervisor.url, "dashboard-dark.png", f"#/runs/{steady}", color_scheme="dark")
        finally:
            demo.terminate()
            demo.wait()


def _ready(client: httpx.Client, demo: subprocess.Popen[bytes], steps: int) -> dict[str, tuple[str, int]] | None:
    """The runs, once the second has come three quarters of its way."""
    assert demo.poll() is None, "the demo has ended"
    found = steps_of(client)
    return found if found.keys() == {COLLAPSING, STEADY} and found[STEADY][1] >= 0.75 * steps else None


if __name__ == "__main__":
    main()
