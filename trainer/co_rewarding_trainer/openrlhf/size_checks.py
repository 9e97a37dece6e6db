"""Check sizes in the preflight: batches, GPUs, disk, and how far the teacher may lag behind sampling."""

from pathlib import Path

from co_rewarding_trainer.openrlhf.preflight_facts import Facts
from co_rewarding_trainer.openrlhf.recipe import Recipe

"""The service's default: a teacher answers for step k only with the weights of step k."""
WEIGHTS_BYTES = 2.0
"""For each parameter, in bfloat16."""
CHECKPOINT_BYTES = 14.0
"""For each parameter in a checkpoint: weights, and in float32 their master copy and Adam's two averages."""
WEIGHTS_AT_ONCE = 3
"""Versions of published weights on disk: two that are kept, and one being written."""


def updates_divide(recipe: Recipe, _: Facts) -> str | None:
    """The rollouts of a step are divided evenly among its optimizer steps."""
    rollouts, updates = recipe.rollouts_per_step, recipe.training.updates_per_step
    if rollouts % updates == 0:
        return None
    return (
        f"training.updates_per_step {updates} does not divide the {rollouts} rollouts of a step; choose one that does"
    )


def micro_batches_divide(recipe: Recipe, _: Facts) -> str | None:
    """All GPUs get equally many rollouts of an optimizer step, in whole micro batches."""
    hardware = recipe.hardware
    actors = hardware.nodes * hardware.actor_gpus_per_node
    size = hardware.micro_rollouts * actors
    if recipe.rollouts_per_update % size == 0:
        return None
    return (
        f"an optimizer step has {recipe.rollouts_per_update} rollouts, which {actors} GPUs of hardware.micro_rollouts "
        f"{hardware.micro_rollouts} cannot share evenly: make it a multiple of {size}"
    )


def scoring_divides(recipe: Recipe, _: Facts) -> str | None:
    """All GPUs get equally many rollouts to compute log-probabilities of, in whole micro batches."""
    hardware = recipe.hardware
    actors = hardware.nodes * hardware.actor_gpus_per_node
    size = hardware.micro_rollouts_scored * actors
    if recipe.rollouts_per_step % size == 0:
        return None
    return (
        f"a step has {recipe.rollouts_per_step} rollouts, which {actors} GPUs of hardware.micro_rollouts_scored "
        f"{hardware.micro_rollouts_scored} cannot share evenly: make it a multiple of {size}"
    )


def engines_fit(recipe: Recipe, _: Facts) -> str | None:
    """On shared GPUs, engines and actor use equally many GPUs."""
    hardware = recipe.hardware
    actors = hardware.nodes * hardware.actor_gpus_per_node
    engines = hardware.engines * hardware.tensor_parallel
    if not hardware.share_gpus or actors == engines:
        return None
    return (
        f"hardware.share_gpus: {hardware.engines} engines × tensor_parallel {hardware.tensor_parallel} take "
        f"{engines} GPUs, and the actor {actors}; make them equal, or share_gpus = false"
    )


def enough_gpus(recipe: Recipe, facts: Facts) -> str | None:
    """This machine has enough GPUs, unless a cluster has them."""
    hardware = recipe.hardware
    if hardware.device == "cpu" or facts.machine.ray_address is not None or facts.machine.gpus is None:
        return None
    needed = gpus_needed(recipe)
    if hardware.nodes > 1:
        return (
            f"hardware.nodes is {hardware.nodes}, and RAY_ADDRESS names no cluster; start one (ray start), and set "
            "RAY_ADDRESS=auto"
        )
    if facts.machine.gpus >= needed:
        return None
    return (
        f"the recipe takes {needed} GPUs and this machine has {facts.machine.gpus}; set "
        "hardware.actor_gpus_per_node and hardware.engines, or join a cluster with RAY_ADDRESS"
    )


def gpus_needed(recipe: Recipe) -> int:
    """Counts the GPUs of the actor, of the reference model (which only a KL term needs) and of the engines."""
    hardware = recipe.hardware
    actors = hardware.nodes * hardware.actor_gpus_per_node
    if hardware.share_gpus:
        return actors
    reference = actors if recipe.training.kl_coefficient > 0 else 0
    return actors + reference + hardware.engines * hardware.tensor_parallel


def heads_divide(recipe: Recipe, facts: Facts) -> str | None:
    """The GPUs of an engine divide the attention heads, as vLLM needs."""
    heads, parallel = facts.model.attention_heads, recipe.hardware.tensor_parallel
    if heads is None or heads % parallel == 0:
        return None
    return (
        f"hardware.tensor_parallel {parallel} does not divide the model's {heads} attention heads; choose one that does"
    )


def disk_suffices(recipe: Recipe, facts: Facts) -> str | None:
    """The disk has room for the kept checkpoints, the one being written, and the trained model."""
    if facts.model.parameters is None or facts.free_bytes is None:
        return None
    kept = recipe.output.checkpoints_kept + 1
    needed = facts.model.parameters * (CHECKPOINT_BYTES * kept + WEIGHTS_BYTES)
    return _room(facts.output, facts.free_bytes, needed, f"{kept} checkpoints; output.checkpoints_kept = 1 takes less")


def weights_disk_suffices(recipe: Recipe, facts: Facts) -> str | None:
    """The disk has room for the published weights."""
    if not recipe.method.needs_teacher or facts.model.parameters is None or facts.weights_free_bytes is None:
        return None
    needed = facts.model.parameters * WEIGHTS_BYTES * WEIGHTS_AT_ONCE
    where = str(Path(recipe.weights.folder or Path(facts.output) / "weights"))
    return _room(where, facts.weights_free_bytes, needed, "published weights; weights.folder names another place")


def labels_come_in_time(recipe: Recipe, facts: Facts) -> str | None:
    """The teacher may lag as many steps as the policy samples ahead of the published weights."""
    if not _follows(recipe) or not _labels_name_steps(recipe):
        return None
    allowed = (facts.registered or {}).get("max_teacher_lag", recipe.settings.max_teacher_lag)
    ahead = steps_ahead(recipe)
    if ahead <= allowed:
        return None
    return (
        f"the policy samples up to {ahead} steps ahead of the weights that are published "
        f"(weights.publish_every_steps {recipe.weights.publish_every_steps}, {_queue(recipe)} batches under way "
        f"beside training), and run.max_teacher_lag {allowed} would have their labels wait: "
        f"set run.max_teacher_lag = {ahead}"
    )


def steps_ahead(recipe: Recipe) -> int:
    """Counts the steps that sampling may be ahead of the newest published weights: k - v."""
    return recipe.weights.publish_every_steps - 1 + _queue(recipe)


def _follows(recipe: Recipe) -> bool:
    """Returns whether there is a teacher that follows the policy."""
    frozen = recipe.settings.frozen_teacher
    return recipe.method.needs_teacher and recipe.weights.publish_every_steps > 0 and not frozen


def _queue(recipe: Recipe) -> int:
    """Counts the rollout batches that OpenRLHF samples while it trains on an earlier one."""
    options = recipe.openrlhf
    size = options.get("train.async_queue_size", 1) if options.get("train.async_enable") else 0
    return size if isinstance(size, int) else 1


def _labels_name_steps(recipe: Recipe) -> bool:
    """Returns from a recipe what `pairs.labels_count_batches` returns from OpenRLHF's arguments."""
    drawn = recipe.openrlhf.get("rollout.vllm_generate_batch_size", 0)
    more = isinstance(drawn, int) and drawn > recipe.prompts_per_step
    return not recipe.openrlhf.get("algo.dynamic_filtering_enable") and not more


def _room(where: str, free: float, needed: float, of_what: str) -> str | None:
    if free >= needed:
        return None
    return f"{where} has {free / 1e9:.0f} GB free and needs {needed / 1e9:.0f} GB for {of_what}"
