"""From prompts to tokens and back, by a model's own tokenizer and chat template."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from reward_service.generation.errors import GenerationError
from reward_service.generation.generator import Prompt

_MARKUP = re.compile(r"<.*>|\[.*\]", re.DOTALL)
"""How special tokens that say nothing are written: <|im_end|>, </s>, [PAD]."""


class Codec:
    """Encodes prompts and decodes responses, for backends that have the tokens in their hands.

    Special tokens are left out of a response if they are markup (<|im_end|>, </s>, <pad>) and kept if they are text: a
    model whose end token is the brace that closes its box says that brace.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, *, keep_special_tokens: bool = False) -> None:
        """`keep_special_tokens` keeps markup too."""
        self._tokenizer = tokenizer
        self._dropped: frozenset[int] = frozenset(
            token
            for token in tokenizer.all_special_ids
            if not keep_special_tokens and _MARKUP.fullmatch(str(tokenizer.convert_ids_to_tokens(token)))
        )

    def encode(self, prompt: Prompt, thinking: bool | None = None) -> list[int]:
        """The prompt's tokens.

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
        """A response's text."""
        kept = [token for token in tokens if token not in self._dropped]
        return str(self._tokenizer.decode(kept, skip_special_tokens=False))

    def _text(self, prompt: Prompt, thinking: bool | None) -> tuple[str, bool]:
        """What the model reads, and whether the tokenizer has to add its special tokens."""
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
    """How many tokens a response may have: what was asked for, or what the prompt leaves of the model's context.

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
