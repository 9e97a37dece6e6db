"""Encode prompts as tokens, sample responses token by token with a key-value cache, and decode them.

Shapes: P prompts; B responses under way, the rows of the cache; L tokens so far; T tokens of a response; V words.
"""

import inspect
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jinja2 import TemplateError
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from reward_service.generation.generator import GenerationError, Prompt

_MARKUP = re.compile(r"<.*>|\[.*\]", re.DOTALL)
"""How special tokens that say nothing are written: <|im_end|>, </s>, [PAD]."""


class Codec:
    """Encodes prompts and decodes responses, for backends that have the tokens in their hands.

    Special tokens are left out of a response if they are markup (<|im_end|>, </s>, <pad>) and kept if they are text: a
    model whose end token is the brace that closes its box says that brace.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, *, keep_special_tokens: bool = False) -> None:
        """Keep markup in responses too with `keep_special_tokens`."""
        self._tokenizer = tokenizer
        self._dropped: frozenset[int] = frozenset(
            token
            for token in tokenizer.all_special_ids
            if not keep_special_tokens and _MARKUP.fullmatch(str(tokenizer.convert_ids_to_tokens(token)))
        )

    def encode(self, prompt: Prompt, thinking: bool | None = None) -> list[int]:
        """Return the prompt's tokens.

        Messages go through the chat template; where there is none, their contents stand one after the other with a
        blank line between. What a template writes holds its special tokens; to text they are added, unless it begins
        with the first of them already.

        Raises:
            GenerationError: there is nothing to read, or the chat template refuses the messages.
        """
        text, special = self._text(prompt, thinking)
        tokens = list(self._tokenizer.encode(text, add_special_tokens=special))
        if not tokens:
            raise GenerationError("the prompt is empty")
        return tokens

    def decode(self, tokens: Sequence[int]) -> str:
        """Return a response's text."""
        kept = [token for token in tokens if token not in self._dropped]
        return str(self._tokenizer.decode(kept, skip_special_tokens=False))

    def _text(self, prompt: Prompt, thinking: bool | None) -> tuple[str, bool]:
        """Return the text that the model reads, and whether the tokenizer has to add its special tokens."""
        if prompt.text is None and self._tokenizer.chat_template:
            return self._templated(prompt, thinking), False
        text = prompt.text
        if text is None:
            text = "\n\n".join(message.content for message in prompt.messages)
        first = self._tokenizer.bos_token
        return text, not (first and text.startswith(str(first)))

    def _templated(self, prompt: Prompt, thinking: bool | None) -> str:
        messages = [{"role": message.role, "content": message.content} for message in prompt.messages]
        template = {} if thinking is None else {"enable_thinking": thinking}
        render: Callable[..., Any] = self._tokenizer.apply_chat_template
        try:
            text = render(messages, tokenize=False, add_generation_prompt=True, **template)
        except TemplateError as error:  # what templates raise themselves: roles must alternate, no system message
            raise GenerationError(f"the chat template refuses these messages: {error}") from error
        return str(text)


def response_limit(prompt_tokens: int, max_tokens: int, context: int | None) -> int:
    """Return how many tokens a response may have: as many as were asked for and as the model's context has left.

    Raises:
        GenerationError: it leaves nothing.
    """
    if context is None:
        return max_tokens
    if prompt_tokens >= context:
        raise GenerationError(
            f"the prompt has {prompt_tokens} tokens and the model reads {context}: no room is left for a response"
        )
    return min(max_tokens, context - prompt_tokens)


@dataclass(frozen=True, slots=True)
class TokenPrompt:
    """A prompt's tokens, the seed of each response it is to have, and how long a response may become, in tokens."""

    tokens_L: Sequence[int]
    seeds: Sequence[int]
    max_tokens: int


@dataclass(slots=True)
class _Rows:
    """The responses under way. Those that have ended are taken out at once, so that none is ever padded."""

    responses_B: list[list[int]]
    uniforms_BT: Tensor
    limits_B: Tensor
    attended_BL: Tensor
    cache: Any

    def keep(self, kept_K: Tensor) -> None:
        self.responses_B = [self.responses_B[row] for row in kept_K.tolist()]
        self.uniforms_BT = self.uniforms_BT[kept_K]
        self.limits_B = self.limits_B[kept_K]
        self.attended_BL = self.attended_BL[kept_K]
        self.cache.reorder_cache(kept_K)


@torch.inference_mode()
def sample(
    model: PreTrainedModel,
    asked_P: Sequence[TokenPrompt],
    *,
    temperature: float,
    top_p: float,
    end_ids: Collection[int],
    wanted: Callable[[], bool],
) -> list[list[list[int]]]:
    """Return the responses of each prompt as tokens, including the end token where a response reached one.

    Prompts are padded on the left to a common length and read once each; then their keys and values are repeated for
    each of their responses. The tokens of a response follow from its seed, so that nothing else in the batch has a say
    in them: the logits differ in their last bits with the batch's shape, which in float32 moves a draw once in
    millions. Ends early, with what there is, when nobody is waiting any more (`wanted`).

    Raises:
        GenerationError: the model's outputs are not numbers.
    """
    cache_keyword = "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"
    tokens_PL, attended_PL = _left_padded([asked.tokens_L for asked in asked_P], model.device)
    output = model(
        input_ids=tokens_PL,
        attention_mask=attended_PL,
        position_ids=(attended_PL.cumsum(dim=1) - 1).clamp(min=0),
        use_cache=True,
        **_last_logits_only(model),
    )
    responses_PG: list[list[list[int]]] = [[[] for _ in asked.seeds] for asked in asked_P]
    prompt_of_B = torch.tensor([place for place, asked in enumerate(asked_P) for _ in asked.seeds], device=model.device)
    limits_P = torch.tensor([asked.max_tokens for asked in asked_P], device=model.device)
    cache = output[cache_keyword]
    cache.reorder_cache(prompt_of_B)
    rows = _Rows(
        responses_B=[response for responses in responses_PG for response in responses],
        uniforms_BT=_uniforms(asked_P).to(model.device),
        limits_B=limits_P[prompt_of_B],
        attended_BL=attended_PL[prompt_of_B],
        cache=cache,
    )
    logits_BV = output.logits[prompt_of_B, -1]
    ends = torch.tensor(sorted(end_ids), dtype=torch.long, device=model.device)
    for place in range(rows.uniforms_BT.shape[1]):
        drawn_B = _draw(logits_BV, rows.uniforms_BT[:, place], temperature, top_p)
        for response, token in zip(rows.responses_B, drawn_B.tolist(), strict=True):
            response.append(token)
        going_on_B = ~torch.isin(drawn_B, ends) & (rows.limits_B > place + 1)
        kept_K = going_on_B.nonzero().flatten()
        if not len(kept_K) or not wanted():
            break
        if len(kept_K) < len(drawn_B):
            rows.keep(kept_K)
        one_B1 = rows.attended_BL.new_ones(len(kept_K), 1)
        rows.attended_BL = torch.cat([rows.attended_BL, one_B1], dim=1)
        output = model(
            input_ids=drawn_B[kept_K, None],
            attention_mask=rows.attended_BL,
            position_ids=rows.attended_BL.sum(dim=1, keepdim=True) - 1,
            use_cache=True,
            **{cache_keyword: rows.cache},
        )
        logits_BV = output.logits[:, -1]
    return responses_PG


def _left_padded(prompts_P: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the prompts' tokens, shape PL, and which of them are the prompt's own (1) or padding (0)."""
    length = max(len(tokens_L) for tokens_L in prompts_P)
    tokens_PL = torch.zeros(len(prompts_P), length, dtype=torch.long)  # what pads is never attended to
    attended_PL = torch.zeros_like(tokens_PL)
    for place, tokens_L in enumerate(prompts_P):
        tokens_PL[place, length - len(tokens_L) :] = torch.tensor(tokens_L)
        attended_PL[place, length - len(tokens_L) :] = 1
    return tokens_PL.to(device), attended_PL.to(device)


def _last_logits_only(model: PreTrainedModel) -> dict[str, int]:
    """Spare the logits of all the prompt's tokens but the last, in models that know how."""
    return {"logits_to_keep": 1} if "logits_to_keep" in inspect.signature(model.forward).parameters else {}


def _uniforms(asked_P: Sequence[TokenPrompt]) -> Tensor:
    """Return random numbers for each response, shape BT, from its own seed; zeros after the last that it may need."""
    longest = max(asked.max_tokens for asked in asked_P)
    uniforms_BT = torch.zeros(sum(len(asked.seeds) for asked in asked_P), longest, dtype=torch.float64)
    draws = [(seed, asked.max_tokens) for asked in asked_P for seed in asked.seeds]
    for row, (seed, count) in enumerate(draws):
        generator = torch.Generator().manual_seed(seed)
        uniforms_BT[row, :count] = torch.rand(count, dtype=torch.float64, generator=generator)
    return uniforms_BT


def _draw(logits_BV: Tensor, uniforms_B: Tensor, temperature: float, top_p: float) -> Tensor:
    """Draw one token for each row, by inverting the distribution function at a uniform number in [0, 1); shape B."""
    if logits_BV.isnan().any():
        raise GenerationError("the model's outputs are not numbers: its weights are broken")
    if temperature == 0:
        return logits_BV.argmax(dim=-1)
    probabilities_BV = torch.softmax(logits_BV.float() / temperature, dim=-1)
    if top_p == 1:
        return _inverted(probabilities_BV, uniforms_B)
    probabilities_BV, tokens_BV = probabilities_BV.sort(dim=-1, descending=True, stable=True)
    outside_BV = probabilities_BV.cumsum(dim=-1) - probabilities_BV >= top_p
    place_B = _inverted(probabilities_BV.masked_fill(outside_BV, 0.0), uniforms_B)
    return tokens_BV.gather(1, place_B[:, None]).squeeze(1)


def _inverted(weights_BV: Tensor, uniforms_B: Tensor) -> Tensor:
    """Return the first place of each row at which the running sum exceeds the row's share of the total."""
    sums_BV = weights_BV.cumsum(dim=-1, dtype=torch.float64)
    aims_B1 = uniforms_B[:, None] * sums_BV[:, -1:]
    return torch.searchsorted(sums_BV, aims_B1, right=True).squeeze(1).clamp(max=weights_BV.shape[1] - 1)
