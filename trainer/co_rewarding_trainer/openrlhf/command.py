"""`co-rewarding train`: from a recipe to a training run that is under way.

The data set is made, the run registered at the service, everything checked that would fail later, and OpenRLHF started
with the recipe's arguments. What is run is `python -m co_rewarding_trainer.openrlhf.driver`, as a child.
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

from co_rewarding_client import CoRewardingError, RunSettings
from rich.console import Console

from co_rewarding_trainer.openrlhf.arguments import Places, arguments, hidden
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
"""As a shell says it: 128 and the number of the signal."""


@dataclass(frozen=True, kw_only=True)
class TrainingOrder:
    """What was asked for on the command line."""

    recipes: Sequence[str]
    settings: Sequence[str] = ()
    url: str | None = None
    api_key: str | None = None
    output: Path | None = None
    dry_run: bool = False
    resume: bool = False


def train(order: TrainingOrder, console: Console | None = None) -> int:
    """Trains as a recipe says, or only tells what would be run; the exit status of the training.

    Raises:
        TrainingError: the recipe or the data is wrong, or the preflight found what would fail.
        CoRewardingError: the service refused.
    """
    out = console or Console()
    recipe = read_recipe([find_recipe(name) for name in order.recipes], order.settings)
    if order.url is not None:
        recipe = recipe.model_copy(update={"service": recipe.service.model_copy(update={"url": order.url})})
    places = Places.of(recipe, order.output)
    command = [sys.executable, "-m", DRIVER]
    command += arguments(recipe, places, api_key=order.api_key, resume=order.resume)
    if order.dry_run:
        out.print(described(recipe, places, command, order.api_key), markup=False, highlight=False, soft_wrap=True)
        return 0
    with CheckedService(recipe.service.url, order.api_key) as service:
        counts = prepare(recipe, places, service, Machine.here(os.environ), resume=order.resume)
    out.print(
        f"{recipe.run.name}: {counts.rows} of {counts.questions} questions, {places.train}",
        markup=False,
        soft_wrap=True,
    )
    return run_child(command, dict(variables(recipe, places, order.api_key, os.environ)))


def prepare(
    recipe: Recipe,
    places: Places,
    service: CheckedService,
    machine: Machine,
    *,
    tokenizer_of: Callable[[Recipe], Tokenizer | None] = load_tokenizer,
    resume: bool = False,
) -> DatasetCounts:
    """Makes the data set and registers the run; the preflight looks again whenever more is known.

    Raises:
        TrainingError, CoRewardingError: as `train`.
    """
    facts = gather(recipe, places, service, machine, resume=resume)
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
        places.train,
        paraphraser=_paraphraser(recipe, service, facts),
        prompt_tokens=None if tokenizer is None else prompt_tokens(tokenizer),
    )
    if recipe.evaluation.source is not None:
        make_evaluation(recipe, places.evaluation)
    facts = dataclasses.replace(facts, counts=counts)
    require(recipe, facts)  # before a run is registered that has nothing to train on
    sent = run_settings(recipe, counts.rows)
    registered = _registered(recipe, service, sent)
    require(recipe, dataclasses.replace(facts, sent=_given(sent), registered=registered))
    _keep(recipe, places)
    return counts


def variables(recipe: Recipe, places: Places, api_key: str | None, environ: Mapping[str, str]) -> Mapping[str, str]:
    """The environment of the training: the recipe's variables below those that are set, ours above both."""
    ours = {
        "CO_REWARDING_URL": recipe.service.url.split(",")[0].strip(),
        "CO_REWARDING_RUN": recipe.run.name,
        "CO_REWARDING_SEED": str(recipe.training.seed),
        "CO_REWARDING_TEACHER": str(int(recipe.needs.teacher)),
        # 0 is never: without a teacher nobody reads the weights.
        "CO_REWARDING_PUBLISH_EVERY": str(recipe.weights.publish_every_steps if recipe.needs.teacher else 0),
    }
    if recipe.needs.teacher:
        ours["CO_REWARDING_WEIGHTS_DIR"] = str(places.weights)
    if api_key is not None:
        ours[KEY_VARIABLE] = api_key
    return {**recipe.environment, **environ, **ours}


def described(recipe: Recipe, places: Places, command: Sequence[str], api_key: str | None) -> str:
    """What would be run, fit for a screen and, but for the key, to be pasted into a shell."""
    secrets = {f"${KEY_VARIABLE}": api_key}
    settings = _given(run_settings(recipe))
    steps = "" if "total_steps" in settings else "   # and total_steps, from the number of questions"
    environment = variables(recipe, places, None if api_key is None else f"${KEY_VARIABLE}", {})
    lines = [
        "# data set",
        f"{recipe.data.source} → {places.train}",
        f"{_views(recipe)}, prompts of at most {recipe.data.prompt_max_tokens} tokens",
    ]
    if recipe.evaluation.source is not None:
        lines.append(
            f"{recipe.evaluation.source}: evaluation every {recipe.evaluation.every_steps} steps → {places.evaluation}"
        )
    lines += ["", f"# run: PUT {recipe.service.url.split(',')[0].rstrip('/')}/v1/runs/{recipe.run.name}"]
    lines += [json.dumps(settings) + steps]
    lines += ["", "# environment", *(f"export {name}={_quoted(value)}" for name, value in environment.items())]
    lines += ["", "# command", _option_a_line(hidden(list(command), secrets))]
    return "\n".join(lines)


def run_child(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Runs `command` to its end; its exit status, 128 + n where signal n ended it. To be called in the main thread.

    The child has a session of its own, so that a Ctrl-C reaches it once, by us, and not by the terminal as well.

    Raises:
        TrainingError: it could not be started.
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


def _views(recipe: Recipe) -> str:
    questions = recipe.sampling.questions_per_step
    return (
        f"{questions} questions a step in {'both views' if recipe.views == 'both' else 'their original view'}, "
        f"{recipe.rollouts_per_step} rollouts"
    )


def _quoted(value: str) -> str:
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


def _registered(recipe: Recipe, service: CheckedService, settings: RunSettings) -> Mapping[str, Any]:
    try:
        return service.put_run(recipe.run.name, settings)
    except CoRewardingError as cause:
        raise TrainingError(f"the run {recipe.run.name} could not be registered at {service.url}: {cause}") from cause


def _given(settings: RunSettings) -> dict[str, Any]:
    return {name: value for name, value in dataclasses.asdict(settings).items() if value is not None}


def _keep(recipe: Recipe, places: Places) -> None:
    """The whole recipe as it was run, for whoever finds the folder later."""
    content = recipe.model_dump_json(indent=1) + "\n"
    try:
        (places.output / "recipe.json").write_text(content, encoding="utf-8")
    except OSError as cause:
        raise TrainingError(f"{places.output}: cannot be written ({cause.strerror}); give another --output") from cause
