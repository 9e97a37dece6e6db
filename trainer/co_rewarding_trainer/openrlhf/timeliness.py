"""A check of the preflight: are the weights that a teacher needs for a step published before its labels are due?"""

from co_rewarding_trainer.openrlhf.facts import Facts
from co_rewarding_trainer.openrlhf.recipe import Recipe

DEFAULT_LAG = 0
"""The service's: a teacher answers for step k when it has the weights of step k."""


def labels_come_in_time(recipe: Recipe, facts: Facts) -> str | None:
    """The teacher may lag as many steps as the policy samples ahead of the weights that are published."""
    if not _follows(recipe) or not _labels_name_steps(recipe):
        return None
    allowed = (facts.registered or {}).get("max_teacher_lag", recipe.run.max_teacher_lag)
    ahead = steps_ahead(recipe)
    if ahead <= (DEFAULT_LAG if allowed is None else allowed):
        return None
    return (
        f"the policy samples up to {ahead} steps ahead of the weights that are published "
        f"(weights.publish_every_steps {recipe.weights.publish_every_steps}, {_queue(recipe)} batches under way "
        f"beside training), and run.max_teacher_lag {allowed or DEFAULT_LAG} would have their labels wait: "
        f"set run.max_teacher_lag = {ahead}"
    )


def steps_ahead(recipe: Recipe) -> int:
    """How far a step that is sampled may be ahead of the newest weights that are published: k - v."""
    return recipe.weights.publish_every_steps - 1 + _queue(recipe)


def _follows(recipe: Recipe) -> bool:
    """Whether there is a teacher that the weights change."""
    frozen = recipe.run.alpha_start == recipe.run.alpha_end == 1.0
    return recipe.method.needs_teacher and recipe.weights.publish_every_steps > 0 and not frozen


def _queue(recipe: Recipe) -> int:
    """Rollout batches that OpenRLHF samples before those of the step that is trained on are learned from."""
    options = recipe.openrlhf
    size = options.get("train.async_queue_size", 1) if options.get("train.async_enable") else 0
    return size if isinstance(size, int) else 1


def _labels_name_steps(recipe: Recipe) -> bool:
    """As `steps.labels_count_batches` has it of OpenRLHF's own arguments."""
    drawn = recipe.openrlhf.get("rollout.vllm_generate_batch_size", 0)
    more = isinstance(drawn, int) and drawn > recipe.prompts_per_step
    return not recipe.openrlhf.get("algo.dynamic_filtering_enable") and not more
