r"""OpenRLHF's own executor with a real tokenizer: special tokens kept, prompts cut on the left, spaces cleaned up."""

import asyncio
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from e2e_openrlhf import executor_class
from e2e_services import Service

pytestmark = pytest.mark.openrlhf

SYSTEM = "Put the answer into a box , as in \\boxed{42} , or write it so:\n#### 42"
QUESTION = "What is 3 + 4 , and isn't it the same as 4 + 3 ?"
SPECIAL = ("<|im_start|>", "<|im_end|>", "<|endoftext|>", "<s>", "</s>")
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA = "<s>[INST] {{ messages[0].content }}\n\n{{ messages[1].content }} [/INST]"
LONGEST = 4096


def bytes_tokenizer(template: str, *, cleans_up: bool) -> Any:
    """A tokenizer of bytes, like those of the GPT family before they merge any."""
    tokenizers = pytest.importorskip("tokenizers")
    transformers = pytest.importorskip("transformers")
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    model = tokenizers.models.BPE({char: number for number, char in enumerate(alphabet)}, [])
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    made = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        additional_special_tokens=list(SPECIAL),
        clean_up_tokenization_spaces=cleans_up,
    )
    made.chat_template = template
    return made


class Engine:
    """An engine whose next response is known, token by token."""

    def __init__(self, tokens: list[int]) -> None:
        self._tokens = tokens

    async def generate(self, _prompt: list[int], _params: object, **_options: object) -> SimpleNamespace:
        return SimpleNamespace(outputs=[SimpleNamespace(token_ids=self._tokens, finish_reason="stop", logprobs=None)])


@pytest.fixture(scope="module")
def executor() -> Iterator[type]:
    with executor_class() as found:
        yield found


@pytest.mark.parametrize("cut", [0, 60, 100])
@pytest.mark.parametrize("cleans_up", [False, True])
@pytest.mark.parametrize("template", [CHATML, LLAMA])
def test_the_answer_is_the_responses(
    executor: Any, replicas: tuple[Service, Service], run: str, template: str, cleans_up: bool, cut: int
) -> None:
    """`cut` tokens of the prompt are cut, of about 150; its own answer is 42."""
    tokenizer = bytes_tokenizer(template, cleans_up=cleans_up)
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]
    prompt = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    length = len(tokenizer(prompt, add_special_tokens=False)["input_ids"])
    replicas[0].make_run(
        run, method="majority-voting", group_size=1, answer_formats=["boxed", "final-answer", "hashes"]
    )
    agent = executor([f"{replicas[0].url}/get_reward"])

    async def logs_of(number: int, text: str) -> tuple[float, float, float]:
        tokens = tokenizer(text, add_special_tokens=False)["input_ids"]
        label = json.dumps({"question_id": f"q{number}", "n": 1, "run": run, "ground_truth": "7"})
        params = SimpleNamespace(max_tokens=LONGEST, logprobs=None)
        output = await agent.execute(prompt, label, params, LONGEST + length - cut, tokenizer, Engine(tokens))
        logs = output["extra_logs"]
        return logs["abstained"], logs["label_matches_truth"], logs["prompt_not_found"]

    for number, (text, found) in enumerate(
        {
            "So it is \\boxed{7} .<|im_end|>": True,
            "The answer is $7$.<|im_end|><|endoftext|>": True,
            "So\n#### 7</s>": True,
            "#### 7<|im_end|>\n<|im_start|>user\n4 + 4 ?<|im_end|>\n<|im_start|>assistant\n\\boxed{8}<|im_end|>": True,
            "I do not know .<|im_end|>": False,
            "<|im_end|>": False,
        }.items()
    ):  # fmt: skip
        expected = (0.0, 1.0, 0.0) if found else (1.0, 0.0, 0.0)
        assert asyncio.run(logs_of(number, text)) == expected, text
