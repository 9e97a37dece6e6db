"""Run `co-rewarding train`: make the data set, register the run, run the preflight, and start OpenRLHF.

The training is a child process: `python -m co_rewarding_trainer.openrlhf.driver` with the recipe's arguments.
"""

import dataclasses
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from co_rewarding_client import CoRewardingError, RunSettings, ray_address
from co_rewarding_client.encoding import settings_document
from rich.console import Console

from co_rewarding_trainer.openrlhf.arguments import RunPaths, arguments, without_secrets
from co_rewarding_trainer.openrlhf.data import DatasetCounts, Paraphraser, make_dataset, make_evaluation
from co_rewarding_trainer.openrlhf.errors import DataError, TrainingError
from co_rewarding_trainer.openrlhf.preflight import require
from co_rewarding_trainer.openrlhf.preflight_facts import (
    Facts,
    Machine,
    Tokenizer,
    gather,
    load_tokenizer,
    prompt_tokens,
    with_tokenizer,
)
from co_rewarding_trainer.openrlhf.recipe import Recipe
from co_rewarding_trainer.openrlhf.recipe_loader import find_recipe, read_recipe
from co_rewarding_trainer.openrlhf.service import PARAPHRASES_ROUTE, CheckedService, run_settings

DRIVER = "co_rewarding_trainer.openrlhf.driver"
KEY_VARIABLE = "CO_REWARDING_API_KEY"
PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
KILLED = 128
"""Added to the number of the signal that ended a child, as a shell does."""


@dataclass(frozen=True, kw_only=True)
class TrainingOrder:
    """The options of `co-rewarding train`."""

    recipes: Sequence[str]
    settings: Sequence[str] = ()
    url: str | None = None
    api_key: str | None = None
    output: Path | None = None
    dry_run: bool = False
    resume: bool = False


def train(order: TrainingOrder, console: Console | None = None) -> int:
    """Trains as a recipe says, or only prints what would run; returns the exit status of the training.

    Raises:
        TrainingError: the recipe or the data is wrong, or the preflight found what would fail.
        CoRewardingError: the service refused.
    """
    out = console or Console()
    recipe = read_recipe([find_recipe(name) for name in order.recipes], order.settings)
    if order.url is not None:
        recipe = _at(recipe, order.url)
    if recipe.service.url.startswith(ray_address.SCHEME) and not order.dry_run:
        found = ray_address.look_up(recipe.service.url)  # OpenRLHF itself, without the agent, knows no such name
        recipe = _at(recipe, ",".join(found.urls))
        order = dataclasses.replace(order, api_key=order.api_key or found.api_key)
    paths = RunPaths.of(recipe, order.output)
    command = [sys.executable, "-m", DRIVER]
    command += arguments(recipe, paths, api_key=order.api_key, resume=order.resume)
    if order.dry_run:
        out.print(dry_run_text(recipe, paths, command, order.api_key), markup=False, highlight=False, soft_wrap=True)
        return 0
    with CheckedService(recipe.service.url, order.api_key) as service:
        counts = prepare(recipe, paths, service, Machine.here(os.environ), resume=order.resume)
    out.print(
        f"{recipe.run.name}: {counts.rows} of {counts.questions} questions, {paths.train}",
        markup=False,
        soft_wrap=True,
    )
    return run_child(command, dict(variables(recipe, paths, order.api_key, os.environ)))


def prepare(
    recipe: Recipe,
    paths: RunPaths,
    service: CheckedService,
    machine: Machine,
    *,
    tokenizer_of: Callable[[Recipe], Tokenizer | None] = load_tokenizer,
    resume: bool = False,
) -> DatasetCounts:
    """Makes the data set and registers the run, and repeats the preflight whenever more is known.

    Raises:
        TrainingError, CoRewardingError: as `train`.
    """
    facts = gather(recipe, paths, service, machine, resume=resume)
    require(recipe, facts)  # before a tokenizer is fetched
    try:
        tokenizer = tokenizer_of(recipe)
    except DataError as error:
        facts = dataclasses.replace(facts, model=dataclasses.replace(facts.model, trouble=str(error)))
        tokenizer = None
    facts = with_tokenizer(facts, tokenizer)
    require(recipe, facts)  # before paraphrases are paid for
    counts = make_dataset(
        recipe,
        paths.train,
        paraphraser=_paraphraser(recipe, service, facts),
        prompt_tokens=None if tokenizer is None else prompt_tokens(tokenizer),
    )
    if recipe.evaluation.source is not None:
        make_evaluation(recipe, paths.evaluation)
    facts = dataclasses.replace(facts, counts=counts)
    require(recipe, facts)  # before a run is registered that has nothing to train on
    sent = run_settings(recipe, counts.rows)
    registered = _register(recipe, service, sent)
    require(recipe, dataclasses.replace(facts, sent=settings_document(sent), registered=registered))
    _write_recipe(recipe, paths)
    return counts


def variables(recipe: Recipe, paths: RunPaths, api_key: str | None, environ: Mapping[str, str]) -> Mapping[str, str]:
    """Makes the environment of the training: ours override those of `environ`, which override the recipe's."""
    ours = {
        "CO_REWARDING_URL": recipe.service.url,
        "CO_REWARDING_RUN": recipe.run.name,
        "CO_REWARDING_SEED": str(recipe.training.seed),
        "CO_REWARDING_TEACHER": str(int(recipe.method.needs_teacher)),
        # 0 is never: without a teacher nobody reads the weights.
        "CO_REWARDING_PUBLISH_EVERY": str(recipe.weights.publish_every_steps if recipe.method.needs_teacher else 0),
    }
    if recipe.method.needs_teacher:
        ours["CO_REWARDING_WEIGHTS_DIR"] = str(paths.weights)
    if api_key is not None:
        ours[KEY_VARIABLE] = api_key
    return {**recipe.environment, **environ, **ours}


def dry_run_text(recipe: Recipe, paths: RunPaths, command: Sequence[str], api_key: str | None) -> str:
    """Describes what would run. The command can be pasted into a shell; only the key is hidden."""
    secrets = {f"${KEY_VARIABLE}": api_key}
    settings = settings_document(run_settings(recipe))
    steps = (
        "" if "total_steps" in recipe.run.chosen_settings() else "   # and total_steps, from the number of questions"
    )
    environment = variables(recipe, paths, None if api_key is None else f"${KEY_VARIABLE}", {})
    lines = [
        "# data set",
        f"{recipe.data.source} → {paths.train}",
        f"{_views(recipe)}, prompts of at most {recipe.data.prompt_max_tokens} tokens",
    ]
    if recipe.evaluation.source is not None:
        lines.append(
            f"{recipe.evaluation.source}: evaluation every {recipe.evaluation.every_steps} steps → {paths.evaluation}"
        )
    lines += ["", f"# run: PUT {recipe.service.url.split(',')[0].rstrip('/')}/v1/runs/{recipe.run.name}"]
    lines += [json.dumps(settings) + steps]
    lines += ["", "# environment", *(f"export {name}={_quote(value)}" for name, value in environment.items())]
    lines += ["", "# command", _option_a_line(without_secrets(list(command), secrets))]
    return "\n".join(lines)


def run_child(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Runs `command` to its end and passes our signals on. To be called in the main thread.

    Returns its exit status, 128 + n where signal n ended the child. The child has a session of its own: a Ctrl-C
    reaches the child once, through us, and not from the terminal as well.

    Raises:
        TrainingError: the command cannot be started.
    """
    started: list[subprocess.Popen[bytes]] = []
    early: list[int] = []

    def pass_on(number: int, _: FrameType | None) -> None:
        if started:
            started[0].send_signal(number)
        else:
            early.append(number)

    before = {each: signal.signal(each, pass_on) for each in PASSED_ON}
    try:
        try:
            child = subprocess.Popen(  # noqa: S603 - our own driver, with the arguments of a recipe
                command, env=dict(environment), start_new_session=True
            )
        except OSError as cause:
            raise TrainingError(
                f"{command[0]} cannot be started: {cause.strerror or os.strerror(cause.errno or 0)}"
            ) from cause
        started.append(child)
        for number in early:
            child.send_signal(number)
        status = child.wait()
        return status if status >= 0 else KILLED - status
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _at(recipe: Recipe, url: str) -> Recipe:
    return recipe.model_copy(update={"service": recipe.service.model_copy(update={"url": url})})


def _views(recipe: Recipe) -> str:
    questions = recipe.sampling.questions_per_step
    return (
        f"{questions} questions a step in {'both views' if recipe.views == 'both' else 'their original view'}, "
        f"{recipe.rollouts_per_step} rollouts"
    )


def _quote(value: str) -> str:
    return value if value == f"${KEY_VARIABLE}" else shlex.quote(value)


def _option_a_line(command: Sequence[str]) -> str:
    lines: list[list[str]] = [[]]
    for word in command:
        if word.startswith("--"):
            lines.append([])
        lines[-1].append(word)
    shown = (" ".join(word if f"${KEY_VARIABLE}" in word else shlex.quote(word) for word in line) for line in lines)
    return " \\\n    ".join(shown)


def _paraphraser(recipe: Recipe, service: CheckedService, facts: Facts) -> Paraphraser | None:
    if PARAPHRASES_ROUTE not in facts.service.routes:
        return None
    return partial(service.paraphrases, recipe.run.name)


def _register(recipe: Recipe, service: CheckedService, settings: RunSettings) -> Mapping[str, Any]:
    try:
        return service.put_run(recipe.run.name, settings)
    except CoRewardingError as cause:
        raise TrainingError(f"the run {recipe.run.name} could not be registered at {service.url}: {cause}") from cause


def _write_recipe(recipe: Recipe, paths: RunPaths) -> None:
    """Writes the whole recipe into the output folder, for whoever finds the folder later."""
    content = recipe.model_dump_json(indent=1) + "\n"
    try:
        (paths.output / "recipe.json").write_text(content, encoding="utf-8")
    except OSError as cause:
        raise TrainingError(f"{paths.output}: cannot be written ({cause.strerror}); give another --output") from cause
