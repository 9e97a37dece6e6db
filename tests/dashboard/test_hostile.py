"""Nothing that a response, an id or a paraphrase says can run in the page, leave the service or break it."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import httpx
import pytest

from reward_service.domain.paraphrases.rewriting import Question
from reward_service.serving.supervisor import Supervisor
from tests.api.paraphrase_jobs import done
from tests.dashboard.browsing import Watched
from tests.dashboard.hostile_texts import DEEP, HOSTILE, MOVING, UNSEEN
from tests.dashboard.seeding import hostile, paraphrased, run
from tests.dashboard.services import served
from tests.support.scripted_rewriter import ScriptedRewriter, paraphrasing

if TYPE_CHECKING:
    from playwright.sync_api import Page

expect = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed").expect
Open = Callable[..., Watched]


@pytest.fixture(scope="module")
def attacked() -> Iterator[Supervisor]:
    with served() as supervisor:
        yield supervisor


@pytest.fixture(scope="module")
def attacker(attacked: Supervisor) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=attacked.url, timeout=60.0) as client:
        yield client


MOVED_OUT = """(pair) => [...pair.querySelectorAll('.texts > div')].flatMap((text) => {
  const place = text.getBoundingClientRect()
  return [...text.querySelectorAll('.katex *')].map((each) => each.getBoundingClientRect())
    .map((each) => [each.x + each.width / 2, each.y + each.height / 2])
    .filter(([x, y]) => x < place.left || x > place.right || y < place.top || y > place.bottom)
    .filter(([x, y]) => text.contains(document.elementFromPoint(x, y)))
})"""
"""What of the formulas of a pair is seen outside of its own text."""


def show_all(page: "Page") -> None:
    """Asks for more of a list until there is no more."""
    more = page.locator("button.more")
    while more.is_visible():
        more.click()
        expect(page.locator("button.more:disabled:visible")).to_have_count(0)


def test_there_are_two_hundred() -> None:
    assert len(set(HOSTILE)) == 200


def test_answers_and_truths_are_texts(watched: Open, attacked: Supervisor, attacker: httpx.Client) -> None:
    cohort = hostile(attacker, "hostile", HOSTILE)
    at = watched(attacked.url)
    page = at.open(f"#/cohorts/{cohort}")
    expect(page.locator("#ballots tbody tr")).to_have_count(len(HOSTILE))
    told = attacker.get(f"/v1/cohorts/{cohort}").json()
    shown = page.locator('#ballots td[data-name="Answer"] code').all_text_contents()
    assert len(shown) == sum(ballot["answer"] is not None for ballot in told["ballots"])
    assert any("<script>hacked()</script>" in text for text in shown)
    assert not any(mark in text for text in shown for mark in "\u202e\u200b\x00")
    assert page.locator("main script, main iframe, main img, main form, main style, main base, main meta").count() == 0
    assert at.wide() <= 0


def test_ids_are_texts_and_their_addresses_work(watched: Open, attacked: Supervisor, attacker: httpx.Client) -> None:
    hostile(attacker, "hostile-ids", HOSTILE)
    at = watched(attacked.url)
    page = at.open("#/runs/hostile-ids/questions?sort=share")
    show_all(page)
    addresses = page.locator("main table a").evaluate_all("links => links.map((each) => each.getAttribute('href'))")
    assert len(addresses) >= 100
    assert all(address.startswith("#/runs/hostile-ids/question?id=") for address in addresses)
    for address in addresses[::20]:
        at.open(address)
        expect(page.locator("main table tbody tr")).not_to_have_count(0)
    assert at.wide() <= 0


def test_paraphrases_are_texts(watched: Open, attacked: Supervisor, attacker: httpx.Client) -> None:
    def script(question: Question) -> str:
        return f"{question.question} {question.question[::-1]}"

    with paraphrasing(attacked.redis_url, ScriptedRewriter(script)):
        job = paraphrased(attacker, [text[:2000] for text in HOSTILE])
        done(attacker, job)
    at = watched(attacked.url)
    page = at.open(f"#/paraphrases/{job}")
    show_all(page)
    expect(page.locator("article.pair")).to_have_count(len(HOSTILE))
    assert page.locator("main script, main iframe, main img, main style, main a[href^=javascript]").count() == 0
    assert at.wide() <= 0


def test_settings_are_texts(watched: Open, attacked: Supervisor, attacker: httpx.Client) -> None:
    model = f"{HOSTILE[0]} \u202e __proto__"
    name = run(attacker, "hostile-settings", method="co-rewarding-ii", teacher_model=model, end_tokens=[HOSTILE[1]])
    page = watched(attacked.url).open(f"#/runs/{name}")
    page.locator("summary", has_text="Settings").click()
    shown = page.locator("details[open] dl")
    expect(shown).to_contain_text(f"{HOSTILE[0]} <U+202E> __proto__")
    expect(shown).to_contain_text(HOSTILE[1])


@pytest.fixture(scope="module")
def set_job(attacked: Supervisor, attacker: httpx.Client) -> str:
    """A job whose questions are hostile TeX, each with a harmless formula."""
    with paraphrasing(attacked.redis_url, ScriptedRewriter(lambda question: f"{question.question} $y_1$")):
        job = paraphrased(attacker, [*DEEP, *MOVING, *UNSEEN])
        done(attacker, job)
    return job


def test_no_tex_is_too_deep_to_be_shown(watched: Open, attacked: Supervisor, set_job: str) -> None:
    """Deep ones ended the browser's process when they were laid out."""
    at = watched(attacked.url)
    at.forgiven = ("warning: No character metrics",)
    page = at.open(f"#/paraphrases/{set_job}")
    show_all(page)
    expect(page.locator("article.pair")).to_have_count(len(DEEP) + len(MOVING) + len(UNSEEN))
    expect(page.locator(".paraphrase .formula .katex", has_text="y")).not_to_have_count(0)
    for text, pair in zip(DEEP, page.locator("article.pair").all(), strict=False):
        expect(pair.locator(".original .formula")).to_have_text(text)
    page.evaluate("document.documentElement.scrollHeight")


def test_no_tex_moves_out_of_its_own_text(watched: Open, attacked: Supervisor, set_job: str) -> None:
    at = watched(attacked.url)
    at.forgiven = ("warning: No character metrics",)
    page = at.open(f"#/paraphrases/{set_job}")
    show_all(page)
    for pair in page.locator("article.pair").all()[len(DEEP) : len(DEEP) + len(MOVING)]:
        pair.scroll_into_view_if_needed()
        expect(pair.locator(".original .katex")).not_to_have_count(0)
        assert pair.evaluate(MOVED_OUT) == [], pair.inner_text()
    assert at.wide() <= 0


def test_marks_that_cannot_be_seen_are_written(watched: Open, attacked: Supervisor, set_job: str) -> None:
    at = watched(attacked.url)
    at.forgiven = ("warning: No character metrics",)
    page = at.open(f"#/paraphrases/{set_job}")
    show_all(page)
    pairs = page.locator("article.pair").all()[-len(UNSEEN) :]
    for text, pair in zip(UNSEEN, pairs, strict=True):
        expect(pair.locator(".original .katex")).to_have_count(0)
        shown = pair.locator(".original p").inner_text()
        assert "<U+" in shown or "@char" in text
        assert not any(mark in shown for mark in "\u202e\u202c\u200b\ufe0f\u3164\U000e0041")


@pytest.mark.parametrize("header", ["content-security-policy", "x-content-type-options", "referrer-policy"])
def test_each_file_of_the_page_is_sent_with_its_headers(attacker: httpx.Client, header: str) -> None:
    for path in ("/", "/page/main.js", "/page/style.css", "/page/uplot/uPlot.iife.min.js", "/page/katex/katex.min.css"):
        answer = attacker.get(path)
        assert answer.status_code == 200, path
        assert header in answer.headers


def test_the_policy_lets_no_text_run(attacker: httpx.Client) -> None:
    written = attacker.get("/").headers["content-security-policy"]
    policy = dict(part.split(" ", 1) for part in written.split("; "))
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
    assert {policy[name] for name in policy if name.endswith("-src") and name != "default-src"} == {"'self'"}
    assert policy["require-trusted-types-for"] == "'script'"
