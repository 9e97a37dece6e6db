"""Which step is which. DeepSpeed counts optimizer steps, OpenRLHF rollout batches; the service's step is the latter.

Step k is a rollout batch, from 0. The weights of step k are those that it is sampled from: the policy after the
optimizer steps of batch k - 1.
"""

from co_rewarding_trainer.openrlhf.errors import TrainingSettingsError
from co_rewarding_trainer.openrlhf.foreign import Foreign


def updates_per_step(args: Foreign) -> int:
    """The optimizer steps that OpenRLHF makes of one rollout batch; `args` are its own.

    Raises:
        TrainingSettingsError: they are not as many for each batch, so no count of them says which batch comes next.
    """
    rollouts, update = args.rollout.batch_size * args.rollout.n_samples_per_prompt, args.train.batch_size
    if rollouts % update:
        raise TrainingSettingsError(
            f"--train.batch_size {update} does not divide the {rollouts} rollouts of a batch, and weights are "
            "published between rollout batches: choose one that does, or set CO_REWARDING_PUBLISH_EVERY=0."
        )
    if args.critic.freezing_steps >= 0:
        raise TrainingSettingsError(
            "--critic.freezing_steps: the first rollout batches make no optimizer step of the actor, and the teacher's "
            "version would stay behind for ever; leave it out, or set CO_REWARDING_PUBLISH_EVERY=0."
        )
    return rollouts // update * args.train.max_epochs


def step_sampled_next(updates: int, per_step: int) -> int | None:
    """The step that is sampled from the weights after `updates` optimizer steps; None in the midst of a batch."""
    step, left = divmod(updates, per_step)
    return None if left else step


def labels_count_batches(args: Foreign) -> bool:
    """Whether a question that is the n-th to be drawn is learned from in rollout batch n / batch size.

    Not so where questions are filtered out, for others take their place, and where more are drawn than a batch takes,
    for what is left of them is lost when a run is resumed: there a label's step would run ahead of the weights.
    """
    drawn = args.rollout.vllm_generate_batch_size or args.rollout.batch_size
    return not args.algo.dynamic_filtering_enable and drawn <= args.rollout.batch_size
