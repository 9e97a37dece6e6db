# pyright: standard, reportMissingImports=false
"""Start, find and stop a service within a Ray cluster: what drivers use, and the commands."""

import secrets
import time
from dataclasses import dataclass
from typing import Any

import ray
from co_rewarding_client.ray_address import NAMESPACE, look_up
from co_rewarding_schema.errors import CoRewardingError
from pydantic import SecretStr
from ray.exceptions import RayError

from reward_service.errors import SettingsError
from reward_service.on_ray.config import DEFAULT_NAME, RayConfig
from reward_service.on_ray.placement import HEAD, node_named, nodes_of
from reward_service.on_ray.supervisor import RaySupervisor, ServicePlan
from reward_service.store.embedded import NetworkDoor

LOOK_S = 0.2
ANSWERS_WITHIN_S = 60.0
ON_THE_HEAD = 0.001
"""Of the head's own resource: the supervisor runs where the cluster ends if it dies."""


@dataclass(frozen=True, slots=True)
class RayService:
    """A service within the Ray cluster that this process has joined."""

    name: str
    _supervisor: Any

    @property
    def url(self) -> str:
        """What a trainer is told in place of an address: clients look it up, and need no key."""
        return f"ray://{self.name}"

    def urls(self) -> tuple[str, ...]:
        """Return the URLs of the API replicas, that of this node first."""
        return look_up(self.name).urls

    def api_key(self) -> str | None:
        """Return the key that `up` made; None where the configuration names keys."""
        return look_up(self.name).api_key

    def status(self) -> dict[str, Any]:
        """Return what runs where, as plain values.

        Raises:
            CoRewardingError: the service's supervisor does not answer.
        """
        return self._asked("status")

    def wait_ready(self, within_s: float = 120.0) -> None:
        """Return when every part runs.

        Raises:
            CoRewardingError: some do not run in time; the message says what keeps them.
        """
        deadline_s = time.monotonic() + within_s
        while not (status := self.status())["ready"]:
            if time.monotonic() > deadline_s:
                missing = [part for part in status["parts"] if part["state"] != "running"]
                told = "; ".join(f"{each['name']} is {each['state']}: {each['reason'] or '…'}" for each in missing)
                raise CoRewardingError(
                    f"the service {self.name!r} is not whole after {within_s:g} s ({told or 'it has begun nothing'}). "
                    "A part that is starting may wait for CPUs or GPUs that others have: ray status. The service goes "
                    "on trying."
                )
            time.sleep(LOOK_S)

    def down(self) -> None:
        """Stop all parts in order, and let go of the name. What was settled stays in the store.

        Raises:
            CoRewardingError: the service's supervisor does not answer.
        """
        self._asked("down", None)
        ray.kill(self._supervisor, no_restart=True)
        deadline_s = time.monotonic() + ANSWERS_WITHIN_S
        while _supervisor_of(self.name) is not None and time.monotonic() < deadline_s:
            time.sleep(LOOK_S)

    def _asked(self, method: str, within_s: float | None = ANSWERS_WITHIN_S) -> Any:  # noqa: ANN401 - plain values
        try:
            return ray.get(getattr(self._supervisor, method).remote(), timeout=within_s)
        except RayError as cause:
            raise CoRewardingError(f"the supervisor of the service {self.name!r} does not answer: {cause}") from cause


def connect(name: str = DEFAULT_NAME) -> RayService:
    """Return the service of this name in the cluster that this process has joined by `ray.init`.

    Raises:
        SettingsError: none is up.
    """
    supervisor = _supervisor_of(name)
    if supervisor is None:
        raise SettingsError(f"no service {name!r} is up on this cluster: co-rewarding ray up CONFIG.toml")
    return RayService(name, supervisor)


def up(config: RayConfig) -> RayService:
    """Start a service in the cluster that this process has joined by `ray.init`; it outlives this process.

    A service that is up with the same configuration stays as it is. Use `wait_ready` to wait for its parts.

    Raises:
        SettingsError: the configuration does not fit the cluster, or another service has the name.
    """
    plan = _plan(config)
    supervisor = (
        ray.remote(RaySupervisor)
        .options(
            name=config.name,
            namespace=NAMESPACE,
            lifetime="detached",
            get_if_exists=True,
            max_restarts=-1,
            max_task_retries=-1,
            num_cpus=0,
            resources={HEAD: ON_THE_HEAD},
            runtime_env=dict(config.runtime_env) or None,
        )
        .remote(plan)
    )
    service = RayService(config.name, supervisor)
    if service._asked("plan") != config.model_dump_json():
        raise SettingsError(
            f"a service {config.name!r} is up with another configuration: co-rewarding ray down --name {config.name} "
            "first, or give this one another name"
        )
    return service


def _supervisor_of(name: str) -> Any:  # noqa: ANN401 - an actor's handle
    try:
        return ray.get_actor(name, namespace=NAMESPACE)
    except ValueError:
        return None


def _plan(config: RayConfig) -> ServicePlan:
    """Make what the file leaves open: a key where there is none, and the store's password."""
    settings, key = config.settings(), None
    if not settings.access().grants:
        key = secrets.token_urlsafe(24)
        settings = settings.model_copy(update={"api_keys": [SecretStr(key)]})
    if settings.redis_url is not None:
        return ServicePlan(config, settings, key)
    node = node_named(nodes_of(ray.nodes()), config.store.node)
    door = NetworkDoor(node.address, config.store.port, secrets.token_urlsafe(24))
    return ServicePlan(config, settings.model_copy(update={"redis_url": door.url}), key, node, door)
