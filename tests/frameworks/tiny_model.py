# pyright: basic, reportMissingImports=false
"""A language model of a few kilobytes, whose words are answers: what it samples untrained can be voted on."""

from typing import Any

from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

ANSWERS = 6
WORDS = ("<pad>", "<eos>", "<unk>", *(f"\\boxed{{{answer}}}" for answer in range(ANSWERS)), *"abcdefgh")


def tiny_tokenizer() -> Any:
    """Return a tokenizer that knows `WORDS`, and a chat template that leaves the words as they are."""
    known = Tokenizer(models.WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="<unk>"))
    known.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=known, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>")
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }} {% endfor %}"
    return tokenizer
