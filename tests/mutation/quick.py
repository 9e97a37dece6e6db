"""A pytest plugin: a mutant is found by the first example that fails, of fewer, which need not be a short one."""

from hypothesis import Phase, settings


def pytest_configure() -> None:
    """After tests/conftest.py has loaded its profile."""
    quick = [Phase.explicit, Phase.generate]
    settings.register_profile(
        "mutants", settings.get_profile("suite"), phases=quick, database=None, derandomize=True, max_examples=40
    )
    settings.load_profile("mutants")
