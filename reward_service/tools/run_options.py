"""Define the options of commands that follow a run of a service."""

from typing import Annotated

import typer
from co_rewarding_schema.errors import InvalidRunError
from co_rewarding_schema.run_names import check_run_name


def check_run(run: str) -> str:
    """Return a run's name; one that cannot be is a wrong parameter."""
    try:
        return check_run_name(run)
    except InvalidRunError as cause:
        raise typer.BadParameter(str(cause)) from cause


RunName = Annotated[str, typer.Argument(help="The run.", show_default=False, callback=check_run)]
Url = Annotated[str, typer.Option(help="The service.")]
ApiKey = Annotated[str | None, typer.Option(help="Its key.", envvar="CO_REWARDING_API_KEY")]
Every = Annotated[float, typer.Option(min=0.1, max=3600.0, help="Seconds between two looks.")]
Quiet = Annotated[
    float,
    typer.Option(min=0.0, max=86400.0, help="Seconds without a change after which the latest step has ended."),
]
LOCAL = "http://127.0.0.1:8000"
