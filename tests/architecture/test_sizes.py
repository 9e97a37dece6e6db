"""A module is read in one sitting: 300 lines at most."""

from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PACKAGES = ("reward_service", "clients", "trainer")
MOST_LINES = 300
LARGER = {
    "clients/co_rewarding_client/calls.py": 330,
    "clients/co_rewarding_client/decoding.py": 311,
}
"""Modules that are larger, and how large; the numbers only fall."""


def test_no_module_is_larger_than_it_may_be() -> None:
    lines = {
        path.relative_to(REPOSITORY).as_posix(): len(path.read_text().splitlines())
        for package in PACKAGES
        for path in (REPOSITORY / package).rglob("*.py")
    }
    assert {name: count for name, count in lines.items() if count > LARGER.get(name, MOST_LINES)} == {}
    assert {name for name, most in LARGER.items() if lines[name] <= MOST_LINES} == set()
