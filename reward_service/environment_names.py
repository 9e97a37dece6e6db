"""Which variables of the environment are ours, so that a misspelt one is told of instead of being passed over."""

import difflib
from collections.abc import Iterable

from reward_service.readiness import READY_FD
from reward_service.settings import PREFIX, Settings

OTHERS = frozenset(
    {
        READY_FD,
        "CO_REWARDING_SOCKET_FD",  # of an API process
        "CO_REWARDING_API_KEY",  # of clients
        "CO_REWARDING_URL",  # these of a training run, docs/openrlhf.md
        "CO_REWARDING_RUN",
        "CO_REWARDING_SEED",
        "CO_REWARDING_WEIGHTS_DIR",
        "CO_REWARDING_PUBLISH_EVERY",
        "CO_REWARDING_LOADTEST_ORDER",
        "CO_REWARDING_CHAOS_S",  # these of tests, docs/testing.md
        "CO_REWARDING_CHAOS_SEED",
        "CO_REWARDING_STORE_KILLS",
    }
)
"""Those that are no settings of the service."""


def unknown_variables(names: Iterable[str]) -> list[str]:
    """A sentence on each name that looks like one of ours and is none; settings are read in capitals or without."""
    settings = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    unknown = (name for name in sorted(names) if name.upper().startswith(PREFIX))
    return [_told(name, settings | OTHERS) for name in unknown if name.upper() not in settings and name not in OTHERS]


def _told(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name.upper(), sorted(known), n=1, cutoff=0.8)
    advice = f"did you mean {near[0]}?" if near else "docs/operations.md has those that there are"
    return f"{name} in the environment is unknown and changes nothing: {advice}"
