"""Read the options of `co-rewarding export`; what the command does is imported when it is called."""

from pathlib import Path
from typing import Annotated

import typer


def export(
    run: Annotated[str, typer.Argument(help="The run.", show_default=False)],
    out: Annotated[Path, typer.Argument(help="Where the rollouts go, as parquet.", show_default=False)],
    url: Annotated[str, typer.Option(help="The service.")] = "http://127.0.0.1:8000",
    api_key: Annotated[str | None, typer.Option(help="Its key.", envvar="CO_REWARDING_API_KEY")] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Earlier attempts and rounds of a question's step too, and late rollouts.")
    ] = False,
    teacher: Annotated[Path | None, typer.Option(help="Where the teacher's ballots go, as parquet.")] = None,
) -> None:
    """Writes the rollouts of a run that the service keeps: a row each, with answer, reward, abstention and label.

    `co-rewarding replay` reads the file. A response there is the answer in a box, because the service keeps no texts.

    Of a question's step the latest attempt is written, and only ballots that voted.
    """
    from reward_service.tools.export.exporting import ExportRequest, export_run

    export_run(ExportRequest(run, out, url, api_key, every, teacher))
