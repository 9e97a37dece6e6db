"""Tell from a model's config.json whether the output layer is the embedding. Standard library only."""

from collections.abc import Collection, Mapping
from typing import Any

_EMBEDDINGS = ("embed_tokens.weight", "wte.weight", "word_embeddings.weight", "embed_in.weight")
HEAD = "lm_head.weight"


def tied_output(names: Collection[str], config: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the names of a tied output layer and of its embedding; None where both have tensors of their own.

    An output layer is tied where `tie_word_embeddings` is true, or is not said and `names` hold no output layer. Then
    readers of the model take the embedding for it whatever else is stored.
    """
    head = next((name for name in names if name.endswith(HEAD)), HEAD)
    embedding = next((name for name in names if name.endswith(_EMBEDDINGS)), None)
    text_config = config.get("text_config")  # where a model of text and images has it
    said = (text_config if isinstance(text_config, dict) else {}) | dict(config)
    if embedding is None or not said.get("tie_word_embeddings", head not in names):
        return None
    return head, embedding


def differing_output(folder: str, head: str, embedding: str) -> str:
    """Return what is wrong with a tied output layer that is not its embedding, and what to do."""
    return (
        f"{folder}: {head} differs from {embedding}, and config.json ties them (tie_word_embeddings), so that it would "
        "be dropped without a word. Train with both tied, or set tie_word_embeddings to false in the teacher's model "
        "and in the policy's"
    )
