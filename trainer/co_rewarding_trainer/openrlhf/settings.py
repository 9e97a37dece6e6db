"""Define the environment variables of the driver and of Ray's workers."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from co_rewarding_trainer.openrlhf.errors import TrainingSettingsError

PREFIX = "CO_REWARDING_"


@dataclass(frozen=True)
class TrainingSettings:
    """The variables CO_REWARDING_*, read once. Ray's workers get these settings with the strategy.

    Attributes:
        url: where the service is; needed by the agent and for publishing.
        run: the run at the service.
        api_key: sent as Bearer.
        weights_dir: the weights folder of the service, as this machine sees it.
        publish_every: rollout batches from one publication of the weights to the next; 0 is never.
        teacher: whether a teacher makes the labels; questions are then announced to the teacher.
        seed: of the order of the questions.
        attempt: seconds since the epoch when this training process was started. A run that is resumed, or begun
            again, goes through steps that the service knows: a higher attempt tells them apart.
    """

    url: str = ""
    run: str = "default"
    api_key: str | None = field(default=None, repr=False)
    weights_dir: Path | None = None
    publish_every: int = 0
    teacher: bool = False
    seed: int = 0
    attempt: int = 0

    @property
    def publishes(self) -> bool:
        """Returns whether weights are published for a teacher."""
        return self.publish_every > 0

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "TrainingSettings":
        """Reads the settings from `environ`.

        Raises:
            TrainingSettingsError: a variable has a wrong value, or the service or the weights folder is needed and not
                given.
        """
        weights_dir = environ.get("CO_REWARDING_WEIGHTS_DIR")
        settings = cls(
            url=environ.get("CO_REWARDING_URL", ""),
            run=environ.get("CO_REWARDING_RUN") or "default",
            api_key=environ.get("CO_REWARDING_API_KEY") or None,
            weights_dir=Path(weights_dir) if weights_dir else None,
            publish_every=_count(environ, "CO_REWARDING_PUBLISH_EVERY", 0),
            teacher=_flag(environ, "CO_REWARDING_TEACHER"),
            seed=_count(environ, "CO_REWARDING_SEED", 0),
            attempt=int(time.time()),
        )
        if settings.publishes and not (settings.url and settings.weights_dir):
            raise TrainingSettingsError(
                "CO_REWARDING_PUBLISH_EVERY asks for the weights to be published: set CO_REWARDING_URL and "
                "CO_REWARDING_WEIGHTS_DIR too, or set it to 0."
            )
        if settings.teacher and not settings.url:
            raise TrainingSettingsError(
                "CO_REWARDING_TEACHER says that a teacher labels: set CO_REWARDING_URL too, or set it to 0."
            )
        return settings


def handed_down(environ: Mapping[str, str]) -> dict[str, str]:
    """Selects the variables that Ray's workers need, wherever they run."""
    return {name: value for name, value in environ.items() if name.startswith(PREFIX)}


def _flag(environ: Mapping[str, str], name: str) -> bool:
    text = environ.get(name) or "0"
    if text not in {"0", "1"}:
        raise TrainingSettingsError(f"{name} is {text!r}: give 1 or 0.")
    return text == "1"


def _count(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name)
    if not text:
        return default
    try:
        count = int(text)
    except ValueError as cause:
        raise TrainingSettingsError(f"{name} is {text!r}: give a whole number.") from cause
    if count < 0:
        raise TrainingSettingsError(f"{name} is {count}: give 0 or more.")
    return count
