"""The page in a browser: what it shows, live, by keyboard, on a phone, dark; nothing leaves the service."""

import re
from collections.abc import Callable

import httpx
import pytest

from tests.dashboard.browsing import Watched
from tests.dashboard.seeding import run, scored
from tests.support.service import rollout

expect = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed").expect
Open = Callable[..., Watched]
PHONE = {"viewport": {"width": 390, "height": 800}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}


def row(name: str) -> str:
    return f'tr[data-run="{name}"]'


def test_what_needs_a_look_comes_first(watched: Open, runs: dict[str, str]) -> None:
    page = watched().open("")
    first = page.locator("#runs tbody tr").first
    expect(first).to_have_attribute("data-run", runs["collapsing"])
    expect(first).to_contain_text("one answer")
    expect(first).to_contain_text("accuracy falls")
    expect(page.locator(row(runs["steady"]))).not_to_contain_text("one answer")
    assert (first.locator("svg").first.get_attribute("aria-label") or "").startswith("Reward: from")


def test_a_run_is_there_as_soon_as_it_is_used(watched: Open, client: httpx.Client, runs: dict[str, str]) -> None:
    page = watched().open("")
    name = run(client, "came-later")
    expect(page.locator(row(name))).to_be_visible()
    scored(client, name, 3, [rollout("q", "original", at, "4", ground_truth="5") for at in range(8)])
    expect(page.locator(f'{row(name)} td[data-name="Step"]')).to_have_text("3")
    expect(page.locator(f'{row(name)} td[data-name="Label accuracy"]')).to_have_text("0 %")
    page.locator("#search").fill("came-l")
    expect(page.locator("#runs tbody tr")).to_have_count(1)


def test_a_run_goes_on_while_it_is_looked_at(watched: Open, client: httpx.Client) -> None:
    name = run(client, "goes-on")
    group = [rollout("q", "original", at, "4") for at in range(8)]
    scored(client, name, 1, group)
    page = watched().open(f"#/runs/{name}")
    step = page.locator("dl div", has_text="Step").locator("dd").first
    expect(step).to_have_text("1")
    expect(page.locator("figure:visible .u-over")).not_to_have_count(0)
    scored(client, name, 2, group)
    expect(step).to_have_text("2")
    expect(page.locator("figure", has_text="Reward").first.locator("[role=img]")).to_have_attribute(
        "aria-label", "Reward over 2 steps; latest 1.00"
    )


def test_two_runs_are_laid_over_each_other(watched: Open, runs: dict[str, str]) -> None:
    page = watched().open(f"#/runs/{runs['steady']}")
    page.locator("#with").select_option(runs["collapsing"])
    expect(page.locator("h1")).to_have_text(f"{runs['steady']} and {runs['collapsing']}")
    assert page.url.endswith(f"?with={runs['collapsing']}")
    accuracy = page.locator("figure", has_text="Label accuracy")
    told = re.compile(f"over 40 steps; latest {runs['steady']}: 100 %, {runs['collapsing']}: ")
    expect(accuracy.locator("[role=img]")).to_have_attribute("aria-label", told)
    expect(page.locator(".heads .card")).to_have_count(2)
    page.locator("summary", has_text="Figures of the last").click()
    expect(page.locator("details[open] table")).to_have_count(2)


def test_from_a_run_to_a_reward_and_back_by_links(watched: Open, runs: dict[str, str]) -> None:
    page = watched().open(f"#/runs/{runs['collapsing']}")
    page.get_by_role("link", name="Questions in doubt").click()
    page.locator("table a").first.click()
    expect(page.locator("h1")).to_contain_text("Question math/")
    page.locator("table a").first.click()
    expect(page.locator("h1")).to_contain_text("Cohort of math/")
    expect(page.locator("#ballots tbody tr")).to_have_count(8)
    ballots = page.locator("#ballots").inner_text()
    assert "Its answer equals the label of its view" in ballots
    address = page.url
    page.locator(".crumbs a").nth(1).click()
    expect(page.locator("h1")).to_have_text(runs["collapsing"])
    page.goto(address)
    expect(page.locator("h1")).to_contain_text("Cohort of math/")


def test_an_abstention_is_explained(watched: Open, client: httpx.Client) -> None:
    name = run(client, "abstains")
    scored(client, name, 1, [rollout("q", "original", at, None) for at in range(8)])
    cohort = client.get("/v1/cohorts", params={"run": name, "question_id": "q"}).json()["cohorts"][0]["cohort"]
    page = watched().open(f"#/cohorts/{cohort}")
    expect(page.locator("#ballots")).to_contain_text("No reward (no-label)")
    why = "the label is elected by the policy on the original, which gave no answer."
    expect(page.locator("#ballots")).to_contain_text(f"No reward (no-label): {why}")
    expect(page.locator("main")).to_contain_text(f"The original has no reward: {why}")


def test_a_run_that_keeps_no_labels_of_questions_says_how_to_keep_them(watched: Open, client: httpx.Client) -> None:
    off, empty = run(client, "no-history", history=False), run(client, "no-labels-yet")
    page = watched().open(f"#/runs/{off}/questions")
    expect(page.locator("main")).to_contain_text(
        f'send the run\'s settings again with "history": true (PUT /v1/runs/{off})'
    )
    page.get_by_role("link", name="Look at its cohorts").click()
    expect(page.locator("main")).to_contain_text("No cohort is kept.")
    expect(watched().open(f"#/runs/{empty}/questions").locator("main")).to_contain_text("and has none yet")


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("#/runs/nobody", "there is no run 'nobody'"),
        ("#/cohorts/nobody", "there is no cohort"),
        ("#/paraphrases/nobody", "there is no job nobody"),
        ("#/nowhere/at/all", "leads nowhere"),
        ("#/runs/%E0%A4%A", "run"),
    ],
)
def test_what_is_not_there_is_said(watched: Open, address: str, words: str) -> None:
    at = watched()
    at.forgiven = ("error: Failed to load resource",)
    at.page.goto(f"{at.url}/{address}")
    expect(at.page.locator("main")).to_contain_text(words)


def test_the_service_shows_its_parts(watched: Open, runs: dict[str, str]) -> None:
    page = watched().open("#/service")
    expect(page.locator(".chip.good").first).to_have_text("able to serve")
    expect(page.locator("main")).to_contain_text("/v1/rewards")
    expect(page.locator("dl div", has_text="Memory").locator("dd").first).to_contain_text("MiB")


def test_the_page_works_by_keyboard(watched: Open, runs: dict[str, str]) -> None:
    page = watched().open("")
    page.keyboard.press("Tab")
    expect(page.locator("#skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_focused()
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('tbody') !== null"):
            break
    first = page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text(first)
    expect(page.locator("h1")).to_be_focused()


def test_a_phone_needs_no_sideways_scrolling(watched: Open, runs: dict[str, str]) -> None:
    at = watched(**PHONE)
    steady = f"#/runs/{runs['steady']}"
    for address in ("", f"{steady}?with={runs['collapsing']}", f"{steady}/questions", "#/service"):
        at.open(address)
        assert at.wide() <= 0, address


def test_dark_follows_the_system_and_the_button(watched: Open, runs: dict[str, str]) -> None:
    page = watched(color_scheme="dark").open("")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    assert page.evaluate(ground) == "rgb(20, 23, 27)"
    page.locator("#theme").click()
    assert page.evaluate(ground) == "rgb(255, 255, 255)"
    page.reload()
    assert page.evaluate(ground) == "rgb(255, 255, 255)"


def test_a_tab_that_nobody_sees_holds_no_connection(watched: Open, runs: dict[str, str]) -> None:
    """Also one that was opened behind others: a browser has six connections to a host."""
    at = watched()
    at.page.add_init_script("Object.defineProperty(document, 'hidden', { get: () => !window.shown })")
    asked: list[str] = []
    at.page.on("request", lambda request: asked.append(request.url))
    at.page.goto(f"{at.url}/#/runs/{runs['steady']}")
    expect(at.page.locator("h1")).to_have_text(runs["steady"])
    expect(at.page.locator("#with option")).not_to_have_count(1)  # the page has run
    assert not [url for url in asked if url.endswith("/events")]
    at.page.evaluate("window.shown = true; document.dispatchEvent(new Event('visibilitychange'))")
    expect(at.page.locator("#live")).to_have_text("live")
    expect(at.page.locator("figure:visible .u-over")).not_to_have_count(0)


def test_what_is_open_and_where_the_focus_is_stay_while_a_run_goes_on(watched: Open, client: httpx.Client) -> None:
    name = run(client, "stays-open")
    group = [rollout("q", "original", at, "4") for at in range(8)]
    scored(client, name, 1, group)
    page = watched().open(f"#/runs/{name}")
    settings = page.locator("summary", has_text="Settings")
    settings.click()
    expect(settings).to_be_focused()
    scored(client, name, 2, group)
    expect(page.locator("dl div", has_text="Step").locator("dd").first).to_have_text("2")
    expect(page.locator("details[open] dl")).to_be_visible()
    expect(settings).to_be_focused()


def test_the_focus_stays_in_the_service_view(watched: Open, runs: dict[str, str]) -> None:
    page = watched().open("#/service")
    table = page.get_by_role("region", name="By route")
    expect(table).to_be_visible()  # what is hidden takes no focus
    table.evaluate("table => { table.old = true; table.focus() }")
    expect(table).not_to_have_js_property("old", True, timeout=20_000)  # it was drawn again
    expect(table).to_be_focused()
