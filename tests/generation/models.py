"""Language models small enough to be made in a test: Llamas of random weights, on which greedy outputs depend."""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

SPECIAL = ("<unk>", "<s>", "</s>", "<pad>", "<|system|>", "<|user|>", "<|assistant|>", "<|thinks|>")
WORDS = tuple(f"w{number}" for number in range(56))
TEMPLATE = (
    "<s>{% for message in messages %} <|{{ message.role }}|> {{ message.content }}{% endfor %}"
    "{% if add_generation_prompt %} <|assistant|>{% endif %}"
    "{% if enable_thinking is not defined or enable_thinking %} <|thinks|>{% endif %}"
)
CONTEXT = 256


def make_llama(folder: Path, seed: int, *, tied: bool = False, template: str | None = None) -> Path:
    """A Llama in a folder, with a tokenizer of one token a word. It ends a response once in a while."""
    save_tokenizer(folder, template)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=len(SPECIAL) + len(WORDS),
                hidden_size=64,
                intermediate_size=128,
                num_hidden_layers=2,
                num_attention_heads=2,  # of 32, the least that vLLM has on a CPU
                num_key_value_heads=1,
                max_position_embeddings=CONTEXT,
                tie_word_embeddings=tied,
                initializer_range=0.15,  # so that it has opinions, and they hang on what it has read
                bos_token_id=1,
                eos_token_id=2,
                pad_token_id=3,
            )
        )
    model.save_pretrained(folder)
    return folder


def save_tokenizer(folder: Path, template: str | None = None, *, adds_bos: bool = False) -> None:
    """Splits at spaces; `adds_bos` begins what is tokenized with <s>."""
    words = (*SPECIAL, *WORDS)
    tokenizer = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if adds_bos:
        tokenizer.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 1)])
    made = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )
    made.chat_template = template
    made.save_pretrained(folder)


def copy_weights(model: Path, to: Path, **changed: torch.Tensor | None) -> Path:
    """The weights of a model alone, as they are published, in two files; None leaves a tensor out.

    In names that are changed, a double underscore stands for a dot.
    """
    tensors = load_file(model / "model.safetensors")
    for name, tensor in changed.items():
        if tensor is None:
            del tensors[name.replace("__", ".")]
        else:
            tensors[name.replace("__", ".")] = tensor
    to.mkdir()
    names = sorted(tensors)
    for part, chosen in enumerate((names[::2], names[1::2])):
        save_file({name: tensors[name].clone() for name in chosen}, to / f"part-{part}.safetensors")
    return to
