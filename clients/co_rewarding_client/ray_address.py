# pyright: basic, reportMissingImports=false
"""Find a service on a Ray cluster by its name: ray://NAME, as `co-rewarding ray up` started it."""

import contextlib
import logging
import os
import random
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from co_rewarding_client.errors import invalid
from co_rewarding_client.foreign import Foreign

NAMESPACE = "co-rewarding"
"""Ray's namespace of the actors of all services."""
SCHEME = "ray://"
CONNECTS_WITHIN_S = 5.0
ANSWERS_WITHIN_S = 60.0
"""How long the actor that knows the addresses may take; Ray may have to start it again on another node."""


@dataclass(frozen=True, slots=True)
class Directory:
    """Where the API replicas of a service are, those of this node first, and the key that was made for clients."""

    urls: tuple[str, ...]
    api_key: str | None = field(repr=False)


def look_up(name: str) -> Directory:
    """Return the addresses of the service of this name, or of the whole address ray://NAME.

    A process that is in no Ray cluster joins the one of its machine (or of RAY_ADDRESS) for this call.

    Raises:
        InvalidRequest: no service has the name, it has no API now, or Ray or a cluster is not here.
    """
    name = name.removeprefix(SCHEME).rstrip("/")
    if not re.fullmatch("[a-z0-9-]+", name):
        raise invalid(
            f"{SCHEME}{name} is not ray://NAME, the name of a service that `co-rewarding ray up` started; the address "
            "of a cluster goes into RAY_ADDRESS"
        )
    with in_cluster() as ray:
        here = ray.get_runtime_context().get_node_id()
        told = _told(ray, name)
    replicas = told["api"]
    random.SystemRandom().shuffle(replicas)
    replicas.sort(key=lambda replica: replica["node_id"] != here)
    if not replicas:
        raise invalid(f"the service {name!r} has no API now: co-rewarding ray status --name {name} says why")
    return Directory(tuple(replica["url"] for replica in replicas), told["api_key"])


def _told(ray: Foreign, name: str) -> dict[str, Any]:
    try:
        supervisor = ray.get_actor(name, namespace=NAMESPACE)
    except ValueError as cause:
        raise invalid(
            f"no service {name!r} is up on this Ray cluster: start one by co-rewarding ray up, or correct the name"
        ) from cause
    try:
        return ray.get(supervisor.directory.remote(), timeout=ANSWERS_WITHIN_S)
    except ray.exceptions.RayError as cause:
        raise invalid(f"the service {name!r} on this Ray cluster does not say where it is: {cause}") from cause


@contextlib.contextmanager
def in_cluster(address: str | None = None) -> Iterator[Foreign]:
    """Return Ray's module within a cluster: that of this process, else one that is joined meanwhile.

    Raises:
        InvalidRequest: Ray is not installed, or there is no cluster at the address.
    """
    try:
        import ray
        import ray.exceptions
    except ImportError as cause:
        raise invalid("a service on Ray is reached from where Ray is installed: pip install ray") from cause
    if ray.is_initialized():
        yield ray
        return
    try:
        _check_answers(address or os.environ.get("RAY_ADDRESS", ""))
        ray.init(address=address or "auto", namespace=NAMESPACE, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, ValueError, RuntimeError) as cause:
        raise invalid(
            f"there is no Ray cluster here ({' '.join(str(cause).split())}): run this on one of its nodes, or set "
            "RAY_ADDRESS"
        ) from cause
    try:
        yield ray
    finally:
        ray.shutdown()


def _check_answers(address: str) -> None:
    """Check that somebody listens at HOST:PORT: Ray itself would try for minutes.

    Raises:
        OSError: nobody does.
    """
    host, _colon, port = address.rpartition(":")
    if host and "/" not in host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECTS_WITHIN_S).close()
