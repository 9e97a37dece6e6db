"""Define the commands that train: `train`, `demo`, `experiment`, `signs`; missing packages are told at once."""

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from co_rewarding_schema.errors import CoRewardingError
from co_rewarding_schema.method_rules import Method, Weight
from co_rewarding_schema.methods import BY_GROUND_TRUTH, BY_TEACHER, DEFAULT_METHOD, METHODS, WITHIN_A_VIEW
from co_rewarding_trainer.task import WarmStart
from co_rewarding_trainer.task_table import DEFAULT_TASK, TASKS, task_named

from reward_service.errors import Needing, TrainingRunError
from reward_service.serving.embedded_service import embedded_service

FIRST_ANSWER_S = 5.0
"""How long a service that the demo was pointed at may take to answer at all."""
TEACHER_SEEN_S = 10.0
"""How long its teacher may take to see a run; one looks for new runs every second."""
TEACHER_STARTED_S = 180.0
"""How long one may take that is just being started."""


RunningService = Annotated[str | None, typer.Option(help="A service that runs; by default one is started.")]
ServiceKey = Annotated[str | None, typer.Option(help="Its key.", envvar="CO_REWARDING_API_KEY")]
WeightsRoot = Annotated[
    Path | None, typer.Option(help="Its weights root as this machine sees it, for methods with a teacher.")
]

TestTime = Annotated[
    bool,
    typer.Option("--test-time", help="Train on the held-out problems themselves; no ground truth is sent."),
]


def _lacking(row: Method) -> str | None:
    """Return what the demo's trainer does not have, and a method needs."""
    if row.evidence == Weight.VERIFIED:
        return "weighs ballots by what a tool verified, and a tool that can check the demo's chains has solved them"
    return None


CHOICES = tuple(name for name, row in METHODS.items() if _lacking(row) is None)
COMPARED = (WITHIN_A_VIEW, DEFAULT_METHOD, BY_TEACHER, BY_GROUND_TRUTH)
"""The methods of a demo that names none."""


def train(
    recipes: Annotated[
        list[str],
        typer.Argument(metavar="RECIPE", help="TOML files or names of shipped recipes; a later one has the last word."),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only print what would be run; nothing is written or asked for.")
    ] = False,
    url: Annotated[str | None, typer.Option(help="The service; by default the recipe's.")] = None,
    api_key: ServiceKey = None,
    output: Annotated[
        Path | None, typer.Option(help="Where all files of the run go; by default runs/<name of the run>.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A key of the recipe, as training.seed=1 (repeat the option)."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoints in the output folder.")] = False,
) -> None:
    """Trains with OpenRLHF by a recipe: makes the data set and the run, checks both, and starts the training."""
    with Needing("training", "openrlhf"):
        from co_rewarding_trainer.openrlhf import command

    order = command.TrainingOrder(
        recipes=recipes,
        settings=settings or (),
        url=url,
        api_key=api_key,
        output=output,
        dry_run=dry_run,
        resume=resume,
    )
    raise typer.Exit(command.train(order))


def demo(
    out: Annotated[Path, typer.Option(help="Where the table, the picture and the series go.")] = Path("runs/demo"),
    steps: Annotated[int, typer.Option(min=1, max=1_000_000, help="Training steps of each method.")] = 300,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Everything that is random follows from it.")] = 0,
    methods: Annotated[
        list[str] | None,
        typer.Option(
            "--method",
            help=f"One of {', '.join(CHOICES)} (repeat the option); by default {', '.join(COMPARED)}.",
        ),
    ] = None,
    start: Annotated[
        WarmStart, typer.Option(help="What the policy has learnt: without habits, or with planted ones.")
    ] = WarmStart.PLAIN,
    task: Annotated[str, typer.Option(help=f"One of {', '.join(TASKS)}.")] = DEFAULT_TASK,
    record: Annotated[
        bool, typer.Option("--record", help="Keep the rollouts of each method, as a file that `replay` reads.")
    ] = False,
    test_time: TestTime = False,
    url: RunningService = None,
    api_key: ServiceKey = None,
    weights_root: WeightsRoot = None,
) -> None:
    """Trains a small language model on a small task, with rewards from the service and without labels."""
    from co_rewarding_client import RewardClient
    from co_rewarding_trainer.folders import try_folder

    # What can be told at once comes before what takes a while to import.
    task_named(task)
    chosen = _chosen(methods or _compared(url, test_time=test_time))
    _check_unlabelled(chosen if test_time else ())
    taught = frozenset(name for name in chosen if METHODS[name].needs_teacher)
    _check_weights_root(weights_root, url, taught)
    try_folder(out)
    try:
        if url is not None:
            with RewardClient(url, api_key=api_key, patience_s=FIRST_ANSWER_S) as client:
                client.version()
    except CoRewardingError as cause:
        raise TrainingRunError(f"--url {url}: {cause}") from cause
    with Needing("the demo", "local"):
        from co_rewarding_trainer.demo import run_demo
        from co_rewarding_trainer.warm_start import WarmStartConfig, checkpoint

    warm_start = checkpoint(WarmStartConfig(task=task, kind=start), out / "starts" / f"{task}-{start}")
    with contextlib.ExitStack() as stack:
        teacher_within_s = TEACHER_SEEN_S
        if url is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cr-")))
            url = stack.enter_context(embedded_service(folder, teacher=warm_start if taught else None))
            weights_root = folder / "weights"
            teacher_within_s = TEACHER_STARTED_S
        run_demo(
            url,
            out,
            methods=chosen,
            steps=steps,
            seed=seed,
            record=record,
            api_key=api_key,
            warm_start=warm_start,
            weights_root=weights_root,
            teacher_within_s=teacher_within_s,
            task=task,
            test_time=test_time,
        )


def experiment(
    suite: Annotated[str, typer.Argument(help="A TOML file, or the name of a shipped suite.")],
    out: Annotated[
        Path | None, typer.Option(help="Where the results go; by default runs/experiments/<name of the suite>.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Trainings side by side; by default one a core.")
    ] = None,
    reuse: Annotated[
        list[Path] | None,
        typer.Option(help="Results of another experiment: its trainings that are the same are not trained again."),
    ] = None,
    test_time: TestTime = False,
    url: RunningService = None,
    api_key: ServiceKey = None,
    weights_root: WeightsRoot = None,
) -> None:
    """Trains every row of a suite with every learning rate, start and seed; goes on where it was ended."""
    from co_rewarding_trainer.folders import try_folder

    with Needing("experiments", "local"):
        from co_rewarding_trainer.experiment.command import run_experiment
        from co_rewarding_trainer.experiment.running import ServiceAt
        from co_rewarding_trainer.experiment.suite import at_test_time, read_suite

    chosen = at_test_time(read_suite(suite)) if test_time else read_suite(suite)
    methods = {row.method for row in chosen.all_rows().values()}
    taught = frozenset(name for name in methods if METHODS[name].needs_teacher)
    _check_weights_root(weights_root, url, taught)
    if taught and url is not None and len(chosen.all_starts()) > 1:
        problem = "its teacher begins with one start, and the suite has several: leave out --url, or the other starts"
        raise typer.BadParameter(problem, param_hint="--url")
    folder = out or Path("runs/experiments") / f"{Path(suite).stem}{'-test-time' if test_time else ''}"
    try_folder(folder)

    @contextlib.contextmanager
    def serve(checkpoint: Path, is_taught: bool) -> Iterator[ServiceAt]:
        if url is not None:
            yield ServiceAt(url, weights_root, api_key, TEACHER_SEEN_S)
            return
        with tempfile.TemporaryDirectory(prefix="cr-") as name:
            place = Path(name)
            with embedded_service(place, teacher=checkpoint if is_taught else None) as started:
                yield ServiceAt(started, place / "weights", None, TEACHER_STARTED_S)

    run_experiment(chosen, folder, serve, jobs or os.cpu_count() or 1, reuse or ())


def signs(
    folders: Annotated[
        list[Path], typer.Argument(metavar="FOLDER", help="Results of experiments whose suites have tuning_seeds.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Where the table and the picture go; by default the first folder.")
    ] = None,
    within: Annotated[
        int, typer.Option(min=5, max=100_000, help="Steps within which a loss is to follow a warning.")
    ] = 40,
    rows: Annotated[
        list[str] | None, typer.Option("--row", help="A row whose trainings count (repeat the option); by default all.")
    ] = None,
) -> None:
    """Tries the signs of a collapse: do they warn of a loss of accuracy before it is there?"""
    from co_rewarding_trainer.folders import try_folder

    with Needing("experiments", "local"):
        from co_rewarding_trainer.experiment.sign_report import report_signs

    place = out or folders[0]
    if out is not None:
        try_folder(out)
    report_signs(folders, place, within, rows or ())


def _compared(url: str | None, *, test_time: bool) -> Sequence[str]:
    """Return the methods of a demo that names none.

    They need no teacher if the service runs already, and no ground truth on the test questions.
    """
    rows = [METHODS[name] for name in COMPARED]
    with_teacher = [row for row in rows if url is None or not row.needs_teacher]
    return [row.name for row in with_teacher if not (test_time and row.needs_ground_truth)]


def _check_unlabelled(methods: Sequence[str]) -> None:
    """Check that no method needs the ground truth, which is not sent.

    Raises:
        BadParameter: one does.
    """
    if needing := [name for name in methods if METHODS[name].needs_ground_truth]:
        problem = f"{' and '.join(needing)} needs the ground truth of the test questions: leave it out"
        raise typer.BadParameter(problem, param_hint="--test-time")


def _chosen(methods: Sequence[str]) -> list[str]:
    """Return each method once.

    Raises:
        BadParameter: one of them is none, or none that the demo can train with.
    """
    for name in methods:
        row = METHODS.get(name)
        if row is None:
            problem = f"{name!r} is not a method"
        elif (lacking := _lacking(row)) is not None:
            problem = f"{name} {lacking}"
        else:
            continue
        raise typer.BadParameter(f"{problem}; choose one of {', '.join(CHOICES)}", param_hint="--method")
    return list(dict.fromkeys(methods))


def _check_weights_root(root: Path | None, url: str | None, taught: frozenset[str]) -> None:
    """Check that there is a weights root where one is needed, and none for a service that has its own.

    Raises:
        BadParameter: otherwise.
    """
    needing = " and ".join(sorted(taught))
    if root is not None and url is None:
        problem = "it is for --url; the service that the demo starts has its own"
    elif not taught:
        return
    elif root is None and url is not None:
        problem = f"{needing} with --url need it: the folder of that service's --weights-root, as this machine sees it"
    elif root is not None and not root.is_dir():
        problem = f"{root} is no folder here: give that of the service's --weights-root, as this machine sees it"
    elif root is not None and not os.access(root, os.W_OK | os.X_OK):
        problem = f"{root} cannot be written: the policy's weights go there after every step"
    else:
        return
    raise typer.BadParameter(problem, param_hint="--weights-root")
