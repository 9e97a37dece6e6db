"""How a parent hands its settings to the processes it starts."""

import json
import os

from pydantic import SecretStr

from reward_service.errors import SettingsError
from reward_service.readiness import end_unready
from reward_service.settings import PREFIX, Settings, settings_given
from reward_service.telemetry import configure_logging

SECRETS = ("teacher_api_key", "paraphraser_api_key")
SOCKET_FD = "CO_REWARDING_SOCKET_FD"


def environment_of(settings: Settings) -> dict[str, str]:
    """The settings as variables of the environment, keys included: a process's environment is its owner's alone."""
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
    """The settings of this process, with its logs set up by them; one that cannot be ends it with a line."""
    try:
        settings = settings_given()
    except SettingsError as error:
        end_unready(error, 2)
    set_up_logging(settings)
    return settings


def set_up_logging(settings: Settings) -> None:
    """Logs for a person at a terminal, or as JSON for a collector."""
    configure_logging(as_json=settings.log_json, level=settings.log_level)
