"""Check before the start what would fail an hour later.

A check is a function of the recipe and the facts. Each returns one line that says what is wrong and what to do, or
None. A new check is a function and an entry in the table. A check's docstring says what must be true.
"""

from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from co_rewarding_schema.methods import DEFAULT_METHOD

from co_rewarding_trainer.openrlhf.compatibility import TESTED
from co_rewarding_trainer.openrlhf.errors import PreflightError
from co_rewarding_trainer.openrlhf.preflight_facts import Facts
from co_rewarding_trainer.openrlhf.recipe import Recipe
from co_rewarding_trainer.openrlhf.service import TEACHER_ROUTE
from co_rewarding_trainer.openrlhf.size_checks import (
    disk_suffices,
    engines_fit,
    enough_gpus,
    heads_divide,
    labels_come_in_time,
    micro_batches_divide,
    scoring_divides,
    updates_divide,
    weights_disk_suffices,
)

CONTRACT = "1"
OPENRLHF_PATIENCE_S = 900.0
"""OpenRLHF gives up on a reward after 180 s, five times; then the step fails."""
TOO_MANY_DROPPED = 0.5

Check = Callable[[Recipe, Facts], str | None]


def check(recipe: Recipe, facts: Facts) -> list[str]:
    """Lists all problems, in the order of the table."""
    return [problem for each in CHECKS if (problem := each(recipe, facts)) is not None]


def require(recipe: Recipe, facts: Facts) -> None:
    """Stops the run if a check finds a problem.

    Raises:
        PreflightError: with all problems.
    """
    if problems := check(recipe, facts):
        raise PreflightError(problems)


def service_reachable(_: Recipe, facts: Facts) -> str | None:
    """The service answers."""
    service = facts.service
    if service.trouble is None:
        return None
    return f"the service at {service.url} does not answer ({service.trouble}); start it, or give --url"


def contract_known(_: Recipe, facts: Facts) -> str | None:
    """The service speaks our version of the contract."""
    service = facts.service
    if service.trouble is not None or service.contract == CONTRACT:
        return None
    return (
        f"the service at {service.url} (version {service.version or 'unknown'}) speaks contract "
        f"{service.contract or 'unknown'}, this trainer {CONTRACT}; install the same release on both sides"
    )


def method_available(recipe: Recipe, facts: Facts) -> str | None:
    """The service can carry out the method: a release without a teacher knows such methods by name only."""
    service, method = facts.service, recipe.run.method
    if service.trouble is not None:
        return None
    if method not in service.methods:
        known = ", ".join(sorted(service.methods)) or "none"
        return f"the service {service.version} does not have the method {method} (it has {known}); upgrade it"
    if recipe.method.needs_teacher and TEACHER_ROUTE not in service.routes:
        return (
            f"{method} needs a teacher, which the service {service.version} does not run (it would answer 501): "
            f"upgrade it, or train with {DEFAULT_METHOD}"
        )
    return None


def run_unused(recipe: Recipe, facts: Facts) -> str | None:
    """No other training has used the run's name: its rollouts would be taken for ours."""
    if facts.resume or not facts.service.cohorts_of_run:
        return None
    return (
        f"the run {recipe.run.name} has {facts.service.cohorts_of_run} cohorts at the service already; resume that "
        "training (--resume), or give this one a name of its own: --set run.name=…"
    )


def run_as_sent(_: Recipe, facts: Facts) -> str | None:
    """The service has the run's settings as they were sent."""
    if facts.sent is None or facts.registered is None:
        return None
    differing = {
        name: (value, facts.registered.get(name))
        for name, value in facts.sent.items()
        if _plain(facts.registered.get(name)) != _plain(value)
    }
    if not differing:
        return None
    told = ", ".join(f"{name} is {has!r} and not {value!r}" for name, (value, has) in differing.items())
    return (
        f"the service took the run's settings otherwise than they were sent: {told}; do two trainings share its name?"
    )


def deadline_below_patience(recipe: Recipe, facts: Facts) -> str | None:
    """A cohort that cannot be completed settles before OpenRLHF gives up."""
    deadline_s = (facts.registered or {}).get("cohort_deadline_s") or recipe.settings.cohort_deadline_s
    if recipe.service.agent or deadline_s < OPENRLHF_PATIENCE_S:
        return None
    return (
        f"run.cohort_deadline_s is {deadline_s:g}, and OpenRLHF gives up after {OPENRLHF_PATIENCE_S:g} s: set it "
        "below, or service.agent = true"
    )


def workers_reach_service(_: Recipe, facts: Facts) -> str | None:
    """The URL is not a loopback address when Ray runs on other machines, which a cluster at loopback does not."""
    cluster = facts.machine.ray_address
    if cluster is None or _is_loopback(cluster) or not _is_loopback(facts.service.url):
        return None
    return (
        f"Ray runs elsewhere ({facts.machine.ray_address}), where {facts.service.url} is another machine; give the "
        "address that its nodes know the service by: --url"
    )


def packing_possible(recipe: Recipe, facts: Facts) -> str | None:
    """Packed rollouts have flash attention, and flash attention is installed."""
    flash = recipe.model.attention.startswith("flash_attention")
    if recipe.hardware.pack_rollouts and not flash:
        return (
            f"hardware.pack_rollouts needs flash attention, and model.attention is {recipe.model.attention}; change one"
        )
    if (
        recipe.model.attention == "flash_attention_2"
        and facts.machine.ray_address is None
        and not facts.machine.flash_attention
    ):
        return (
            "model.attention flash_attention_2 needs the package flash-attn, which is not installed: pip install "
            "flash-attn, or --set model.attention=sdpa --set hardware.pack_rollouts=false"
        )
    return None


def model_known(recipe: Recipe, facts: Facts) -> str | None:
    """The model is a folder, or has the form of a name on the hub."""
    path = recipe.model.path
    if facts.model.trouble is not None:
        return f"the tokenizer of model.path {path} cannot be loaded: {facts.model.trouble}"
    if facts.model.exists:
        return None
    if facts.model.folder:
        return f"model.path {path} holds no config.json; give the folder of a model as transformers saves it"
    return f"model.path {path} is no folder here and no name on the hub (owner/name); correct it: --set model.path=…"


def questions_readable(_: Recipe, facts: Facts) -> str | None:
    """The questions to train on are there, in the columns that the recipe names."""
    return None if facts.questions_trouble is None else f"data.source {facts.questions_trouble}"


def evaluation_readable(_: Recipe, facts: Facts) -> str | None:
    """The questions to evaluate on are there, in the columns that the recipe names."""
    return None if facts.evaluation_trouble is None else f"evaluation.source {facts.evaluation_trouble}"


def template_there(recipe: Recipe, facts: Facts) -> str | None:
    """The tokenizer has a chat template if prompts are chat messages."""
    if not recipe.data.chat_template or facts.model.chat_template is not False:
        return None
    return (
        f"the tokenizer of {recipe.model.path} has no chat template; add one to it, or --set data.chat_template=false "
        "for plain prompts"
    )


def lengths_fit(recipe: Recipe, facts: Facts) -> str | None:
    """Prompt and response fit the model."""
    longest = recipe.data.prompt_max_tokens + recipe.sampling.response_max_tokens
    if facts.model.positions is None or longest <= facts.model.positions:
        return None
    return (
        f"data.prompt_max_tokens + sampling.response_max_tokens is {longest}, and the model has "
        f"{facts.model.positions} positions; make them shorter"
    )


def enough_questions(recipe: Recipe, facts: Facts) -> str | None:
    """The questions make at least one step, and at most half of them were left out as too long."""
    counts = facts.counts
    if counts is None:
        return None
    if counts.rows < recipe.sampling.questions_per_step:
        return (
            f"{counts.rows} of {counts.questions} questions are left, fewer than sampling.questions_per_step "
            f"{recipe.sampling.questions_per_step}; give more questions, or make a step smaller"
        )
    if counts.dropped_too_long > TOO_MANY_DROPPED * counts.questions:
        return (
            f"{counts.dropped_too_long} of {counts.questions} questions are longer than data.prompt_max_tokens "
            f"{recipe.data.prompt_max_tokens} and were left out; raise it"
        )
    return None


def openrlhf_tested(_: Recipe, facts: Facts) -> str | None:
    """OpenRLHF is installed with what it imports, in the version that was tested."""
    if facts.machine.openrlhf == TESTED:
        missing = " ".join(facts.machine.missing)
        return f"OpenRLHF needs {missing}, not installed in this Python: pip install {missing}" if missing else None
    has = "is not installed" if facts.machine.openrlhf is None else f"is {facts.machine.openrlhf}"
    return f"OpenRLHF {has} in this Python, and {TESTED} is what was tested: pip install openrlhf=={TESTED}"


def output_usable(_: Recipe, facts: Facts) -> str | None:
    """The output folder can be written, and its path has no character at which OpenRLHF splits paths."""
    if facts.output_trouble is not None:
        return f"the output folder {facts.output} cannot be written ({facts.output_trouble}); give another: --output"
    if set(facts.output) & set(",@"):
        return f"the output folder {facts.output} has a ',' or '@' in its path, where OpenRLHF splits it; give another"
    return None


def checkpoints_meant(_: Recipe, facts: Facts) -> str | None:
    """There are checkpoints if, and only if, the run is to resume."""
    if facts.checkpoints == facts.resume:
        return None
    if facts.resume:
        return f"--resume: there are no checkpoints in {facts.output}; name them with --output, or leave --resume out"
    return (
        f"{facts.output} has checkpoints of an earlier training: --resume goes on from them; or give another --output"
    )


def wandb_known(recipe: Recipe, facts: Facts) -> str | None:
    """A key for wandb is known if wandb is used: there is no terminal to ask on."""
    if recipe.output.wandb_project is None or facts.machine.wandb_key:
        return None
    return "output.wandb_project is set and no key is known; set WANDB_API_KEY, or leave the project out"


CHECKS: tuple[Check, ...] = (
    service_reachable,
    contract_known,
    method_available,
    run_unused,
    run_as_sent,
    deadline_below_patience,
    labels_come_in_time,
    workers_reach_service,
    updates_divide,
    micro_batches_divide,
    scoring_divides,
    engines_fit,
    enough_gpus,
    heads_divide,
    packing_possible,
    model_known,
    questions_readable,
    evaluation_readable,
    template_there,
    lengths_fit,
    enough_questions,
    openrlhf_tested,
    output_usable,
    checkpoints_meant,
    disk_suffices,
    weights_disk_suffices,
    wandb_known,
)


def _is_loopback(address: str) -> bool:
    """Returns whether the host of a URL, or of HOST:PORT, is the machine itself."""
    host = urlsplit(address if "//" in address else f"//{address}").hostname or ""
    return host in {"localhost", "::1"} or host.startswith("127.")


def _plain(value: object) -> object:
    """Makes a tuple of a list, so that a setting from JSON can be compared."""
    return tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else value
