"""Answer a pair in one call of a vLLM actor, so that no limit on concurrent calls separates the two views."""

import asyncio
from collections.abc import Sequence
from typing import Any

from co_rewarding_trainer.openrlhf.foreign import Foreign
from co_rewarding_trainer.openrlhf.labels import labelled


async def pair_responses(
    executor: Foreign, prompt: str | Sequence[str], label: str | Sequence[str], num_samples: int, **asked: Foreign
) -> list[dict[str, Any]]:
    """Samples `num_samples` responses to each view, first all of one view, then all of the next.

    OpenRLHF's reshape to (-1, num_samples) then makes a group of each view.
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
    """Makes a subclass of OpenRLHF's rollout actor that answers pairs too.

    The class is made in a function, so that Ray sends it by value and the module imports without OpenRLHF.
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
