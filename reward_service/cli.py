"""Run the reward service, and work with it, from a terminal."""

import contextlib
import errno
import os
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer
from co_rewarding_schema.errors import CoRewardingError
from rich.console import Console
from rich.text import Text

from reward_service import __version__
from reward_service.errors import Needing, SettingsError
from reward_service.logs import quiet_libraries
from reward_service.on_ray.command import ray_app
from reward_service.paraphrasing.command import paraphrase_app
from reward_service.serving.children import require_installed, set_up_logging, unknown_variables
from reward_service.serving.embedded_service import embedded_service
from reward_service.serving.supervisor import Supervisor
from reward_service.settings import PREFIX, Settings, settings_given
from reward_service.store.redis_url import without_password
from reward_service.tools.explain.command import explain
from reward_service.tools.export.command import export
from reward_service.tools.keys.command import keys_app
from reward_service.tools.replay.command import replay, score
from reward_service.tools.status.command import status
from reward_service.tools.track.command import track
from reward_service.tools.watch.command import watch
from reward_service.training_commands import demo, experiment, signs, train

log = structlog.get_logger(__name__)

FAILED = 2
NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
LOGGING = frozenset({"serve", "worker", "teacher", "paraphraser"})
"""Commands that run for long, and say what they have to say in a log."""

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)


def _setting(name: str, **more: Any) -> Any:  # noqa: ANN401 - as typer.Option
    """Return the option for a setting: its help, default and variable are the setting's own."""
    field = Settings.model_fields[name]
    default = field.get_default(call_default_factory=True, validated_data={})
    shown = False if default is None else str(default)
    return typer.Option(help=field.description, show_default=shown, envvar=f"{PREFIX}{name.upper()}", **more)


RedisUrl = Annotated[str | None, _setting("redis_url")]
ServiceRedis = Annotated[
    str | None, typer.Option(help="redis://, rediss:// or unix:// of the service.", envvar=f"{PREFIX}REDIS_URL")
]
WeightsRoot = Annotated[Path | None, _setting("weights_root")]
ModelName = Annotated[str, typer.Option(help="A folder or hub name; openai:URL#MODEL or vllm-server:URL#MODEL.")]


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback(help=__doc__)
def commands(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Prints the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Warn of unknown variables before a command that has no log, and keep libraries out of its bars."""
    if context.invoked_subcommand not in LOGGING:
        _tell_unknown()
        quiet_libraries()


@app.command()
def serve(
    host: Annotated[str | None, _setting("host")] = None,
    port: Annotated[int | None, _setting("port")] = None,
    redis_url: RedisUrl = None,
    workers: Annotated[int | None, _setting("workers")] = None,
    api_processes: Annotated[int | None, _setting("api_processes")] = None,
    data_dir: Annotated[Path | None, _setting("data_dir")] = None,
    api_keys_file: Annotated[Path | None, _setting("api_keys_file")] = None,
    weights_root: WeightsRoot = None,
    teacher: Annotated[str | None, _setting("teacher")] = None,
    paraphraser: Annotated[str | None, _setting("paraphraser")] = None,
) -> None:
    """Starts the API and its workers. docs/operations.md has every setting, those without an option too."""
    settings = _settings(
        host=host,
        port=port,
        redis_url=redis_url,
        workers=workers,
        api_processes=api_processes,
        data_dir=data_dir,
        api_keys_file=api_keys_file,
        weights_root=weights_root,
        teacher=teacher,
        paraphraser=paraphraser,
    )
    supervisor = Supervisor(settings)
    _supervise(supervisor, settings, api=True)


@app.command()
def worker(
    redis_url: ServiceRedis = None,
    processes: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 1,
) -> None:
    """Adds workers to a service that runs elsewhere on the same Redis."""
    settings = _settings(redis_url=redis_url, workers=processes)
    if settings.redis_url is None:
        raise typer.BadParameter("a worker needs the Redis of its service: --redis-url, or CO_REWARDING_REDIS_URL")
    _supervise(Supervisor(settings), settings, api=False)


@app.command()
def teacher(
    model: ModelName,
    redis_url: ServiceRedis = None,
    weights_root: WeightsRoot = None,
    teacher_dir: Annotated[Path | None, _setting("teacher_dir")] = None,
    backend: Annotated[str | None, _setting("teacher_backend")] = None,
    name: Annotated[str | None, _setting("teacher_name")] = None,
    mapped: Annotated[bool | None, _setting("teacher_mapped")] = None,
) -> None:
    """Adds a teacher to a service that runs elsewhere on the same Redis: it follows the policy and labels rollouts."""
    settings = _settings(
        redis_url=redis_url,
        teacher=model,
        weights_root=weights_root,
        teacher_dir=teacher_dir,
        teacher_backend=backend,
        teacher_name=name,
        teacher_mapped=mapped,
    )
    if settings.redis_url is None:
        raise typer.BadParameter("a teacher needs the Redis of its service: --redis-url, or CO_REWARDING_REDIS_URL")
    with Needing("a teacher", "local"):
        from reward_service.teaching.process import run_teacher

    require_installed(settings)
    _begin(settings)
    run_teacher(settings)


@app.command()
def paraphraser(
    model: ModelName,
    redis_url: ServiceRedis = None,
    backend: Annotated[str | None, _setting("paraphraser_backend")] = None,
    capacity: Annotated[int | None, _setting("paraphraser_capacity")] = None,
) -> None:
    """Adds a paraphraser to a service that runs elsewhere on the same Redis: it writes what paraphrase jobs ask for."""
    settings = _settings(
        redis_url=redis_url, paraphraser=model, paraphraser_backend=backend, paraphraser_capacity=capacity
    )
    if settings.redis_url is None:
        raise typer.BadParameter("a paraphraser needs the Redis of its service: --redis-url, or CO_REWARDING_REDIS_URL")
    with Needing("a paraphraser", "local"):
        from reward_service.paraphrasing.paraphraser import run_paraphraser

    require_installed(settings)
    _begin(settings)
    run_paraphraser(settings)


@app.command()
def loadtest(
    url: Annotated[str | None, typer.Option(help="A service that runs here; by default one is started.")] = None,
    api_key: Annotated[str | None, typer.Option(help="Its key.", envvar="CO_REWARDING_API_KEY")] = None,
    traffic: Annotated[str, typer.Option(help="singles (OpenRLHF), batches (TRL, verl) or mixed.")] = "mixed",
    rate: Annotated[float, typer.Option(help="Rollouts per second, whatever the service does.")] = 1000.0,
    seconds: Annotated[float, typer.Option(help="For how long.")] = 30.0,
    batch: Annotated[int, typer.Option(help="Rollouts in a batch.")] = 256,
    prompts: Annotated[int, typer.Option(min=1, help="Prompts in a burst of singles: two views of 8 rollouts.")] = 128,
    most_rollouts: Annotated[int, typer.Option(help="No more are sent.")] = 1_000_000,
    workers: Annotated[int, typer.Option(min=1, help="Workers of a service that is started.")] = 1,
    metrics: Annotated[
        list[str] | None, typer.Option(help="/metrics of workers elsewhere, for their CPU and memory (repeat it).")
    ] = None,
    out: Annotated[Path, typer.Option(help="Where report.md and report.png go.")] = Path("runs/loadtest"),
    seed: Annotated[int, typer.Option(help="Of arrivals.")] = 0,
    web: Annotated[int | None, typer.Option(metavar="PORT", help="Locust's page here, to start it from.")] = None,
) -> None:
    """Load-tests the service with traffic as trainers send it, and writes a report."""
    with Needing("the load test", "loadtest", "locust", "matplotlib", "psutil"):
        from reward_service.tools.loadtest import command
        from reward_service.tools.loadtest.arrivals import Traffic

    if traffic not in command.SHARES:
        raise typer.BadParameter(f"{traffic}: one of {', '.join(command.SHARES)}", param_hint="--traffic")
    planned = Traffic(rate, seconds, batch, prompts, command.SHARES[traffic], seed)
    with contextlib.ExitStack() as stack:
        if url is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cr-")))
            url = stack.enter_context(embedded_service(folder, workers=workers))
        test = command.LoadTest(url.rstrip("/"), planned, api_key, most_rollouts, metrics or (), web)
        report = command.run_loadtest(test)
    report.write(out)
    typer.echo(report.markdown())
    typer.echo(f"the report is {out / 'report.md'}")
    raise typer.Exit(1 if report.failed else 0)


@app.command()
def version() -> None:
    """Prints the version."""
    typer.echo(__version__)


for _command in (train, demo, experiment, signs, score, replay, export, explain, watch, status, track):
    app.command()(_command)
app.add_typer(paraphrase_app, name="paraphrase")
app.add_typer(keys_app, name="keys")
app.add_typer(ray_app, name="ray")


def _supervise(supervisor: Supervisor, settings: Settings, *, api: bool) -> None:
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: supervisor.stop_watching())
    _begin(settings)
    try:
        supervisor.start(api=api)
        if api and not supervisor.stopping:
            _welcome(supervisor, settings)
        supervisor.watch()
    finally:
        supervisor.stop()


def _welcome(supervisor: Supervisor, settings: Settings) -> None:
    """Say where everything is; in a line, where the log is for a collector."""
    console = Console(stderr=True)
    store = without_password(supervisor.redis_url)
    title = f"co-rewarding {__version__} at {supervisor.url}"
    if settings.log_json or (settings.log_json is None and not console.is_terminal):
        console.print(Text(f"{title} over {store}"), soft_wrap=True)
        return
    console.print(Text(title, style="bold"), soft_wrap=True)
    log_is = f"here, on standard error, from level {settings.log_level} on"
    places = {"page": f"{supervisor.url}/", "docs": f"{supervisor.url}/docs", "store": store, "log": log_is}
    for name, place in places.items():
        console.print(Text(f"  {name:<6} {place}"), soft_wrap=True)


def _begin(settings: Settings) -> None:
    """Sets up the logs, and says what is perhaps not as it was meant."""
    set_up_logging(settings)
    for doubt in unknown_variables(os.environ):
        log.warning(doubt)
    for name in ("weights_root", "paraphrase_root"):
        folder: Path | None = getattr(settings, name)
        if folder is not None and not folder.is_dir():  # it may be mounted later
            log.warning(f"{name} is not there: what should come from it is refused until it is", folder=str(folder))


def _settings(**options: Any) -> Settings:  # noqa: ANN401 - the options of a command
    try:
        return settings_given(**{name: value for name, value in options.items() if value is not None})
    except SettingsError:  # perhaps for one that was misspelt
        _tell_unknown()
        raise


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; an error that is raised on purpose is one line, not a traceback."""
    try:
        app(args=arguments)
    except CoRewardingError as error:
        _tell(str(error), "red")
        raise SystemExit(FAILED) from error
    except OSError as error:
        if error.errno not in NO_ROOM and error.filename is None:  # about no file that was named: perhaps our fault
            raise
        where = "what is written has no room" if error.errno in NO_ROOM else os.fsdecode(error.filename)
        _tell(f"{where}: {error.strerror}", "red")
        raise SystemExit(FAILED) from error


def _tell_unknown() -> None:
    for doubt in unknown_variables(os.environ):
        _tell(doubt, "yellow")


def _tell(what: str, colour: str) -> None:
    # Text, not markup: a message may quote what looks like it.
    Console(stderr=True).print(Text.assemble(("co-rewarding: ", colour), what), soft_wrap=True)


if __name__ == "__main__":
    main()
