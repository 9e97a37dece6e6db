"""Define the policy: a Llama of about 100k parameters in Hugging Face format, its tokenizer, and sampling.

The tokenizer has one token for each word of a task, and one for each half of the box.
"""

import inspect
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
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
    """A language model with its tokenizer."""

    model: LlamaForCausalLM
    tokenizer: PreTrainedTokenizerFast

    def save(self, folder: Path) -> None:
        """Writes a checkpoint that AutoModelForCausalLM and AutoTokenizer load."""
        with without_bars():
            self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        # safetensors creates its file for the owner alone; a package's data must be readable by all.
        (folder / "model.safetensors").chmod(0o644)


@dataclass(frozen=True)
class Rollouts:
    """B = P·G responses: those of one prompt stand together, in the order of the prompts."""

    tokens_BL: Tensor
    """Prompt and response: padded before the prompt to the longest one, and after the end token."""
    logprobs_BT: Tensor
    """log π of the response's tokens when they were sampled; 0.0 on padding."""
    mask_BT: Tensor
    """1.0 up to the end token and on it, 0.0 on padding."""
    texts: tuple[str, ...]
    temperature: float
    sureness_B: tuple["Sureness", ...] = ()

    def only(self, rows: Sequence[int]) -> "Rollouts":
        """Returns some of the responses."""
        chosen = torch.tensor(rows, device=self.tokens_BL.device)
        return Rollouts(
            tokens_BL=self.tokens_BL[chosen],
            logprobs_BT=self.logprobs_BT[chosen],
            mask_BT=self.mask_BT[chosen],
            texts=tuple(self.texts[row] for row in rows),
            temperature=self.temperature,
            sureness_B=tuple(self.sureness_B[row] for row in rows if self.sureness_B),
        )


@dataclass(frozen=True)
class Sureness:
    """How sure the policy was of a response, by the distributions that its tokens were drawn from.

    Attributes:
        self_certainty: mean divergence of the next token from uniform, KL(U || p), in nats.
        entropy: mean entropy of the next token, in nats.
        confidence: geometric mean of the probabilities of the tokens, from 0 to 1.
    """

    self_certainty: float
    entropy: float
    confidence: float


def vocabulary(task: Task) -> tuple[str, ...]:
    """Lists the tokens of a task, in the order of their ids."""
    return (*SPECIAL, *task.words)


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


def load_policy(folder: Path) -> Policy:
    """Reads the policy that `Policy.save` wrote."""
    with without_bars():
        model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return Policy(model, PreTrainedTokenizerFast.from_pretrained(folder))


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


@torch.no_grad()
def sample(
    policy: Policy,
    prompts_P: Sequence[str],
    group_size: int,
    temperature: float,
    generator: torch.Generator,
    max_new_tokens: int,
) -> Rollouts:
    """Samples `group_size` responses to each prompt, each of at most `max_new_tokens`.

    R of the B responses are under way.

    `generator` draws on the device of the model.
    """
    device = policy.model.device
    encoded = policy.tokenizer(list(prompts_P), padding=True, padding_side="left", return_tensors="pt").to(device)
    prompts_PL, attended_PL = encoded["input_ids"], encoded["attention_mask"]
    cache, with_cache = _cache_of(policy.model)
    read = policy.model(
        prompts_PL, attention_mask=attended_PL, position_ids=_positions(attended_PL), logits_to_keep=1, **with_cache
    )
    # The rollouts of a group share their prompt: the model reads the prompt once, then keys and values are repeated.
    cache.batch_repeat_interleave(group_size)
    logits_RV = read.logits[:, -1].repeat_interleave(group_size, dim=0)
    attended_RL = attended_PL.repeat_interleave(group_size, dim=0)

    response_BT = torch.full((len(logits_RV), max_new_tokens), PAD_ID, device=device)
    logprobs_BT, mask_BT, certainties_BT, entropies_BT = torch.zeros(4, *response_BT.shape, device=device)
    going_R = torch.arange(len(response_BT), device=device)
    length = 0
    while True:
        logprobs_RV = torch.log_softmax(logits_RV / temperature, dim=-1)
        drawn_R1 = torch.multinomial(logprobs_RV.exp(), 1, generator=generator)
        response_BT[going_R, length] = drawn_R1[:, 0]
        logprobs_BT[going_R, length] = logprobs_RV.gather(1, drawn_R1)[:, 0]
        mask_BT[going_R, length] = 1.0
        certainties_BT[going_R, length] = -logprobs_RV.mean(dim=1) - math.log(logprobs_RV.shape[1])
        entropies_BT[going_R, length] = -(logprobs_RV.exp() * logprobs_RV).sum(dim=1)
        length += 1
        kept_K = (drawn_R1[:, 0] != END_ID).nonzero()[:, 0]
        if length == max_new_tokens or not len(kept_K):
            break
        if len(kept_K) < len(going_R):  # the model reads no response that has ended
            cache.batch_select_indices(kept_K)
            going_R, drawn_R1, attended_RL = going_R[kept_K], drawn_R1[kept_K], attended_RL[kept_K]
        attended_RL = torch.cat([attended_RL, torch.ones_like(drawn_R1)], dim=1)
        position_R1 = attended_RL.sum(dim=1, keepdim=True) - 1
        read = policy.model(drawn_R1, attention_mask=attended_RL, position_ids=position_R1, **with_cache)
        logits_RV = read.logits[:, -1]

    response_BT, logprobs_BT, mask_BT = (each[:, :length] for each in (response_BT, logprobs_BT, mask_BT))
    lengths_B = mask_BT.sum(dim=1)
    means = [each.sum(dim=1) / lengths_B for each in (certainties_BT, entropies_BT)]
    confidences_B = (logprobs_BT.sum(dim=1) / lengths_B).exp()
    return Rollouts(
        tokens_BL=torch.cat([prompts_PL.repeat_interleave(group_size, dim=0), response_BT], dim=1),
        logprobs_BT=logprobs_BT,
        mask_BT=mask_BT,
        texts=decode(policy.tokenizer, response_BT, mask_BT),
        temperature=temperature,
        sureness_B=tuple(map(Sureness, *(each.tolist() for each in (*means, confidences_B)))),
    )


def decode(tokenizer: PreTrainedTokenizerFast, response_BT: Tensor, mask_BT: Tensor) -> tuple[str, ...]:
    r"""Decodes the responses, e.g. `8 0 2 \boxed{2}`. The end token is kept, because its brace closes the box."""
    lengths_B = mask_BT.sum(dim=1).int().tolist()
    rows = zip(response_BT.tolist(), lengths_B, strict=True)
    return tuple(str(tokenizer.decode(tokens[:length])) for tokens, length in rows)


def response_logprobs(
    model: LlamaForCausalLM, tokens_BL: Tensor, response_length: int, temperature: float = 1.0
) -> Tensor:
    """Returns log π of the last `response_length` = T tokens of each row, with its gradient; shape BT.

    Padding before a prompt is not attended to; what follows the end token changes nothing before it. Prompts that
    rows share are read once, which in groups of 8 saves a third of the time.
    """
    responses_BT = tokens_BL[:, -response_length:]
    prompts_PL, prompt_of_B = torch.unique_consecutive(tokens_BL[:, :-response_length], dim=0, return_inverse=True)
    shared = 2 * len(prompts_PL) <= len(tokens_BL) and response_length > 1  # two readings cost more than they save else
    read_PL = prompts_PL if shared else tokens_BL[:, :-1]
    attended_PL = ((read_PL != PAD_ID).cumsum(dim=1) > 0).long()
    cache, with_cache = _cache_of(model)
    logits_BTV = model(
        read_PL,
        attention_mask=attended_PL,
        position_ids=_positions(attended_PL),
        logits_to_keep=1 if shared else response_length,
        **(with_cache if shared else {}),
    ).logits
    if shared:
        cache.batch_select_indices(prompt_of_B)
        read_BT = responses_BT[:, :-1]
        attended_BL = torch.cat([attended_PL[prompt_of_B], torch.ones_like(read_BT)], dim=1)
        positions_BT = _positions(attended_BL)[:, -read_BT.shape[1] :]
        behind = model(read_BT, attention_mask=attended_BL, position_ids=positions_BT, **with_cache)
        logits_BTV = torch.cat([logits_BTV[prompt_of_B], behind.logits], dim=1)
    return torch.log_softmax(logits_BTV / temperature, dim=-1).gather(2, responses_BT[..., None]).squeeze(2)


def _cache_of(model: LlamaForCausalLM) -> tuple[DynamicCache, dict[str, Any]]:
    """Returns an empty cache of keys and values, and the keywords by which the model takes it."""
    cache = DynamicCache(config=model.config)
    # Later releases of transformers have another name for the cache, and warn of the one before.
    accepted = inspect.signature(model.forward).parameters
    return cache, {"cache" if "cache" in accepted else "past_key_values": cache}


def _positions(attended_BL: Tensor) -> Tensor:
    """Counts the tokens of each row from the first that is no padding."""
    return (attended_BL.cumsum(dim=1) - 1).clamp(min=0)
