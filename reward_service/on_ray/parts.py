# pyright: standard, reportMissingImports=false
"""Run the processes of one role on one node of the cluster, as an actor."""

import contextlib
import os
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import ray
from co_rewarding_schema.errors import CoRewardingError

from reward_service.processes import raise_open_files_limit
from reward_service.serving.children import set_up_logging
from reward_service.serving.supervisor import Supervisor
from reward_service.settings import Settings
from reward_service.store.embedded import NetworkDoor


class Role(StrEnum):
    """What a part does."""

    STORE = "store"
    API = "api"
    WORKER = "worker"
    TEACHER = "teacher"
    PARAPHRASER = "paraphraser"


@dataclass(frozen=True, slots=True)
class PartOrder:
    """What a part runs: its role, its number among those of the role or its node's id, and the settings."""

    role: Role
    which: str
    settings: Settings
    door: NetworkDoor | None = None

    @property
    def name(self) -> str:
        """The name within the service."""
        return f"{self.role}/{self.which}"


class Part:
    """Keeps processes of one role alive on its node: the processes of `co-rewarding serve`, under its supervisor.

    The processes die with the actor: Ray starts an actor that died again, and with it the processes.
    """

    def __init__(self, order: PartOrder) -> None:
        """Start the processes, and return when they serve.

        Raises:
            CoRewardingError: they did not start; the message says why.
        """
        set_up_logging(order.settings)
        raise_open_files_limit()
        self._order = order
        self._api = order.role == Role.API
        settings = order.settings
        if self._api:
            settings = settings.model_copy(update={"host": ray.util.get_node_ip_address()})
        self._supervisor = Supervisor(settings, order.door)
        self._kept = contextlib.ExitStack()
        self._kept.enter_context(self._supervisor.kept(api=self._api))
        if self._api:
            try:
                self._supervisor.wait_ready()
            except CoRewardingError:
                self._kept.close()
                raise

    def facts(self) -> dict[str, Any]:
        """Return where the part is, as plain values: ids, processes, and the URL of an API."""
        process = "redis" if self._order.role == Role.STORE else self._order.role.value
        return {
            "node_id": ray.get_runtime_context().get_node_id(),
            "address": ray.util.get_node_ip_address(),
            "pid": os.getpid(),
            "processes": self._supervisor.pids(process),
            "url": self._supervisor.url if self._api else None,
        }

    def stop(self) -> None:
        """Stop the processes in order; what was accepted is finished, or kept."""
        self._kept.close()
