"""Start the processes of a service, and pass them their settings as environment variables."""

import contextlib
import difflib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import structlog
from pydantic import SecretStr

from reward_service.errors import Needing, SettingsError
from reward_service.generation.generator import OPENAI, VLLM_SERVER, Backend
from reward_service.logs import configure_logging
from reward_service.process_metrics import expose
from reward_service.processes import READY_FD, Beginning, dies_with_parent, end_unready
from reward_service.settings import PREFIX, Settings, settings_given
from reward_service.telemetry import registry_of

log = structlog.get_logger(__name__)

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
"""Before a process that was ready is started again."""
LONGEST_UNREADY_PAUSE_S = 60.0
"""Before one that dies again and again while it starts."""
SETTLED_AFTER_S = 10.0
KILLED_AFTER_S = 5.0
"""How much longer than it may take to stop."""
SECRETS = ("teacher_api_key", "paraphraser_api_key")
SOCKET_FD = "CO_REWARDING_SOCKET_FD"

AVERAGING = ("numpy", "numba", "safetensors")
"""What a teacher process imports, whatever runs its model."""
LOADING = ("safetensors", "torch", "transformers")

OTHERS = frozenset(
    {
        READY_FD,
        "CO_REWARDING_SOCKET_FD",  # of an API process
        "CO_REWARDING_API_KEY",  # of clients
        "CO_REWARDING_URL",  # these of a training run, docs/openrlhf.md
        "CO_REWARDING_RUN",
        "CO_REWARDING_METHOD",  # an adapter's, docs/integrations/trl.md
        "CO_REWARDING_SEED",
        "CO_REWARDING_WEIGHTS_DIR",
        "CO_REWARDING_PUBLISH_EVERY",
        "CO_REWARDING_LOADTEST_ORDER",
        "CO_REWARDING_CHAOS_S",  # these of tests, docs/testing.md
        "CO_REWARDING_CHAOS_SEED",
        "CO_REWARDING_FAILOVERS",
        "CO_REWARDING_FAILOVERS_SEED",
        "CO_REWARDING_STORE_KILLS",
    }
)
"""Those that are no settings of the service."""

MODULES: Mapping[str, str] = MappingProxyType(
    {
        "api": "reward_service.serving.api_process",
        "worker": "reward_service.serving.worker_process",
        "teacher": "reward_service.teaching.process",
        "paraphraser": "reward_service.paraphrasing.paraphraser",
    }
)


@dataclass(slots=True)
class Child:
    """A process that is kept alive. `failed_starts` times in a row a process died before it was ready."""

    role: str
    process: subprocess.Popen[bytes]
    beginning: Beginning
    started_s: float = field(default_factory=time.monotonic)
    pause_s: float = FIRST_PAUSE_S
    start_at_s: float | None = None
    failed_starts: int = 0
    reason: str | None = None

    def ended(self, now_s: float) -> None:
        """Note the death and set when the next process starts. A new reason for a failed start is logged."""
        self.beginning.hear()
        told: dict[str, object] = {"role": self.role, "code": self.process.returncode}
        if self.beginning.ready:
            settled = now_s - self.started_s > SETTLED_AFTER_S or self.failed_starts > 0
            pause_s = FIRST_PAUSE_S if settled else min(self.pause_s, LONGEST_PAUSE_S)
            self.pause_s, self.failed_starts, self.reason = 2 * pause_s, 0, None
            log.error("a process died; starting another", **told)
        else:
            doubled = min(self.failed_starts, 30)  # far more than the longest pause needs
            pause_s = min(FIRST_PAUSE_S * 2**doubled, LONGEST_UNREADY_PAUSE_S)
            self.failed_starts += 1
            told |= {"failed_starts": self.failed_starts, "again_in_s": round(pause_s, 1)}
            if self.beginning.reason is not None and self.beginning.reason != self.reason:
                self.reason = told["reason"] = self.beginning.reason
            log.error("a process died before it was ready; starting another", **told)
        self.start_at_s = now_s + pause_s

    def successor(self, environment: Mapping[str, str], pass_fds: tuple[int, ...] = ()) -> "Child":
        """Start another process in place of this one, with its pauses and failures.

        Raises:
            OSError: it cannot be started now.
        """
        after = started(self.role, environment, pass_fds)
        after.pause_s, after.failed_starts, after.reason = self.pause_s, self.failed_starts, self.reason
        return after


def started(role: str, environment: Mapping[str, str], pass_fds: tuple[int, ...] = ()) -> Child:
    """Start a process of this role.

    Raises:
        OSError: it cannot be started now.
    """
    beginning = Beginning()
    try:
        process = subprocess.Popen(  # noqa: S603 - our own modules
            dies_with_parent([sys.executable, "-m", MODULES[role]]),
            env={**environment, READY_FD: str(beginning.writing)},
            pass_fds=(*pass_fds, beginning.writing),
            start_new_session=True,  # Ctrl-C reaches this process alone, which then stops the others in order
        )
    except BaseException:
        beginning.close()
        raise
    finally:
        beginning.give()
    return Child(role, process, beginning)


def stop(children: Sequence[Child], within_s: float) -> None:
    """Ask all processes to stop, and kill those that have not stopped in time."""
    processes = [child.process for child in children]
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
    deadline_s = time.monotonic() + within_s + KILLED_AFTER_S
    for process in processes:
        try:
            process.wait(max(0.1, deadline_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for child in children:
        child.beginning.close()


def expose_children(settings: Settings, folder: str) -> Callable[[], None]:
    """Serve the summed metrics of a folder's processes at the settings' metrics port; return how to end it.

    Raises:
        SettingsError: the port cannot be bound.
    """
    return expose(registry_of(folder), settings.metrics_host, settings.metrics_port or 0)


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


def require_installed(settings: Settings) -> None:
    """Check that the packages for traces, and for the processes of the models, are installed.

    Raises:
        NotInstalledError: one of them would lack a package; the message says how to install it.
    """
    if settings.traces is not None:
        with Needing("traces", "otel", "opentelemetry.sdk", "opentelemetry.exporter"):
            pass
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


def unknown_variables(names: Iterable[str]) -> list[str]:
    """Return a sentence on each name with our prefix that is no variable of ours; case does not matter."""
    settings = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    unknown = (name for name in sorted(names) if name.upper().startswith(PREFIX))
    return [_told(name, settings | OTHERS) for name in unknown if name.upper() not in settings and name not in OTHERS]


def _told(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name.upper(), sorted(known), n=1, cutoff=0.8)
    advice = f"did you mean {near[0]}?" if near else "docs/operations.md has those that there are"
    return f"{name} in the environment is unknown and changes nothing: {advice}"
