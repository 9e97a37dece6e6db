"""Define the policy: a language model in Hugging Face format, with its tokenizer.

That of the small tasks is a Llama of about 100k parameters. Its tokenizer has one token for each word of a task, and
one for each half of the box.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from co_rewarding_schema.errors import CoRewardingError
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)
from transformers.utils import logging as transformers_logging

from co_rewarding_trainer.task import Task

PAD = "<pad>"
UNKNOWN = "<unk>"
BOX = "\\boxed{"
# The brace that closes the box is the end token: a response that never ends holds no complete box and casts no vote.
END = "}"

# The first tokens of every vocabulary, in the order of their ids.
SPECIAL = (PAD, UNKNOWN, END, BOX)
PAD_ID = SPECIAL.index(PAD)
END_ID = SPECIAL.index(END)


@dataclass(frozen=True)
class Policy:
    """A language model with its tokenizer, whose end token is the brace that closes the box.

    The weights are float32, because the steps of a training are too small for less. The model computes in
    `stored_dtype`, and its checkpoints are stored so.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    stored_dtype: torch.dtype = torch.float32

    @property
    def end_id(self) -> int:
        """Returns the token that ends a response."""
        return self.model.config.eos_token_id

    @property
    def pad_id(self) -> int:
        """Returns the token before a prompt, and behind the end of a response."""
        return self.model.config.pad_token_id

    def computing(self) -> torch.autocast:
        """Computes in `stored_dtype` within the block."""
        return torch.autocast(self.model.device.type, self.stored_dtype, enabled=self.stored_dtype != torch.float32)

    def save(self, folder: Path) -> None:
        """Writes a checkpoint that AutoModelForCausalLM and AutoTokenizer load."""
        self.save_weights(folder)
        self.tokenizer.save_pretrained(folder)

    def save_weights(self, folder: Path) -> None:
        """Writes a checkpoint without the tokenizer, for all to read."""
        stored = self.model
        if self.stored_dtype != torch.float32:
            stored = copy.deepcopy(self.model)
            torch.nn.Module.to(stored, self.stored_dtype)
        with without_bars():
            stored.save_pretrained(folder)
        for file in folder.glob("*.safetensors"):
            file.chmod(0o644)  # safetensors creates its files for the owner alone, and a service may be another user


def vocabulary(task: Task) -> tuple[str, ...]:
    """Lists the tokens of a task, in the order of their ids."""
    return (*SPECIAL, *(task.words or ()))


def build_tokenizer(task: Task) -> PreTrainedTokenizerFast:
    r"""Builds a tokenizer that decodes to the same text: `* 5 0 \boxed{0}`, with no spaces inside the box.

    Texts that are encoded together are padded on the left.
    """
    ids = {word: index for index, word in enumerate(vocabulary(task))}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(r"\\boxed\{|\}"), "isolated"), pre_tokenizers.WhitespaceSplit()]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.WordPiece(cleanup=False),
            decoders.Fuse(),
            decoders.Replace(f"{BOX} ", BOX),
            decoders.Replace(f" {END}", END),
        ]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        unk_token=UNKNOWN,
        eos_token=END,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def build_policy(task: Task, seed: int) -> Policy:
    """Builds a policy that has learnt nothing."""
    tokenizer = build_tokenizer(task)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=192,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=64,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=END_ID,
        pad_token_id=PAD_ID,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Policy(LlamaForCausalLM(config), tokenizer)


def load_policy(folder: Path | str) -> Policy:
    """Reads the policy that `Policy.save` wrote."""
    stored = AutoConfig.from_pretrained(folder).dtype
    stored_dtype = stored if isinstance(stored, torch.dtype) else torch.float32
    with without_bars():
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return Policy(model, PreTrainedTokenizerFast.from_pretrained(folder), stored_dtype)


class UnfitModelError(CoRewardingError):
    """A model cannot be a policy; the message says why."""


def load_base(model: str) -> Policy:
    """Reads a language model to teach: a folder, or a name at the Hugging Face hub. A brace will end its responses.

    Raises:
        UnfitModelError: there is no such model, or its tokenizer has no token for the brace.
    """
    try:
        policy = load_policy(model)
    except (OSError, ValueError) as cause:
        raise UnfitModelError(
            f"{model} is no folder of a language model, and the Hugging Face hub does not give it: {cause}"
        ) from cause
    tokenizer = policy.tokenizer
    if END not in tokenizer.get_vocab():
        raise UnfitModelError(f"{model} has no token for {END!r}, which ends the responses here: choose another model")
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    tokenizer.eos_token = END
    for config in filter(None, (policy.model.config, policy.model.generation_config)):
        config.eos_token_id, config.pad_token_id = tokenizer.eos_token_id, tokenizer.pad_token_id
    return policy


@contextmanager
def without_bars() -> Iterator[None]:
    """Hides the progress bars of transformers, which would be printed across the demo's own."""
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()
