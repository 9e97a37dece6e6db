"""How a vLLM actor answers a pair: both views in one call, so that no limit on what runs at once can part them."""

import asyncio
from collections.abc import Sequence
from typing import Any

from co_rewarding_trainer.openrlhf.foreign import Foreign
from co_rewarding_trainer.openrlhf.labels import labelled


async def pair_responses(
    executor: Foreign, prompt: str | Sequence[str], label: str | Sequence[str], num_samples: int, **asked: Foreign
) -> list[dict[str, Any]]:
    """`num_samples` responses to each view in turn, each as the executor gives it.

    The views stand one after the other, so that OpenRLHF's reshape to (-1, num_samples) makes a group of each.
    """
    prompts_P = [prompt] if isinstance(prompt, str) else list(prompt)
    labels_P = [label] if isinstance(label, str) or label is None else list(label)
    numbers = getattr(executor, "numbers_rollouts", False)
    return await asyncio.gather(
        *(
            executor.execute(prompt=view, label=labelled(name, rollout=index) if numbers else name, **asked)
            for view, name in zip(prompts_P, labels_P, strict=True)
            for index in range(num_samples)
        )
    )


def pair_rollout(actor: type) -> type:
    """The class behind OpenRLHF's rollout actor, which answers pairs too.

    Made here and not at import, so that Ray carries it by value and this module needs no OpenRLHF.
    """

    class PairRollout(actor):
        async def generate_responses(
            self,
            prompt: str | Sequence[str],
            label: str | Sequence[str],
            sampling_params: Foreign,
            max_length: int,
            hf_tokenizer: Foreign,
            num_samples: int = 1,
            images: Foreign = None,
        ) -> list[dict[str, Any]]:
            asked = {"sampling_params": sampling_params, "max_length": max_length, "hf_tokenizer": hf_tokenizer}
            return await pair_responses(
                self.executor, prompt, label, num_samples, llm_engine=self, images=images, **asked
            )

    return PairRollout
