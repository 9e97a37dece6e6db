# pyright: basic, reportMissingImports=false
"""A Llama of some thousand weights whose words are mostly answers in boxes: what it samples untrained can vote."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

ANSWERS = 6
SPECIAL = ("<pad>", "<eos>", "<unk>")
WORDS = (*SPECIAL, *(f"\\boxed{{{answer}}}" for answer in range(ANSWERS)), *(f"w{word}" for word in range(4)))
TEMPLATE = (
    "{% for m in messages %}{{ m['role'] }} {{ m['content'] }} {% endfor %}{% if add_generation_prompt %}go{% endif %}"
)


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    known = Tokenizer(models.WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="<unk>"))
    known.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made = PreTrainedTokenizerFast(
        tokenizer_object=known, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>", padding_side="left"
    )
    made.chat_template = TEMPLATE
    return made


def tiny_model(seed: int = 0) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(WORDS),
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=2,
            max_position_embeddings=256,
            pad_token_id=0,
            eos_token_id=1,
            bos_token_id=None,
        )
    )


def save_tiny(folder: Path) -> None:
    """Writes what a teacher can be started with."""
    tiny_model().save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
