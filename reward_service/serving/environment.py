"""Pass settings to processes as environment variables; check variables and packages before a start."""

import difflib
import json
import os
from collections.abc import Iterable

from pydantic import SecretStr

from reward_service.errors import Needing, SettingsError
from reward_service.generation.generator import OPENAI, VLLM_SERVER, Backend
from reward_service.processes import READY_FD, end_unready
from reward_service.settings import PREFIX, Settings, settings_given
from reward_service.telemetry import configure_logging

SECRETS = ("teacher_api_key", "paraphraser_api_key")
SOCKET_FD = "CO_REWARDING_SOCKET_FD"


def environment_of(settings: Settings) -> dict[str, str]:
    """Return the settings as variables, keys included: a process's environment is readable by its owner alone."""
    values = settings.model_dump(mode="json", exclude={"api_keys", *SECRETS}, exclude_none=True)
    given = {
        f"{PREFIX}{name.upper()}": value if isinstance(value, str) else json.dumps(value)
        for name, value in values.items()
    }
    given[f"{PREFIX}API_KEYS"] = json.dumps([key.get_secret_value() for key in settings.api_keys])
    for name in SECRETS:
        secret: SecretStr | None = getattr(settings, name)
        if secret is not None:
            given[f"{PREFIX}{name.upper()}"] = secret.get_secret_value()
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)} | given


def settings_from_environment() -> Settings:
    """Read the settings of this process and set up its logs. Bad settings end the process with a line."""
    try:
        settings = settings_given()
    except SettingsError as error:
        end_unready(error, 2)
    set_up_logging(settings)
    return settings


def set_up_logging(settings: Settings) -> None:
    """Set up logs for a person at a terminal, or as JSON for a collector."""
    configure_logging(as_json=settings.log_json, level=settings.log_level)


AVERAGING = ("numpy", "numba")
"""What a teacher process imports, whatever runs its model."""
LOADING = ("safetensors", "torch", "transformers")


def require_installed(settings: Settings) -> None:
    """Check that the packages for the processes of the models are installed.

    Raises:
        NotInstalledError: one of them would lack a package; the message says how to install it.
    """
    if settings.teacher is not None:
        _require("a teacher", settings.teacher, settings.teacher_backend, AVERAGING)
    if settings.paraphraser is not None:
        _require("a paraphraser", settings.paraphraser, settings.paraphraser_backend, ())


def _require(what: str, model: str, backend: str, always: tuple[str, ...]) -> None:
    own = backend == Backend.VLLM
    if model.startswith(OPENAI):
        packages = always
    elif model.startswith(VLLM_SERVER):
        packages = (*always, "safetensors")
    else:
        packages = (*always, *LOADING, *(("vllm",) if own else ()))
    with Needing(what, "vllm" if own else "local", *packages):
        pass  # they are imported in processes of their own


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
    """Return a sentence on each name with our prefix that is no variable of ours; case does not matter."""
    settings = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    unknown = (name for name in sorted(names) if name.upper().startswith(PREFIX))
    return [_told(name, settings | OTHERS) for name in unknown if name.upper() not in settings and name not in OTHERS]


def _told(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name.upper(), sorted(known), n=1, cutoff=0.8)
    advice = f"did you mean {near[0]}?" if near else "docs/operations.md has those that there are"
    return f"{name} in the environment is unknown and changes nothing: {advice}"
