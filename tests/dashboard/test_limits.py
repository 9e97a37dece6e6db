"""Figures and names at the limits of what the wire takes are drawn, and neither hang nor widen the page."""

import re
from collections.abc import Callable, Sequence

import httpx
import pytest
from co_rewarding_schema.limits import MAX_COUNT
from co_rewarding_schema.run_names import MAX_RUN_CHARS

from tests.dashboard.browsing import Watched
from tests.dashboard.seeding import run, scored
from tests.support.service import rollout

expect = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed").expect
Open = Callable[..., Watched]
PHONE = {"viewport": {"width": 390, "height": 800}, "is_mobile": True}


def certain(client: httpx.Client, name: str, rewards: Sequence[float], steps: Sequence[int] = ()) -> str:
    """A run whose steps have these rewards."""
    run(client, name, method="self-certainty", group_size=1)
    for step, reward in zip(steps or range(len(rewards)), rewards, strict=True):
        sent = rollout("q", "original", 0, "4", statistics={"self_certainty": reward})
        scored(client, name, step, [sent])
    return name


REWARDS = {
    "close": (1e15, 1e15 + 0.25, 1e15 + 0.125),
    "tiny": (5e-324, 1e-320, 0.0),
    "far": (-1e99, 1e99),
    "too-large": (1.0, -1.7e308, 1.7e308, 2.0),
    "negative": (-5.0, -4.0, -1.0),
}


@pytest.mark.parametrize("kind", REWARDS)
def test_any_rewards_are_drawn(watched: Open, client: httpx.Client, kind: str) -> None:
    name = certain(client, f"rewards-{kind}", REWARDS[kind])
    page = watched().open(f"#/runs/{name}")
    expect(page.locator("figure", has_text="Reward").locator(".u-over")).to_be_visible()
    said = f"Reward over {len(REWARDS[kind])} steps"
    expect(page.locator("figure", has_text="Reward").locator("[role=img]")).to_have_attribute(
        "aria-label", re.compile(said)
    )
    page.locator("header nav").get_by_role("link", name="Runs").click()
    expect(page.locator(f'tr[data-run="{name}"] svg').first).to_be_visible()


@pytest.mark.parametrize(
    "steps", [(MAX_COUNT - 1, MAX_COUNT), (0, MAX_COUNT), (MAX_COUNT,)], ids=["close", "far", "one"]
)
def test_any_steps_are_drawn(watched: Open, client: httpx.Client, steps: tuple[int, ...]) -> None:
    """Ticks between steps that are too close for numbers were looked for without an end."""
    name = certain(client, f"steps-{len(steps)}-{steps[0]}", [1.0] * len(steps), steps)
    page = watched().open(f"#/runs/{name}")
    figure = page.locator("figure", has_text="Reward")
    expect(figure.locator(".u-over")).to_be_visible()
    figure.locator(".u-over").hover()
    expect(figure.locator(".latest")).to_contain_text("step ")
    assert int(figure.locator(".latest").inner_text().split()[1]) in steps


def test_names_of_any_length_fit_a_phone(watched: Open, client: httpx.Client) -> None:
    names = [certain(client, letter * MAX_RUN_CHARS, [1.0]) for letter in "xW"]
    at = watched(**PHONE)
    for address in ("", f"#/runs/{names[0]}?with={names[1]}", f"#/runs/{names[0]}/questions"):
        at.open(address)
        assert at.wide() <= 0, address


def test_a_large_cohort_is_shown_a_part_at_a_time(watched: Open, client: httpx.Client) -> None:
    """Each ballot is a class of its own."""
    run(client, "large", group_size=1200)
    told = scored(client, "large", 1, [rollout("q", "original", at, f"{at}{'x' * 60}") for at in range(1200)])
    page = watched().open(f"#/cohorts/{told['labels'][0]['cohort']}")
    ballots = page.locator("#ballots tbody tr")
    expect(ballots).to_have_count(500)
    more = page.locator("#ballots ~ button")
    expect(more).to_have_text("Show 500 more of 1200")
    more.click()
    more.click()
    expect(ballots).to_have_count(1200)
    expect(more).to_be_hidden()
