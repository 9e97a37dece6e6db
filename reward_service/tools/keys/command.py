"""Make an entry of the file of keys, and check a file, as `co-rewarding keys new` and `co-rewarding keys check`."""

import json
import secrets
from pathlib import Path
from typing import Annotated

import typer

from reward_service.access_file import access_in, read_access
from reward_service.domain.access import Grant, Scope, digest_of

KEY_BYTES = 32

keys_app = typer.Typer(no_args_is_help=True)


@keys_app.callback()
def keys() -> None:
    """Makes keys with scopes and runs, and checks the file that serve's --api-keys-file names."""


@keys_app.command()
def new(
    name: Annotated[str, typer.Argument(help="Shown in logs in place of the key.", show_default=False)],
    scope: Annotated[list[Scope], typer.Option(help="What the key opens (repeat the option).", show_default=False)],
    runs: Annotated[
        list[str] | None,
        typer.Option(
            help="How the names of its runs begin, with the separator: team-a. (repeat the option); none: every run.",
            show_default=False,
        ),
    ] = None,
    rollouts_per_s: Annotated[float | None, typer.Option(help="Rollouts in a second, over all of its runs.")] = None,
    rollouts_burst: Annotated[float | None, typer.Option(help="Rollouts at once, as of a step.")] = None,
    bytes_per_s: Annotated[str | None, typer.Option(help="Bytes of bodies in a second, as 20MiB.")] = None,
    bytes_burst: Annotated[str | None, typer.Option(help="Bytes of bodies at once, as 1GiB.")] = None,
    held_requests: Annotated[int | None, typer.Option(help="Requests that are under way at once.")] = None,
) -> None:
    """Prints an entry of the file on standard output, and its key, this once, on standard error."""
    key = secrets.token_urlsafe(KEY_BYTES)
    lines = [f"name = {json.dumps(name)}", f'sha256 = "{digest_of(key.encode()).hex()}"']
    lines.append(f"scopes = {json.dumps([each.value for each in dict.fromkeys(scope)])}")
    if runs:
        lines.append(f"runs = {json.dumps(runs)}")
    quotas = {
        "rollouts_per_s": rollouts_per_s,
        "rollouts_burst": rollouts_burst,
        "bytes_per_s": bytes_per_s,
        "bytes_burst": bytes_burst,
        "held_requests": held_requests,
    }
    if given := [f"{quota} = {_toml(limit)}" for quota, limit in quotas.items() if limit is not None]:
        lines += ["", "[keys.quotas]", *given]
    entry = "\n".join(["[[keys]]", *lines, ""])
    access_in(entry, "the entry")
    typer.echo(entry)
    typer.echo(f"the key of {name}, which is kept nowhere: {key}", err=True)


@keys_app.command()
def check(file: Annotated[Path, typer.Argument(help="A file of keys.", show_default=False)]) -> None:
    """Says what each key of a file may do, or where the file is wrong; ends with 2 then."""
    access = read_access(file)
    for grant in {grant.name: grant for grant in access.grants.values()}.values():
        typer.echo(_told(grant))
    for each in access.runs:
        typer.echo(f"runs {each.prefix}*: {each.quotas}")


def _toml(limit: float | str) -> str:
    return f"{limit:.15g}" if isinstance(limit, float) else json.dumps(limit)


def _told(grant: Grant) -> str:
    scopes = ", ".join(sorted(grant.scopes))
    runs = ", ".join(f"{prefix}*" for prefix in grant.prefixes) or "every run"
    return f"{grant.name}: {scopes}; {runs}; {grant.quotas}"
