"""Define the options of `co-rewarding ray`; Ray is imported when a command runs."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer
from rich.console import Console

from reward_service.errors import Needing
from reward_service.on_ray.config import DEFAULT_NAME, read_config
from reward_service.on_ray.drawing import picture

ray_app = typer.Typer(no_args_is_help=True)

Name = Annotated[str, typer.Option(help="The service's name, as its configuration gives it.")]
Cluster = Annotated[
    str | None,
    typer.Option(help="Ray's cluster, as HOST:PORT; by default the one of this machine.", envvar="RAY_ADDRESS"),
]


@ray_app.callback()
def ray() -> None:
    """Runs the service within a Ray cluster, beside the trainer. docs/ray.md says how."""


@ray_app.command()
def up(
    config: Annotated[Path, typer.Argument(help="The configuration: TOML.", show_default=False)],
    address: Cluster = None,
    within_s: Annotated[float, typer.Option(min=0.0, max=86_400.0, help="How long to wait for every part.")] = 120.0,
) -> None:
    """Starts a service and waits until every part runs; the service stays when the command ends."""
    read = read_config(config)
    with _cluster(address) as handle:
        service = handle.up(read)
        service.wait_ready(within_s)
        Console().print(picture(service.status()))


@ray_app.command()
def status(name: Name = DEFAULT_NAME, address: Cluster = None) -> None:
    """Shows the parts of a service, where they run and how many. Ends with 1 while not every part runs."""
    with _cluster(address) as handle:
        told = handle.connect(name).status()
    Console().print(picture(told))
    raise typer.Exit(0 if told["ready"] else 1)


@ray_app.command()
def down(name: Name = DEFAULT_NAME, address: Cluster = None) -> None:
    """Stops a service: held requests are told to come again, and what was accepted stays in the store."""
    with _cluster(address) as handle:
        handle.connect(name).down()
    typer.echo(f"{name} is down")


@contextlib.contextmanager
def _cluster(address: str | None) -> Iterator[ModuleType]:
    """Join the cluster, and return what speaks to a service there.

    Raises:
        NotInstalledError: Ray is not installed.
        InvalidRequest: there is no cluster.
    """
    with Needing("a service on Ray", "ray", "ray"):
        from co_rewarding_client.ray_address import in_cluster

        from reward_service.on_ray import handle
    with in_cluster(address):
        yield handle
