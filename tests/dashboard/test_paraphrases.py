"""Paraphrase jobs and their pairs in the page: verdicts, words that differ, formulas."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import httpx
import pytest

from reward_service.domain.paraphrases.rewriting import Question
from reward_service.serving.supervisor import Supervisor
from tests.api.paraphrase_jobs import done
from tests.dashboard.browsing import Watched
from tests.dashboard.seeding import paraphrased
from tests.support.scripted_rewriter import ScriptedRewriter, in_other_words, paraphrasing

if TYPE_CHECKING:
    from playwright.sync_api import Route

expect = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed").expect
Open = Callable[..., Watched]
APPLES = "A box has 3 apples. How many apples are in 12 boxes?"
FORMULA = r"A box has $\frac{6}{2}$ apples. How many apples are in 12 boxes?"


def scripted(question: Question) -> str:
    """A paraphrase; of the last question one with another number."""
    told = in_other_words(question)
    return told.replace("12", "13") if question.question_id == "q2" else told


@pytest.fixture(scope="module")
def job(service: Supervisor) -> str:
    with (
        httpx.Client(base_url=service.url, timeout=60.0) as client,
        paraphrasing(service.redis_url, ScriptedRewriter(scripted)),
    ):
        made = paraphrased(client, [APPLES, FORMULA, APPLES + " Say why."])
        done(client, made)
        return made


def test_a_job_is_listed_with_its_progress(watched: Open, job: str) -> None:
    page = watched().open("#/paraphrases")
    row = page.locator("tbody tr", has_text=job)
    expect(row).to_contain_text("3 of 3")
    expect(row.get_by_role("progressbar")).to_have_attribute("aria-label", "3 of 3 questions are done")
    row.get_by_role("link").click()
    expect(page.locator("h1")).to_have_text(f"Job {job}")
    expect(page.locator("article.pair")).to_have_count(3)


def test_words_that_differ_are_marked_on_both_sides(watched: Open, job: str) -> None:
    page = watched().open(f"#/paraphrases/{job}")
    pair = page.locator("article.pair").first
    assert pair.locator(".original mark").all_text_contents() == ["A", "box", "has", "How", "many", "are"]
    assert "number" in pair.locator(".paraphrase mark").all_text_contents()
    assert "apples" not in pair.locator("mark").all_text_contents()


def test_formulas_are_set(watched: Open, job: str) -> None:
    page = watched().open(f"#/paraphrases/{job}")
    formula = page.locator("article.pair").nth(1).locator(".original .formula")
    expect(formula.locator(".katex .mfrac")).to_be_visible()
    expect(formula).to_have_attribute("aria-label", r"\frac{6}{2}")


def test_a_rejected_pair_says_why(watched: Open, job: str) -> None:
    page = watched().open(f"#/paraphrases/{job}")
    page.get_by_label("Show", exact=True).select_option("rejected")
    expect(page.locator("article.pair")).to_have_count(1)
    pair = page.locator("article.pair")
    expect(pair).to_contain_text("left-out")
    expect(pair.locator("ul.why li")).not_to_have_count(0)
    expect(pair).to_contain_text("numbers_kept")


@pytest.mark.parametrize(
    ("view", "asked", "status"),
    [("paraphrases", "jobs*", 429), ("paraphrases/{job}", "jobs/*", 503), ("service", "metrics", 429)],
)
def test_what_passes_ends_no_view(watched: Open, job: str, view: str, asked: str, status: int) -> None:
    at = watched()
    at.forgiven = ("error: Failed to load resource",)
    page = at.open(f"#/{view.format(job=job)}")
    title = page.locator("h1").text_content() or ""
    expect(page.locator("#live")).to_have_text("live")
    page.route(f"**/{asked}", lambda route: route.fulfill(status=status, json={"title": "busy"}))
    expect(page.locator("#live")).to_contain_text("connection lost", timeout=20_000)
    expect(page.locator("h1")).to_have_text(title)
    page.unroute(f"**/{asked}")
    expect(page.locator("#live")).to_have_text("live", timeout=20_000)


def test_a_job_that_is_gone_ends_its_view(watched: Open, job: str) -> None:
    at = watched()
    at.forgiven = ("error: Failed to load resource",)
    page = at.open(f"#/paraphrases/{job}")
    page.route("**/jobs/*", lambda route: route.fulfill(status=404, json={"title": "gone", "detail": "it is gone"}))
    expect(page.locator("main")).to_contain_text("it is gone", timeout=20_000)


def test_a_look_that_a_view_leaves_behind_says_nothing_of_the_next(watched: Open) -> None:
    at = watched()
    page = at.open("#/service")
    with page.expect_request("**/metrics"):
        page.route("**/metrics", lambda route: None)  # it is never answered
    page.evaluate("location.hash = '#/nowhere'")
    expect(page.locator("h1")).not_to_have_text("Service")
    expect(page.locator("#live")).to_have_text("")


def test_pairs_of_an_outcome_that_is_no_longer_shown_are_left_out(
    watched: Open, client: httpx.Client, job: str
) -> None:
    told = client.get(f"/v1/paraphrases/jobs/{job}/results", params={"partial": True}).text
    page, held = watched().open(f"#/paraphrases/{job}"), list["Route"]()
    page.route("**/results*", lambda route: held.append(route))
    show = page.get_by_label("Show", exact=True)
    for number, outcome in enumerate(("rewritten", "rejected"), start=1):
        show.select_option(outcome)
        while len(held) < number:
            page.wait_for_timeout(10)
    for route in held:
        route.fulfill(body=told)
    expect(page.locator("article.pair")).to_have_text([re.compile("left-out")])
