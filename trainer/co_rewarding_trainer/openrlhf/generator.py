"""What comes back of a rollout batch is looked at before anything is learned from it."""

import logging
from typing import Any

from co_rewarding_trainer.openrlhf.announcing import announce
from co_rewarding_trainer.openrlhf.foreign import Foreign
from co_rewarding_trainer.openrlhf.pairs import VIEWS, check_whole_pairs


def batch_to_learn_from(samples: list[Any], views: int, prompts: int, group_size: int) -> list[Any]:
    """The samples of a rollout batch of `prompts` prompts, or none where it is not whole, as at the end of an epoch.

    Of an incomplete batch the ranks would get unequal shares: under ZeRO-3 they would wait for each other for ever, and
    everywhere the windows of the optimizer would be shifted. What is left of an epoch is other questions each time.

    Raises:
        BrokenPairsError: the batch does not hold whole pairs.
    """
    if views == len(VIEWS):
        check_whole_pairs([label for sample in samples for label in sample.labels], group_size)
    if views and 0 < len(samples) < prompts * group_size:
        told = "%d rollouts at the end of an epoch are fewer than a batch and are not learned from"
        logging.getLogger("co_rewarding_trainer.generator").warning(told, len(samples))
        return []
    return samples


def pair_generator(generator: type) -> type:
    """OpenRLHF's SamplesGenerator, which gives whole batches of whole pairs, and announces them to the teacher.

    Made here and not at import, so that Ray carries it by value and this module needs no OpenRLHF.
    """

    class PairGenerator(generator):
        def generate_samples(self, **generate_kwargs: Foreign) -> tuple[Any, ...]:
            samples, *rest = super().generate_samples(**generate_kwargs)
            rollout = self.args.rollout
            views = getattr(self.strategy, "views", 0)
            return batch_to_learn_from(samples, views, rollout.batch_size, rollout.n_samples_per_prompt), *rest

        def _dispatch_prompts_to_vllm(
            self,
            prompts: list[str | tuple[str, ...]],
            labels: list[str | tuple[str, ...]],
            *,
            images: Foreign = None,
            **generate_kwargs: Foreign,
        ) -> list[Any]:
            training = getattr(self.strategy, "training", None)
            if training is not None:
                announce(training, prompts, labels)
            return super()._dispatch_prompts_to_vllm(prompts, labels, images=images, **generate_kwargs)

    return PairGenerator
